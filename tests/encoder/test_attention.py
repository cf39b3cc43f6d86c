"""The product of attention: its values in training are those of inference, and its bf16 gradient is near the exact
one."""

import pytest
import torch
from torch.nn import functional

from adapter_stilts.encoder.trunk.attention import product


def operands(dtype: torch.dtype) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    return [torch.randn(2, 3, length, 8, generator=draw).to(dtype).requires_grad_() for length in (5, 7, 7)]


BLOCKED = torch.tensor([[False] * 7, [False] * 4 + [True] * 3])[:, None, None, :]


def by_hand(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    scores = query.double() @ keys.double().transpose(-1, -2) / 8**0.5
    return scores.masked_fill(BLOCKED, -torch.inf).softmax(-1) @ values.double()


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_is_the_formula_and_has_its_gradient(dtype: torch.dtype, bound: float) -> None:
    given = operands(dtype)
    weights = torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(4)).to(dtype)
    found, expected = product(*given, BLOCKED), by_hand(*given)
    torch.testing.assert_close(found.double(), expected, rtol=bound, atol=bound)
    gradients = torch.autograd.grad((found * weights).sum(), given)
    exact = torch.autograd.grad((expected * weights.double()).sum(), given)
    for gradient, right in zip(gradients, exact, strict=True):
        assert gradient.dtype == dtype
        torch.testing.assert_close(gradient.double(), right.double(), rtol=bound, atol=2 * bound)


def test_has_the_values_of_inference_where_it_is_differentiated() -> None:
    given = operands(torch.bfloat16)
    with torch.no_grad():
        plain = product(*given, BLOCKED)
    assert torch.equal(product(*given, BLOCKED), plain)


def test_gives_a_gradient_only_to_what_needs_one() -> None:
    query, keys, values = operands(torch.bfloat16)
    product(query, keys.detach(), values.detach(), None).float().sum().backward()
    assert query.grad is not None
    assert keys.grad is None


def test_drops_attention_in_training_alone() -> None:
    given = operands(torch.bfloat16)
    torch.manual_seed(1)
    dropped = product(*given, BLOCKED, dropout=0.5)
    assert not torch.equal(dropped, product(*given, BLOCKED))
    torch.manual_seed(1)
    assert torch.equal(dropped, product(*given, BLOCKED, dropout=0.5))


@pytest.mark.usefixtures("torchs_draws")
@pytest.mark.parametrize("blocked", [BLOCKED, None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_is_torchs_where_it_drops_the_same_bit_by_bit(dtype: torch.dtype, blocked: torch.Tensor) -> None:
    draw = torch.Generator().manual_seed(5)
    given = [torch.randn(2, 3, length, 16, generator=draw).to(dtype).requires_grad_() for length in (40, 7, 7)]
    mask = None if blocked is None else torch.zeros(blocked.shape).masked_fill(blocked, torch.finfo(torch.float32).min)
    torch.manual_seed(1)
    mixed = functional.scaled_dot_product_attention(*(each.float() for each in given), mask, dropout_p=0.3)
    theirs = mixed.to(dtype)
    torch.manual_seed(1)
    ours = product(*given, blocked, dropout=0.3)
    assert torch.equal(ours, theirs)
    weights = torch.randn(theirs.shape, generator=draw).to(dtype)
    for mine, right in zip(
        torch.autograd.grad((ours * weights).sum(), given),
        torch.autograd.grad((theirs * weights).sum(), given),
        strict=True,
    ):
        assert torch.equal(mine, right)


def test_keeps_a_byte_for_each_pair_of_tokens_and_no_weights() -> None:
    given = operands(torch.bfloat16)
    kept: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        product(*given, BLOCKED, dropout=0.3)
    of_pairs = [tensor for tensor in kept if tensor.shape[-2:] == (5, 7)]
    assert [tensor.dtype for tensor in of_pairs] == [torch.bool]

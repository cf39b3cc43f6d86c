"""Heads: shapes, losses by hand, and padding that never counts."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from adapter_stilts.encoder.heads import NEVER, MaskHead, build_head, masked
from adapter_stilts.errors import ArtefactError, UnknownName, UsageError
from adapter_stilts.formats.base import formats

LOG = math.log


def loss(format, logits, labels):
    """By the head of a format."""
    return build_head(format, hidden=4, labels=4, seed=0).loss(logits, labels)


def states(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(*shape, dtype=torch.long)


@pytest.mark.parametrize(
    ("format", "labels", "shape"),
    [("pair", 3, (2, 3)), ("single", 5, (2, 5)), ("tags", 7, (2, 4, 7)), ("span", 2, (2, 4, 2))],
)
def test_gives_logits_of_the_formats_shape(format: str, labels: int, shape: tuple[int, ...]) -> None:
    head = build_head(format, 8, labels, seed=1).eval()
    assert head(states(2, 4, 8), {"attention_mask": ones(2, 4)}).shape == shape


def test_scores_choices_row_by_row_and_never_one_that_is_not_there() -> None:
    head = build_head("choice", 8, 99, seed=1).eval()
    mask = ones(2, 3, 4)
    mask[1, 2] = 0
    logits = head(states(6, 4, 8), {"attention_mask": mask})
    assert logits.shape == (2, 3)
    assert logits[1, 2] == NEVER
    assert (logits.flatten()[:5] != NEVER).all()
    total, count = loss("choice", logits, torch.tensor([0, 1]))
    by_hand = -torch.log_softmax(logits[0], 0)[0] - torch.log_softmax(logits[1, :2], 0)[1]
    assert count == 2
    torch.testing.assert_close(total, by_hand)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    for format in (name for name in formats if formats[name].head and not formats[name].ranking):
        state = torch.get_rng_state()
        one = build_head(format, 8, 3, seed=4).state_dict()
        assert torch.equal(torch.get_rng_state(), state)
        torch.rand(1)
        same, other = (build_head(format, 8, 3, seed=seed).state_dict() for seed in (4, 5))
        assert all(torch.equal(one[name], same[name]) for name in one)
        assert any(not torch.equal(one[name], other[name]) for name in one)


def test_starts_with_berts_spread_and_no_bias() -> None:
    head = build_head("pair", 256, 3, seed=4)
    weight = head.get_submodule("dense").weight
    assert isinstance(weight, torch.Tensor)
    assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.05)
    assert all(
        float(parameter.detach().abs().sum()) == 0
        for name, parameter in head.named_parameters()
        if name.endswith("bias")
    )


def test_reads_the_first_token_for_sentences() -> None:
    head = build_head("pair", 8, 3, seed=1).eval()
    hidden = states(2, 4, 8)
    changed = hidden.clone()
    changed[:, 1:] += 1
    assert torch.equal(head(hidden, {}), head(changed, {}))
    dense, out = head.get_submodule("dense"), head.get_submodule("out")
    torch.testing.assert_close(head(hidden, {}), out(torch.tanh(dense(hidden[:, 0]))))


def test_drops_out_in_training_only() -> None:
    head = build_head("tags", 64, 3, seed=1, dropout=0.5)
    hidden = states(2, 4, 64)
    assert not torch.equal(head(hidden, {}), head(hidden, {}))
    head.eval()
    assert torch.equal(head(hidden, {}), head(hidden, {}))


# ---- losses by hand


def test_loss_of_classes_is_the_summed_cross_entropy() -> None:
    logits = torch.tensor([[LOG(1), LOG(2), LOG(1)], [LOG(3), LOG(1), LOG(4)], [0.0, 0.0, 0.0]])
    total, count = loss("pair", logits, torch.tensor([1, 2, -1]))  # the last label is unknown
    assert count == 2
    assert float(total) == pytest.approx(-LOG(2 / 4) - LOG(4 / 8))


def test_loss_of_tags_counts_first_pieces_only() -> None:
    logits = torch.zeros(2, 3, 4)
    logits[0, 0, 2] = LOG(5)
    total, count = loss("tags", logits, torch.tensor([[2, -100, 1], [-100, 3, -100]]))
    assert count == 3
    assert float(total) == pytest.approx(-LOG(5 / 8) - 2 * LOG(1 / 4))


def test_loss_of_spans_is_the_mean_of_start_and_end() -> None:
    logits = torch.zeros(1, 4, 2)
    logits[0, 1, 0] = LOG(2)
    logits[0, 2, 1] = LOG(7)
    total, count = loss("span", logits, torch.tensor([[1, 2]]))
    assert count == 1
    assert float(total) == pytest.approx((-LOG(2 / 5) - LOG(7 / 10)) / 2)


def test_loss_of_masked_text_reads_masked_positions() -> None:
    total, count = loss("text", torch.zeros(2, 10), torch.tensor([[-100, 4, -100], [-100, -100, 9]]))
    assert count == 2
    assert float(total) == pytest.approx(2 * LOG(10))


def test_loss_of_nothing_known_is_zero_and_differentiable() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    total, count = loss("pair", logits, torch.tensor([-1, -1]))
    total.backward()
    assert (float(total.detach()), count) == (0.0, 0)
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) == 0


@given(st.integers(1, 6), st.integers(0, 6), st.sampled_from(["pair", "tags", "span"]), st.integers(0, 99))
def test_loss_adds_up_over_any_split_of_a_batch(rows: int, cut: int, format: str, seed: int) -> None:
    cut = min(cut, rows)
    logits = {
        "pair": states(rows, 5, seed=seed),
        "tags": states(rows, 5, 4, seed=seed),
        "span": states(rows, 5, 2, seed=seed),
    }[format]
    labels = torch.randint(
        0,
        4,
        {"pair": (rows,), "tags": (rows, 5), "span": (rows, 2)}[format],
        generator=torch.Generator().manual_seed(seed),
    )
    whole, count = loss(format, logits, labels)
    first, one = loss(format, logits[:cut], labels[:cut])
    second, other = loss(format, logits[cut:], labels[cut:])
    assert one + other == count
    torch.testing.assert_close(first + second, whole, rtol=1e-5, atol=1e-5)


def test_padding_changes_neither_span_scores_nor_their_loss() -> None:
    head = build_head("span", 8, 2, seed=1).eval()
    hidden = states(2, 4, 8)
    short = head(hidden, {"attention_mask": ones(2, 4)})
    wide = head(
        nn.functional.pad(hidden, (0, 0, 0, 3), value=9.0), {"attention_mask": nn.functional.pad(ones(2, 4), (0, 3))}
    )
    assert torch.equal(wide[:, :4], short)
    labels = torch.tensor([[1, 2], [0, 0]])
    torch.testing.assert_close(loss("span", wide, labels)[0], loss("span", short, labels)[0])


@pytest.mark.parametrize("format", ["span", "choice"])
def test_runs_under_half_precision_around_it(format: str) -> None:
    head = build_head(format, 8, 2, seed=1).eval()
    mask = nn.functional.pad(ones(2, 2, 4), (0, 1)) if format == "choice" else nn.functional.pad(ones(4, 4), (0, 1))
    mask[1, 1] = 0
    with torch.autocast("cpu", dtype=torch.float16):
        assert float(head(states(4, 5, 8), {"attention_mask": mask}).detach().min()) == NEVER


# ---- masked text


def test_masked_text_needs_to_be_tied_and_tells_masked_tokens_or_all() -> None:
    head = build_head("text", 8, 11, seed=1)
    assert isinstance(head, MaskHead)
    batch = {"attention_mask": torch.tensor([[1, 1, 0]]), "labels": torch.tensor([[-100, 7, -100]])}
    with pytest.raises(UsageError, match="needs the trunk's word embeddings"):
        head(states(1, 3, 8), batch)
    weight = states(11, 8)
    head.tie(lambda: weight, lambda hidden: hidden, 1e-5)
    assert head(states(1, 3, 8), batch).shape == (1, 11)
    assert head(states(1, 3, 8), {"attention_mask": batch["attention_mask"]}).shape == (2, 11)
    assert masked(batch).tolist() == [[False, True, False]]


def test_starts_from_a_pretrained_head_and_refuses_one_that_does_not_fit() -> None:
    good = {name: tensor + 1 for name, tensor in build_head("text", 8, 11, seed=1).state_dict().items()}
    assert all(
        torch.equal(tensor, good[name])
        for name, tensor in build_head("text", 8, 11, seed=2, mask_head=good).state_dict().items()
    )
    with pytest.raises(ArtefactError, match=r"masked-LM head holds 'bias' of shape \[11\]"):
        build_head("text", 8, 12, seed=2, mask_head=good)


def test_refuses_a_format_without_a_head_and_no_labels() -> None:
    with pytest.raises(UnknownName, match="no head for the format called 'pools'"):
        build_head("pools", 8, 2, seed=0)
    with pytest.raises(UsageError, match="at least one label"):
        build_head("pair", 8, 0, seed=0)

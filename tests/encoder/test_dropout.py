"""Dropout of the trunk: as often as asked, without bias, from torch's generator, with the gradient of what it did."""

from __future__ import annotations

import pytest
import torch

from adapter_stilts.encoder.trunk.dropout import draw, dropout

COUNT = 400_003  # no multiple of four


@pytest.mark.parametrize("p", [0.1, 0.5, 0.93])
def test_drops_as_often_as_asked_whichever_of_four_an_entry_is(p: float) -> None:
    torch.manual_seed(3)
    gone, scale = draw(torch.empty(COUNT), p)
    for lane in range(4):
        share, error = float(gone[lane::4].float().mean()), (p * (1 - p) / (COUNT / 4)) ** 0.5
        assert abs(share - p) < 5 * error
    assert scale * (1 - p) == pytest.approx(1, abs=2e-4)
    kept = gone[: COUNT - 3].view(-1, 4).float() - p
    together = (kept.T @ kept) / len(kept)
    assert torch.allclose(together, p * (1 - p) * torch.eye(4), atol=0.005)  # the four know nothing of each other


def test_follows_the_generator_of_torch() -> None:
    like = torch.empty(3, 5)
    torch.manual_seed(1)
    first, second = draw(like, 0.5)[0], draw(like, 0.5)[0]
    torch.manual_seed(1)
    assert torch.equal(draw(like, 0.5)[0], first)
    assert not torch.equal(first, second)
    assert first.shape == like.shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scales_what_stays_and_has_the_gradient_of_what_it_did(dtype: torch.dtype) -> None:
    hidden = torch.randn(50, 7).to(dtype).requires_grad_()
    torch.manual_seed(2)
    done = dropout(hidden, 0.25, training=True)
    torch.manual_seed(2)
    gone, scale = draw(hidden, 0.25)
    assert torch.equal(done, torch.where(gone, 0, hidden * scale))
    (gradient,) = torch.autograd.grad(done.sum(), hidden)
    assert torch.equal(gradient, torch.where(gone, 0, torch.full_like(hidden, scale)))
    assert done.dtype == dtype


def test_does_nothing_out_of_training_and_at_nought_and_drops_all_at_one() -> None:
    hidden = torch.randn(4, 4)
    state = torch.get_rng_state()
    assert torch.equal(dropout(hidden, 0.5, training=False), hidden)
    assert torch.equal(dropout(hidden, 0.0, training=True), hidden)
    assert torch.equal(torch.get_rng_state(), state)
    assert not dropout(torch.ones(1000), 1.0, training=True).any()

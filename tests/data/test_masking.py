"""Masks: how many, what becomes of them, and that a generator settles them."""

import torch

from adapter_stilts.data.batches import mask_tokens

MASK, VOCABULARY = 4, 1000


def draw(seed=0, shape=(64, 256), rate=0.15):
    ids = torch.randint(5, VOCABULARY, shape, generator=torch.Generator().manual_seed(9))
    special = torch.zeros(shape, dtype=torch.bool)
    special[:, 0] = special[:, -1] = True
    inputs, labels = mask_tokens(ids, special, VOCABULARY, MASK, rate, torch.Generator().manual_seed(seed))
    return ids, special, inputs, labels


def test_masks_the_share_asked_for_four_in_five_by_the_mask():
    ids, special, inputs, labels = draw()
    chosen = labels != -100
    free = (~special).sum()
    assert abs(chosen.sum() / free - 0.15) < 0.01
    assert abs((inputs[chosen] == MASK).float().mean() - 0.8) < 0.02
    assert abs((inputs[chosen] == ids[chosen]).float().mean() - 0.1) < 0.02
    assert labels[chosen].equal(ids[chosen])
    assert inputs[~chosen].equal(ids[~chosen])
    assert not chosen[special].any()


def test_is_settled_by_the_generator_and_leaves_its_input_alone():
    ids, _, inputs, labels = draw(3)
    again = draw(3)
    assert inputs.equal(again[2])
    assert labels.equal(again[3])
    assert not inputs.equal(draw(4)[2])
    assert ids.equal(again[0])


def test_always_leaves_something_to_predict():
    for seed in range(50):
        ids = torch.tensor([[0, 7, 2]])
        _, labels = mask_tokens(ids, ids < 5, VOCABULARY, MASK, 0.01, torch.Generator().manual_seed(seed))
        assert labels.tolist() == [[-100, 7, -100]]
    nothing = torch.tensor([[0, 2]])
    assert mask_tokens(nothing, nothing < 5, VOCABULARY, MASK, 0.15, torch.Generator())[1].tolist() == [[-100, -100]]

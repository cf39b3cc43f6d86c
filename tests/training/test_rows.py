import pytest
import torch

from adapter_stilts.data.feature import Feature
from adapter_stilts.formats.base import formats
from adapter_stilts.training.plan import feature_data, masker

PAD, MASK, SPECIAL = 1, 4, (0, 1, 2, 3, 4)


def test_collates_rows_by_number():
    features = [Feature(row, row, (0, *range(10, 10 + row), 2), target=row % 2) for row in range(1, 5)]
    data = feature_data(features, formats["single"], PAD)
    assert data.lengths == [3, 4, 5, 6]
    batch = data.collate([2, 0])
    assert batch["input_ids"].tolist() == [[0, 10, 11, 12, 2], [0, 10, 2, PAD, PAD]]
    assert batch["labels"].tolist() == [1, 1]
    assert data.prepare is None


def test_masks_the_share_it_is_told_and_no_special_token():
    features = [Feature(row, row, (0, *range(10, 60), 2)) for row in range(40)]
    data = feature_data(
        features, formats["text"], PAD, masker(vocabulary=100, mask_id=MASK, special_ids=SPECIAL, rate=0.3)
    )
    plain = data.collate(range(40))
    masked = data.prepare(plain, torch.Generator().manual_seed(0))
    chosen = masked["labels"] != -100
    assert chosen.sum() / (40 * 50) == pytest.approx(0.3, abs=0.04)
    assert torch.equal(masked["labels"][chosen], plain["input_ids"][chosen])
    assert not chosen[torch.isin(plain["input_ids"], torch.tensor(SPECIAL))].any()

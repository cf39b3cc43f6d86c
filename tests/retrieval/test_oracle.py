"""Mining of two pools finds the pairs and scores of the algorithm written slowly (tests/slow_mining.py), on 200 seeds
with repeats and ties."""

import numpy as np
import pytest

from adapter_stilts.formats.pools import Pools
from adapter_stilts.retrieval.pools import mine_pools, named
from adapter_stilts.retrieval.protocols import protocol


@pytest.mark.parametrize(("name", "duplicates"), [("xtreme", "drop"), ("jiant", "expand"), ("own", "expand")])
def test_finds_the_pairs_and_scores_of_the_slow_algorithm(slow_mining, name, duplicates):
    rules = protocol(name, "bucc2018")
    for seed in range(200):
        source_texts, source, target_texts, target = slow_mining["random_pools"](seed)
        ids = [tuple(str(number) for number in range(len(texts))) for texts in (source_texts, target_texts)]
        pools = Pools("p", ids[0], tuple(source_texts), ids[1], tuple(target_texts), frozenset())
        source, target = (np.array(side, dtype=np.float32) for side in (source, target))
        mined = mine_pools(source, target, pools, rules)
        expected = slow_mining["slow_mining"](source_texts, source.tolist(), target_texts, target.tolist(), duplicates)
        found = {
            (int(one), int(other)): score
            for (one, other), score in zip(named(mined, pools), mined.score.tolist(), strict=True)
        }
        assert found.keys() == expected.keys(), seed
        assert len(mined) == len(found)
        assert all(found[pair] == pytest.approx(score, abs=1e-5) for pair, score in expected.items()), seed
        assert (mined.score[:-1] >= mined.score[1:]).all()

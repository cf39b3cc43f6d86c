"""Memory by hand, and the smallest limit that fits is the limit it names."""

import re

import pytest

from adapter_stilts.errors import DoesNotFit
from adapter_stilts.retrieval.indexes import indexes
from adapter_stilts.retrieval.plan import Sizes, choose, default_limit, fit, peak, resident
from adapter_stilts.retrieval.search import Steps

MILLION = Sizes(1_000_000, 1_000_000, 256, 4)
HELD = 400_000_000


def test_holds_a_million_vectors_in_four_gigabytes():
    steps = fit(MILLION, indexes["exact"], 4e9, HELD)
    assert steps.base_rows == 1_000_000
    assert peak(MILLION, indexes["exact"], steps, HELD) < 4e9


def test_adds_up_by_hand():
    # results: 2 million sentences of 4 neighbours of 12 bytes; pairs: 136 bytes a sentence; vectors: 1024 bytes each; a
    # block: 16384 queries
    block = 16384 * (8 * 256 + 48 * (8 + 4)) + (96 << 20) + (1 << 22) * 24
    steps = Steps(1_000_000)
    assert peak(MILLION, indexes["exact"], steps, HELD) == HELD + 96_000_000 + block + 1_024_000_000
    assert peak(MILLION, indexes["exact"], Steps(4096), HELD) == HELD + 96_000_000 + max(
        block + 4096 * 1024, 272_000_000
    )


@pytest.mark.parametrize("name", ["exact", "ivf", "ivf-sq", "ivf-pq"])
@pytest.mark.parametrize("limit", [1.4e9, 2e9, 3e9])
def test_cuts_shards_that_stay_below_the_limit(name, limit):
    steps = fit(MILLION, indexes[name], limit, HELD)
    assert steps.base_rows % 4096 == 0 or steps.base_rows == 1_000_000
    assert peak(MILLION, indexes[name], steps, HELD) <= limit


@pytest.mark.parametrize("name", list(indexes))
def test_names_a_limit_that_fits(name):
    with pytest.raises(DoesNotFit, match="memory: the process so far 0.40 GB, results 0.[0-9]+ GB") as caught:
        fit(MILLION, indexes[name], 0.5e9, HELD)
    assert caught.value.exit_code == 5
    named = float(re.search(r"--limit-gb ([0-9.]+) or more", str(caught.value)).group(1)) * 1e9
    steps = fit(MILLION, indexes[name], named, HELD)
    assert peak(MILLION, indexes[name], steps, HELD) <= named
    with pytest.raises(DoesNotFit):
        fit(MILLION, indexes[name], named - 2e7, HELD)


@pytest.mark.parametrize("name", ["exact", "hnsw"])
def test_searches_a_side_that_fits_in_one_piece(name):
    steps = fit(Sizes(5000, 5000, 16, 4), indexes[name], 4e9, held=0)
    assert steps.shards(5000) == [(0, 5000)]  # 5,000 is no multiple of the 4,096 that smaller shards are cut at


def test_holds_everything_at_once_where_the_system_tells_no_limit():
    assert fit(Sizes(1000, 2000, 16, 4), indexes["ivf"], float("inf"), held=0).base_rows == 2000


def test_counts_the_candidates_of_all_cells_by_hand():
    # a million vectors: 4,000 cells, 125 of them asked for 8 places, of 8 bytes; 24 bytes a cell of a query; 24 for
    # each of 2 ** 20 that are ordered;
    # 64 MiB of what the threads compare, and its products
    beside = 16384 * 125 * (8 * 8 + 24) + (1 << 20) * 24 + (64 << 20)
    more = peak(MILLION, indexes["ivf"], Steps(1_000_000), HELD) - peak(
        MILLION, indexes["exact"], Steps(1_000_000), HELD
    )
    assert more == beside + 40 * 1_000_000


def test_does_not_cut_a_graph_into_shards():
    with pytest.raises(DoesNotFit, match="--index exact or ivf, which can be searched in shards"):
        fit(MILLION, indexes["hnsw"], 2e9, HELD)
    assert fit(MILLION, indexes["hnsw"], 5e9, HELD).base_rows == 1_000_000


def test_counts_this_process():
    assert 10e6 < resident() < default_limit()


def test_chooses_exact_while_it_is_fast_enough():
    found = choose(Sizes(1000, 2000, 64, 4), 4e9, HELD, speed=1e9)
    assert found == ("exact", "1000 x 2000 vectors of 64: exact search both ways takes less than a second here")


@pytest.mark.parametrize(
    ("limit", "how"),
    [(8e9, "all in memory at once"), (1.8e9, "in shards of [0-9]+ vectors: a whole side does not fit in 1.8 GB")],
)
def test_chooses_cells_where_exact_search_takes_long(limit, how):
    index, why = choose(MILLION, limit, HELD, speed=1e9)  # 2 * 10^12 * 256 multiplications take 142 hours
    assert index == "ivf"
    assert re.search(f"takes about 142.2 h here, over 15 min; cells of whole vectors, {how}$", why)


def test_measures_the_speed_of_this_machine():
    assert choose(Sizes(10, 10, 32, 4), 4e9, HELD)[0] == "exact"

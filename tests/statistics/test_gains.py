"""Gains: pairing, by hand; intervals and p, against t, MixedLM's variance components, and how often they are wrong."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from adapter_stilts.errors import StiltsError
from adapter_stilts.statistics.gains import Error, Scored, compare, compare_means, elsewhere_of, hashed, holm


def right(flags, items=None):
    units = np.stack([flags, np.ones(len(flags))], axis=1).astype(float)
    return Scored.numbered(units) if items is None else Scored(units, hashed(items))


def arm(draw, seeds, languages, n, rate=0.6, spread=0.0, parallel=True):
    """{seed: {language: Scored}} of coins whose rate differs by seed."""
    made = {}
    for seed in range(seeds):
        own = np.clip(rate + draw.normal(0, spread), 0, 1)
        names = [[f"{'' if parallel else code}{row}" for row in range(n)] for code in range(languages)]
        made[seed] = {str(code): right(draw.random(n) < own, names[code]) for code in range(languages)}
    return made


def test_takes_the_mean_over_languages_and_seeds_of_differences_over_the_same_rows():
    a = {1: {"de": right([1, 1]), "sw": right([1, 0, 0, 0])}, 2: {"de": right([1, 0]), "sw": right([0, 0, 0, 0])}}
    b = {1: {"de": right([0, 0]), "sw": right([0, 0, 0, 0])}, 2: {"de": right([1, 0]), "sw": right([1, 0, 0, 0])}}
    gain = compare(a, b, "ratio")
    assert gain.by_seed == (pytest.approx((1 + 0.25) / 2), pytest.approx((0 - 0.25) / 2))
    assert gain.gain == pytest.approx(0.25)
    assert (gain.seeds, gain.languages, gain.n, gain.dropped) == ((1, 2), ("de", "sw"), 6, ())
    assert gain.by_language == {"de": 0.5, "sw": 0.0}


def test_compares_what_both_have_and_says_what_that_leaves_out():
    names = ["q1", "q2", "q3"]
    a = {1: {"de": right([1, 0, 1], names), "sw": right([1])}, 2: {"de": right([1, 1, 1], names)}}
    b = {1: {"de": right([0, 1], ["q3", "q2"]), "fr": right([1])}}
    gain = compare(a, b, "ratio")
    assert gain.gain == 0  # of q2 and q3: 0 and 1 against 1 and 0, whatever their order
    assert gain.dropped == ("seed 2", "sw", "fr", "1 rows of de")
    assert compare({1: a[1]}, {2: b[1]}, "ratio") is None
    assert compare({1: {"sw": right([1])}}, {1: {"de": right([1])}}, "ratio") is None


def test_a_failed_seed_of_the_base_does_not_move_the_gain():
    draw = np.random.default_rng(0)
    a, b = arm(draw, 3, 2, 50), arm(draw, 3, 2, 50)
    low = {2: {code: right(np.zeros(50)) for code in "01"}}
    assert compare(a, {0: b[0], 1: b[1]}, "ratio").gain == compare({**a, **low}, {0: b[0], 1: b[1]}, "ratio").gain


def test_is_the_t_interval_over_seeds_where_rows_add_nothing_of_their_own():
    """Every item is right as often in both arms: what differs is the seed."""
    gains = [0.02, 0.10, 0.04, 0.06, 0.03]
    cells = [[round(500 * gain)] for gain in gains]
    a = {seed: {"de": right(np.roll(np.arange(500) < 250 + cells[seed][0], 100 * seed))} for seed in range(5)}
    b = {seed: {"de": right(np.roll(np.arange(500) < 250, 100 * seed))} for seed in range(5)}
    gain = compare(a, b, "ratio")
    assert gain.by_seed == pytest.approx(gains)
    assert gain.interval == pytest.approx(DescrStatsW(gains).tconfint_mean(), rel=0.05)
    two = compare_means([0.52, 0.60], [0.50, 0.50])
    assert two[2] == pytest.approx(0.3743, abs=1e-4)  # of +2 and +10: t with one degree of freedom
    assert two[1] == pytest.approx(DescrStatsW([0.02, 0.10]).tconfint_mean())


def crossed(draw, seeds, items, sds):
    """Differences [seeds, items] with variances of seeds, items and the rest."""
    parts = (
        draw.normal(0, sds[0], (seeds, 1)),
        draw.normal(0, sds[1], (1, items)),
        draw.normal(0, sds[2], (seeds, items)),
    )
    return sum(parts)


def test_finds_the_variance_components_that_a_mixed_model_finds():
    draw = np.random.default_rng(4)
    differences = 0.5 + crossed(draw, 12, 40, (0.1, 0.2, 0.15))
    a = {seed: {"de": Scored.numbered(np.stack([row, np.ones(40)], axis=1))} for seed, row in enumerate(differences)}
    b = {seed: {"de": Scored.numbered(np.stack([np.zeros(40), np.ones(40)], axis=1))} for seed in range(12)}
    parts = compare(a, b, "ratio").error.parts
    seed, item = np.meshgrid(np.arange(12), np.arange(40), indexing="ij")
    columns = {"d": differences, "seed": seed, "item": item, "all": np.ones((12, 40))}
    data = pd.DataFrame({name: column.ravel() for name, column in columns.items()})
    formulas = {"seed": "0 + C(seed)", "item": "0 + C(item)"}
    model = smf.mixedlm("d ~ 1", data, groups="all", vc_formula=formulas, re_formula="0").fit()
    named = dict(zip(model.model.exog_vc.names, model.vcomp, strict=True))
    assert parts["items"][0] * 40 == pytest.approx(named["item"], rel=0.05)
    assert parts["seeds"][0] * 12 == pytest.approx(named["seed"] + model.scale / 40, rel=0.05)


def test_squares_an_item_that_stands_in_several_languages_once():
    draw = np.random.default_rng(1)
    flags, others = draw.random(400) < 0.7, draw.random(400) < 0.6
    names = [str(row) for row in range(400)]
    apart = [[f"{code}-{row}" for row in range(400)] for code in "ab"]
    shared = compare(
        {0: dict.fromkeys("ab", right(flags, names))}, {0: dict.fromkeys("ab", right(others, names))}, "ratio"
    )
    alone = compare({0: {"a": right(flags, names)}}, {0: {"a": right(others, names)}}, "ratio")
    own = compare(
        {0: {code: right(flags, ids) for code, ids in zip("ab", apart, strict=True)}},
        {0: {code: right(others, ids) for code, ids in zip("ab", apart, strict=True)}},
        "ratio",
    )
    assert shared.error.total == pytest.approx(alone.error.total, rel=0.002)  # the same answers twice tell nothing more
    assert own.error.total == pytest.approx(alone.error.total / 2**0.5, rel=0.002)
    widths = [gain.interval[1] - gain.interval[0] for gain in (shared, alone, own)]
    assert widths[0] == pytest.approx(widths[1], rel=0.1)
    assert widths[2] == pytest.approx(widths[1] / 2**0.5, rel=0.1)


def test_resamples_one_seed_as_a_plain_loop_does():
    draw = np.random.default_rng(3)
    a, b = arm(draw, 1, 2, 60, 0.7), arm(draw, 1, 2, 60, 0.6)
    gain = compare(a, b, "ratio")
    wins = [a[0][code].units[:, 0] - b[0][code].units[:, 0] for code in "01"]
    spread = []
    for _ in range(4000):
        rows = draw.integers(0, 60, 60)
        spread.append(np.mean([own[rows].mean() for own in wins]))
    assert gain.interval == pytest.approx(tuple(np.quantile(spread, [0.025, 0.975])), abs=0.02)


def test_resamples_rows_of_zeros_as_any_others(monkeypatch):
    units = np.zeros((3000, 3))
    units[:200] = [[1, 1, 1], [0, 1, 1]] * 100
    other = units.copy()
    other[:100, 0] = 0
    whole = compare({0: {"de": Scored.numbered(units)}}, {0: {"de": Scored.numbered(other)}}, "f1")
    live = compare({0: {"de": Scored.numbered(units[:200])}}, {0: {"de": Scored.numbered(other[:200])}}, "f1")
    assert whole.interval == pytest.approx(live.interval, abs=0.02)
    monkeypatch.setattr("adapter_stilts.statistics.gains.DRAWS", 7000)  # as many replicates as fit in memory
    assert compare({0: {"de": Scored.numbered(units)}}, {0: {"de": Scored.numbered(other)}}, "f1") == whole


def test_an_arm_against_itself_gains_nothing_and_is_not_known_to_be_equal():
    draw = np.random.default_rng(3)
    a = arm(draw, 1, 1, 60)
    gain = compare(a, a, "ratio")
    assert (gain.gain, gain.interval, gain.p) == (0.0, (0.0, 0.0), 1.0)
    several = compare(arm(draw, 3, 1, 60, 1.0), arm(draw, 3, 1, 60, 1.0), "ratio")
    assert several.gain == 0
    assert several.interval[1] > 0.02  # 60 of 60 in both: they may still differ by a few points


def test_has_no_interval_for_fewer_than_twenty_items():
    gain = compare({0: {"de": right([1] * 19)}}, {0: {"de": right([0] * 19)}}, "ratio")
    assert (gain.gain, gain.interval, gain.p, gain.detectable(), gain.equal_within(0.1)) == (
        1.0,
        None,
        None,
        None,
        None,
    )


@pytest.mark.parametrize("seeds", [2, 5, 10])
@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("spread", [0.0, 0.04])
def test_finds_a_difference_where_there_is_none_as_often_as_it_says(seeds, parallel, spread):
    draw = np.random.default_rng(11)
    wrong = 0
    for _ in range(200):
        a, b = (arm(draw, seeds, 3, 100, 0.6, spread, parallel) for _ in range(2))
        wrong += compare(a, b, "ratio").p < 0.05
    assert (0 if seeds == 2 else 3) <= wrong <= 19  # 10 expected, fewer of two seeds


def test_weighs_the_quantiles_of_seeds_and_items_by_their_variance():
    """By hand: t of 2.7764 with four degrees of freedom and of 1.9840 with a hundred."""
    error = Error({"seeds": (1.0, 4), "items": (3.0, 100)}, weighted=True)
    assert error.interval(0)[1] == pytest.approx((1 * 2.7764 + 3 * 1.9840) / 4 * 2, abs=1e-3)
    assert error.p(error.interval(0)[1]) == pytest.approx(0.05)
    assert error.p(error.interval(0, level=0.996)[1]) == pytest.approx(0.004)
    assert (error.p(0), error.tail(-1)) == (pytest.approx(1), pytest.approx(1 - error.tail(1)))
    assert error.p(1000) < 1e-9


def test_tells_other_languages_from_those_that_were_scored():
    draw = np.random.default_rng(5)
    wrong = own = 0
    for _ in range(300):
        by_language = draw.normal(0, 0.05, 6)
        differences = by_language + draw.normal(0, 0.01, (5, 6))
        wrong += elsewhere_of(differences).p < 0.05
        own += compare_means(differences.mean(axis=1), np.zeros(5))[2] < 0.05
    assert 6 <= wrong <= 27
    assert own > 100  # on these very languages the differences are real
    assert elsewhere_of(np.zeros((1, 6))) is None


def test_says_how_small_a_gain_it_would_have_seen():
    """A true gain of that size is found in about 80 of 100 repetitions."""
    draw = np.random.default_rng(8)
    smallest = np.mean(
        [compare(*(arm(draw, 5, 2, 100, 0.5, 0.03) for _ in range(2)), "ratio").detectable() for _ in range(40)]
    )
    found = 0
    for _ in range(200):
        a, b = arm(draw, 5, 2, 100, 0.5 + smallest, 0.03), arm(draw, 5, 2, 100, 0.5, 0.03)
        found += compare(a, b, "ratio").p < 0.05
    assert 130 <= found <= 185
    gain = compare(*(arm(draw, 5, 2, 100) for _ in range(2)), "ratio")
    assert gain.detectable(tests=10) > gain.detectable()


def test_two_one_sided_tests_agree_with_the_interval_of_ninety_percent():
    draw = np.random.default_rng(9)
    gain = compare(*(arm(draw, 5, 3, 200, 0.6, 0.02) for _ in range(2)), "ratio")
    edge = max(abs(end) for end in gain.error.interval(gain.gain, level=0.9))
    assert gain.equal_within(edge * 1.01) < 0.05 < gain.equal_within(edge * 0.99)


def test_corrects_for_several_tests_as_holm_does():
    values = [0.9, 0.01, 0.03, 0.02]
    assert holm(values) == pytest.approx([0.9, 0.04, 0.06, 0.06])
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1])


def test_refuses_units_of_two_metrics():
    other = Scored.numbered(np.ones((2, 3)))
    with pytest.raises(StiltsError, match="2 and 3 sums cannot be compared"):
        compare({0: {"de": right([1, 0])}}, {0: {"de": other}}, "ratio")

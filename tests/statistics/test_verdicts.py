"""No word is said that the seeds do not carry."""

import numpy as np
import pytest

from adapter_stilts.statistics.gains import Scored, compare
from adapter_stilts.statistics.verdicts import verdict


def gain_of(gains, n=400):
    """A gain with these values by seed, in one language."""
    sides = []
    for more in (gains, [0.0] * len(gains)):
        rolled = [np.roll(np.arange(n) < n / 2 + n * value, 37 * seed) for seed, value in enumerate(more)]
        arms = [Scored.numbered(np.stack([flags, np.ones(n)], axis=1).astype(float)) for flags in rolled]
        sides.append({seed: {"de": scored} for seed, scored in enumerate(arms)})
    return compare(*sides, "ratio")


FIVE = [0.10, 0.11, 0.09, 0.12, 0.10]


def test_says_helped_and_hurt_from_five_seeds_on():
    gain = gain_of(FIVE)
    assert verdict(gain, gain.p, 1).word == "helped"
    assert verdict(gain_of([-value for value in FIVE]), 0.001, 1).word == "hurt"
    assert verdict(gain, gain.p, 1).text.startswith("+10.4 (+")
    assert verdict(gain, gain.p, 1).text.endswith("), helped")


def test_says_what_it_could_have_seen_where_it_saw_nothing():
    gain = gain_of([0.10, -0.08, 0.02, -0.05, 0.03])
    said = verdict(gain, 1.0, 12)
    assert said.word == "no clear difference"
    assert said.text.endswith(f"no clear difference: could have seen {100 * gain.detectable(12):.1f}")


def test_goes_by_the_corrected_p():
    gain = gain_of(FIVE)
    assert gain.p < 0.001
    assert verdict(gain, 0.2, 60).word == "no clear difference"


@pytest.mark.parametrize("seeds", [2, 3, 4])
def test_describes_two_to_four_seeds_without_a_word(seeds):
    said = verdict(gain_of(FIVE[:seeds]), 0.0001, 1)
    assert said.word == ""
    assert f"(t over {seeds} seeds " in said.text
    assert said.text.endswith(f"the seeds +{100 * min(FIVE[:seeds]):.1f} to +{100 * max(FIVE[:seeds]):.1f})")


def test_tells_two_models_apart_by_one_seed_and_no_more():
    apart, same = verdict(gain_of([0.2]), 0.0001, 1), verdict(gain_of([0.0]), 1.0, 1)
    assert apart.word == same.word == ""
    assert apart.text.endswith("these two models differ, another seed may not")
    assert same.text.endswith("these two models are not told apart")


def test_calls_arms_equal_within_a_margin_that_was_declared():
    gain = gain_of([0.01, -0.01, 0.0, 0.0, 0.0], 4000)
    assert verdict(gain, 1.0, 1, margin=0.05).text.endswith("equal within 5")
    assert verdict(gain, 1.0, 1).word == "no clear difference"
    assert verdict(gain, 1.0, 1, margin=0.0001).word == "no clear difference"


def test_does_not_interpret_what_did_not_learn():
    said = verdict(gain_of(FIVE), 0.0001, 1, unlearned="ner-s13")
    assert (said.word, said.text.split(", ", 1)[1]) == ("not interpreted", "not interpreted: ner-s13 did not learn")
    few = verdict(gain_of([0.1] * 5, 10), None, 1, unlearned="ner-s13")
    assert few.text == "+10.0 (too few rows for an interval), not interpreted: ner-s13 did not learn"


def test_says_nothing_of_a_handful_of_rows():
    assert verdict(gain_of([0.1] * 5, 10), None, 1).text == "+10.0 (too few rows for an interval)"

"""What may be said of a gain: a word from five seeds on, numbers alone below.

    verdict(gain, p_holm=0.003, tests=4).word      "helped"
    verdict(gain, p_holm=0.4, tests=4).text        "+0.4 (-0.6 to +1.4), no clear difference: could have seen 1.9"

"helped" and "hurt" are said where p, corrected by Holm for all comparisons of the declared family, is below 0.05. Two
to four seeds have a mean, a range and a t interval; one seed tells two models apart, and nothing of another seed's.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapter_stilts.statistics.gains import ENOUGH, Gain, Interval
from adapter_stilts.statistics.intervals import LEVEL

HELPED, HURT, UNCLEAR, EQUAL = "helped", "hurt", "no clear difference", "equal"
UNLEARNED = "not interpreted"


@dataclass(frozen=True)
class Verdict:
    """word: one of the above, "" where there is none to say; text: the gain in points with all that may be said."""

    word: str
    text: str


def verdict(gain: Gain, p_holm: float | None, tests: int, margin: float | None = None, unlearned: str = "") -> Verdict:
    """The verdict on a gain.

    tests      comparisons of the family that p_holm is corrected for
    margin     within which arms count as equal, a fraction
    unlearned  what did not learn, so that its transfer is not interpreted
    """
    numbers = points(gain.gain)
    inside = between(gain.interval) if gain.interval else "too few rows for an interval"
    if unlearned:
        return Verdict(UNLEARNED, f"{numbers} ({inside}), {UNLEARNED}: {unlearned} did not learn")
    if gain.interval is None:
        return Verdict("", f"{numbers} ({inside})")
    seeds = len(gain.seeds)
    if seeds == 1:
        apart = gain.interval[0] > 0 or gain.interval[1] < 0
        said = "these two models differ, another seed may not" if apart else "these two models are not told apart"
        return Verdict("", f"{numbers} (rows alone {inside}): {said}")
    if seeds < ENOUGH:
        spread = between((min(gain.by_seed), max(gain.by_seed)))
        return Verdict("", f"{numbers} (t over {seeds} seeds {inside}; the seeds {spread})")
    numbers = f"{numbers} ({inside})"
    if p_holm is not None and p_holm < 1 - LEVEL:
        word = HELPED if gain.gain > 0 else HURT
        return Verdict(word, f"{numbers}, {word}")
    apart_by = None if margin is None else gain.equal_within(margin)
    if margin is not None and apart_by is not None and apart_by < 1 - LEVEL:
        return Verdict(EQUAL, f"{numbers}, equal within {100 * margin:g}")
    return Verdict(UNCLEAR, f"{numbers}, {UNCLEAR}: could have seen {100 * (gain.detectable(tests) or 0):.1f}")


def points(value: float) -> str:
    """A difference of fractions in points."""
    return f"{100 * value:+.1f}"


def between(interval: Interval) -> str:
    return f"{points(interval[0])} to {points(interval[1])}"

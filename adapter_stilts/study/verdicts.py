"""What the demo's rows say, in a few lines a person reads: an arm helped, hurt, or made no clear difference, by what its interval says.

    stack on hellaswag: English +19.7 (+13.7 to +26.0), helped; zero-shot +2.1 (-2.5 to +6.3), no clear difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

CONTROL = "control:"  # how the labels of controls begin
HELPED, HURT, UNCLEAR = "helped", "hurt", "no clear difference"


def verdicts(target: Sequence[Mapping[str, Any]], retrieval: Sequence[Mapping[str, Any]]) -> list[str]:
    """What helped and what did not: a line per arm, two on the controls, and one per retrieval task."""
    arms = [row for row in target if "over_control" in row]
    controls = [row for row in target if row["arm"].startswith(CONTROL)]
    lines = [f"{row['arm']}: English {_points(row['english'])}, {_word(row['english'])}; zero-shot {_points(row)}, {_word(row)}." for row in arms]
    lines += [f"{row['arm']}: English {_points(row['english'])}; zero-shot {_points(row)}." for row in controls]
    lines.append("Over the better control, zero-shot: " + ", ".join(f"{_short(row)} {_points(row['over_control'])}" for row in arms) + ".")
    for task in dict.fromkeys(row["task"] for row in retrieval):
        lines.append(f"{task}, over the trunk: {_by_word([row for row in retrieval if row['task'] == task and row['gain'] is not None])}.")
    return lines


def _by_word(rows: Sequence[Mapping[str, Any]]) -> str:
    """The encoders in groups: what helped and what hurt with its points, the rest by name."""
    groups = []
    for word in (HELPED, HURT, UNCLEAR):
        found = [row for row in rows if _word(row) == word]
        names = [row["arm"].removeprefix(CONTROL).strip() + ("" if word == UNCLEAR else f" {_points(row)}") for row in found]
        groups += [f"{word} {', '.join(names)}"] if names else []
    return "; ".join(groups)


def _short(row: Mapping[str, Any]) -> str:
    return str(row["arm"]).split()[0]


def _word(gain: Mapping[str, Any]) -> str:
    low, high = gain["interval"]
    return HELPED if low > 0 else HURT if high < 0 else UNCLEAR


def _points(gain: Mapping[str, Any]) -> str:
    low, high = gain["interval"]
    return f"{100 * gain['gain']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"

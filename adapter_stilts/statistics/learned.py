"""Whether a run learned: its validation score against what takes no learning.

    Baseline("accuracy", chance=1/3, majority=0.555)     what three labels give, one of them that of 55.5 % of the rows
    learned_of(rows)["jnli"].learned                     False: the interval of its accuracy does not lie above 55.5 %

A run that answers every row alike did not learn either, whatever it scores. Fewer than twenty rows tell nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapter_stilts.statistics.result import Result


@dataclass(frozen=True)
class Baseline:
    """What a measure of a score gives without learning, as fractions.

    chance    of guessing; of spans, with the whole context as the answer
    majority  of the commonest answer alone, in the very rows that are scored; None where no rows share an answer
    """

    metric: str
    chance: float
    majority: float | None = None

    @classmethod
    def of_classes(cls, metric: str, answers: Iterable[str], classes: int) -> Baseline | None:
        """Of gold answers, each one of so many classes; None where all are the same, which tells nothing."""
        counts = Counter(answers)
        majority = share_of_commonest(counts)
        return None if majority is None else cls(metric, 1 / max(classes, len(counts)), majority)

    @property
    def best(self) -> float:
        return max(self.chance, self.majority or 0.0)

    @property
    def notes(self) -> dict[str, float | None]:
        """What stands beside the score."""
        return {"chance": self.chance, "majority": self.majority}


@dataclass(frozen=True)
class Learning:
    """How a run's validation score stands to its baseline; of several languages, their mean.

    one_class  whether every prediction is the same class
    learned    None where too few rows tell
    """

    score: float
    n: int
    interval: tuple[float, float] | None
    baseline: Baseline
    one_class: bool
    learned: bool | None

    @property
    def numbers(self) -> str:
        """Why it was not learned: "accuracy 34.0 (n 500, 30.0 to 38.3) where the commonest answer alone gives 33.6"."""
        score = f"{self.baseline.metric.replace('_', ' ')} {100 * self.score:.1f}"
        if self.one_class:
            return f"every prediction is the same, {score} (n {self.n})"
        low, high = self.interval or (0.0, 1.0)
        simple = "guessing" if self.baseline.chance > (self.baseline.majority or 0.0) else "the commonest answer alone"
        between = f"(n {self.n}, {100 * low:.1f} to {100 * high:.1f})"
        text = f"{score} {between} where {simple} gives {100 * self.baseline.best:.1f}"
        return f"{text}, and nothing that the main score counts" if low > self.baseline.best else text


def share_of_commonest(counts: Counter[str]) -> float | None:
    """Of gold answers; None where all are the same, which tells nothing."""
    return max(counts.values()) / sum(counts.values()) if len(counts) > 1 else None


def learned_of(rows: Iterable[Result]) -> dict[str, Learning]:
    """By task, whether validation rows show that it was learned; without tasks that have no baseline."""
    tasks: dict[str, list[Result]] = {}
    for row in rows:
        tasks.setdefault(row.task, []).append(row)
    judged = {task: _judged(of_task) for task, of_task in tasks.items()}
    return {task: learning for task, learning in judged.items() if learning is not None}


def _judged(rows: Iterable[Result]) -> Learning | None:
    """Of the rows of one task. The mean of the languages' intervals holds however many rows they share."""
    rows = list(rows)
    compared = [row for row in rows if "chance" in row.notes]
    if not compared:
        return None
    headlines = [row.interval[0] for row in rows if row.headline and row.interval]
    bounds = [row.interval for row in compared if row.interval]
    interval = (_mean(low for low, _ in bounds), _mean(high for _, high in bounds)) if bounds else None
    majorities = [row.notes["majority"] for row in compared if "majority" in row.notes]
    majority = _mean(majorities) if len(majorities) == len(compared) else None
    baseline = Baseline(compared[0].metric, _mean(row.notes["chance"] for row in compared), majority)
    one_class = all(row.notes.get("one_class", False) for row in compared)
    learned = None
    if interval is not None and len(bounds) == len(compared):
        # chunk F1 is compared by the accuracy of its tags, and has to find something besides
        learned = not one_class and interval[0] > baseline.best and (not headlines or _mean(headlines) > 0)
    n, score = sum(row.n for row in compared), _mean(row.score for row in compared)
    return Learning(score, n, interval, baseline, one_class, learned)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def beside(baseline: Baseline | None, metric: str) -> Mapping[str, Any]:
    """The notes of a measure that a baseline is of; none of any other."""
    return baseline.notes if baseline is not None and baseline.metric == metric else {}

"""Metric: gold and predictions to a Score, with what else is asked about it; and the registry, which is the only list
of metrics.

    metrics["accuracy"].score(["a", "b"], ["a", "a"], Options()).value        0.5

Each is a function of a file beside this one:

    @metrics.register("accuracy", formats=("pair", "single", "choice"), form="lines", protocol="xtreme")
    def score_labels(gold, predicted, options): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import StiltsError, TaskDataError
from adapter_stilts.registry import Registry
from adapter_stilts.statistics.intervals import score_interval, score_of

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Options:
    """What a metric may need beyond gold and predictions."""

    language: str = "en"
    positive: str = "1"  # accuracy_f1: the label whose F1 is taken
    rule: str = "0.0"  # chunk_f1: seqeval's version, or "own" (tags.py)
    # squad_v2: by question, how much better "no answer" scored than the answer given
    null_odds: Mapping[str, float] | None = None
    null_threshold: float = 0.0  # squad_v2: odds above which a question counts as answered with ""
    intervals: bool = True


DEFAULTS = Options()


@dataclass(frozen=True)
class Measure:
    """A fraction, its 95 % interval (None for few units), and what it came from: units [N, S] and statistic."""

    metric: str
    score: float
    interval: tuple[float, float] | None
    units: Array
    statistic: str

    @classmethod
    def of(cls, metric: str, units: Array, statistic: str, options: Options) -> Measure:
        interval = score_interval(units, statistic) if options.intervals else None
        return cls(metric, score_of(units, statistic), interval, units, statistic)


@dataclass(frozen=True)
class Score:
    """Every metric of one task in one language; `headline` is the one that averages and model selection use."""

    measures: tuple[Measure, ...]
    headline: str
    n: int  # examples, sentences or questions
    unanswered: int = 0  # questions without a prediction, which score 0 and count

    @property
    def metrics(self) -> dict[str, float]:
        return {measure.metric: measure.score for measure in self.measures}

    @property
    def main(self) -> Measure:
        return next(measure for measure in self.measures if measure.metric == self.headline)

    @property
    def value(self) -> float:
        return self.main.score

    @property
    def units(self) -> Array:
        return self.main.units


Scorer: TypeAlias = Callable[[Any, Any, Options], Score]
S = TypeVar("S", bound=Scorer)


@dataclass(frozen=True)
class Metric:
    """How predictions of some formats are scored."""

    name: str
    score: Scorer  # its first arguments are as `Format.gold` and `Format.decode` have them
    formats: tuple[str, ...]  # the names of those it fits
    form: str = ""  # how its predictions stand in a file (forms.py); "" where they do not
    protocol: str = "own"  # the benchmark whose evaluation code gives the same number; "own" where none does
    averaged: tuple[str, ...] = ()  # the measures whose means a benchmark averages; () for the metric itself
    pooled: bool = False  # a benchmark averages over all rows of all languages
    needs_language: bool = False  # it compares by the rules of a language
    takes_odds: bool = False  # it takes the odds of "no answer" and a threshold on them
    takes_rule: bool = False  # it counts chunks by one of two rules


class Metrics(Registry[Metric]):
    """Metrics by name; a function is registered with its facts."""

    def register(  # type: ignore[override]
        self, name: str, formats: tuple[str, ...], **facts: Any
    ) -> Callable[[S], S]:
        def put(score: S) -> S:
            self.add(name, Metric(name, score, formats, **facts))
            return score

        return put


metrics = Metrics("metric", package="adapter_stilts.metrics")


def scored(
    headline: str, measured: Iterable[tuple[str, Array, str]], n: int, options: Options, unanswered: int = 0
) -> Score:
    """A score from what was measured: (name, units, statistic) of every measure."""
    measures = tuple(Measure.of(*measure, options) for measure in measured)
    return Score(measures, headline, n, unanswered)


def units_of(columns: int, rows: Iterable[tuple[float, ...]]) -> Array:
    """[N, columns] from what each example adds to the sums."""
    return np.array(list(rows), dtype=np.float64).reshape(-1, columns)


def one_each(predictions: Any) -> Sequence[Any]:
    """Predictions in example order. Raises StiltsError for predictions by id."""
    if isinstance(predictions, Mapping):
        raise StiltsError("predictions by id where one per example was expected", do="give a list in example order")
    return predictions  # type: ignore[no-any-return]


def same_number(gold: int, predicted: int) -> None:
    """Refuse predictions that do not stand one beside each example."""
    if gold != predicted:
        what = f"{predicted} predictions for {gold} examples"
        raise TaskDataError(what, do="predict every example once, in the order of the gold file")
    if not gold:
        raise TaskDataError("no example to score", do="give a gold file with at least one example")

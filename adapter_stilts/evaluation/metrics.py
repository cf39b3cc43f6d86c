"""Metrics: gold and predictions in, units out.

Each function returns the units of intervals.py, one row per example, and `score_of(units, statistic)` is the score, a fraction. The
last functions give such a score at once.

    accuracy_units(["a", "b"], ["a", "a"])   [[1, 1], [0, 1]]
    accuracy(["a", "b"], ["a", "a"])         0.5
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import TaskDataError
from adapter_stilts.evaluation.answers import Normalise, exact_match, squad_text, token_f1
from adapter_stilts.evaluation.entities import Tags, chunk_counts, same_lengths
from adapter_stilts.statistics.intervals import score_of

Array: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[str, str]


def accuracy_units(gold: Sequence[object], predicted: Sequence[object]) -> Array:
    """[N, 2]: right, counted. Also for multiple choice (indexes) and retrieval (line numbers)."""
    _same_number(len(gold), len(predicted))
    return np.array([(right == guess, 1) for right, guess in zip(gold, predicted, strict=True)], dtype=np.float64).reshape(-1, 2)


def positive_units(gold: Sequence[str], predicted: Sequence[str], positive: str) -> Array:
    """[N, 3]: correct, predicted and gold occurrences of the label `positive`; their F1 is the binary F1."""
    _same_number(len(gold), len(predicted))
    rows = [(right == guess == positive, guess == positive, right == positive) for right, guess in zip(gold, predicted, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def token_units(gold: Sequence[Tags], predicted: Sequence[Tags]) -> Array:
    """[N, 2]: right tags and words of each sentence."""
    same_lengths(gold, predicted)
    rows = [(sum(a == b for a, b in zip(right, guess, strict=True)), len(right)) for right, guess in zip(gold, predicted, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def answer_units(gold: Sequence[Sequence[str]], predicted: Sequence[str | None], normalise: Normalise = squad_text) -> Array:
    """[N, 3]: exact match, F1 and one question counted; the best over a question's gold answers, 0 for a missing prediction (None)."""
    _same_number(len(gold), len(predicted))
    return np.array([(*_answered(answers, guess, normalise), 1.0) for answers, guess in zip(gold, predicted, strict=True)], dtype=np.float64).reshape(-1, 3)


def answerable_units(gold: Sequence[Sequence[str]], predicted: Sequence[str | None]) -> Array:
    """[N, 3] as `answer_units`, by SQuAD v2's rule: "" is right exactly where a question has no answer."""
    _same_number(len(gold), len(predicted))
    return np.array([(*_answerable(answers, guess), 1.0) for answers, guess in zip(gold, predicted, strict=True)], dtype=np.float64).reshape(-1, 3)


def pair_units(gold: Collection[Pair], mined: Collection[Pair]) -> Array:
    """[N, 3]: correct, mined and gold pairs of every source sentence that has any, in order of its id."""
    gold, mined = set(gold), set(mined)
    sources = sorted({source for source, _ in gold | mined})
    place = {source: number for number, source in enumerate(sources)}
    units = np.zeros((len(sources), 3))
    for column, pairs in enumerate((gold & mined, mined, gold)):
        np.add.at(units[:, column], np.array([place[source] for source, _ in pairs], dtype=np.int64), 1)
    return units


@dataclass(frozen=True)
class Threshold:
    """A threshold on the odds of "no answer", and what it gives on the questions it was chosen on: an oracle.

    units  [N, 2] of each question: its score and one counted
    """

    score: float
    threshold: float
    units: Array


def best_null_threshold(gold: Sequence[Sequence[str]], predicted: Sequence[str], null_odds: Sequence[float], metric: str) -> Threshold:
    """SQuAD v2's best "exact_match" or "f1" over all thresholds: questions with higher odds count as answered with "".

    predicted   the best non-empty answers
    null_odds   [N] how much better "no answer" scored

    Counts as the official script's search does, also where that is a little odd: it starts from answering nothing (which it calls
    threshold 0), takes the first best, answers questions of equal odds one after another in the order given, and takes any text, be it
    only an article, for an answer.
    """
    _same_number(len(gold), len(predicted))
    column = ("exact_match", "f1").index(metric)
    silent = np.array([not answers for answers in gold], dtype=np.float64)
    scored, empty = answerable_units(gold, predicted)[:, column], np.array([not guess for guess in predicted], dtype=np.float64)
    answered = np.where(silent > 0, empty, scored)
    odds = np.asarray(null_odds, dtype=np.float64)
    order = np.argsort(odds, kind="stable")
    number = int(np.cumsum([silent.sum(), *(answered - silent)[order]]).argmax())  # questions answered
    best = silent.copy()
    best[order[:number]] = answered[order[:number]]
    threshold = float(odds[order[number - 1]]) if number else 0.0
    return Threshold(float(best.mean()), threshold, np.stack([best, np.ones_like(best)], axis=1))


def accuracy(gold: Sequence[object], predicted: Sequence[object]) -> float:
    return score_of(accuracy_units(gold, predicted), "ratio")


def entity_f1(gold: Sequence[Tags], predicted: Sequence[Tags], rule: str = "0.0") -> float:
    """Micro F1 of chunks over all sentences, by seqeval's rule "0.0" (XTREME) or "1.2"; for entities and for bare tags."""
    return score_of(chunk_counts(gold, predicted, rule), "f1")


def token_accuracy(gold: Sequence[Tags], predicted: Sequence[Tags]) -> float:
    return score_of(token_units(gold, predicted), "ratio")


def squad_em_f1(gold: Sequence[Sequence[str]], predicted: Sequence[str | None], normalise: Normalise = squad_text) -> tuple[float, float]:
    """(exact match, F1) by SQuAD v1.1, or by MLQA with `normalise=mlqa_text(language)`."""
    units = answer_units(gold, predicted, normalise)
    return score_of(units[:, [0, 2]], "ratio"), score_of(units[:, [1, 2]], "ratio")


def bucc_f1(gold: Collection[Pair], mined: Collection[Pair]) -> float:
    """F1 of two sets of pairs."""
    return score_of(pair_units(gold, mined), "f1") if gold or mined else 0.0


def _answered(answers: Sequence[str], guess: str | None, normalise: Normalise) -> tuple[float, float]:
    return (0.0, 0.0) if guess is None else (exact_match(guess, answers, normalise), token_f1(guess, answers, normalise))


def _answerable(answers: Iterable[str], guess: str | None) -> tuple[float, float]:
    if guess is None:
        return 0.0, 0.0
    kept = [answer for answer in answers if squad_text(answer)]
    if kept and squad_text(guess):
        return exact_match(guess, kept, squad_text), token_f1(guess, kept, squad_text)
    both_empty = float(not kept and not squad_text(guess))
    return both_empty, both_empty


def _same_number(gold: int, predicted: int) -> None:
    if gold != predicted:
        raise TaskDataError(f"{predicted} predictions for {gold} examples", do="predict every example once, in the order of the gold file")
    if not gold:
        raise TaskDataError("no example to score", do="give a gold file with at least one example")

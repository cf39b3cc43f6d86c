"""Answers to questions by exact match and F1: SQuAD v1.1, SQuAD v2 with a threshold on "no answer", and MLQA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import TaskDataError
from adapter_stilts.metrics.answers import Answers, Normalise, character_text, em_f1, mlqa_text, squad_text
from adapter_stilts.metrics.base import DEFAULTS, Array, Options, Score, metrics, same_number, scored, units_of
from adapter_stilts.statistics.report import parts_by_length, span_of

# Languages written without spaces, where SQuAD's F1 takes a whole answer for one token: F1 over characters is given
# beside it.
UNSPACED = ("zh", "th", "ja", "my", "km", "lo")
PARTS = ("exact_match", "f1")


def score_answers(metric: str, gold: Mapping[str, Sequence[str]], predicted: Any, options: Options = DEFAULTS) -> Score:
    """Exact match and F1 of answers, by question id or in the order of gold; metric is squad, squad_v2 or mlqa."""
    odds = options.null_odds
    if metric == "squad_v2" and isinstance(predicted, Answers) and odds is None:
        odds = {question: span.null_odds for question, span in predicted.spans.items()}
        predicted = {question: span.text for question, span in predicted.spans.items()}
    if not isinstance(predicted, Mapping):
        predicted = dict(zip(gold, predicted, strict=True))
    answers, guesses = list(gold.values()), [predicted.get(question) for question in gold]
    unanswered = sum(question not in predicted for question in gold)
    if metric == "squad_v2":
        units = answerable_units(answers, guesses)
        for row, (question, texts) in zip(units, gold.items(), strict=True):
            if question in predicted and (odds or {}).get(question, -np.inf) > options.null_threshold:
                row[:2] = float(not texts)  # counts as "", which is right where there is no gold answer at all
        return scored("f1", [*_em_f1(units), *_oracles(gold, predicted, odds)], len(gold), options, unanswered)
    for question, texts in gold.items():
        if not texts:
            what, do = "a question without a gold answer cannot be scored", "use squad_v2 for unanswerable questions"
            raise TaskDataError(what, where=f"question '{question}'", do=do)
    normalise = mlqa_text(options.language) if metric == "mlqa" else squad_text
    measured = _em_f1(answer_units(answers, guesses, normalise))
    if options.language in UNSPACED:
        measured += [("f1-characters", answer_units(answers, guesses, character_text)[:, [1, 2]], "ratio")]
    return scored("f1", measured, len(gold), options, unanswered)


OF_SPANS: dict[str, Any] = {"formats": ("span",), "form": "answers", "averaged": PARTS}
metrics.register("squad", protocol="xtreme", **OF_SPANS)(partial(score_answers, "squad"))
metrics.register("squad_v2", takes_odds=True, **OF_SPANS)(partial(score_answers, "squad_v2"))
metrics.register("mlqa", protocol="xtreme", needs_language=True, **OF_SPANS)(partial(score_answers, "mlqa"))


def outcomes(gold: Sequence[Sequence[str]], score: Score, language: str) -> dict[str, Any]:
    """How many answers are exact, share something with gold ones, or miss them: of all, by the length of the first gold
    answer (characters where words are not told apart), and of questions that have none."""
    units = {measure.metric: measure.units for measure in score.measures}
    metric = "f1-characters" if "f1-characters" in units else "f1"
    exact, shared = units["exact_match"][:, 0], units[metric][:, 0]
    unit, cut = ("character", list) if language in UNSPACED else ("word", str.split)
    sizes = np.array([len(cut(texts[0])) if texts else 0 for texts in gold])
    chosen = {"all": np.arange(len(sizes))}
    for low, high, rows in parts_by_length(sizes[sizes > 0]):
        chosen[f"{span_of(low, high)} {unit}{'' if high == 1 else 's'}"] = np.flatnonzero(sizes > 0)[rows]
    if not sizes.all():
        chosen["no answer"] = np.flatnonzero(sizes == 0)
    parts = [_outcome(name, exact[rows] == 1, shared[rows]) for name, rows in chosen.items()]
    return {"metric": metric, "parts": parts}


def _outcome(name: str, exact: NDArray[np.bool_], shared: Array) -> dict[str, Any]:
    counts = {"exact": exact, "partial": ~exact & (shared > 0), "missed": ~exact & (shared == 0)}
    sums = {outcome: int(rows.sum()) for outcome, rows in counts.items()}
    return {"answers": name, "n": len(exact), **sums, "score": float(shared.mean())}


@dataclass(frozen=True)
class Threshold:
    """A threshold on the odds of "no answer", and what it gives on the questions it was chosen on: an oracle."""

    score: float
    threshold: float
    units: Array  # [N, 2] of each question: its score and one counted


def best_null_threshold(
    gold: Sequence[Sequence[str]], predicted: Sequence[str], null_odds: Sequence[float], metric: str
) -> Threshold:
    """SQuAD v2's best "exact_match" or "f1" over all thresholds: questions with higher odds count as answered with "".

    predicted   the best non-empty answers
    null_odds   [N] how much better "no answer" scored

    Counts as the official script's search does, also where that is a little odd: it starts from answering nothing
    (which it calls threshold 0), takes the first best, answers questions of equal odds one after another in the order
    given, and takes any text, be it only an article, for an answer.
    """
    same_number(len(gold), len(predicted))
    silent = np.array([not answers for answers in gold], dtype=np.float64)
    empty = np.array([not guess for guess in predicted], dtype=np.float64)
    answered = np.where(silent > 0, empty, answerable_units(gold, predicted)[:, PARTS.index(metric)])
    odds = np.asarray(null_odds, dtype=np.float64)
    order = np.argsort(odds, kind="stable")
    number = int(np.cumsum([silent.sum(), *(answered - silent)[order]]).argmax())  # questions answered
    best = silent.copy()
    best[order[:number]] = answered[order[:number]]
    threshold = float(odds[order[number - 1]]) if number else 0.0
    return Threshold(float(best.mean()), threshold, np.stack([best, np.ones_like(best)], axis=1))


def answer_units(
    gold: Sequence[Sequence[str]], predicted: Sequence[str | None], normalise: Normalise = squad_text
) -> Array:
    """[N, 3]: exact match, F1 and one counted; the best over a question's gold answers, 0 for no prediction (None)."""
    same_number(len(gold), len(predicted))
    return units_of(3, ((*em_f1(*pair, normalise), 1.0) for pair in zip(gold, predicted, strict=True)))


def answerable_units(gold: Sequence[Sequence[str]], predicted: Sequence[str | None]) -> Array:
    """[N, 3] as `answer_units`, by SQuAD v2's rule: "" is right exactly where a question has no answer."""
    kept = [[answer for answer in answers if squad_text(answer)] for answers in gold]
    units = answer_units(kept, predicted)
    for row, answers, guess in zip(units, kept, predicted, strict=True):
        if guess is not None and not (answers and squad_text(guess)):
            row[:2] = float(not answers and not squad_text(guess))
    return units


def _em_f1(units: Array) -> list[tuple[str, Array, str]]:
    return [("f1", units[:, [1, 2]], "ratio"), ("exact_match", units[:, [0, 2]], "ratio")]


def _oracles(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], null_odds: Mapping[str, float] | None
) -> list[tuple[str, Array, str]]:
    """SQuAD v2 at the thresholds that are best on these very questions, named as the oracles they are."""
    if null_odds is None or any(question not in null_odds or question not in predicted for question in gold):
        return []
    asked = [question for question in null_odds if question in gold]  # in the order of the odds, which settles ties
    place = {question: number for number, question in enumerate(asked)}
    back = [place[question] for question in gold]
    answers, guesses = [gold[question] for question in asked], [predicted[question] for question in asked]
    odds = [null_odds[question] for question in asked]
    best = {name: best_null_threshold(answers, guesses, odds, name) for name in PARTS}
    return [(f"{name}-oracle", oracle.units[back], "ratio") for name, oracle in best.items()]

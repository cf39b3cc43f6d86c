"""Examples and predictions to a Score: every metric of a task with its interval, its units for paired comparisons, and its headline.

    score("accuracy", examples, ["neutral", "entailment", ...]).metrics       {"accuracy": 0.81}
    score("mlqa", questions, {"q1": "Paris"}, language="de").headline         "f1"

`score_labels`, `score_tags`, `score_answers`, `score_pairs` and `score_ranked` do the same for what is read from prediction files, without
examples.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.data.examples import Classified, Example, MultipleChoice, SpanQuestion, Tagged
from adapter_stilts.errors import StiltsError, TaskDataError
from adapter_stilts.evaluation.answers import Answers, Normalise, character_text, mlqa_text, squad_text
from adapter_stilts.evaluation.entities import Tags, chunk_counts
from adapter_stilts.evaluation.metrics import (
    accuracy_units,
    answer_units,
    answerable_units,
    best_null_threshold,
    pair_units,
    positive_units,
    token_units,
)
from adapter_stilts.evaluation.ranking import precision_units, reciprocal_units
from adapter_stilts.registry import unknown_name
from adapter_stilts.statistics.intervals import REPLICATES, bootstrap_interval, score_of

Array: TypeAlias = NDArray[np.float64]
Predictions: TypeAlias = Sequence[str] | Sequence[int] | Sequence[Tags] | Mapping[str, str]

UNSPACED = ("zh", "th", "ja", "my", "km", "lo")  # languages written without spaces: SQuAD's F1 takes a whole answer for one token
PLACEHOLDERS = 100  # gold labels from which on a single repeated one cannot be meant


@dataclass(frozen=True)
class Measure:
    """One metric of a task: a fraction, its 95 % interval, and the units [N, S] and statistic (intervals.py) it came from."""

    metric: str
    score: float
    interval: tuple[float, float] | None
    units: Array
    statistic: str


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
    def interval(self) -> tuple[float, float] | None:
        return self.main.interval

    @property
    def units(self) -> Array:
        return self.main.units


@dataclass(frozen=True)
class Options:
    """What a metric may need beyond gold and predictions."""

    language: str = "en"
    positive: str = "1"  # accuracy_f1: the label whose F1 is taken
    rule: str = "0.0"  # chunk_f1: seqeval's version
    null_odds: Mapping[str, float] | None = None  # squad_v2: by question, how much better "no answer" scored than the answer given
    null_threshold: float = 0.0  # squad_v2: odds above which a question counts as answered with ""
    seed: int = 0
    replicates: int = REPLICATES  # 0: no intervals


def score(metric: str, examples: Sequence[Example], predictions: Predictions, options: Options | None = None) -> Score:
    """Score predictions in example order (answers by question id) with a task's metric.

    metric       accuracy, accuracy_f1, chunk_f1, token_accuracy, squad, squad_v2 or mlqa
    predictions  labels; indexes of choices; one sequence of tags per sentence; or answer texts by question id, in which a missing
                 question counts as wrong

    Raises TaskDataError for gold that is missing or a placeholder, and for predictions that do not match; UnknownName otherwise.
    """
    options = options or Options()
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    return METRICS[metric](metric, examples, predictions, options)


def score_labels(gold: Sequence[object], predicted: Sequence[object], options: Options | None = None) -> Score:
    """Accuracy of labels, choices or line numbers, one per example."""
    _refuse_placeholders(gold)
    return _score("accuracy", [("accuracy", accuracy_units(gold, predicted), "ratio")], len(gold), options or Options())


def score_positive(gold: Sequence[str], predicted: Sequence[str], options: Options | None = None) -> Score:
    """Accuracy, F1 of the label `options.positive`, and their mean, as GLUE scores QQP."""
    options = options or Options()
    accuracy = score_labels(gold, predicted, options)
    if options.positive not in gold:
        known = ", ".join(sorted(set(gold)))
        raise TaskDataError(f"no example is labelled '{options.positive}', whose F1 is asked for", do=f"name the positive label, one of: {known}")
    positives = positive_units(gold, predicted, options.positive)
    both = np.concatenate([accuracy.units, positives], axis=1)
    measured = [("accuracy", accuracy.units, "ratio"), ("f1", positives, "f1"), ("accuracy_f1", both, "accuracy_f1")]
    return _score("accuracy_f1", measured, len(gold), options)


def score_tags(gold: Sequence[Tags], predicted: Sequence[Tags], options: Options | None = None) -> Score:
    """Chunk F1, precision and recall, and token accuracy beside them; the unit is the sentence."""
    options = options or Options()
    counts = chunk_counts(gold, predicted, options.rule).astype(np.float64)
    if not len(counts):
        raise TaskDataError("no sentence to score", do="give a gold file with at least one sentence")
    measured = [(name, counts, name) for name in ("f1", "precision", "recall")]
    return _score("f1", [*measured, ("token_accuracy", token_units(gold, predicted), "ratio")], len(gold), options)


def score_answers(metric: str, gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], options: Options | None = None) -> Score:
    """Exact match and F1 of answers by question id; metric is squad, squad_v2 or mlqa."""
    options = options or Options()
    answers, unanswered = list(gold.values()), sum(question not in predicted for question in gold)
    if metric == "squad_v2":
        measured = _em_f1(_silenced(gold, predicted, options.null_odds or {}, options.null_threshold))
        return _score("f1", [*measured, *_oracles(gold, predicted, options.null_odds)], len(gold), options, unanswered)
    guesses = [predicted.get(question) for question in gold]
    _require_answers(gold)
    normalise = mlqa_text(options.language) if metric == "mlqa" else squad_text
    measured = [*_em_f1(answer_units(answers, guesses, normalise)), *_by_character(answers, guesses, options.language)]
    return _score("f1", measured, len(gold), options, unanswered)


def score_pairs(gold: Collection[tuple[str, str]], mined: Collection[tuple[str, str]], options: Options | None = None) -> Score:
    """F1, precision and recall of mined pairs of ids; n is the number of gold pairs."""
    if not gold:
        raise TaskDataError("no gold pair to score against", do="give a gold file with at least one pair")
    units = pair_units(gold, mined)
    return _score("f1", [(name, units, name) for name in ("f1", "precision", "recall")], len(set(gold)), options or Options())


def score_ranked(metric: str, gold: Mapping[str, Collection[str]], ranked: Mapping[str, Sequence[str]], options: Options | None = None) -> Score:
    """Ranked candidates by question or mention; metric is map20 or mrr20. A question without candidates scores 0 and counts."""
    if not gold:
        raise TaskDataError("no question to score", do="give a gold file with at least one question")
    for question, right in gold.items():
        if not right:
            raise TaskDataError("a question without a gold id cannot be scored", where=f"question '{question}'", do="leave it out, or add its gold ids")
    units = (precision_units if metric == "map20" else reciprocal_units)(list(gold.values()), [ranked.get(question, ()) for question in gold])
    return _score(metric, [(metric, units, "ratio")], len(gold), options or Options(), sum(question not in ranked for question in gold))


def _score(headline: str, measured: Iterable[tuple[str, Array, str]], n: int, options: Options, unanswered: int = 0) -> Score:
    def interval(units: Array, statistic: str) -> tuple[float, float] | None:
        return bootstrap_interval(units, statistic, seed=options.seed, replicates=options.replicates) if options.replicates else None

    return Score(tuple(Measure(name, score_of(units, how), interval(units, how), units, how) for name, units, how in measured), headline, n, unanswered)


def _accuracy(metric: str, examples: Sequence[Example], predictions: Predictions, options: Options) -> Score:
    gold, guesses = [str(_label(example)) for example in examples], [str(guess) for guess in _sequence(predictions)]
    return (score_labels if metric == "accuracy" else score_positive)(gold, guesses, options)


def _tags(metric: str, examples: Sequence[Example], predictions: Predictions, options: Options) -> Score:
    gold = [_gold_tags(example) for example in examples]
    scored = score_tags(gold, cast(Sequence[Tags], _sequence(predictions)), options)
    return scored if metric == "chunk_f1" else Score(scored.measures, "token_accuracy", scored.n)


def _answers(metric: str, examples: Sequence[Example], predictions: Predictions, options: Options) -> Score:
    gold = {example.id: [answer.text for answer in example.answers] for example in examples if isinstance(example, SpanQuestion)}
    if isinstance(predictions, Answers) and metric == "squad_v2" and options.null_odds is None:
        options = replace(options, null_odds={question: span.null_odds for question, span in predictions.spans.items()})
        predictions = {question: span.text for question, span in predictions.spans.items()}
    if not isinstance(predictions, Mapping):
        predictions = dict(zip(gold, cast(Sequence[str], predictions), strict=True))
    return score_answers(metric, gold, predictions, options)


METRICS: dict[str, Callable[[str, Sequence[Example], Predictions, Options], Score]] = {
    "accuracy": _accuracy,
    "accuracy_f1": _accuracy,
    "chunk_f1": _tags,
    "token_accuracy": _tags,
    "squad": _answers,
    "squad_v2": _answers,
    "mlqa": _answers,
}


def _em_f1(units: Array) -> list[tuple[str, Array, str]]:
    return [("f1", units[:, [1, 2]], "ratio"), ("exact_match", units[:, [0, 2]], "ratio")]


def _by_character(gold: Sequence[Sequence[str]], predicted: Sequence[str | None], language: str) -> list[tuple[str, Array, str]]:
    """Beside the official score, F1 over characters for languages written without spaces, where the official F1 is all or nothing."""
    if language not in UNSPACED:
        return []
    return [("f1-characters", answer_units(gold, predicted, cast(Normalise, character_text))[:, [1, 2]], "ratio")]


def _silenced(gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], null_odds: Mapping[str, float], threshold: float) -> Array:
    """Units [N, 3] of SQuAD v2 where odds above the threshold count as "": right exactly where a question has no gold answer at all."""
    units = answerable_units(list(gold.values()), [predicted.get(question) for question in gold])
    for row, (question, answers) in zip(units, gold.items(), strict=True):
        if question in predicted and null_odds.get(question, -np.inf) > threshold:
            row[:2] = float(not answers)
    return units


def _oracles(gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], null_odds: Mapping[str, float] | None) -> list[tuple[str, Array, str]]:
    """SQuAD v2 at the thresholds that are best on these very questions, named as the oracles they are."""
    if null_odds is None or any(question not in null_odds or question not in predicted for question in gold):
        return []
    asked = [question for question in null_odds if question in gold]  # in the order of the odds, which settles equal ones
    place = {question: number for number, question in enumerate(asked)}
    back = [place[question] for question in gold]
    answers, guesses, odds = [gold[one] for one in asked], [predicted[one] for one in asked], [null_odds[one] for one in asked]
    names = ("exact_match", "f1")
    return [(f"{name}-oracle", best_null_threshold(answers, guesses, odds, name).units[back], "ratio") for name in names]


def _label(example: Example) -> str | int:
    match example:
        case Classified(label=label) if label:
            return label
        case MultipleChoice(label=index) if index >= 0:
            return index
        case Classified() | MultipleChoice():
            raise TaskDataError("an example without a gold label cannot be scored", where=f"example '{example.id}'", do="give the file that has the labels")
        case _:
            raise StiltsError(f"accuracy cannot be taken of {type(example).__name__}", do="name the metric of its task")


def _gold_tags(example: Example) -> Tags:
    if isinstance(example, Tagged) and len(example.tags) == len(example.words):
        return example.tags
    raise TaskDataError("a sentence without gold tags cannot be scored", where=f"example '{example.id}'", do="give the file that has the tags")


def _refuse_placeholders(gold: Sequence[object]) -> None:
    """A released test file without its labels often repeats one: scoring against it gives 0.33 and looks like a result."""
    if len(gold) >= PLACEHOLDERS and len(set(gold)) == 1:
        raise TaskDataError(f"all {len(gold)} gold labels are '{gold[0]}': these are placeholders", do="fetch the file that has the labels")


def _require_answers(gold: Mapping[str, Sequence[str]]) -> None:
    for question, answers in gold.items():
        if not answers:
            where = f"question '{question}'"
            raise TaskDataError("a question without a gold answer cannot be scored", where=where, do="use squad_v2 for unanswerable questions")


def _sequence(predictions: Predictions) -> Sequence[object]:
    if isinstance(predictions, Mapping):
        raise StiltsError("predictions by id where one per example was expected", do="give a list in example order")
    return predictions

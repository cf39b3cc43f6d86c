"""A question, a context, and where the answer stands in it. The rows, and SQuAD's JSON, are in squad.py.

Features are windows `<s> question </s></s> context </s>` whose START advances by `window_step`. This is XTREME's and
SQuAD's "doc stride". The `stride` of transformers' tokenizers is the overlap of two windows instead; passing 128 there
gives other windows and other scores.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np

from adapter_stilts.data.columns import ID, Columns
from adapter_stilts.data.feature import IGNORED, Feature, Ids
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.pieces import Offsets, Tokenizer, marks, pieces, pieces_with_offsets, trimmed
from adapter_stilts.data.tables import Bad, Row, refused
from adapter_stilts.errors import UsageError
from adapter_stilts.formats.base import Cut, Format, Logits, Rules, cells_of, dealt, register, rounded
from adapter_stilts.formats.protocols import Decoding, Setting, TargetProtocol
from adapter_stilts.formats.squad import Answer, SpanQuestion, flat_answers, squad_document, squad_rows
from adapter_stilts.metrics.answers import Answers, Span, Window, best_span, most_context
from adapter_stilts.metrics.base import DEFAULTS, Options, Score
from adapter_stilts.metrics.squad import outcomes
from adapter_stilts.metrics.word_answers import word_answer
from adapter_stilts.statistics.learned import Baseline
from adapter_stilts.statistics.report import classes_of

OUTSIDE = (-1, -1)
NO_ANSWER_HERE = (0, 0)  # the <s> token
UNKNOWN = (IGNORED, IGNORED)
ANSWER, NOTHING = "an answer", "no answer"
WORD_MARK = "\u2581"  # in front of a piece that begins a word


@register
class SpanFormat(Format[SpanQuestion]):
    name = "span"
    row = SpanQuestion
    columns = Columns(
        "span",
        fields={
            "question": ("question",),
            "context": ("context", "passage", "paragraph"),
            "answers": ("answers", "answer"),
            "id": ID,
        },
        needed=("question", "context"),
    )
    label_field = "answers"
    head = "span"
    metric = "squad"
    grouped_by = "context"
    form = "answers"
    line = "QUESTION TAB CONTEXT"
    answer_columns = ("id", "question", "answer", "start", "end", "probability")
    answer_fields = answer_columns
    max_length = 384
    whole = False
    windows = True
    misplaced_note = "questions are left out: their answer is not where the data says it is"

    def file(self, path: Path, kind: str, layout: Layout, bad: Bad = refused) -> Iterator[SpanQuestion] | None:
        document = squad_document(path, kind)
        return squad_rows(document, path, layout.labelled, layout.gold, bad) if document else None

    def example(self, row: Row, id: str, layout: Layout) -> SpanQuestion:
        answers = flat_answers(row) if "answers" in row.columns else ()
        return SpanQuestion(id, row.text("question"), row.text("context"), answers)

    def withheld(self, example: SpanQuestion) -> bool:
        """XTREME's scripts write empty answers into the test files they prepare."""
        return bool(example.answers) and not any(answer.text for answer in example.answers)

    def placeholders(self, examples: Sequence[SpanQuestion], labels: Sequence[str] | None) -> str:
        answers = [answer.text for example in examples for answer in example.answers]
        return "every answer is the empty text at character 0" if answers and not any(answers) else ""

    def misplaced(self, example: SpanQuestion) -> bool:
        return not all(answer.is_in(example.context) for answer in example.answers[:1])

    def shuffled(self, examples: Sequence[SpanQuestion], draw: random.Random) -> list[SpanQuestion]:
        """The answers' lengths (0: unanswerable) permuted among rows, each answer placed anew in its context."""
        lengths = dealt([len(row.answers[0].text) if row.answers else 0 for row in examples], draw)
        pairs = zip(examples, lengths, strict=True)
        return [replace(row, answers=_placed(row.context, length, draw) if length else ()) for row, length in pairs]

    def cut(self, examples: Sequence[SpanQuestion], tokenizer: Tokenizer, cut: Cut) -> Iterator[Feature]:
        """All windows of every question; in training without offsets, and none of questions with a misplaced answer."""
        around = marks(tokenizer)
        questions = pieces(tokenizer, (example.question for example in examples))
        contexts = pieces_with_offsets(tokenizer, (example.context for example in examples))
        for index, example in enumerate(examples):
            if cut.training and self.misplaced(example):
                continue
            question, (ids, offsets) = questions[index][: cut.query_length], contexts[index]
            room = cut.max_length - len(question) - around.of_two
            if room < 1:
                what = (
                    f"a row of {cut.max_length} tokens has no room for a context beside a question of {len(question)}"
                )
                raise UsageError(what, where=f"question '{example.id}'", do="raise max_length or lower query_length")
            lead = len(around.before) + len(question) + len(around.between)
            step = min(cut.window_step, room)
            # windows start at 0, step, 2 step, ... up to the first that reaches the end
            for window, start in enumerate(range(0, max(len(ids) - room, 0) + step, step)):
                part = slice(start, start + room)
                spans = () if cut.training else (*[OUTSIDE] * lead, *offsets[part], *[OUTSIDE] * len(around.after))
                row, target = around.pair(question, ids[part]), self._target(example, offsets[part], lead)
                yield Feature(0, index, row, target, offsets=spans, window=window)

    def length(self, rules: TargetProtocol, trained: int) -> int:
        return rules.context_length or trained

    def settings(self, rules: TargetProtocol, max_length: int) -> dict[str, Setting]:
        decoding = rules.decoding
        return {
            **super().settings(rules, max_length),
            "query_length": rules.query_length,
            "window_step": decoding.window_step,
            "n_best": decoding.n_best,
            "answer_length": decoding.longest,
            "n_best_of": "row" if decoding.whole_row else "context",
            "most_context": decoding.most_context,
            "answer_text": decoding.text,
            "null_threshold": decoding.null_threshold,
            **({"unaligned": " ".join(decoding.unaligned)} if decoding.unaligned else {}),
        }

    def decode(
        self, examples: Sequence[SpanQuestion], features: Sequence[Feature], kept: Sequence[Logits], rules: Rules
    ) -> Answers:
        spans = {examples[number].id: span for number, span, _ in self._spans(examples, features, kept, rules)}
        return Answers(spans, rules.decoding.null_threshold if rules.unanswerable else None)

    def of_line(self, cells: Sequence[str], id: str, where: str) -> SpanQuestion:
        question, context = cells_of(cells, ("question", "context"), where)
        return SpanQuestion(id, question.strip(), context, ())

    def lacking(self, example: SpanQuestion) -> str:
        if not example.question.strip():
            return "its question is empty"
        return "" if example.context.strip() else "its context is empty"

    def answers(
        self, examples: Sequence[SpanQuestion], features: Sequence[Feature], logits: Sequence[Logits], rules: Rules
    ) -> Iterator[dict[str, Any]]:
        """Offsets count code points of the context, the end not included; null for a question without an answer.

        The probability is that of the start times that of the end, over all tokens of all windows.
        """
        threshold = rules.decoding.null_threshold if rules.unanswerable else np.inf
        for number, span, windows in self._spans(examples, features, logits, rules):
            example, lead = examples[number], len(raw := examples[number].context[span.start : span.end])
            lead -= len(raw.lstrip())
            none = span.null_odds > threshold or not span.text
            start = None if none else span.start + lead
            made = {"answer": "" if none else span.text, "start": start}
            made["end"] = None if start is None else start + len(span.text)
            every = np.concatenate([window.logits for window in windows]).astype(np.float64)  # [tokens, 2]
            total = (np.log(np.exp(every - every.max(0)).sum(0)) + every.max(0)).sum()
            chance = np.exp((span.null_score if none else span.score) - total)
            yield {"id": example.id, "question": example.question, **made, "probability": rounded(chance)}

    def _spans(
        self, examples: Sequence[SpanQuestion], features: Sequence[Feature], kept: Sequence[Logits], rules: Rules
    ) -> Iterator[tuple[int, Span, list[Window]]]:
        """The best span of each question, by its number, with the windows it was found in."""
        decoding = rules.decoding
        for number, pairs in groupby(zip(features, kept, strict=True), key=lambda pair: pair[0].example):
            question, of_question = examples[number], list(pairs)
            windows = _marked_windows(of_question, decoding)
            span = best_span(question.context, windows, decoding.n_best, decoding.longest, decoding.whole_row)
            if decoding.text == "words" and span.tokens is not None:
                window, first, last = span.tokens
                span = replace(span, text=_in_words(question.context, of_question[window][0], first, last, rules))
            yield number, span, windows

    def gold(self, examples: Sequence[SpanQuestion]) -> dict[str, list[str]]:
        return {example.id: [answer.text for answer in example.answers] for example in examples}

    def baseline(
        self, metric: str, examples: Sequence[SpanQuestion], labels: Sequence[str] | None, options: Options = DEFAULTS
    ) -> Baseline | None:
        """F1 of the whole context as the answer; and of no answer, where questions have none."""
        whole = {example.id: example.context for example in examples}
        scored = self.score(metric, examples, whole, replace(options, intervals=False))
        return Baseline("f1", scored.metrics["f1"], self.majority(self.gold(examples))[1])

    def majority(self, gold: Mapping[str, Sequence[str]]) -> tuple[str, float | None]:
        """Of no answer, where questions have none."""
        silent = sum(not texts for texts in gold.values())
        return "f1", silent / len(gold) if silent else None

    def one_class(self, predictions: Mapping[str, str]) -> bool:
        return not any(predictions.values())

    def compared(
        self, gold: Mapping[str, Sequence[str]], predictions: Mapping[str, str], score: Score, options: Options
    ) -> dict[str, Any]:
        """How answers came out by their length; where questions have none, whether that was told."""
        right = [ANSWER if texts else NOTHING for texts in gold.values()]
        guessed = [ANSWER if predictions.get(question) else NOTHING for question in gold]
        classes = classes_of(right, guessed, "questions") if NOTHING in right else {"counted": "questions"}
        return classes | {"outcomes": outcomes(list(gold.values()), score, options.language)}

    def mistakes(
        self, gold: Mapping[str, Sequence[str]], answers: Sequence[Mapping[str, Any]], score: Score
    ) -> Iterator[dict[str, Any]]:
        """Questions whose answer shares nothing with the gold ones, or only a part."""
        exact = next(measure for measure in score.measures if measure.metric == "exact_match").units[:, 0]
        for texts, right, answer in zip(gold.values(), exact, answers, strict=True):
            if not right:
                labels = {"gold": " | ".join(dict.fromkeys(texts)) or NOTHING, "predicted": answer["answer"] or NOTHING}
                asked = {name: answer[name] for name in ("id", "question")}
                yield {**asked, **labels, "probability": answer["probability"]}

    def _target(self, example: SpanQuestion, inside: Offsets, lead: int) -> tuple[int, int]:
        if not example.answers:
            return NO_ANSWER_HERE
        if self.misplaced(example):
            return UNKNOWN
        answer = example.answers[0]
        # white space at its ends left out as it is in the offsets
        tokens = covering(inside, *trimmed(example.context, answer.start, answer.start + len(answer.text)))
        return (tokens[0] + lead, tokens[1] + lead) if tokens else NO_ANSWER_HERE


def covering(offsets: Offsets, start: int, end: int) -> tuple[int, int] | None:
    """The smallest run of tokens over characters [start, end), as (first, last) tokens; None where the tokens do not
    reach that far.

    Several tokens may stand over one character (a lone word mark, the pieces of a compatibility character), so the
    latest possible first token and then the earliest possible last one are taken.
    """
    first = max((token for token, (left, right) in enumerate(offsets) if left <= start < right), default=None)
    if first is None:
        return None
    last = next((token for token in range(first, len(offsets)) if offsets[token][0] < end <= offsets[token][1]), None)
    return None if last is None else (first, last)


def _placed(context: str, length: int, draw: random.Random) -> tuple[Answer, ...]:
    """A span of the context, of this length where it is long enough, without white space at its ends."""
    starts = [start for start in range(max(1, len(context) - length + 1)) if not context[start : start + 1].isspace()]
    start = draw.choice(starts)
    return (Answer(context[start : start + length].rstrip(), start),)


def _marked_windows(rows: Sequence[tuple[Feature, Logits]], decoding: Decoding) -> list[Window]:
    """The windows of one context, and where an answer may start in each."""
    windows = [Window(row, feature.offsets) for feature, row in rows]
    if not decoding.most_context:
        return windows
    sizes = [sum(start >= 0 for start, _ in window.offsets) for window in windows]
    lead = next((place for place, (start, _) in enumerate(windows[0].offsets) if start >= 0), 0)
    marked = []
    for window, may in zip(windows, most_context(sizes, min(decoding.window_step, sizes[0])), strict=True):
        place = np.zeros(len(window.offsets), dtype=np.bool_)
        place[lead : lead + len(may)] = may
        marked.append(replace(window, may_start=place))
    return marked


def _in_words(context: str, feature: Feature, first: int, last: int, rules: Rules) -> str:
    """The answer by white-space words, or its sub-words' own text."""
    assert rules.pieces is not None
    names = rules.pieces(cast(Ids, feature.input_ids)[first : last + 1])
    text = " ".join("".join(names).replace(WORD_MARK, " ").split())
    if rules.language in rules.decoding.unaligned:
        return text
    return word_answer(context, feature.offsets[first], feature.offsets[last], text)

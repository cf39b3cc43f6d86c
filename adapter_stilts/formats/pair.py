"""One text or two, and a label: topics, sentiment, intents; inference, paraphrase, acceptability of an answer.

Classified("0", "A man sleeps.", "He is awake.", "contradiction")
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapter_stilts.data.columns import ID, LABEL, Columns, alike, couples_of, label_text, spelled, words
from adapter_stilts.data.feature import IGNORED, Feature
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.pieces import Tokenizer, cut_texts
from adapter_stilts.data.tables import Row
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.base import (
    Cut,
    Example,
    Format,
    Logits,
    Rules,
    cells_of,
    chances,
    dealt,
    register,
    rounded,
)
from adapter_stilts.metrics.base import DEFAULTS, Options, Score
from adapter_stilts.statistics.learned import Baseline, share_of_commonest
from adapter_stilts.statistics.report import classes_of

FEW = 100  # rows of one class that may be chance or choice
SEED = 13  # of the mismatches, so that the same file always gives the same rows
RIGHT, WRONG = "1", "0"
USUAL = words("text sentence content review review_body utterance query question func code title")


@dataclass(frozen=True, slots=True)
class Classified(Example):
    """One text, or a pair, and its label; label "" where the file has none."""

    text: str
    pair: str | None
    label: str


class ClassifiedFormat(Format[Classified]):
    """One text or two, and a label of a set."""

    row = Classified
    label_field = "label"
    head = "sentence"
    metric = "accuracy"
    truncation = "longest first"
    grouped_by = "text"
    form = "lines"
    classes = True

    def left_out(self, example: Classified, layout: Layout) -> str:
        return f"label '{example.label}'" if example.label in layout.ignore_labels else ""

    def labels_of(self, example: Classified) -> tuple[str, ...]:
        return (example.label,)

    def completed(self, labels: Collection[str]) -> tuple[str, ...]:
        """The labels themselves. Raises TaskDataError for truth that is written in two ways."""
        ways = sorted(label for label in labels if label in ("0", "1") or alike(label) != label.casefold())
        if len({alike(label) for label in ways}) < len(ways) or len({label.isdecimal() for label in ways}) > 1:
            what = f"labels are written in two ways: {', '.join(ways)}"
            raise TaskDataError(what, do="write true and false, or 1 and 0, everywhere")
        return super().completed(labels)

    def unlabelled(self, example: Classified) -> bool:
        return not example.label

    def placeholders(self, examples: Sequence[Classified], labels: Sequence[str] | None) -> str:
        classes = {example.label for example in examples}
        constant = labels and len(labels) > 1 and len(examples) >= FEW and len(classes) == 1 and classes != {""}
        return f"all {len(examples):,} rows are labelled '{classes.pop()}'" if constant else ""

    def shuffled(self, examples: Sequence[Classified], draw: random.Random) -> list[Classified]:
        labels = dealt([row.label for row in examples], draw)
        return [replace(row, label=label) for row, label in zip(examples, labels, strict=True)]

    def cut(self, examples: Sequence[Classified], tokenizer: Tokenizer, cut: Cut) -> Iterator[Feature]:
        """`<s> a </s>` or `<s> a </s></s> b </s>`, cut longest first."""
        classes = cut.classes(example.label for example in examples if example.label)
        rows = cut_texts(tokenizer, [(example.text, example.pair) for example in examples], cut.max_length)
        for index, (example, row) in enumerate(zip(examples, rows, strict=True)):
            yield Feature(0, index, row, classes[example.label] if example.label else IGNORED)

    def decode(
        self, examples: Sequence[Classified], features: Sequence[Feature], kept: Sequence[Logits], rules: Rules
    ) -> list[str]:
        return [rules.names(row)[int(row.argmax())] for row in kept]

    def of_line(self, cells: Sequence[str], id: str, where: str) -> Classified:
        if len(self.texts) == 1:
            return Classified(id, " ".join(cells).strip(), None, "")
        text, pair = cells_of(cells, self.texts, where)
        return Classified(id, text.strip(), pair.strip(), "")

    def lacking(self, example: Classified) -> str:
        texts = zip(("text", "pair"), (example.text, example.pair), strict=True)
        return next((f"its {field} is empty" for field, text in texts if text is not None and not text.strip()), "")

    def answers(
        self, examples: Sequence[Classified], features: Sequence[Feature], logits: Sequence[Logits], rules: Rules
    ) -> Iterator[dict[str, Any]]:
        for example, row in zip(examples, logits, strict=True):
            shares = dict(zip(rules.names(row), map(rounded, chances(row)), strict=True))
            label = rules.names(row)[int(row.argmax())]
            texts = {"text": example.text} | ({} if example.pair is None else {"pair": example.pair})
            made = {"label": label, "probability": shares[label], "probabilities": shares}
            yield {"id": example.id, **texts, **made}

    def gold(self, examples: Sequence[Classified]) -> list[str]:
        return [gold_label(example, example.label or None) for example in examples]

    def baseline(
        self, metric: str, examples: Sequence[Classified], labels: Sequence[str] | None, options: Options = DEFAULTS
    ) -> Baseline | None:
        return Baseline.of_classes("accuracy", (example.label for example in examples), len(labels or ()))

    def majority(self, gold: Sequence[str]) -> tuple[str, float | None]:
        return "accuracy", share_of_commonest(Counter(gold))

    def one_class(self, predictions: Sequence[str]) -> bool:
        return len(set(predictions)) == 1

    def compared(
        self, gold: Sequence[str], predictions: Sequence[str], score: Score, options: Options
    ) -> dict[str, Any]:
        return classes_of(gold, predictions, "rows")

    def mistakes(
        self, gold: Sequence[str], answers: Sequence[Mapping[str, Any]], score: Score
    ) -> Iterator[dict[str, Any]]:
        for right, answer in zip(gold, answers, strict=True):
            if answer["label"] != right:
                texts = {name: answer[name] for name in ("id", *self.texts)}
                yield {**texts, "gold": right, "predicted": answer["label"], "probability": answer["probability"]}


@register
class PairFormat(ClassifiedFormat):
    name = "pair"
    texts = ("text", "pair")
    line = "TEXT TAB PAIR"
    answer_columns = ("id", "text", "pair", "label", "probability")
    answer_fields = (*answer_columns, "probabilities")
    columns = Columns(
        "pair",
        fields={"label": LABEL, "id": ID},
        needed=("text", "pair"),
        couple=("text", "pair"),
        couples=couples_of(
            "premise hypothesis, premise hypo, sentence1 sentence2, sentence_1 sentence_2, sentence_a sentence_b, "
            "text_a text_b, text1 text2, sent1 sent2, question1 question2, context hypothesis, question sentence, "
            "question passage, query passage, query document, query code, doc code, func1 func2, text pair"
        ),
    )

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """AdvTest says function_tokens where its training rows say code_tokens."""
        for row in rows:
            renamed = "function_tokens" in row.cells and "code_tokens" not in row.cells
            yield Row(row.where, {**row.cells, "code_tokens": row.cells["function_tokens"]}) if renamed else row

    def example(self, row: Row, id: str, layout: Layout) -> Classified:
        text, pair = row.text("text"), row.text("pair")
        return Classified(id, text, pair, label_of(row, layout))


@register
class SingleFormat(ClassifiedFormat):
    name = "single"
    texts = ("text",)
    line = "TEXT"
    answer_columns = ("id", "text", "label", "probability")
    answer_fields = (*answer_columns, "probabilities")
    columns = Columns("single", fields={"text": USUAL, "label": LABEL, "id": ID}, needed=("text",))

    def example(self, row: Row, id: str, layout: Layout) -> Classified:
        return Classified(id, row.text("text"), None, label_of(row, layout))


def label_of(row: Row, layout: Layout) -> str:
    """A row's label as the task spells it; "" where it needs none."""
    if "label" not in row.columns:
        return ""
    where = f"{row.where}, column '{row.columns['label']}'"
    text = label_text(row.cell("label"), where)
    if text in (layout.labels or ()) and text not in layout.label_names:
        return text
    label = spelled(text, None, layout.label_names, where)
    if not label and layout.labelled and "" not in layout.ignore_labels:
        raise without_label(text, where)
    return label if label in layout.ignore_labels else spelled(label, layout.labels, {}, where)


def without_label(text: str, where: str) -> TaskDataError:
    """The error for a row that has no label; text: what stands in its place."""
    what = "a row without a label" + (f": '{text}' stands for none" if text else "")
    return TaskDataError(what, where=where, do="fill in its label or leave the row out")


def gold_label(example: Example, label: object) -> str:
    """A gold label as text. Raises TaskDataError for None."""
    if label is None:
        where, do = f"example '{example.id}'", "give the file that has the labels"
        raise TaskDataError("an example without a gold label cannot be scored", where=where, do=do)
    return str(label)


def with_mismatches(examples: Sequence[Classified], where: str) -> list[Classified]:
    """Pairs that do not belong together, made from pairs that do: code search as a classification of pairs.

    Each row (label "1") is followed by its first text with the second text of another row (label "0"), drawn once from
    a fixed seed; a second text that equals the right one is passed over. Raises TaskDataError where all second texts
    are equal, as in a file of one row.
    """
    if len({example.pair for example in examples}) < 2:
        what = "a pair that does not match takes two different texts, and there is one"
        raise TaskDataError(what, where=where, do="give more rows")
    order = list(range(len(examples)))
    random.Random(SEED).shuffle(order)
    next_in_order = dict(zip(order, [*order[1:], order[0]], strict=True))
    made: list[Classified] = []
    for number, example in enumerate(examples):
        other = next_in_order[number]
        while examples[other].pair == example.pair:
            other = next_in_order[other]
        made.append(Classified(f"{example.id}-right", example.text, example.pair, RIGHT))
        made.append(Classified(f"{example.id}-wrong", example.text, examples[other].pair, WRONG))
    return made

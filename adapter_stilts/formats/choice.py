"""Multiple choice: a prompt and several endings, one of them right.

MultipleChoice("0", "The man fell. What was the cause?", ("He slipped.", "He sang."), 0)
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from adapter_stilts.data.columns import ID, NUMBERED, Columns, numbered_choices, spelled, words
from adapter_stilts.data.feature import IGNORED, Feature
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.pieces import Tokenizer, cut_texts
from adapter_stilts.data.tables import Row, whole_text
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.base import Cut, Example, Format, Logits, Rules, chances, dealt, register, rounded
from adapter_stilts.formats.pair import gold_label, without_label
from adapter_stilts.metrics.base import DEFAULTS, Options, Score
from adapter_stilts.statistics.learned import Baseline, share_of_commonest
from adapter_stilts.statistics.report import classes_of

LETTERS = 26  # choices that can be called by one
# What XTREME-R writes after a premise of COPA and XCOPA, in English for every language.
COPA_QUESTIONS: Mapping[str, str] = {"cause": "What was the cause?", "effect": "What was the effect?"}


@dataclass(frozen=True, slots=True)
class MultipleChoice(Example):
    """A prompt and its possible endings; `label` is the index of the right one, -1 where unknown."""

    prompt: str
    choices: tuple[str, ...]
    label: int


def _stands_in(field: str, names: Sequence[str], columns: Mapping[str, str]) -> bool:
    """Numbered columns make up the choices, and a question alone may be the prompt."""
    numbered = any(NUMBERED.fullmatch(name) for name in names)
    return (field == "prompt" and "question" in columns) or (field == "choices" and numbered)


@register
class ChoiceFormat(Format[MultipleChoice]):
    name = "choice"
    row = MultipleChoice
    columns = Columns(
        "choice",
        fields={
            "prompt": words("premise ctx_a context ctx prompt article passage sentence goal"),
            "question": ("question", "ask-for", "ask_for", "asks-for", "question_type"),
            "lead": ("ctx_b",),
            "choices": ("choices", "endings", "options", "answers"),
            "label": ("label", "gold_label", "answerkey", "answer_key", "answer", "correct", "gold"),
            "id": ID,
        },
        needed=("prompt", "choices"),
        stands_in=_stands_in,
    )
    label_field = "label"
    head = "choice"
    metric = "accuracy"
    truncation = "longest first"
    grouped_by = "prompt"
    line = "PROMPT TAB CHOICE TAB CHOICE ..."
    answer_columns = ("id", "prompt", "label", "answer", "probability")
    answer_fields = ("id", "prompt", "choices", "label", "answer", "probability", "probabilities")
    form = "choices"

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """CommonsenseQA's own files hold the stem and the choices in the question."""
        return map(_flat, rows)

    def columns_of(self, names: Sequence[str], layout: Layout, where: str) -> dict[str, str]:
        columns = super().columns_of(names, layout, where)
        if "choices" not in columns:
            numbered = [columns[field] for field in numbered_choices(columns, where)]
            listed = numbered or numbered_choices(names, where)
            columns |= {f"choice {number}": column for number, column in enumerate(listed)}
        return columns

    def example(self, row: Row, id: str, layout: Layout) -> MultipleChoice:
        question = row.text("question") if "question" in row.columns else ""
        premise = row.text("prompt") if "prompt" in row.columns else ""
        names, choices = _choices(row)
        label = _label(row, layout, names, len(names) or len(choices))
        if "lead" in row.columns:
            lead = row.text("lead")
            choices = [f"{lead} {choice}".strip() for choice in choices]
        prompt = " ".join(filter(None, (premise, COPA_QUESTIONS.get(question, question))))
        return MultipleChoice(id, prompt, tuple(choices), label)

    def labels_of(self, example: MultipleChoice) -> tuple[str, ...]:
        return (str(example.label),)

    def unlabelled(self, example: MultipleChoice) -> bool:
        return example.label < 0

    def placeholders(self, examples: Sequence[MultipleChoice], labels: Sequence[str] | None) -> str:
        return "every row is labelled -1" if examples and all(example.label < 0 for example in examples) else ""

    def shuffled(self, examples: Sequence[MultipleChoice], draw: random.Random) -> list[MultipleChoice]:
        """Right answers permuted among rows with as many choices."""
        labels: dict[int, int] = {}
        for size in sorted({len(row.choices) for row in examples}):
            alike = [number for number, row in enumerate(examples) if len(row.choices) == size]
            labels |= dict(zip(alike, dealt([examples[number].label for number in alike], draw), strict=True))
        return [replace(row, label=labels[number]) for number, row in enumerate(examples)]

    def cut(self, examples: Sequence[MultipleChoice], tokenizer: Tokenizer, cut: Cut) -> Iterator[Feature]:
        counts = {len(example.choices) for example in examples}
        if len(counts) > 1:
            what = f"questions with {min(counts)} and with {max(counts)} choices in one data set"
            other = next(example.id for example in examples if len(example.choices) != len(examples[0].choices))
            where = f"example '{other}', which has another number than '{examples[0].id}'"
            raise TaskDataError(what, where=where, do="give every question the same number of choices")
        texts = [(example.prompt, choice) for example in examples for choice in example.choices]
        rows = iter(cut_texts(tokenizer, texts, cut.max_length))
        for index, example in enumerate(examples):
            choices = tuple(islice(rows, len(example.choices)))
            yield Feature(0, index, choices, example.label if example.label >= 0 else IGNORED)

    def decode(
        self, examples: Sequence[MultipleChoice], features: Sequence[Feature], kept: Sequence[Logits], rules: Rules
    ) -> list[int]:
        return [int(row.argmax()) for row in kept]

    def of_line(self, cells: Sequence[str], id: str, where: str) -> MultipleChoice:
        if len(cells) < 3:
            what = f"{len(cells)} texts in a line that holds a prompt and two or more choices"
            raise TaskDataError(what, where=where, do="put one tab between them")
        prompt, *choices = (cell.strip() for cell in cells)
        return MultipleChoice(id, prompt, tuple(choices), -1)

    def lacking(self, example: MultipleChoice) -> str:
        if not all(choice.strip() for choice in example.choices):
            return "a choice is empty"
        return "" if len(example.choices) > 1 else "it has no two choices"

    def read_together(self, example: MultipleChoice) -> int:
        return len(example.choices)

    def answers(
        self, examples: Sequence[MultipleChoice], features: Sequence[Feature], logits: Sequence[Logits], rules: Rules
    ) -> Iterator[dict[str, Any]]:
        for example, row in zip(examples, logits, strict=True):
            shares, label = [*map(rounded, chances(row))], int(row.argmax())
            made = {"label": label, "answer": example.choices[label], "probability": shares[label]}
            texts = {"prompt": example.prompt, "choices": list(example.choices)}
            yield {"id": example.id, **texts, **made, "probabilities": shares}

    def gold(self, examples: Sequence[MultipleChoice]) -> list[str]:
        return [gold_label(example, example.label if example.label >= 0 else None) for example in examples]

    def baseline(
        self, metric: str, examples: Sequence[MultipleChoice], labels: Sequence[str] | None, options: Options = DEFAULTS
    ) -> Baseline | None:
        """The commonest position of the right choice."""
        choices = max((len(example.choices) for example in examples), default=0)
        return Baseline.of_classes("accuracy", (str(example.label) for example in examples), choices)

    def majority(self, gold: Sequence[str]) -> tuple[str, float | None]:
        return "accuracy", share_of_commonest(Counter(gold))

    def one_class(self, predictions: Sequence[int]) -> bool:
        return len(set(predictions)) == 1

    def compared(
        self, gold: Sequence[str], predictions: Sequence[object], score: Score, options: Options
    ) -> dict[str, Any]:
        """By position: an encoder that prefers the first choice shows it here."""
        right, guessed = ([f"choice {label}" for label in labels] for labels in (gold, predictions))
        return classes_of(right, guessed, "rows")

    def mistakes(
        self, gold: Sequence[str], answers: Sequence[Mapping[str, Any]], score: Score
    ) -> Iterator[dict[str, Any]]:
        for right, answer in zip(gold, answers, strict=True):
            if str(answer["label"]) != right:
                labels = {"gold": answer["choices"][int(right)], "predicted": answer["answer"]}
                texts = {"id": answer["id"], "prompt": answer["prompt"]}
                yield {**texts, **labels, "probability": answer["probability"]}


def _flat(row: Row) -> Row:
    question = row.cells.get("question")
    if not isinstance(question, Mapping) or "stem" not in question:
        return row
    try:  # as the hub writes them
        columns = {key: [choice[key] for choice in question["choices"]] for key in ("label", "text")}
    except (KeyError, TypeError) as error:
        what = f"choices need a label and a text each: {str(question.get('choices'))[:60]}"
        raise TaskDataError(what, where=row.where, do="write them as CommonsenseQA does") from error
    return Row(row.where, {**row.cells, "question": question["stem"], "choices": columns})


def _choices(row: Row) -> tuple[list[str], list[str]]:
    """The names by which a label may call the choices ("A", "B"; none where it counts) and their texts."""
    if "choices" not in row.columns:
        columns = [(field, column) for field, column in row.columns.items() if field.startswith("choice ")]
        return [], [_choice(row.text(field), f"{row.where}, column '{column}'") for field, column in columns]
    cell, where = row.cell("choices"), f"{row.where}, column '{row.columns['choices']}'"
    names: list[object] = []
    if isinstance(cell, dict) and isinstance(cell.get("text"), list):
        texts, names = cell["text"], cell.get("label") or []
        if not isinstance(names, list) or len(names) not in (0, len(texts)):
            do = "give every choice a label, or none"
            raise TaskDataError(f"{len(texts)} choices and other labels: {names!r:.60}", where=where, do=do)
    else:
        texts = row.items("choices")
    read = [_choice(text, f"{where}, choice {number} of {len(texts)}") for number, text in enumerate(texts, start=1)]
    return [str(name) for name in names], read


def _choice(text: object, where: str) -> str:
    """A choice's text. Raises TaskDataError where it is empty or none, such as null in the place of a fifth choice."""
    if not isinstance(text, str | int | float) or isinstance(text, bool) or text != text:
        do = "give every question the same number of choices, each a text"
        raise TaskDataError(f"a choice that is no text: {text!r:.40}", where=where, do=do)
    if not str(text).strip():
        raise TaskDataError("a choice without text", where=where, do="fill it in, or leave the column or the row out")
    return whole_text(str(text), "choices", where)


def _label(row: Row, layout: Layout, names: Sequence[str], count: int) -> int:
    if "label" not in row.columns:
        return -1
    where = f"{row.where}, column '{row.columns['label']}'"
    if isinstance(row.cell("label"), bool):
        do = "count the choices from 0, or name one by its letter"
        raise TaskDataError(f"a choice is not called {row.cell('label')}", where=where, do=do)
    text = spelled(row.cell("label"), None, layout.label_names, where)
    if not text and layout.labelled:
        raise without_label(text, where)
    if text in ("", "-1"):
        return -1
    allowed = list(names) or [str(number) for number in range(count)]
    letters = [chr(ord("A") + number) for number in range(min(count, LETTERS))]
    for spelling in (allowed, letters, [letter.lower() for letter in letters]):
        if text in spelling:
            return spelling.index(text)
    do = "count the choices from 0, or map the label with `label_names`"
    raise TaskDataError(f"label '{text}' is not one of: {', '.join(allowed)}", where=where, do=do)

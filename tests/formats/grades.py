"""A toy format in one file: a text and a grade from 1 to 5.

Its metric counts how near a grade comes, its files hold stars.

It is what adding a format takes: the row, how it is read, how it becomes tokens, a head that is there already, what its
logits mean, a metric, and how predictions stand in a file. test_toy_format.py trains, evaluates, predicts and scores
with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from adapter_stilts.data.columns import ID, TEXT, Columns
from adapter_stilts.data.feature import IGNORED, Feature
from adapter_stilts.data.pieces import marks, pieces
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import numbered_lines, write_text
from adapter_stilts.formats.base import Example, Format, dealt, register
from adapter_stilts.metrics.base import metrics, scored
from adapter_stilts.metrics.forms import Form, forms

WORST, BEST = 1, 5


@dataclass(frozen=True, slots=True)
class Graded(Example):
    """A text and its grade; 0 where the file has none."""

    text: str
    grade: int


@register
class GradesFormat(Format[Graded]):
    name = "grades"
    row = Graded
    columns = Columns(
        "grades", fields={"text": TEXT, "grade": ("grade", "stars", "rating"), "id": ID}, needed=("text",)
    )
    label_field = "grade"
    head = "sentence"
    metric = "nearness"
    form = "stars"
    classes = True

    def example(self, row, id, layout):
        grade = int(row.cells.get(row.columns.get("grade"), 0) or 0)
        if not 0 <= grade <= BEST:
            raise TaskDataError(f"grade {grade} is not one of: 1 to 5", where=row.where, do="correct the row")
        return Graded(id, row.text("text"), grade)

    def group(self, example: Graded) -> str:
        return example.text

    def labels_of(self, example: Graded) -> tuple[str, ...]:
        return (str(example.grade),) if example.grade else ()

    def completed(self, labels) -> tuple[str, ...]:
        """Grades that no training row has are possible, too."""
        return tuple(str(grade) for grade in range(WORST, BEST + 1))

    def unlabelled(self, example: Graded) -> bool:
        return not example.grade

    def shuffled(self, examples, draw):
        grades = dealt([row.grade for row in examples], draw)
        return [replace(row, grade=grade) for row, grade in zip(examples, grades, strict=True)]

    def cut(self, examples, tokenizer, cut) -> Iterator[Feature]:
        around = marks(tokenizer)
        for number, (row, ids) in enumerate(
            zip(examples, pieces(tokenizer, (row.text for row in examples)), strict=True)
        ):
            yield Feature(0, number, around.cut(ids, None, cut.max_length), row.grade - WORST if row.grade else IGNORED)

    def decode(self, examples, features, kept, rules) -> list[int]:
        """The mean grade, weighted by its probability."""
        grades = np.arange(WORST, BEST + 1)
        weights = [np.exp(row - row.max()) for row in kept]
        return [round(float((weight * grades).sum() / weight.sum())) for weight in weights]

    def gold(self, examples: Sequence[Graded]) -> list[int]:
        return [row.grade for row in examples]


@metrics.register("nearness", formats=("grades",), form="stars")
def nearness(gold, predicted, options):
    """1 less the distance of two grades, as a fraction of the largest there can be."""
    units = np.array(
        [(1 - abs(right - guess) / (BEST - WORST), 1) for right, guess in zip(gold, predicted, strict=True)]
    )
    return scored("nearness", [("nearness", units, "ratio")], len(gold), options)


def _write(path: Path, predictions: Sequence[int]) -> None:
    write_text(path, "".join("*" * grade + "\n" for grade in predictions))


def _read(path: Path) -> list[int]:
    return [line.count("*") for _, line in numbered_lines(path)]


forms.add("stars", Form(("txt",), _write, _read))

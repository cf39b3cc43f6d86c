"""A release may keep the rows of a split in two files: pairs of functions by their numbers, and questions apart from
their labels.

pairs    train.txt        13653451 TAB 21955002 TAB 0
         data.jsonl       {"idx": "13653451", "func": "..."}                   CodeXGLUE's clone detection
labels   train.jsonl      {"context": ..., "question": ..., "answerA": ...}
         train-labels.lst 1                                                    Social IQa
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adapter_stilts.data.tables import JSON_LINES, Row, empty, json_line_rows, suffix
from adapter_stilts.errors import TaskDataError, few
from adapter_stilts.files import numbered_lines


def joined_rows(first: Path, second: Path) -> Iterator[Row]:
    """The rows of two files that hold one split together."""
    return _labelled_rows(first, second) if suffix(first) in JSON_LINES else _paired_rows(first, second)


def _paired_rows(pairs: Path, texts: Path) -> Iterator[Row]:
    """Rows of text, pair and label, from a file of two numbers and a label a line and the file of what is numbered."""
    known = _functions(texts)
    lines = [(number, line) for number, line in numbered_lines(pairs) if line.strip()]
    if not lines:
        raise empty(pairs)
    unknown = [id for _, line in lines for id in line.split("\t")[:2] if id not in known]
    if unknown:
        what = f"{len(unknown)} numbers are not in {texts.name}: {few(unknown)}"
        raise TaskDataError(what, where=str(pairs), do="the files belong to different releases")
    for number, line in lines:
        where = f"{pairs}, line {number}"
        cells = line.split("\t")
        if len(cells) != 3:
            what = f"a pair is two numbers and a label with tabs between: {line[:40]!r}"
            raise TaskDataError(what, where=where, do="the file may be truncated")
        yield Row(where, {"text": known[cells[0]], "pair": known[cells[1]], "label": cells[2].strip()})


def _labelled_rows(rows: Path, labels: Path) -> Iterator[Row]:
    texts, written = list(json_line_rows(rows)), [line.strip() for _, line in numbered_lines(labels)]
    if len(texts) != len(written):
        what = f"{len(texts)} rows and {len(written)} labels"
        do = "both must belong to one split; one of the files may be truncated"
        raise TaskDataError(what, where=f"{rows} and {labels}", do=do)
    for row, label in zip(texts, written, strict=True):
        yield Row(row.where, {**row.cells, "label": label})


def _functions(path: Path) -> dict[str, str]:
    known: dict[str, str] = {}
    for row in json_line_rows(path):
        if not {"idx", "func"} <= set(row.cells):
            what = f"a function needs idx and func; the columns are: {', '.join(row.cells)}"
            raise TaskDataError(what, where=row.where, do="give CodeXGLUE's data.jsonl")
        id = str(row.cells["idx"])
        if id in known:
            do = "give every function a number of its own"
            raise TaskDataError(f"id '{id}' occurs twice", where=row.where, do=do)
        known[id] = str(row.cells["func"])
    return known

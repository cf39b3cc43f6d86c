"""A file to examples: by its suffix (".gz" or ".zst" taken off) and the format it should be read as.

    read(Path("train.jsonl.gz"), Layout("pair", labels=("contradiction", "entailment", "neutral")))

    pair single choice      .jsonl .json .csv .tsv (with a header, or XTREME's without one); any other name is taken for
                            tab-separated text
    tags                    .conllu .iob2 .conll ... (a word a line), .auto (CCGbank), .jsonl .json (lists of words and
                            tags)
    span                    .json (SQuAD), .jsonl (flat rows, as on the hub)
    ranking                 .json (SQuAD, XQuAD-R), .jsonl (Mewsli-X, or a query and its positive), .tsv
    text                    .jsonl .json .tsv, anything else a text a line
    aligned                 .jsonl .json .csv .tsv; two files through read_aligned
    pools                   three files through read_pools

Every mistake in a file is a TaskDataError that names file and line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from adapter_stilts.data.columns import LABEL, meant, setting
from adapter_stilts.data.joined_tables import joined_rows
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import (
    CSV,
    JSON_LINES,
    TABLES,
    TSV,
    Bad,
    Row,
    empty,
    first_cells,
    kind_of,
    refuse_unread,
    refused,
    suffix,
    tab_rows,
)
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import first_line, from_json
from adapter_stilts.formats.base import Example, check_few, formats

LANGUAGE_COLUMNS = ("language", "lang", "langs")  # what releases call the column that names a row's language


def read(path: Path, layout: Layout, dropped: Counter[str] | None = None) -> list[Example]:
    """The examples of one file of a format that takes one file.

    dropped  counts the rows left out, by reason

    Raises TaskDataError for an empty file or a repeated id.
    """
    examples = stream(path, layout, dropped)
    if layout.number_rows:
        examples = (replace(example, id=str(number)) for number, example in enumerate(examples))
    return _checked(examples, path, layout)


def read_joined(first: Path, second: Path, layout: Layout, dropped: Counter[str] | None = None) -> list[Example]:
    """The examples of two files that hold one split together; see data/joined_tables.py."""
    return _checked(examples_of(joined_rows(first, second), layout, str(first), dropped), first, layout)


def is_predicted(path: Path) -> bool:
    """Whether `predict` wrote a file: it has the columns of answers, or their fields, and no other."""
    line = first_line(path).decode("utf-8", "replace").lstrip("\ufeff").strip()
    answering = [format for format in formats.values() if format.answer_columns]
    if suffix(path) in JSON_LINES:
        with suppress(ValueError):
            return tuple(from_json(line)) in {format.answer_fields for format in answering}
        return False
    headers = {format.answer_columns for format in answering}
    return any(tuple(cell.strip('"') for cell in line.split(mark)) in headers for mark in "\t,;")


def examples_of(
    rows: Iterable[Row],
    layout: Layout,
    where: str,
    dropped: Counter[str] | None = None,
    bad: Bad = refused,
    unread: Sequence[TaskDataError] = (),
) -> Iterator[Example]:
    """Rows with named columns to examples: kept where `layout.keep` says so, numbered from 0 where they have no id.

    bad     is told of a row that is no example
    unread  rows that the file has beside these, as far as it was read: they count in the numbers
    """
    format = formats[layout.format]
    rows = format.rows(rows)
    if layout.candidates:
        return format.candidates(rows, layout, where)
    return format.whole_file(_examples(rows, layout, where, dropped, bad, unread), layout, dropped)


def _examples(
    rows: Iterable[Row],
    layout: Layout,
    where: str,
    dropped: Counter[str] | None,
    bad: Bad,
    unread: Sequence[TaskDataError],
) -> Iterator[Example]:
    format = formats[layout.format]
    columns: Mapping[str, str] | None = None  # our field -> the file's column
    number = 0
    for row in rows:
        if any(column in row.cells and str(row.cells[column]) not in values for column, values in layout.keep.items()):
            continue
        _refuse_another_language(row, layout)
        if columns is None:
            columns = _columns(list(row.cells), layout, where)
        row = Row(row.where, row.cells, columns)
        number += 1
        try:
            id = _id(row) if "id" in columns else str(number - 1 + len(unread))
            example = format.example(row, id, layout)
        except TaskDataError as error:
            bad(error)
            continue
        if reason := format.left_out(example, layout):
            if dropped is not None:
                dropped[reason] += 1
        else:
            yield example


def stream(path: Path, layout: Layout, dropped: Counter[str] | None = None, bad: Bad = refused) -> Iterator[Example]:
    """The examples one by one, without the checks that need the whole file. bad: is told of a row that is none."""
    refuse_unread(path)
    kind = kind_of(path)
    examples = formats[layout.format].file(path, kind, layout, bad)
    if examples is None:
        unread: list[TaskDataError] = []

        def left_out(error: TaskDataError) -> None:
            bad(error)
            unread.append(error)

        if kind in TABLES:
            rows = TABLES[kind](path, left_out)
        else:
            layout, header = _header(path, layout)
            short = (Counter[str]() if dropped is None else dropped) if layout.skip_short else None
            rows = tab_rows(path, header, short, left_out)
        examples = examples_of(rows, layout, str(path), dropped, bad, unread)
    yield from examples


def _checked(examples: Iterable[Example], path: Path, layout: Layout) -> list[Example]:
    checked = list(_few_labels(examples, path, layout))
    if not checked:
        wanted = " and ".join(f"{column} = {' or '.join(sorted(values))}" for column, values in layout.keep.items())
        if wanted:
            raise TaskDataError(f"no row with {wanted}", where=str(path), do="choose values that the file has")
        headed = suffix(path) in (CSV, TSV) and first_line(path).strip()
        raise empty(path, "the file has a header and no rows" if headed else "the file is empty")
    refuse_repeated_ids(checked, str(path))
    return checked


def _few_labels(examples: Iterable[Example], path: Path, layout: Layout) -> Iterator[Example]:
    """The same examples, refused as soon as they have more labels than any head."""
    format, shown = formats[layout.format], set[str]()
    for example in examples:
        if format.classes:
            shown.update(format.labels_of(example))
            check_few(shown, f"{path}, row '{example.id}'")
        yield example


def refuse_repeated_ids(examples: Sequence[Example], where: str) -> None:
    """Raise TaskDataError for an id that two examples share."""
    seen: dict[str, int] = {}
    for number, example in enumerate(examples, start=1):
        if example.id in seen:
            place = f"{where}, examples {seen[example.id]} and {number} of {len(examples)}"
            what = f"id '{example.id}' occurs twice"
            raise TaskDataError(what, where=place, do="give every row an id of its own; predictions are matched by it")
        seen[example.id] = number


def _id(row: Row) -> str:
    """A row's own id. Raises TaskDataError where it has none, beside rows that do."""
    id = row.cell("id")
    if id is None or id != id or isinstance(id, list | tuple | dict):
        where, do = f"{row.where}, column '{row.columns['id']}'", "give every row an id of its own, or none"
        raise TaskDataError(f"a row without an id: {id!r:.40}", where=where, do=do)
    return str(int(id) if isinstance(id, float) and id.is_integer() else id)


def _columns(names: Sequence[str], layout: Layout, where: str) -> dict[str, str]:
    """Field -> column of a table; without that of the labels where these are not looked at."""
    format = formats[layout.format]
    usual = {field: column for field, column in layout.usual.items() if column in names}
    columns = format.columns_of(names, replace(layout, columns={**usual, **layout.columns}), where)
    if layout.gold:
        _refuse_misspelt_labels(format.label_field, names, columns, where)
        return columns
    return {field: column for field, column in columns.items() if field != format.label_field}


def _refuse_misspelt_labels(field: str, names: Sequence[str], columns: Mapping[str, str], where: str) -> None:
    """Refuse a file, also one that needs no labels, in which a column is called nearly as that of labels."""
    if not field or field in columns:
        return
    free = [name for name in names if name not in columns.values()]
    near = next((advice for name in (field, *LABEL) if (advice := meant(name, free))), "")
    if near:
        what, do = f"no column for '{field}'; the columns are: {', '.join(names)}", f"{near}name it: {setting(field)}"
        raise TaskDataError(what, where=where, do=do)


def _refuse_another_language(row: Row, layout: Layout) -> None:
    """A row that says it is of another language than its file; a file of many languages keeps rows instead."""
    for column in LANGUAGE_COLUMNS if layout.codes else ():
        cell = row.cells.get(column)
        codes = {cell} if isinstance(cell, str) else set(map(str, cell)) if isinstance(cell, list | tuple) else set()
        wrong = sorted(codes - set(layout.codes)) if column not in layout.keep else []
        if wrong:
            what = f"a row in '{wrong[0]}' among those of '{layout.language}' (column '{column}')"
            raise TaskDataError(what, where=row.where, do="give each language a file of its own, or drop the column")


def _header(path: Path, layout: Layout) -> tuple[Layout, list[str] | None]:
    """The columns of a tab-separated file without a header line; None where it has one.

    A file has none where its columns are given as positions, where the last cell of its first line is a label already,
    or where it need not be labelled and its first line holds the texts alone (XTREME's test files).
    """
    cells = first_cells(path)
    positions = [str(number) for number in range(len(cells))]
    if layout.columns and all(column.isdecimal() for column in layout.columns.values()):
        return layout, positions
    format, usual = formats[layout.format], layout.usual
    if not layout.columns and usual and all(column.isdecimal() for column in usual.values()):
        return replace(layout, columns={field: at for field, at in usual.items() if at in positions}), positions
    texts = format.texts
    if layout.columns or not texts:
        return layout, None
    labels = {label.casefold() for label in (*(layout.labels or ()), *layout.label_names)}
    if len(cells) > len(texts) and cells[-1].strip().casefold() in labels:
        fields = dict(zip((*texts, "label"), positions[-len(texts) - 1 :], strict=True))
    elif not layout.labelled and len(cells) == len(texts) and not (format.columns and format.columns.is_header(cells)):
        fields = dict(zip(texts, positions, strict=True))
    else:
        return layout, None
    return replace(layout, columns=fields), positions

"""A file to examples: by its suffix (".gz" or ".zst" taken off) and the format it should be read as.

    read_rows(Path("train.jsonl.gz"), "pair", labels=("contradiction", "entailment", "neutral"))

    pair single choice      .jsonl .json .tsv (with a header, or XTREME's without one); any other name is taken for tab-separated text
    tags                    .conllu .iob2 .conll ... (a word a line), .jsonl .json (lists of words and tags)
    span                    .json (SQuAD), .jsonl (flat rows, as on the hub)
    ranking                 .json (SQuAD, XQuAD-R), .jsonl (Mewsli-X, or a query and its positive), .tsv
    text                    .jsonl .json .tsv, anything else a text a line
    aligned                 .jsonl .json .tsv; two files through read_aligned
    pools                   three files through read_pools

Every mistake in a file is a TaskDataError that names file and line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from adapter_stilts.data.columns import COUPLE_FIELDS, is_header
from adapter_stilts.data.examples import Classified, Example, Format, Tagged
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.mewsli import plain_rows
from adapter_stilts.data.parallel_rows import read_aligned, read_pools, text_lines
from adapter_stilts.data.ranking_rows import candidates_of, squad_ranking
from adapter_stilts.data.squad_rows import squad_rows
from adapter_stilts.data.table_rows import row_builder
from adapter_stilts.data.tables import Row, empty, first_cells, json_document, json_line_rows, json_rows, suffix, tab_rows
from adapter_stilts.data.tagged_rows import tagged_rows
from adapter_stilts.errors import TaskDataError, UsageError

__all__ = ["Layout", "examples_of", "read", "read_aligned", "read_pools", "read_rows", "stream"]

JSON_LINES, JSON = (".jsonl", ".ndjson"), (".json",)
NOT_READ = {
    ".csv": "save it as tab-separated text or JSON lines",
    ".xlsx": "save it as tab-separated text",
    ".parquet": "load it as a data set of the hub",
    ".zip": "unpack it",
    ".tar": "unpack it (tar -xzf FILE)",
}


def read_rows(path: Path, format: Format, columns: Mapping[str, str] | None = None, labels: Sequence[str] | None = None) -> list[Example]:
    """The examples of one file; `columns` maps our fields to its columns where their names are not the usual ones."""
    return read(path, Layout(format, columns or {}, None if labels is None else tuple(labels)))


def read(path: Path, layout: Layout) -> list[Example]:
    """The examples of one file of a format that takes one file. Raises TaskDataError for an empty file or a repeated id."""
    examples = list(stream(path, layout))
    if not examples:
        raise _nothing_left(path, layout)
    _refuse_repeated_ids(examples, path)
    return examples


def examples_of(rows: Iterable[Row], layout: Layout, where: str) -> Iterator[Example]:
    """Rows with named columns to examples: kept where `layout.keep` says so, numbered from 0 where they have no id."""
    build = None
    number = 0
    if layout.format == "ranking":
        rows = (plain for row in rows for plain in plain_rows(row))
        if layout.candidates:
            yield from candidates_of(rows, layout, where)
            return
    for row in rows:
        if any(column in row.cells and str(row.cells[column]) not in values for column, values in layout.keep.items()):
            continue
        build = build or row_builder(layout, list(row.cells), where)
        example = build(row, str(number))
        number += 1
        if not _is_left_out(example, layout):
            yield example


def stream(path: Path, layout: Layout) -> Iterator[Example]:
    """The same one by one, without the checks that need the whole file."""
    kind = suffix(path)
    if kind in NOT_READ:
        raise TaskDataError(f"files of type {kind} are not read", where=str(path), do=NOT_READ[kind])
    if layout.format == "pools":
        raise UsageError("mining pools are three files: both sides and the gold pairs", where=str(path), do="give all three")
    if layout.format in ("span", "ranking") and kind in JSON:
        document = json_document(path)
        if isinstance(document, dict) and "data" in document:
            yield from squad_rows(document, path, layout.labelled) if layout.format == "span" else squad_ranking(document, path, layout)
            return
    if kind in JSON_LINES:
        yield from examples_of(json_line_rows(path), layout, str(path))
    elif kind in JSON:
        yield from examples_of(json_rows(path), layout, str(path))
    elif layout.format == "tags":
        yield from tagged_rows(path, layout)
    elif layout.format == "text" and kind != ".tsv":
        yield from text_lines(path)
    else:
        layout, header = _header(path, layout)
        yield from examples_of(tab_rows(path, header), layout, str(path))


def _is_left_out(example: Example, layout: Layout) -> bool:
    """A label nobody wants, or a sentence whose words all lack a tag."""
    return (isinstance(example, Classified) and example.label in layout.ignore_labels) or (isinstance(example, Tagged) and not example.words)


def _header(path: Path, layout: Layout) -> tuple[Layout, list[str] | None]:
    """The columns of a tab-separated file without a header line; None where it has one.

    A file has none where its columns are given as positions, where the last cell of its first line is a label already, or where it
    need not be labelled and its first line holds the texts alone (XTREME's test files).
    """
    cells = first_cells(path)
    positions = [str(number) for number in range(len(cells))]
    if layout.columns and all(column.isdecimal() for column in layout.columns.values()):
        return layout, positions
    if layout.columns or layout.format not in ("pair", "single"):
        return layout, None
    texts = COUPLE_FIELDS.get(layout.format, ("text",))
    labels = {label.casefold() for label in (*(layout.labels or ()), *layout.label_names)}
    if len(cells) > len(texts) and cells[-1].strip().casefold() in labels:
        fields = dict(zip((*texts, "label"), positions[-len(texts) - 1 :], strict=True))
    elif not layout.labelled and len(cells) == len(texts) and not is_header(layout.format, cells):
        fields = dict(zip(texts, positions, strict=True))
    else:
        return layout, None
    return replace(layout, columns=fields), positions


def _nothing_left(path: Path, layout: Layout) -> TaskDataError:
    if not layout.keep:
        return empty(path, "the file has a header and no rows" if suffix(path) == ".tsv" else "the file is empty")
    wanted = " and ".join(f"{column} = {' or '.join(sorted(values))}" for column, values in layout.keep.items())
    return TaskDataError(f"no row with {wanted}", where=str(path), do="choose values that the file has")


def _refuse_repeated_ids(examples: Sequence[Example], path: Path) -> None:
    seen: dict[str, int] = {}
    for number, example in enumerate(examples, start=1):
        if example.id in seen:
            where = f"{path}, examples {seen[example.id]} and {number} of {len(examples)}"
            raise TaskDataError(f"id '{example.id}' occurs twice", where=where, do="give every row an id of its own; predictions are matched by it")
        seen[example.id] = number

"""A task's files, once found, to examples and to the facts that a manifest keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from adapter_stilts.data.tables import first_cells, json_line_rows, suffix, tab_rows
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import bare_name, sha256
from adapter_stilts.formats.base import Example
from adapter_stilts.formats.reading import LANGUAGE_COLUMNS, read, read_joined
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import all_codes, is_known, iso1, spelled, spelled_in
from adapter_stilts.tasks.reading.files import Group
from adapter_stilts.tasks.reading.place import FileFact, Where


def read_files(
    task: Task, groups: Sequence[Group], split: str, language: str, where: Where, dropped: Counter[str]
) -> tuple[list[Example], tuple[FileFact, ...]]:
    """All examples in file order. Ids stay as the file has them; where several files are read, the file's name is put
    before.

    dropped  counts the rows left out, by reason
    """
    examples: list[Example] = []
    facts: list[FileFact] = []
    for group in groups:
        rows = _read(task, group, split, language, where, dropped)
        sizes = task.format.file_sizes(rows, len(group.paths))
        facts += [FileFact(path, sha256(path), size) for path, size in zip(group.paths, sizes, strict=True)]
        name, folder = bare_name(group.paths[0]), group.paths[0].parent.name
        if sum(bare_name(other.paths[0]) == name for other in groups) > 1:
            name = f"{folder}/{name}"  # R1/train.jsonl, R2/train.jsonl
        examples += [replace(row, id=f"{name}:{row.id}") for row in rows] if len(groups) > 1 else rows
    return examples, tuple(facts)


def values_of(task: Task, paths: Sequence[Path]) -> tuple[str, ...]:
    """The languages that these files' own column names, as the task spells them; none where they lack the column."""
    codes, column = set(), task.source.language_column
    for path in paths:
        rows = json_line_rows(path) if suffix(path) == ".jsonl" else tab_rows(path, None)
        for row in task.format.rows(rows):
            if column not in row.cells:
                break
            codes.add(str(row.cells[column]))
    return tuple(sorted({spelled(code, task.languages) for code in codes}))


def of_language(
    task: Task, examples: Sequence[Example], language: str, dropped: Counter[str], *, named: bool = False
) -> list[Example]:
    """The rows whose ids begin as this language's do, where the task tells languages so.

    named  the file's name gives the language: ids that begin as no language's do are of it too (XTREME takes the
           prefixes off)
    """
    prefixes = task.source.id_prefixes
    if not prefixes:
        return list(examples)
    own = prefixes.get(spelled_in(language, prefixes) or "", "")
    others = tuple(prefix for prefix in prefixes.values() if prefix != own)
    kept = [
        example
        for example in examples
        if (own and example.id.startswith(own)) or (named and not example.id.startswith(others))
    ]
    if len(kept) < len(examples):
        dropped["of another language"] += len(examples) - len(kept)
    return kept


def languages_asked(task: Task, language: str) -> dict[str, object]:
    """What a layout says of the language, where the task has several and each has rows of its own."""
    several = len(task.languages) > 1 and not task.format.ranking  # what a query finds may be in any language
    return {"language": iso1(language), "codes": all_codes(language) if several else ()}


def _read(task: Task, group: Group, split: str, language: str, where: Where, dropped: Counter[str]) -> list[Example]:
    path, source = group.paths[0], task.source
    together = task.format.joined(group.paths, split)
    if together is not None:
        return together
    keep = {source.language_column: all_codes(language)} if source.language_column and not group.language else {}
    if not source.language_column and task.format.one_language:
        _refuse_two_languages(task, path)
    layout = task.layout(
        columns={**source.columns, **where.columns},
        keep=keep,
        labelled=split != "test" and not source.mismatches,
        number_rows=any(fnmatch(bare_name(path), pattern) for pattern in source.unnumbered),
        **languages_asked(task, language),
    )
    if source.joined and len(group.paths) > 1:
        return read_joined(path, group.paths[1], layout, dropped)
    return of_language(task, read(path, layout, dropped), language, dropped, named=bool(group.language))


def _refuse_two_languages(task: Task, path: Path) -> None:
    """Refuse rows that say they are of two languages: scored together, they would pass for one. Programs may be in any
    (java, python)."""
    table = suffix(path) == ".tsv" and not set(LANGUAGE_COLUMNS).isdisjoint(first_cells(path))
    if not table and suffix(path) != ".jsonl":
        return
    first = ""
    for row in tab_rows(path, None, Counter() if task.source.skip_short else None) if table else json_line_rows(path):
        column = next((name for name in LANGUAGE_COLUMNS if name in row.cells), "")
        code = str(row.cells.get(column, ""))
        if not is_known(code):
            return
        first = first or code
        if iso1(code) != iso1(first):
            what = f"two languages in one file: '{first}' and '{code}' (column '{column}')"
            raise TaskDataError(what, where=row.where, do="give each language a file of its own, or drop the column")

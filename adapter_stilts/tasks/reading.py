"""A task's files, once found, to examples and to the facts that a manifest keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from adapter_stilts.data.tables import first_cells, json_line_rows, suffix, tab_rows
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import bare_name, sha256
from adapter_stilts.formats.base import Example
from adapter_stilts.formats.reading import LANGUAGE_COLUMNS, read, read_joined
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.finding import Found
from adapter_stilts.tasks.fitting import layout_of
from adapter_stilts.tasks.languages import all_codes, is_known, iso1, spelled_in


@dataclass(frozen=True)
class FileFact:
    """A file that was read: where, its bytes, and how many examples it gave."""

    path: Path
    sha256: str
    rows: int


def read_found(
    task: Task, found: Sequence[Found], split: str, language: str, columns: Mapping[str, str], dropped: Counter[str]
) -> tuple[list[Example], tuple[FileFact, ...]]:
    """All examples in file order. Ids stay as the file has them; where several files are read, the file's name is put before.

    dropped  counts the rows left out, by reason
    """
    examples: list[Example] = []
    facts: list[FileFact] = []
    for group in found:
        rows = _read(task, group, split, language, columns, dropped)
        facts += [FileFact(path, sha256(path), size) for path, size in zip(group.paths, task.format.file_sizes(rows, len(group.paths)), strict=True)]
        name = _name(group.paths[0], found)
        examples += [replace(row, id=f"{name}:{row.id}") for row in rows] if len(found) > 1 else rows
    return examples, tuple(facts)


def count(task: Task, examples: Sequence[Example]) -> int:
    """How many rows a score is taken over: examples, or the gold pairs of a mining set."""
    return sum(map(task.format.count, examples))


def values_of(task: Task, paths: Sequence[Path], column: str) -> tuple[str, ...]:
    """The languages that a column of these files names, as the task spells them; none where they lack the column."""
    found = set()
    for path in paths:
        rows = json_line_rows(path) if suffix(path) == ".jsonl" else tab_rows(path, None)
        for row in task.format.rows(rows):
            if column not in row.cells:
                break
            found.add(str(row.cells[column]))
    return tuple(sorted({spelled_in(code, task.languages) or iso1(code) for code in found}))


def of_language(task: Task, examples: Sequence[Example], language: str, dropped: Counter[str], *, named: bool = False) -> list[Example]:
    """The rows whose ids begin as this language's do, where the task tells languages so.

    named  the file's name gives the language: ids that begin as no language's do are of it too (XTREME takes the prefixes off)
    """
    if not task.id_prefixes:
        return list(examples)
    own = task.id_prefixes.get(spelled_in(language, task.id_prefixes) or "", "")
    others = tuple(prefix for prefix in task.id_prefixes.values() if prefix != own)
    kept = [example for example in examples if (own and example.id.startswith(own)) or (named and not example.id.startswith(others))]
    if len(kept) < len(examples):
        dropped["of another language"] += len(examples) - len(kept)
    return kept


def languages_asked(task: Task, language: str) -> dict[str, object]:
    """What a layout says of the language, where the task has several and each has rows of its own."""
    several = len(task.languages) > 1 and not task.format.ranking  # what is to be found by a query may be in any language
    return {"language": iso1(language), "codes": all_codes(language) if several else ()}


def _name(path: Path, found: Sequence[Found]) -> str:
    """A file's name, with its folder where several files are called the same (R1/train.jsonl, R2/train.jsonl)."""
    name = bare_name(path)
    same = sum(bare_name(group.paths[0]) == name for group in found)
    return f"{path.parent.name}/{name}" if same > 1 else name


def _read(task: Task, group: Found, split: str, language: str, columns: Mapping[str, str], dropped: Counter[str]) -> list[Example]:
    together = task.format.joined(group.paths, split)
    if together is not None:
        return together
    keep = {task.language_column: all_codes(language)} if task.language_column and not group.language else {}
    if not task.language_column and task.format.one_language:
        _refuse_two_languages(task, group.paths[0])
    layout = layout_of(
        task,
        columns={**task.columns, **columns},
        keep=keep,
        labelled=split != "test" and not task.mismatches,
        number_rows=any(fnmatch(bare_name(group.paths[0]), pattern) for pattern in task.unnumbered),
        **languages_asked(task, language),
    )
    if task.joined and len(group.paths) > 1:
        return read_joined(group.paths[0], group.paths[1], layout, dropped)
    return of_language(task, read(group.paths[0], layout, dropped), language, dropped, named=bool(group.language))


def _refuse_two_languages(task: Task, path: Path) -> None:
    """Refuse rows that say they are of two languages: scored together, they would pass for one. Programs may be in any (java, python)."""
    table = suffix(path) == ".tsv" and not set(LANGUAGE_COLUMNS).isdisjoint(first_cells(path))
    if not table and suffix(path) != ".jsonl":
        return
    first = ""
    for row in tab_rows(path, None, Counter() if task.skip_short else None) if table else json_line_rows(path):
        column = next((name for name in LANGUAGE_COLUMNS if name in row.cells), "")
        code = str(row.cells.get(column, ""))
        if not is_known(code):
            return
        first = first or code
        if iso1(code) != iso1(first):
            what = f"two languages in one file: '{first}' and '{code}' (column '{column}')"
            raise TaskDataError(what, where=row.where, do="give each language a file of its own, or drop the column")

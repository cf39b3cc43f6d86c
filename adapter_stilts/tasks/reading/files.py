"""A task's files: found in a folder by the patterns of release names, for the language asked for, and read.

A folder is searched at any depth. Where a pattern matches several files of one split and language, they are read one
after another only if the task says so; otherwise which was meant is for the user to say, unless all hold the same
bytes.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import cache
from itertools import islice
from pathlib import Path

from adapter_stilts.data.columns import meant
from adapter_stilts.data.tables import (
    CSV,
    JSON_LINES,
    TABLES,
    TSV,
    first_cells,
    json_line_rows,
    refused,
    suffix,
    tab_rows,
)
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import IDENTITY, LEDGER, MADE_OF, REPORT, bare_name, sha256
from adapter_stilts.formats.base import Example
from adapter_stilts.formats.reading import LANGUAGE_COLUMNS, is_predicted, read, read_joined, stream
from adapter_stilts.tasks.base import Task, tasks
from adapter_stilts.tasks.languages import (
    all_codes,
    has_variant,
    is_known,
    iso1,
    same_language,
    same_variety,
    serves,
    spelled,
    spelled_in,
)
from adapter_stilts.tasks.reading.place import FileFact, Where
from adapter_stilts.tasks.source import SPLIT_NAMES

# de, deu, zh-Hans, zho_hans, pt_BR, es-419, zh-Hant-TW
CODE = r"(?P<l>[a-z]{2,3}(?:[_-](?:[A-Z][A-Za-z]{1,3}|hans|hant|latn|cyrl|arab|419))?(?:[_-][A-Z]{2})?)"
NAME = r"(?P<name>[a-z]+)"
SHOWN = 8  # names in a message
OURS = frozenset((IDENTITY, LEDGER, MADE_OF))  # one of them is in every folder that a run, `eval` or `encode` left
WORDS = {"am", "as", "be", "he", "id", "is", "it", "la", "my", "no", "or", "so", "to"}  # codes, and words
NO_LANGUAGE = {name for names in SPLIT_NAMES.values() for name in names} | {"all", "new", "old", "raw", "tmp"}
CACHED = ("datasets--", "models--")  # how the hub's folders begin in its cache
SAVED = (
    "save its splits as files, dataset[split].to_json('train.jsonl'), and give them with --data train=train.jsonl; "
    "or download the data set: huggingface-cli download --repo-type dataset"
)


@dataclass(frozen=True)
class Group:
    """Files that belong together and the language their names give, "" where they give none."""

    paths: tuple[Path, ...]
    language: str


def find(task: Task, split: str, language: str, folder: Path) -> list[Group]:
    """The files of one split and language: the first of the task's patterns that matches any.

    Raises TaskDataError where there are none (with the names looked for and the languages that are there) and where
    several different files match a task that has one.
    """
    names = _names(folder)
    unfit: list[Group] = []
    for pattern in task.source.files.get(split, ()):
        groups = _matches(pattern, folder, names, task.source.language_names)
        matches = [group for group in groups if _serves(group, task, language)]
        matches = [group for group in matches if _called(group.language, language)] or matches
        fitting = [group for group in matches if fits(task, group.paths[0])] if task.source.any_name else matches
        if fitting:
            return fitting if task.source.concatenate else [_only(fitting, task, split)]
        unfit = unfit or matches
    if unfit:
        return unfit[:1]  # reading it says what is wrong with it
    raise no_files(task, split, folder, language)


def fits(task: Task, path: Path) -> bool:
    """Whether a file's first row can be a row of the task: told by its columns and its label.

    Formats of one sentence a line fit any file.
    """
    if task.retrieval:
        return True
    try:
        return bool(list(islice(stream(path, task.layout()), 1)))
    except TaskDataError:
        return False


def refuse_saved(folder: Path) -> None:
    """Refuse a folder that holds what save_to_disk of `datasets` writes."""
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        what = "the folder was written by save_to_disk of `datasets`: it is no copy of a data set of the hub"
        raise TaskDataError(what, where=str(folder), do=SAVED)


def languages_in(task: Task, split: str, folder: Path) -> tuple[str, ...]:
    """The languages whose files lie in the folder, as the task spells them or else as ISO 639-1 does; "" for files that
    do not say."""
    groups = _all_matches(task, split, folder)
    codes = {group.language for group in groups if not task.source.any_name or fits(task, group.paths[0])}
    return tuple(sorted({spelled(code, task.languages) for code in codes}))


def every_match(patterns: Iterable[str], folder: Path) -> list[Group]:
    """All files, in whatever language, of the first pattern that matches any."""
    names = _names(folder)
    return next((groups for pattern in patterns if (groups := list(_matches(pattern, folder, names, {})))), [])


def no_files(task: Task, split: str, folder: Path, language: str = "") -> TaskDataError:
    """The error for a folder without a split in a language, or in any, with the names looked for."""
    refuse_saved(folder)
    patterns, called = task.source.files.get(split, ()), task.source.language_names
    if not patterns:
        what = f"'{task.name}' has no {split} split in files"
        return TaskDataError(what, where=str(folder), do=f"give one with --data {split}=FILE")
    there = sorted({group.language for group in _all_matches(task, split, folder)} - {""})
    name = called.get(spelled_in(language, called) or "", "LANGUAGE")
    looked = [pattern.replace("{l}", language or "LANGUAGE").replace("{name}", name) for pattern in patterns[:SHOWN]]
    advice = f"check --data, or give the file with --data {split}=FILE"
    if there:
        like = [code for code in there if same_language(code, language)] if language else []
        other = f"of '{iso1(language)}' there is {', '.join(like)} and no other; " if like else ""
        advice = f"{other or meant(language, there)}this folder has it in: {', '.join(there)}"
    what = f"no file for the {split} split of '{task.name}'" + (f" in '{language}'" if language else "")
    what += f"; looked for {', '.join(looked)} (plain or .gz, not in the folders of runs)"
    fitting = [name for name in _names(folder) if any(_regex(pattern).fullmatch(name) for pattern in patterns)]
    if ours := [name for name in fitting if is_predicted(folder / name)]:
        what += f"; left out, since `predict` wrote it: {', '.join(ours[:SHOWN])}"
    return TaskDataError(what, where=f"{folder} and below", do=advice)


def language_told(task: Task, paths: Sequence[Path]) -> str:
    """The language that files given one by one tell: by their names or suffixes, the folder they lie in, or a column of
    theirs; "" where they do not, or tell several."""
    codes = {spelled(code, task.languages) for path in paths if (code := _told(task, path))}
    return codes.pop() if len(codes) == 1 else ""


def _told(task: Task, path: Path) -> str:
    kind, stem = suffix(path), Path(Path(bare_name(path)).stem)
    code = kind.removeprefix(".")  # "de" of "news.de.gz", as both sides of a bitext are often called
    alike = path.with_name(f"{stem}{JSON_LINES[0]}") if kind in TABLES else path  # sw.train.csv as sw.train.jsonl
    named = language_in_name(alike, task) or (iso1(code) if is_known(code) else "") or _language_at_end(stem)
    if named or not path.is_file():
        return named
    if column := _language_column(path):
        return column
    folder = path.absolute().parent  # sw/train.txt
    return folder.name if is_known(folder.name) and not _a_word(folder) else ""


def _language_at_end(stem: Path) -> str:
    """ "de" of "reviews.test.de", a name without its suffix."""
    code = stem.suffix.removeprefix(".")
    return iso1(code) if is_known(code) and code not in (WORDS | NO_LANGUAGE) and code not in tasks else ""


def _a_word(folder: Path) -> bool:
    """Whether a folder's name is an English word (my, no, it) and no folder of another language stands beside it."""
    if folder.name.lower() not in WORDS:
        return False
    return not any(is_known(beside.name) and beside.name not in WORDS for beside in folder.parent.iterdir())


def _patterns(task: Task) -> Iterator[str]:
    return (pattern for patterns in task.source.files.values() for pattern in patterns)


def _language_column(path: Path) -> str:
    """The language that the first row names in a column of its own, "" where it has no such column."""
    kind = suffix(path)
    table = kind == TSV and not set(LANGUAGE_COLUMNS).isdisjoint(first_cells(path))
    if not table and kind not in (*JSON_LINES, CSV):
        return ""
    row = next(tab_rows(path, None, Counter()) if table else TABLES[kind](path, refused), None)
    codes = (str(row.cells.get(name, "")) for name in LANGUAGE_COLUMNS) if row else iter(())
    return next((code for code in codes if is_known(code)), "")


def language_in_name(path: Path, task: Task) -> str:
    """The language that a file's own name gives under any pattern of the task, "" where none does."""
    for pattern in _patterns(task):
        for part in pattern.split():
            match = _regex(part.split("/")[-1]).fullmatch(path.name)
            code = _language(match, task.source.language_names) if match else ""
            if code and code not in tasks and code not in NO_LANGUAGE:  # nli.train.tsv, dev.test.tsv
                return spelled(code, task.languages)
    return ""


def read_files(
    task: Task,
    groups: Sequence[Group],
    split: str,
    language: str,
    where: Where,
    dropped: Counter[str],
    say: Callable[[str], None],
) -> tuple[list[Example], tuple[FileFact, ...]]:
    """All examples in file order. Ids stay as the file has them; where several files are read, the file's name is put
    before.

    dropped  counts the rows left out, by reason
    say      where goes what was decided of the files, in words
    """
    examples: list[Example] = []
    facts: list[FileFact] = []
    for group in groups:
        rows = _read(task, group, split, language, where, dropped, say)
        for path in filter(is_predicted, group.paths):
            say(f"{path.name}: its labels are predictions, which `predict` wrote")
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


def _called(code: str, language: str) -> bool:
    """Whether a file's code is the language's own name, which comes before others that serve it: zh before zh-CN."""
    return code == language if has_variant(language) else not has_variant(code)


def _serves(group: Group, task: Task, language: str) -> bool:
    if group.language:
        return serves(group.language, language)
    holds_many = task.source.language_column or task.source.id_prefixes
    # files of the user's own whose names tell nothing are in the language that is asked for
    return bool(holds_many) or not task.languages or same_language(task.train_language, language)


def _names(folder: Path) -> list[str]:
    """All files under the folder, as posix paths relative to it, sorted; links are followed, each folder once.

    Left out are hidden folders, and what is our own: runs and scores, vectors, mined pairs, caches. Files that
    `predict` wrote may lie anywhere under any name; `_matches` knows them by their first line.
    """
    if not folder.is_dir():
        raise TaskDataError("no such folder", where=str(folder), do="name the folder that holds the task's files")
    files: list[str] = []
    visited: set[str] = set()
    for base, inner, names in os.walk(folder, followlinks=True):
        real = {name: os.path.realpath(Path(base, name)) for name in inner if not name.startswith(".")}
        inner[:] = [name for name in real if real[name] not in visited and not name.startswith(CACHED)]
        visited.update(real.values())
        if OURS.isdisjoint(names):
            own = [name for name in names if f"{name}{REPORT}" not in names]
            files += [Path(base, name).relative_to(folder).as_posix() for name in own]
        else:
            inner.clear()
    return sorted(files)


def _matches(pattern: str, folder: Path, names: Iterable[str], called: Mapping[str, str]) -> Iterator[Group]:
    """Every group of files that fits; a plain file is taken before the same name with ".gz"."""
    first, *others = pattern.split()
    regex = _regex(first)
    known = set(names)
    for name in names:
        match = regex.fullmatch(name)
        if match is None or (name.endswith(".gz") and name.removesuffix(".gz") in known):
            continue
        if is_predicted(folder / name):
            continue
        language = _language(match, called)
        rest = [match["lead"] + other.replace("{l}", language) for other in others]
        present = [next((part for part in (other, f"{other}.gz") if part in known), "") for other in rest]
        if all(present):
            yield Group(tuple(folder / part for part in (name, *present)), language)


def _all_matches(task: Task, split: str, folder: Path) -> Iterator[Group]:
    names = _names(folder)
    for pattern in task.source.files.get(split, ()):
        yield from _matches(pattern, folder, names, task.source.language_names)


def _language(match: re.Match[str], called: Mapping[str, str]) -> str:
    """The language a matched name gives by its code, or by its name where the task has such; "" for none."""
    parts = match.groupdict()
    named = (code for code, name in called.items() if name == parts.get("name"))
    return parts.get("l") or next(named, "")


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    """A star before another takes as little as it can, once and for all, so that many of them cost no more than one."""
    parts = re.split(r"(\{l\}|\{name\}|\*)", pattern)
    known = {"{l}": "(?P=l)", "{name}": "(?P=name)", "*": "[^/]*"}
    text = "".join(known.get(part, re.escape(part)) for part in parts)
    text = re.sub(r"\[\^/\]\*((?:\\.|[^\\(\[])*)(?=\[\^/\]\*)", r"(?>[^/]*?\1)", text)
    text = text.replace("(?P=l)", CODE, 1).replace("(?P=name)", NAME, 1)
    return re.compile(r"(?P<lead>(?:.*/)?)" + text + r"(?:\.gz)?")


def _only(matches: list[Group], task: Task, split: str) -> Group:
    contents = {tuple(sha256(path) for path in match.paths) for match in matches}
    if len(contents) > 1:
        paths = ", ".join(str(match.paths[0]) for match in matches[:SHOWN])
        what = f"{len(matches)} different files could be the {split} split of '{task.name}': {paths}"
        raise TaskDataError(what, do=f"name a smaller folder, or the file itself with --data {split}=FILE")
    return matches[0]


def _read(
    task: Task,
    group: Group,
    split: str,
    language: str,
    where: Where,
    dropped: Counter[str],
    say: Callable[[str], None],
) -> list[Example]:
    path, source = group.paths[0], task.source
    together = task.format.joined(group.paths, split)
    if together is not None:
        reasons = [task.format.left_out(example, task.layout()) for example in together]
        dropped.update(reason for reason in reasons if reason)
        return [example for example, reason in zip(together, reasons, strict=True) if not reason]
    keep = {source.language_column: all_codes(language)} if source.language_column and not group.language else {}
    if not source.language_column and task.format.one_language:
        _refuse_two_languages(task, path)
    layout = task.layout(
        columns={**source.columns, **where.columns},
        keep=keep,
        labelled=split != "test" and not source.mismatches,
        number_rows=any(fnmatch(bare_name(path), pattern) for pattern in source.unnumbered),
        say=lambda remark: say(f"{path.name}: {remark}"),
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
        if not same_variety(code, first):
            what = f"two languages in one file: '{first}' and '{code}' (column '{column}')"
            raise TaskDataError(what, where=row.where, do="give each language a file of its own, or drop the column")

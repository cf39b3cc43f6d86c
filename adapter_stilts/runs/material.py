"""From what the user typed to examples and features: where the data lies, which rows it gives, and what became of them.

`--data` is a folder searched by release names, `split=FILE` for files of one's own, or the word `miniature`. Where a
run has several tasks, `TASK/split=FILE` and `TASK=FOLDER` are for one of them, and what names no task is for all that
have nothing of their own. Without any of it the miniature trunk reads the miniature and every other trunk reads the
hub; which one was used is written in the manifest. `hub` is the hub whatever the trunk, and `hub=FOLDER` copies of its
data sets, laid out OWNER/NAME.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.formats.base import Example
from adapter_stilts.registry import unknown_name
from adapter_stilts.seeding import Seeds
from adapter_stilts.tasks.reading.place import Origin, Where
from adapter_stilts.tasks.reading.pools import CANDIDATES
from adapter_stilts.tasks.source import SPLIT_NAMES

MINIATURE, HUB = "miniature", "hub"
SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}
SPLIT_OF[CANDIDATES] = CANDIDATES  # what queries are searched among is given as a split is


def where_of(
    sources: Sequence[str], trunk: str, *, columns: Mapping[str, str], task: str = "", tasks: Sequence[str] = ()
) -> Where:
    """The place a task is read from, from what was typed after --data; raises UsageError or TaskDataError.

    task, tasks  whose place it is, and all tasks that the sources are for
    """
    mine = _concerning(sources, task, tasks)
    if any(source == HUB or source.startswith(f"{HUB}=") for source in mine):
        return _hub(mine, columns)
    folder, files = parse_sources(mine)
    if files:
        return Where(
            "files", files={split: tuple(map(Path, paths)) for split, paths in files.items()}, columns=dict(columns)
        )
    if folder and folder != MINIATURE:
        if not Path(folder).is_dir():
            what = "a file where a folder was expected" if Path(folder).is_file() else "no such folder"
            raise TaskDataError(
                what,
                where=folder,
                do=f"name the folder that holds the task's files, or a file as --data train={folder}",
            )
        return Where("files", folder=Path(folder), columns=dict(columns))
    if folder == MINIATURE or trunk == MINIATURE:
        return Where("miniature", columns=dict(columns))
    return Where("hub", columns=dict(columns))


def _hub(sources: Sequence[str], columns: Mapping[str, str]) -> Where:
    """The hub itself, or a folder of copies of its data sets: hub, hub=FOLDER."""
    if len(sources) > 1:
        raise UsageError(f"--data takes the hub alone; got: {', '.join(sources)}", do="keep one")
    _, equals, path = sources[0].partition("=")
    if equals and not Path(path).is_dir():
        raise TaskDataError("no such folder", where=path, do="name the folder that holds the copies as OWNER/NAME")
    return Where("hub", folder=Path(path) if equals else None, columns=dict(columns))


def parse_sources(sources: Sequence[str]) -> tuple[str | None, dict[str, tuple[str, ...]]]:
    """What was typed after --data for one task as (folder, files per split); UsageError for a mixture of both."""
    folders = [source for source in sources if "=" not in source or Path(source).is_dir()]
    files: dict[str, tuple[str, ...]] = {}
    for source in sources:
        if source not in folders:
            split, _, path = source.partition("=")
            files[_split(split)] = (*files.get(_split(split), ()), path)
    if len(folders) > 1 or (folders and files):
        raise UsageError(
            f"--data takes one folder, or files as split=FILE; got: {', '.join(sources)}", do="keep one kind"
        )
    return (folders[0] if folders else None), files


def for_task(entries: Sequence[str], task: str, tasks: Sequence[str], where: str) -> tuple[str, ...]:
    """Of values that may be for one task ("mlm/sw") or for all ("de"), those of this task: its own where it has any.

    Raises UnknownName for a task that is not among `tasks`.
    """
    own: list[str] = []
    common: list[str] = []
    for entry in entries:
        named, slash, value = entry.rpartition("/")
        if slash and named not in tasks:
            raise unknown_name("task of this run", named, tasks, where=where)
        if not slash or named == task:
            (own if slash else common).append(value)
    return tuple(own or common)


def check_assigned(sources: Sequence[str], tasks: Sequence[str]) -> None:
    """Refuse files of which nobody can tell for which of several tasks they are."""
    for source in sources:
        key, equals, _ = source.partition("=")
        if equals and key in SPLIT_OF and not Path(source).is_dir():
            raise UsageError(
                f"which task is --data {source} for, of {', '.join(tasks)}?", do=f"name it: --data {tasks[0]}/{source}"
            )


def _concerning(sources: Sequence[str], task: str, tasks: Sequence[str]) -> tuple[str, ...]:
    """The sources of one task, without its name; those of no task where it has none of its own."""
    own: list[str] = []
    common: list[str] = []
    for source in sources:
        key, equals, path = source.partition("=")
        named, slash, split = key.rpartition("/")
        if not equals or Path(source).is_dir() or (not slash and key not in tasks):
            common.append(source)
        elif (named or key) not in tasks:
            raise unknown_name("task of this run", named, tasks, where=f"--data {source}")
        elif (named or key) == task:
            own.append(f"{split}={path}" if slash else path)
    return tuple(own or common)


def _split(name: str) -> str:
    if name not in SPLIT_OF:
        raise UsageError(
            f"--data {name}=...: '{name}' is no split",
            do="use train=, validation= or test= (or candidates=, where something is to be found)",
        )
    return SPLIT_OF[name]


def origin_facts(origin: Origin) -> dict[str, Any]:
    """What the manifest stores about a split: its files with rows and sha256, or the hub id and revision."""
    facts = {key: value for key, value in asdict(origin).items() if value not in (None, "", (), {})}
    facts["files"] = [{**asdict(fact), "path": str(fact.path)} for fact in origin.files]
    return facts


def subset(examples: Sequence[Example], rows: int | None, seeds: Seeds) -> list[Example]:
    """All examples, or `rows` of them drawn without replacement, in file order."""
    if rows is None or rows >= len(examples):
        return list(examples)
    chosen = sorted(seeds.python("train rows").sample(range(len(examples)), rows))
    return [examples[i] for i in chosen]

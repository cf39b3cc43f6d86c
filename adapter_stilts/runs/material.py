"""From what the user typed to where the data lies, and what has to be said of the rows it gives.

`--data` is a folder searched by release names, `split=FILE` for files of one's own, or the word `miniature`. Where a
run has several tasks, `TASK/split=FILE` and `TASK=FOLDER` are for one of them, and what names no task is for all that
have nothing of their own. Without any of it the miniature trunk reads the miniature and every other trunk reads the
hub; which one was used is written in the manifest. `hub` is the hub whatever the trunk, and `hub=FOLDER` copies of its
data sets, laid out OWNER/NAME.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import Trunk
from adapter_stilts.errors import TaskDataError, UsageError, refuse
from adapter_stilts.formats.base import Example
from adapter_stilts.registry import unknown_name
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.manifest import Manifest
from adapter_stilts.statistics.intervals import FEWEST
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.leaks import Seen, leaks_of, sentence
from adapter_stilts.tasks.reading.place import CANDIDATES, Loaded, Origin, Where

MINIATURE, HUB = "miniature", "hub"
TRUNKS = (  # what may be said after `add`
    "--trunk FacebookAI/xlm-roberta-base (1.1 GB of the hub, to train on), --trunk intfloat/multilingual-e5-base (the "
    "same size, finds translations as it is), or --trunk DIR, the folder of an XLM-R; miniature is a toy to try things"
)
# what queries are searched among is given as a split is
SPLIT_NAMES = {name: name for name in ("train", "validation", "test", CANDIDATES)}
SPLIT_NAMES |= dict.fromkeys(("dev", "valid", "val"), "validation")


def where_of(
    sources: Sequence[str], trunk: str, *, columns: Mapping[str, str], task: str = "", tasks: Sequence[str] = ()
) -> Where:
    """The place a task is read from, from what was typed after --data; raises UsageError or TaskDataError.

    task, tasks  whose place it is, and all tasks that the sources are for
    """
    mine = _concerning(sources, task, tasks)
    if any(source == HUB or source.startswith(f"{HUB}=") for source in mine):
        refuse(len(mine) > 1, f"--data takes the hub alone; got: {', '.join(mine)}", "keep one")
        _, equals, copies = mine[0].partition("=")
        if equals and not Path(copies).is_dir():
            advice = "name the folder that holds the copies as OWNER/NAME"
            raise TaskDataError("no such folder", where=copies, do=advice)
        return Where("hub", folder=Path(copies) if equals else None, columns=columns)
    folder, files = parse_sources(mine)
    if files:
        return Where("files", files=files, columns=columns)
    if folder and folder != MINIATURE:
        if not Path(folder).is_dir():
            what = "a file where a folder was expected" if Path(folder).is_file() else "no such folder"
            advice = f"name the folder that holds the task's files, or a file as --data train={folder}"
            raise TaskDataError(what, where=folder, do=advice)
        return Where("files", folder=Path(folder), columns=columns)
    return Where("miniature" if MINIATURE in (folder, trunk) else "hub", columns=columns)


def refuse_unnamed(trunk: Trunk, sources: Iterable[object], where: str = "--data") -> None:
    """Refuse to read a user's own data with a trunk that nobody named; the miniature is for its own rows.

    sources  what is read, as typed after --data or as files; "miniature" is none of the user's
    """
    own = [str(source) for source in sources if str(source).rpartition("=")[2] != MINIATURE]
    what = "no trunk is named, and which one it is decides what comes out of data of your own"
    if own and "name" not in trunk.model_fields_set:
        raise UsageError(what, where=f"{where} {' '.join(own)}".strip(), do=f"add {TRUNKS}")


def parse_sources(sources: Sequence[str]) -> tuple[str | None, dict[str, tuple[Path, ...]]]:
    """What was typed after --data for one task as (folder, files per split); UsageError for a mixture of both."""
    folders = [source for source in sources if "=" not in source or Path(source).is_dir()]
    files: dict[str, tuple[Path, ...]] = {}
    for source in sources:
        if source not in folders:
            name, _, path = source.partition("=")
            advice = "use train=, validation= or test= (or candidates=, where something is to be found)"
            refuse(name not in SPLIT_NAMES, f"--data {name}=...: '{name}' is no split", advice)
            files[SPLIT_NAMES[name]] = (*files.get(SPLIT_NAMES[name], ()), Path(path))
    what = f"--data takes one folder, or files as split=FILE; got: {', '.join(sources)}"
    refuse(len(folders) > 1 or bool(folders and files), what, "keep one kind")
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
        if equals and key in SPLIT_NAMES and not Path(source).is_dir():
            what = f"which task is --data {source} for, of {', '.join(tasks)}?"
            raise UsageError(what, do=f"name it: --data {tasks[0]}/{source}")


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


def origin_facts(origin: Origin) -> dict[str, Any]:
    """What the manifest stores about a split: its files with rows and sha256, or the hub id and revision."""
    facts = {key: value for key, value in asdict(origin).items() if value not in (None, "", (), {})}
    facts = {key: value for key, value in facts.items() if key != "limit" or value}
    facts["files"] = [{**asdict(fact), "path": str(fact.path)} for fact in origin.files]
    return facts


def said_of(origin: Origin) -> Iterator[str]:
    """What was decided of a split's files, and which of its rows are left out, in words."""
    yield from (f"{origin.task} ({origin.split}): {remark}" for remark in origin.remarks)
    for reason, number in origin.dropped.items():
        yield f"{number:,} rows of {origin.task} ({origin.split}) are left out: {reason}"


def subset(examples: Sequence[Example], rows: int | None, seeds: Seeds) -> list[Example]:
    """All examples, or `rows` of them drawn without replacement, in file order."""
    if rows is None or rows >= len(examples):
        return list(examples)
    chosen = sorted(seeds.python("train rows").sample(range(len(examples)), rows))
    return [examples[i] for i in chosen]


def first_rows(loaded: Loaded, limit: int) -> Loaded:
    """The first rows of a split. Raises UsageError where they are all of one class and the split is not: it is sorted,
    and its beginning stands for nothing."""
    some, every = loaded.first(limit), loaded.examples
    if limit >= FEWEST and loaded.format.classes and len(_classes(some)) == 1 < len(_classes(loaded)):
        what = f"the first {limit:,} of {len(every):,} rows are all labelled '{_classes(some).pop()}'"
        raise UsageError(what, where=f"--limit {limit}", do="shuffle the rows, or score more of them")
    return some


def _classes(loaded: Loaded) -> set[str]:
    return {label for example in loaded.examples for label in loaded.format.labels_of(example)}


def history(data: Iterable[Loaded], parents: Iterable[Manifest]) -> tuple[Seen, ...]:
    """The rows that a run and all it builds on were trained or selected on, and the tasks they are made of.

    The miniature is left out: it has splits of its own, by meaning, whatever task it stands for.
    """
    origins = [loaded.origin for loaded in data if loaded.origin.kind != MINIATURE]
    own = [Seen(origin.task, origin.split, origin.language, origin.parts) for origin in origins]
    return tuple(dict.fromkeys([*(row for parent in parents for row in parent.history), *own]))


def unlearned(runs: Iterable[Manifest]) -> tuple[str, ...]:
    """What is said before building on runs, or reading with them, that did not learn; nothing of controls."""
    said = []
    for run in (run for run in runs if run.control == "none" and run.unlearned):
        transfer = "; what comes of it shows nothing of transfer" if run.did_not_learn else ""
        said += [f"{run.name} did not learn {task}: {each.numbers}{transfer}" for task, each in run.unlearned.items()]
        said[-1] += run.advised
    return tuple(said)


def own_rows(row: Result, run: Manifest | None) -> Iterator[str]:
    """What is said beside a score on the very files that the run was trained or selected on."""
    splits = ("validation", "train")  # what was trained on counts where a file is both
    used = {
        file.sha256: split
        for split in splits
        for data in (run.data if run else ())
        if data.split == split
        for file in data.files
    }
    for file in row.data if isinstance(row.data, list) else ():
        split = used.get(file["sha256"], row.split)
        if split != row.split:
            trained = split == "train"
            what = "trained on: it says nothing of other rows" if trained else "selected on: others may score lower"
            yield f"{row.task} {row.language}: {Path(file['path']).name} holds rows that the run was {what}"


def validates_itself(loaded: Sequence[Loaded]) -> Iterator[str]:
    """That the validation rows of a task are its training rows."""
    sides = {(each.origin.task, each.origin.split): each.origin for each in loaded}
    for (task, split), origin in sides.items():
        train = sides.get((task, "train")) if split == "validation" and origin.files else None
        hashes = [sorted(file.sha256 for file in each.files) for each in (origin, train) if each]
        if train and train.rows == origin.rows and hashes[0] == hashes[1]:
            yield f"{task}: the validation rows are the training rows, so its score says nothing of other rows"


def leaks(task: Task, seen: Iterable[Seen]) -> tuple[str, ...]:
    """What these rows give away of the task, a sentence each."""
    return tuple(sentence(task, leak) for leak in leaks_of(task, seen))

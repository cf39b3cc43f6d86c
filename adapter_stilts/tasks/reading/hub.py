"""Data sets of the hub to examples, through `datasets`, at the revision the task names.

A folder may stand in for the hub: it holds copies of the data sets as <owner>/<name>, as `huggingface-cli download
--local-dir` makes them. `datasets` knows such a folder again by its name alone, so its files are hashed and what is
made of them is cached under their hash; the manifest lists them. Where a data set names its classes, these names say
what its numbers mean. Data sets that are scripts are refused by `datasets` >= 4; their conversion lies at the
revision refs/convert/parquet, which is read where a task names no revision and the newest one is a script. The manifest
says which was read. `task.hub=OWNER/NAME` chooses one of several data sets (tasks/user.py).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapter_stilts.data.columns import MANY
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import Row
from adapter_stilts.errors import StiltsError, TaskDataError, Unreachable, few
from adapter_stilts.files import sha256
from adapter_stilts.formats.base import Example
from adapter_stilts.formats.reading import examples_of, refuse_repeated_ids
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import all_codes, iso1, spelled, spelled_in
from adapter_stilts.tasks.reading.copies import check_files, check_header
from adapter_stilts.tasks.reading.files import languages_asked, of_language, refuse_saved
from adapter_stilts.tasks.reading.place import CANDIDATES, FileFact, Loaded, Origin, Where
from adapter_stilts.tasks.source import CONVERTED, Hub

if TYPE_CHECKING:
    from datasets import Dataset

OFFLINE_WORDS = {"1", "ON", "YES", "TRUE"}
ANSWER_SECONDS = 10
COMMIT = re.compile(r"@([0-9a-f]{40})")
UNREADABLE = (OSError, RuntimeError, ValueError, ImportError, TypeError, KeyError, AttributeError)  # as a header can be
GIVE_FILES = (
    "give the files of its original release with --data DIR (`adapter-stilts list tasks --files` prints their names)"
)


def hub_examples(task: Task, split: str, language: str, where: Where, dropped: Counter[str]) -> Loaded:
    """The rows of one split and language.

    dropped  counts the rows left out, by reason

    Raises TaskDataError for a task that is not on the hub, or a data set that cannot be read, and Unreachable where the
    network would be needed and is off or does not answer.
    """
    hub = hub_of(task, split, language, where.folder)
    loaded = _read(_Wanted(task, hub, split, _config(task, hub, language), language), where, dropped)
    return replace(loaded, examples=of_language(task, loaded.examples, language, dropped))


def hub_candidates(task: Task, split: str, where: Where) -> list[Loaded]:
    """What the queries of a split are searched among, by configuration: the one the data set keeps for it, or else its
    rows of that split in every language it has; the language is "" where several lie together. Raises as `hub_examples`
    does, for a single language that cannot be read too: a smaller pool scores higher."""
    hub = hub_of(task, split, next(iter(task.languages), task.train_language), where.folder)
    spoken: dict[str, list[str]] = {}
    for language in languages_at(hub, task):
        spoken.setdefault(_config(task, hub, language, candidates=True), []).append(language)
    named = {config: spelled(codes[0], task.languages) if len(codes) == 1 else "" for config, codes in spoken.items()}
    wanted = (_Wanted(task, hub, split, config, language, candidates=True) for config, language in named.items())
    return [_read(each, where, Counter()) for each in wanted]


def hub_of(task: Task, split: str, language: str, folder: Path | None = None) -> Hub:
    """The data set for one split and language, of several the first that has both: XTREME's own collection before
    others, which add the languages of XTREME-R. In a folder that stands in for the hub, the first whose copy is there.

    Raises TaskDataError where the hub has none, and says which splits or languages it has.
    """
    if not task.source.hubs:
        embedded = ", or read the embedded one with --data miniature" if task.source.miniature else ""
        do = f"give its files with --data DIR{embedded}"
        raise TaskDataError(f"'{task.name}' is not on the hub as a data set that can be read", do=do)
    with_split = [hub for hub in task.source.hubs if split in hub.splits]
    if not with_split:
        there = ", ".join(dict.fromkeys(split for hub in task.source.hubs for split in hub.splits))
        what = f"'{task.name}' has no {split} split on the hub; it has: {there}"
        raise TaskDataError(what, do=f"give one with --data {split}=FILE")
    fitting = [hub for hub in with_split if _serves(hub, task, language)]
    if not fitting:
        there = ", ".join(dict.fromkeys(code for hub in with_split for code in languages_at(hub, task)))
        do = f"the hub has it in: {there}; give the files of others with --data DIR"
        raise TaskDataError(f"'{task.name}' in '{language}' is on none of its data sets of the hub", do=do)
    present = [hub for hub in fitting if folder is not None and (folder / hub.id).is_dir()]
    return (present or fitting)[0]


def languages_at(hub: Hub, task: Task) -> tuple[str, ...]:
    """The languages a data set holds of a task."""
    return hub.languages or task.languages or (task.train_language,)


def _serves(hub: Hub, task: Task, language: str) -> bool:
    """Whether the data set has the language; one that names its languages by their codes may have more than those
    listed."""
    closed = bool(hub.languages) or bool(hub.codes)
    return not closed or spelled_in(language, (*languages_at(hub, task), *hub.codes)) is not None


@dataclass(frozen=True)
class _Table:
    """One split of one configuration: its rows, the revision asked for, and the files of a copy it was read from."""

    table: Dataset
    revision: str
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Wanted:
    """One split of one configuration (or of several, joined by "+"), as the rows of a language; or as what can be
    found."""

    task: Task
    hub: Hub
    split: str
    config: str
    language: str
    candidates: bool = False


def _read(wanted: _Wanted, place: Where, dropped: Counter[str]) -> Loaded:
    task, hub, split = wanted.task, wanted.hub, wanted.split
    where = f"{hub.id} {wanted.config}".strip()
    tables = [
        (part, table)
        for name in wanted.config.split("+")
        for part in hub.splits[split].split("+")
        if (table := _load(hub, part, name, place, several="+" in wanted.config)) is not None
    ]
    if not tables:
        what = f"no configuration has a {hub.splits[split]} split"
        raise TaskDataError(what, where=where, do="give its files with --data DIR")
    examples: list[Example] = []
    files: list[FileFact] = []
    remarks: list[str] = []
    for part, read in tables:
        table = read.table
        rows = (Row(f"{where}, {split}, row {number}", cells) for number, cells in enumerate(table))
        together = task.format.of_hub(rows, hub.columns, where)
        if together is not None:
            examples += together
            files += [FileFact(path, sha256(path), len(together)) for path in read.files]
            continue
        layout = replace(_layout(wanted, table, place, where), say=remarks.append)
        own = list(examples_of(rows, layout, where, dropped))
        refuse_repeated_ids(own, where)
        files += [FileFact(path, sha256(path), len(own)) for path in read.files]
        several = len(tables) > 1
        examples += [replace(row, id=f"{table.config_name}/{part}:{row.id}") for row in own] if several else own
    config = "+".join(dict.fromkeys(str(read.table.config_name) for _, read in tables))
    revision = ", ".join(dict.fromkeys(_revision(read.table, read.revision) for _, read in tables))
    name = CANDIDATES if wanted.candidates else split
    origin = Origin(task.name, name, wanted.language, "hub", tuple(files), hub.id, config, revision, len(examples))
    return Loaded(examples, replace(origin, remarks=tuple(dict.fromkeys(remarks))), task.format)


def _layout(wanted: _Wanted, table: Dataset, place: Where, where: str) -> Layout:
    task, hub, language = wanted.task, wanted.hub, wanted.language
    columns = {**(hub.columns or task.source.columns), **place.columns}
    if wanted.candidates:
        return task.layout(columns=columns, labelled=False, candidates=True, language=iso1(language))
    column = task.source.language_column
    return task.layout(
        columns=columns,
        label_names=_label_names(table, task, hub, columns, where),
        keep={column: all_codes(language)} if column in table.column_names else {},
        labelled=wanted.split != "test" and not task.source.mismatches,
        **languages_asked(task, language),
    )


def _config(task: Task, hub: Hub, language: str, *, candidates: bool = False) -> str:
    """The configuration's name, with the language as this data set spells it."""
    code = spelled_in(language, hub.codes)
    name = (candidates and hub.candidates) or hub.config
    return name.replace("{l}", hub.codes[code] if code else spelled_in(language, task.languages) or language)


def _load(hub: Hub, split: str, config: str, place: Where, *, several: bool) -> _Table | None:
    """One split of one configuration; None for one of several configurations that does not have the split.

    The rule of revisions: the one the task names; else the newest, and where that is a loading script, its conversion.
    A folder has what was downloaded there.
    """
    from datasets.exceptions import DatasetsError

    where = f"{hub.id} {config} {split}".replace("  ", " ")
    reason = "" if place.folder is not None else _unreachable(place.offline)
    revisions = [""] if place.folder is not None else [hub.revision] if hub.revision else ["", CONVERTED]
    for number, revision in enumerate(revisions, start=1):
        try:
            if place.folder is not None:
                return _copied(hub.id, split, config, place.folder, place.cache)
            table = _downloaded(hub.id, split, config, revision, place.cache, local_only=bool(reason))
            return _Table(table, revision)
        except (*UNREADABLE, DatasetsError) as error:
            if several and "unknown split" in str(error).lower():
                return None
            if not _is_script(error) or number == len(revisions):
                raise _translated(error, where, reason, revisions[:number]) from error
    raise AssertionError("a revision is always tried")


def _downloaded(
    id: str, split: str, config: str, revision: str, cache: Path | None, *, local_only: bool
) -> Dataset:
    from datasets import DownloadConfig, load_dataset  # seconds to import, and only this source needs it

    with _network(off=local_only):
        return load_dataset(
            *(id, config or None),
            split=split,
            revision=revision or None,
            cache_dir=str(cache) if cache else None,
            download_config=DownloadConfig(local_files_only=local_only),
        )


def _copied(id: str, split: str, config: str, folder: Path, cache: Path | None) -> _Table:
    """A copy in a folder, read through a cache that is named after the content of its files."""
    import datasets.config
    from datasets import load_dataset, load_dataset_builder
    from huggingface_hub.constants import HF_HUB_CACHE

    local = folder / id
    if not local.is_dir():
        do = f"download it there: huggingface-cli download --repo-type dataset {id}"
        raise TaskDataError(f"no copy of '{id}' in this folder", where=str(local), do=do)
    for saved in (local, local / config):
        refuse_saved(saved)
    check_header(local)
    base = Path(cache or datasets.config.HF_DATASETS_CACHE) / "copies"
    with _network(off=True):
        builder = load_dataset_builder(str(local), config or None, cache_dir=str(base))
        files = {name: [Path(path) for path in paths] for name, paths in (builder.config.data_files or {}).items()}
        check_files(local, (path for paths in files.values() for path in paths), Path(HF_HUB_CACHE))
        read = [local / "README.md", *(path for paths in files.values() for path in paths)]
        hashes = [f"{path} {sha256(path)}" for path in sorted(set(read)) if path.is_file()]
        content = hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]
        table = load_dataset(str(local), config or None, split=split, cache_dir=str(base / content))
    return _Table(table, "", tuple(files.get(split, ())))


def _unreachable(offline: bool) -> str:
    """Why the hub cannot be asked, "" where it can: one short question instead of the libraries' half minute of
    retries."""
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    if offline or os.environ.get("HF_HUB_OFFLINE", "").upper() in OFFLINE_WORDS:
        return "the network is off"
    try:
        get_session().head(ENDPOINT, timeout=ANSWER_SECONDS)
    except Exception:  # noqa: BLE001  of requests, httpx or httpx2: the hub's library has changed its own twice
        return "the hub does not answer"
    return ""


@contextmanager
def _network(off: bool) -> Iterator[None]:
    """The libraries' own switches, set for the time of one call; they read the environment only once, when imported."""
    import datasets.config
    import huggingface_hub.constants
    import huggingface_hub.utils

    reset: Any = getattr(huggingface_hub.utils, "reset_sessions", lambda: None)  # 1.0 reads the switch at each request
    before = (datasets.config.HF_HUB_OFFLINE, huggingface_hub.constants.HF_HUB_OFFLINE)
    datasets.config.HF_HUB_OFFLINE = huggingface_hub.constants.HF_HUB_OFFLINE = off or before[1]
    reset()
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, huggingface_hub.constants.HF_HUB_OFFLINE = before
        reset()


def _label_names(table: Dataset, task: Task, hub: Hub, wanted: Mapping[str, str], where: str) -> dict[str, str]:
    """What stands in the column of labels or tags to our labels: what is known of the data set, and over it the names
    that the data set itself gives its class numbers ("0" -> "B-PER").

    Raises TaskDataError for a name that is none of the task's labels, where the number is known by another: the data
    set numbers its classes in another way than the task says, or means something else by them.
    """
    known = {**task.source.label_names, **hub.label_names}
    if not task.format.label_field:
        return known
    assert task.format.columns is not None
    columns = task.format.columns.find(table.column_names, wanted, where)
    feature: Any = table.features.get(columns.get(task.format.label_field, ""))
    names: Sequence[str] = getattr(getattr(feature, "feature", feature), "names", None) or ()
    labels = {label.casefold(): label for label in (*known.values(), *(task.labels or ()))}
    ours: dict[str, str] = {}
    for number, name in enumerate(names):
        label = known.get(name, name)
        if label.casefold() in labels:
            ours[str(number)] = labels[label.casefold()]
        elif not task.format.classes:
            continue  # a choice is called by its number, where its name is none
        elif str(number) in known:
            what = f"the data set calls class {number} '{name}', which is no label of '{task.name}'"
            listed = f"its classes are {few(list(names), MANY)}; the task has {few(list(labels.values()), MANY)}"
            do = "describe it as a task of your own in a YAML file, with `label_names` for the names of its classes"
            raise TaskDataError(f"{what}: {listed}", where=where, do=do)
        else:
            ours[str(number)] = label
    return known | ours


def _revision(table: Dataset, asked: str) -> str:
    """What was read: the branch asked for and the commit that `datasets` downloaded, from the addresses it keeps."""
    match = COMMIT.search(" ".join(map(str, table.info.download_checksums or {})))
    return "@".join(filter(None, dict.fromkeys((asked, match[1] if match else ""))))


def _is_script(error: Exception) -> bool:
    """Whether a data set was refused because it is a program."""
    return "script" in _said(error).lower()


def _translated(error: Exception, where: str, reason: str, tried: Sequence[str]) -> StiltsError:
    """The error for one that `datasets` raised.

    reason  why the hub cannot be asked, "" where it can
    tried   the revisions asked for, "" the newest
    """
    said = _said(error) if error.__cause__ is None else f"{_said(error)} ({_said(error.__cause__)})"
    script, conversion = "the data set is a loading script, which is not run", f"its conversion (revision {CONVERTED})"
    if _is_script(error) and CONVERTED in tried:
        what, do = f"{script}: {said}; {conversion} is none that can be read either", GIVE_FILES
    elif _is_script(error):
        download = f"huggingface-cli download --repo-type dataset --revision {CONVERTED}"
        what, do = f"{script}: {said}", f"take its conversion ({download}), or {GIVE_FILES}"
    elif reason or isinstance(error, ConnectionError):
        what = f"{reason or 'the hub does not answer'} and the data set is not cached: {said}"
        do = "unset HF_HUB_OFFLINE, connect, or give the task's files with --data DIR"
        return Unreachable(what, where=where, do=do)
    elif CONVERTED in tried and len(tried) > 1:
        what, do = f"{script}, and {conversion} cannot be read: {said}", GIVE_FILES
    elif "unknown split" in said.lower() or "bad split" in said.lower():
        what = f"this configuration has no such split: {said}"
        do = "choose another split or language, or give files with --data DIR"
    else:
        what, do = f"cannot be read: {said}", f"try revision {CONVERTED} in a task file of your own, or {GIVE_FILES}"
    return TaskDataError(what, where=where, do=do)


def _said(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

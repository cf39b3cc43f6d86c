"""Data sets of the hub to examples, through `datasets`, at the revision the task names.

A folder may stand in for the hub: it holds copies of the data sets as <owner>/<name>, as `huggingface-cli download --local-dir` makes
them. Data sets that are scripts are refused by `datasets` >= 4; their conversion lies at the revision refs/convert/parquet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapter_stilts.data.examples import Example
from adapter_stilts.data.readers import examples_of
from adapter_stilts.data.tables import Row
from adapter_stilts.errors import StiltsError, TaskDataError, Unreachable
from adapter_stilts.tasks.base import Hub, Task
from adapter_stilts.tasks.fitting import layout_of
from adapter_stilts.tasks.languages import all_codes, spelled_in
from adapter_stilts.tasks.reading import of_language

if TYPE_CHECKING:
    from datasets import Dataset

CONVERTED = "refs/convert/parquet"
OFFLINE_WORDS = {"1", "ON", "YES", "TRUE"}
ANSWER_SECONDS = 10
COMMIT = re.compile(r"@([0-9a-f]{40})")


def hub_examples(
    task: Task, split: str, language: str, columns: Mapping[str, str], folder: Path | None, cache: Path | None, offline: bool
) -> tuple[list[Example], str]:
    """The rows of one split and language, and the commit they come from ("" for a folder).

    Raises TaskDataError for a task that is not on the hub, or a data set that cannot be read, and Unreachable where the network would
    be needed and is off or does not answer.
    """
    hub = task.hub
    if hub is None:
        do = "give its files with --data DIR" + (", or read the embedded one with --data miniature" if task.miniature else "")
        raise TaskDataError(f"'{task.name}' is not on the hub as a data set that can be read", do=do)
    if split not in hub.splits:
        raise TaskDataError(f"'{task.name}' has no {split} split on the hub; it has: {', '.join(hub.splits)}", do=f"give one with --data {split}=FILE")
    table = _load(hub, hub.splits[split], _config(task, hub, language), folder, cache, offline)
    where = f"{hub.id} {_config(task, hub, language)}".strip()
    layout = layout_of(
        task,
        columns={**hub.columns, **columns},
        label_names={**_class_names(table), **task.label_names, **hub.label_names},
        keep={task.language_column: all_codes(language)} if task.language_column else {},
        labelled=split != "test",
    )
    rows = (Row(f"{where}, {split}, row {number}", cells) for number, cells in enumerate(table))
    return of_language(task, list(examples_of(rows, layout, where)), language), _commit(table) or hub.revision


def _config(task: Task, hub: Hub, language: str) -> str:
    """The configuration's name, with the language as this data set spells it."""
    code = spelled_in(language, hub.codes)
    return hub.config.replace("{l}", hub.codes[code] if code else spelled_in(language, task.languages) or language)


def _load(hub: Hub, split: str, config: str, folder: Path | None, cache: Path | None, offline: bool) -> Dataset:
    from datasets import DownloadConfig, load_dataset  # seconds to import, and only this source needs it

    local = folder / hub.id if folder is not None else None
    if local is not None and not local.is_dir():
        do = f"download it there: huggingface-cli download --repo-type dataset {hub.id}"
        raise TaskDataError(f"no copy of '{hub.id}' in this folder", where=str(local), do=do)
    reason = "" if local is not None else _unreachable(offline)
    try:
        with _network(off=bool(reason) or local is not None):
            return load_dataset(
                str(local or hub.id),
                config or None,
                split=split,
                revision=None if local else hub.revision or None,
                cache_dir=str(cache) if cache else None,
                download_config=DownloadConfig(local_files_only=bool(reason)),
            )
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise _translated(error, f"{hub.id} {config} {split}".replace("  ", " "), reason) from error


def _unreachable(offline: bool) -> str:
    """Why the hub cannot be asked, "" where it can: one short question instead of the libraries' half minute of retries."""
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    if offline or os.environ.get("HF_HUB_OFFLINE", "").upper() in OFFLINE_WORDS:
        return "the network is off"
    try:
        get_session().head(ENDPOINT, timeout=ANSWER_SECONDS)
    except OSError:
        return "the hub does not answer"
    return ""


def _translated(error: Exception, where: str, reason: str) -> StiltsError:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "script" in said.lower():
        return TaskDataError(
            f"the data set is a loading script, which is not run: {said}",
            where=where,
            do=f"use its conversion (revision {CONVERTED}) in a task file of your own, or give its files with --data DIR",
        )
    if reason or isinstance(error, ConnectionError):
        what = f"{reason or 'the hub does not answer'} and the data set is not cached: {said}"
        return Unreachable(what, where=where, do="unset HF_HUB_OFFLINE, connect, or give the task's files with --data DIR")
    return TaskDataError(f"cannot be read: {said}", where=where, do=f"try revision {CONVERTED} in a task file of your own, or give its files with --data DIR")


@contextmanager
def _network(off: bool) -> Iterator[None]:
    """The libraries' own switches, set for the time of one call; they read the environment only once, when imported."""
    import datasets.config
    import huggingface_hub.constants
    from huggingface_hub.utils import reset_sessions  # type: ignore[attr-defined]

    before = (datasets.config.HF_HUB_OFFLINE, huggingface_hub.constants.HF_HUB_OFFLINE)
    datasets.config.HF_HUB_OFFLINE = huggingface_hub.constants.HF_HUB_OFFLINE = off or before[1]
    reset_sessions()
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, huggingface_hub.constants.HF_HUB_OFFLINE = before
        reset_sessions()


def _class_names(table: Dataset) -> dict[str, str]:
    """Class numbers to names for the one column of the data set that has such ("0" -> "B-PER"); none where several do."""
    found: list[list[str]] = []
    for feature in table.features.values():
        inner: Any = getattr(feature, "feature", feature)
        if hasattr(inner, "names"):
            found.append(inner.names)
    return {str(number): name for number, name in enumerate(found[0])} if len(found) == 1 else {}


def _commit(table: Dataset) -> str:
    """The commit that `datasets` downloaded, from the addresses it keeps."""
    sources = " ".join(map(str, table.info.download_checksums or {}))
    match = COMMIT.search(sources)
    return match[1] if match else ""

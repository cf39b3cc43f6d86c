"""What has to be said beside a score.

Which rows were left out, what stands in for what, what a run has seen of a target's test data or of its language, and
which language adapter read it.

Every manifest holds it, every row of results carries what concerns it, and cards and tables print it under the scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adapter_stilts.runs.language_stacks import ENGLISH, OWN, Stacks
from adapter_stilts.sharing.manifest import Manifest
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import iso1, same_language
from adapter_stilts.tasks.leaks import Seen, leaks_of, sentence
from adapter_stilts.tasks.reading.place import Loaded, Origin

BOTH = "the source language's, on both sides"


def substitutions(data: Iterable[Loaded]) -> tuple[str, ...]:
    """Where the rows read differ from the published set-up, each sentence once."""
    return tuple(dict.fromkeys(note for loaded in data for note in loaded.origin.substitutions))


def history(data: Iterable[Loaded], parents: Sequence[Manifest]) -> tuple[Seen, ...]:
    """The rows that a run and all it builds on were trained or selected on, and the tasks they are made of.

    The miniature is left out: it has splits of its own, by meaning, whatever task it stands for.
    """
    origins = (loaded.origin for loaded in data)
    own = [Seen(one.task, one.split, one.language, one.parts) for one in origins if one.kind != "miniature"]
    return tuple(dict.fromkeys([*(row for parent in parents for row in parent.history), *own]))


def leaks(task: Task, seen: Iterable[Seen]) -> tuple[str, ...]:
    """What these rows give away of the task, a sentence each."""
    return tuple(sentence(task, leak) for leak in leaks_of(task, seen))


def dropped(data: Iterable[Loaded]) -> tuple[str, ...]:
    """How many rows of each split were left out and why, a sentence each."""
    notes = []
    for loaded in data:
        origin = loaded.origin
        notes += [
            f"{number:,} rows of {origin.task} ({origin.split}) are left out: {reason}"
            for reason, number in origin.dropped.items()
        ]
    return tuple(notes)


def beside(origin: Origin) -> dict[str, Any]:
    """What a row of results says of the rows it was scored on; nothing where there is nothing to say."""
    return {"substitutions": list(origin.substitutions)} if origin.substitutions else {}


def with_facts(rows: Sequence[Result], seen: Mapping[str, Sequence[str]], stacks: Stacks | None = None) -> list[Result]:
    """The rows with "seen", the tasks learned in the row's language, and "language_adapter", where there are any."""
    noted = []
    for row in rows:
        adapter = adapter_facts(row, stacks)
        tasks = {task for language, names in seen.items() if same_language(language, row.language) for task in names}
        if "note" not in adapter and adapter.get("language") == iso1(row.language):
            tasks.add(adapter["task"])
        noted.append(row.with_notes(seen=sorted(tasks), language_adapter=adapter))
    return noted


def adapter_facts(row: Result, stacks: Stacks | None) -> dict[str, Any]:
    """The language adapter reading a row, {} for none: of a pair's foreign side, under "target" of its English one."""
    if stacks is None or not stacks.source.adapter:
        return {}
    if not row.retrieval:
        return dict(stacks.reading(row.language).adapter)
    if row.settings.get("language_adapters") != OWN:
        return {**stacks.source.adapter, "note": BOTH}
    return {**stacks.reading(row.language).adapter, "target": dict(stacks.reading(ENGLISH).adapter)}

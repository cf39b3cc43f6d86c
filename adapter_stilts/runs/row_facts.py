"""What a score needs beside its number to be read rightly: whether training has seen its language, and which language adapter read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapter_stilts.runs.language_stacks import ENGLISH, OWN, Stacks
from adapter_stilts.tasks.languages import iso1, same_language

BOTH = "the source language's, on both sides"


def with_facts(rows: Sequence[Mapping[str, Any]], seen: Mapping[str, Sequence[str]], stacks: Stacks | None = None) -> list[dict[str, Any]]:
    """The rows with "seen", the tasks learned in the row's language, and "language_adapter", what read it; each only where there is one."""
    found = []
    for row in rows:
        adapter = adapter_facts(row, stacks)
        tasks = {task for language, names in seen.items() if same_language(language, row["language"]) for task in names}
        if "note" not in adapter and adapter.get("language") == iso1(row["language"]):
            tasks.add(adapter["task"])
        found.append({**row, **({"seen": sorted(tasks)} if tasks else {}), **({"language_adapter": adapter} if adapter else {})})
    return found


def adapter_facts(row: Mapping[str, Any], stacks: Stacks | None) -> dict[str, Any]:
    """The language adapter that reads a row of results: of a pair's foreign side, and under "target" of its English one; {} where there is none."""
    if stacks is None or not stacks.source.adapter:
        return {}
    own = row["settings"].get("language_adapters") == OWN
    if not row.get("retrieval"):
        return dict(stacks.reading(row["language"]).adapter)
    if not own:
        return {**stacks.source.adapter, "note": BOTH}
    return {**stacks.reading(row["language"]).adapter, "target": dict(stacks.reading(ENGLISH).adapter)}

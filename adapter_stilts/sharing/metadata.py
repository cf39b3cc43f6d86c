"""What a card says to machines, in the words of the hub: metadata in YAML; and how text of a manifest is shown.

---
base_model: FacebookAI/xlm-roberta-base
library_name: adapter-stilts
license: apache-2.0
model-index: [{name: nli-1, results: [{task: ..., dataset: ..., metrics: [{type: accuracy, value: 61.0}]}]}]
---
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapter_stilts.encoder.kinds import kinds as known_kinds
from adapter_stilts.errors import one_line
from adapter_stilts.sharing.manifest import Manifest
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import tasks
from adapter_stilts.tasks.languages import iso1

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
LANGUAGE = re.compile(r"[a-z]{2,3}")
LICENCE_NAME = re.compile(r"[\w.+-]+")
LICENCE = re.compile(rf"^license: ['\"]?({LICENCE_NAME.pattern})['\"]?$", re.MULTILINE)
UNDETERMINED = ("und", "mul")
STILTS = "intermediate tasks: Phang et al. (2018), https://arxiv.org/abs/1811.01088"
LONGEST = 1000  # characters of a text that is shown


class Shown(str):
    """Text that was made ready to be shown."""

    __slots__ = ()


def in_markdown(value: object) -> object:
    """Text without what would end a cell or a span of code, open a link or a tag, or move a terminal's cursor."""
    if not isinstance(value, str) or isinstance(value, Shown):
        return value
    text = one_line(value[:LONGEST])
    for char, instead in (("<", "&lt;"), ("`", "'"), ("|", "\\|"), ("[", "\\[")):
        text = text.replace(char, instead)
    return Shown(text)


def shell(text: str) -> str:
    """A word of a command line; what is not printable is left out, and so nothing ends the line."""
    return Shown(shlex.quote("".join(filter(str.isprintable, text[:LONGEST]))))


def metadata(manifest: Manifest, rows: Sequence[Result], licence: str, kinds: Sequence[str]) -> dict[str, Any]:
    """The metadata of a card; what is not known is left out."""
    trunk = manifest.trunk
    learned = [name for name in manifest.task.split(",") if name]
    languages = [iso1(code) for code in (*manifest.language.split(","), *(row.language for row in rows))]
    languages = sorted({code for code in languages if LANGUAGE.fullmatch(code) and code not in UNDETERMINED})
    facts: dict[str, Any] = {"library_name": "adapter-stilts"}
    if HUB_ID.fullmatch(trunk.name) and trunk.source != "folder":
        facts |= {"base_model": trunk.name, "base_model_relation": "adapter"}
    facts |= {"license": licence} if licence else {}
    facts |= {"language": languages} if languages else {}
    hubs = sorted({data.hub for data in manifest.data if HUB_ID.fullmatch(data.hub)})
    facts |= {"datasets": hubs} if hubs else {}
    facts["tags"] = list(filter(None, dict.fromkeys(["adapter-stilts", "adapter", *kinds, manifest.format, *learned])))
    scores = [_score(manifest, row) for row in rows if row.headline]
    facts |= {"model-index": [{"name": manifest.name, "results": scores}]} if scores else {}
    lines: dict[str, Any] = _in_lines(facts)
    return lines


def citation(manifest: Manifest, kinds: Sequence[str]) -> list[str]:
    """The papers behind a run: the method, its kinds of adapter, its tasks."""
    lines = [STILTS] if manifest.parents else []
    lines += [f"{kind}: {known_kinds[kind].paper}" for kind in kinds if kind in known_kinds]
    named = [tasks[name] for name in manifest.task.split(",") if name in tasks]
    lines += [f"{task.name}: {task.source.paper}" for task in named if task.source.paper]
    return [*lines, "adapter-stilts, the toolkit that made this bundle"]


def read_licence(card: Path) -> str:
    """The licence of the weights that a card's metadata names, "" where it names none."""
    try:
        with card.open(encoding="utf-8") as stream:
            text = stream.read(1 << 20)
    except (OSError, UnicodeDecodeError):
        return ""
    _, begins, rest = text.partition("---\n")
    found = LICENCE.search(rest.partition("\n---")[0]) if begins and text.startswith("---\n") else None
    return found[1] if found else ""


def _score(manifest: Manifest, row: Result) -> dict[str, Any]:
    """A row of results in the hub's form; scores are percent, as its pages show them."""
    hub = next((data.hub for data in manifest.data if data.hub and data.task == row.task), row.task)
    settings = {name: row.settings[name] for name in ("layer", "pool", "margin", "k") if name in row.settings}
    dataset = {"name": row.task, "type": hub, "config": row.language, "split": row.split}
    metric: dict[str, Any] = {"type": row.metric, "name": row.metric, "value": round(100 * row.score, 2)}
    metric |= {"args": {"n": row.n, "protocol": row.protocol, **settings}}
    if row.interval:
        metric["args"]["interval"] = [round(100 * end, 2) for end in row.interval]
    task = {"type": "sentence-similarity" if row.retrieval else manifest.format, "name": row.task}
    return {"task": task, "dataset": dataset, "metrics": [metric]}


def _in_lines(value: Any) -> Any:
    """The same with every text in one line, so that none of them ends the metadata."""
    if isinstance(value, dict):
        return {key: _in_lines(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_in_lines(each) for each in value]
    return one_line(value[:LONGEST]) if isinstance(value, str) else value

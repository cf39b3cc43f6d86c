"""The model card: what the run is, on what it was trained, how good it is, under which licence, and how to use it.

It travels with the bundle, so it names files without the folders they lay in on this machine. What a manifest says is
text: nothing of it ends a table's cell, opens a link or a tag, or reaches a terminal as a command to it. The card tells
of the choices of sweeps, which are kept beside it:

    sweep/tatoeba.json    every setting that was tried with its score on dev, the choice and why, test, how often test
                          was read; sealed
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from adapter_stilts.config.places import last_name
from adapter_stilts.config.yaml_text import dump
from adapter_stilts.errors import shown
from adapter_stilts.files import write_text
from adapter_stilts.sharing.bundle import DescribedAdapter, read_description
from adapter_stilts.sharing.manifest import NO_HEAD, DataFacts, Manifest
from adapter_stilts.sharing.metadata import LONGEST, Shown, citation, in_markdown, metadata, read_licence, shell
from adapter_stilts.sharing.sealed import CHECKSUM, read_sealed
from adapter_stilts.statistics.result import Result, remarks

CARD = "README.md"


def write_card(
    folder: Path,
    manifest: Manifest,
    rows: Sequence[Result],
    *,
    licence: str = "",
    where: str = "",
    sweeps: Path | None = None,
) -> None:
    """Write README.md.

    rows     those of results.json
    licence  of the weights; "" is the one that the card had before, if any
    where    what `adapter-stilts pull` takes; "" where it is not known
    sweeps   the run whose sweeps are told of; None: the folder itself
    """
    told = [read_sweep(path) for path in sorted(((sweeps or folder) / "sweep").glob("*.json"))]
    kinds = [read_description(path, "adapter") for path in sorted((folder / "adapter").glob("*.json"))]
    named = list(dict.fromkeys(part.kind for part in kinds if isinstance(part, DescribedAdapter)))
    known = licence or read_licence(folder / CARD)
    write_text(folder / CARD, card(manifest, rows, told, licence=known, kinds=named, where=where))


def read_sweep(path: Path) -> dict[str, Any]:
    """The record of a sweep; ArtefactError where it was changed."""
    record = read_sealed(path, "the record of a sweep", do="remove it and sweep again")
    return {name: value for name, value in record.items() if name != CHECKSUM}


def card(
    manifest: Manifest,
    rows: Sequence[Result],
    sweeps: Sequence[dict[str, Any]] = (),
    *,
    licence: str = "",
    kinds: Sequence[str] = (),
    where: str = "",
) -> str:
    """The card as Markdown under its metadata in YAML, without scores of the first rows alone.

    sweeps  the records of settings that were chosen
    """
    rows = [row for row in rows if not row.partial]
    trunk, file = manifest.trunk.name, manifest.task_file
    folder = manifest.trunk.source == "folder" or Path(trunk).is_absolute() or trunk.startswith((".", "~"))
    name = shell(manifest.name)
    text = _template().render(
        m=manifest,
        rows=rows,
        remarks=remarks(rows),
        majority=any("majority" in row.notes for row in rows),
        sweeps=sweeps,
        what=_what(manifest),
        trunk=last_name(trunk) if folder else trunk,
        task=last_name(file) if file else manifest.task,
        duration=_duration(manifest.seconds),
        metadata=Shown(f"---\n{dump(metadata(manifest, rows, licence, kinds))}---\n\n"),
        licence=licence,
        kinds=kinds,
        first=Shown(f"adapter-stilts pull {shell(where)} -o {name}" if where else f"adapter-stilts info {name}"),
        named=" --trunk DIR" if folder else "",
        trunk_word=', trunk="DIR"' if folder else "",
        citation=citation(manifest, kinds),
    )
    return shown(text)


@functools.cache
def _template() -> jinja2.Template:
    options: dict[str, Any] = {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "keep_trailing_newline": True}
    environment = jinja2.Environment(autoescape=False, finalize=in_markdown, **options)
    environment.filters |= {"percent": _percent, "metric": _metric, "source": _source, "shell": shell}
    environment.filters |= {"interval": _interval, "capitalised": lambda text: text[:1].upper() + text[1:]}
    environment.filters |= {"python": _python}
    return environment.from_string(Path(__file__).with_name("card.md.j2").read_text(encoding="utf-8"))


def _what(manifest: Manifest) -> str:
    """The first sentence's subject."""
    task, parents = _code(manifest.task), " and ".join(_code(parent.name) for parent in manifest.parents)
    sentences = {
        "direct": f"An adapter and a head for {task}",
        "sequential": f"An adapter and a head for {task} that starts from the weights of {parents}",
        "stack": f"An adapter and a head for {task} on top of {parents}",
        "joint": "One adapter, and a head each, for " + " and ".join(_code(task.task) for task in manifest.tasks),
        "fuse": f"A fusion of {parents} and a head for {task}",
        "merge": f"An adapter and a head for {task} that starts from the merged weights of {parents}",
    }
    if manifest.merge is not None and manifest.merge.head:  # merged, and nothing trained after that
        head = "" if manifest.merge.head == NO_HEAD else f", with a head for {task}"
        return Shown(f"An adapter merged of {parents} by {manifest.merge.method}{head}")
    return Shown(sentences.get(manifest.how, f"A run for {task} after {parents}"))


def _source(origin: DataFacts) -> str:
    """Where rows came from: their files by name, a hub id, or the miniature."""
    if origin.files:
        files = ((in_markdown(Path(file.path).name), file.rows, _code(file.sha256[:12])) for file in origin.files)
        return Shown("; ".join(f"{name}, {rows:,} rows, sha256 {hash}" for name, rows, hash in files))
    rows = f", {origin.rows:,} rows" if origin.rows else ""
    rows += f", sha256 {_code(origin.rows_sha256[:12])}" if origin.rows_sha256 else ""
    if origin.kind == "hub":
        revision = f" at revision {_code(origin.revision)}" if origin.revision else ""
        return Shown(f"{_code(origin.hub)} on the hub{revision}{rows}")
    return Shown(f"the embedded {in_markdown(origin.kind)}{rows}")


def _python(text: str) -> str:
    """A text as Python writes it."""
    return Shown(json.dumps("".join(filter(str.isprintable, text[:LONGEST]))))


def _code(text: str) -> str:
    return f"`{in_markdown(text)}`"


def _metric(row: Result) -> str:
    """A metric, and for retrieval the settings it was read with."""
    settings = row.settings if row.retrieval else {}
    shown = [f"{name}={settings[name]}" for name in ("layer", "pool", "margin", "k") if name in settings]
    shown += ["centred"] if settings.get("centring") else []
    return " ".join([row.metric, *shown, *([f"({settings['sweep']} by sweep)"] if "sweep" in settings else [])])


def _percent(score: float) -> str:
    return f"{100 * score:.1f}"


def _interval(interval: Sequence[float] | None) -> str:
    return f"{_percent(interval[0])} to {_percent(interval[1])}" if interval else ""


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

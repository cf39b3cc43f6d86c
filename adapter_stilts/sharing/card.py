"""The model card: what the run is, on what it was trained, how good it is, under which licence, and how to use it.

It travels with the bundle, so it names files without the folders they lay in on this machine. It tells of the choices
of sweeps, which are kept beside it:

    sweep/tatoeba.json    every setting that was tried with its score on dev, the choice and why, test, how often test
                          was read; sealed
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from adapter_stilts.errors import one_line, shown
from adapter_stilts.files import write_text
from adapter_stilts.sharing.manifest import DataFacts, Manifest
from adapter_stilts.sharing.sealed import CHECKSUM, read_sealed
from adapter_stilts.statistics.result import LIMIT, Result, remarks


def write_card(folder: Path, manifest: Manifest, rows: Sequence[Result]) -> None:
    """Write README.md. rows: those of results.json."""
    sweeps = [read_sweep(path) for path in sorted((folder / "sweep").glob("*.json"))]
    write_text(folder / "README.md", card(manifest, rows, sweeps))


def read_sweep(path: Path) -> dict[str, Any]:
    """The record of a sweep; ArtefactError where it was changed."""
    record = read_sealed(path, "the record of a sweep", do="remove it and sweep again")
    return {name: value for name, value in record.items() if name != CHECKSUM}


def card(manifest: Manifest, rows: Sequence[Result], sweeps: Sequence[dict[str, Any]] = ()) -> str:
    """The card as Markdown. sweeps: the records of settings that were chosen."""
    trunk, file = manifest.trunk.name, manifest.task_file
    text = _template().render(
        m=manifest,
        rows=rows,
        remarks=remarks(rows),
        majority=any("majority" in row.notes for row in rows),
        sweeps=sweeps,
        what=_what(manifest),
        # a hub id or "miniature" as it is, of a folder the last part
        trunk=Path(trunk).name if Path(trunk).is_absolute() or trunk.startswith((".", "~")) else trunk,
        task=Path(file).name if file else manifest.task,
        duration=_duration(manifest.seconds),
    )
    return shown(text)


@functools.cache
def _template() -> jinja2.Template:
    options: dict[str, Any] = {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "keep_trailing_newline": True}
    environment = jinja2.Environment(autoescape=False, **options)
    environment.filters["cell"] = lambda value: one_line(str(value)).replace("|", "\\|")  # it does not end its cell
    environment.filters |= {"percent": _percent, "metric": _metric, "source": _source, "shell": shlex.quote}
    environment.filters |= {"interval": _interval, "capitalised": lambda text: text[:1].upper() + text[1:]}
    return environment.from_string(Path(__file__).with_name("card.md.j2").read_text(encoding="utf-8"))


def _what(manifest: Manifest) -> str:
    """The first sentence's subject."""
    task, parents = f"`{manifest.task}`", " and ".join(f"`{parent.name}`" for parent in manifest.parents)
    sentences = {
        "direct": f"An adapter and a head for {task}",
        "sequential": f"An adapter and a head for {task} that starts from the weights of {parents}",
        "stack": f"An adapter and a head for {task} on top of {parents}",
        "joint": "One adapter, and a head each, for " + " and ".join(f"`{task.task}`" for task in manifest.tasks),
        "fuse": f"A fusion of {parents} and a head for {task}",
    }
    return sentences.get(manifest.how, f"A run for {task} after {parents}")


def _source(origin: DataFacts) -> str:
    """Where rows came from: their files by name, a hub id, or the miniature."""
    if origin.files:
        shown = ((Path(file.path).name, file.rows, file.sha256[:12]) for file in origin.files)
        return "; ".join(f"{name}, {rows:,} rows, sha256 `{hash}`" for name, rows, hash in shown)
    rows = f", {origin.rows:,} rows" if origin.rows else ""
    rows += f", sha256 `{origin.rows_sha256[:12]}`" if origin.rows_sha256 else ""
    if origin.kind == "hub":
        revision = f" at revision `{origin.revision}`" if origin.revision else ""
        return f"`{origin.hub}` on the hub{revision}{rows}"
    return f"the embedded {origin.kind}{rows}"


def _metric(row: Result) -> str:
    """A metric, and for retrieval the settings it was read with; whether it is of a part of the rows."""
    settings = row.settings if row.retrieval else {}
    shown = [f"{name}={settings[name]}" for name in ("layer", "pool", "margin", "k") if name in settings]
    shown += ["centred"] if settings.get("centring") else []
    shown += [f"(first {row.settings[LIMIT]:,} rows)"] if row.partial else []
    return " ".join([row.metric, *shown, *([f"({settings['sweep']} by sweep)"] if "sweep" in settings else [])])


def _percent(score: float) -> str:
    return f"{100 * score:.1f}"


def _interval(interval: Sequence[float] | None) -> str:
    return f"{_percent(interval[0])} to {_percent(interval[1])}" if interval else ""


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

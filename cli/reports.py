"""`report` and `replay`: what studies and runs came to, as a file; and a study made again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from . import progress, render
from .options import DataOption, JsonOption, TrunkOption, option

PATHS = "Folders of studies (or their study.json) and of finished runs; a part each."
OUT = "The file: .html, or its tables as .md, .tex or .csv."
MANIFEST = "A study's folder, or its study.json alone."
AGAIN = "Where it is made again; by default studies/NAME-again."
JOBS = "Stages at once, each in a process of its own; 1 does them one after another."
SHOWN = 20  # differences; all are in --json
WIDEST = 24  # characters of a value that is shown: enough to tell a hash


def report(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN|STUDY", help=PATHS)],
    out: Annotated[Path, option("-o --out", "FILE", OUT)],
    overwrite: Annotated[bool, option("--overwrite", None, "Replace a FILE that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write what studies and runs came to, as one file for people.

    HTML is one offline file without scripts: an answer in a paragraph, the grid as a heat map with verdicts, languages
    by family and script, layers, attention, learning curves, costs, provenance. .csv has the first table; each of
    the others lies beside it.

    \b
    Examples:
      adapter-stilts report studies/miniature -o miniature.html
      adapter-stilts report runs/nli runs/xcopa-direct -o runs.md
    """
    from adapter_stilts.reports import verb

    document = verb.report(paths, out, overwrite=overwrite)
    if as_json:
        render.document(document)
    else:
        render.say("\n".join(document["files"]))


def replay(
    manifest: Annotated[Path, typer.Argument(metavar="STUDY", help=MANIFEST)],
    trunk: TrunkOption = None,
    data: DataOption = None,
    jobs: Annotated[int, option("--jobs", "N", JOBS, min=1)] = 1,
    out: Annotated[Path | None, option("-o --out", "DIR", AGAIN)] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a study again from its study.json, and say where it differs.

    Stage by stage: trunk, data and weights by their hashes, every score; versions and device where they are others.
    Exit code 0 where all is equal, 6 where it is not. What is done in DIR already is not done again. --trunk and
    --data say where they lie now.

    \b
    Example:
      adapter-stilts replay studies/miniature -o studies/miniature-again
    """
    from adapter_stilts.studies import replay as library

    sources, told = tuple(data or ()), progress.reporter()
    document = library.replay(manifest, out=out, jobs=jobs, report=told, trunk=trunk, data=sources)
    if as_json:
        render.document(document)
    else:
        _table(document)
    if not document["equal"]:
        raise library.difference(document)


def _table(document: Mapping[str, Any]) -> None:
    counts = {state: count for state, count in document["counts"].items() if count}
    render.say(f"stages: {', '.join(f'{count} {state}' for state, count in counts.items())}")
    rows = [
        (stage["stage"], stage["state"], one["what"], _short(one["recorded"]), _short(one["now"]))
        for stage in document["stages"]
        for one in stage["differences"]
    ]
    if rows:
        render.table("\nwhat is not as it was", ("stage", "", "what", "recorded", "now"), rows[:SHOWN])
    if len(rows) > SHOWN:
        render.say(f"and {len(rows) - SHOWN} more, which --json shows")
    cells = [
        (*(entry[name] for name in ("intermediate", "how", "target")), *map(_short, entry["gain"]), *entry["verdict"])
        for entry in document["entries"]
    ]
    if cells:
        names = ("intermediate", "how", "target", "gain", "gain now", "verdict", "verdict now")
        render.table("\ncells of the table that differ", names, cells)
    render.say(f"study  {document['out']}")


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "none" if value is None else str(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."

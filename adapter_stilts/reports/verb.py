"""`report`: studies and runs to one file, in the form its name ends in.

report([Path("studies/paper")], Path("paper.html"))
{"reports": [{"kind": "study", "name": "paper", ...}], "files": ["paper.html"]}
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapter_stilts.errors import UsageError, refuse
from adapter_stilts.files import write_text
from adapter_stilts.reports.html import html
from adapter_stilts.reports.page import Part
from adapter_stilts.reports.parts import part_of
from adapter_stilts.reports.text_forms import csv, latex, markdown

FORMS = {".html": html, ".md": markdown, ".tex": latex}
TABLES = ".csv"


def report(paths: Sequence[Path], out: Path, *, overwrite: bool = False) -> dict[str, Any]:
    """Write what studies and runs came to; returns what `--json` prints.

    paths  folders of studies or their study.json, and of finished runs
    out    .html, .md, .tex, or .csv, which holds the first table; each of the others lies beside it

    Raises UsageError for another ending or a file that is there, MissingError or ArtefactError as the readers do.
    """
    refuse(not paths, "nothing to report on", "name a study's folder, or a finished run's")
    if out.suffix not in (*FORMS, TABLES):
        raise UsageError(f"a report ends in {', '.join([*FORMS, TABLES])}", where=str(out), do="name another with -o")
    files = _files([part_of(path) for path in paths], out)
    for file in files:
        if file.exists() and not overwrite:
            raise UsageError("there is a file of that name", where=str(file), do="name another, or add --overwrite")
    for file, text in files.items():
        write_text(file, text)
    return {"files": [str(file) for file in files], "results": []}


def _files(parts: Sequence[Part], out: Path) -> dict[Path, str]:
    """What is written where."""
    if form := FORMS.get(out.suffix):
        return {out: form(parts)}
    first, *others = csv(parts).items()
    return {out: first[1], **{out.with_name(f"{out.stem}.{name}{TABLES}"): text for name, text in others}}

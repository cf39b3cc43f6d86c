"""`info` of a run, or of a bundle that is one .zip: from what it says of itself, without reading a weight."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from adapter_stilts.errors import ArtefactError
from adapter_stilts.exchange.archive import open_archive
from adapter_stilts.exchange.contents import DISTRUST, check_names, copy
from adapter_stilts.runs import inspect
from adapter_stilts.sharing.manifest import CONFIG, MANIFEST, RESULTS
from adapter_stilts.sharing.sealed import LARGEST


def info(path: Path) -> dict[str, Any]:
    """The document of `info --json`; raises MissingError or ArtefactError."""
    if path.suffix.lower() != ".zip" or path.is_dir():
        return inspect.info(path)
    with open_archive(path) as files, tempfile.TemporaryDirectory() as held:
        names = files.names()
        check_names(names, files.where)
        if MANIFEST not in names:
            raise ArtefactError(f"no bundle: there is no {MANIFEST}", where=files.where, do=DISTRUST)
        for name in (name for name in (MANIFEST, CONFIG, RESULTS) if name in names):
            copy(files, name, Path(held), LARGEST)
        document = inspect.info(Path(held), {name: files.size(name) for name in names})
    return document | {"run": str(path)}

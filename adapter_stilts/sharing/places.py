"""Where things lie on this machine: the trunk under a run, and the files its rows were read from.

    places.json    {"trunk": "/data/xlmr", "files": {"9f86...": "/data/nli/train.tsv"}}

A run's folder keeps it; a bundle leaves it behind, and so may a copy of the folder: all that it says can be said again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapter_stilts.config.places import last_name
from adapter_stilts.errors import MissingError
from adapter_stilts.files import from_json, read_bytes, write_json
from adapter_stilts.sharing.manifest import TrunkFacts

PLACES = "places.json"
SNAPSHOT = re.compile(r"models--(?P<owner>[\w.-]+?)--(?P<name>[\w.-]+)/snapshots/(?P<revision>[0-9a-f]{40})$")


def remember(folder: Path, *, trunk: str = "", files: Mapping[str, str] | None = None) -> None:
    """Add to what a run knows of this machine. trunk: a folder; files: sha256 -> where a file of these bytes lies."""
    known = _read(folder)
    absolute = {sha: str(Path(path).resolve()) for sha, path in (files or {}).items()}
    more = {"trunk": str(Path(trunk).expanduser().resolve()) if trunk else known["trunk"]}
    more |= {"files": {**known["files"], **absolute}}
    if more != known:
        write_json(folder / PLACES, more)


def files_of(folder: Path) -> dict[str, str]:
    """sha256 -> where a file of these bytes lay."""
    return dict(_read(folder)["files"])


def trunk_place(folder: Path, facts: TrunkFacts) -> str:
    """What the trunk of a run is called on this machine: "miniature", a hub id, or its folder.

    Raises MissingError for a folder that is not known here.
    """
    place = known_trunk(folder) or (facts.name if facts.source != "folder" else "")
    if place:
        return place
    what = f"the run's trunk is not here: '{facts.name}' was a folder, {facts.layers} layers of width {facts.hidden}"
    what += f", fingerprint {facts.fingerprint}"
    advice = "name the folder that holds it with --trunk DIR; its weights are compared"
    raise MissingError(what, where=str(folder), do=advice)


def known_trunk(folder: Path) -> str:
    """The folder of a run's trunk where one is known and there, else ""."""
    place = str(_read(folder)["trunk"])
    return place if place and Path(place).is_dir() else ""


def named(trunk: str, revision: str) -> dict[str, Any]:
    """A trunk as a bundle names it: name, revision and source. revision: of the hub, "" for a folder."""
    if revision or trunk == "miniature":
        return {"name": trunk, "revision": revision or None, "source": "hub" if revision else "miniature"}
    if cached := SNAPSHOT.search(str(Path(trunk).expanduser().absolute())):  # a folder of the hub's own cache
        return {"name": f"{cached['owner']}/{cached['name']}", "revision": cached["revision"], "source": "hub"}
    return {"name": last_name(trunk), "revision": None, "source": "folder"}


def _read(folder: Path) -> dict[str, Any]:
    """What is known; nothing where the file is absent or is none."""
    try:
        known = from_json(read_bytes(folder / PLACES))
        trunk, files = known["trunk"], known["files"]
        if isinstance(trunk, str) and all(isinstance(path, str) for path in files.values()):
            return {"trunk": trunk, "files": files}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return {"trunk": "", "files": {}}

"""Where a bundle goes or comes from, from what was typed: a folder, a .zip, or a repository of the hub.

    place("hf:juno/nli-sw@v1")     Repository("juno/nli-sw", "v1")
    place("shared/nli.zip")        Archive(Path("shared/nli.zip"))
    place("shared/nli")            Folder(Path("shared/nli"))

A repository always begins with "hf:", so that no folder can be taken for one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from adapter_stilts.errors import UsageError

HUB = "hf:"
FETCHED = ".fetched"  # in an unfinished folder: what came from the hub so far, as it came
ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
REVISION = re.compile(r"[\w][\w./-]*")


@dataclass(frozen=True)
class Repository:
    """A repository of the hub. revision: a commit, branch or tag; "" for the newest."""

    id: str
    revision: str = ""

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{HUB}{self.id}{f'@{self.revision}' if self.revision else ''}"


@dataclass(frozen=True)
class Archive:
    """A .zip file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class Folder:
    """A folder on this machine."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.resolve().name

    def __str__(self) -> str:
        return str(self.path)


Place: TypeAlias = Repository | Archive | Folder


def place(typed: str, revision: str = "") -> Place:
    """What was typed; UsageError for what begins as a repository and is none, or a revision of what has none."""
    if not typed.startswith(HUB):
        if revision:
            what = "a revision is of a repository on the hub, and this is a place on this machine"
            raise UsageError(what, where=typed, do=f"leave --revision out, or write {HUB}OWNER/NAME")
        return Archive(Path(typed)) if typed.lower().endswith(".zip") else Folder(Path(typed))
    id, _, at = typed.removeprefix(HUB).lstrip("/").partition("@")
    revision = revision or at
    right = ID.fullmatch(id) and ".." not in id and "--" not in id
    if not right or (revision and not (REVISION.fullmatch(revision) and ".." not in revision)):
        do = f"write {HUB}OWNER/NAME or {HUB}OWNER/NAME@REVISION"
        raise UsageError(f"no repository of the hub: '{typed}'", do=do)
    return Repository(id, revision)

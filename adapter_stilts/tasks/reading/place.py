"""Where rows are read from, and what was read, as values: Where, and Loaded with its Origin for the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from adapter_stilts.formats.base import Example, Format

Kind = Literal["miniature", "files", "hub"]
CANDIDATES = "candidates"  # in the place of a split: what queries are searched among


@dataclass(frozen=True)
class Where:
    """Where to read from.

    folder   files: searched for release names; hub: a folder that holds copies of the data sets as <owner>/<name>
    files    split -> files of the user's own; they are read whatever they are called
    columns  our field -> the files' column, over those of the task
    mark     names what is made of these rows, where other rows of the split and language have the plain names; ""
    offline  hub: only what is cached
    cache    hub: the folder of the cache, None for the usual one
    """

    kind: Kind = "files"
    folder: Path | None = None
    files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    mark: str = ""
    offline: bool = False
    cache: Path | None = None


@dataclass(frozen=True)
class FileFact:
    """A file that was read: where, its bytes, and how many examples it gave."""

    path: Path
    sha256: str
    rows: int


@dataclass(frozen=True)
class Origin:
    """What was read, for the manifest.

    dropped        rows left out, by reason
    parts          the tasks whose rows these are, where the task is made of several
    mark           see Where
    limit          how many of the rows were kept, the first ones; 0 for all
    multiword      how a treebank's multi-word tokens were read, "" for anything else
    substitutions  where these rows differ from the published set-up, in words
    remarks        what was decided of the files (columns, a scheme of tags), in words
    """

    task: str
    split: str
    language: str
    kind: Kind
    files: tuple[FileFact, ...] = ()
    hub: str = ""
    config: str = ""
    revision: str = ""
    rows: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    mark: str = ""
    limit: int = 0
    multiword: str = ""
    substitutions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """How the names of files begin that are made of it."""
        return f"{self.split}-{self.named}"

    @property
    def named(self) -> str:
        """The language, with the mark and the limit where there are any."""
        limit = f"first{self.limit}" if self.limit else ""
        return ".".join(filter(None, (self.language, self.mark, limit)))


@dataclass(frozen=True)
class Loaded:
    """The examples of one split and language, and where they came from; a mining task gives one Pools."""

    examples: list[Example]
    origin: Origin
    format: Format[Any]

    def first(self, limit: int) -> Loaded:
        """The first rows alone; the same where there are no more than that."""
        if len(self.examples) <= limit:
            return self
        return replace(self, examples=self.examples[:limit], origin=replace(self.origin, limit=limit))

    @property
    def sides(self) -> tuple[Sequence[str], Sequence[str]]:
        """The foreign and the English sentences, where these are compared."""
        return self.format.sides(self.examples)

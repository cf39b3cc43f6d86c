"""What a bundle is made of: the files of a run that travel, each a description, weights, scores or the card.

    manifest.json config.yaml identity.json task.yaml    what the run says of itself
    adapter/ fusion/ head/                               weights and their descriptions
    results.json README.md                               scores; the card

Checkpoints, predictions, vectors, the log of steps and the places of this machine stay behind.
"""

from __future__ import annotations

import hashlib
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from adapter_stilts.config.load import dump
from adapter_stilts.config.places import last_name, travelling
from adapter_stilts.errors import ArtefactError
from adapter_stilts.files import disk_errors, open_file, sha256, write_text
from adapter_stilts.runs.folder import config_of
from adapter_stilts.runs.results import read_results, write_results
from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.sharing.card import CARD, write_card
from adapter_stilts.sharing.manifest import (
    CONFIG,
    MANIFEST,
    METRICS,
    RESULTS,
    VERSION,
    DataFacts,
    Manifest,
    TrunkFacts,
    write_manifest,
)
from adapter_stilts.sharing.places import PLACES, named
from adapter_stilts.sharing.sealed import unreadable

SAID = (MANIFEST, RESULTS, CARD)  # what the manifest cannot list: itself, and what changes after it
DISTRUST = "do not use it; ask whoever made it to push the run again"
AT_ONCE = 1 << 20  # bytes
SHOWN = 60  # characters of a name


class Source(Protocol):
    """Files that someone offers, by name, with the size that is said of each."""

    where: str

    def names(self) -> list[str]: ...
    def size(self, name: str) -> int: ...
    def pieces(self, name: str) -> Iterator[bytes]: ...


def stage(run: Path, into: Path, *, licence: str, where: str) -> Manifest:
    """Lay a run's bundle into an empty folder; returns its manifest.

    licence  of the weights, "" where none is given
    where    what `pull` will be told

    Raises what `load_bundle` raises; DoesNotFit on a full disk.
    """
    bundle, rows = load_bundle(run), read_results(run)
    listed = {name: sha for name, sha in bundle.manifest.files.items() if name != METRICS}
    with disk_errors(into):
        for name in listed:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run / name, into / name)
    manifest = without_places(bundle.manifest)
    if manifest != bundle.manifest and CONFIG in listed:
        (into / CONFIG).unlink()
        write_text(into / CONFIG, dump(travelling(config_of(run), manifest.trunk.name)))
        files = {**bundle.manifest.files, CONFIG: sha256(into / CONFIG)}
        manifest = manifest.model_copy(update={"files": files})
    if rows:
        write_results(into, rows)
        (into / PLACES).unlink(missing_ok=True)
    write_card(into, manifest, rows, licence=licence, where=where, sweeps=run)
    return write_manifest(into, manifest)


def without_places(manifest: Manifest) -> Manifest:
    """A manifest of this version, which names no place; one that is is left as it is, checksum and all."""
    if manifest.version == VERSION:
        return manifest
    trunk = manifest.trunk.model_copy(update=named(manifest.trunk.name, manifest.trunk.revision or ""))
    parents = tuple(parent.model_copy(update={"folder": ""}) for parent in manifest.parents)
    changed = {"version": VERSION, "parents": parents, "data": tuple(map(_data, manifest.data))}
    changed |= {"trunk": TrunkFacts.model_validate(trunk.model_dump())}
    changed |= {"task_file": last_name(manifest.task_file) if manifest.task_file else ""}
    return manifest.model_copy(update=changed)


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse names that lead out of a folder, and two that some system takes for one."""
    for name in names:
        parts = name.split("/")
        plain = name.isprintable() and "\\" not in name and not PurePosixPath(name).is_absolute()
        if not plain or any(part in ("", ".", "..") for part in parts):
            what = f"it holds {name[:SHOWN]!r}, which cannot be a file of a bundle"
            raise ArtefactError(what, where=where, do=DISTRUST)
    folded = [unicodedata.normalize("NFC", name).casefold() for name in names]
    if twice := sorted(name for name, count in Counter(folded).items() if count > 1):
        raise ArtefactError(f"it holds '{twice[0]}' twice", where=where, do=DISTRUST)


def check_listed(names: Sequence[str], manifest: Manifest, where: str) -> list[str]:
    """The files to take, the small ones that tell of the large ones first; ArtefactError for one that is not listed,
    or is and is not there."""
    wanted = set(manifest.files) - {METRICS}
    if more := sorted(set(names) - wanted - {*SAID, METRICS}):
        do = "push the run instead of its folder: `adapter-stilts push RUN WHERE`, or do not use it"
        raise ArtefactError(f"it holds '{more[0]}', which its manifest does not list", where=where, do=do)
    if missing := sorted(wanted - set(names)):
        raise ArtefactError(f"'{missing[0]}' is not there, and its manifest lists it", where=where, do="fetch it again")
    there = [name for name in names if name not in (MANIFEST, METRICS)]
    return sorted(there, key=lambda name: (name.endswith(".safetensors"), name))


def copy(files: Source, name: str, work: Path, most: int) -> str:
    """One file into the folder, at most so many bytes of it; returns its sha256.

    Raises ArtefactError where it is larger, or says it is.
    """
    said, digest, written = files.size(name), hashlib.sha256(), 0
    if said <= most:
        target = work / name
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as stream:
                for content in files.pieces(name):
                    digest.update(content)
                    written += stream.write(content)
                    if written > most:
                        break
    if max(said, written) > most:
        (work / name).unlink(missing_ok=True)
        what = f"'{name}' has {max(said, written):,} bytes, and what is told of it needs {most:,} at most"
        raise ArtefactError(what, where=files.where, do=DISTRUST)
    return digest.hexdigest()


def pieces_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file on this machine."""
    try:
        with open_file(path) as stream:
            while content := stream.read(AT_ONCE):
                yield content
    except OSError as error:
        raise unreadable(error, path) from error


def _data(data: DataFacts) -> DataFacts:
    files = tuple(file.model_copy(update={"path": last_name(file.path)}) for file in data.files)
    return data.model_copy(update={"files": files}) if files else data

"""`pull`: a bundle from the hub, a .zip or a folder to a folder here, every byte of it verified before it is one.

    pull("hf:juno/nli-sw@v1")        runs/nli-sw

It is put together in a folder beside its own (".nli-sw.unfinished") and renamed when it is whole, so that nobody meets
half of one; the same command goes on with what came before. Nothing of it is run or unpickled: descriptions are read as
data, and tell how large each file of weights may be before it is taken.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapter_stilts.environment import RUNS
from adapter_stilts.errors import ArtefactError, MissingError, UsageError
from adapter_stilts.exchange.archive import open_archive
from adapter_stilts.exchange.contents import DISTRUST, Source, check_listed, check_names, copy, pieces_of
from adapter_stilts.exchange.places import FETCHED, HUB, Archive, Folder, Place, place
from adapter_stilts.files import disk_errors, sha256
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.folder import LOCK, locked
from adapter_stilts.runs.results import read_results
from adapter_stilts.sharing.bundle import load_bundle, most_bytes, read_description
from adapter_stilts.sharing.card import CARD
from adapter_stilts.sharing.manifest import MANIFEST, Manifest, read_manifest
from adapter_stilts.sharing.sealed import LARGEST

LARGEST_CARD = 1 << 20


def pull(where: str, *, out: Path | None, revision: str = "", report: Reporter) -> dict[str, Any]:
    """Take a bundle; returns the document of `pull --json`.

    Raises MissingError or Unreachable where there is none, ArtefactError for one that is not as it should be,
    UsageError where something else lies in its place, DoesNotFit on a full disk.
    """
    source = place(where, revision)
    folder = out or RUNS / source.name
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        return _there_already(source, folder, report)
    work = folder.parent / f".{folder.name}.unfinished"
    with disk_errors(work):
        work.mkdir(parents=True, exist_ok=True)
    try:
        with locked(work), _files(source, work) as files:
            manifest = _take(files, work, report)
    except ArtefactError:
        _remove(work)  # nothing of it is of use
        raise
    with disk_errors(folder):
        for name in (LOCK, FETCHED):
            _remove(work / name)
        os.replace(work, folder)
    return _document(files.where, folder, manifest, new=True)


def _take(files: Source, work: Path, report: Reporter) -> Manifest:
    """Every file of the bundle into the folder, verified; what is there already and right stays."""
    names = files.names()
    check_names(names, files.where)
    if MANIFEST not in names:
        do = "name what `adapter-stilts push` made"
        raise ArtefactError(f"no bundle: there is no {MANIFEST}", where=files.where, do=do)
    copy(files, MANIFEST, work, LARGEST)
    manifest = read_manifest(work)
    wanted = check_listed(names, manifest, files.where)
    with report.progress(f"pulling {manifest.name[:60]}") as progress:
        for number, name in enumerate(wanted, start=1):
            expected = manifest.files.get(name)
            if expected is None or not ((work / name).is_file() and sha256(work / name) == expected):
                got = copy(files, name, work, _most(name, work))
                if expected not in (None, got):
                    (work / name).unlink()
                    what = f"'{name}' is not the file that its manifest lists: its sha256 is {got[:12]}..."
                    raise ArtefactError(what, where=files.where, do=DISTRUST)
            progress(number, len(wanted))
    for path in sorted(work.rglob("*"), reverse=True):  # of an earlier try, at another commit
        name = path.relative_to(work).as_posix()
        if path.is_file() and name not in (*wanted, MANIFEST, LOCK) and not name.startswith(f"{FETCHED}/"):
            path.unlink()
    load_bundle(work)
    read_results(work)
    return manifest


def _most(name: str, work: Path) -> int:
    """How many bytes a file may have: weights what the tensors that are told of need, texts what a person writes."""
    if not name.endswith(".safetensors"):
        return LARGEST_CARD if name == CARD else LARGEST
    described = (work / name).with_suffix(".json")
    if not described.is_file():
        raise ArtefactError(f"the manifest lists {name} without its description", where=str(work), do=DISTRUST)
    return most_bytes(read_description(described, name.split("/")[0]))


class _Lying:
    """The files of a folder; links are not followed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.where = folder, str(folder)

    def names(self) -> list[str]:
        found = []
        for path in sorted(self._folder.rglob("*")):
            name = path.relative_to(self._folder).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                what = f"'{name[:60]}' is a link or a device, not a file"
                raise ArtefactError(what, where=self.where, do=DISTRUST)
            found += [name] if path.is_file() else []
        return found

    def size(self, name: str) -> int:
        return (self._folder / name).stat().st_size

    def pieces(self, name: str) -> Iterator[bytes]:
        return pieces_of(self._folder / name)


@contextmanager
def _files(source: Place, work: Path) -> Iterator[Source]:
    if isinstance(source, Archive):
        with open_archive(source.path) as archived:
            yield archived
    elif isinstance(source, Folder):
        if not source.path.is_dir():
            what = "a file where a folder was expected" if source.path.exists() else "no such folder"
            do = f"name a folder or a .zip; a repository of the hub is written {HUB}OWNER/NAME"
            raise MissingError(what, where=str(source), do=do)
        yield _Lying(source.path)
    else:
        from adapter_stilts.exchange.hub import Fetched  # huggingface_hub takes a second to import

        yield Fetched(source, work)


def _there_already(source: Place, folder: Path, report: Reporter) -> dict[str, Any]:
    """What lies in the place is this bundle, or the command is refused."""
    other = f"name another folder with -o, or move {folder} away"
    if not folder.is_dir():
        raise UsageError("a file where the bundle's folder should be", where=str(folder), do=other)
    with tempfile.TemporaryDirectory() as held:
        offered = Path(held)
        with _files(source, offered) as files:
            if MANIFEST in files.names():
                copy(files, MANIFEST, offered, LARGEST)
            try:
                manifest = read_manifest(folder)
                same = read_manifest(offered).checksum == manifest.checksum
            except MissingError:
                same = False
            if not same:
                raise UsageError("something else lies in the place of the bundle", where=str(folder), do=other)
            load_bundle(folder)
            report.say(f"{folder} holds this bundle already; nothing to do")
            return _document(files.where, folder, manifest, new=False)


def _document(where: str, folder: Path, manifest: Manifest, *, new: bool) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    facts = {"run": str(folder), "from": where, "checksum": manifest.checksum, "new": new, "bytes": size}
    trunk = manifest.trunk.model_dump(mode="json", include={"name", "revision", "fingerprint", "source"})
    return {**facts, "task": manifest.task, "composition": manifest.composition, "trunk": trunk}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

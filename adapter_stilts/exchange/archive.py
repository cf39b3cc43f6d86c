"""A bundle as one .zip: written with the same bytes for the same bundle, read as an archive that anyone may have made.

Files are stored as they are, under a fixed date, the manifest first: float32 weights do not compress, and what is not
compressed cannot unpack to more than it is. Archives that were compressed by hand are read too, within limits.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapter_stilts.errors import ArtefactError, MissingError
from adapter_stilts.exchange.contents import AT_ONCE, DISTRUST
from adapter_stilts.files import atomic_write
from adapter_stilts.sharing.manifest import MANIFEST
from adapter_stilts.sharing.sealed import LARGEST, unreadable

DATE = (1980, 1, 1, 0, 0, 0)  # the first that the form knows
MOST_FILES = 10_000
DENSEST = 100  # bytes that a compressed one may stand for, beside LARGEST of text; deflate's own limit is 1032
# what reading a damaged or lying archive may end in
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
READ = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def write_archive(folder: Path, path: Path) -> None:
    """All files of a folder as one .zip; it appears whole or not at all."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    with atomic_write(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(names, key=lambda name: (name != MANIFEST, name)):
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            entry.file_size = (folder / name).stat().st_size
            with (folder / name).open("rb") as source, archive.open(entry, "w") as target:
                while content := source.read(1 << 20):
                    target.write(content)


class Archived:
    """The files of a .zip, and what each says it unpacks to; nothing is unpacked before it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive, self.where = archive, str(path)
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(archive.infolist()) > MOST_FILES:
            self._refuse(f"it holds {len(archive.infolist()):,} files")
        for entry in entries:
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                self._refuse(f"{entry.filename[:60]!r} is a link or a device, not a file")
            if entry.flag_bits & 1:
                self._refuse(f"{entry.filename[:60]!r} is encrypted")
            if entry.compress_type not in READ:
                self._refuse(f"{entry.filename[:60]!r} is compressed in a way that bundles are not")
        said, held = sum(entry.file_size for entry in entries), path.stat().st_size
        if said > LARGEST + DENSEST * held:
            self._refuse(f"{held:,} bytes that would unpack to {said:,}: an archive made to fill the disk")
        # an archive of a folder, as people make it, holds that folder
        tops = {entry.filename.partition("/")[0] for entry in entries}
        inside = len(tops) == 1 and all("/" in entry.filename for entry in entries)
        top = f"{tops.pop()}/" if inside else ""
        self._entries = [(entry.filename.removeprefix(top), entry) for entry in entries]

    def names(self) -> list[str]:
        return [name for name, _ in self._entries]

    def size(self, name: str) -> int:
        """Bytes that it says it is."""
        return dict(self._entries)[name].file_size

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a file; ArtefactError where they cannot be unpacked, as where the headers lie."""
        try:
            with self._archive.open(dict(self._entries)[name]) as stream:
                while content := stream.read(AT_ONCE):
                    yield content
        except BROKEN as error:
            what = f"'{name}' cannot be unpacked: {error}"
            raise ArtefactError(what, where=self.where, do="fetch it again") from error

    def _refuse(self, what: str) -> None:
        raise ArtefactError(what, where=self.where, do=DISTRUST)


@contextmanager
def open_archive(path: Path) -> Iterator[Archived]:
    """A .zip to read from; MissingError where it is not there, ArtefactError where it is none."""
    if not path.is_file():
        raise MissingError("no such file", where=str(path), do="name a .zip that `adapter-stilts push` made")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise ArtefactError(f"not a whole .zip file: {error}", where=str(path), do="fetch it again") from error
    except OSError as error:
        raise unreadable(error, path) from error
    with archive:
        yield Archived(archive, path)

"""A copy of a data set, in a folder that somebody else may have filled: it names no file outside itself.

`datasets` follows what the header of README.md says, to any path and onto the network, so the header is read here
first, and what was found is looked at before any of it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import yaml

from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import read_bytes

HEADERS = ("README.md", ".huggingface.yaml")
FRONT = re.compile(r"\A\s*---[\r\n]+(.*?)[\r\n]+---(?:[\r\n]|\Z)", re.DOTALL)
LARGEST = 1 << 23  # bytes of a header
NAMING = ("data_files", "data_dir")  # keys of a configuration under which files are named
DO = "download the data set again, or correct the header of its README.md"


def check_header(local: Path) -> None:
    """Raises TaskDataError for a header that names what is outside the copy, or is none."""
    for path in (local / name for name in HEADERS):
        if not path.exists():
            continue
        text = read_bytes(path).decode("utf-8", "replace")
        front = FRONT.match(text) if path.suffix == ".md" else None
        header = front[1] if front else text if path.suffix == ".yaml" else ""
        try:
            document = yaml.safe_load(header) if len(header) <= LARGEST else None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise TaskDataError("the header is not valid YAML", where=str(path), do=DO) from error
        for name in _named(document):
            if re.search("://|::", name) or name.startswith(("/", "~")) or ".." in PurePosixPath(name).parts:
                raise TaskDataError(f"the header names what is outside the copy: {name}", where=str(path), do=DO)


def check_files(local: Path, files: Iterable[Path], trusted: Path) -> None:
    """Raises TaskDataError for a file that lies elsewhere, or is none. trusted: the hub's cache, for links."""
    for path in files:
        real = path.resolve()
        if not (real.is_relative_to(local.resolve()) or real.is_relative_to(trusted.resolve())):
            raise TaskDataError("a link leads out of the copy", where=str(path), do=DO)
        if not path.is_file():
            raise TaskDataError("a pipe or a device where a file was expected", where=str(path), do=DO)


def _named(document: object) -> Iterator[str]:
    """What a header says of files: texts, lists of them, by split and path."""
    configs = document.get("configs") if isinstance(document, Mapping) else None
    listed = [each for each in configs if isinstance(each, Mapping)] if isinstance(configs, list) else []
    found = [each.get(key) for each in listed for key in NAMING]
    seen: set[int] = set()
    while found:
        value = found.pop()
        if isinstance(value, str):
            yield value
        elif id(value) not in seen:
            seen.add(id(value))
            found += value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else []

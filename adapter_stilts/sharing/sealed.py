"""JSON that notices a changed byte: a document that carries the hash of all else in it and is written in one form only.

write_sealed(path, {"results": [...]})             {"results": [...], "checksum": "9f86..."}
read_sealed(path, "results.json", do="...")        ArtefactError where a single byte differs from what was written
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapter_stilts.errors import ArtefactError
from adapter_stilts.files import from_json, read_bytes, write_bytes

CHECKSUM = "checksum"
LARGEST = 1 << 26  # bytes of a document


def write_sealed(path: Path, fields: Mapping[str, Any]) -> str:
    """Write a document and return its checksum. ValueError for a number that JSON does not have (nan, infinity)."""
    digest = checksum(fields)
    write_bytes(path, _bytes({**_rest(fields), CHECKSUM: digest}))
    return digest


def read_sealed(path: Path, noun: str, *, do: str) -> dict[str, Any]:
    """The fields of a document, its checksum among them; ArtefactError where a byte is not as it was written."""
    try:
        content = small(path)
    except OSError as error:
        raise unreadable(error, path) from error
    try:
        fields = from_json(content)
        whole = isinstance(fields, dict) and fields.get(CHECKSUM) == checksum(fields) and _bytes(fields) == content
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"{noun} is damaged: {' '.join(str(error).split())}", where=str(path), do=do) from error
    if not whole:
        what = f"{noun} does not match its checksum: it was changed or damaged after it was written"
        raise ArtefactError(what, where=str(path), do=do)
    return dict(fields)


def small(path: Path) -> bytes:
    """The bytes of a text that says what something is; ArtefactError for one that is larger than any such text."""
    if path.stat().st_size > LARGEST:
        what = f"{path.stat().st_size:,} bytes, where a description of some kB was expected"
        raise ArtefactError(what, where=str(path), do="fetch it again")
    return read_bytes(path)


def checksum(fields: Mapping[str, Any]) -> str:
    """The sha256 of a document without its checksum, in hexadecimal."""
    return hashlib.sha256(_bytes(_rest(fields))).hexdigest()


def unreadable(error: OSError, path: Path) -> ArtefactError:
    """The error for a file that is there and cannot be read: nothing says it is damaged, so it is not removed."""
    what = f"cannot read: {error.strerror or error}"
    return ArtefactError(what, where=str(path), do="check the file and its permissions")


def _rest(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != CHECKSUM}


def _bytes(fields: Mapping[str, Any]) -> bytes:
    """The one form; half characters (a path that is no UTF-8) become JSON's own escapes."""
    text = json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace")

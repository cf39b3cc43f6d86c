"""What a case of `same_numbers.py` has left, as values under "file key": the two sides are then compared key by key.

runs/nli/adapter/nli.safetensors encoder.layer.0.output.adapters.adapter_up.bias     {"dtype": "F32", ...} a00baf56...
runs/nli/results.json results.xnli own de test accuracy b14d.score                  0.3566666666666667
02 eval runs/nli stdout line 3                                   xnli  own  de  accuracy  33.3  28.3 to 39.0  300  a
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

# What differs between two runs of one checkout, or follows from a configuration's fingerprint: patterns, and why.
IGNORED = {
    "*seconds": "time",
    "*sentences_per_second": "time",
    "*peak_memory*": "memory",
    "*planned_peak_bytes": "memory",
    "*limit_bytes": "the memory of this machine",
    "*metrics_bytes": "the length of a file with times in it",
    "* versions.*": "versions of packages",
    "* device": "the machine",
    "*checksum": "of a text with times or names in it",
    "*state.json sha256": "of the document itself",
    "* stages.*.parents.*": "checksums of manifests, which hold times",
    "?? info * stdout bytes": "a folder's size, its times included",
    "*vectors_sha256": "of a ledger with a path in it",
    "*ledger.jsonl *.sha256": "of lines with a path in them",
    "* files.*.json": "hash of a document that is compared itself",
    "* files.*.jsonl": "hash of a document that is compared itself",
    "* files.*.yaml": "hash of a document that is compared itself",
}
NAMES = (  # (pattern, replacement) in texts and in the names of files
    # a fingerprint and the checksum of a manifest, which holds times
    (re.compile(r"\b[0-9a-f]{8} [0-9a-f]{64}\b"), "RUN"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "#"),
    (re.compile(r"/\S*/(adapter_stilts(_cli|_configs)?/)"), r"\1"),
    (re.compile(r"\bseconds=[0-9.e-]+"), "seconds=TIME"),
    (re.compile(r"took .* on .* threads?, .* at most"), "took TIME and MEMORY"),
    (re.compile(r"^(seconds|sentences_per_second|peak_memory|limit_bytes)\b.*", re.MULTILINE), r"\1"),
)
ERROR = re.compile(r"^[A-Z]\w+: .*", re.MULTILINE | re.DOTALL)
ROW = ("task", "protocol", "language", "split", "metric")  # what a score is of; its settings come with it

Plain = Callable[[str], str]  # a text without what differs between two folders
Facts = dict[str, list[str]]  # "file key" -> its values, sorted: files whose names differ by a fingerprint share a key


def facts(folder: Path) -> Facts:
    """All that a case has left, as values under "file key"."""
    done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
    places = ((f"{done['folder']}/work", "."), (done["checkout"], "CHECKOUT"))

    def plain(text: str) -> str:
        for place, name in places:
            text = text.replace(place, name)
        for pattern, name in NAMES:
            text = pattern.sub(name, text)
        return text

    values_of: Facts = {}

    def add(name: str, values: Iterator[tuple[str, str]]) -> None:
        for key, value in values:
            key = plain(f"{name} {key}")
            if not any(fnmatchcase(key, pattern) for pattern in IGNORED):
                values_of.setdefault(key, []).append(value)

    for number, (command, code) in enumerate(zip(done["commands"], done["codes"], strict=True)):
        name = f"{number:02d} {' '.join(command.split()[:2])}"
        add(name, iter([("exit code", str(code))]))
        said = [(folder / "said" / f"{number:02d}{suffix}").read_text(encoding="utf-8") for suffix in (".out", ".err")]
        add(f"{name} stdout", _document(said[0], plain))
        if code:
            error = ERROR.search(said[1])  # above it may be progress, with times
            add(f"{name} stderr", _lines(plain(error[0] if error else said[1])))
    for path in sorted((folder / "work").rglob("*")):
        name = str(path.relative_to(folder / "work"))
        if path.is_file() and name not in done["given"] and "logs" not in path.parts and path.name != ".lock":
            add(name, _contents(path, plain))
    return {key: sorted(values) for key, values in values_of.items()}


def _contents(path: Path, plain: Plain) -> Iterator[tuple[str, str]]:
    """The values in a file. Predictions and tables are compared as they are, documents by what they say."""
    content = path.read_bytes()
    text = content.decode(errors="replace")
    if path.suffix == ".tsv" or "predictions" in path.parts:
        yield "bytes", _digest(content)
        yield from _lines(text)
    elif path.suffix in (".json", ".md", ".txt"):
        yield from _document(text, plain)
    elif path.suffix == ".jsonl":
        for number, line in enumerate(text.splitlines()):
            yield from _document(line, plain, f"{number}.")
    elif path.suffix in (".yaml", ".yml"):
        yield from _leaves(yaml.safe_load(text), plain, "")
    else:
        yield "bytes", _digest(content)
        yield from _tensors(content) if path.suffix == ".safetensors" else ()


def _tensors(content: bytes) -> Iterator[tuple[str, str]]:
    """Type, shape and hash of every tensor of a safetensors file: eight bytes of length, a JSON header, the data."""
    start = 8 + int.from_bytes(content[:8], "little")
    for name, entry in json.loads(content[8:start]).items():
        first, last = entry.pop("data_offsets", (0, 0))
        yield name, f"{json.dumps(entry)} {_digest(content[start + first : start + last])}"


def _document(text: str, plain: Plain, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The values of a JSON document, or the lines of any other text."""
    try:
        return _leaves(json.loads(text), plain, prefix)
    except ValueError:
        return _lines(plain(text))


def _leaves(value: Any, plain: Plain, prefix: str) -> Iterator[tuple[str, str]]:
    """ "a.b.0" and the value there, for every value of a document; a score in a list is told by what it is of."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, plain, f"{prefix}{key}.")
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, plain, f"{prefix}{_label(inner, plain) or number}.")
    else:
        yield prefix[:-1], plain(value) if isinstance(value, str) else json.dumps(value)


def _label(row: Any, plain: Plain) -> str:
    if not isinstance(row, dict) or not {"task", "metric", "score"} <= row.keys():
        return ""
    settings = plain(json.dumps(row.get("settings"), sort_keys=True))
    return " ".join((*(str(row[name]) for name in ROW if name in row), _digest(settings.encode())[:4]))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    return ((f"line {number}", line) for number, line in enumerate(text.split("\n"), 1))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

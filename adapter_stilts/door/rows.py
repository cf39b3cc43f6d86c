"""What people hold in Python (lists of dictionaries, frames, data sets) as plain rows, and as files that are named by
their content.

    source([{"text": "Guten Morgen.", "label": "greeting"}], Path("runs"))      runs/rows/rows-1a2b3c4d.jsonl

Everything below reads files, and a run says of each what it was and its sha256; rows in memory are therefore written
once, where the runs lie.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.files import write_bytes

ROWS = "rows"  # their folder, where the runs lie
LONGEST_PATH = 1024


def sources(data: Any, runs: Path) -> list[str] | None:
    """What `--data` takes, of what was given as `data`: a folder or "split=FILE" as typed, several of them, or a
    dictionary from a split to a file or rows; rows alone are the training rows."""
    if data is None:
        return None
    if isinstance(data, str | Path):
        return [str(data)]
    if isinstance(data, Mapping):
        splits = [(split, held) for split, of_split in data.items() for held in _files(of_split)]
        return [f"{split}={source(held, runs)}" for split, held in splits]
    if isinstance(data, Sequence) and data and all(isinstance(each, str | Path) for each in data):
        return [str(each) for each in data]
    return [f"train={source(data, runs)}"]


def source(rows: Any, runs: Path) -> Path:
    """A path as it is; rows as a file of JSON lines."""
    if isinstance(rows, str | Path):
        return Path(rows)
    lines = []
    for number, row in enumerate(plain_rows(rows)):
        cells = {"text": row} if isinstance(row, str) else row
        try:
            lines.append(json.dumps(cells, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        except (TypeError, ValueError) as error:
            what = f"a cell that is no text, number, list or dictionary: {error}"
            raise TaskDataError(what, where=f"row {number}", do="make it text first") from error
    if not lines:
        raise TaskDataError("no rows", do="give at least one")
    content = b"".join(lines)
    path = runs / ROWS / f"rows-{hashlib.sha256(content).hexdigest()[:16]}.jsonl"
    if not path.is_file():
        write_bytes(path, content)
    return path


def path_or_rows(rows: Any) -> Path | Iterator[dict[str, Any] | str]:
    """A path as it is, and rows one by one. Raises TaskDataError for a text that is no path."""
    if not isinstance(rows, str | Path):
        return plain_rows(rows)
    path = Path(rows)
    if isinstance(rows, str) and not (len(rows) < LONGEST_PATH and path.exists()):
        raise TaskDataError("no such file", where=f"{rows:.80}", do='check the path; write ["..."] for a text')
    return path


def plain_rows(rows: Any) -> Iterator[dict[str, Any] | str]:
    """Dictionaries, or lines of text, of a list of them, a pandas frame or a `datasets.Dataset`; class numbers of the
    latter become their names."""
    if hasattr(rows, "column_names") and hasattr(rows, "features"):
        features = dict(rows.features or {})
        yield from ({name: _named(cell, features.get(name)) for name, cell in row.items()} for row in rows)
    elif hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        yield from ({str(name): _plain(cell) for name, cell in row.items()} for row in rows.to_dict("records"))
    elif isinstance(rows, Iterable) and not isinstance(rows, Mapping | bytes):
        for number, row in enumerate(rows):
            if not isinstance(row, str | Mapping):
                what = f"a row is a dictionary or a line of text, not {type(row).__name__}"
                raise TaskDataError(what, where=f"row {number}", do="give dictionaries with named columns")
            yield row if isinstance(row, str) else {str(name): _plain(cell) for name, cell in row.items()}
    else:
        what = f"rows were expected, not {type(rows).__name__}"
        raise UsageError(what, do="give a path, a list of dictionaries, a data set or a frame")


def _files(held: Any) -> list[Any]:
    """The files of one split, or its rows as one."""
    several = isinstance(held, list | tuple) and held and all(isinstance(each, Path) for each in held)
    return list(held) if several else [held]


def _named(cell: Any, feature: Any) -> Any:
    """A cell of a data set, with the names of its classes in the place of their numbers; -1 is no class."""
    inner = getattr(feature, "feature", None)
    if inner is not None and isinstance(cell, list | tuple):
        return [_named(each, inner) for each in cell]
    if (names := getattr(feature, "names", None)) and isinstance(cell, int):
        return names[cell] if 0 <= cell < len(names) else None
    return _plain(cell)


def _plain(cell: Any) -> Any:
    """A cell as JSON has it: NumPy's numbers and arrays as Python's, what is missing (NaN, NaT, NA) as None."""
    if isinstance(cell, str | bool | int) or cell is None:
        return cell
    if isinstance(cell, Mapping):
        return {str(name): _plain(each) for name, each in cell.items()}
    if isinstance(cell, list | tuple):
        return [_plain(each) for each in cell]
    if isinstance(cell, Path):
        return str(cell)
    if hasattr(cell, "tolist"):
        return _plain(cell.tolist())
    missing = type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and cell != cell)
    return None if missing else cell

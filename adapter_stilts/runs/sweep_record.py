"""What a sweep leaves in a folder, and what is read back of it.

    sweep/tatoeba.json    every setting that was tried with its score on dev, the choice and why, test, how often test
                          was read; sealed
    sweep/tatoeba.yaml    the choice as a configuration: `eval`, `encode` and `mine` take it with --config

The model card of a run names its choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapter_stilts.config import yaml_text
from adapter_stilts.files import write_text
from adapter_stilts.sharing.sealed import CHECKSUM, read_sealed, write_sealed

FOLDER = "sweep"
AGAIN = "remove it and sweep again"


def read_sweep(folder: Path, task: str) -> dict[str, Any] | None:
    """The last sweep of a task in this folder. Raises ArtefactError where it was changed."""
    path = _path(folder, task)
    if not path.is_file():
        return None
    record = read_sealed(path, "the record of a sweep", do=AGAIN)
    return {name: value for name, value in record.items() if name != CHECKSUM}


def read_sweeps(folder: Path) -> list[dict[str, Any]]:
    """All of a folder, by task."""
    records = [read_sweep(folder, path.stem) for path in sorted((folder / FOLDER).glob("*.json"))]
    return [one for one in records if one is not None]


def write_sweep(folder: Path, record: Mapping[str, Any], configuration: Mapping[str, Any]) -> Path:
    """Write both files; returns the configuration's path."""
    path = _path(folder, record["task"])
    config = path.with_suffix(".yaml")
    head = f"# Chosen by `adapter-stilts sweep` for {record['task']}: {record['reason']}.\n"
    write_text(config, head + yaml_text.dump(dict(configuration)))
    write_sealed(path, record)
    return config


def _path(folder: Path, task: str) -> Path:
    return folder / FOLDER / f"{task}.json"

"""What study.json says of an earlier command; read without anything that a dry run need not wait for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapter_stilts.errors import ArtefactError

STUDY = "study.json"


def recorded(out: Path) -> dict[str, dict[str, Any]]:
    """The record of every stage by its key, {} where there is no study yet; ArtefactError for a damaged file."""
    path = out / STUDY
    if not path.is_file():
        return {}
    try:
        return {record["key"]: record for record in json.loads(path.read_bytes())["stages"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{STUDY} is damaged", where=str(path), do="remove it: finished runs are found again") from error

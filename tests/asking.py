"""What to evaluate, for tests: the configuration's defaults, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig, Trunk
from adapter_stilts.runs.subject import Request

KEYS = {
    "trunk": "trunk.name",
    "precision": "trunk.precision",
    "languages": "evaluation.languages",
    "protocol": "evaluation.protocol",
    "head": "evaluation.head",
    "language_adapters": "evaluation.language_adapters",
    "data": "data.sources",
}


def evaluation(
    run: Path | None,
    trunk: str | None,
    tasks: tuple[str, ...],
    *,
    split: str = "test",
    retrieval: Mapping[str, Any] | None = None,
    task_settings: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Request:
    asked = {KEYS[name]: value for name, value in {"trunk": trunk, **settings}.items() if value is not None}
    asked |= {f"retrieval.{name}": value for name, value in (retrieval or {}).items()}
    asked |= {f"task.{name}": value for name, value in (task_settings or {}).items()}
    config = with_settings(RunConfig(), asked)
    if trunk is None:  # a run brings its own
        config = config.model_copy(update={"trunk": Trunk(precision=config.trunk.precision)})
    return Request(config, tasks, run, split)

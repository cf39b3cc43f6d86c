"""What the door's functions are called with, as the commands take it: configurations, runs and paths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.config.words import configuration
from adapter_stilts.door.run import Run
from adapter_stilts.encoder.kinds import mistakes
from adapter_stilts.errors import UsageError

AnyPath: TypeAlias = str | Path
AnyRun: TypeAlias = str | Path | Run
Settings: TypeAlias = Sequence[str] | Mapping[str, Any] | None


def configured(config: AnyPath | None, settings: Settings, words: Mapping[str, object]) -> RunConfig:
    given = settings or ()
    if isinstance(given, Mapping):
        given = [f"{key}={json.dumps(value, default=str)}" for key, value in given.items()]
    return configuration(path_of(config), [given] if isinstance(given, str) else given, words, adapter=mistakes)


def run_or_trunk(run: AnyRun | None, trunk: AnyPath | None) -> tuple[Path | None, AnyPath | None]:
    """The run's folder and the trunk's name; a loaded trunk may stand in the place of a run."""
    if isinstance(run, Run):
        return run.folder, trunk or run.trunk
    return (None if run is None else Path(run)), trunk


def path_of(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path)


def text_of(name: AnyPath | None) -> str | None:
    return None if name is None else str(name)


def folder_of(run: AnyRun) -> str:
    """The folder of a run; UsageError for a bare trunk."""
    if isinstance(run, Run) and run.folder is None:
        raise UsageError(f"{run!r} is no run", do="train one: stilts.train(TASK, trunk=...)")
    return str(run.folder if isinstance(run, Run) else run)

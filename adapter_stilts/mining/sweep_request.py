"""What a sweep was asked for, and what cannot be asked together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.errors import refuse
from adapter_stilts.retrieval.margin import margins
from adapter_stilts.retrieval.pooling import poolings
from adapter_stilts.retrieval.reading import Overrides
from adapter_stilts.runs.subject import trunk_of


@dataclass(frozen=True)
class Sweep:
    """What to choose, for which encoder, on which data: tasks, or files of the user's own.

    files   source, target and gold pairs; dev, the same three, is what is chosen on
    layers  None: seven from the middle to the last, or as many as the trunk has there
    pools, margins, centring   (): what the default has
    test    read test once the choice is made
    """

    run: Path | None
    trunk: str | None
    tasks: tuple[str, ...] = ()
    files: tuple[Path, Path, Path] | None = None
    dev: tuple[Path, Path, Path] | None = None
    layout: str | None = None
    column: str | None = None
    target_column: str | None = None
    languages: tuple[str, ...] = ()
    protocol: str = "own"
    layers: tuple[int, ...] | Literal["all", "last"] | None = None
    pools: tuple[str, ...] = ()
    margins: tuple[str, ...] = ()
    centring: tuple[bool, ...] = ()
    k: int | None = None
    data: tuple[str, ...] = ()
    precision: str = "auto"
    test: bool = True
    seed: int = 13
    task_settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: RunConfig, *, run: Path | None = None, **given: Any) -> Sweep:
        """The sweep of a configuration; `given`: the fields that no configuration has, empty ones left out."""
        wanted = Overrides.from_config(config)
        return cls(
            run,
            trunk_of(config),
            languages=config.evaluation.languages,
            protocol=config.evaluation.protocol,
            layers=wanted.layers,
            k=wanted.k,
            data=config.data.sources,
            precision=config.trunk.precision,
            seed=config.training.seed,
            task_settings=config.task.model_dump(exclude_defaults=True),
            **{name: value for name, value in given.items() if value not in (None, ())},
        )


def check(request: Sweep) -> None:
    """Raises UsageError for what does not go together, UnknownName for a pooling or margin that is none."""
    poolings.check(*request.pools)
    margins.check(*request.margins)
    tasks, files, k = bool(request.tasks), request.files is not None, request.k
    dev = "name them; for a task add --data validation=FILE"
    refuse(not tasks and not files, "nothing to choose for", "name tasks with --tasks, or SRC TGT --gold PAIRS")
    refuse(tasks and files, "tasks, and files of your own", "give one of them")
    refuse(request.dev is not None and not files, "dev files without SRC TGT --gold", dev)
    refuse(k is not None and k < 1, f"{k} neighbours", "ask for at least 1 with -k")

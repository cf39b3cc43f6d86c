"""The row every score ends in: one task, protocol, language and metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Setting = str | int | float | bool | None


@dataclass(frozen=True)
class Result:
    """One score, a fraction, with how many examples carry it and how sure it is."""

    task: str
    protocol: str
    language: str
    metric: str
    score: float
    n: int
    interval: tuple[float, float] | None = None
    split: str = "test"  # "" where only files are known
    settings: Mapping[str, Setting] = field(default_factory=dict)  # what the number depends on beyond the protocol's name: layer, pooling, threshold
    units: Path | None = None  # the file of per-example sums, relative to the run, from which paired comparisons are made

    def to_dict(self) -> dict[str, object]:
        """A row for results.json and `--json`."""
        row: dict[str, object] = {"task": self.task, "protocol": self.protocol, "language": self.language}
        row |= {"metric": self.metric, "score": self.score, "n": self.n}
        row["interval"] = None if self.interval is None else list(self.interval)
        if self.split:
            row["split"] = self.split
        if self.settings:
            row["settings"] = dict(self.settings)
        if self.units is not None:
            row["units"] = self.units.as_posix()
        return row

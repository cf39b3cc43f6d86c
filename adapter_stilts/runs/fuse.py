"""`fuse`: AdapterFusion over trained runs under a target task, and what its attention looks at.

Pfeiffer et al. (2021), https://arxiv.org/abs/2005.00247: the adapters stay frozen; query, key and value matrices per layer learn
which of them to listen to, with a penalty that keeps the values near the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.composition import fusions, parse
from adapter_stilts.errors import UsageError
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.attention import attention_table, read_attention
from adapter_stilts.runs.record import Planned, Trained
from adapter_stilts.runs.train import train


def fuse(
    sources: Sequence[Path], target: str, config: RunConfig, *, report: Reporter, **given: Any
) -> Trained | Planned | None:
    """Train fusion layers and a head for `target` over the adapters of `sources`, and say what attention looks at.

    given  as `train` takes it: out, runs, resume, overwrite, dry_run
    """
    if len(sources) < 2:
        advice = "name the runs to fuse: adapter-stilts fuse RUN RUN --target TASK"
        raise UsageError(f"fusion needs two or more runs, got {len(sources)}", do=advice)
    config = config.model_copy(update={"how": "fuse", "after": tuple(str(source) for source in sources)})
    run = train(config, (target,), report=report, **given)
    if not isinstance(run, Trained):
        return run
    attention = read_attention(run.folder)
    table = attention_table(attention, fusions(parse(run.manifest.composition)))
    columns = ("task", "split", "language", "source", "weight")
    report.table("attention, mean over layers", columns, [(*row[:4], f"{row[4]:.3f}") for row in table])
    return replace(run, attention=attention)

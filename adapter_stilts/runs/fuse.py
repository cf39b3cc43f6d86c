"""`fuse`: AdapterFusion over trained runs under a target task, and what its attention looks at.

Pfeiffer et al. (2021), https://arxiv.org/abs/2005.00247: the adapters stay frozen; query, key and value matrices per layer learn
which of them to listen to, with a penalty that keeps the values near the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.composition import fusions, parse
from adapter_stilts.errors import UsageError
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.attention import attention_table, read_attention
from adapter_stilts.runs.train import train


def fuse(
    sources: Sequence[Path], target: str, config: RunConfig, *, out: Path | None, runs: Path, resume: bool, overwrite: bool, dry_run: bool, report: Reporter
) -> dict[str, Any]:
    """Train fusion layers and a head for `target` over the adapters of `sources`; the document adds attention per source and language."""
    if len(sources) < 2:
        raise UsageError(f"fusion needs two or more runs, got {len(sources)}", do="name the runs to fuse: adapter-stilts fuse RUN RUN --target TASK")
    config = config.model_copy(update={"how": "fuse", "after": tuple(str(source) for source in sources)})
    document = train(config, (target,), out=out, runs=runs, resume=resume, overwrite=overwrite, dry_run=dry_run, report=report)
    if dry_run or not document:  # another process than the first
        return document
    attention = read_attention(Path(document["run"]))
    table = attention_table(attention, fusions(parse(document["composition"])))
    report.table("attention, mean over layers", ("task", "split", "language", "source", "weight"), [(*row[:4], f"{row[4]:.3f}") for row in table])
    return {**document, "attention": attention}

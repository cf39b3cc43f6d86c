"""What to try after a run that did not learn, from what is known of it, as settings that can be pasted.

    advice(config, outcome, 1000, 3)
    "the rate 0.0001 is low for seq_bn, 96 steps are few: try --set training.learning_rate=0.001 --set ..."

A loss that rose asks for a lower rate and for nothing else: more steps would only rise further.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from adapter_stilts.config.schema import Fusion, RunConfig
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.training.plan import Outcome

FEW_STEPS = 600
FEW_ROWS = 200  # of a class
WRONG = 3.0  # times the usual rate, or a third of it


def advice(config: RunConfig, outcome: Outcome, rows: int, classes: int) -> str:
    """What is likely to be wrong and what to type instead. classes: 0 where its answers have none."""
    causes = dict(_causes(config, outcome, rows, classes))
    settings = " ".join(f"--set {setting}" for setting in filter(None, causes.values()))
    return ", ".join(causes) + (f": try {settings}" if settings else "")


def _causes(config: RunConfig, outcome: Outcome, rows: int, classes: int) -> Iterator[tuple[str, str]]:
    """(what is likely to be wrong, the setting that mends it or "")."""
    training, kind = config.training, config.adapter.kind
    fused, epochs = config.how == "fuse", training.epochs or outcome.epochs
    usual = Fusion().learning_rate if fused else kinds[kind].rate
    key, rate = ("fusion", config.fusion.learning_rate) if fused else ("training", training.learning_rate or usual)
    key, name = f"{key}.learning_rate", "a fusion" if fused else kind
    if _rose([loss for _, loss in outcome.losses]):
        yield f"the loss rose, so the rate {rate:g} is too high", f"{key}={min(usual, rate / 10):g}"
        return
    if rate * WRONG <= usual:
        yield f"the rate {rate:g} is low for {name}", f"{key}={usual:g}"
    elif rate >= usual * WRONG:
        yield f"the rate {rate:g} is high for {name}", f"{key}={usual:g}"
    if outcome.stopped_by == "patience":
        yield f"{training.patience} evaluations without a gain ended it", "training.patience=0"
    if outcome.steps < FEW_STEPS:
        by_epoch = max(outcome.steps // max(outcome.epochs, 1), 1)
        epochs = max(epochs, -(-FEW_STEPS // by_epoch))
        longer = f"max_steps={max(FEW_STEPS, training.max_steps)}" if training.max_steps else f"epochs={epochs}"
        yield f"{outcome.steps} steps are few", f"training.{longer}"
    if rows < FEW_ROWS * max(classes, 1):
        sample = "training.rows=null" if training.rows else ""
        what = f"{rows} rows are few" + (f" for {classes} classes" if classes > 1 else "")
        yield what if sample else f"{what} (more of them, or `--after` a run of a like task, may help)", sample
    if rate * WRONG > usual and rate < usual * WRONG and outcome.steps >= FEW_STEPS:
        yield f"the rate {rate:g} is usual for {name}, another may do better", f"{key}={rate * WRONG:g}"


def _rose(losses: list[float]) -> bool:
    """Whether the last quarter of the logged losses lies above the first."""
    quarter = len(losses) // 4
    return quarter > 0 and fmean(losses[-quarter:]) > fmean(losses[:quarter])

"""`plan`: what a training will hold in memory and how long it will take, before anything is downloaded or loaded.

    foreseen = foresee(config, "xnli", Rows(10_000, 60), limit_gb=4.0)
    foreseen.memory        {"libraries": ..., "trunk": ...}   bytes by cause; the largest is what to change

Time needs a rate: operations a second that this machine makes of such a trunk in such a precision. `--probe` measures
it in four steps of a model with random weights, in a process of its own, and remembers it for this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.trunk.config import TrunkConfig, known_config
from adapter_stilts.environment import NATIVE_HALF, cache_folder, processor_flags
from adapter_stilts.errors import DoesNotFit, MissingError, StiltsError, refuse
from adapter_stilts.files import from_json, read_bytes, write_json
from adapter_stilts.planning.fit import SURE, fit, limit_of
from adapter_stilts.planning.memory import Work, memory, peak
from adapter_stilts.planning.time import operations
from adapter_stilts.reporting import Reporter
from adapter_stilts.tasks.user import find_task
from adapter_stilts.training.usual import usual_epochs

CROWDED = 1.25  # processes a core
FILLED = 0.5  # of the longest row, where nothing is said of the others
RATES = "rates.json"


@dataclass(frozen=True)
class Rows:
    """Of the training data: how many there are, and their mean length in tokens; None where it is not known."""

    count: int | None = None
    mean: float | None = None
    labels: int = 2


@dataclass(frozen=True)
class Foreseen:
    """What will be. bytes: of the process, or of the card; seconds: of all steps, None where no rate is known.

    said     what was changed to fit a limit
    measured what the probe found: peak in bytes, seconds a step, operations a second
    """

    work: Work
    accumulation: int
    memory: dict[str, int]
    steps: int | None
    seconds: float | None
    said: str
    measured: dict[str, float] | None

    @property
    def bytes(self) -> int:
        return sum(self.memory.values())

    def document(self) -> dict[str, Any]:
        work = self.work
        settings = {
            "trunk.precision": work.precision,
            "training.token_budget": work.tokens,
            "training.accumulation": self.accumulation,
            "training.gradient_checkpointing": work.checkpointing,
            "training.max_length": work.length,
        }
        what = {"kind": work.kind, "device": work.device, "settings": settings, "changed": self.said}
        found = {"steps": self.steps, "seconds": self.seconds, "measured": self.measured}
        return {**what, "bytes": self.bytes, "memory": self.memory, **found}


def foresee(
    config: RunConfig,
    task: str,
    rows: Rows,
    *,
    limit_gb: float | None = None,
    below: int = 0,
    fused: int = 0,
    device: str = "cpu",
    probe: bool = False,
    report: Reporter,
) -> Foreseen:
    """Foresee the training of one adapter (or of a fusion of so many) and a head.

    Raises MissingError for a trunk whose numbers are not here, DoesNotFit where a limit is given that nothing fits.
    """
    refuse(below > 0 and fused > 0, "adapters below and a fusion at once", "plan one or the other")
    work, accumulation = _work(config, task, rows, below, fused, device)
    choice = fit(work, accumulation=accumulation, limit=limit) if (limit := limit_of(limit_gb)) else None
    said = choice.told(work) if choice else ""
    made, times = (choice.work, choice.accumulation) if choice else (work, accumulation)
    steps = _steps(config, rows, made.tokens * times)
    measured = _measured(made, times) if probe else None
    if probe and (load := os.getloadavg()[0]) > CROWDED * (cores := os.cpu_count() or 1):
        report.say(f"this machine is crowded ({load:.1f} processes want its {cores} cores): alone it would be faster")
    rate = measured["operations"] if measured else _known_rate(made)
    mean = min(rows.mean or FILLED * made.length, made.length)
    step = operations(made, mean) * times
    seconds = steps * step / rate if steps and rate else None
    parts = memory(made)
    if measured:
        parts = _corrected(parts, int(measured["bytes"]), made)
    if SURE * sum(parts.values()) > (limit or float("inf")) and measured:
        report.say(f"measured: {sum(parts.values()) / 1e9:.2f} GB, which is more than the limit allows for")
    return Foreseen(made, times, parts, steps, seconds, said, measured)


def _work(
    config: RunConfig, task: str, rows: Rows, below: int, fused: int, device: str
) -> tuple[Work, int]:
    trunk, training = _numbers(config), config.training
    length = training.max_length or (find_task(task).max_length if task else 128)
    length = min(length, trunk.max_length)
    kind = kinds[config.adapter.kind]
    asked = training.batch_rows * length if training.batch_rows else training.token_budget
    mean = min(rows.mean or FILLED * length, length)
    work = Work(
        trunk,
        kind.name,
        resolve(kind, config.adapter.settings),
        tokens=max(asked, length),
        length=length,
        precision=_precision(config.trunk.precision, device),
        checkpointing=training.gradient_checkpointing,
        lowest=config.adapter.from_layer,
        below=below,
        fused=fused,
        outputs=rows.labels,
        masked=bool(task) and find_task(task).format.masked,
        data=round((rows.count or 0) * mean),
        device=device,
    )
    return work, training.accumulation


def _numbers(config: RunConfig) -> TrunkConfig:
    numbers = known_config(config.trunk.name)
    if numbers is None:
        what = "only the numbers of XLM-R are known without its files"
        do = "name a folder with its config.json; the weights need not be there"
        raise MissingError(what, where=config.trunk.name, do=do)
    return numbers


def _precision(asked: str, device: str) -> str:
    if asked != "auto":
        return asked
    return "bf16" if device != "cpu" or processor_flags() & NATIVE_HALF else "fp32"


def _steps(config: RunConfig, rows: Rows, tokens: int) -> int | None:
    training = config.training
    if training.max_steps:
        return training.max_steps
    if rows.count is None:
        return None
    length = training.max_length or 128
    epoch = max(1.0, rows.count * min(rows.mean or FILLED * length, length) / tokens)
    return round(epoch * (training.epochs or usual_epochs(epoch)))


def _measured(work: Work, accumulation: int) -> dict[str, float]:
    """What four steps in a process of its own take; they are remembered."""
    command = [sys.executable, "-m", "adapter_stilts.runs.forecast.probe"]
    asked = {**asdict(work), "trunk": [work.trunk.model_type, asdict(work.trunk)], "accumulation": accumulation}
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["it was killed"]
        raise DoesNotFit(f"the probe ended: {said[0][:200]}", do="lower --limit-gb, or leave --probe out")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    path = cache_folder("plan") / RATES
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {**_rates(), _machine(work): found["operations"]})
    except (OSError, StiltsError):
        pass  # a rate that is not remembered is measured again
    return found


def _known_rate(work: Work) -> float | None:
    rate = _rates().get(_machine(work))
    return float(rate) if isinstance(rate, int | float) and rate > 0 else None


def _rates() -> dict[str, Any]:
    path = cache_folder("plan") / RATES
    try:
        held = from_json(read_bytes(path)) if path.is_file() else {}
    except StiltsError:
        held = {}
    return held if isinstance(held, dict) else {}


def _machine(work: Work) -> str:
    """What a rate belongs to."""
    threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
    again = "again" if work.checkpointing else "kept"
    return f"{work.device} {threads} {work.precision} {work.trunk.hidden_size} {work.kind} {again}"


def _corrected(parts: dict[str, int], measured: int, work: Work) -> dict[str, int]:
    """The causes with what was measured of the pass, and what the probe does not have: rows and embeddings."""
    of_pass = {cause: size for cause, size in parts.items() if cause not in ("rows", "embeddings", "tokenizer")}
    ratio = measured / max(1, sum(of_pass.values()))
    kept = {cause: round(size * (ratio if cause in of_pass else 1)) for cause, size in parts.items()}
    ahead = peak(replace(work, tokens=1, length=1, training=False))
    return kept if sum(kept.values()) >= ahead else parts

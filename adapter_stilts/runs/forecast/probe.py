"""Four steps of a model with random weights, in a process of its own: what they hold and how long they take.

    echo '{"trunk": ["xlm-roberta", {...}], "kind": "seq_bn", ...}' | python -m adapter_stilts.runs.forecast.probe

Prints {"bytes": ..., "seconds": ..., "operations": ...}: the peak without the rows of a text's embeddings, seconds of a
step, operations a second.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import replace
from typing import Any

import torch

from adapter_stilts.config.schema import Training
from adapter_stilts.data.feature import IGNORED
from adapter_stilts.encoder.composition import fusions, parse
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.config import FAMILIES
from adapter_stilts.encoder.trunk.loading import MODELS, Trunk
from adapter_stilts.encoder.trunk.precision import storage
from adapter_stilts.environment import bound_operator_caches, peak_memory
from adapter_stilts.planning.memory import Work
from adapter_stilts.planning.time import operations
from adapter_stilts.training.plan import TrainingPlan
from adapter_stilts.training.step import Stepper

MASKED = 0.15
WORDS = 2000  # rows of the embeddings, which are counted apart
STEPS = 4
SHAPES = (1.0, 0.5, 0.75, 1.0)  # of the longest row: batches differ, and the allocator's holes come of that


def main() -> None:
    asked = json.loads(sys.stdin.read())
    family, numbers = asked.pop("trunk")
    accumulation = asked.pop("accumulation")
    trunk = replace(FAMILIES[family](**numbers), vocab_size=WORDS)
    work = Work(trunk, **{**asked, "settings": {name: _tuple(value) for name, value in asked["settings"].items()}})
    print(json.dumps(probe(work, accumulation)))  # noqa: T201  read by the process that asked


def probe(work: Work, accumulation: int) -> dict[str, float]:
    """Train a few steps on rows of made-up tokens."""
    bound_operator_caches()
    import transformers  # noqa: F401  which a training has in memory

    model = _model(work).to(work.device)
    training = Training(gradient_checkpointing=work.checkpointing)
    stepper = Stepper(model, TrainingPlan(**{**vars(training), "learning_rate": 1e-4, "epochs": 1}))
    model.checkpoint_gradients(work.checkpointing)
    model.train()
    seconds = []
    for number in range(STEPS):
        batches = [_batch(work, SHAPES[number % len(SHAPES)]) for _ in range(accumulation)]
        start = time.perf_counter()
        stepper.step(batches, 1e-4, False, 0.0)
        seconds.append((time.perf_counter() - start) / sum(batch["input_ids"].numel() for batch in batches))
    taken = statistics.median(seconds[1:])
    found = {"bytes": peak_memory(work.device), "seconds": taken * work.tokens * accumulation}
    return {**found, "operations": operations(work, 0.75 * work.length) / (taken * work.tokens)}


def _model(work: Work) -> TaskModel:
    trunk = MODELS[work.trunk.model_type](work.trunk)
    for module in trunk.modules():
        for parameter in module.parameters(recurse=False):
            parameter.data = parameter.data.to(storage(work.precision, module))
    held: Any = None  # nothing is read
    encoder = AdapterEncoder(Trunk(trunk, held, work.trunk, "probe", "", "", work.precision, None))
    names = [f"adapter{number}" for number in range(max(work.fused, work.below + 1))]
    for name in names:
        encoder.add(name, work.kind, {**work.settings, **_above(work)}, seed=1)
    inside = ", ".join(names)
    composition = parse(f"fuse({inside})" if work.fused else f"stack({inside})" if work.below else inside)
    for fuse in fusions(composition):
        encoder.add_fusion(fuse)
    encoder.activate(composition)
    format = "text" if work.masked else "pair"
    head = build_head(format, work.trunk.hidden_size, WORDS if work.masked else work.outputs, seed=1)
    model = TaskModel(encoder, head, format)
    model.train_parts(list(encoder.fusions) or names[-1:])
    return model


def _above(work: Work) -> dict[str, Any]:
    return {"leave_out": tuple(range(work.lowest))} if work.lowest else {}


def _batch(work: Work, share: float) -> dict[str, torch.Tensor]:
    length = max(8, round(work.length * share))
    rows = max(1, work.tokens // length)
    ids = torch.randint(10, WORDS, (rows, length))
    labels = torch.randint(0, work.outputs, (rows,))
    if work.masked:
        labels = torch.where(torch.rand(ids.shape) < MASKED, ids, IGNORED)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels, "rows": torch.arange(rows)}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


if __name__ == "__main__":
    main()

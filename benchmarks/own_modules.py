"""Are our own adapter modules the library's, and no slower?

Measured, kind by kind with default settings, over one trunk in float32 and one batch: the largest difference of outputs
and of gradients from the adapters library's own model, relative to the largest value; and the processor's time of
forward and backward passes, in turn, of ours, of the library's modules in our layers, and of the library's model. A
ratio is ours to theirs: of speed, above 1, ours is faster; of memory (the most resident memory of a process of its own,
above what it held before the first step), below 1, ours is smaller. Not measured: the optimiser, and other devices.

    python benchmarks/own_modules.py [--trunk FOLDER] [--kinds seq_bn lora] [--repeats 15] [--rows 16] [--length 64]

It needs the extra `[adapterhub]`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from record import options, record

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from encoder import library_modules

from adapter_stilts.encoder import model as encoder_model
from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.modules.base import build
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.miniature.datasets import trunk_folder

SIDES = ("own", "library modules", "library model")
KINDS = tuple(sorted(set(kinds) - {"full"}))
Run = Callable[[], torch.Tensor]


def main() -> None:
    defaults = {"kinds": KINDS, "repeats": 15, "rows": 16, "length": 64, "child": ""}
    asked = options(__doc__, trunk=str(trunk_folder()), **defaults)
    torch.set_num_threads(1)
    if asked.child:
        return print(memory(asked, asked.kinds[0], asked.child))
    rows = [compare(asked, kind) for kind in asked.kinds]
    settings = {"rows": asked.rows, "length": asked.length, "repeats": asked.repeats}
    return record("own_modules", {"trunk": Path(asked.trunk).name, **settings, "kinds": rows})


def compare(asked: Any, kind: str) -> dict[str, Any]:
    """Differences and ratios of one kind."""
    runs, parameters = made(asked, kind)
    (output, gradients), (theirs, their_gradients) = (
        (state, torch.autograd.grad(state.sin().mean(), parameters[side]))
        for side, state in ((side, runs[side]()) for side in ("own", "library model"))
    )
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(asked.repeats + 1):
        for side, run in runs.items():
            start = time.process_time()
            run().sin().mean().backward()
            seconds[side].append(time.process_time() - start)
    typical = {side: median(taken[1:]) for side, taken in seconds.items()}
    command = [sys.executable, *sys.argv[:1], "--trunk", asked.trunk, "--kinds", kind]
    command += ["--rows", str(asked.rows), "--length", str(asked.length), "--child"]
    peaks = {side: int(subprocess.run([*command, side], check=True, capture_output=True).stdout) for side in SIDES}
    row = {
        "kind": kind,
        "output_difference": relative([output], [theirs]),
        "gradient_difference": relative(gradients, their_gradients),
        "tokens_per_second": {side: round(asked.rows * asked.length / taken) for side, taken in typical.items()},
        "speed_ratio": {side: round(typical[side] / typical["own"], 3) for side in SIDES[1:]},
        "peak_bytes": peaks,
        "memory_ratio": {side: round(peaks["own"] / peaks[side], 3) for side in SIDES[1:]},
    }
    print(json.dumps(row), file=sys.stderr)
    return row


def made(asked: Any, kind: str, sides: tuple[str, ...] = SIDES) -> tuple[dict[str, Run], dict[str, list[Any]]]:
    """A forward pass of each side, and its trained parameters in one order."""
    trunk = load_trunk(asked.trunk, precision="fp32")
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(10, trunk.config.vocab_size, (asked.rows, asked.length), generator=generator)
    mask = torch.ones_like(ids)
    runs: dict[str, Run] = {}
    parameters: dict[str, list[Any]] = {}
    for side in ("own", "library modules"):
        encoder_model.build = build if side == "own" else library_modules.build  # type: ignore[attr-defined]
        encoder = AdapterEncoder(trunk).eval()
        encoder.add("a", kind, seed=1)
        encoder.activate(parse("a"))
        encoder.train_parts(["a"])
        runs[side] = lambda encoder=encoder: encoder.hidden(ids, mask)  # type: ignore[misc]
        parameters[side] = [parameter for _, parameter in encoder.trainable()]
        moved = torch.Generator().manual_seed(2)
        for parameter in parameters[side]:
            parameter.data += 0.02 * torch.randn(parameter.shape, generator=moved)
    if "library model" in sides:
        model = library_modules.librarys_model(Path(asked.trunk), encoder, {"a": kind}, {kind: defaults(kind)})
        model.train_adapter("a")
        model.eval()
        theirs = dict(model.named_parameters(remove_duplicate=False))
        names = [name.removeprefix("adapter/a/") for name, _ in encoder.trainable()]
        parameters["library model"] = [theirs[library_modules.library_name(name, "a")] for name in names]
        runs["library model"] = lambda: model(ids, attention_mask=mask.clone()).last_hidden_state
    return {side: runs[side] for side in sides}, parameters


def defaults(kind: str) -> dict[str, Any]:
    """What the library must be told to build our default of a kind."""
    names = ("prefix_length", "bottleneck_size", "reduction_factor")
    return {name: value for name, value in kinds[kind].settings.items() if kind == "mam" and name in names}


def memory(asked: Any, kind: str, side: str) -> int:
    """The most resident memory that three steps add, in bytes."""
    run = made(asked, kind, (side,))[0][side]
    before = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * resource.getpagesize()
    for _ in range(3):
        run().sin().mean().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before


def relative(ours: Any, theirs: Any) -> float:
    """The largest difference over the largest value."""
    largest = max(float(tensor.abs().max()) for tensor in theirs)
    return max(float((own - other).abs().max()) for own, other in zip(ours, theirs, strict=True)) / largest


if __name__ == "__main__":
    main()

"""A training run on disk, from which it continues bit by bit as if it had never stopped.

    checkpoints/step-00000120/
      state.json               position, counters, losses; the configuration's identity; every file's hash, and its own
      weights.safetensors      every trained parameter, under its name in the model
      optimiser.safetensors    AdamW's moments
      best.safetensors         the best unit so far: adapter, fusion and head of one step; absent before an evaluation

Only what is trained is stored. A checkpoint is written beside its final name, flushed, renamed, and only then is the
older one removed, so that one whole checkpoint exists at every moment.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from adapter_stilts.errors import ArtefactError
from adapter_stilts.files import disk_errors, from_json, read_bytes

FORMAT = 2
STATE = "state.json"
START_AGAIN = "train from the start with --overwrite; the finished runs in other folders are not touched"


@dataclass
class Place:
    """A position between two optimiser steps."""

    step: int = 0  # optimiser steps behind us
    epoch: int = 0  # epoch of the next batch
    batch: int = 0  # number of the next batch in its epoch; in a mixture, of the next step


@dataclass
class State(Place):
    """The position of a run, and all that it has counted so far."""

    tasks: dict[str, Place] = field(default_factory=dict)  # of a mixture: where each task is in its own rows
    seconds: float = 0.0
    tokens: int = 0  # without padding
    loss_sum: float = 0.0  # since the last logged row
    loss_count: float = 0.0
    task_losses: dict[str, list[float]] = field(default_factory=dict)  # of a mixture: sum, steps of each since then
    losses: list[tuple[int, float]] = field(default_factory=list)
    evaluated: int = 0  # the step of the last evaluation
    best_step: int | None = None
    best_score: float | None = None
    without_gain: int = 0  # evaluations since the best one
    scaler: dict[str, float] = field(default_factory=dict)  # fp16 loss scaling
    metrics_bytes: int = 0  # length of metrics.jsonl at this moment
    stopped_by: str = ""  # "" while there is more to do

    def count_loss(self, task: str, loss: float, targets: float) -> None:
        """Add a step's summed loss over so many targets; `task` is "" where there is only one.

        Losses of different tasks have different units (a row, a word, a masked token), so in a mixture each step counts
        its own mean once: by task, and all together.
        """
        if task:
            loss, targets = loss / max(targets, 1.0), 1.0
            total, steps = self.task_losses.get(task, (0.0, 0.0))
            self.task_losses[task] = [total + loss, steps + 1.0]
        self.loss_sum, self.loss_count = self.loss_sum + loss, self.loss_count + targets

    def mean_losses(self) -> dict[str, Any]:
        """The fields of a logged row, "loss" and of a mixture "tasks" (steps so far, and the loss where it had any
        since the last row); counting starts anew."""
        row: dict[str, Any] = {"loss": self.loss_sum / max(self.loss_count, 1.0)}
        if self.tasks:
            means = {task: total / steps for task, (total, steps) in self.task_losses.items()}
            row["tasks"] = {task: {"steps": place.step, "loss": means.get(task)} for task, place in self.tasks.items()}
        self.loss_sum, self.loss_count, self.task_losses = 0.0, 0.0, {}
        return row


@dataclass(frozen=True)
class Checkpoint:
    state: State
    weights: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    best: dict[str, Tensor]


def save(folder: Path, checkpoint: Checkpoint, identity: str) -> Path:
    """Write the newest checkpoint and remove the one before.

    Raises DoesNotFit where the disk is full; the earlier checkpoint is then still whole.
    """
    step, before = checkpoint.state.step, newest(folder)
    again = _age(before)[1] + 1 if before is not None and _age(before)[0] == step else 0  # stopped, then evaluated
    final = folder / (f"step-{step:08d}.{again}" if again else f"step-{step:08d}")
    partial = folder / f".partial-{os.getpid()}"
    with disk_errors(final):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            hashes = {}
            for name in ("weights", "optimiser", *(["best"] if checkpoint.best else [])):
                tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in getattr(checkpoint, name).items()}
                file = f"{name}.safetensors"
                hashes[file] = _write_bytes(partial / file, safetensors.torch.save(tensors))
            document = {"format": FORMAT, "identity": identity, "files": hashes, "state": asdict(checkpoint.state)}
            _write_bytes(partial / STATE, json.dumps({**document, "sha256": _digest(document)}, indent=1).encode())
            _sync_folder(partial)
            partial.rename(final)
            _sync_folder(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        keep_only(final)
    return final


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint, or None; remains of a write that was cut off do not count."""
    return max(folder.glob("step-*"), key=_age, default=None) if folder.is_dir() else None


def load(path: Path, identity: str) -> Checkpoint:
    """Read a checkpoint back and verify it, down to the last bit.

    Raises ArtefactError where it belongs to another configuration, or was cut short or changed.
    """
    try:
        document = from_json(read_bytes(path / STATE))
        stated = document.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise _damaged(path / STATE) from error
    if _digest(document) != stated:
        raise _damaged(path / STATE)
    if document["format"] != FORMAT:
        what = f"checkpoint format {document['format']}, but this version reads format {FORMAT}"
        raise ArtefactError(what, where=str(path), do=START_AGAIN)
    if document["identity"] != identity:
        what = f"this checkpoint belongs to another configuration ({document['identity']}, now {identity})"
        raise ArtefactError(what, where=str(path), do=f"use another folder, or {START_AGAIN}")
    tensors: dict[str, dict[str, Tensor]] = {"best": {}}
    for name, expected in document["files"].items():
        try:
            content = (path / name).read_bytes()
            if hashlib.sha256(content).hexdigest() != expected:
                raise _damaged(path / name)
            tensors[name.removesuffix(".safetensors")] = safetensors.torch.load(content)
        except (OSError, SafetensorError) as error:
            raise _damaged(path / name) from error
    saved = document["state"]
    if saved.keys() != State.__dataclass_fields__.keys():
        raise _damaged(path / STATE)
    losses = [(int(step), float(loss)) for step, loss in saved["losses"]]
    tasks = {task: Place(**place) for task, place in saved["tasks"].items()}
    return Checkpoint(State(**{**saved, "losses": losses, "tasks": tasks}), **tensors)


def keep_only(path: Path) -> None:
    """Remove every other checkpoint beside a whole one: the one before, and what a kill left behind."""
    for other in path.parent.iterdir():
        if other != path and other.name.startswith(("step-", ".partial-")):
            shutil.rmtree(other, ignore_errors=True)


def clear(folder: Path) -> None:
    """Remove every checkpoint."""
    with disk_errors(folder):
        if folder.is_dir():
            shutil.rmtree(folder)


def snapshot(trained: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """A copy of the trained parameters in main memory: one consistent unit."""
    return {name: parameter.detach().to("cpu", copy=True) for name, parameter in trained.items()}


def restore(trained: Mapping[str, nn.Parameter], saved: Mapping[str, Tensor], where: str) -> None:
    """Put a unit back into the model, in place; names and shapes must agree to the last one."""
    wrong = sorted(set(trained) ^ set(saved)) or [name for name in trained if trained[name].shape != saved[name].shape]
    if wrong:
        what = f"the checkpoint does not fit this model: {', '.join(wrong[:5])}"
        raise ArtefactError(what, where=where, do=START_AGAIN)
    for name, parameter in trained.items():
        parameter.data.copy_(saved[name])


def _write_bytes(path: Path, content: bytes) -> str:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return hashlib.sha256(content).hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _age(path: Path) -> tuple[int, int]:
    step, _, again = path.name.removeprefix("step-").partition(".")
    return int(step), int(again or 0)


def _digest(document: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path) -> ArtefactError:
    what = "the checkpoint is damaged: its content does not have the hash it was written with"
    return ArtefactError(what, where=str(path), do=START_AGAIN)

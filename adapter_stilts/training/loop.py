"""Batches to loss to step; the loop does not know which task it serves.

Stopping, evaluating and saving happen between two steps, so a run that was killed and resumed goes through the same
numbers as one that was not.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from torch import Tensor

from adapter_stilts.errors import ArtefactError, DoesNotFit, Interrupted, StiltsError
from adapter_stilts.files import disk_errors, own_file
from adapter_stilts.training import checkpoint as checkpoints
from adapter_stilts.training.checkpoint import Checkpoint, State
from adapter_stilts.training.course import course, seed_evaluation, seed_step
from adapter_stilts.training.devices import own_generators
from adapter_stilts.training.interrupt import StopSignal
from adapter_stilts.training.plan import Mixture, Outcome, Progress, Trainable, TrainingData, TrainingPlan, Validation
from adapter_stilts.training.step import Stepper, Taken, linear

Model = TypeVar("Model", bound=Trainable)


@dataclass(eq=False)
class Run(Generic[Model]):
    """A training of what `model` says is trainable, on the device it is on; `to_the_end` does it.

    folder     holds metrics.jsonl and checkpoints/; None keeps nothing
    validate   a score of the model as it stands, or one a task, whose plain mean counts; higher is better, and the step
               with the best one is loaded at the end
    identity   the configuration's fingerprint; a checkpoint of another one is refused
    """

    model: Model
    data: TrainingData | Mixture
    plan: TrainingPlan
    folder: Path | None = None
    validate: Callable[[Model], Validation] | None = None
    identity: str = ""
    progress: Callable[[Progress], None] = lambda progress: None
    stop: StopSignal = field(default_factory=StopSignal)
    clock: Callable[[], float] = time.monotonic
    tell: Callable[[str], None] = lambda said: None

    def __post_init__(self) -> None:
        self.stepper = Stepper(self.model, self.plan, self.tell)
        self.processes, self.main = self.stepper.processes, self.stepper.processes.main
        self.course = course(self.data, self.plan, self.processes.count)
        self.total = self.plan.max_steps or (0 if self.plan.minutes else self.course.steps(self.plan.epochs))
        self.where = str(self.folder or "")
        self.checkpoints = self.folder / "checkpoints" if self.folder is not None else None
        self.journal = Journal(self.folder / "metrics.jsonl" if self.folder is not None and self.main else None)
        self.state = State()
        self.best: dict[str, Tensor] = {}
        self.saved = 0  # the step of the checkpoint on disk
        self.stopping = False

    def to_the_end(self, resume: bool = False) -> Outcome:
        """Train.

        resume  continue from the folder's checkpoint where there is one; otherwise what an earlier training left in
                the folder is removed

        Raises Interrupted after a requested stop, with a checkpoint on disk; StiltsError where the loss is no longer a
        number; ArtefactError for a damaged or foreign checkpoint; DoesNotFit on a full disk.
        """
        with own_generators(self.stepper.device):
            self._begin(resume)
            return self._train()

    def _train(self) -> Outcome:
        state = self.state
        while not state.stopped_by:
            # several processes stop at the step in which they agreed on it; one alone need not wait for a step
            if self.stopping or (self.processes.count == 1 and self.stop.requested):
                self._interrupt()
            if self._evaluation_is_due():
                self._evaluate()
            state.stopped_by = self._end(with_patience=True)
            if state.stopped_by or (state.step % self.plan.checkpoint_steps == 0 and state.step > self.saved):
                self._save()
            if not state.stopped_by:
                self._step()
        if self.best:
            checkpoints.restore(self.stepper.trained, self.best, "the best unit")
        steps, best = {task: place.step for task, place in state.tasks.items()}, (state.best_step, state.best_score)
        return Outcome(state.step, self._epochs(), *best, tuple(state.losses), state.seconds, state.stopped_by, steps)

    def _begin(self, resume: bool) -> None:
        """Take up the newest checkpoint, or start with an empty folder."""
        path = checkpoints.newest(self.checkpoints) if self.checkpoints is not None and resume else None
        if path is not None:
            loaded = checkpoints.load(path, self.identity)
            checkpoints.restore(self.stepper.trained, loaded.weights, str(path))
            self.stepper.restore(loaded.optimiser, loaded.state.scaler, str(path))
            self.state, self.best, self.saved = loaded.state, loaded.best, loaded.state.step
            if self.main:
                checkpoints.keep_only(path)  # a kill may have come between writing this one and removing the one before
        else:
            if self.checkpoints is not None and self.main:
                checkpoints.clear(self.checkpoints)
            self.processes.align(self.stepper.parameters)
        self.journal.cut(self.state.metrics_bytes)
        self.model.checkpoint_gradients(self.plan.gradient_checkpointing)
        self.now, self.first = self.clock(), (self.state.step, self.state.tokens, self.state.seconds)

    def _step(self) -> None:
        state, plan = self.state, self.plan
        turn, epoch = self.course.turn(state), state.epoch
        rate = plan.learning_rate * linear(self._done(state.step), self._done(state.step + 1), plan.warmup)
        seed_step(plan.seed, state.step, self.processes.rank)
        self.model.train()
        try:
            taken = self.stepper.step(turn.batches, rate, self.stop.requested, self._elapsed())
        except StiltsError as error:
            raise self._lost(error) from error
        self.course.advance(state, turn)
        state.tokens += turn.tokens
        state.seconds += taken.seconds
        state.count_loss(turn.task, taken.loss_sum, taken.count)
        self.stopping = taken.stop
        self._log(epoch, rate, taken)
        if self.main:
            self._show(epoch, rate, taken)

    def _log(self, epoch: int, rate: float, taken: Taken) -> None:
        """A row every `log_steps` steps and at the last one: the mean loss since the row before."""
        state = self.state
        if state.step % self.plan.log_steps and not self._end():
            return
        means = state.mean_losses()
        penalty = {"penalty": taken.penalty} if taken.penalty else {}
        norm = taken.gradient_norm if math.isfinite(taken.gradient_norm) else None  # fp16: a step that was left out
        row = {"step": state.step, "epoch": epoch + 1, **means, **penalty}
        row |= {"learning_rate": rate, "grad_norm": norm, "tokens": state.tokens, "seconds": round(state.seconds, 3)}
        self.journal.append(row)
        state.losses.append((state.step, means["loss"]))

    def _show(self, epoch: int, rate: float, taken: Taken) -> None:
        step, tokens, seconds = self.first
        here = max(self.state.seconds - seconds, 1e-9)  # since this process began, resumed or not
        left = (self.total - self.state.step) * here / (self.state.step - step) if self.total else math.inf
        if self.plan.minutes is not None:
            left = min(left, 60 * self.plan.minutes - self.state.seconds)
        loss = taken.loss_sum / max(taken.count, 1.0)
        speed = (self.state.tokens - tokens) / here
        self.progress(Progress(self.state.step, self.total, epoch + 1, loss, rate, speed, max(left, 0.0)))

    def _evaluation_is_due(self) -> bool:
        state, every = self.state, self.plan.evaluate_steps
        if self.validate is None or state.step == 0 or state.evaluated == state.step:
            return False
        return (state.step % every == 0 if every else state.batch == 0) or bool(self._end())

    def _evaluate(self) -> None:
        assert self.validate is not None
        state = self.state
        seed_evaluation(self.plan.seed, state.step)
        validation = self.validate(self.model)
        each = dict(validation) if isinstance(validation, Mapping) else {"": float(validation)}
        score = self.processes.from_main(sum(each.values()) / len(each))
        if not math.isfinite(score):
            what = f"the validation score at step {state.step} is {score}"
            raise StiltsError(what, where=self.where, do="check the validation data and metric")
        better = not self.plan.select or state.best_score is None or score > state.best_score
        if better:
            state.best_step, state.best_score, self.best = state.step, score, checkpoints.snapshot(self.stepper.trained)
        state.without_gain = 0 if better else state.without_gain + 1
        state.evaluated = state.step
        state.seconds += self.processes.from_main(self._elapsed())
        scores = {"score": score, **({"scores": each} if "" not in each else {}), "best": better}
        self.journal.append({"step": state.step, "epoch": self._epochs(), **scores, "seconds": round(state.seconds, 3)})

    def _epochs(self) -> int:
        """The epochs begun so far."""
        return self.state.epoch + bool(self.state.batch)

    def _end(self, with_patience: bool = False) -> str:
        """What ends training at this position; "" where nothing does."""
        plan, state = self.plan, self.state
        if plan.keep_step is not None and state.step >= plan.keep_step:
            return "kept step"
        if plan.max_steps is not None and state.step >= plan.max_steps:
            return "steps"
        if plan.minutes is not None and state.seconds >= 60 * plan.minutes:
            return "minutes"
        if plan.max_steps is None and plan.minutes is None and state.epoch >= plan.epochs:
            return "epochs"
        return "patience" if with_patience and plan.patience and state.without_gain >= plan.patience else ""

    def _done(self, step: int) -> float:
        """The fraction of training behind `step`, by steps or by the clock, whichever is further."""
        by_steps = step / self.total if self.total else 0.0
        by_clock = self.state.seconds / (60 * self.plan.minutes) if self.plan.minutes is not None else 0.0
        return min(1.0, max(by_steps, by_clock))

    def _interrupt(self) -> None:
        self._save()
        kept = "progress is saved" if self.folder is not None else "nothing is saved, since no folder was given"
        at = f"step {self.state.step} of {self.total}" if self.total else f"step {self.state.step}"
        do = "run the same command again to continue (--resume)"
        raise Interrupted(f"stopped at {at}; {kept}", where=self.where, do=do)

    def _save(self) -> None:
        if self.checkpoints is not None and self.main:
            self.state.metrics_bytes = self.journal.length()
            self.state.scaler = self.stepper.scale()
            weights = checkpoints.snapshot(self.stepper.trained)
            checkpoint = Checkpoint(self.state, weights, self.stepper.moments(), self.best)
            checkpoints.save(self.checkpoints, checkpoint, self.identity)
        self.saved = self.state.step

    def _lost(self, error: StiltsError) -> StiltsError:
        """A step that could not be taken moved nothing, so the state before it is saved."""
        self._save()
        kept = "nothing is kept, since no folder was given"
        if self.folder is not None:
            kept = f"the weights of step {self.state.step} and the best ones are kept"
        what = f"{error.what} at step {self.state.step + 1}; {kept}"
        if isinstance(error, DoesNotFit):
            return DoesNotFit(what, where=str(self.checkpoints or ""), do=error.do)
        advice = "lower training.learning_rate, train in fp32, or look for broken rows in the data"
        return StiltsError(what, where=str(self.checkpoints or ""), do=advice)

    def _elapsed(self) -> float:
        """Seconds since the last call."""
        before, self.now = self.now, self.clock()
        return self.now - before


class Journal:
    """metrics.jsonl: one JSON line per logged step and per evaluation; with no path nothing is written.

    A checkpoint remembers how long the file was; a resumed run cuts it back to that length, so that a stopped and an
    unbroken run leave the same rows (their times apart).
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def append(self, row: Mapping[str, object]) -> None:
        """Write one row. Raises DoesNotFit on a full disk."""
        if self._path is None:
            return
        with disk_errors(self._path), own_file(self._path, "ab") as stream:
            stream.write(json.dumps(row).encode() + b"\n")

    def length(self) -> int:
        """Bytes so far, flushed to disk."""
        if self._path is None or not self._path.exists():
            return 0
        with disk_errors(self._path), self._path.open("rb") as stream:
            os.fsync(stream.fileno())
            return os.fstat(stream.fileno()).st_size

    def cut(self, length: int) -> None:
        """Drop what was written after a checkpoint; 0 starts an empty file."""
        if self._path is None:
            return
        with disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            own_file(self._path, "ab").close()
            if self._path.stat().st_size < length:
                advice = "put the file back, or train from the start with --overwrite"
                what = "metrics.jsonl is shorter than its checkpoint says"
                raise ArtefactError(what, where=str(self._path), do=advice)
            os.truncate(self._path, length)

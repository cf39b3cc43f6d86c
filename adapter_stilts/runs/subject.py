"""What an evaluation reads: a run's encoder and heads, or a bare trunk; where its scores belong; which head answers.

subject = subject_of(Request(run=Path("runs/nli-1a2b3c4d"), trunk=None, tasks=("xnli",)), out=None, runs=Path("runs"))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk import Trunk, load_trunk
from adapter_stilts.errors import UsageError
from adapter_stilts.registry import unknown_name
from adapter_stilts.retrieval.protocols import precision_of
from adapter_stilts.retrieval.reading import Overrides
from adapter_stilts.runs.build import finished_models
from adapter_stilts.runs.folder import state_of
from adapter_stilts.runs.language_stacks import Stacks, language_stacks
from adapter_stilts.runs.sentence_reader import CPU_BUDGET, GPU_BUDGET
from adapter_stilts.sharing.bundle import Bundle, Part, load_bundle
from adapter_stilts.tasks.base import Task
from adapter_stilts.training.devices import pick_device


@dataclass(frozen=True)
class Request:
    """What to evaluate, as typed: a run, or a trunk alone; tasks; languages (none: all there are)."""

    run: Path | None
    trunk: str | None
    tasks: tuple[str, ...]
    languages: tuple[str, ...] = ()
    protocol: str = "own"
    retrieval: Overrides = field(default_factory=Overrides)
    data: tuple[str, ...] = ()
    split: str = "test"
    revision: str | None = None  # of the trunk named here
    precision: str = "auto"
    save_vectors: bool | None = None
    seed: int = 13
    token_budget: int | None = None  # tokens read at once; None: what suits the device
    task_settings: Mapping[str, Any] = field(default_factory=dict)
    head: str = ""  # of several heads, the one that answers; "": the one that fits the task
    language_adapters: tuple[str, ...] = ()  # LANGUAGE=RUN, as typed: MAD-X's language adapters (language_stacks.py)

    @classmethod
    def from_config(cls, config: RunConfig, tasks: Sequence[str], *, run: Path | None, split: str = "test") -> Request:
        """The request of a configuration; a run brings its own trunk unless the configuration names one."""
        named = "name" in config.trunk.model_fields_set
        return cls(
            run=run,
            trunk=config.trunk.name if named or run is None else None,
            tasks=tuple(tasks),
            languages=config.evaluation.languages,
            protocol=config.evaluation.protocol,
            retrieval=Overrides.from_config(config),
            data=config.data.sources,
            split=split,
            revision=config.trunk.revision,
            precision=config.trunk.precision,
            seed=config.training.seed,
            task_settings=config.task.model_dump(exclude_defaults=True),
            head=config.evaluation.head,
            language_adapters=config.evaluation.language_adapters,
        )


@dataclass(frozen=True)
class Subject:
    """What is measured: an encoder, and its heads where a run trained some.

    identity  whose scores the folder holds, "" where it is the run's own
    models    one for each head of the run, by the head's name; all over the encoder
    stacks    what each language is read with; None for a bare trunk
    """

    folder: Path
    identity: str
    trunk: Trunk
    encoder: AdapterEncoder
    models: Mapping[str, TaskModel]
    bundle: Bundle | None
    stacks: Stacks | None = None

    def budget(self, request: Request) -> int:
        on_gpu = next(self.encoder.parameters()).device.type == "cuda"
        return request.token_budget or (GPU_BUDGET if on_gpu else CPU_BUDGET)


def subject_of(request: Request, out: Path | None, runs: Path) -> Subject:
    """The encoder that is asked for, its heads, and the folder its scores belong in."""
    device = str(pick_device())
    if request.run is None and request.language_adapters:
        raise UsageError(
            "a bare trunk has no language adapter to put others in the place of",
            do="evaluate the run of a task over a language adapter",
        )
    if request.run is None:
        if request.trunk is None:
            raise UsageError("nothing to evaluate", do="name a run, or a trunk with --trunk")
        precision = precision_of(request.protocol) if request.precision == "auto" else request.precision
        trunk = load_trunk(request.trunk, revision=request.revision, precision=precision, device=device)
        identity = fingerprint([trunk.fingerprint, trunk.precision])
        folder = out or runs / f"trunk-{Path(request.trunk).name}-{identity}"
        state_of(folder, identity, overwrite=False)
        encoder = AdapterEncoder(trunk).to(device)
        encoder.eval()
        return Subject(folder, identity, trunk, encoder, {}, None)
    bundle = load_bundle(request.run)
    identity = (
        ""
        if out is None or out.resolve() == request.run.resolve()
        else fingerprint([bundle.manifest.identity, bundle.manifest.files])
    )
    if out is not None and identity:
        state_of(
            out, identity, overwrite=False
        )  # another run's folder, or one that holds something else, is not written to
    facts = bundle.manifest.trunk
    precision = facts.precision if request.precision == "auto" else request.precision
    trunk = load_trunk(
        request.trunk or facts.name,
        revision=request.revision if request.trunk else facts.revision,
        precision=precision,
        device=device,
    )
    models = {name: model.to(device).eval() for name, model in finished_models(trunk, bundle).items()}
    encoder = next(iter(models.values())).encoder
    return Subject(
        out or request.run,
        identity,
        trunk,
        encoder,
        models,
        bundle,
        language_stacks(encoder, bundle, request.language_adapters),
    )


def head_for(bundle: Bundle | None, task: Task, wanted: str = "") -> Part:
    """The head of a run for a task; `wanted` names one of several.

    Raises UsageError for a bare trunk, a head that does not fit the task, and several that fit it equally well.
    """
    heads = bundle.of("head") if bundle is not None else ()
    if bundle is None or not heads:
        train, score = f"train {task.train_task or task.name}", f"eval RUN --tasks {task.name}"
        advice = f"train one: `adapter-stilts {train}`, then `adapter-stilts {score}`"
        raise UsageError(f"'{task.name}' needs a head, and a trunk alone has none", do=advice)
    if wanted and wanted not in {head.name for head in heads}:
        raise unknown_name("head of this run", wanted, [head.name for head in heads], where="evaluation.head")
    chosen = [head for head in heads if head.name == wanted] or heads
    reasons = {head.name: _misfit(head, task) for head in chosen}
    fitting = [head for head in chosen if not reasons[head.name]]
    if not fitting:
        advice = f"evaluate a run that was trained on {task.train_task or task.name}"
        raise UsageError("; ".join(reasons.values()), where=str(bundle.folder), do=advice)
    return _only_head(fitting, task, bundle)


def _only_head(fitting: Sequence[Part], task: Task, bundle: Bundle) -> Part:
    for name in (task.name, task.train_task):
        if own := [head for head in fitting if head.facts["task"] == name]:
            return own[0]
    if len(fitting) > 1:
        names = ", ".join(head.name for head in fitting)
        advice = f"choose one, for example --set evaluation.head={fitting[0].name}"
        raise UsageError(
            f"{len(fitting)} heads of the run could answer '{task.name}': {names}", where=str(bundle.folder), do=advice
        )
    return fitting[0]


def _misfit(head: Part, task: Task) -> str:
    """Why a head cannot answer a task; "" where it can."""
    labels = set(head.facts["labels"])
    if head.facts["format"] != task.format.name:
        answers = f"the run's head answers {head.facts['format']} tasks ({head.facts['task']})"
        return f"{answers}, '{task.name}' is a {task.format.name} task"
    if task.labels and not set(task.labels) <= labels:
        more = ", ".join(sorted(set(task.labels) - labels))
        return f"the run's head knows the labels {', '.join(sorted(labels))}; '{task.name}' also has {more}"
    return ""

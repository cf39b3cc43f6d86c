"""What is read: a run's encoder and heads, or a bare trunk; where its scores belong; which head answers.

subject = subject_of(Request(config, ("xnli",), Path("runs/nli-1a2b3c4d")), out=None, runs=Path("runs"))
reader = sentence_reader(Path("runs/nli-1a2b3c4d"), None, layer=14)     as far as the layer that is read
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.config.load import load
from adapter_stilts.config.places import TASK_FILES, last_name
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.config.schema import Task as TaskSettings
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk, trunk_facts
from adapter_stilts.errors import ConfigError, UsageError, refuse
from adapter_stilts.registry import unknown_name
from adapter_stilts.retrieval.protocols import Protocol, precision_of, protocol
from adapter_stilts.retrieval.reading import Overrides, Reading, as_trunk, told
from adapter_stilts.runs.build import finished_encoder, finished_models
from adapter_stilts.runs.folder import state_of
from adapter_stilts.runs.forecast.limits import read_under_limit
from adapter_stilts.runs.language_stacks import BARE, Stacks, language_stacks
from adapter_stilts.runs.material import TRUNKS, unlearned
from adapter_stilts.sharing.bundle import Bundle, Part, load_bundle
from adapter_stilts.sharing.manifest import CONFIG, TASK_FILE
from adapter_stilts.sharing.places import trunk_place
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.leaks import Seen
from adapter_stilts.tasks.user import task_from_yaml
from adapter_stilts.training.devices import pick_device

# tokens read at once; on a CPU a larger batch falls out of the cache and is read a third slower
CPU_BUDGET, GPU_BUDGET = 2048, 16384


@dataclass(frozen=True)
class Request:
    """What to evaluate: tasks of a configuration, with a run or a trunk alone.

    save_vectors  of retrieval; None: where one layer is read
    report        whether what each score hides is written beside it
    limit         score the first rows of each split and language alone, so many; None: all of them
    limit_gb      memory that it must fit in; fewer tokens are read at once
    """

    config: RunConfig
    tasks: tuple[str, ...]
    run: Path | None = None
    split: str = "test"
    save_vectors: bool | None = None
    report: bool = False
    limit: int | None = None
    limit_gb: float | None = None

    @property
    def protocol(self) -> str:
        return self.config.evaluation.protocol


@dataclass(frozen=True)
class Subject:
    """What is measured: an encoder, and its heads where a run trained some.

    identity  whose scores the folder holds, "" where it is the run's own
    models    one for each head of the run, by the head's name; all over the encoder
    stacks    what each language is read with
    """

    folder: Path
    identity: str
    trunk: Trunk
    encoder: AdapterEncoder
    models: Mapping[str, TaskModel]
    bundle: Bundle | None
    stacks: Stacks = BARE

    @property
    def history(self) -> tuple[Seen, ...]:
        """The rows it has learned from; none for a bare trunk."""
        return self.bundle.manifest.history if self.bundle is not None else ()

    @property
    def composition(self) -> str:
        """What is active on the trunk, with the hashes of its adapters, as a fingerprint; "" for a bare trunk."""
        return fingerprint(active_parts(self.bundle)) if self.bundle else ""

    @property
    def token_budget(self) -> int:
        return _token_budget(self.encoder)


@dataclass(frozen=True)
class SentenceReader:
    """An encoder and the layer it is read at; layers above it are not loaded, and adapters there are not built.

    made   what the vectors depend on: trunk, precision, composition, the hashes of its adapters, layer
    rules  those of the protocol, for this trunk
    notes  what is to be said of the run: that it did not learn
    """

    encoder: AdapterEncoder
    layer: int
    made: dict[str, Any]
    rules: Protocol
    notes: tuple[str, ...] = ()

    @property
    def token_budget(self) -> int:
        return _token_budget(self.encoder)

    def tell(self, reading: Reading, wanted: Overrides, say: Callable[[str], None]) -> None:
        """Say how it reads, who says so, and what is to be known of the run."""
        trunk = self.encoder.trunk
        wanted = replace(wanted, prefix=trunk.prefix)
        how = told(reading, trunk.config.num_hidden_layers, self.rules.name, wanted, trunk.pooling)
        for sentence in (f"sentences are {how}", *self.notes):
            say(sentence)


def subject_of(request: Request, out: Path | None, runs: Path) -> Subject:
    """The encoder that is asked for, its heads, and the folder its scores belong in."""
    device, asked, adapters = str(pick_device()), request.config.trunk, request.config.evaluation.language_adapters
    if request.run is None:
        what = "a bare trunk has no language adapter to put others in the place of"
        refuse(bool(adapters), what, "evaluate the run of a task over a language adapter")
        precision = precision_of(request.protocol) if asked.precision == "auto" else asked.precision
        trunk = load_trunk(asked.name, revision=asked.revision, precision=precision, device=device, prefix=asked.prefix)
        identity = fingerprint([trunk.fingerprint, trunk.precision, *([asked.prefix] if asked.prefix else [])])
        folder = out or runs / f"trunk-{Path(asked.name).name}-{identity}"
        state_of(folder, identity, overwrite=False)
        bare = AdapterEncoder(trunk).to(device).eval()
        read_under_limit(bare, request.limit_gb, _token_budget(bare))
        return Subject(folder, identity, trunk, bare, {}, None)
    bundle, identity = load_bundle(request.run), ""
    if out is not None and out.resolve() != request.run.resolve():
        identity = fingerprint([bundle.manifest.identity, bundle.manifest.files])
        state_of(out, identity, overwrite=False)  # another run's folder, or one that holds something else, is refused
    named = trunk_of(request.config)
    trunk = load_trunk(**_trunk(bundle, named, asked.revision, asked.precision, asked.prefix), device=device)
    models = {name: model.to(device).eval() for name, model in finished_models(trunk, bundle).items()}
    headed = next(iter(models.values()), None)
    encoder = finished_encoder(trunk, bundle).to(device) if headed is None else headed.encoder
    read_under_limit(encoder, request.limit_gb, _token_budget(encoder))
    stacks = language_stacks(encoder, bundle, adapters)
    return Subject(out or request.run, identity, trunk, encoder, models, bundle, stacks)


def remembered(run: Path | None, name: str, asked: TaskSettings) -> tuple[str, dict[str, Any]]:
    """What `find_task` takes for a task of a run: the file that described it, and columns, labels and all else that it
    was trained with. What is asked for now stands over it; a task that the run has not learned has nothing of its own.
    """
    given = asked.model_dump(exclude_defaults=True, exclude={"name"})
    if run is None or not (run / CONFIG).is_file():
        return name, given
    described = run / TASK_FILE
    try:
        kept = load(run / CONFIG).task
    except ConfigError:
        return name, given  # it was changed, which opening the run refuses
    called = last_name(name) if name.endswith(TASK_FILES) else name
    own = called == kept.name
    if described.is_file() and called in (kept.name, task_from_yaml(described).name):
        name, own = str(described), True
    if not own:
        return name, given
    columns = {**kept.columns, **asked.columns}
    settings = {**kept.model_dump(exclude_defaults=True, exclude={"name"}), **given}
    return name, settings | ({"columns": columns} if columns else {})


def sentence_reader(
    run: Path | None,
    trunk: str | None,
    *,
    layer: int | Literal["last"] | None = None,
    pool: str | None = None,
    usual: Protocol | None = None,
    revision: str | None = None,
    precision: str = "auto",
    prefix: str = "",
) -> SentenceReader:
    """The encoder of a run, or of a trunk alone.

    layer, pool  None: as a sentence encoder says of itself, else the usual ones, the layer at the same relative depth;
                 that of `own` for mining is 14 of 24
    usual        the rules of the protocol

    Raises what `load_bundle` and `load_trunk` raise, UsageError for a layer that is not there.
    """
    if run is None and trunk is None:
        raise UsageError("nothing to encode with: no run is named, and no trunk", do=f"add --run RUN, or {TRUNKS}")
    bundle = load_bundle(run) if run is not None else None
    named = _trunk(bundle, trunk, revision, precision, prefix)
    config, pooling = trunk_facts(named["name"], revision=named["revision"])
    wanted = Overrides((layer,) if isinstance(layer, int) else layer, pool)
    rules = wanted.over(as_trunk(usual or protocol("own", "bucc2018"), pooling, wanted))
    (chosen,) = wanted.layers_at(config.num_hidden_layers, rules)
    device = str(pick_device())
    loaded = load_trunk(**named, device=device, layers=chosen)
    encoder = AdapterEncoder(loaded) if bundle is None else finished_encoder(loaded, bundle)
    facts = {"trunk": loaded.fingerprint, "trunk_name": loaded.name, "precision": loaded.precision}
    facts |= {"prefix": loaded.prefix} if loaded.prefix else {}
    made = {**facts, **active_parts(bundle), "layer": chosen}
    notes = unlearned([bundle.manifest] if bundle else [])
    return SentenceReader(encoder.to(device).eval(), chosen, made, rules, notes)


def named_trunk(bundle: Bundle, name: str | None = None) -> dict[str, Any]:
    """What `load_trunk` takes for the trunk of a run, or for another that is named in its place."""
    return _trunk(bundle, name, None, "auto", "")


def trunk_of(config: RunConfig) -> str | None:
    """The trunk that a configuration names; None where it names none, as where a run brings its own."""
    return config.trunk.name if "name" in config.trunk.model_fields_set else None


def active_parts(bundle: Bundle | None) -> dict[str, Any]:
    """The composition, and the hash of each of its adapters and fusions."""
    if bundle is None:
        return {"composition": "", "adapters": {}}
    files = {
        name: sha for name, sha in sorted(bundle.manifest.files.items()) if name.startswith(("adapter/", "fusion/"))
    }
    return {"composition": bundle.manifest.composition, "adapters": files}


def head_for(bundle: Bundle | None, task: Task, wanted: str = "") -> Part:
    """The head of a run for a task; `wanted` names one of several.

    Raises UsageError for a bare trunk, a head that does not fit the task, and several that fit it equally well.
    """
    heads = bundle.of("head") if bundle is not None else ()
    if bundle is None or not heads:
        train, score = f"train {task.train_task or task.name}", f"eval RUN --tasks {task.name}"
        advice = f"train one: `adapter-stilts {train}`, then `adapter-stilts {score}`"
        what = "this run was merged without one" if bundle else "a trunk alone has none"
        raise UsageError(f"'{task.name}' needs a head, and {what}", do=advice)
    if wanted and wanted not in {head.name for head in heads}:
        raise unknown_name("head of this run", wanted, [head.name for head in heads], where="evaluation.head")
    chosen = [head for head in heads if head.name == wanted] or heads
    reasons = {head.name: _misfit(head, task) for head in chosen}
    fitting = [head for head in chosen if not reasons[head.name]]
    if not fitting:
        advice = f"evaluate a run that was trained on {task.train_task or task.name}"
        raise UsageError("; ".join(reasons.values()), where=str(bundle.folder), do=advice)
    for name in (task.name, task.train_task):
        if own := [head for head in fitting if head.facts["task"] == name]:
            return own[0]
    if len(fitting) > 1:
        names = ", ".join(head.name for head in fitting)
        what = f"{len(fitting)} heads of the run could answer '{task.name}': {names}"
        advice = f"choose one, for example --set evaluation.head={fitting[0].name}"
        raise UsageError(what, where=str(bundle.folder), do=advice)
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


def _trunk(
    bundle: Bundle | None, name: str | None, revision: str | None, precision: str, prefix: str
) -> dict[str, Any]:
    """The trunk to load: a run's own unless another is named, in the precision it was trained in and with the prefix it
    was given unless one is."""
    if bundle is None:
        return {"name": name, "revision": revision, "precision": precision, "prefix": prefix}
    facts = bundle.manifest.trunk
    kept = {"precision": facts.precision if precision == "auto" else precision, "prefix": prefix or facts.prefix}
    return {"name": name or trunk_place(bundle.folder, facts), "revision": revision if name else facts.revision, **kept}


def _token_budget(encoder: AdapterEncoder) -> int:
    return encoder.tokens_at_once or (GPU_BUDGET if encoder.device.type == "cuda" else CPU_BUDGET)

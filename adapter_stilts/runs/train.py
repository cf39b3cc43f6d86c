"""One training run from start to end: data, model, loop, validation, and the folder it leaves behind.

    train(config, ("nli",), out=None, ...).folder     runs/nli-1a2b3c4d

The folder belongs to the run's identity (identity.py): the same again resumes or is done, anything else is another run.
The manifest is written last, so whatever stops a run before that moment leaves a folder that the same command finishes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.composition import fusions, parse
from adapter_stilts.errors import StiltsError, UsageError
from adapter_stilts.files import write_bytes
from adapter_stilts.reporting import Reporter, Silent
from adapter_stilts.runs.build import keep_lower_layers, new_model
from adapter_stilts.runs.folder import STATES, State, claim, clear, locked, remove_remains, state_of
from adapter_stilts.runs.language_stacks import with_facts
from adapter_stilts.runs.measure import Features, Model, selector, validation_features, validation_rows
from adapter_stilts.runs.prepare import Prepared, prepare
from adapter_stilts.runs.record import Planned, Trained, decided, manifest_of, parts_of, trained, write_config
from adapter_stilts.runs.results import write_results
from adapter_stilts.runs.rows import attention_table, read_attention
from adapter_stilts.sharing.bundle import save_parts, verify_files
from adapter_stilts.sharing.card import write_card
from adapter_stilts.sharing.manifest import PartFacts, read_manifest, write_manifest
from adapter_stilts.statistics.learned import learned_of
from adapter_stilts.training.interrupt import StopSignal
from adapter_stilts.training.loop import Run
from adapter_stilts.training.plan import Outcome, Progress

REFUSED = -1  # in the place of a state: the first process could not have the folder
COLUMNS = ("part", "role", "active", "trained", "parameters")


def train(
    config: RunConfig,
    tasks: Sequence[str],
    *,
    out: Path | None,
    runs: Path,
    resume: bool,
    overwrite: bool,
    dry_run: bool,
    report: Reporter,
    limit_gb: float | None = None,
) -> Trained | Planned | None:
    """Train one adapter (or fusion) and its head, or one adapter and a head per task.

    Raises the errors of every part it passes through.

    resume    False starts an unfinished run of this configuration again
    limit_gb  memory that it must fit in; None: what the machine has

    Under torchrun or `accelerate launch` every process trains; the first alone writes the folder, and the others return
    None.
    """
    prepared = prepare(config, tasks, limit_gb)
    folder = out or runs / f"{prepared.name}-{prepared.identity}"
    state = state_of(folder, prepared.identity, overwrite=overwrite, asked=decided(prepared))
    if state == "done":
        return _done(folder, report) if prepared.processes.main else None
    model = _model(prepared, report if prepared.processes.main else Silent())
    for note in prepared.notes:
        report.say(note)
    if dry_run:
        return _preview(prepared, model, folder, state, report)
    if not prepared.processes.main:  # train beside the first process, which alone writes and speaks
        number = int(prepared.processes.from_main(0))
        if prepared.trains and number != REFUSED and STATES[number] != "done":
            features = validation_features(prepared.config, prepared.data, prepared.trunk)
            _train(prepared, model, folder, features, resume=STATES[number] == "resumable" and resume, report=Silent())
        return None
    with ExitStack() as held:
        state = _enter(held, prepared, folder, overwrite)
        if state == "done":
            return _done(folder, report)
        if overwrite:
            clear(folder)
        remove_remains(folder)
        claim(folder, prepared.identity, prepared.name)
        write_config(prepared, folder)
        _run(prepared, model, folder, resume=resume and state == "resumable", report=report)
    return trained(folder)


def fuse(
    sources: Sequence[Path], target: str, config: RunConfig, *, report: Reporter, **options: Any
) -> Trained | Planned | None:
    """Train fusion layers and a head for `target` over the frozen adapters of `sources`; say what attention looks at.

    Pfeiffer et al. (2021), https://arxiv.org/abs/2005.00247: query, key and value matrices per layer learn which
    adapters to listen to, with a penalty that keeps the values near the identity.

    options  as `train` takes them: out, runs, resume, overwrite, dry_run
    """
    if len(sources) < 2:
        advice = "name the runs to fuse: adapter-stilts fuse RUN RUN --target TASK"
        raise UsageError(f"fusion needs two or more runs, got {len(sources)}", do=advice)
    config = config.model_copy(update={"how": "fuse", "after": tuple(str(source) for source in sources)})
    run = train(config, (target,), report=report, **options)
    if not isinstance(run, Trained):
        return run
    attention = read_attention(run.folder)
    table = attention_table(attention, fusions(parse(run.manifest.composition)))
    columns = ("task", "split", "language", "source", "weight")
    report.table("attention, mean over layers", columns, [(*row[:4], f"{row[4]:.3f}") for row in table])
    return replace(run, attention=attention)


def _enter(held: ExitStack, prepared: Prepared, folder: Path, overwrite: bool) -> State:
    """Lock the folder and look at it again, now that nobody else can change it; tell the other processes what it is."""
    try:
        held.enter_context(locked(folder))
        state = state_of(folder, prepared.identity, overwrite=overwrite, asked=decided(prepared))
    except StiltsError:
        prepared.processes.from_main(REFUSED)
        raise
    prepared.processes.from_main(STATES.index(state))
    return state


def _done(folder: Path, report: Reporter) -> Trained:
    """A finished run is not trained again, but it must be whole."""
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    for sentence in manifest.unlearned_sentences:
        report.say(sentence)
    report.say(f"{folder} holds this run already; nothing to do (--overwrite trains it again)")
    return trained(folder)


def _run(prepared: Prepared, model: Model, folder: Path, *, resume: bool, report: Reporter) -> None:
    started = time.perf_counter()
    parts = _parts(prepared, model, report)
    features = validation_features(prepared.config, prepared.data, prepared.trunk) if prepared.trains else {}
    outcome = _train(prepared, model, folder, features, resume=resume, report=report)
    hashes = save_parts(folder, parts_of(prepared, model))
    # an untrained head has no score
    rows = validation_rows(model, prepared.config, prepared.data, folder, features) if prepared.trains else []
    learned, seconds = learned_of(rows), time.perf_counter() - started
    facts = (prepared, folder, parts, hashes, outcome, learned)
    manifest = manifest_of(*facts, seconds=seconds, from_layer=model.encoder.untouched)
    rows = with_facts(rows, manifest.seen)
    write_results(folder, rows)
    write_card(folder, manifest, rows)
    write_manifest(folder, manifest)
    for row in rows:
        report.say(f"{row.task} {row.language} {row.split} {row.metric} {100 * row.score:.1f} (n {row.n})")
    if model.encoder.kept is not None:
        report.say(f"the layers up to {model.encoder.untouched}: {model.encoder.kept}")
    for sentence in manifest.unlearned_sentences:
        report.say(sentence)


def _model(prepared: Prepared, report: Reporter) -> Model:
    heads = {data.task.name: (data.task.format.name, len(data.labels or ())) for data in prepared.data}
    training, joint = prepared.config.training, prepared.joint
    model = new_model(prepared.trunk, prepared.lineage, heads, training, joint=joint)
    if not prepared.trains:
        model.train_parts((), head=False)
    model.to(prepared.device)
    keep_lower_layers(model.encoder, prepared.config, report)
    return model


def _train(
    prepared: Prepared, model: Model, folder: Path, features: Features, *, resume: bool, report: Reporter
) -> Outcome:
    if not prepared.trains:
        write_bytes(folder / "metrics.jsonl", b"")
        return Outcome(0, 0, None, None, (), 0.0, "control")
    validate = selector(prepared.config, prepared.data, prepared.trunk, features)
    prepared.trunk.release_tokenizer()
    if validate is None:
        report.say("no validation rows: the weights of the last step are kept")
    with StopSignal() as stop, report.progress(f"training {prepared.name}") as advance:

        def progress(now: Progress) -> None:
            advance(now.step, now.total, f"loss {now.loss:.3f}, {now.tokens_per_second:,.0f} tokens/s")

        what = (model, prepared.rows, prepared.plan, folder)
        outcome = Run(*what, validate, prepared.identity, progress, stop, tell=report.say).to_the_end(resume)
        if outcome.stopped_by == "patience":
            advance(outcome.steps, outcome.steps, f"no more gain; step {outcome.best_step} is kept")
        return outcome


def _parts(prepared: Prepared, model: Model, report: Reporter) -> list[PartFacts]:
    """What the model is made of, shown as a table."""
    parts = [PartFacts(**asdict(row)) for row in model.table()]
    report.table(str(prepared.lineage.composition), COLUMNS, [tuple(row.model_dump().values()) for row in parts])
    return parts


def _preview(prepared: Prepared, model: Model, folder: Path, state: State, report: Reporter) -> Planned:
    """What the run would do: rows, steps and the table of parts, without a step."""
    planned = Planned(prepared, folder, state, _parts(prepared, model, report))
    steps = f"{prepared.steps} steps" if prepared.steps or not prepared.trains else f"{prepared.plan.minutes:g} minutes"
    size = f"about {planned.bytes / 1e6:.1f} MB"
    for task in planned.tasks:
        report.say(f"{task.task}: {task.rows} rows, {100 * task.share:.1f} % of the steps")
    report.say(f"would train {prepared.task} on {planned.rows} rows for {steps} into {folder} ({state}; {size})")
    return planned

"""`demo`: the study `studies/demo` on the miniature, offline, and a report that says no more than was seen.

    stack on hellaswag: English +19.7 (rows alone +13.7 to +26.0): these two models differ, another seed may not; ...

Each arm is compared with `direct` over the same rows, and each encoder's retrieval with that of the trunk alone. One
seed gives numbers; five (`--repeats 5`) give words, by statistics/verdicts.py. Every stage computes with one thread, so
that the scores are the same whatever the number of cores (sums are rounded otherwise where threads share them, and a
hundred rows learned from that start end elsewhere); another kind of processor rounds otherwise too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.config.recipes import recipe_file
from adapter_stilts.config.study import DIRECT, StudyConfig
from adapter_stilts.files import write_json
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.results import read_results
from adapter_stilts.statistics.gains import ENOUGH, Gain
from adapter_stilts.statistics.verdicts import between, points
from adapter_stilts.studies.grid import failure
from adapter_stilts.studies.run import run
from adapter_stilts.studies.stages import FUSE, STACK, grid
from adapter_stilts.studies.study_file import read_study
from adapter_stilts.studies.study_table import Entry, Mean

STUDY = Path("studies/demo")
MOST = 4  # processes; more would wait for each other, and each takes half a gigabyte
OVER = "Over the better control"
CONTROL = "control: "  # how the labels of controls begin


@dataclass(frozen=True)
class Arm:
    """One line of the report: an entry of the study's table, and what it is called here."""

    label: str
    entry: Entry


def demo(
    *,
    out: Path,
    seed: int | None,
    overwrite: bool,
    dry_run: bool,
    report: Reporter,
    repeats: int = 1,
    jobs: int | None = None,
) -> dict[str, Any]:
    """Run every stage that is missing under `out`; returns the report as data, a row per arm.

    repeats  how many seeds everything is done with: `seed` (None: the file's) and those after it
    jobs     stages at once, each in a process with one thread; 1 does them in this one; None: a core each, up to four

    Raises StudyFailed where a stage failed; the same command goes on.
    """
    read = read_study(recipe_file(STUDY))
    first = read.seeds[0] if seed is None else seed
    config = read.model_copy(update={"seeds": tuple(range(first, first + repeats))})
    if dry_run:
        labels = [stage.label for stage in grid(config).stages if stage.work == "train"]
        for label in labels:
            report.say(f"would train {label}")
        return {"run": str(out), "stages": labels, "seeds": list(config.seeds), "results": []}
    report.say(
        "The miniature: generated sentences in ten languages and a tiny XLM-R. "
        "Its scores show that everything works; they say nothing about XLM-R itself."
    )
    limit = jobs or min(len(os.sched_getaffinity(0)), MOST)
    outcome = run(config, out, jobs=limit, report=report, threads=None if jobs == 1 else 1, overwrite=overwrite)
    if outcome.document["failed"]:
        raise failure(outcome.document)
    order = [target.task for target in config.targets]
    entries = sorted(outcome.entries, key=lambda entry: (order.index(entry.target), bool(entry.control)))
    arms = [Arm(_label(entry, config), entry) for entry in entries]
    target = [arm for arm in arms if not arm.entry.retrieval]
    retrieval = [arm for arm in arms if arm.entry.retrieval]
    _show(report, config, target, retrieval)
    document = {
        "run": str(out),
        "miniature": True,
        "seeds": list(config.seeds),
        "target": [_target_json(arm, target) for arm in target],
        "retrieval": [_json(arm, arm.entry.mean) for arm in retrieval],
        "verdicts": verdicts(target, retrieval),
    }
    folders = dict.fromkeys(Path(record["folder"]) for record in outcome.document["stages"])
    rows = [(folder, row) for folder in folders for row in read_results(folder) if row.headline]
    document["results"] = [{**row.to_json(), "run": str(folder.relative_to(out))} for folder, row in rows]
    write_json(out / "demo.json", document)
    return document


def verdicts(target: Sequence[Arm], retrieval: Sequence[Arm]) -> list[str]:
    """What may be said: a line per arm, one on the controls, and one per retrieval task."""
    compared = [arm for arm in target if arm.entry.mean.gain]
    lines = [_verdict(arm) for arm in compared]
    over = [(arm.label, arm.entry.mean.control) for arm in compared]
    differences = [f"{label} {_points(control[0])}" for label, control in over if control]
    lines += [f"{OVER} of the same kind, zero-shot: {', '.join(differences)}."] if differences else []
    return lines + [f"{task}, over the trunk: {_by_word(arms)}." for task, arms in _by_task(retrieval).items()]


def _by_task(arms: Sequence[Arm]) -> dict[str, list[Arm]]:
    tasks = dict.fromkeys(arm.entry.target for arm in arms)
    return {task: [arm for arm in arms if arm.entry.target == task] for task in tasks}


def _label(entry: Entry, config: StudyConfig) -> str:
    """Labels are the report's own: the study's table has a column for what these say in words."""
    if entry.control:
        of, control = entry.intermediate.rpartition("-")[0], entry.control.replace("-", " ")
        after = f"{entry.how} {_joint(entry.how)} {'' if control.endswith('s') else 'a '}{control}"
        return CONTROL + (f"{of}, {control}" if entry.retrieval else after)
    if entry.how == DIRECT:
        return "trunk alone" if entry.retrieval else DIRECT
    if entry.how == FUSE:
        return f"{FUSE} {', '.join(config.fusions[entry.intermediate])}"
    after = f"{entry.how} {_joint(entry.how)} {entry.intermediate}"
    return entry.intermediate if entry.retrieval else after


def _joint(how: str) -> str:
    return {STACK: "on", FUSE: "with"}.get(how, "after")


def _target_json(arm: Arm, target: Sequence[Arm]) -> dict[str, Any]:
    english = arm.entry.source or arm.entry.mean
    labels = {(other.entry.intermediate, other.entry.how): other.label for other in target}
    row = {**_json(arm, arm.entry.mean), "english": {"score": english.score, **english.gain_json()}}
    for part, mean in ((row, arm.entry.mean), (row["english"], english)):
        if mean.control:
            gain, control = mean.control
            part["over_control"] = {"gain": gain.gain, "interval": gain.interval, "p": gain.p}
            part["over_control"] |= {"control": labels[control, arm.entry.how], "how": arm.entry.how}
    return row


def _json(arm: Arm, mean: Mean) -> dict[str, Any]:
    languages = len(mean.languages)
    scores = {"score": mean.score, "by_seed": list(mean.by_seed), "languages": languages, "n": mean.n // languages}
    return {"arm": arm.label, "task": arm.entry.target, **scores, **mean.gain_json()}


def _show(report: Reporter, config: StudyConfig, target: Sequence[Arm], retrieval: Sequence[Arm]) -> None:
    first, rows = target[0].entry, config.target_settings["training.rows"]
    title = f"{first.target} ({first.metric}) from {rows} English rows; zero-shot: {_sizes(first.mean)}"
    columns = ("English", "against direct", "95 % interval", "zero-shot", "against direct", "95 % interval")
    means = [(arm.label, arm.entry.source or arm.entry.mean, arm.entry.mean) for arm in target]
    cells = [(label, *_cells(english), *_cells(mean)) for label, english, mean in means]
    report.table(title, ("arm", *columns), cells)
    for task, arms in _by_task(retrieval).items():
        title = f"{task} ({arms[0].entry.metric}), {_sizes(arms[0].entry.mean)}"
        header = ("encoder", "score", "against the trunk", "95 % interval")
        report.table(title, header, [(arm.label, *_cells(arm.entry.mean)) for arm in arms])
    seeds, lines = len(config.seeds), verdicts(target, retrieval)
    if seeds == 1:  # the tables have the numbers, and there are no words
        lines = [line for line in lines if line.startswith(OVER)]
    seeds, lines = len(config.seeds), verdicts(target, retrieval)
    if seeds == 1:  # the tables have the numbers, and there are no words for them
        differ = "where an interval leaves out 0, these two models differ; another seed may not"
        report.say(f"One seed, intervals over rows alone: {differ}. --repeats 5 takes five and gives verdicts.")
        lines = [line for line in lines if line.startswith(OVER)]
    else:
        report.say(f"{first.target}, points over direct (95 % interval):")
    for line in lines:
        report.say(line if seeds == 1 else f"  {line}")
    if 1 < seeds < ENOUGH:
        report.say(f"{seeds} seeds: too few for verdicts, which begin with {ENOUGH}; intervals are over seeds.")
    elif seeds > 1:
        family = f"p corrected for all {_tests(target, retrieval)} comparisons (Holm)"
        report.say(f"{seeds} seeds, intervals over seeds and rows on these languages; {family}.")
    report.say("The controls learned nothing of use: read a gain against them.")


def _tests(target: Sequence[Arm], retrieval: Sequence[Arm]) -> int:
    means = [mean for arm in (*target, *retrieval) for mean in (arm.entry.mean, arm.entry.source) if mean]
    return sum(mean.p_holm is not None for mean in means)


def _sizes(mean: Mean) -> str:
    return f"mean over {len(mean.languages)} languages (n {mean.n // len(mean.languages)} each)"


def _cells(mean: Mean) -> tuple[str, str, str]:
    score, gain = f"{100 * mean.score:.1f}", mean.gain
    if gain is None:
        return score, "", ""
    return score, points(gain.gain), between(gain.interval) if gain.interval else ""


def _verdict(arm: Arm) -> str:
    """Of a control its gains alone: it was not meant to help."""
    means = {"English": arm.entry.source or arm.entry.mean, "zero-shot": arm.entry.mean}
    said = [
        f"{name} {mean.verdict.text if mean.verdict and len(mean.seeds) > 1 else _points(mean.gain)}"
        for name, mean in means.items()
        if mean.gain
    ]
    return f"{arm.label}: {'; '.join(said)}."


def _by_word(arms: Sequence[Arm]) -> str:
    """The encoders in groups by verdict, each with its points."""
    groups: dict[str, list[str]] = {}
    for arm in arms:
        mean = arm.entry.mean
        if mean.gain:
            word = mean.verdict.word if mean.verdict else "controls"
            groups.setdefault(word, []).append(f"{arm.label.removeprefix(CONTROL)} {_points(mean.gain)}")
    return "; ".join(f"{word}{': ' if word else ''}{', '.join(names)}" for word, names in groups.items())


def _points(gain: Gain) -> str:
    return points(gain.gain) + (f" ({between(gain.interval)})" if gain.interval else "")

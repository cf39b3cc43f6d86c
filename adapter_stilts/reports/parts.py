"""A study or a run as a part of a report: its answer, and its sections as far as there is something to show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adapter_stilts.config.places import last_name
from adapter_stilts.reports.answer import answer, run_answer
from adapter_stilts.reports.inside import attention, courses, layers
from adapter_stilts.reports.page import COUNT, PERCENT, Block, Cell, Column, Heat, HeatCell, Part, Section, Table
from adapter_stilts.reports.provenance import costs, run_provenance, study_provenance
from adapter_stilts.reports.record import RunRecord, StudyRecord, is_study, read_run, read_study
from adapter_stilts.reports.transfer import by_language, transfer
from adapter_stilts.runs.folder import config_of
from adapter_stilts.statistics.result import Result, remarks
from adapter_stilts.tasks.families import language

READ_WITH = ("layer", "pool", "limit")  # settings of a score that stand beside it


def part_of(path: Path) -> Part:
    """What a path holds; MissingError where that is neither a study nor a finished run."""
    return _study(read_study(path)) if is_study(path) else _run(read_run(path))


def _study(study: StudyRecord) -> Part:
    document = study.document
    runs: dict[str, list[RunRecord]] = {}
    for stage in document.stages:
        if stage.key in study.runs:
            runs.setdefault(stage.name, []).append(study.runs[stage.key])
    seeds = document.config.seeds or sorted({stage.seed for stage in document.stages})
    trunk = document.config.trunk.name
    facts = [
        ("trunk", last_name(trunk) if Path(trunk).is_absolute() else trunk),
        ("seeds", ", ".join(map(str, seeds))),
        ("stages", f"{study.done} of {len(document.stages)} done"),
    ]
    read = {**runs, **({"trunk alone": study.trunks} if study.trunks else {})}
    sections = [
        *(transfer(study), by_language(study), layers(read), attention(runs), courses(runs)),
        *(costs(runs, document.stages), study_provenance(study, runs)),
    ]
    return Part("study", document.study, answer(study), facts, [section for section in sections if section])


def _run(run: RunRecord) -> Part:
    manifest, rows = run.manifest, run.results
    headlines = [row for row in rows if row.headline and row.split != "validation" and not row.partial]
    one_way = [row for row in headlines if len({_way(other) for other in headlines if other.task == row.task}) == 1]
    what = f"a run of {manifest.task} ({manifest.how})"
    what += f" after {', '.join(parent.name for parent in manifest.parents)}" if manifest.parents else ""
    what += f", and a control ({manifest.control})" if manifest.control != "none" else ""
    facts = [
        ("trunk", last_name(manifest.trunk.name) if manifest.trunk.source == "folder" else manifest.trunk.name),
        ("composition", manifest.composition),
        ("source language", manifest.language),
        ("seed", str(manifest.seeds.get("training", ""))),
        ("trained", f"{manifest.training.steps:,} steps on {manifest.training.rows:,} rows"),
    ]
    runs = {manifest.name: [run]}
    config = config_of(run.folder).model_dump(mode="json")
    sections = [_scores(rows), layers(runs), attention(runs), courses(runs), costs(runs), run_provenance(run, config)]
    said = run_answer(manifest.name, what, one_way, manifest.unlearned_sentences)
    return Part("run", manifest.name, said, [fact for fact in facts if fact[1]], [one for one in sections if one])


def _way(row: Result) -> tuple[str, str, str]:
    return (row.protocol, row.split, str(sorted(row.settings.items(), key=str)))


def _scores(rows: Sequence[Result]) -> Section | None:
    """Every score; the headline of test rows by language as a heat map, and all of them as rows."""
    if not rows:
        return None
    columns = [
        *(Column("task"), Column("language"), Column("family"), Column("script"), Column("split")),
        *(Column("metric"), Column("read with"), Column("n", COUNT), Column("score", PERCENT)),
        *(Column("from", PERCENT), Column("to", PERCENT), Column("majority", PERCENT), Column("remarks")),
    ]
    cells: list[Sequence[Cell]] = []
    for row in rows:
        known = language(row.language) if row.language else None
        family, script = (known.family, known.script) if known else ("", "")
        read_with = ", ".join(f"{name} {value}" for name, value in row.settings.items() if name in READ_WITH)
        named = (row.task, row.language, family, script, row.split, row.metric, read_with)
        majority = row.notes.get("majority")
        said = ", ".join(f"learned {task} in it" for task in _texts(row.notes.get("seen")))
        cells.append((*named, row.n, row.score, *(row.interval or (None, None)), majority, said))
    notes = remarks(rows)
    table = Table("scores", "Every score with its 95 % interval over rows", columns, cells, notes)
    lead = "Validation rows chose the step that is kept, so that their score is optimistic for it."
    return Section("Scores", [*_heat(rows), table], [lead])


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _heat(rows: Sequence[Result]) -> list[Block]:
    """Tasks down and languages across, of test rows read in one way, where there is more than one to compare."""
    scored = [row for row in rows if row.headline and row.split != "validation" and not row.partial]
    tasks = dict.fromkeys(row.task for row in scored)
    ways = {task: {_way(row) for row in scored if row.task == task} for task in tasks}
    read = [row for row in scored if len(ways[row.task]) == 1]
    codes = sorted(dict.fromkeys(row.language for row in read), key=lambda code: (language(code).family, code))
    if len(codes) < 2:
        return []
    by_task = {task: {row.language: row for row in read if row.task == task} for task in ways}
    cells = [
        ((f"{task} ({next(iter(of_task.values())).metric})",), [_score_cell(of_task.get(code)) for code in codes])
        for task, of_task in by_task.items()
        if of_task
    ]
    heads = [f"{language(code).name} ({code})" for code in codes]
    return [Heat("Score by task and language, percent", ("task",), heads, cells)]


def _score_cell(row: Result | None) -> HeatCell | None:
    if row is None:
        return None
    inside = [f"{100 * row.interval[0]:.1f} to {100 * row.interval[1]:.1f}"] if row.interval else []
    return HeatCell([f"{100 * row.score:.1f}", *inside], round(6 * min(max(row.score, 0.0), 1.0)))

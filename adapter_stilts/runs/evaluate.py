"""`eval`: zero-shot scores of a run per language, and retrieval for a run or a bare trunk; only what is missing.

    evaluate(Request(config, ("xnli", "tatoeba"), Path("runs/nli-1a2b3c4d")), ...)

Tasks with a head need a run that trained one of the same format and labels. Retrieval tasks need none. Results go to
the run's folder, or to a folder named after trunk and settings.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.errors import refuse
from adapter_stilts.formats.base import withheld
from adapter_stilts.formats.protocols import target_protocols
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.protocols import precision_of
from adapter_stilts.retrieval.reading import Overrides, told
from adapter_stilts.retrieval.reading import Reading as SentenceReading
from adapter_stilts.runs.folder import claim, locked, remove_remains
from adapter_stilts.runs.language_stacks import ENGLISH, OWN, Stacks, active, with_facts
from adapter_stilts.runs.material import first_rows, leaks, own_rows, refuse_unnamed, said_of, unlearned, where_of
from adapter_stilts.runs.measure import Predicted, measure, predict_only
from adapter_stilts.runs.ranking import measure_ranking
from adapter_stilts.runs.results import (
    Means,
    check_products,
    data_id,
    has_report,
    means,
    merged,
    read_made_of,
    read_report,
    read_results,
    write_made_of,
    write_results,
)
from adapter_stilts.runs.retrieval import RetrievalTask, measure_retrieval
from adapter_stilts.runs.rows import Reading
from adapter_stilts.runs.subject import Request, Subject, head_for, remembered, subject_of
from adapter_stilts.sharing.card import write_card
from adapter_stilts.statistics.result import LIMIT, Result
from adapter_stilts.tasks.base import Task, under
from adapter_stilts.tasks.languages import iso1, same_variety
from adapter_stilts.tasks.pools import load_pool
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import UNDETERMINED, check_language, languages_of, load, nothing_found
from adapter_stilts.tasks.user import find_task

READ_BY = ("head", "language_adapters", "precision")  # settings that make another score of the same rows
MARK = 8  # digits of the hash that names what is made of other data than the first
Job = tuple[Task, str, Where]  # a task in one language, and where its rows lie


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found: the rows of the run's results.json that were asked for.

    predicted  what had no labels
    planned    of a dry run, what would be scored; None where something was
    """

    folder: Path
    composition: str = ""
    results: tuple[Result, ...] = ()
    predicted: tuple[Predicted, ...] = ()
    planned: tuple[Mapping[str, str], ...] | None = None

    @property
    def means(self) -> Means:
        return means(self.results)

    @property
    def reports(self) -> list[Mapping[str, Any]]:
        """What the scores hide, where it was asked for."""
        return [row.report for row in self.results if row.report is not None]

    def to_json(self) -> dict[str, Any]:
        """The document of `eval --json`."""
        if self.planned is not None:
            return {"run": str(self.folder), "results": [], "planned": list(self.planned)}
        document: dict[str, Any] = {"run": str(self.folder), "composition": self.composition}
        document |= {"results": [row.to_json() for row in self.results], "means": self.means.to_json()}
        document |= {"reports": self.reports} if self.reports else {}
        return document | ({"predicted": [rows.to_json() for rows in self.predicted]} if self.predicted else {})


def evaluate(
    request: Request, *, out: Path | None, runs: Path, overwrite: bool, dry_run: bool, report: Reporter
) -> Evaluated:
    """Score what is missing."""
    config = request.config
    described = [remembered(request.run, name, config.task) for name in request.tasks]
    tasks = [under(find_task(*task), request.protocol) for task in described]
    if request.run is None:
        refuse_unnamed(config.trunk, config.data.sources)
    subject = subject_of(request, out, runs)
    for task in tasks:
        _check(request, subject, task, report)
    # a run's own trunk may lie elsewhere now
    trunk = subject.bundle.manifest.trunk.name if subject.bundle else subject.trunk.name
    names = [task.name for task in tasks]
    own = [dict(settings.get("columns") or {}) for _, settings in described]
    shared: Any = {"tasks": names}
    named = zip(names, own, strict=True)
    places = [where_of(config.data.sources, trunk, task=name, columns=columns, **shared) for name, columns in named]
    pairs = zip(tasks, places, strict=True)
    jobs = [
        (task, language, where)
        for task, where in pairs
        for language in _languages(request, subject, task, where, report)
    ]
    _say_stacks(subject.stacks, jobs, report)
    depth = subject.trunk.config.num_hidden_layers
    for task in (task for task in tasks if task.retrieval):
        plain = _retrieval_readings(request, subject, task, ())[0]
        how = told(plain.reading, depth, request.protocol, plain.wanted, subject.trunk.pooling)
        report.say(f"{task.name}: {how}")
    if dry_run:
        for task, language, _ in jobs:
            report.say(f"would score {task.name} in {language}")
        planned = tuple({"task": task.name, "language": language, "split": request.split} for task, language, _ in jobs)
        return Evaluated(subject.folder, planned=planned)
    for note in unlearned([subject.bundle.manifest] if subject.bundle is not None else []):
        report.say(note)
    for note in (note for task in tasks for note in leaks(task, subject.history)):
        report.say(note)
    there = _there(request, subject, jobs, overwrite=overwrite)
    if not there.missing and not os.access(subject.folder, os.W_OK):  # a folder of others' can be asked
        return _evaluated(request, subject, there, report)
    with locked(subject.folder):
        remove_remains(subject.folder)
        if subject.identity:
            claim(subject.folder, subject.identity, subject.folder.name)
        return _score_all(request, subject, jobs, overwrite=overwrite, report=report)


def _check(request: Request, subject: Subject, task: Task, report: Reporter) -> None:
    """Refuse a task that no head answers, before anything is scored; say where its protocol is not followed."""
    searched = task.retrieval or task.format.ranking
    what = f"'{task.name}' cannot be scored on a few rows: among fewer sentences the right one is easier to find"
    refuse(request.limit is not None and searched, what, "score it by itself, without --limit")
    if request.report and not task.format.reports:
        report.say(f"{task.name}: no report; a score of format '{task.format.name}' has no classes and no answers")
    depth, precision = subject.trunk.config.max_length, subject.trunk.precision
    asked = precision_of(request.protocol)
    if not task.retrieval:
        head_for(subject.bundle, task, request.config.evaluation.head)
        if task.format.length(target_protocols[request.protocol], 0) > depth:
            report.say(f"{task.name}: inputs are cut at {depth} tokens, which is all this trunk has positions for")
    elif asked not in ("auto", precision):
        how = f"reads in {asked}, and this trunk is in {precision}; --set trunk.precision={asked} follows it"
        report.say(f"{task.name}: {request.protocol} {how}")


def _score_all(
    request: Request, subject: Subject, jobs: Sequence[Job], *, overwrite: bool, report: Reporter
) -> Evaluated:
    """Score what is missing and note it, score by score."""
    folder, bundle, there = subject.folder, subject.bundle, _there(request, subject, jobs, overwrite=overwrite)
    rows, made, asked, missing = there.rows, there.made, set(there.asked), there.missing
    unscored: list[Predicted] = []
    for line in there.said:
        report.say(line)
    with report.progress("scoring") as progress:
        for number, (task, language, scored) in enumerate(_scores(request, subject, missing, report)):
            notes = list(leaks(task, subject.history))
            if isinstance(scored, Predicted):
                what = f"the labels are withheld, so nothing is scored; predictions are in {scored.predictions}"
                report.say(f"{task.name} {language}: {what}")
                unscored.append(replace(scored, leaks=tuple(notes)))
                made = write_made_of(folder, [*made, scored.row])
                continue
            noted = with_facts(scored, bundle.manifest.seen if bundle else {}, subject.stacks)
            run = bundle.manifest if bundle else None
            fresh = [row.with_notes(leaks=[*notes, *own_rows(row, run)]) for row in noted]
            asked |= {row.key for row in fresh}
            rows = merged(rows, fresh)
            write_results(folder, rows)
            progress(number + 1, len(missing), f"{task.name} {language}")
    rows = write_results(folder, rows)
    write_made_of(folder, made)
    if bundle is not None:
        write_card(folder, bundle.manifest, rows)
    return _evaluated(request, subject, replace(there, rows=rows, asked=asked, said=()), report, tuple(unscored))


@dataclass(frozen=True)
class _There:
    """What a folder holds of the jobs that were asked for: all its rows, the keys of those asked for, what is missing,
    and what there is to say of it."""

    rows: Sequence[Result]
    made: Sequence[Result]
    asked: Set[tuple[str, ...]]
    missing: Sequence[Job]
    said: Sequence[str]


def _there(request: Request, subject: Subject, jobs: Sequence[Job], *, overwrite: bool) -> _There:
    folder, rows, made = subject.folder, read_results(subject.folder), read_made_of(subject.folder)
    asked: set[tuple[str, ...]] = set()
    missing: list[Job] = []
    said: list[str] = []
    for task, language, where in jobs:
        before = [row for row in (*rows, *made) if _of(row, task, request.split, language)]
        data = _data(task, request.split, language, where) if before else ""
        plain = [row for row in before if "data" not in row.settings]
        if any(data_id(row.data) != data for row in plain):
            where = replace(where, mark=data[:MARK])
            what = "was scored on other data before, whose scores and predictions stay"
            said.append(f"{task.name} {language} {what}; these are called {request.split}-{language}.{where.mark}")
        same = [row for row in rows if row in before and data_id(row.data) == data]
        known = [] if overwrite else _known(same, request, task, language, subject)
        check_products(folder, known)
        asked |= {row.key for row in known}
        if not known:
            missing.append((task, language, where))
    if len(missing) < len(jobs):
        there = len(jobs) - len(missing)
        said.append(f"{there} of {len(jobs)} scores are there already (--overwrite scores them again)")
    return _There(rows, made, asked, missing, said)


def _evaluated(
    request: Request, subject: Subject, there: _There, report: Reporter, unscored: tuple[Predicted, ...] = ()
) -> Evaluated:
    """The rows that were asked for, with what is still to be said."""
    for line in there.said:
        report.say(line)
    composition = subject.bundle.manifest.composition if subject.bundle else ""
    results = [row for row in there.rows if row.key in there.asked]
    if request.report:
        results = [read_report(subject.folder, row) if row.headline else row for row in results]
    return Evaluated(subject.folder, composition, tuple(results), unscored)


def _scores(
    request: Request, subject: Subject, jobs: Sequence[Job], report: Reporter
) -> Iterator[tuple[Task, str, Sequence[Result] | Predicted]]:
    """The rows of each job, or what was predicted without a score; one retrieval task's languages are read together."""
    for name, mark in dict.fromkeys((task.name, where.mark) for task, _, where in jobs):
        chosen = [job for job in jobs if (job[0].name, job[2].mark) == (name, mark)]
        (task, _, where), languages = chosen[0], [language for _, language, _ in chosen]
        if task.retrieval:
            readings = _retrieval_readings(request, subject, task, [*languages, ENGLISH])
            every = (measure_retrieval(subject.encoder, asked, languages, where) for asked in readings)
            for of_language in zip(*every, strict=True):
                yield task, of_language[0][0], [row for _, rows in of_language for row in rows]
        elif task.format.ranking and request.split != "validation":
            model, reading = _reader(request, subject, task)
            ranked = measure_ranking(model, task, request.split, languages, where, reading, subject.folder)
            yield from ((task, language, rows) for language, rows in zip(languages, ranked, strict=True))
        else:
            yield from ((task, code, _score(request, subject, task, code, where, report)) for code in languages)


def _of(row: Result, task: Task, split: str, language: str) -> bool:
    """Whether a score, or what stands for predictions without one, is of this task, split and language."""
    return (row.task, row.split) == (task.name, split) and same_variety(row.language, language)


def _known(rows: Sequence[Result], request: Request, task: Task, language: str, subject: Subject) -> list[Result]:
    """Of the scores of this data, those that answer this job; for retrieval only where every layer asked for is
    there."""
    same = [
        row
        for row in rows
        if row.protocol == request.protocol and row.notes.get("language_adapter", {}) == subject.stacks.facts(row)
    ]
    same = [row for row in same if row.language == language] or same
    if not task.retrieval:
        marks = _reader(request, subject, task)[1].marks
        same = [row for row in same if all(row.settings.get(key) == marks.get(key) for key in READ_BY)]
        # a whole score of few rows is what a larger limit gives
        fits = {row.key for row in same if row.settings.get(LIMIT) == request.limit}
        whole = {row.key for row in same if request.limit and not row.partial and row.n <= request.limit}
        same = [row for row in same if row.key in (fits or whole)]
        if request.report and task.format.reports:
            same = [row for row in same if has_report(subject.folder, row)]
        return [row for row in same if row.settings.get("multiword", task.source.multiword) == task.source.multiword]
    readings = _retrieval_readings(request, subject, task, [language, ENGLISH])
    wanted = {id for asked in readings for id in asked.ids}
    chosen = [row for row in same if row.settings.get("id") in wanted]
    return chosen if {row.settings.get("id") for row in chosen} == wanted else []


def _data(task: Task, split: str, language: str, where: Where) -> str:
    """What tells the data that would be read now from other data: the bytes of its files, or else its kind."""
    if where.kind != "files" and where.folder is None:
        return data_id({"kind": where.kind})
    pool = load_pool(task, split, where) if task.format.ranking and split != "validation" else ()
    loaded = [load(task, split, language, where, unscored=True), *pool]
    return data_id([{"sha256": file.sha256} for part in loaded for file in part.origin.files])


def _score(
    request: Request, subject: Subject, task: Task, language: str, where: Where, report: Reporter
) -> Sequence[Result] | Predicted:
    """One language; rows of a ranking's validation split are searched among their own positives, as while training."""
    model, reading = _reader(request, subject, task)
    loaded = load(task, request.split, language, where, reading.labels, unscored=not task.format.ranking)
    for sentence in said_of(loaded.origin):
        report.say(sentence)
    unlabelled = withheld(task.format, loaded.examples)
    loaded = first_rows(loaded, request.limit) if request.limit else loaded
    with active(subject.encoder, subject.stacks.reading(language).composition):
        if unlabelled:
            return predict_only(model, task, loaded, reading, subject.folder)
        return measure(model, task, loaded, reading, subject.folder, request.report)


def _reader(request: Request, subject: Subject, task: Task) -> tuple[TaskModel, Reading]:
    """The head that answers a task, and how."""
    head, precision = head_for(subject.bundle, task, request.config.evaluation.head), subject.trunk.precision
    trained = subject.bundle.manifest.trunk.precision if subject.bundle else ""
    reading = Reading(
        tuple(head.facts["labels"]) or None,
        head.facts["max_length"],
        *(subject.token_budget, request.protocol, request.config.training.seed, head.name),
        adapters=OWN if subject.stacks.swapped else "",
        precision=precision if precision != trained else "",
    )
    return subject.models[head.name], reading


def _say_stacks(stacks: Stacks, jobs: Sequence[Job], report: Reporter) -> None:
    """Refuse languages without an adapter, and say what reads those that have none of their own."""
    retrieval = [ENGLISH] if any(task.retrieval for task, _, _ in jobs) else []
    languages = list(dict.fromkeys([*(language for _, language, _ in jobs), *retrieval]))
    for ranking in (task.name for task, _, _ in jobs if task.format.ranking):
        what = f"'{ranking}' looks for answers in many languages at once, and language adapters read one"
        refuse(stacks.swapped, f"{what} language at a time", "evaluate it without --language-adapter")
    stacks.check(languages)
    if foreign := [language for language in languages if "note" in stacks.reading(language).adapter]:
        how = f"read under the language adapter of {stacks.source.adapter['language']}"
        report.say(f"{how}, having none of their own: {', '.join(foreign)}")


def _retrieval_readings(
    request: Request, subject: Subject, task: Task, languages: Sequence[str]
) -> list[RetrievalTask]:
    """The run's own stack on both sides; with language adapters also each side under its own."""
    trunk, stacks = subject.trunk, subject.stacks
    wanted = replace(Overrides.from_config(request.config), prefix=trunk.prefix)  # a run brings its own
    one_layer = wanted.layers in (None, "last") or len(wanted.layers or ()) == 1
    how: Any = {"token_budget": subject.token_budget, "precision": trunk.precision}
    plain = RetrievalTask(
        *(task, subject.folder, request.protocol, trunk.config.num_hidden_layers, wanted),
        SentenceReading((), composition=subject.composition, **how),
        request.split,
        one_layer if request.save_vectors is None else request.save_vectors,
        trunk.pooling,
    )
    if not stacks.swapped:
        return [plain]
    own = {iso1(language): stacks.reading(language) for language in languages}
    return [plain, replace(plain, read=replace(plain.read, stacks=own))]


def _languages(
    request: Request, subject: Subject, task: Task, where: Where, report: Reporter
) -> tuple[str, ...]:
    """The languages asked for; else those that are there, files that do not tell theirs being taken for the run's."""
    asked = request.config.evaluation.languages
    for language in asked:
        check_language(task, request.split, language, where)  # all of them, before the first is scored
    languages = asked or languages_of(task, request.split, where)
    if not languages:
        raise nothing_found(task, request.split, where)
    learned = subject.bundle.manifest.language if subject.bundle is not None and not task.retrieval else ""
    own = learned if learned and "," not in learned else UNDETERMINED
    if UNDETERMINED in languages and not task.retrieval:
        taken = "is not known ('und')" if own == UNDETERMINED else f"is taken for the run's, {own}"
        report.say(f"{task.name}: the language of files that do not tell it {taken}; --languages tells it")
    return tuple(dict.fromkeys(own if language == UNDETERMINED else language for language in languages))

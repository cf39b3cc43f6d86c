"""`eval`: zero-shot scores per language for a run, and retrieval for a run or a bare trunk; computes only what is missing.

    evaluate(Request(run=Path("runs/nli-1a2b3c4d"), trunk=None, tasks=("xnli", "tatoeba")), ...)

Tasks with a head need a run that trained one of the same format and labels. Retrieval tasks need no head: they read the trunk with
the run's composition active, or the bare trunk. Results go to the run's folder, or to a folder named after trunk and settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.data.placeholders import withheld
from adapter_stilts.errors import UsageError
from adapter_stilts.evaluation.protocols import target_protocol
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.protocols import precision_of
from adapter_stilts.runs import disclosure
from adapter_stilts.runs.card import write_card
from adapter_stilts.runs.folder import (
    check_products,
    claim,
    locked,
    means,
    merge_results,
    read_results,
    remove_remains,
    result_key,
    without_predictions,
    write_results,
)
from adapter_stilts.runs.head_choice import head_for
from adapter_stilts.runs.language_stacks import ENGLISH, OWN, Stacks
from adapter_stilts.runs.material import where_of
from adapter_stilts.runs.measure import Reading, measure, predicted
from adapter_stilts.runs.measure_ranking import measure_ranking
from adapter_stilts.runs.retrieval import RetrievalSettings, measure_retrieval, planned
from adapter_stilts.runs.row_facts import adapter_facts, with_facts
from adapter_stilts.runs.sentence_reader import active_parts
from adapter_stilts.runs.sides import active
from adapter_stilts.runs.subject import Request, Subject, subject_of
from adapter_stilts.sharing.bundle import Part
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import iso1, same_language
from adapter_stilts.tasks.pools import load_pool
from adapter_stilts.tasks.protocols import under
from adapter_stilts.tasks.sources import Where, check_language, languages_of, load, nothing_found
from adapter_stilts.tasks.user import find_task

READ_BY = ("head", "language_adapters", "precision")  # settings that make another score of the same rows


def evaluate(request: Request, *, out: Path | None, runs: Path, overwrite: bool, dry_run: bool, report: Reporter) -> dict[str, Any]:
    """Score what is missing and return every row of the run's results.json that was asked for; under "predicted", what had no labels."""
    rules, asked = target_protocol(request.protocol), precision_of(request.protocol)
    tasks = [under(find_task(name, dict(request.task_settings)), request.protocol) for name in request.tasks]
    subject = subject_of(request, out, runs)
    for task in tasks:
        if not task.retrieval:
            head_for(subject.bundle, task, request.head)  # before anything is scored or written
            if rules.lengths.get(task.format.name, 0) > subject.trunk.max_length:
                report.say(f"{task.name}: inputs are cut at {subject.trunk.max_length} tokens, which is all this trunk has positions for")
        elif asked not in ("auto", subject.trunk.precision):
            how = f"reads in {asked}, and this trunk is in {subject.trunk.precision}; --set trunk.precision={asked} follows it"
            report.say(f"{task.name}: {request.protocol} {how}")
    places = {task.name: _where(request, subject, task, [one.name for one in tasks]) for task in tasks}
    jobs = [(task, language, where) for task in tasks for where in [places[task.name]] for language in _languages(request, task, where)]
    if subject.stacks is not None:
        _say_stacks(subject.stacks, jobs, report)
    if dry_run:
        for task, language, _ in jobs:
            report.say(f"would score {task.name} in {language}")
        return {
            "run": str(subject.folder),
            "results": [],
            "planned": [{"task": task.name, "language": language, "split": request.split} for task, language, _ in jobs],
        }
    for task in tasks:
        for note in _leaking(subject, task).get("leaks", ()):
            report.say(note)
    with locked(subject.folder):
        remove_remains(subject.folder)
        if subject.identity:
            claim(subject.folder, subject.identity, subject.folder.name)
        return _score_all(request, subject, jobs, overwrite=overwrite, report=report)


def _score_all(request: Request, subject: Subject, jobs: Sequence[tuple[Task, str, Where]], *, overwrite: bool, report: Reporter) -> dict[str, Any]:
    rows: list[Mapping[str, Any]] = list(read_results(subject.folder))
    asked: list[tuple[str, ...]] = []
    missing: list[tuple[Task, str, Where]] = []
    unscored: list[Mapping[str, Any]] = []  # rows without a score, their labels being withheld
    for task, language, where in jobs:
        known = [] if overwrite else _known(rows, request, task, language, subject)
        if known and not _same_data(known, task, request.split, language, where):
            report.say(f"{task.name} {language} was scored on other data before; this data is read anew")
            known = []
        check_products(subject.folder, known)
        asked.extend(result_key(row) for row in known)
        if not known:
            missing.append((task, language, where))
    if len(missing) < len(jobs):
        report.say(f"{len(jobs) - len(missing)} of {len(jobs)} scores are there already (--overwrite scores them again)")
    with report.progress("scoring") as progress:
        for number, (task, language, found) in enumerate(_scores(request, subject, missing)):
            found = [{**row, **_leaking(subject, task)} for row in found]
            if "predictions" in found[0] and "score" not in found[0]:
                report.say(f"{task.name} {language}: the labels are withheld, so nothing is scored; predictions are in {found[0]['predictions']}")
                unscored += found
                rows = without_predictions(rows, found[0]["predictions"])
                continue
            asked.extend(result_key(row) for row in found)
            rows = merge_results(rows, found)
            write_results(subject.folder, rows)
            progress(number + 1, len(missing), f"{task.name} {language}")
    document = write_results(subject.folder, rows)
    if subject.bundle is not None:
        write_card(subject.folder, subject.bundle.manifest, document["results"])
    wanted = set(asked)
    results = [row for row in document["results"] if result_key(row) in wanted]
    return {
        "run": str(subject.folder),
        "composition": subject.bundle.manifest.composition if subject.bundle else "",
        "results": results,
        "means": means(results),
        **({"predicted": unscored} if unscored else {}),
    }


def _leaking(subject: Subject, task: Task) -> dict[str, Any]:
    """What the run has seen of the task, for a row of results; nothing for a bare trunk, or where it has seen nothing."""
    found = disclosure.leaks(task, subject.bundle.manifest.history) if subject.bundle is not None else ()
    return {"leaks": list(found)} if found else {}


def _scores(request: Request, subject: Subject, jobs: Sequence[tuple[Task, str, Where]]) -> Iterator[tuple[Task, str, list[dict[str, Any]]]]:
    """The rows of each job; the languages of one retrieval task are read together."""
    for task in dict.fromkeys(task.name for task, _, _ in jobs):
        chosen = [job for job in jobs if job[0].name == task]
        first, _, where = chosen[0]
        if first.retrieval:
            languages = [language for _, language, _ in chosen]
            readings = _retrieval_readings(request, subject, [*languages, ENGLISH])
            both = (measure_retrieval(subject.encoder, first, languages, where, one, subject.folder) for one in readings)
            for found in zip(*both, strict=True):
                yield first, found[0][0], _marked(subject, [row for _, rows in found for row in rows])
        elif first.format.ranking:
            part = head_for(subject.bundle, first, request.head)
            languages, model = [language for _, language, _ in chosen], subject.models[part.name]
            for language, rows in measure_ranking(model, first, request.split, languages, where, _reading(request, subject, part), subject.folder):
                yield first, language, _marked(subject, rows)
        else:
            for one, language, place in chosen:
                yield one, language, _marked(subject, _score(request, subject, one, language, place))


def _known(rows: Sequence[Mapping[str, Any]], request: Request, task: Task, language: str, subject: Subject) -> list[Mapping[str, Any]]:
    """Rows that answer this job already; for retrieval only where every layer asked for is there."""
    same = [
        row
        for row in rows
        if (row["task"], row["protocol"], row["split"]) == (task.name, request.protocol, request.split) and same_language(row["language"], language)
    ]
    same = [row for row in same if row.get("language_adapter", {}) == adapter_facts(row, subject.stacks)]
    if not task.retrieval:
        marks = _reading(request, subject, head_for(subject.bundle, task, request.head)).marks
        same = [row for row in same if all(row["settings"].get(key) == marks.get(key) for key in READ_BY)]
        return [row for row in same if row["settings"].get("multiword", task.multiword) == task.multiword]
    wanted = {id for one in _retrieval_readings(request, subject, [language, ENGLISH]) for id in planned(one, task)}
    chosen = [row for row in same if row["settings"].get("id") in wanted]
    return chosen if {row["settings"].get("id") for row in chosen} == wanted else []


def _same_data(rows: Sequence[Mapping[str, Any]], task: Task, split: str, language: str, where: Where) -> bool:
    """Whether scores are of the data that would be read now: files by their bytes, anything else by its kind."""
    if where.kind != "files":
        return all(isinstance(row["data"], Mapping) and row["data"]["kind"] == where.kind for row in rows)
    loaded = [load(task, split, language, where, unscored=True), *(load_pool(task, split, where) if task.format.ranking and split != "validation" else ())]
    now = [file.sha256 for one in loaded for file in one.origin.files]
    return all(not isinstance(row["data"], Mapping) and [file["sha256"] for file in row["data"]] == now for row in rows)


def _score(request: Request, subject: Subject, task: Task, language: str, where: Where) -> list[dict[str, Any]]:
    part = head_for(subject.bundle, task, request.head)
    loaded = load(task, request.split, language, where, tuple(part.facts["labels"]) or None, unscored=True)
    with active(subject.encoder, subject.stacks.reading(language).composition if subject.stacks else None):
        if withheld(loaded.examples):
            return [predicted(subject.models[part.name], task, loaded, _reading(request, subject, part), subject.folder)]
        return measure(subject.models[part.name], task, loaded, _reading(request, subject, part), subject.folder)


def _reading(request: Request, subject: Subject, part: Part) -> Reading:
    own = OWN if subject.stacks is not None and subject.stacks.swapped else ""
    labels = tuple(part.facts["labels"]) or None
    trained = subject.bundle.manifest.trunk.precision if subject.bundle else ""
    other = subject.trunk.precision if subject.trunk.precision != trained else ""
    return Reading(labels, part.facts["max_length"], subject.budget(request), request.protocol, request.seed, part.name, own, other)


def _marked(subject: Subject, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return with_facts(rows, subject.bundle.manifest.seen if subject.bundle else {}, subject.stacks)


def _say_stacks(stacks: Stacks, jobs: Sequence[tuple[Task, str, Where]], report: Reporter) -> None:
    """Refuse languages without an adapter, and say what reads those that have none of their own."""
    retrieval = [ENGLISH] if any(task.retrieval for task, _, _ in jobs) else []
    languages = list(dict.fromkeys([*(language for _, language, _ in jobs), *retrieval]))
    if stacks.swapped and (ranking := [task.name for task, _, _ in jobs if task.format.ranking]):
        what = f"'{ranking[0]}' looks for answers in many languages at once, and language adapters read one language at a time"
        raise UsageError(what, do="evaluate it without --language-adapter")
    stacks.check(languages)
    if foreign := [language for language in languages if "note" in stacks.reading(language).adapter]:
        report.say(f"read under the language adapter of {stacks.source.adapter['language']}, having none of their own: {', '.join(foreign)}")


def _retrieval_readings(request: Request, subject: Subject, languages: Sequence[str]) -> list[RetrievalSettings]:
    """The run's own stack on both sides; with language adapters also each side under its own."""
    plain = _retrieval_settings(request, subject)
    stacks = subject.stacks
    if stacks is None or not stacks.swapped:
        return [plain]
    return [plain, replace(plain, stacks={iso1(language): stacks.reading(language) for language in languages})]


def _retrieval_settings(request: Request, subject: Subject) -> RetrievalSettings:
    asked = request.retrieval
    layers = tuple(range(subject.trunk.layers + 1)) if asked.layers == "all" else asked.layers
    save = request.save_vectors if request.save_vectors is not None else (layers is None or len(layers) == 1)
    return RetrievalSettings(
        protocol=request.protocol,
        composition=fingerprint(active_parts(subject.bundle)) if subject.bundle else "",
        layers=layers,
        pool=asked.pool,
        k=asked.k,
        margin=asked.margin,
        centre=asked.centring,
        split=request.split,
        save_vectors=save,
        seed=request.seed,
        depth=subject.trunk.layers,
        precision=subject.trunk.precision,
        token_budget=subject.budget(request),
    )


def _where(request: Request, subject: Subject, task: Task, tasks: Sequence[str]) -> Where:
    trunk = subject.bundle.manifest.trunk.name if subject.bundle else subject.trunk.name  # a run's own trunk may lie elsewhere now
    return where_of(request.data, trunk, columns=dict(request.task_settings.get("columns") or {}), task=task.name, tasks=tasks)


def _languages(request: Request, task: Task, where: Where) -> tuple[str, ...]:
    for language in request.languages:
        check_language(task, request.split, language, where)  # all of them, before the first is scored
    found = request.languages or languages_of(task, request.split, where)
    if not found:
        raise nothing_found(task, request.split, where)
    return found

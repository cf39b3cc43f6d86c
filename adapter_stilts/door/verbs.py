"""The verbs as functions: the command's words as keyword arguments, values in return.

    run = train("pair", trunk="xlm-roberta-base", data={"train": rows, "validation": "dev.tsv"})
    for result in evaluate(run, "xnli", languages=["de", "sw"]):
        print(result.language, result.score)

Every function calls what its command calls, with the same defaults and errors (adapter_stilts.errors). `settings` is
what `--set` is to a command: a list of "training.epochs=2", or a dictionary. Files and folders are written where the
command writes them. What a command says on stderr goes to the logger "adapter_stilts", which shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from adapter_stilts.config.recipes import recipe_file
from adapter_stilts.door.rows import source, sources
from adapter_stilts.door.run import Run
from adapter_stilts.door.words import AnyPath, AnyRun, Settings, configured, folder_of, path_of, run_or_trunk, text_of
from adapter_stilts.encoder.trunk.loading import trunk_facts
from adapter_stilts.environment import RUNS
from adapter_stilts.errors import MissingError, refuse
from adapter_stilts.files import IDENTITY
from adapter_stilts.reporting import Logged, Reporter
from adapter_stilts.reports import verb as reporting
from adapter_stilts.runs import evaluate as scoring
from adapter_stilts.runs import predict as predicting
from adapter_stilts.runs import train as training
from adapter_stilts.runs.compare import compare_runs
from adapter_stilts.runs.forecast.foresee import Rows, foresee
from adapter_stilts.runs.merges import merge as merging
from adapter_stilts.runs.merges.bake import Baked
from adapter_stilts.runs.record import Planned, Trained
from adapter_stilts.runs.subject import Request
from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.sharing.manifest import MANIFEST
from adapter_stilts.statistics.result import Result
from adapter_stilts.studies import grid
from adapter_stilts.studies import recommend as recommending
from adapter_stilts.studies import replay as replaying

Names: TypeAlias = str | Sequence[str] | None


def load(
    run_or_trunk: AnyRun, *, trunk: AnyPath | None = None, config: AnyPath | None = None, settings: Settings = None
) -> Run:
    """A finished run by its folder, or a trunk by its name, its folder or `miniature`; the weights are loaded when they
    are needed.

    trunk     of a run, where its own lies elsewhere now
    settings  what differs from the run's own: {"task.columns.text": "body"}, {"retrieval.layer": 7} ...

    Raises MissingError or ArtefactError for a run that is not whole, or a trunk that is none.
    """
    if isinstance(run_or_trunk, Run):
        return run_or_trunk
    folder, name = Path(run_or_trunk), str(run_or_trunk)
    if folder.suffix.lower() == ".zip" or any((folder / file).exists() for file in (MANIFEST, IDENTITY)):
        load_bundle(folder)
        return Run(folder, text_of(trunk), configured(config, settings, {"trunk": text_of(trunk)}))
    chosen = configured(config, settings, {"trunk": name})
    try:
        trunk_facts(name, revision=chosen.trunk.revision)
    except MissingError as error:
        if folder.exists():
            raise
        what = f"no run's folder and no trunk: {error.what}"
        raise MissingError(what, where=name, do=f"name a finished run's folder, or a trunk ({error.do})") from error
    return Run(None, name, chosen)


def train(
    task: str | Sequence[str],
    *,
    trunk: AnyPath | None = None,
    kind: str | None = None,
    from_layer: int | None = None,
    how: str | None = None,
    after: AnyRun | Sequence[AnyRun] | None = None,
    sampler: str | None = None,
    data: Any = None,
    language: Names = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    seed: int | None = None,
    control: str | None = None,
    limit_gb: float | None = None,
    out: AnyPath | None = None,
    resume: bool = True,
    overwrite: bool = False,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> Any:
    """Train an adapter and a head; returns the Run (of dry_run, a dictionary of what would be done).

    task    a task of `list tasks`, a YAML file that describes one, or several of them for how="joint"
    after   finished runs to build on
    data    a folder; "train=FILE" and the like, one or several; {"train": rows or path, "validation": ...}, where rows
            are dictionaries, a frame or a data set; rows alone are the training rows
    language  of the rows, where files and columns do not tell it
    limit_gb  memory that it must fit in
    resume  False, or `overwrite`: trains again and replaces what is there
    """
    names = _names(task)
    words: dict[str, object] = {
        "task": ",".join(names),
        "trunk": text_of(trunk),
        "kind": kind,
        "from_layer": from_layer,
        "how": how,
        "sampler": sampler,
        "seed": seed,
    }
    words |= {"after": [folder_of(run) for run in _list(after)], "control": control, "data": sources(data, RUNS)}
    words["language"] = _names(language)
    where = {**_where(out, resume and not overwrite, dry_run, reporter), "limit_gb": limit_gb}
    return _made(training.train(configured(config, settings, words), names, **where))


def fuse(
    sources: Sequence[AnyRun],
    target: str,
    *,
    trunk: AnyPath | None = None,
    kind: str | None = None,
    from_layer: int | None = None,
    data: Any = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    seed: int | None = None,
    control: str | None = None,
    limit_gb: float | None = None,
    out: AnyPath | None = None,
    resume: bool = True,
    overwrite: bool = False,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> Any:
    """Train AdapterFusion over finished runs for a target task; returns the Run, as `train` does."""
    runs = [folder_of(run) for run in _list(sources)]
    words: dict[str, object] = {
        "target": target,
        "sources": runs,
        "fuse": "fuse",
        "trunk": text_of(trunk),
        "kind": kind,
        "from_layer": from_layer,
        "seed": seed,
    }
    chosen = configured(config, settings, {**words, "control": control, "data": _given(data)})
    where = {**_where(out, resume and not overwrite, dry_run, reporter), "limit_gb": limit_gb}
    return _made(training.fuse(tuple(map(Path, runs)), target, chosen, **where))


def merge(
    sources: Sequence[AnyRun],
    *,
    method: str | None = None,
    weights: Sequence[float] | None = None,
    density: float | None = None,
    scale: float | None = None,
    rank: int | None = None,
    split: int | Sequence[int] | None = None,
    start: AnyRun | None = None,
    head: AnyRun = "",
    search: str = "",
    data: Any = None,
    languages: Names = None,
    bake: bool = False,
    config: AnyPath | None = None,
    settings: Settings = None,
    seed: int | None = None,
    out: AnyPath | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> Any:
    """Merge finished runs into one by arithmetic on what their adapters change; returns the Run, as `train` does.

    head  a run whose head it gets, "merge" for the mean of heads with the same labels, or "none"
    search  "dev:TASK" chooses weights and density on validation rows of `languages`, from `data`
    bake  write a trunk with the merged adapter in its weights, and return what is said of it
    """
    runs = [folder_of(run) for run in _list(sources)]
    words: dict[str, object] = {"merging": "merge", "sources": runs, "method": method, "density": density, "rank": rank}
    words |= {"weights": list(weights or ()), "scale": scale, "split": [split] if isinstance(split, int) else split}
    words |= {"start": None if start is None else folder_of(start), "seed": seed}
    words |= {"data": _given(data), "languages": _names(languages)}
    chosen = configured(config, settings, words)
    where: dict[str, Any] = {"out": path_of(out), "runs": RUNS, "overwrite": overwrite, "dry_run": dry_run}
    where |= {"head": folder_of(head) if isinstance(head, Run) else str(head), "bake": bake, "search": search}
    return _made(merging.merge(tuple(map(Path, runs)), chosen, **where, report=reporter or Logged()))


def evaluate(
    run: AnyRun | None = None,
    tasks: Names = None,
    *,
    trunk: AnyPath | None = None,
    languages: Names = None,
    protocol: str | None = None,
    layer: int | str | Sequence[int] | None = None,
    pool: str | None = None,
    k: int | None = None,
    margin: str | None = None,
    centring: bool | None = None,
    language_adapter: Names = None,
    data: Any = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    seed: int | None = None,
    split: str = "test",
    report: bool = False,
    limit: int | None = None,
    limit_gb: float | None = None,
    out: AnyPath | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> list[Result]:
    """Score a run, or a bare trunk, in every language; returns a Result for each task, language and metric.

    Only what is missing is computed. Rows alone as `data` are those of `split`.

    report  also what each score hides, as `Result.report` of the headline: {"classes": [...], "confusion": ...,
            "lengths": ..., "mistakes": [...]}
    limit   score the first rows of each language alone, so many
    limit_gb  memory that it must fit in
    """
    refuse(limit is not None and limit < 1, f"limit={limit}", "give a number of rows, 1 or more")
    folder, trunk = run_or_trunk(run, trunk)
    given = {split: data} if data is not None and not isinstance(data, str | Path | Mapping) and _rows(data) else data
    read: dict[str, object] = {
        "layer": list(layer) if isinstance(layer, tuple) else layer,
        "pool": pool,
        "k": k,
        "margin": margin,
    }
    read |= {"centring": centring, "languages": _names(languages), "protocol": protocol, "seed": seed}
    read |= {"language_adapter": _list(language_adapter), "data": _given(given), "trunk": text_of(trunk)}
    chosen, names = configured(config, settings, read), _names(tasks)
    refuse(not names, "no task is named", 'name one or more, for example tasks="xnli,tatoeba"')
    request = Request(chosen, names, folder, split, report=report, limit=limit, limit_gb=limit_gb)
    where: dict[str, Any] = {"out": path_of(out), "runs": RUNS, "overwrite": overwrite, "dry_run": dry_run}
    return list(scoring.evaluate(request, **where, report=reporter or Logged()).results)


def predict(
    run: AnyRun,
    rows: Any,
    *,
    out: AnyPath | None = None,
    task: str | None = None,
    skip_bad: bool = False,
    trunk: AnyPath | None = None,
    limit_gb: float | None = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Any:
    """Predict rows, with or without labels: a path, dictionaries, lines of text, a frame or a data set.

    Returns a dictionary each, in their order; where `out` is given (.jsonl, .csv, .tsv) they are written there instead,
    in bounded memory, and what comes back says how many, and what was left out.
    """
    chosen = configured(config, settings, {"trunk": text_of(trunk)})
    if out is None:
        same = config is None and not settings and trunk is None and limit_gb is None
        held = run if isinstance(run, Run) and same else None
        reader = held or Run(Path(folder_of(run)), None, chosen, limit_gb)
        return reader.predict(task or "", rows, skip_bad=skip_bad, reporter=reporter)
    asked = predicting.Asked(chosen, Path(folder_of(run)), task or "", limit_gb)
    given = Path(rows) if isinstance(rows, str | Path) else source(rows, RUNS)
    where: dict[str, Any] = {"out": Path(out), "overwrite": overwrite, "runs": RUNS, "skip_bad": skip_bad}
    return predicting.predict(asked, given, **where, report=reporter or Logged())


def study(
    file: AnyPath,
    *,
    trunk: AnyPath | None = None,
    data: Any = None,
    jobs: int = 1,
    limit_gb: float | None = None,
    out: AnyPath | None = None,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Run what is missing of a grid; returns its document: "results", "entries" (scores and gains), "means".

    Raises StudyFailed where stages are not done, once all others are.
    """
    given = tuple(_given(data) or ())
    where: dict[str, Any] = {"out": path_of(out), "jobs": jobs, "limit_gb": limit_gb, "dry_run": dry_run}
    where["report"] = reporter or Logged()
    document = grid.study(recipe_file(Path(file)), trunk=text_of(trunk), data=given, **where)
    if document["failed"]:
        raise grid.failure(document)
    return document


def plan(
    task: str = "",
    *,
    trunk: AnyPath | None = None,
    kind: str | None = None,
    from_layer: int | None = None,
    rows: int | None = None,
    mean_length: float | None = None,
    labels: int = 2,
    fused: int = 0,
    below: int = 0,
    limit_gb: float | None = None,
    device: str = "cpu",
    probe: bool = False,
    config: AnyPath | None = None,
    settings: Settings = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """What a training will hold in memory and how long it takes, as `plan --json` prints it; nothing is loaded.

    Returns "bytes", "memory" (bytes by cause), "settings", "steps", "seconds" (None where no rate is known), "changed"
    (what makes it fit `limit_gb`) and "measured" (what `probe` found).
    """
    chosen = configured(config, settings, {"trunk": text_of(trunk), "kind": kind, "from_layer": from_layer})
    what: dict[str, Any] = {"limit_gb": limit_gb, "below": below, "fused": fused, "device": device, "probe": probe}
    return foresee(chosen, task, Rows(rows, mean_length, labels), **what, report=reporter or Logged()).document()


def recommend(
    runs: AnyRun | Sequence[AnyRun],
    *,
    target: str,
    data: Any = None,
    languages: Names = None,
    rows: int = recommending.ROWS,
    config: AnyPath | None = None,
    settings: Settings = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Rank finished runs for a target before it is trained, as `recommend --json` prints it.

    languages  whose validation rows are read, in the place of the target's training rows

    Returns "advice" and "results": name, task, "evidence" (LogME, nats a row), "ahead" of the trunk alone with its
    "interval", and "best", the share of resamples in which it comes first.
    """
    chosen = configured(config, settings, {"data": _given(data)})
    found = recommending.recommend(
        target,
        [Path(folder_of(run)) for run in _list(runs)],
        chosen,
        languages=_names(languages),
        rows=rows,
        report=reporter or Logged(),
    )
    return found.document()


def report(
    paths: AnyRun | Sequence[AnyRun], *, out: AnyPath, overwrite: bool = False
) -> dict[str, Any]:
    """Write what studies and runs came to, in the form that the name of `out` ends in: .html, .md, .tex, .csv.

    paths  folders of studies, or finished runs; one or several

    Returns "files": those that were written.
    """
    return reporting.report([Path(folder_of(path)) for path in _list(paths)], Path(out), overwrite=overwrite)


def replay(
    manifest: AnyPath,
    *,
    trunk: AnyPath | None = None,
    data: Any = None,
    jobs: int = 1,
    out: AnyPath | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Make a study again from its study.json; returns whether it is "equal", and "stages" with their differences.

    A study that differs is a value here, not an error.
    """
    given = tuple(_given(data) or ())
    where: dict[str, Any] = {"out": path_of(out), "jobs": jobs, "report": reporter or Logged()}
    return replaying.replay(Path(manifest), trunk=text_of(trunk), data=given, **where)


def compare(first: AnyRun, second: AnyRun) -> dict[str, Any]:
    """What differs between two runs, and by how much in every score that both have, as `compare --json` prints it.

    Returns "settings" (key and both values) and "scores" (difference with its interval, over the same rows).
    """
    return compare_runs(Path(folder_of(first)), Path(folder_of(second)))


def _where(out: AnyPath | None, resume: bool, dry_run: bool, reporter: Reporter | None) -> dict[str, Any]:
    again = {"resume": resume, "overwrite": not resume, "dry_run": dry_run}
    return {"out": path_of(out), "runs": RUNS, **again, "report": reporter or Logged()}


def _made(made: Trained | Planned | merging.MergePlanned | Baked | None) -> Any:
    """The run; what would be done of a dry run; None in a process that is not the first of several."""
    if isinstance(made, Trained):
        return Run(made.folder)
    return made.to_json() if made is not None else None


def _list(given: Any) -> list[Any]:
    if given is None:
        return []
    return [given] if isinstance(given, str | Path | Run) else list(given)


def _names(given: Names) -> tuple[str, ...]:
    parts = given.split(",") if isinstance(given, str) else map(str, given or ())
    return tuple(name.strip() for name in parts if name.strip())


def _rows(data: Any) -> bool:
    """Whether these are rows, not paths as typed."""
    return not (isinstance(data, Sequence) and data and all(isinstance(each, str | Path) for each in data))


def _given(data: Any) -> list[str] | None:
    return sources(data, RUNS)

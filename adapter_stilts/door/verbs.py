"""The verbs as functions: the command's words as keyword arguments, values in return.

    run = train("pair", trunk="xlm-roberta-base", data={"train": rows, "validation": "dev.tsv"})
    for result in evaluate(run, "xnli", languages=["de", "sw"]):
        print(result.language, result.score)

Every function calls what its command calls, with the same defaults and errors (adapter_stilts.errors). `settings` is
what `--set` is to a command: a list of "training.epochs=2", or a dictionary. Files and folders are written where the
command writes them. What a command says on stderr goes to the logger "adapter_stilts", which shows it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from adapter_stilts.config.recipes import recipe_file
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.config.words import configuration
from adapter_stilts.door.rows import source, sources
from adapter_stilts.door.run import Run, Vectors
from adapter_stilts.encoder.kinds import mistakes
from adapter_stilts.encoder.trunk import trunk_facts
from adapter_stilts.environment import RUNS
from adapter_stilts.errors import MissingError, UsageError, refuse
from adapter_stilts.files import IDENTITY, numbered_lines
from adapter_stilts.mining import encode as encoding
from adapter_stilts.mining import mine as mining
from adapter_stilts.mining.request import Mining
from adapter_stilts.reporting import Logged, Reporter
from adapter_stilts.retrieval.stored.vectors import open_vectors
from adapter_stilts.runs import evaluate as scoring
from adapter_stilts.runs import predict as predicting
from adapter_stilts.runs import train as training
from adapter_stilts.runs.compare import compare_runs
from adapter_stilts.runs.record import Planned, Trained
from adapter_stilts.runs.subject import Request
from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.sharing.manifest import MANIFEST
from adapter_stilts.statistics.result import Result
from adapter_stilts.studies import grid

AnyPath: TypeAlias = str | Path
AnyRun: TypeAlias = str | Path | Run
Settings: TypeAlias = Sequence[str] | Mapping[str, Any] | None
Names: TypeAlias = str | Sequence[str] | None


class Pair(NamedTuple):
    """A mined pair. source, target: sentences; of vectors without texts, line numbers from 1."""

    score: float
    source: Any
    target: Any


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
    if any((folder / file).exists() for file in (MANIFEST, IDENTITY)):
        load_bundle(folder)
        return Run(folder, _text(trunk), _configured(config, settings, {"trunk": _text(trunk)}))
    chosen = _configured(config, settings, {"trunk": name})
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
    how: str | None = None,
    after: AnyRun | Sequence[AnyRun] | None = None,
    sampler: str | None = None,
    data: Any = None,
    language: Names = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    seed: int | None = None,
    control: str | None = None,
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
    resume  False, or `overwrite`: trains again and replaces what is there
    """
    names = _names(task)
    words: dict[str, object] = {
        "task": ",".join(names),
        "trunk": _text(trunk),
        "kind": kind,
        "how": how,
        "sampler": sampler,
        "seed": seed,
    }
    words |= {"after": [_folder(run) for run in _list(after)], "control": control, "data": sources(data, RUNS)}
    words["language"] = _names(language)
    where = _where(out, resume and not overwrite, dry_run, reporter)
    return _made(training.train(_configured(config, settings, words), names, **where))


def fuse(
    sources: Sequence[AnyRun],
    target: str,
    *,
    trunk: AnyPath | None = None,
    kind: str | None = None,
    data: Any = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    seed: int | None = None,
    control: str | None = None,
    out: AnyPath | None = None,
    resume: bool = True,
    overwrite: bool = False,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> Any:
    """Train AdapterFusion over finished runs for a target task; returns the Run, as `train` does."""
    runs = [_folder(run) for run in _list(sources)]
    words: dict[str, object] = {
        "target": target,
        "sources": runs,
        "fuse": "fuse",
        "trunk": _text(trunk),
        "kind": kind,
        "seed": seed,
    }
    chosen = _configured(config, settings, {**words, "control": control, "data": _given(data)})
    where = _where(out, resume and not overwrite, dry_run, reporter)
    return _made(training.fuse(tuple(map(Path, runs)), target, chosen, **where))


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
    """
    refuse(limit is not None and limit < 1, f"limit={limit}", "give a number of rows, 1 or more")
    folder, trunk = _run_or_trunk(run, trunk)
    given = {split: data} if data is not None and not isinstance(data, str | Path | Mapping) and _rows(data) else data
    read: dict[str, object] = {
        "layer": list(layer) if isinstance(layer, tuple) else layer,
        "pool": pool,
        "k": k,
        "margin": margin,
    }
    read |= {"centring": centring, "languages": _names(languages), "protocol": protocol, "seed": seed}
    read |= {"language_adapter": _list(language_adapter), "data": _given(given), "trunk": _text(trunk)}
    chosen, names = _configured(config, settings, read), _names(tasks)
    refuse(not names, "no task is named", 'name one or more, for example tasks="xnli,tatoeba"')
    request = Request(chosen, names, folder, split, report=report, limit=limit)
    where: dict[str, Any] = {"out": _path(out), "runs": RUNS, "overwrite": overwrite, "dry_run": dry_run}
    return list(scoring.evaluate(request, **where, report=reporter or Logged()).results)


def predict(
    run: AnyRun,
    rows: Any,
    *,
    out: AnyPath | None = None,
    task: str | None = None,
    skip_bad: bool = False,
    trunk: AnyPath | None = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Any:
    """Predict rows, with or without labels: a path, dictionaries, lines of text, a frame or a data set.

    Returns a dictionary each, in their order; where `out` is given (.jsonl, .csv, .tsv) they are written there instead,
    in bounded memory, and what comes back says how many, and what was left out.
    """
    chosen = _configured(config, settings, {"trunk": _text(trunk)})
    if out is None:
        held = run if isinstance(run, Run) and config is None and not settings and trunk is None else None
        reader = held or Run(Path(_folder(run)), None, chosen)
        return reader.predict(task or "", rows, skip_bad=skip_bad, reporter=reporter)
    asked = predicting.Asked(chosen, Path(_folder(run)), task or "")
    given = Path(rows) if isinstance(rows, str | Path) else source(rows, RUNS)
    where: dict[str, Any] = {"out": Path(out), "overwrite": overwrite, "runs": RUNS, "skip_bad": skip_bad}
    return predicting.predict(asked, given, **where, report=reporter or Logged())


def encode(
    file: Any,
    *,
    out: AnyPath | None = None,
    run: AnyRun | None = None,
    trunk: AnyPath | None = None,
    layer: int | None = None,
    pool: str | None = None,
    centring: bool | None = None,
    dtype: str = "float32",
    layout: str | None = None,
    column: str | None = None,
    shard_rows: int | None = None,
    limit_gb: float | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Vectors:
    """Turn a file of sentences, or a list of them, into unit vectors [N, H] float32; a blank one is zero.

    They are kept in the folder `out` (by default runs/vectors/..., named by their content) and read from there when
    they are asked for again.
    """
    folder, trunk = _run_or_trunk(run, trunk)
    words = {"trunk": _text(trunk), "layer": layer, "pool": pool, "centring": centring}
    fields: dict[str, Any] = {"layout": layout, "column": column, "dtype": dtype, "shard_rows": shard_rows}
    fields |= {"limit_gb": limit_gb, "engine": engine, "ray_address": ray_address}
    chosen = _configured(config, settings, words)
    request = encoding.Encoding.from_config(chosen, source(file, RUNS), run=folder, **fields)
    where: dict[str, Any] = {"out": _path(out), "runs": RUNS, "overwrite": overwrite, "dry_run": False}
    vectors = open_vectors(Path(encoding.encode(request, **where, report=reporter or Logged())["folder"]))
    return vectors.block(0, vectors.rows)


def mine(
    source: Any = None,
    target: Any = None,
    *,
    out: AnyPath | None = None,
    run: AnyRun | None = None,
    trunk: AnyPath | None = None,
    layer: int | None = None,
    pool: str | None = None,
    source_vectors: AnyPath | None = None,
    target_vectors: AnyPath | None = None,
    layout: str | None = None,
    column: str | None = None,
    protocol: str | None = None,
    k: int | None = None,
    margin: str | None = None,
    retrieval: str | None = None,
    centring: bool | None = None,
    duplicates: str | None = None,
    threshold: float | None = None,
    target_precision: float | None = None,
    gold: AnyPath | None = None,
    dev: Sequence[AnyPath] | None = None,
    score_only: AnyPath | None = None,
    index: str = "exact",
    lists: int | None = None,
    probes: int | None = None,
    limit_gb: float | None = None,
    json_lines: bool = False,
    engine: str = "local",
    ray_address: str | None = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    seed: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> list[Pair]:
    """Find the translations hidden in two files, or lists, of sentences; returns (score, source, target), best first.

    out  where the pairs are kept, with a report beside: tab-separated, or as JSON lines; None: nowhere
    """
    folder, trunk = _run_or_trunk(run, trunk)
    read = {"layer": layer, "pool": pool, "k": k, "margin": margin, "centring": centring, "protocol": protocol}
    chosen = _configured(config, settings, {**read, "trunk": _text(trunk), "seed": seed})
    fields: dict[str, Any] = {"source": _file(source), "target": _file(target), "layout": layout, "column": column}
    fields |= {"source_vectors": _path(source_vectors), "target_vectors": _path(target_vectors), "gold": _path(gold)}
    fields |= {"dev": tuple(map(Path, dev)) if dev else None, "threshold": threshold, "duplicates": duplicates}
    fields |= {"target_precision": target_precision, "index": index, "lists": lists, "probes": probes}
    fields |= {"limit_gb": limit_gb, "score_only": _path(score_only), "engine": engine, "ray_address": ray_address}
    reads = source_vectors is None or trunk is not None
    as_json = json_lines or out is None
    request = Mining.from_config(chosen, run=folder, reads=reads, json_lines=as_json, retrieval=retrieval, **fields)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(out) if out is not None else Path(scratch, "pairs.jsonl")
        how: dict[str, Any] = {"overwrite": overwrite, "dry_run": False, "report": reporter or Logged()}
        mining.mine(request, out=path, runs=RUNS, **how)
        return [_pair(line, as_json) for _, line in numbered_lines(path) if line]


def study(
    file: AnyPath,
    *,
    trunk: AnyPath | None = None,
    data: Any = None,
    jobs: int = 1,
    out: AnyPath | None = None,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Run what is missing of a grid; returns its document: "results", "entries" (scores and gains), "means".

    Raises StudyFailed where stages are not done, once all others are.
    """
    given = tuple(_given(data) or ())
    where: dict[str, Any] = {"out": _path(out), "jobs": jobs, "dry_run": dry_run, "report": reporter or Logged()}
    document = grid.study(recipe_file(Path(file)), trunk=_text(trunk), data=given, **where)
    if document["failed"]:
        raise grid.failure(document)
    return document


def compare(first: AnyRun, second: AnyRun) -> dict[str, Any]:
    """What differs between two runs, and by how much in every score that both have, as `compare --json` prints it.

    Returns "settings" (key and both values) and "scores" (difference with its interval, over the same rows).
    """
    return compare_runs(Path(_folder(first)), Path(_folder(second)))


def _configured(config: AnyPath | None, settings: Settings, words: Mapping[str, object]) -> RunConfig:
    given = settings or ()
    if isinstance(given, Mapping):
        given = [f"{key}={json.dumps(value, default=str)}" for key, value in given.items()]
    return configuration(_path(config), [given] if isinstance(given, str) else given, words, adapter=mistakes)


def _where(out: AnyPath | None, resume: bool, dry_run: bool, reporter: Reporter | None) -> dict[str, Any]:
    again = {"resume": resume, "overwrite": not resume, "dry_run": dry_run}
    return {"out": _path(out), "runs": RUNS, **again, "report": reporter or Logged()}


def _made(made: Trained | Planned | None) -> Any:
    """The run; what would be done of a dry run; None in a process that is not the first of several."""
    if isinstance(made, Trained):
        return Run(made.folder)
    return made.to_json() if made is not None else None


def _run_or_trunk(run: AnyRun | None, trunk: AnyPath | None) -> tuple[Path | None, AnyPath | None]:
    """The run's folder and the trunk's name; a loaded trunk may stand in the place of a run."""
    if isinstance(run, Run):
        return run.folder, trunk or run.trunk
    return (None if run is None else Path(run)), trunk


def _folder(run: AnyRun) -> str:
    if isinstance(run, Run) and run.folder is None:
        raise UsageError(f"{run!r} is no run", do="train one: stilts.train(TASK, trunk=...)")
    return str(run.folder if isinstance(run, Run) else run)


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


def _file(sentences: Any) -> Path | None:
    return None if sentences is None else source(sentences, RUNS)


def _path(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path)


def _text(name: AnyPath | None) -> str | None:
    return None if name is None else str(name)


def _pair(line: str, as_json: bool) -> Pair:
    if not as_json:
        score, *texts = line.split("\t")
        return Pair(float(score), *texts)
    document = json.loads(line)
    sides = (document.get(side, document.get(f"{side}_line")) for side in ("source", "target"))
    return Pair(float(document["score"]), *sides)

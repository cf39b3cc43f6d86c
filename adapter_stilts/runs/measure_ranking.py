"""Evaluating a ranking in several languages: the candidates of all of them are read once, the queries language by
language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.formats.queries import Query
from adapter_stilts.metrics.base import Options
from adapter_stilts.metrics.ranked import DEEPEST
from adapter_stilts.runs.attention import store_attention
from adapter_stilts.runs.material import origin_facts
from adapter_stilts.runs.measure import Reading, measure, results
from adapter_stilts.runs.ranking import Pool, query_rows, read_pool, score_language, unit_vectors
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.reading.place import Loaded, Where
from adapter_stilts.tasks.reading.pools import joined, load_pool
from adapter_stilts.tasks.reading.sources import load


def measure_ranking(
    model: TaskModel, task: Task, split: str, languages: Sequence[str], where: Where, reading: Reading, folder: Path
) -> Iterator[tuple[str, list[Result]]]:
    """Rows language by language. The pool is the same for all of them, and for a run that asks for one of them alone.

    Validation rows are searched among their own positives, as they are while training.
    """
    if split == "validation":
        yield from (
            (language, measure(model, task, load(task, split, language, where), reading, folder))
            for language in languages
        )
        return
    sources = load_pool(task, split, where)
    pool = read_pool(model, joined(sources), reading.max_length, reading.token_budget)
    for language in languages:
        yield language, _measure(model, task, load(task, split, language, where), pool, sources, reading, folder)


def data_of(loaded: Loaded, pool: Sequence[Loaded]) -> Any:
    """What a ranking's scores are of: the files of the queries and of the candidates, or the place both come from."""
    files = [fact for one in (loaded, *pool) for fact in origin_facts(one.origin)["files"]]
    configs = {"candidate_configs": [one.origin.config for one in pool]} if loaded.origin.kind == "hub" else {}
    return files or {**origin_facts(loaded.origin), "candidates": sum(one.origin.rows for one in pool), **configs}


def _measure(
    model: TaskModel, task: Task, loaded: Loaded, pool: Pool, sources: Sequence[Loaded], reading: Reading, folder: Path
) -> list[Result]:
    origin, queries = loaded.origin, cast(Sequence[Query], loaded.examples)
    with model.encoder.capture_attention() as attention:
        vectors = unit_vectors(model, query_rows(model, task, queries, reading.max_length), reading.token_budget)
    scored, found = score_language(
        task.metric, queries, vectors, pool, Options(language=origin.language, seed=reading.seed)
    )
    if attention.sums:
        means = {name: attention.mean(name) for name in attention.sums}
        store_attention(folder, task.name, origin.split, origin.language, means)
    settings = {
        "max_length": reading.max_length,
        "query_length": task.query_length,
        "candidates": len(pool.candidates),
        "candidate_languages": len(pool.languages),
        "depth": DEEPEST,
        "index": "exact",
    }
    return results(task, loaded, reading, scored, settings, folder, found, data_of(loaded, sources))

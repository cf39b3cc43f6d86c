"""Scoring a ranking: queries and candidates to vectors, the nearest candidates by FAISS, and rows of results.

The candidates of all languages are read once and searched together, whatever language the queries are in. LAReQA's
measure is mAP@20 over the answers in every language. An encoder that prefers its query's own language is told by two
rows beside the headline:

    map20-other-languages   the same, with the candidates (and answers) of the query's own language taken away
    own-language            the fraction of the first 20 candidates that are in the query's language
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.data.feature import Feature
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.errors import StiltsError
from adapter_stilts.evaluation.predict import logits
from adapter_stilts.formats.base import Cut, Example
from adapter_stilts.formats.queries import Candidate, Query, merged
from adapter_stilts.formats.ranking import candidate_features
from adapter_stilts.metrics.base import Measure, Options, Score
from adapter_stilts.metrics.ranked import DEEPEST, score_ranked
from adapter_stilts.retrieval.search import nearest
from adapter_stilts.runs.material import origin_facts
from adapter_stilts.runs.rows import Reading, rows_of, store_attention
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import same_language
from adapter_stilts.tasks.pools import checked, gold_of, joined, load_pool
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import load

AT_ONCE = 1 << 16  # candidates whose tokens are held at once
SEVERAL = "map20"  # the measure of tasks whose queries have answers in several languages

Vectors: TypeAlias = NDArray[np.float32]
Ranked: TypeAlias = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Pool:
    """Candidates and their unit vectors [N, H], row by row."""

    candidates: Sequence[Candidate]
    vectors: Vectors

    def without(self, language: str) -> Pool:
        """The candidates of all other languages."""
        kept = [row for row, candidate in enumerate(self.candidates) if not same_language(candidate.language, language)]
        return Pool([self.candidates[row] for row in kept], self.vectors[kept])

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted({candidate.language for candidate in self.candidates} - {""}))


def measure_ranking(
    model: TaskModel, task: Task, split: str, languages: Sequence[str], where: Where, reading: Reading, folder: Path
) -> Iterator[list[Result]]:
    """Rows language by language. The pool is the same for all of them, and for a run that asks for one alone."""
    sources = load_pool(task, split, where)
    pool = read_pool(model, joined(sources), reading)
    settings: dict[str, Any] = {"max_length": reading.max_length, "query_length": task.query_length}
    settings |= {"candidates": len(pool.candidates), "candidate_languages": len(pool.languages)}
    settings |= {"depth": DEEPEST, "index": "exact"}
    for language in languages:
        loaded = load(task, split, language, where)
        origin, queries = loaded.origin, cast(Sequence[Query], loaded.examples)
        with model.encoder.capture_attention() as attention:
            vectors = query_vectors(model, task, queries, reading)
        options = Options(language=origin.language)
        scored, ranking = score_language(task.metric, queries, vectors, pool, options)
        if attention.sums:
            means = {name: attention.mean(name) for name in attention.sums}
            store_attention(folder, task.name, origin.split, origin.named, means)
        files = [fact for part in (loaded, *sources) for fact in origin_facts(part.origin)["files"]]
        place = {**origin_facts(origin), "candidates": sum(part.origin.rows for part in sources)}
        if origin.kind == "hub":
            place["candidate_configs"] = [part.origin.config for part in sources]
        rows = rows_of(task, loaded, reading, scored, settings, folder, ranking)
        yield [replace(row, data=files or place) for row in rows]


def own_score(
    model: TaskModel, task: Task, examples: Sequence[Example], reading: Reading, options: Options
) -> tuple[Score, Ranked]:
    """The score of queries among their own positives, as training selects by it, and the ranking; queries without a
    positive are left out."""
    queries = [replace(query, gold=()) for query in cast(Sequence[Query], examples) if query.positive is not None]
    pool = read_pool(model, checked(merged(queries)), reading)
    vectors = query_vectors(model, task, queries, reading)
    return score_language(task.metric, queries, vectors, pool, options)


def read_pool(model: TaskModel, candidates: Sequence[Candidate], reading: Reading) -> Pool:
    """Candidates as vectors of the model."""
    vectors = np.empty((len(candidates), model.encoder.trunk.config.hidden_size), dtype=np.float32)
    tokenizer = model.encoder.trunk.tokenizer
    for start in range(0, len(candidates), AT_ONCE):
        part = candidate_features(candidates[start : start + AT_ONCE], tokenizer, reading.max_length)
        vectors[start : start + len(part)] = _unit_vectors(model, part, reading)
    return Pool(candidates, vectors)


def query_vectors(model: TaskModel, task: Task, queries: Sequence[Example], reading: Reading) -> Vectors:
    """[N, H] unit vectors of queries, in their order."""
    trunk = model.encoder.trunk
    longest = min(reading.max_length, trunk.config.max_length)
    cut = Cut(max_length=longest, query_length=task.query_length, training=False)
    return _unit_vectors(model, task.format.features(queries, trunk.tokenizer, cut), reading)


def score_language(
    metric: str, queries: Sequence[Query], vectors: Vectors, pool: Pool, options: Options
) -> tuple[Score, Ranked]:
    """Every measure of one language's queries, and their rankings."""
    gold = gold_of(queries, pool.candidates)
    ranking = _ranked(queries, vectors, pool)
    scored = score_ranked(metric, gold, ranking, options)
    if metric == SEVERAL and len(pool.languages) > 1:
        more = _bias(queries, vectors, pool, gold, ranking, options)
        scored = replace(scored, measures=(*scored.measures, *more))
    return scored, ranking


def _unit_vectors(model: TaskModel, rows: Sequence[Feature], reading: Reading) -> Vectors:
    vectors = np.stack(logits(model, rows, reading.token_budget))
    if not np.isfinite(vectors).all():
        what = "the vector of a text is not finite"
        raise StiltsError(what, do="train with a lower rate, or in fp32; the adapter may have diverged")
    return vectors


def _ranked(queries: Sequence[Query], vectors: Vectors, pool: Pool) -> Ranked:
    """The ids of the first 20 candidates of every query, best first, by exact inner products."""
    rows = nearest(vectors, pool.vectors, DEEPEST).index.tolist()
    ids = [candidate.id for candidate in pool.candidates]
    return {query.id: tuple(ids[number] for number in row) for query, row in zip(queries, rows, strict=True)}


def _bias(
    queries: Sequence[Query],
    vectors: Vectors,
    pool: Pool,
    gold: Mapping[str, Sequence[str]],
    ranking: Ranked,
    options: Options,
) -> Iterator[Measure]:
    """What language the answers come from; nothing where no candidate is in the query's own."""
    spoken = {candidate.id: same_language(candidate.language, options.language) for candidate in pool.candidates}
    if not any(spoken.values()):
        return
    others = {query: tuple(answer for answer in answers if not spoken[answer]) for query, answers in gold.items()}
    if places := [number for number, query in enumerate(queries) if others[query.id]]:
        kept = [queries[number] for number in places]
        elsewhere = _ranked(kept, vectors[places], pool.without(options.language))
        scored = score_ranked(SEVERAL, {query.id: others[query.id] for query in kept}, elsewhere, options)
        yield replace(scored.main, metric=f"{SEVERAL}-other-languages")
    units = np.array([(np.mean([spoken[id] for id in row]), 1.0) for row in ranking.values()])
    yield Measure.of("own-language", units, "ratio", options)

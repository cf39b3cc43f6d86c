"""Scoring a ranking: queries and candidates to vectors, the nearest candidates by FAISS, and rows of results.

The candidates of all languages are searched together, whatever language the queries are in. LAReQA's measure is mAP@20
over the answers in every language. An encoder that prefers its query's own language is told by two rows beside the
headline:

    map20-other-languages   the same, with the candidates (and answers) of the query's own language taken away
    own-language            the fraction of the first 20 candidates that are in the query's language
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

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
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import same_language
from adapter_stilts.tasks.reading.pools import checked, gold_of

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
        kept = [number for number, one in enumerate(self.candidates) if not same_language(one.language, language)]
        return Pool([self.candidates[number] for number in kept], self.vectors[kept])

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted({candidate.language for candidate in self.candidates} - {""}))


def read_pool(model: TaskModel, candidates: Sequence[Candidate], max_length: int, token_budget: int) -> Pool:
    """Candidates as vectors of the model."""
    vectors = np.empty((len(candidates), model.encoder.trunk.hidden), dtype=np.float32)
    for start in range(0, len(candidates), AT_ONCE):
        part = candidate_features(candidates[start : start + AT_ONCE], model.encoder.trunk.tokenizer, max_length)
        vectors[start : start + len(part)] = unit_vectors(model, part, token_budget)
    return Pool(candidates, vectors)


def own_score(
    model: TaskModel, task: Task, examples: Sequence[Example], max_length: int, token_budget: int, options: Options
) -> tuple[Score, Ranked]:
    """The score of queries among their own positives, as training selects by it, and what was found; queries without
    one are left out."""
    queries = [replace(query, gold=()) for query in cast(Sequence[Query], examples) if query.positive is not None]
    pool = read_pool(model, checked(merged(queries)), max_length, token_budget)
    vectors = unit_vectors(model, query_rows(model, task, queries, max_length), token_budget)
    return score_language(task.metric, queries, vectors, pool, options)


def query_rows(model: TaskModel, task: Task, queries: Sequence[Example], max_length: int) -> list[Feature]:
    """Queries as token ids, to be read."""
    length = min(max_length, model.encoder.trunk.max_length)
    tokenizer = model.encoder.trunk.tokenizer
    return task.format.features(
        queries, tokenizer, Cut(max_length=length, query_length=task.query_length, training=False)
    )


def unit_vectors(model: TaskModel, rows: Sequence[Feature], token_budget: int) -> Vectors:
    """[N, H] unit vectors of queries or candidates, in their order. Raises StiltsError for one that is no number."""
    vectors = np.stack(logits(model, rows, token_budget))
    if not np.isfinite(vectors).all():
        what = "the vector of a text is not finite"
        raise StiltsError(what, do="train with a lower rate, or in fp32; the adapter may have diverged")
    return vectors


def ranked(queries: Sequence[Query], vectors: Vectors, pool: Pool) -> Ranked:
    """The ids of the first 20 candidates of every query, best first, by exact inner products."""
    found = nearest(vectors, pool.vectors, DEEPEST)
    return {
        query.id: tuple(pool.candidates[number].id for number in row)
        for query, row in zip(queries, found.index.tolist(), strict=True)
    }


def score_language(
    metric: str, queries: Sequence[Query], vectors: Vectors, pool: Pool, options: Options
) -> tuple[Score, Ranked]:
    """Every measure of one language's queries, and what was found for them."""
    gold = gold_of(queries, pool.candidates)
    found = ranked(queries, vectors, pool)
    scored = score_ranked(metric, gold, found, options)
    if metric != SEVERAL or len(pool.languages) < 2:
        return scored, found
    return replace(scored, measures=(*scored.measures, *_bias(queries, vectors, pool, gold, found, options))), found


def _bias(
    queries: Sequence[Query],
    vectors: Vectors,
    pool: Pool,
    gold: Mapping[str, Sequence[str]],
    found: Ranked,
    options: Options,
) -> Iterator[Measure]:
    """What language the answers come from; nothing where no candidate is in the query's own."""
    spoken = {candidate.id: same_language(candidate.language, options.language) for candidate in pool.candidates}
    if not any(spoken.values()):
        return
    others = {id: tuple(one for one in right if not spoken[one]) for id, right in gold.items()}
    places = [number for number, query in enumerate(queries) if others[query.id]]
    if places:
        kept = [queries[number] for number in places]
        elsewhere = ranked(kept, vectors[places], pool.without(options.language))
        measure = score_ranked(SEVERAL, {query.id: others[query.id] for query in kept}, elsewhere, options).main
        yield replace(measure, metric=f"{SEVERAL}-other-languages")
    units = np.array([(np.mean([spoken[id] for id in row]), 1.0) for row in found.values()])
    yield Measure.of("own-language", units, "ratio", options)

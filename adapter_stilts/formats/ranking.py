"""Ranking: a query and what it should find; in evaluation, found among many candidates. queries.py makes them of files.

    `<s> query </s>`, and `<s> text </s>` or `<s> sentence </s></s> paragraph </s>`

Both sides go through the same encoder. In training a feature holds a query and its positive; the positives of the other
rows of a batch are its negatives, so equal ones must be known: `target` is (number of the positive's id, number of its
tokens), and two rows that agree in either have the same positive.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from adapter_stilts.data.feature import Feature, Ids
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.mewsli import plain_rows
from adapter_stilts.data.pieces import Tokenizer, cut_texts, marks, pieces
from adapter_stilts.data.tables import Bad, Row, refused
from adapter_stilts.formats.base import Cut, Format, dealt, register
from adapter_stilts.formats.queries import COLUMNS, Candidate, Query, candidates_of, query_of, squad_ranking
from adapter_stilts.formats.squad import squad_document
from adapter_stilts.metrics.base import DEFAULTS, Options
from adapter_stilts.metrics.ranked import DEEPEST
from adapter_stilts.statistics.learned import Baseline


@register
class RankingFormat(Format[Query]):
    name = "ranking"
    row = Query
    columns = COLUMNS
    head = "ranking"
    metric = "map20"
    form = "ranked"
    max_length = 256
    own_length = True
    one_language = False
    rows_needed = 2  # a query alone has nothing to be told from
    ranking = True
    misplaced_note = "queries are left out: no sentence holds their answer"

    candidates = staticmethod(candidates_of)
    example = staticmethod(query_of)

    def file(self, path: Path, kind: str, layout: Layout, bad: Bad = refused) -> Iterator[Query] | None:
        document = squad_document(path, kind)
        return cast(Iterator[Query], squad_ranking(document, path, layout)) if document else None

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Mewsli-X's lines are several plain rows each."""
        return (plain for row in rows for plain in plain_rows(row))

    def group(self, example: Query) -> str:
        """What several queries look for, or the paragraph it stands in."""
        return example.id if example.positive is None else example.positive.context or example.positive.text

    def misplaced(self, example: Query) -> bool:
        return example.positive is None

    def shuffled(self, examples: Sequence[Query], draw: random.Random) -> list[Query]:
        answers = dealt([(row.positive, row.gold) for row in examples], draw)
        pairs = zip(examples, answers, strict=True)
        return [replace(row, positive=positive, gold=gold) for row, (positive, gold) in pairs]

    def baseline(
        self, metric: str, examples: Sequence[Query], labels: Sequence[str] | None, options: Options = DEFAULTS
    ) -> Baseline | None:
        """Of queries among their own positives in random order: each place is as likely to hold the one right."""
        pool = len({row.positive.id for row in examples if row.positive is not None})
        expected = sum(1 / place for place in range(1, min(pool, DEEPEST) + 1)) / max(pool, 1)
        return Baseline(metric, expected) if pool > 1 else None

    def cut(self, examples: Sequence[Query], tokenizer: Tokenizer, cut: Cut) -> Iterator[Feature]:
        """A feature for every query; in training with its positive, and none for a query without one."""
        kept = [(index, row) for index, row in enumerate(examples) if not cut.training or row.positive is not None]
        queries = pieces(tokenizer, (example.text for _, example in kept))
        around, length = marks(tokenizer), min(cut.query_length, cut.max_length)
        rows = [around.single(ids[: length - around.of_one]) for ids in queries]
        if not cut.training:
            yield from (Feature(0, index, row) for (index, _), row in zip(kept, rows, strict=True))
            return
        positives = cast(list[Candidate], [example.positive for _, example in kept])
        answers = [cast(Ids, feature.input_ids) for feature in candidate_features(positives, tokenizer, cut.max_length)]
        same = zip(_numbered([positive.id for positive in positives]), _numbered(answers), strict=True)
        for (index, _), row, target, answer in zip(kept, rows, same, answers, strict=True):
            yield Feature(0, index, row, target, candidate=answer)


def candidate_features(candidates: Sequence[Candidate], tokenizer: Tokenizer, max_length: int) -> list[Feature]:
    """A feature for every candidate, to be read as a query is: a sentence and its paragraph are cut longest first."""
    texts = [(candidate.text, candidate.context) for candidate in candidates]
    return [Feature(row, row, ids) for row, ids in enumerate(cut_texts(tokenizer, texts, max_length))]


def _numbered(values: Sequence[Hashable]) -> list[int]:
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in values]

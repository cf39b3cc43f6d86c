"""Text in many languages to rows of masked-language-model pretraining, prepared once over one flat run of token ids.

A row is a stretch of neighbouring texts of one language, `<s> a </s>`, or a translation pair, `<s> a </s></s> b </s>`.
Half of the stretches are one text, the others as long as a length drawn up to the limit, so that every position
embedding is trained. Languages take part by (their tokens) ** exponent: the largest is read once an epoch, smaller ones
more often. Conneau and Lample (2019), https://arxiv.org/abs/1901.07291
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from adapter_stilts.errors import UsageError
from adapter_stilts.formats.text import PlainText
from adapter_stilts.seeding import Seeds

SHORTEST = 2  # tokens of a text; less says nothing
LONE = 0.5  # share of the stretches that are a single text
BEGIN, PAD, END = 0, 1, 2  # the ids of <s>, <pad>, </s>, as XLM-R has them
FRAME, PAIR_FRAME = 2, 4  # how many of them a single row and a pair hold

# two spans of the run of ids, from the first to before the last; the second one is empty for a stretch
Row = tuple[int, int, int, int]


@dataclass(frozen=True)
class Corpus:
    """All token ids in one tensor [N] int32, and where the texts and pairs of each language lie in it."""

    ids: Tensor
    singles: Mapping[str, Sequence[Row]]
    pairs: Mapping[str, Sequence[Row]]

    def tokens(self, language: str) -> int:
        return _size(self.singles[language]) + _size(self.pairs[language])


@dataclass(frozen=True)
class Rows:
    """An epoch's rows over a corpus: spans [rows, 4]."""

    corpus: Corpus
    spans: Tensor

    @property
    def lengths(self) -> list[int]:
        a, b, c, d = self.spans.T
        lengths: list[int] = (b - a + d - c + torch.where(d > c, PAIR_FRAME, FRAME)).tolist()
        return lengths

    def collate(self, numbers: Sequence[int]) -> dict[str, torch.Tensor]:
        """input_ids and attention_mask [B, T]."""
        chosen = [self._row(*span) for span in self.spans[list(numbers)].tolist()]
        ids = torch.nn.utils.rnn.pad_sequence(chosen, batch_first=True, padding_value=PAD).long()
        return {"input_ids": ids, "attention_mask": (ids != PAD).long()}

    def _row(self, a: int, b: int, c: int, d: int) -> Tensor:
        begin, end = torch.tensor([BEGIN], dtype=torch.int32), torch.tensor([END], dtype=torch.int32)
        ids = self.corpus.ids
        return torch.cat([begin, ids[a:b], end, end, ids[c:d], end] if d > c else [begin, ids[a:b], end])


def encode(texts: Mapping[str, Sequence[PlainText]], tokenizer: Tokenizer) -> Corpus:
    """Tokenise everything, without special tokens; texts with a `pair` become pairs, the others stretches."""
    parts: list[Tensor] = []
    singles: dict[str, list[Row]] = {}
    pairs: dict[str, list[Row]] = {}
    size = 0
    for language, rows in sorted(texts.items()):
        alone, both = [row for row in rows if row.pair is None], [row for row in rows if row.pair is not None]
        strings = [row.text for row in alone] + [text for row in both for text in (row.text, row.pair or "")]
        encoded = [encoding.ids for encoding in tokenizer.encode_batch(strings, add_special_tokens=False)]
        ends = torch.tensor([size, *map(len, encoded)]).cumsum(0).tolist()
        spans = list(pairwise(ends))
        parts.append(torch.tensor([id for ids in encoded for id in ids], dtype=torch.int32))
        size = ends[-1]
        singles[language] = [(a, b, 0, 0) for a, b in spans[: len(alone)] if b - a >= SHORTEST]
        halves = zip(spans[len(alone) :: 2], spans[len(alone) + 1 :: 2], strict=True)
        pairs[language] = [(a, b, c, d) for (a, b), (c, d) in halves if min(b - a, d - c) >= SHORTEST]
    return Corpus(torch.cat([torch.zeros(0, dtype=torch.int32), *parts]), singles, pairs)


def sample(corpus: Corpus, *, max_length: int, pair_share: float | None, exponent: float, seed: int) -> Rows:
    """An epoch's rows, `pair_share` of them pairs (None: as it comes); every text and every pair is in it.

    Raises UsageError where the corpus lacks what the share asks for.
    """

    def stretches(language: str, draw: Random) -> list[Row]:
        return list(_stretches(corpus.singles[language], max_length - FRAME, draw))

    def pairs(language: str, draw: Random) -> list[Row]:
        return [_cut(pair, (max_length - PAIR_FRAME) // 2, draw) for pair in corpus.pairs[language]]

    single, double = _repeats(corpus.singles, exponent), _repeats(corpus.pairs, exponent)
    if not (single or double):
        raise UsageError("there is no text to pretrain on", do="give texts of at least two tokens")
    if pair_share is not None and ((pair_share > 0 and not double) or (pair_share < 1 and not single)):
        missing = "translation pairs" if not double else "single texts"
        what = f"the pair share is {pair_share}, but there are no {missing}"
        raise UsageError(what, where="pair_share", do="give some, or set the share to 0 or 1")
    rows = _drawn(single, stretches, 1.0, seed) if pair_share != 1 else []
    paired = _drawn(double, pairs, 1.0, seed) if pair_share != 0 else []
    if pair_share and rows and paired:
        # pairs for each pair, were every stretch read once
        wanted = len(rows) / len(paired) * pair_share / (1 - pair_share)
        rows = _drawn(single, stretches, max(1.0, 1 / wanted), seed)
        paired = _drawn(double, pairs, max(1.0, wanted), seed)
    return Rows(corpus, torch.tensor([*rows, *paired]))


def _repeats(rows: Mapping[str, Sequence[Row]], exponent: float) -> dict[str, float]:
    """How often each language is read an epoch, for its share to be tokens ** exponent; 1 for the largest."""
    tokens = {language: _size(rows[language]) for language in rows}
    largest = max(tokens.values(), default=0)
    return {language: (largest / count) ** (1 - exponent) for language, count in sorted(tokens.items()) if count}


def _drawn(
    repeats: Mapping[str, float], cover: Callable[[str, Random], list[Row]], factor: float, seed: int
) -> list[Row]:
    """Each language's rows, `repeats * factor` times over; a broken number ends in a random part."""
    drawn: list[Row] = []
    for language, times in repeats.items():
        left = times * factor
        draw = Seeds(seed).python(f"rows/{language}")
        while left > 0:
            rows = cover(language, draw)
            drawn.extend(rows if left >= 1 else draw.sample(rows, round(left * len(rows))))
            left -= 1
    return drawn


def _stretches(texts: Sequence[Row], limit: int, draw: Random) -> Iterator[Row]:
    """Every text once: alone, or joined with its neighbours up to a length drawn each time; long texts are cut."""
    start = last = -1
    wanted = 0
    for first, end, *_ in texts:
        if last >= 0 and (first != last or end - start > wanted):
            yield from _pieces(start, last, limit)
            last = -1
        if last < 0:
            start, wanted = first, 0 if draw.random() < LONE else draw.randint(1, limit)
        last = end
    if last >= 0:
        yield from _pieces(start, last, limit)


def _pieces(start: int, last: int, limit: int) -> Iterator[Row]:
    for first in range(start, last, limit):
        if min(first + limit, last) - first >= SHORTEST or first == start:
            yield first, min(first + limit, last), 0, 0


def _cut(pair: Row, limit: int, draw: Random) -> Row:
    """A pair in either order, each side cut to `limit` tokens."""
    a, b, c, d = pair
    b, d = min(b, a + limit), min(d, c + limit)
    return (a, b, c, d) if draw.random() < 0.5 else (c, d, a, b)


def _size(rows: Sequence[Row]) -> int:
    return sum(b - a + d - c for a, b, c, d in rows)

"""One shard of a file: its sentences read, cut into tokens, and turned into vectors; in memory that the shard's rows
bound.

Only token ids are held, never the text: at most `max_length` of them a row. Equal sentences are read by the trunk once,
and one that an earlier shard has is copied from there, byte for byte, as far as `known.py` remembers. Batches are made
of the shard's own sentences, sorted by length, so the bytes of a shard follow from the rows up to it and from nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.data.sentences import Sentence
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.embed import TokenIds, embed_rows, token_rows
from adapter_stilts.retrieval.pooling import to_unit
from adapter_stilts.retrieval.reading import Reading
from adapter_stilts.retrieval.saved import Saved
from adapter_stilts.retrieval.stored.arrays import ROWS_AT_ONCE, narrowed
from adapter_stilts.retrieval.stored.known import BLANK, Keys, KnownTexts, Rows, as_keys, text_key

SENTENCES_AT_ONCE = 1 << 12  # of which the tokenizer cuts those that are new
CHARACTERS_AT_ONCE = 1 << 20
CHARACTERS_READ = 1 << 16  # of one sentence; the trunk reads 512 tokens
NOTHING = -1  # the source of a row without text; below it stand rows of earlier shards


@dataclass
class ShardRows:
    """The rows of one shard: where each gets its vector from, and those that the trunk reads.

    tokens    the token ids of each new sentence, until it is read
    first     the row of the file where each stands first
    source    for every row the place of its sentence in `tokens`, NOTHING, or -2 - r for a copy of row r of the file
    keys      for every row the hash of its text
    sources   the source by hash
    new       the vectors of the new sentences, once they are read
    """

    tokens: list[TokenIds] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    source: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    sources: dict[bytes, int] = field(default_factory=lambda: {BLANK: NOTHING})
    cut: int = 0
    new: Vectors = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))

    @property
    def rows(self) -> int:
        return len(self.source)

    @property
    def blank(self) -> int:
        return self.source.count(NOTHING)

    @property
    def repeated(self) -> int:
        return self.rows - self.blank - len(self.new)

    def blocks(self, part: str, dtype: str, earlier: Callable[[str, Rows], NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """The rows of "vectors" or "scales" as they are stored, a block at a time.

        earlier  rows of earlier shards as they are stored, by part and row numbers
        """
        for start in range(0, self.rows, ROWS_AT_ONCE):
            source = np.array(self.source[start : start + ROWS_AT_ONCE], dtype=np.int64)
            new, copied = source >= 0, source < NOTHING
            made = narrowed(self.new[source[new]], dtype)[part]
            block = np.zeros((len(source), *made.shape[1:]), dtype=made.dtype)
            block[new] = made
            if copied.any():
                block[copied] = earlier(part, NOTHING - 1 - source[copied])
            yield block


def gather(
    encoder: AdapterEncoder, rows: Iterator[Sentence], first_row: int, count: int, max_length: int, known: KnownTexts
) -> ShardRows:
    """The next `count` rows of a file, cut into tokens, for whoever is to read them; `known` gets their texts."""
    shard = ShardRows()
    sources = shard.sources
    for sentences in _at_once(islice(rows, count)):
        texts = [sentence.text for sentence in sentences]
        own, start = [text_key(text) if text else BLANK for text in texts], first_row + len(shard.source)
        places: dict[bytes, int] = {}
        for place, key in enumerate(own):
            if key not in sources:
                places.setdefault(key, place)
        earlier = dict(zip(places, known.find(as_keys(list(places))).tolist(), strict=True))
        sources |= {key: NOTHING - 1 - row for key, row in earlier.items() if row >= 0}
        new = {key: place for key, place in places.items() if key not in sources}
        tokens, cut = token_rows(encoder, [texts[place][:CHARACTERS_READ] for place in new.values()], max_length)
        for (key, place), ids, was_cut in zip(new.items(), tokens, cut, strict=True):
            sources[key] = len(shard.tokens)
            shard.tokens.append(ids)
            shard.first.append(start + place)
            shard.cut += was_cut or len(texts[place]) > CHARACTERS_READ
        shard.source += [sources[key] for key in own]
        shard.keys += own
    keys, first = as_keys(shard.keys), np.array(shard.first, dtype=np.int64)
    known.add(keys[first - first_row], first)
    return shard


def vectors_of(
    encoder: AdapterEncoder,
    tokens: Sequence[TokenIds],
    lines: Sequence[int],
    reading: Reading,
    progress: Callable[[int, int], None] | None = None,
    saved: Saved | None = None,
) -> Vectors:
    """The unit vectors [n, H] of a shard's new sentences, at one layer; `lines`: the rows of the file they stand in.

    progress, saved  as `embed_rows` has them

    Raises StiltsError naming the line of a vector that is zero or not finite.
    """
    if not tokens:
        return np.empty((0, encoder.trunk.config.hidden_size), dtype=np.float32)
    (new,) = embed_rows(encoder, tokens, reading, progress, saved).values()
    to_unit(new, np.array(lines))
    return new


def remember(known: KnownTexts, keys: Keys, first_row: int) -> None:
    """Tell `known` about a shard that was encoded before, as `gather` did then."""
    rows = np.flatnonzero(keys.any(axis=1))
    known.add(keys[rows], rows + first_row)


def _at_once(sentences: Iterator[Sentence]) -> Iterator[list[Sentence]]:
    """A few sentences at a time, fewer where they are long."""
    group: list[Sentence] = []
    characters = 0
    for sentence in sentences:
        group.append(sentence)
        characters += min(len(sentence.text), CHARACTERS_READ)
        if len(group) == SENTENCES_AT_ONCE or characters >= CHARACTERS_AT_ONCE:
            yield group
            group, characters = [], 0
    if group:
        yield group

"""Text to sub-word ids: the one place that talks to the tokenizer.

Texts are cut by the tokenizer's own fast backend, without special tokens; the features put those around them as the
tokenizer's template has them: XLM-R's is `<s> a </s>` for one text and `<s> a </s></s> b </s>` for two, BERT's
`[CLS] a [SEP]` and `[CLS] a [SEP] b [SEP]`. Offsets count characters (code points) of the text
and leave out white space, which XLM-R's pieces carry in front. A character that the tokenizer's normalisation drops or
joins to another (a zero-width non-joiner, the accent of a decomposed letter) belongs to the piece it touches, so that
no word loses its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # importing transformers takes seconds, and only types are needed
    from tokenizers import Tokenizer as Backend
    from transformers import PreTrainedTokenizerFast

Tokenizer: TypeAlias = "PreTrainedTokenizerFast"

Offsets = tuple[tuple[int, int], ...]
Pieces = tuple[list[int], Offsets]  # the ids of a text, and the characters each covers


@dataclass(frozen=True, slots=True)
class Marks:
    """The ids of the special tokens that stand around texts; `typed` where the second of two has a token type, 1."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    unknown: int
    typed: bool

    @property
    def of_one(self) -> int:
        """How many stand around one text."""
        return len(self.before) + len(self.after)

    @property
    def of_two(self) -> int:
        """How many stand around and between two texts."""
        return self.of_one + len(self.between)

    def single(self, ids: Sequence[int]) -> tuple[int, ...]:
        return (*self.before, *ids, *self.after)

    def pair(self, first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
        return (*self.before, *first, *self.between, *second, *self.after)

    def cut(self, first: Sequence[int], second: Sequence[int] | None, max_length: int) -> tuple[int, ...]:
        """One text or two between their marks, cut longest first to a row of `max_length`."""
        if second is None:
            return self.single(first[: max_length - self.of_one])
        return self.pair(*shorten(first, second, max_length - self.of_two))


def cut_texts(tokenizer: Tokenizer, texts: Sequence[tuple[str, str | None]], max_length: int) -> list[tuple[int, ...]]:
    """One text or two of each row between their marks, cut longest first to `max_length`."""
    around = marks(tokenizer)
    first = pieces(tokenizer, (text for text, _ in texts))
    second = pieces(tokenizer, (other or "" for _, other in texts))
    rows = zip(texts, first, second, strict=True)
    return [around.cut(ids, None if other is None else others, max_length) for (_, other), ids, others in rows]


def marks(tokenizer: Tokenizer) -> Marks:
    """What the tokenizer's template puts around and between two texts."""
    pair = _plain(tokenizer).encode("a", "b")
    sides = list(zip(pair.ids, pair.sequence_ids, strict=True))
    first, second = ([place for place, (_, side) in enumerate(sides) if side == text] for text in (0, 1))
    ids = tuple(pair.ids)
    around = ids[: first[0]], ids[first[-1] + 1 : second[0]], ids[second[-1] + 1 :]
    return Marks(*around, int(tokenizer.unk_token_id), any(pair.type_ids))


def pieces(tokenizer: Tokenizer, texts: Iterable[str]) -> list[list[int]]:
    """The sub-word ids of each text, whole, without special tokens; equal texts are cut once."""
    texts = list(texts)
    distinct = list(dict.fromkeys(texts))
    cuts = _plain(tokenizer).encode_batch_fast(distinct, add_special_tokens=False)
    ids = {text: cut.ids for text, cut in zip(distinct, cuts, strict=True)}
    return [ids[text] for text in texts]


def pieces_with_offsets(tokenizer: Tokenizer, texts: Iterable[str]) -> list[Pieces]:
    """The sub-word ids of each text and the (start, end) characters each covers, white space left out."""
    texts = list(texts)
    distinct = list(dict.fromkeys(texts))
    cuts = _plain(tokenizer).encode_batch(distinct, add_special_tokens=False)
    spans = {text: (cut.ids, _spans(text, cut.offsets)) for text, cut in zip(distinct, cuts, strict=True)}
    return [spans[text] for text in texts]


def shorten(first: Sequence[int], second: Sequence[int], room: int) -> tuple[Sequence[int], Sequence[int]]:
    """Both sides cut, longest first, to `room` ids together: the rule of transformers' `truncation=True`."""
    short, long = sorted((len(first), len(second)))
    if short + long <= room:
        return first, second
    short = min(short, room // 2)
    long = room - short
    return (first[:long], second[:short]) if len(first) > len(second) else (first[:short], second[:long])


def _plain(tokenizer: Tokenizer) -> Backend:
    """The backend with the padding and truncation of earlier calls switched off."""
    backend: Backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    return backend


def _spans(text: str, offsets: Sequence[tuple[int, int]]) -> Offsets:
    """The characters of each piece without white space; what lies between two belongs to the one before, or after."""
    solid = [trimmed(text, *span) for span in offsets]
    nexts = [start for start, _ in solid[1:]] + [len(text)] * bool(solid)
    spans: list[tuple[int, int]] = []
    reached = 0
    for (start, end), following in zip(solid, nexts, strict=True):
        while end < following and not text[end].isspace():
            end += 1
        while start > reached and not text[start - 1].isspace():
            start -= 1
        spans.append((start, end))
        reached = max(reached, end)
    return tuple(spans)


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Characters [start, end) of a text without the white space at their ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end

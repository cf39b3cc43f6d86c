"""Answers as SQuAD's first scripts cut them: whole white-space words of the context, trimmed to what the sub-words
spell.

    word_answer("by (Anna Bode) in", (4, 8), (4, 8), "Anna")       "Anna", out of the word "(Anna"
    word_answer("北京市是首都。", (0, 2), (0, 2), "北京")            "北京市是首都。": the reference cannot trim Chinese

The trimming looks the sub-words' text up in the words once both are cut at punctuation and around every Chinese
character; where it is not found, the whole words are the answer. In text written without spaces a "word" may be a
sentence. XTREME scores what comes out of this; jiant leaves it out for zh. It bounds scores from above: with the gold
spans themselves, and nano-xlmr's sub-words, XQuAD zh has exact match 68.7 under XTREME, 91.2 under jiant and 98.5 by
character; th has 94.8, 94.8 and 95.9. (By character, what is lost is answers of more than 30 sub-words, and a few that
end inside one.)

This is `get_final_text` of transformers as both used it; since 2023 its tokenizer normalises to NFC as well, which
leaves more words whole.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate, pairwise

from adapter_stilts.metrics.answers import is_punctuation

# what the reference splits contexts at, which is not all that Unicode calls a space
SPACES = frozenset(" \t\r\n\u202f")
CHINESE = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf\U0002f800-\U0002fa1f]"
)


def word_answer(context: str, first: tuple[int, int], last: tuple[int, int], pieces: str) -> str:
    """The answer from a first to a last token.

    first, last  (start, end) characters of the two tokens in the context
    pieces       the sub-words from the first to the last token as one text, single spaces
    """
    words, place = _words(context)
    if not words:
        return ""
    begin, end = place[min(first[0], len(context) - 1)], place[min(max(last[1] - 1, last[0]), len(context) - 1)]
    return aligned(pieces, " ".join(words[begin : end + 1]))


def aligned(pieces: str, words: str) -> str:
    """The part of `words` that spells `pieces`, or all of it where the two cannot be brought together."""
    spaced = " ".join(_basic_tokens(words))
    start = spaced.find(pieces)
    if start < 0:
        return words
    in_spaced, in_words = _solid(spaced), _solid(words)
    if len(in_spaced) != len(in_words):
        return words
    same = dict(zip(in_spaced, in_words, strict=True))
    end = start + len(pieces) - 1
    return words[same[start] : same[end] + 1] if start in same and end in same else words


def _words(context: str) -> tuple[list[str], list[int]]:
    """White-space words, and the word number of every character; a space belongs to the word before it."""
    text = "".join(" " if character in SPACES else character for character in context)
    starts = [before == " " and character != " " for before, character in pairwise(f" {text}")]
    numbers = [max(0, count - 1) for count in accumulate(map(int, starts))]
    return [word for word in text.split(" ") if word], numbers


def _solid(text: str) -> list[int]:
    return [place for place, character in enumerate(text) if character != " "]


def _basic_tokens(text: str) -> list[str]:
    """BERT's basic tokenizer without lower-casing: cut at white space, punctuation and every Chinese character."""
    return "".join(map(_spaced, text)).split()


def _spaced(character: str) -> str:
    category = unicodedata.category(character)
    if character in " \t\n\r" or category == "Zs":
        return " "
    if character == "\ufffd" or category.startswith("C"):
        return ""
    mark = is_punctuation(character) or CHINESE.match(character)
    return f" {character} " if mark else character

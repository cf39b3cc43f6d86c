"""CoNLL-U: the words and tags of a treebank's sentences, with multi-word tokens split or fused.

    ID FORM LEMMA UPOS XPOS FEATS HEAD DEPREL DEPS MISC

    split   the syntactic words: ranges (26-27) and empty nodes (8.1) are left out
    fuse    as XTREME prepared its files: the words of a range become one, spelled as the range is ("zum" for "zu dem").
            Its tag is that of the word nearest the root of the tree, and where several are as near, of the first in a
            list by language. Zero-width non-joiners and spaces inside words are taken out, and sentences of which all
            words but one say "_" are left out.

Hu et al. (2020), https://arxiv.org/abs/2003.11080; the conversion is that of
https://github.com/coastalcph/ud-conversion-tools
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapter_stilts.data.columns import words
from adapter_stilts.errors import TaskDataError

Word = tuple[str, str]  # form and tag
Place = tuple[int, str]  # line number and line

ID, FORM, HEAD, DEPS, COLUMNS = 0, 1, 6, 8, 10
NO_TAG = "_"  # an empty cell: the row of a multi-word token, or a word nobody tagged; such words are left out
TAG_COLUMNS: Mapping[str, int] = {"upos": 3, "xpos": 4, "deprel": 7}
UPOS = words("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X")
NON_JOINER = "\u200c"
# By language, and "" for every other: the parts of speech of fused words, the first that is there wins.
RANKS: Mapping[str, str] = {
    "": "VERB NOUN PROPN PRON ADJ NUM ADV INTJ AUX ADP DET PART CCONJ SCONJ X PUNCT",
    "es": "VERB AUX PRON ADP DET",
    "fr": "VERB AUX PRON NOUN ADJ ADV ADP DET PART SCONJ CONJ",
    "it": "VERB AUX ADV PRON ADP DET INTJ",
}


def conllu_words(
    lines: Sequence[Place], path: object, *, tag: str, fuse: bool, language: str, untagged: bool = False
) -> list[Word]:
    """The words of one sentence with their tags; none where nothing is left. Words without a tag ("_") are left out.

    tag       upos, xpos or deprel
    language  ISO 639-1, for the list by which fused words are tagged
    untagged  words without a tag are kept too
    """
    rows = [_cells(line, f"{path}, line {place}") for place, line in lines if not line.startswith("#")]
    words = [row for row in rows if row[ID].isdecimal()]
    if fuse:
        words = _fused(words, [row for row in rows if "-" in row[ID]], RANKS.get(language, RANKS[""]).split())
        empty = sum(row[FORM] == NO_TAG for row in words)
        if empty and empty >= len(words) - 1:
            return []
        words = [[row[ID], row[FORM].replace(NON_JOINER, "").replace(" ", ""), *row[2:]] for row in words]
    column = TAG_COLUMNS.get(tag, TAG_COLUMNS["upos"])
    return [(row[FORM], row[column]) for row in words if untagged or row[column] != NO_TAG]


def _cells(line: str, where: str) -> list[str]:
    cells = line.split("\t")
    if len(cells) != COLUMNS:
        what = f"{len(cells)} columns where CoNLL-U has {COLUMNS}"
        raise TaskDataError(what, where=where, do="the file may be truncated; fetch or write it again")
    return cells


def _fused(words: Sequence[list[str]], ranges: Sequence[list[str]], ranks: Sequence[str]) -> list[list[str]]:
    """The words with each range in the place of its words, tagged as its head is."""
    by_id = {row[ID]: row for row in words}
    fused = list(words)
    for span in ranges:
        first, last = (int(number) for number in span[ID].split("-"))
        inside = [by_id[str(number)] for number in range(first, last + 1) if str(number) in by_id]
        if inside:
            place = fused.index(inside[0])
            fused = [row for row in fused if row not in inside]
            fused.insert(place, [span[ID], span[FORM], *_head(inside, by_id, ranks)[2:]])
    return fused


def _head(inside: Sequence[list[str]], by_id: Mapping[str, list[str]], ranks: Sequence[str]) -> list[str]:
    """The word with the fewest above it; of several, the one whose part of speech ranks first, then the earliest."""
    above = [_above(row, by_id) for row in inside]
    highest = [row for row, count in zip(inside, above, strict=True) if count == min(above)]
    return min(highest, key=lambda row: ranks.index(row[3]) if row[3] in ranks else len(ranks))


def _above(row: list[str], by_id: Mapping[str, list[str]]) -> int:
    """How many words (and the root) stand above a word, over its head and the further heads of DEPS."""
    seen: set[str] = set()
    waiting = [row]
    while waiting:
        current = waiting.pop()
        heads = {current[HEAD], *(part.split(":")[0] for part in current[DEPS].split("|") if part != NO_TAG)}
        for head in heads - seen:
            if head.isdecimal():
                seen.add(head)
                waiting += [by_id[head]] if head in by_id else []
    return len(seen - {row[ID]})

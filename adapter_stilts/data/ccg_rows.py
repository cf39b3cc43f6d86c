"""CCGbank: words and their supertags (lexical categories), from derivations or from a sentence a line.

    .auto    ID=wsj_0001.1 PARSER=GOLD NUMPARSE=1
             (<T S[dcl] 0 2> (<L NP NNP NNP Vinken NP>) (<L S[dcl]\\NP VBZ VBZ sleeps S[dcl]\\NP>) )
    pipes    Vinken|NNP|NP sleeps|VBZ|S[dcl]\\NP
    columns  Vinken sleeps TAB NP S[dcl]\\NP              (jiant's files)

Hockenmaier and Steedman (2007), https://aclanthology.org/J07-3004; the corpus is licensed by the LDC (LDC2005T13).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import numbered_lines

# category, two part-of-speech tags, word, category with its indexes
LEAF = re.compile(r"\(<L ([^ >]+) ([^ >]+) ([^ >]+) ([^ >]+) ([^ >]+)>\)")
SENTENCE = re.compile(r"ID=(\S+)")
# as the treebank writes them
BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LCB-": "{", "-RCB-": "}", "-LSB-": "[", "-RSB-": "]"}

Words = list[tuple[str, str]]


class TaggedWords(NamedTuple):
    """A sentence as a file has it: its tags as they stand there, () where it has none; `where` is for messages, and
    `lines` are the numbers of its words' lines, () where they are not known."""

    id: str
    words: tuple[str, ...]
    tags: tuple[str, ...]
    where: str
    lines: tuple[int, ...] = ()


def is_ccg(lines: Sequence[str]) -> bool:
    """Whether a file that begins with these lines is one of the three; a word and its tag a line is not."""
    full = [line for line in lines if line.strip()]
    if not full or full[0].startswith(("ID=", "(<T ", "(<L ")) or all(_pipes(line) for line in full):
        return bool(full)
    sentences = [_columns(line) for line in full]
    return all(sentences) and max(map(len, sentences)) > 1


def ccg_rows(path: Path) -> Iterator[TaggedWords]:
    id = ""
    for number, line in numbered_lines(path):
        if match := SENTENCE.match(line):
            id = match[1]
        elif line.strip():
            where = f"{path}, line {number}"
            words, tags = zip(*_words(line, where), strict=True)
            yield TaggedWords(id or str(number - 1), words, tags, where)
            id = ""


def _words(line: str, where: str) -> Words:
    if words := _leaves(line) if line.startswith("(<") else _columns(line) or _pipes(line):
        return words
    do = "a sentence is a derivation (<T ...>), words as word|POS|category, or words TAB categories"
    do += "; the file may be truncated"
    raise TaskDataError(f"no words with their categories: {line[:60]!r}", where=where, do=do)


def _leaves(line: str) -> Words:
    """The leaves of a derivation; none where it does not end, as at the end of a truncated file."""
    whole = line.count("(") == line.count(")")
    return [(BRACKETS.get(word, word), category) for category, _, _, word, _ in LEAF.findall(line)] if whole else []


def _pipes(line: str) -> Words:
    """word|POS|category, with "|" allowed in the word."""
    parts = [part.rsplit("|", 2) for part in line.split()]
    whole = all(len(part) == 3 and all(part) for part in parts)
    return [(BRACKETS.get(part[0], part[0]), part[2]) for part in parts] if whole else []


def _columns(line: str) -> Words:
    text, tab, categories = line.partition("\t")
    words, tags = text.split(" "), categories.split()
    if not tab or "\t" in categories or len(words) != len(tags) or text.startswith(('["', "['")):  # JSON lists
        return []
    return list(zip(words, tags, strict=True))

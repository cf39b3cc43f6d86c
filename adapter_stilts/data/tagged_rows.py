"""Tagged sentences, a word a line and a blank line between sentences: CoNLL-U, numbered IOB2, and plain "word tag" files.

CoNLL-U      ID FORM LEMMA UPOS ...       the tag is UPOS; the words are the syntactic words: ranges (3-4) and empty nodes (8.1) are
                                          left out. XTREME fuses the words of a range into one; the two differ a little.
IOB2         ID FORM TAG - ANNOTATOR      Universal NER; rows begin with a number and comments with "#"
plain        WORD ... TAG                 WNUT, Wikigold, MasakhaNER, CoNLL-2003, XTREME: the first and the last column, by tabs where the
                                          file has any and by spaces otherwise. A word may be "#" or hold a space. A file of words
                                          alone has no tags, which is refused unless the layout says that it need have none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from adapter_stilts.data.examples import Tagged
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import suffix
from adapter_stilts.data.tags import NO_TAG, OUTSIDE, clean_tags
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import numbered_lines

Lines = list[tuple[int, str]]
WordTag = tuple[str, str]

COMMENT = re.compile(r"#\s*\w[\w :-]*=")  # "# sent_id = x", "# text = ..."; a row "#<TAB>O" is no comment
DOCUMENT_START = "-DOCSTART-"
CONLLU_COLUMNS, UPOS_COLUMN = 10, 3
LOOKED_AT = 200  # lines that settle a file's layout


def tagged_rows(path: Path, layout: Layout) -> Iterator[Tagged]:
    """The sentences of a file; words tagged "_" (and sentences of nothing else) are left out."""
    read = _dialect(path, layout.labelled)
    number = 0
    for lines in _sentences(path):
        rows = [read(line, f"{path}, line {place}") for place, line in lines]
        kept = [row for row in rows if row is not None and row[0] != DOCUMENT_START]
        if kept:
            tags = clean_tags([tag for _, tag in kept if tag], layout, f"{path}, lines {lines[0][0]}-{lines[-1][0]}")
            yield Tagged(str(number), tuple(word for word, _ in kept), tags)
            number += 1


def _sentences(path: Path) -> Iterator[Lines]:
    """The lines between blank lines; "\\n" alone ends a line, so that no character of a word does."""
    lines: Lines = []
    for place, line in numbered_lines(path):
        if line.strip(" \t\r"):
            lines.append((place, line))
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _dialect(path: Path, labelled: bool) -> Callable[[str, str], WordTag | None]:
    """How to read a line of this file, found from its name and its first rows."""
    if suffix(path) == ".conllu":
        return _conllu
    first = [line for _, line in islice(numbered_lines(path), LOOKED_AT)]
    if any(len(cells) > 3 and cells[0] == "1" for cells in (line.split("\t") for line in first)):
        return _numbered
    separator = "\t" if any("\t" in line for line in first) else None
    if not labelled and all(len(line.split(separator)) < 2 for line in first):
        return lambda line, where: (line.strip(), "")
    prefix = _language_prefix(path, separator)
    return lambda line, where: _plain(line, where, separator, prefix)


def _conllu(line: str, where: str) -> WordTag | None:
    if line.startswith("#"):
        return None
    cells = line.split("\t")
    if len(cells) != CONLLU_COLUMNS:
        raise TaskDataError(f"{len(cells)} columns where CoNLL-U has {CONLLU_COLUMNS}", where=where, do="the file may be truncated; fetch or write it again")
    if not cells[0].isdecimal() or cells[UPOS_COLUMN] == NO_TAG:
        return None
    return cells[1], cells[UPOS_COLUMN]


def _numbered(line: str, where: str) -> WordTag | None:
    if line.startswith("#"):
        return None
    cells = line.split("\t")
    if len(cells) < 3 or not cells[2]:
        raise TaskDataError("a row without a tag", where=where, do="every word needs ID, FORM and TAG; the file may be truncated")
    return (cells[1], cells[2]) if cells[0].isdecimal() else None


def _plain(line: str, where: str, separator: str | None, prefix: str) -> WordTag | None:
    if COMMENT.match(line):
        return None
    cells = line.split(separator)
    if cells[0] == DOCUMENT_START:
        return DOCUMENT_START, OUTSIDE
    if len(cells) < 2 or not cells[-1].strip():
        raise TaskDataError(f"a word without a tag: {line[:40]!r}", where=where, do="every line needs a word and a tag; the file may be truncated")
    return cells[0].removeprefix(prefix), cells[-1].strip()


def _language_prefix(path: Path, separator: str | None) -> str:
    """ "de:" where every word of the file begins so, as in PAN-X's own archive; otherwise nothing."""
    prefixes = set()
    for _, line in numbered_lines(path):
        if line.strip(" \t\r"):
            head, mark, _ = line.split(separator)[0].partition(":")
            prefixes.add(head + mark)
            if len(prefixes) > 1 or not mark:
                return ""
    prefix = prefixes.pop() if prefixes else ""
    return prefix if re.fullmatch(r"[a-z]{2,3}(-[a-z]+)*:", prefix) else ""

"""Tagged sentences, a word a line and a blank line between sentences: CoNLL-U, numbered IOB2, and plain "word tag"
files; and CCGbank.

CoNLL-U      ID FORM LEMMA UPOS ...       a treebank; see conllu_rows.py
CCGbank                                   derivations, or a sentence a line; see ccg_rows.py
IOB2         ID FORM TAG - ANNOTATOR      Universal NER; rows begin with a number and comments with "#"
plain        WORD ... TAG                 WNUT, Wikigold, MasakhaNER, CoNLL-2003, XTREME: the first and the last column,
             by tabs where the file has any and by spaces otherwise. A word may be "#" or hold a space. A file of words
             alone has no tags, which is refused unless the layout says that it need have none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path

from adapter_stilts.data.ccg_rows import TaggedWords, ccg_rows, is_ccg
from adapter_stilts.data.conllu_rows import conllu_words
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import Bad, refused, suffix
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import numbered_lines

Lines = list[tuple[int, str]]
WordTag = tuple[str, str]

COMMENT = re.compile(r"#\s*\w[\w :-]*=")  # "# sent_id = x", "# text = ..."; a row "#<TAB>O" is no comment
OUTSIDE = "O"
DOCUMENT_START = "-DOCSTART-"
CONLLU, CCG = ".conllu", ".auto"
PREFIX = re.compile(r"[a-z]{2,3}(-[a-z]+)*:")  # PAN-X marks every word with its language
LOOKED_AT = 200  # lines that settle a file's layout


def tagged_rows(path: Path, layout: Layout, bad: Bad = refused) -> Iterator[TaggedWords]:
    """The sentences of a file; words tagged "_" (and sentences of nothing else) are left out, unless all are wanted
    without their tags."""
    first = [line for _, line in islice(numbered_lines(path), LOOKED_AT)]
    if suffix(path) == CCG or (suffix(path) != CONLLU and is_ccg(first)):
        yield from ccg_rows(path)
        return
    read = _reader(path, first, layout)
    number = 0
    for lines in _sentences(path):
        try:
            kept = [row for row in read(lines) if row[0] != DOCUMENT_START]
        except TaskDataError as error:
            bad(error)
            number += 1
            continue
        if kept:
            where = f"{path}, lines {lines[0][0]}-{lines[-1][0]}"
            words, tags = zip(*kept, strict=True)
            yield TaggedWords(str(number), words, tuple(filter(None, tags)) if layout.gold else (), where)
            number += 1


def _sentences(path: Path) -> Iterator[Lines]:
    """The lines between blank lines; "\\n" alone ends a line, so that no character of a word does."""
    for blank, lines in groupby(numbered_lines(path), key=lambda row: not row[1].strip(" \t\r")):
        if not blank:
            yield list(lines)


def _reader(path: Path, first: Sequence[str], layout: Layout) -> Callable[[Lines], list[WordTag]]:
    """How to read a sentence of this file, found from its name and its first rows."""
    if suffix(path) == CONLLU:
        fuse = layout.multiword == "fuse"
        how = {"tag": layout.tag_column, "language": layout.language}
        return lambda lines: conllu_words(lines, path, **how, fuse=fuse, untagged=not layout.gold)
    read = _dialect(path, first, layout)
    return lambda lines: [row for place, line in lines if (row := read(line, f"{path}, line {place}")) is not None]


def _dialect(path: Path, first: Sequence[str], layout: Layout) -> Callable[[str, str], WordTag | None]:
    if any(len(cells) > 3 and cells[0] == "1" for cells in (line.split("\t") for line in first)):
        return lambda line, where: _numbered(line, where, layout.gold)
    separator = "\t" if any("\t" in line for line in first) else None
    if not layout.labelled and all(len(line.split(separator)) < 2 for line in first):
        return lambda line, where: (line.strip(), "")
    prefix = _language_prefix(path, separator, layout)
    return lambda line, where: _plain(line, where, separator, prefix, layout.gold)


def _numbered(line: str, where: str, gold: bool) -> WordTag | None:
    if line.startswith("#"):
        return None
    cells = line.split("\t")
    if len(cells) < 2 or (gold and (len(cells) < 3 or not cells[2])):
        what = "a row without a tag"
        raise TaskDataError(what, where=where, do="every word needs ID, FORM and TAG; the file may be truncated")
    return (cells[1], cells[2] if gold else "") if cells[0].isdecimal() else None


def _plain(line: str, where: str, separator: str | None, prefix: str, gold: bool) -> WordTag | None:
    if COMMENT.match(line):
        return None
    cells = line.split(separator)
    if cells[0] == DOCUMENT_START:
        return DOCUMENT_START, OUTSIDE
    if gold and (len(cells) < 2 or not cells[-1].strip()):
        what = f"a word without a tag: {line[:40]!r}"
        raise TaskDataError(what, where=where, do="every line needs a word and a tag; the file may be truncated")
    return cells[0].removeprefix(prefix), cells[-1].strip() if gold else ""


def _language_prefix(path: Path, separator: str | None, layout: Layout) -> str:
    """ "de:" where every word of the file begins so, as in PAN-X's own archive; otherwise nothing.

    Raises TaskDataError where the words begin with several languages, or with another than the one asked for.
    """
    lines: dict[str, int] = {}  # prefix -> the first line that has it
    for number, line in numbered_lines(path):
        if line.strip(" \t\r"):
            head, mark, _ = line.split(separator)[0].partition(":")
            if not PREFIX.fullmatch(head + mark):
                return ""
            lines.setdefault(head + mark, number)
    listed = ", ".join(f"{prefix[:-1]} from line {number} on" for prefix, number in lines.items())
    what = f"two languages in one file: {listed}" if len(lines) > 1 else ""
    if len(lines) == 1 and layout.codes and next(iter(lines))[:-1] not in layout.codes:
        what = f"the words are marked {listed}, and the rows of '{layout.language}' were asked for"
    if what:
        raise TaskDataError(what, where=str(path), do="give each language a file of its own")
    return next(iter(lines), "")

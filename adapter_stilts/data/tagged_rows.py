"""Tagged sentences, a word a line and a blank line between sentences: CoNLL-U, numbered IOB2, and plain "word tag"
files; and CCGbank.

CoNLL-U      ID FORM LEMMA UPOS ...       a treebank, by its suffix or its ten columns; see conllu_rows.py
CCGbank                                   derivations, or a sentence a line; see ccg_rows.py
columns      WORD ... TAG                 CoNLL-2003, CoNLL-X, CoNLL-U Plus, Universal NER, WebAnno, XTREME and what
                                          people have: tag_columns.py decides which columns count

A word may be "#" or hold a space (between tabs). A file of words alone has no tags, which is refused unless the layout
says that it need have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path

from adapter_stilts.data.ccg_rows import TaggedWords, ccg_rows, is_ccg
from adapter_stilts.data.conllu_rows import COLUMNS, NO_TAG, conllu_words
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import Bad, refused, suffix
from adapter_stilts.data.tag_columns import (
    DOCUMENT_START,
    INVISIBLE,
    ROW_NUMBER,
    WEBANNO,
    WORD_AND_TAG,
    Line,
    TagColumns,
    cells,
    is_comment,
    tag_columns,
)
from adapter_stilts.data.tag_schemes import ENTITIES, OUTSIDE
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import numbered_lines

CONLLU, CCG = ".conllu", ".auto"
MARK = "\ufeff"  # a byte order mark, which stands inside where files were joined
PREFIX = re.compile(r"[a-z]{2,3}(-[a-z]+)*:")  # PAN-X marks every word with its language
SPAN = re.compile(r"(.+?)(\[\d+\])?")  # WebAnno: PER, or PER[1] in every word of an entity of several
LOOKED_AT = 200  # lines that tell CCGbank, and sentences that tell the columns of a file to be predicted

Rows = list[tuple[int, str, str]]  # line number, word and tag


def tagged_rows(path: Path, layout: Layout, bad: Bad = refused) -> Iterator[TaggedWords]:
    """The sentences of a file. In a treebank words tagged "_" (and sentences of nothing else) are left out, unless all
    are wanted without their tags."""
    first = [line for _, line in islice(numbered_lines(path), LOOKED_AT)]
    if suffix(path) == CCG or (suffix(path) != CONLLU and is_ccg(first)):
        yield from ccg_rows(path)
        return
    number = 0
    for lines, kept, numbers in _words(path, layout, bad):
        if kept is None:
            number += 1
        elif kept:
            where = f"{path}, lines {lines[0][0]}-{lines[-1][0]}"
            words, tags = zip(*kept, strict=True)
            yield TaggedWords(str(number), words, tuple(filter(None, tags)) if layout.gold else (), where, numbers)
            number += 1


def _words(
    path: Path, layout: Layout, bad: Bad
) -> Iterator[tuple[list[Line], list[tuple[str, str]] | None, tuple[int, ...]]]:
    """Every sentence: its lines, its words with their tags, "" where there are none, and the numbers of their lines.
    None in the place of words that cannot be read, which `bad` was told of.

    A file to be predicted is not held in memory: its columns are decided from its first sentences.
    """
    sentences: Iterable[list[Line]] = _sentences(path, bad)
    sentences = list(sentences) if layout.gold else sentences
    first = sentences if isinstance(sentences, list) else list(islice(_sentences(path, _ignored), LOOKED_AT))
    treebank = suffix(path) == CONLLU and not (layout.gold and (layout.tag_column == ENTITIES or layout.columns))
    columns = None if treebank else tag_columns(first, layout, path)
    if columns is None or columns.treebank:
        if columns:
            layout.say(f"read as CoNLL-U, by its {columns.count} columns; tags are its {layout.tag_column or 'upos'}")
            tabs = columns.tabs
            sentences = ([(number, _tabbed(line, tabs)) for number, line in lines] for lines in sentences)
        yield from _of_treebank(sentences, path, layout, bad)
        return
    if columns.remark:
        layout.say(columns.remark)
    known = _tags(first, columns) if layout.gold else None
    read: Iterable[tuple[list[Line], Rows | None]] = _plain(sentences, columns, path, known, bad)
    read = list(read) if layout.gold else read
    beginning = read if layout.gold else _plain(first, columns, path, None, _ignored)
    prefix = _language_prefix(beginning, path, layout)
    spans = bool(first) and first[0][0][1].startswith(WEBANNO)
    for lines, rows in read:
        if rows is None:
            yield lines, None, ()
            continue
        words = [word.removeprefix(prefix) for _, word, _ in rows]
        tags = [tag for _, _, tag in rows]
        tags = _iob2_of(tags, rows, path) if spans and layout.gold else tags
        yield lines, list(zip(words, tags, strict=True)), tuple(number for number, _, _ in rows)


def _ignored(error: TaskDataError) -> None:
    """What is wrong in the sentences that columns are decided from is told when they are read."""


def _of_treebank(
    sentences: Iterable[list[Line]], path: Path, layout: Layout, bad: Bad
) -> Iterator[tuple[list[Line], list[tuple[str, str]] | None, tuple[int, ...]]]:
    how = {"tag": layout.tag_column, "language": layout.language}
    for lines in sentences:
        try:
            words = conllu_words(lines, path, **how, fuse=layout.multiword == "fuse", untagged=not layout.gold)
        except TaskDataError as error:
            bad(error)
            yield lines, None, ()
            continue
        yield lines, words, ()


def _tabbed(line: str, tabs: bool) -> str:
    """A row with ten columns between tabs."""
    row = cells(line, tabs)
    return line if line.startswith("#") else "\t".join([*row, *[NO_TAG] * (COLUMNS - len(row))])


def _sentences(path: Path, bad: Bad) -> Iterator[list[Line]]:
    """The lines between blank lines; "\\n" alone ends a line, so that no character of a word does."""
    lines = ((number, line.lstrip(MARK).rstrip("\r")) for number, line in numbered_lines(path))
    for blank, group in groupby(lines, key=lambda row: not row[1].strip(" \t")):
        sentence = [] if blank else list(group)
        if broken := next((number for number, line in sentence if "\r" in line), 0):
            do = "end lines with a line feed: old Macintosh files have a carriage return alone"
            bad(TaskDataError("a carriage return inside a line", where=f"{path}, line {broken}", do=do))
        elif sentence:
            yield sentence


def _tags(sentences: Iterable[list[Line]], columns: TagColumns) -> frozenset[str]:
    """The tags of rows that do not begin with "#"."""
    plain = (line for lines in sentences for _, line in lines if not line.startswith(("#", DOCUMENT_START)))
    rows = (cells(line, columns.tabs) for line in plain)
    return frozenset(row[columns.tag].strip() for row in rows) if columns.tag is not None else frozenset()


def _plain(
    sentences: Iterable[list[Line]], columns: TagColumns, path: Path, known: frozenset[str] | None, bad: Bad
) -> Iterator[tuple[list[Line], Rows | None]]:
    """The rows of every sentence as line number, word and tag. known: the tags of the file; None where they do not
    matter."""
    for lines in sentences:
        kept: Rows = []
        try:
            for number, line in lines:
                left_out = number == columns.header or line.startswith(DOCUMENT_START)
                if left_out or is_comment(line, not kept, columns, known):
                    continue
                row = [line.strip(" \t")] if columns.tag is None else cells(line, columns.tabs)
                # 3-4 and 8.1 are no words of their own
                if not columns.numbered or ROW_NUMBER.fullmatch(row[0]):
                    kept.append((number, *_word(row, columns, f"{path}, line {number}", known is not None)))
        except TaskDataError as error:
            bad(error)
            yield lines, None
        else:
            yield lines, kept


def _word(row: Sequence[str], columns: TagColumns, where: str, tagged: bool) -> tuple[str, str]:
    if columns.tag is None or not tagged:
        if len(row) <= columns.word:
            raise TaskDataError(f"a row without a word: {' '.join(row)[:40]!r}", where=where, do="correct the row")
        return row[columns.word], ""
    tag = row[columns.tag].strip().strip(INVISIBLE) if len(row) == columns.count else ""
    if not tag:
        what = f"a word without a tag: {' '.join(row)[:40]!r}"
        raise TaskDataError(what, where=where, do=WORD_AND_TAG)
    return row[columns.word], tag


def _iob2_of(tags: Sequence[str], rows: Sequence[tuple[int, str, str]], path: Path) -> list[str]:
    """WebAnno's spans in IOB2: "_" is outside, PER one word, and words of one number one entity."""
    result, before = [], ""
    for tag, (number, _, _) in zip(tags, rows, strict=True):
        match = SPAN.fullmatch(tag)
        if match is None or "|" in tag or tag == "*":
            do = "export one layer without overlapping spans, each with a value, or as CoNLL-2002"
            raise TaskDataError(f"not one type of entity: '{tag}'", where=f"{path}, line {number}", do=do)
        goes_on = bool(match[2]) and tag == before
        result.append(OUTSIDE if tag == NO_TAG else f"{'I' if goes_on else 'B'}-{match[1]}")
        before = tag
    return result


def _language_prefix(
    sentences: Iterable[tuple[list[Line], Rows | None]], path: Path, layout: Layout
) -> str:
    """ "de:" where every word of the file begins so, as in PAN-X's own archive; otherwise nothing.

    Raises TaskDataError where the words begin with several languages, or with another than the one asked for.
    """
    lines: dict[str, int] = {}  # prefix -> the first line that has it
    for number, word, _ in (row for _, rows in sentences for row in rows or ()):
        head, mark, _ = word.partition(":")
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

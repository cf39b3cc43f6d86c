"""Which column of a file of tagged words holds the words and which the tags, decided from all of its rows.

    0 TAB Omar TAB B-PER            the first column counts the rows; the second holds words
    EU NNP B-NP B-ORG               of CoNLL-2003 the last: base phrases are not entities
    1 TAB Dogs TAB dog TAB NOUN ... a treebank, whatever it is called: ten columns under row numbers
    B-Dish TAB soup                 tags first

Columns are parted by tabs where the rows have any and by blanks (U+0020) otherwise; U+00A0, U+3000 and U+0085 are
characters of words. Every row has the same number of columns. What could be meant in two ways is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from adapter_stilts.data.columns import words
from adapter_stilts.data.conllu_rows import COLUMNS, HEAD, NO_TAG, TAG_COLUMNS, UPOS
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tag_schemes import ENTITIES, entity_type, marks_entities
from adapter_stilts.errors import TaskDataError

Line = tuple[int, str]  # its number, and the text without the line end

COMMENT = re.compile(r"#\s*\w[\w :.-]*=")  # "# sent_id = x", "#Text=..."; a row "#<TAB>O" is no comment
COLUMNS_NAMED = re.compile(r"#\s*global\.columns\s*=\s*(.+)")  # CoNLL-U Plus
WEBANNO = "#FORMAT=WebAnno TSV 3"
DOCUMENT_START = "-DOCSTART-"
ROW_NUMBER, PART_NUMBER = re.compile(r"\d+"), re.compile(r"\d+[-.]\d+")
PHRASES = frozenset(words("ADJP ADVP CONJP INTJ LST NP PP PRT SBAR UCP VP"))  # types of base phrases, no entities
WORD_NAMES = words("form word words token tokens text")
TAG_NAMES = words("tag tags label labels")
POS_NAMES = words("upos pos pos_tag pos_tags") + TAG_NAMES
ENTITY_NAMES = words("ner ner_tag ner_tags entity entities iob bio") + TAG_NAMES
OTHER_NAMES = words("id # idx index lemma xpos feats head deprel deps misc chunk sentence sentence_id sent_id")
NAMES = frozenset((*WORD_NAMES, *POS_NAMES, *ENTITY_NAMES, *OTHER_NAMES))
JOINED = re.compile(r".+[/_|]\w.*")  # Anna_NNP, Anna/NNP
INVISIBLE = "\u200b\ufeff"  # at the ends of a tag no part of it, as white space of any kind is none
WORD_AND_TAG = "every line needs a word and a tag; the file may be truncated"
LEMMAS = 0.1  # of the rows, from which on a column that repeats the word holds lemmas


@dataclass(frozen=True)
class TagColumns:
    """How a row is cut, and what its columns hold.

    tag       None where there are words alone
    treebank  rows of CoNLL-U, whose reader is conllu_rows.py
    header    the number of the line that names the columns, 0 for none
    remark    what was decided, where it does not go without saying
    """

    tabs: bool
    count: int
    word: int
    tag: int | None
    numbered: bool = False
    treebank: bool = False
    header: int = 0
    remark: str = ""


class Table:
    """The rows of a file, comments and document marks apart, and its columns sentence by sentence."""

    def __init__(self, sentences: Sequence[Sequence[Line]], layout: Layout, path: object) -> None:
        self.path, self.layout = path, layout
        lines = [line for sentence in sentences for line in sentence]
        self.named = next((match[1].split() for _, line in lines if (match := COLUMNS_NAMED.match(line))), [])
        plain = [line for _, line in lines if not line.startswith(("#", DOCUMENT_START))]
        self.hashes = not plain  # no row begins otherwise: those of words that begin with "#" count
        self.tabs = any("\t" in line for line in plain or [line for _, line in lines if not COMMENT.match(line)])
        self.sentences = [list(self._rows(sentence)) for sentence in sentences]
        self.sentences = [rows for rows in self.sentences if rows]
        self.header = self._header()
        self.count = self._count() if layout.gold else self._padded()

    @cached_property
    def columns(self) -> list[list[str]]:
        return [list(column) for column in zip(*(row for _, row in self.rows), strict=True)]

    @property
    def rows(self) -> list[tuple[int, list[str]]]:
        return [row for sentence in self.sentences for row in sentence]

    def of_sentences(self, column: int) -> list[list[str]]:
        return [[row[column] for _, row in sentence] for sentence in self.sentences]

    def cells(self, line: str) -> list[str]:
        return cells(line, self.tabs)

    def _rows(self, sentence: Sequence[Line]) -> Iterator[tuple[int, list[str]]]:
        for number, line in sentence:
            comment = COMMENT.match(line) if self.hashes else line.startswith("#")
            if not comment and not line.startswith(DOCUMENT_START):
                yield number, self.cells(line)

    def _header(self) -> tuple[int, list[str]]:
        """The number of the first row and its cells, where they are names of columns; (0, those of CoNLL-U Plus)."""
        if self.named or not self.sentences:
            return 0, [name.lower() for name in self.named]
        number, first = self.sentences[0][0]
        names = [cell.strip().lower().removesuffix(" #") for cell in first]
        others = {row[-1] for _, row in self.rows[1:]}
        if len(names) < 2 or not set(names) <= NAMES or first[-1] in others or len(set(names)) < len(names):
            return 0, []
        self.sentences[0] = self.sentences[0][1:]
        self.sentences = [rows for rows in self.sentences if rows]
        return number, names

    def _count(self) -> int:
        """The columns of every row. Raises TaskDataError, with its line, for a row that has others."""
        sizes = Counter(len(row) for _, row in self.rows)
        if not sizes:
            return 0
        most = max(sizes.values())
        count = max(size for size, number in sizes.items() if number == most)
        if count == 1 and (self.layout.labelled or len(sizes) > 1):
            count = 0  # the first row of one column is a word without a tag
        for number, row in self.rows:
            if len(row) == 1 and count != 1:
                what, do = f"a word without a tag: {row[0][:40]!r}", WORD_AND_TAG
                raise TaskDataError(what, where=f"{self.path}, line {number}", do=do)
            if count and len(row) != count:
                what = f"{len(row)} columns where the file has {count}: {' '.join(row)[:40]!r}"
                do = f"give every row the same columns, parted by {'one tab' if self.tabs else 'blanks'}"
                raise TaskDataError(what, where=f"{self.path}, line {number}", do=do)
        return count or max(sizes)


    def _padded(self) -> int:
        """The columns that most rows have; others are filled up or cut, since words alone are wanted of them."""
        sizes = Counter(len(row) for _, row in self.rows)
        count = max(sizes, key=lambda size: (sizes[size], size), default=0)
        pad = [""] * count
        self.sentences = [[(number, [*row, *pad][:count]) for number, row in rows] for rows in self.sentences]
        return count


def cells(line: str, tabs: bool) -> list[str]:
    """The cells of a row; empty ones at its end are none."""
    if not tabs:
        return [cell for cell in line.split(" ") if cell]
    return line.rstrip("\t ").split("\t")


def tag_columns(sentences: Sequence[Sequence[Line]], layout: Layout, path: object) -> TagColumns:
    """The columns of a file, given as sentences of lines.

    Raises TaskDataError for rows of different lengths, for numbers without words, and where several columns could hold
    the tags.
    """
    table = Table(sentences, layout, path)
    if table.count < 2:
        return TagColumns(table.tabs, table.count, 0, None)
    word, numbered = _first_word(table)
    wanted = layout.tag_column
    treebank = numbered and _is_treebank(table)
    if not layout.gold:
        word = _named(table, _asked(table, word)[0], wanted)[0] if table.header[1] or layout.columns else word
        first = table.columns
        word += table.count == word + 2 and _swapped(first[word], first[word + 1], wanted)
        return TagColumns(table.tabs, table.count, word, word, numbered, treebank, table.header[0])
    tag = None
    if layout.columns:
        word, tag = _asked(table, word)
    if tag is None:
        word, tag = _named(table, word, wanted)
    if tag is None and treebank and wanted != ENTITIES:
        tag = TAG_COLUMNS[wanted or "upos"]
    else:
        treebank = False
    if tag is None:
        word, tag = _by_content(table, word, wanted)
    blank = [number for number, row in table.rows if not row[word].strip(" ")]
    if len(blank) > len(table.rows) / 2:
        what = f"column {word + 1}, which should hold the words, is empty in {len(blank):,} of {len(table.rows):,} rows"
        do = _name_it("words", range(word + 1, table.count))
        raise TaskDataError(what, where=f"{path}, line {blank[0]}", do=do)
    if not table.tabs and all(map(JOINED.fullmatch, (cell for _, row in table.rows for cell in row))):
        what, where = "words joined with their tags, as many as fit a line", f"{path}, line {table.rows[0][0]}"
        raise TaskDataError(what, where=where, do="write a word and a tag a line, and a blank line between sentences")
    if all(row[word].startswith("[") and row[tag].startswith("[") for _, row in table.rows):
        what, where = "lists where a word and a tag a line were expected", f"{path}, line {table.rows[0][0]}"
        raise TaskDataError(what, where=where, do='write JSON lines: {"tokens": [...], "tags": [...]}')
    remark = ""
    if table.count > 2 or word > tag:
        numbers = "; column 1 numbers the rows" if numbered else ""
        remark = f"words are in column {word + 1} and tags in column {tag + 1} of {table.count}{numbers}"
    return TagColumns(table.tabs, table.count, word, tag, numbered, treebank, table.header[0], remark)


def is_comment(line: str, first: bool, columns: TagColumns, tags: frozenset[str] | None) -> bool:
    """Whether a line that begins with "#" is none of the rows.

    first  whether no row of the sentence stands before it
    tags   those of rows that do not begin with "#"; None where they do not matter
    """
    if not line.startswith("#"):
        return False
    if columns.numbered:
        return True
    row = cells(line, columns.tabs)
    if columns.tag is None:
        return bool(COMMENT.match(line))
    fits = len(row) == columns.count and bool(row[columns.word])
    if fits and (tags is None or row[columns.tag].strip() in tags or marks_entities([row[columns.tag].strip()])):
        return False
    return bool(COMMENT.match(line)) or (first and line[:2] in ("# ", "#\t", "##"))


def _first_word(table: Table) -> tuple[int, bool]:
    """The first column that neither counts rows nor names sentences or places, and whether the first counts rows."""
    word = 0
    numbered = _counts(table.of_sentences(0))
    if numbered and table.count == 2 and len(table.rows) > len(table.sentences):
        where = f"{table.path}, line {table.rows[0][0]}"
        what = "two columns, of which the first numbers the rows: there are no words"
        raise TaskDataError(what, where=where, do="write the word between number and tag")
    _refuse_numbered_sentences(table)
    while word < table.count - 2 and _is_place(table.of_sentences(word)):
        word += 1
    return word, numbered and word > 0


def _refuse_numbered_sentences(table: Table) -> None:
    """Refuse rows that tell their sentence by a column (1 1 1 2 2) and not by a blank line."""
    column = [cell for cells_of in table.of_sentences(0) for cell in cells_of]
    names = table.header[1]
    numbers = [int(cell) for cell in column] if all(map(ROW_NUMBER.fullmatch, column)) else []
    grouped = len(set(numbers)) < len(numbers) and numbers == sorted(numbers) and len(set(numbers)) > 1
    if len(table.sentences) == 1 and table.count > 2 and (grouped or (names and names[0].startswith("sent"))):
        where, do = f"{table.path}, line {table.rows[0][0]}", "put a blank line between sentences"
        raise TaskDataError("the first column tells the sentences, and no blank line parts them", where=where, do=do)


def _counts(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether the cells number the rows: one by one, from 0 or 1 in each sentence or through the whole file. Ranges
    (3-4) and empty nodes (8.1) stand between."""
    before = -1
    for cells_of in sentences:
        whole = [int(cell) for cell in cells_of if ROW_NUMBER.fullmatch(cell)]
        rest = [cell for cell in cells_of if not ROW_NUMBER.fullmatch(cell)]
        if not whole or not all(map(PART_NUMBER.fullmatch, rest)):
            return False
        if whole[0] not in (0, 1, before + 1) or whole != list(range(whole[0], whole[0] + len(whole))):
            return False
        before = whole[-1]
    return True


def _is_place(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether a column says where a row stands: numbers that count, pairs of numbers (1-1, 0-4), or the same in a whole
    sentence."""
    if _counts(sentences) or all(PART_NUMBER.fullmatch(cell) for cells_of in sentences for cell in cells_of):
        return True
    long = [cells_of for cells_of in sentences if len(cells_of) > 1]
    same = len(long) > 1 and all(len(set(cells_of)) == 1 for cells_of in sentences)
    return same or all(ROW_NUMBER.fullmatch(cell) for cells_of in sentences for cell in cells_of)


def _is_treebank(table: Table) -> bool:
    """Whether rows have the ten columns of CoNLL-U and CoNLL-X, or the first eight, with numbers for heads."""
    if table.count not in (COLUMNS, COLUMNS - 2) or table.header[1]:
        return False
    return all(ROW_NUMBER.fullmatch(cell) or cell == NO_TAG for cell in table.columns[HEAD])


def _asked(table: Table, word: int) -> tuple[int, int | None]:
    """Columns that the user names, by position from 0 or by a name that the file has."""
    places: dict[str, int] = {}
    for field, column in table.layout.columns.items():
        name, names = column.lower(), table.header[1]
        known = column.isdecimal() and int(column) < table.count
        if not known and name not in names:
            listed = ", ".join(names) if names else f"0 to {table.count - 1}"
            what, do = f"no column '{column}'; the columns are: {listed}", "correct `columns`"
            raise TaskDataError(what, where=str(table.path), do=do)
        places[field] = int(column) if known else names.index(name)
    return places.get("words", word), places.get("tags")


def _named(table: Table, word: int, wanted: str) -> tuple[int, int | None]:
    """Columns by the names of the file's own first row, or of its line `# global.columns`."""
    names = [name.split(":")[-1] for name in table.header[1]]
    if len(names) != table.count:
        return word, None
    tags = ENTITY_NAMES if wanted == ENTITIES else (wanted, *POS_NAMES) if wanted else (*ENTITY_NAMES, *POS_NAMES)
    tag = next((names.index(name) for name in tags if name in names), None)
    return (word if tag is None else next((names.index(name) for name in WORD_NAMES if name in names), word)), tag


def _by_content(table: Table, word: int, wanted: str) -> tuple[int, int]:
    rest = range(word + 1, table.count)
    columns = table.columns
    if table.count == word + 2:
        swapped = _swapped(columns[word], columns[word + 1], wanted)
        return (word + 1, word) if swapped else (word, word + 1)
    entities = marking = [column for column in rest if marks_entities(columns[column])]
    named_types = {column: {entity_type(tag) for tag in columns[column] if tag[1:2] == "-"} for column in entities}
    if len(entities) > 1:  # base phrases beside entities; a column of nothing but O beside one with entities
        entities = [column for column in entities if not named_types[column] or not named_types[column] <= PHRASES]
        entities = [column for column in entities if named_types[column]] or entities
    if wanted in (ENTITIES, "") and entities:
        return word, _only(entities, table)
    upos = [column for column in rest if set(columns[column]) - {NO_TAG} and set(columns[column]) <= {*UPOS, NO_TAG}]
    if wanted != ENTITIES and upos:
        return word, upos[0]
    likely = [column for column in rest if column not in marking and _like_tags(columns[column], columns[word])]
    if wanted == ENTITIES:  # types alone, beside O
        likely = [column for column in likely if not {"O", "o"}.isdisjoint(columns[column])]
    if wanted == ENTITIES and not likely:
        what = "no column holds entity tags (O, B-TYPE, I-TYPE)"
        raise TaskDataError(what, where=str(table.path), do=_name_it("tags", range(table.count)))
    return word, _only(likely or list(rest), table)


def _like_tags(column: Sequence[str], words: Sequence[str]) -> bool:
    """Whether a column may hold tags: no lemmas, numbers, features (Number=Plur), and no more empty cells than full."""
    empty = sum(cell in (NO_TAG, "-", "") for cell in column) > len(column) / 2
    numbers = all(ROW_NUMBER.fullmatch(cell) or cell == NO_TAG for cell in column)
    pairs = zip(column, words, strict=True)
    same = sum(cell.casefold() == word.casefold() and any(map(str.isalpha, word)) for cell, word in pairs)
    return not (empty or numbers or any("=" in cell[1:] for cell in column) or same >= LEMMAS * len(words))


def _swapped(first: Sequence[str], second: Sequence[str], wanted: str) -> bool:
    """Whether the tags stand before the words."""
    are_tags: Callable[[Sequence[str]], bool] = marks_entities if wanted in (ENTITIES, "") else set(UPOS).issuperset
    return are_tags(first) and len(set(first)) > 1 and not are_tags(second)


def _only(columns: Sequence[int], table: Table) -> int:
    if len(columns) > 1:
        listed = " and ".join(str(column + 1) for column in columns)
        what = f"columns {listed} of {table.count} may each hold the tags"
        raise TaskDataError(what, where=str(table.path), do=_name_it("tags", columns))
    return columns[0]


def _name_it(field: str, columns: Sequence[int]) -> str:
    return f"name it, counting from 0: --set task.columns.{field}={columns[-1]}; or write a word and a tag a line"

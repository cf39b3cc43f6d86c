"""The two sides of a mining: their vectors, their texts, and which of their rows are searched.

Vectors come from a file of sentences, encoded now or earlier, or from a folder or .npy file. Texts that occur several
times are searched once; blank rows are never searched. What does not belong together is refused before anything is
searched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapter_stilts.data.sentences import Sentence, Source, Survey, sentence_source, survey
from adapter_stilts.data.text_store import TextStore
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.files import LEDGER, sha256
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.blocks import Chosen
from adapter_stilts.retrieval.distinct import Distinct, by_first_rows, by_vectors
from adapter_stilts.retrieval.stored.known import BLANK, as_keys, first_of_keys, text_key
from adapter_stilts.retrieval.stored.vectors import EncodedFolder, StoredVectors, open_vectors

BREAKS = str.maketrans("\t\n\r", "   ")
MUST_AGREE = ("trunk", "composition", "adapters", "layer", "pool", "precision", "centring")


@dataclass(frozen=True)
class TextFile:
    """A file of sentences that was read once, so that mistakes are found before any work."""

    source: Source
    survey: Survey

    @property
    def path(self) -> Path:
        return self.source.path


def surveyed(path: Path, layout: str | None, column: str | None, report: Reporter) -> TextFile:
    """Read a file once. Raises TaskDataError with the line of a mistake."""
    return surveyed_source(lambda: sentence_source(path, layout, column), path, report)


def surveyed_source(source: Callable[[], Source], path: Path, report: Reporter) -> TextFile:
    """Find out how a file is read, and read it once."""
    with report.progress(f"checking {path.name}") as progress:
        read = source()
        file = TextFile(read, survey(read, lambda rows: progress(rows, 0)))
        progress(file.survey.rows, file.survey.rows)
    if read.said:
        report.say(read.said)
    return file


@dataclass(frozen=True)
class Side:
    """One side: vectors [rows, H], their texts where they are known, and the distinct rows that are searched."""

    name: str
    vectors: StoredVectors
    distinct: Distinct
    texts: TextStore | None

    @property
    def searched(self) -> Chosen:
        return Chosen(self.vectors, self.distinct.rows)

    @property
    def searched_hash(self) -> str:
        """Which rows those are: with the text beside the same vectors, what is repeated or blank changes."""
        return hashlib.sha256(np.ascontiguousarray(self.distinct.rows).data).hexdigest()

    @property
    def rows(self) -> int:
        return self.vectors.rows

    @property
    def with_ids(self) -> bool:
        return self.texts is not None and self.texts.with_ids

    @property
    def is_centred(self) -> bool:
        """Whether the stored vectors had their mean taken off when they were made."""
        return bool(self.vectors.made.get("centring"))

    def id(self, row: int) -> str:
        return "" if self.texts is None else self.texts.id(row)

    def line(self, row: int) -> int:
        return row + 1 if self.texts is None else self.texts.line(row)

    def row(self, line: int) -> int:
        return line - 1 if self.texts is None else self.texts.row(line)

    def text(self, row: int) -> str:
        """The sentence; its line number where texts are not known."""
        return str(row + 1) if self.texts is None else self.texts[row]


def open_side(name: str, file: TextFile | None, path: Path, work: Path) -> Side:
    """Bring vectors and texts together.

    Raises TaskDataError where they have different numbers of rows or the vectors were made of another text.
    """
    vectors = open_vectors(path)
    if file is None:
        return Side(name, vectors, _by_itself(vectors), None)
    if vectors.rows != file.survey.rows:
        what = f"{vectors.rows} vectors for {file.survey.rows} sentences"
        do = "give the vectors of this file; it may be truncated, or have been cleaned since"
        raise TaskDataError(what, where=f"{path} and {file.path}", do=do)
    if vectors.made and vectors.made.get("text") != file.survey.sha256:
        what = "the vectors were made of another text"
        raise TaskDataError(what, where=f"{path} and {file.path}", do="encode this file again")
    keys: list[bytes] = []

    def note(sentence: Sentence) -> None:
        keys.append(text_key(sentence.text) if sentence.text else BLANK)

    store = TextStore(work, name, file.source, None if vectors.made else note)
    if store.survey != file.survey:
        store.close()
        what = "the file changed while it was read"
        raise TaskDataError(what, where=str(file.path), do="run the command again when it is at rest")
    if vectors.made:
        return Side(name, vectors, _by_itself(vectors), store)
    known = as_keys(keys)  # of vectors that do not know their texts the last line's is a text's, as in LASER
    first, blank = first_of_keys(known.view(np.uint64)), np.logical_not(known.any(axis=1))
    return Side(name, vectors, by_first_rows(first, blank, last=True), store)


def check_together(source: Side, target: Side) -> None:
    """Raises UsageError for sides of different width or of different encoders."""
    sides, made = (source.vectors, target.vectors), (source.vectors.made, target.vectors.made)
    where, do = " and ".join(str(side.path) for side in sides), "encode both sides with one encoder, layer and pooling"
    if sides[0].dimension != sides[1].dimension:
        what = f"vectors of {sides[0].dimension} and of {sides[1].dimension} dimensions cannot be compared"
        raise UsageError(what, where=where, do=do)
    both = {name: (made[0].get(name), made[1].get(name)) for name in MUST_AGREE if all(made)}
    if unlike := [f"{name} {left!s:.40} and {right!s:.40}" for name, (left, right) in both.items() if left != right]:
        raise UsageError(f"the two sides were not encoded alike: {', '.join(unlike)}", where=where, do=do)


def content_hash(side: Side) -> str:
    """What the vectors are, whatever their path: of a folder its ledger, of a .npy file its bytes."""
    path = side.vectors.path
    return sha256(path / LEDGER if path.is_dir() else path)


def rows_of_ids(side: Side, ids: Sequence[str]) -> dict[str, int]:
    """The rows of some ids, or of line numbers where the side has no ids; those that are nowhere are left out."""
    wanted = set(ids)
    if side.with_ids:
        return {id: row for row in range(side.rows) if (id := side.id(row)) in wanted}
    numbers = {id: side.row(int(id)) for id in wanted if id.isdecimal() and id.isascii()}
    return {id: row for id, row in numbers.items() if 0 <= row < side.rows}


def rows_of_texts(side: Side, texts: Sequence[str]) -> dict[str, int]:
    """The first row of each of some sentences, as they stand in a cell; those that are nowhere are left out."""
    assert side.texts is not None
    wanted, rows = {as_cell(text) for text in texts}, dict[str, int]()
    for row in range(side.rows):
        text = as_cell(side.texts[row])
        if text in wanted:
            rows.setdefault(text, row)
    return {text: rows[as_cell(text)] for text in texts if as_cell(text) in rows}


def as_cell(text: str) -> str:
    """A sentence as a cell of a TSV: a tab or line break inside it, which JSON can have, is a space."""
    return text.translate(BREAKS)


def _by_itself(vectors: StoredVectors) -> Distinct:
    if isinstance(vectors, EncodedFolder):
        texts = by_first_rows(vectors.first_rows(), vectors.blank)
    else:
        texts = by_vectors(vectors)
    if not len(texts.rows):
        what = "no sentence: all rows are blank"
        raise TaskDataError(what, where=str(vectors.path), do="give vectors of a file with text")
    return texts


def facts(side: Side, file: TextFile | None) -> dict[str, Any]:
    """What a report says of a side."""
    text = {"file": str(file.path), "text": file.survey.sha256} if file else {}
    rows, blank, searched = side.rows, int((side.distinct.of_line < 0).sum()), len(side.distinct.rows)
    counts = {"rows": rows, "blank": blank, "repeated": rows - blank - searched, "searched": searched}
    return {**text, "vectors": str(side.vectors.path), "vectors_sha256": content_hash(side), **counts}

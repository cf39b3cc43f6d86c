"""CSV with a word a row, as `predict` and spreadsheets write tagged sentences: rows of one id are a sentence.

    id,word,tag
    0,Anna,B-PER
    0,sleeps,O
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from adapter_stilts.data.ccg_rows import TaggedWords
from adapter_stilts.data.tables import Bad, csv_rows
from adapter_stilts.errors import TaskDataError

SENTENCE, WORD, TAG = ("id", "sentence_id", "sentence"), ("word", "token"), ("tag", "ner_tag", "pos_tag")


def word_columns(path: Path) -> tuple[str, str, str] | None:
    """The columns of sentence, word and tag; None of a CSV that has not all of them."""
    first = next(csv_rows(path), None)
    named = {name.strip().casefold(): name for name in first.cells} if first else {}
    columns = [next((named[usual] for usual in names if usual in named), "") for names in (SENTENCE, WORD, TAG)]
    return (columns[0], columns[1], columns[2]) if all(columns) else None


def words_in_rows(path: Path, sentence: str, word: str, tag: str, bad: Bad) -> Iterator[TaggedWords]:
    """The sentences of a file, with the lines of their words."""
    for id, group in groupby(csv_rows(path, bad), key=lambda row: str(row.cells[sentence])):
        rows = list(group)
        cells = [(str(row.cells[word]).strip(), str(row.cells[tag]).strip()) for row in rows]
        if empty := next((row.where for row, pair in zip(rows, cells, strict=True) if not all(pair)), ""):
            bad(TaskDataError("a row without a word or a tag", where=empty, do="give every word its tag"))
            continue
        words, tags = zip(*cells, strict=True)
        lines = tuple(int(row.where.rpartition("line ")[2]) for row in rows)
        yield TaggedWords(id, words, tags, f"{path}, lines {lines[0]}-{lines[-1]}", lines)

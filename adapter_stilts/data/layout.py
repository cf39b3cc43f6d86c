"""Layout: how a file of rows is to be read, apart from which file it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """What a reader needs to know beyond the file itself.

    format         the name of what is read (formats/)
    columns        our field -> the file's column (a name, or a position counted from 0 where the file has no header);
                   fields left out are found by their usual names
    labels         the labels allowed, None for any
    label_names    the file's label -> ours ("0" -> "entailment")
    ignore_labels  pair, single: rows with these labels are left out (SNLI's "-", on which the annotators did not
                   agree); tags: these tags, or entity types, are read as "O"
    keep           column -> the values to keep, where the file has the column (one language of a file that holds many)
    labelled       a file without a label column is refused, and so is a row without a label
    candidates     ranking: read what there is to be found (the sentences of paragraphs, entities, positives), not what
                   looks for it
    tag_column     CoNLL-U: the column that holds the tag: upos, xpos or deprel
    multiword      CoNLL-U: "split" reads syntactic words, "fuse" the words of the text, as XTREME does
    language       ISO 639-1 where it is known: of a file to rank whose rows do not say; fused words are tagged by its
                   list
    codes          the spellings of that language; a file whose rows say another is refused. () where any will do
    skip_short     rows with too few columns are left out and counted, in a release that has some (QQP)
    number_rows    ids of the file are not ids: rows are numbered instead
    """

    format: str
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    label_names: Mapping[str, str] = field(default_factory=dict)
    ignore_labels: tuple[str, ...] = ()
    keep: Mapping[str, Collection[str]] = field(default_factory=dict)
    labelled: bool = True
    candidates: bool = False
    tag_column: str = "upos"
    multiword: str = "split"
    language: str = ""
    codes: Collection[str] = ()
    skip_short: bool = False
    number_rows: bool = False

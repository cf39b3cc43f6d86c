"""Layout: how a file of rows is to be read, apart from which file it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """What a reader needs to know beyond the file itself."""

    format: str  # the name of what is read (formats/)
    # our field -> the file's column, by name, or from 0 where it has no header; others are found by their usual names
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None  # the labels allowed, None for any
    label_names: Mapping[str, str] = field(default_factory=dict)  # the file's label -> ours ("0" -> "entailment")
    # pair, single: rows with these are left out (SNLI's "-", on which the annotators did not agree); tags: these tags,
    # or entity types, are read as "O"
    ignore_labels: tuple[str, ...] = ()
    # column -> the values to keep, where the file has the column (one language of a file that holds many)
    keep: Mapping[str, Collection[str]] = field(default_factory=dict)
    labelled: bool = True  # a file without a label column is refused, and so is a row without a label
    candidates: bool = False  # ranking: read what there is to be found, not what looks for it
    # what is wanted of tags: upos, xpos or deprel, a treebank's column of that name; "entities"; "": whatever is there
    tag_column: str = ""
    published: bool = False  # tags stand as their benchmark writes them, and only IOB1 becomes IOB2
    multiword: str = "split"  # CoNLL-U: "split" reads syntactic words, "fuse" the words of the text, as XTREME does
    language: str = ""  # ISO 639-1, where it is known: of rows to rank that do not say; of the list for fused words
    codes: Collection[str] = ()  # its spellings; a file whose rows say another is refused. () where any will do
    skip_short: bool = False  # rows with too few columns are left out and counted, in a release that has some (QQP)
    say: Callable[[str], None] = lambda remark: None  # where goes, in words, what was decided of a file
    number_rows: bool = False  # ids of the file are not ids: rows are numbered instead
    gold: bool = True  # False: the file is to be predicted, and what stands in the place of labels is not looked at
    # our field -> the column that the rows had which a run was trained on, taken where this file has it
    usual: Mapping[str, str] = field(default_factory=dict)

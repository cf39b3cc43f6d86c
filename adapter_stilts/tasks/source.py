"""Source: where a task's rows lie and how they are read, as data: files by their release's names, data sets of the hub.

A file is named by the pattern of its original release, tried at any depth of a folder, plain or with ".gz":

    {l}      a language as the release spells it (de, deu, zho_Hans); later ones in a pattern are equal to the first
    {name}   a language by its name (german), where the task names its languages
    *        anything but a slash
    "a b"    files that belong together, in one folder: both sides of a bitext, or two pools and their gold pairs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SPLITS = ("train", "validation", "test")
SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test",),
}
CONVERTED = "refs/convert/parquet"  # the hub's own conversion of a loading script, which is not run, to plain files
PLAIN, UNVERIFIED, SCRIPT = "plain files", "not verified", "loading script"  # how sure a data set's files are

Patterns = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Hub:
    """A data set of the hub, as far as protocol facts go.

    config       its configuration; "{l}" is the language as `codes` spells it, or as the task does
    revision     a commit or branch; "" is the newest, or its conversion to plain files where that is a loading script
    splits       our split -> the data set's; several are joined by "+"
    codes        language -> how the configuration names spell it; several configurations are joined by "+"
    label_names  the data set's label (a class number as text) -> ours
    languages    those it has, where they are not the task's
    candidates   ranking: the configuration that holds what can be found; "" where the rows of a split do, in all
                 languages together
    certainty    what is known of its files: "plain files" (confirmed), "not verified", or "loading script"
    note         where its rows differ from the published set-up, in words
    """

    id: str
    config: str = ""
    revision: str = ""
    splits: Mapping[str, str] = field(default_factory=lambda: only(*SPLITS))
    codes: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    label_names: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    candidates: str = ""
    certainty: str = PLAIN
    note: str = ""


@dataclass(frozen=True)
class Source:
    """Where the rows of a task come from.

    files            split -> patterns, the first that matches counts
    any_name         files are called as users call them: of those that a pattern matches, only the ones with the right
                     columns and labels count
    candidates       ranking: patterns of the files that hold what can be found, in any language; () where the files of
                     a split do
    hubs             data sets of the hub with its rows: the usual one, then others with the same or further languages
    miniature        its data set in the miniature, "" where there is none
    joined           a pattern's two files hold one split together: "pairs" with their texts, or rows with their
                     "labels" (data/tables.py)
    mismatches       every row is given a partner that does not match (formats/pair.py)
    concatenate      several files of one split and language belong together (the treebanks of a language); otherwise
                     that is refused
    unnumbered       files whose ids repeat in the release, as patterns: their rows are numbered instead
    columns, label_names, ignore_labels, tag_column, skip_short   see data/layout.py
    multiword        the same; "" is what the protocol says (`under` of base.py)
    language_names   language -> its name in file names, for {name}
    language_column  a column that tells the language where a file holds many
    id_prefixes      language -> how its ids begin ("english-"), where one file holds many
    sizes            split -> published number of rows, with how sure that is: [S] read, [D] derived, [M] remembered
    stands_for       the licensed task that this one is used in the place of
    substitutions    where our reading differs from the published set-up, in words; copied to every manifest
    stand_ins        split -> the same, where only that split differs
    """

    files: Patterns = field(default_factory=dict)
    any_name: bool = False
    candidates: tuple[str, ...] = ()
    hubs: tuple[Hub, ...] = ()
    miniature: str = ""
    joined: str = ""
    mismatches: bool = False
    concatenate: bool = False
    unnumbered: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    label_names: Mapping[str, str] = field(default_factory=dict)
    ignore_labels: tuple[str, ...] = ()
    tag_column: str = ""
    multiword: str = ""
    skip_short: bool = False
    language_names: Mapping[str, str] = field(default_factory=dict)
    language_column: str = ""
    id_prefixes: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)
    stands_for: str = ""
    licence: str = ""
    paper: str = ""
    substitutions: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    def has(self, split: str) -> bool:
        """Whether files or a data set of the hub are published for the split."""
        return split in self.files or any(split in hub.splits for hub in self.hubs)


def pairs(text: str) -> dict[str, str]:
    """ "de german  en english" as {"de": "german", "en": "english"}."""
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


def only(*ours: str, **theirs: str) -> dict[str, str]:
    """The splits of a data set that has not all three under our names: only("train", test="validation")."""
    return {split: split for split in ours} | theirs


def splits(*patterns: str) -> dict[str, tuple[str, ...]]:
    """Patterns for all three splits: {split} stands for train; validation, valid, dev or val; test."""
    named = {
        split: [pattern.replace("{split}", name) for pattern in patterns for name in names]
        for split, names in SPLIT_NAMES.items()
    }
    return {split: tuple(dict.fromkeys(files)) for split, files in named.items()}

"""Which column holds what: found by the names that releases use, or given; and which label a cell means.

A field of ours ("text") may also be called by any of its usual names ("premise") where columns are given:

    columns={"premise": "prämisse", "label": "klasse"}
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapter_stilts.data.tables import called_twice, whole_text
from adapter_stilts.errors import TaskDataError, few
from adapter_stilts.registry import nearest, unknown_name


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LABEL = words("label gold_label labels class category target relation intent sentiment is_duplicate")
ID = words("id uid guid idx index ind example_id qid")
TEXT = words("text sentence content line code document")  # what a column of sentences is usually called
MANY = 24  # labels listed in a message
PLACEHOLDERS = ("-1", "-", "?", "None", "none", "null", "nan")  # what releases write in the place of a label

NO_VALUE = ("nan", "<na>")  # what pandas writes for a cell without a value, in any case
NUMBERED = re.compile(
    r"(choice|hypothesis|ending|answer|option|sol|alternative)(?:_?([0-9]{1,2}|[a-j])|_([k-z]))", re.IGNORECASE
)
WHOLE = re.compile(r"-?[0-9]+\.0+")
# a list or an object as Python and JSON write it: ['joy', 'anger'], [2, 27], {"a": 1}; [other] may be a label
LIST = re.compile(r"""\[\s*(['"0-9-].*)?\]|\[.*,.*\]|[{(]\s*['"].*[})]""")
LANGUAGE_COLUMN = re.compile(r"[a-z]{2,3}([_-][A-Z][A-Za-z]{1,3})?")
ENGLISH = re.compile(r"eng?([_-][A-Z][A-Za-z]{1,3})?")


@dataclass(frozen=True)
class Columns:
    """The fields of a format, and what their columns are usually called."""

    format: str  # its name, for messages
    fields: Mapping[str, tuple[str, ...]]  # field -> usual names, the first a file has is taken
    needed: tuple[str, ...]  # fields that every file must have
    couple: tuple[str, ...] = ()  # the fields of two texts that belong together; () where there are none
    couples: tuple[tuple[str, ...], ...] = ()  # what both columns are called; the first couple a file has is taken
    by_language: bool = (
        False  # both may stand under their languages, one of them English: the other is the foreign side
    )
    # whether other columns make up for a needed field that is not there
    stands_in: Callable[[str, Sequence[str], Mapping[str, str]], bool] = lambda field, names, columns: False

    def find(self, names: Sequence[str], wanted: Mapping[str, str], where: str, also: str = "") -> dict[str, str]:
        """Our field -> the file's column, for every field of the format that the file has.

        also  one more field that must be there, "" for none

        Raises TaskDataError for a needed column that is not there, with the columns found and the nearest, and
        UnknownName for a field that the format does not have.
        """
        columns: dict[str, str] = {}
        for key, column in wanted.items():
            columns[self.field_called(key)] = column
            if column not in names:
                what = f"no column '{column}'; the columns are: {', '.join(names)}"
                raise TaskDataError(what, where=where, do=f"{meant(column, names)}name it: {setting(key)}")
        if not any(name in columns for name in self.couple):
            columns |= dict(zip(self.couple, self._couple(names), strict=False))
        for name, usual in self.fields.items():
            free = [column for column in names if column not in columns.values()]
            if name not in columns and (called := first_called(usual, free, where)):
                columns[name] = called
        self._require((*self.needed, *([also] if also else [])), names, columns, where)
        return columns

    def field_called(self, key: str) -> str:
        if NUMBERED.fullmatch(key):
            return key
        known = {name: field for field, usual in self.fields.items() for name in usual}
        for couple in self.couples:
            known |= dict(zip(couple, self.couple, strict=True))
        known |= {name: name for name in (*self.fields, *self.couple)}
        if key.lower() not in known:
            raise unknown_name(f"field of a '{self.format}' task", key, known, where="columns")
        return known[key.lower()]

    def is_header(self, cells: Sequence[str]) -> bool:
        """Whether the first line of a file names the needed columns."""
        try:
            return bool(self.find(cells, {}, ""))
        except TaskDataError:
            return False

    def _couple(self, names: Sequence[str]) -> Iterable[str]:
        """The columns of the two texts, by what couples are called or by their languages; () for none."""
        spelled = {name.lower(): name for name in names}
        for couple in self.couples:
            if all(name in spelled for name in couple):
                return [spelled[name] for name in couple]
        english = [name for name in names if ENGLISH.fullmatch(name)]
        foreign = [name for name in names if LANGUAGE_COLUMN.fullmatch(name) and name not in english]
        if len(foreign) > 1:  # "id" is Indonesian only where nothing else is foreign
            foreign = [name for name in foreign if name not in ID]
        alone = self.by_language and len(english) == 1 and len(foreign) == 1
        return (foreign[0], english[0]) if alone else ()

    def _require(
        self, needed: Sequence[str], names: Sequence[str], columns: Mapping[str, str], where: str
    ) -> None:
        """Refuse a table that lacks columns, with the settings that would name all of them."""
        absent = [name for name in needed if name not in columns and not self.stands_in(name, names, columns)]
        if not absent:
            return
        sides = dict(zip(self.couple, zip(*self.couples, strict=True), strict=False))
        usual = {name: self.fields.get(name) or tuple(dict.fromkeys(sides[name])) for name in absent}
        free = [name for name in names if name not in columns.values()]
        near = next((said for name in absent for each in (name, *usual[name]) if (said := meant(each, free))), "")
        lacking = " and ".join(f"no column for '{name}' (usual names: {', '.join(usual[name])})" for name in absent)
        what = f"{lacking}; the columns are: {', '.join(names)}"
        raise TaskDataError(what, where=where, do=f"{near}name what is there: {setting(*absent)}")


def setting(*fields: str) -> str:
    """What is typed to name the columns of fields: "--set task.columns.text=COLUMN"."""
    return " ".join(f"--set task.columns.{field}=COLUMN" for field in fields)


def couples_of(names: str) -> tuple[tuple[str, ...], ...]:
    """(("a", "b"), ("c", "d")) of "a b, c d"."""
    return tuple(map(words, names.split(",")))


def spelled(value: object, labels: Sequence[str] | None, names: Mapping[str, str], where: str) -> str:
    """A cell's label as the task spells it: declared names first, then the same text in any case, or the same number
    or truth; "" for a cell without one: empty, null, NaN.

    Numbers and booleans become text (1, 1.0, "1.0" and True are "1"). Raises TaskDataError for what is no label (a
    list, infinity, text with a line break in it) and for a label outside `labels`.
    """
    text = label_text(value, where)
    if (named := names.get(text, names.get(_whole(text)))) is not None:
        text = named
    elif text.casefold() in NO_VALUE and text not in (labels or ()):
        return ""
    if labels is None and named is None:
        return _whole(text)
    if labels is None or not text or text in labels:
        return text
    same = [label for label in labels if alike(label) == alike(text)]
    if len(same) != 1:
        raise wrong_label(text, labels, where)
    return same[0]


def label_text(value: object, where: str) -> str:
    """A cell as a label, in a line of text; "" for null and NaN. Raises TaskDataError for what is no label."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool | float) and float(value).is_integer():
        value = int(value)
    text = str(value).strip()
    if isinstance(value, list | tuple) or (isinstance(value, str) and LIST.fullmatch(text)):
        what = f"a row has several labels, or one in a list: {text:.60}"
    elif not isinstance(value, str) and (not isinstance(value, int | float) or value in (math.inf, -math.inf)):
        what = f"no label: {value!r:.60}"
    elif any(mark in text for mark in "\n\r\t"):
        what = f"a label with a line break or a tab in it: {text!r:.60}"
    else:
        return whole_text(text, "label", where)
    raise TaskDataError(what, where=where, do="give every row one label: a word, a number, or true and false")


def _whole(text: str) -> str:
    """A number without a fraction, as pandas writes it beside empty cells, without its ".0"."""
    return text.partition(".")[0] if WHOLE.fullmatch(text) else text


def alike(label: str) -> str:
    """What labels have in common that are spelled in two ways."""
    return {"true": "1", "false": "0"}.get(label.casefold(), _whole(label).casefold())


def wrong_label(label: str, labels: Iterable[str], where: str = "") -> TaskDataError:
    """The error for a label outside the set, with the nearest right one."""
    known = list(labels)
    near = nearest(label, known, cutoff=0.5)
    advice = f"did you mean '{near}'? " if near else ""
    if label in PLACEHOLDERS:
        advice = "it is a placeholder, for a split whose labels are secret or a row that has none; "
    do = f"{advice}correct the data, map the label with `label_names`, or leave it out with `ignore_labels`"
    return TaskDataError(f"label '{label}' is not one of: {few(known, MANY)}", where=where, do=do)


def numbered_choices(names: Iterable[str], where: str = "") -> list[str]:
    """Columns choice1, choice2, ... (or hypothesis1, ending0, option_a, ...) in order; the name with the most columns
    wins. Raises TaskDataError where one between them is missing or stands there twice."""
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        if match := NUMBERED.fullmatch(name):
            groups.setdefault(match[1].lower(), {})[name] = (match[2] or match[3]).lower()
    largest = max(groups.values(), key=len, default={})
    places = {name: int(mark) if mark.isdecimal() else ord(mark) - ord("a") for name, mark in largest.items()}
    ordered = sorted(places, key=places.__getitem__)
    lettered = {mark.isalpha() for mark in largest.values()}
    counted = [places[name] - places[ordered[0]] for name in ordered]
    wrong = bool(ordered) and places[ordered[0]] > (0 if True in lettered else 1)
    if wrong or len(lettered) > 1 or counted != list(range(len(ordered))):
        what = f"the columns of choices are not numbered through: {', '.join(ordered)}"
        raise TaskDataError(what, where=where, do="number them in one way, without a gap: choice0, choice1, ...")
    return ordered


def first_called(usual: Iterable[str], names: Sequence[str], where: str = "") -> str | None:
    """The column, spelled in any case, that has the first of the usual names which any has. Raises TaskDataError where
    two have it."""
    for name in usual:
        if same := [column for column in names if column.lower() == name]:
            if len(same) > 1:
                raise called_twice(same[0], same[1], where)
            return same[0]
    return None


def meant(wrong: str, names: Iterable[str]) -> str:
    """ "did you mean 'x'? " or nothing."""
    near = nearest(wrong, names)
    return f"did you mean '{near}'? " if near else ""

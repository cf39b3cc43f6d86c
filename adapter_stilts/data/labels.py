"""Labels as the files spell them to labels as a task spells them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from adapter_stilts.errors import TaskDataError

MANY = 24  # labels listed in a message
PLACEHOLDERS = ("-1", "-", "?", "None", "none", "null", "nan")  # what releases write in the place of a label


def spelled(value: object, labels: Sequence[str] | None, names: Mapping[str, str], where: str) -> str:
    """A cell's label as the task spells it: declared names first, then the same text in any case; "" for an empty cell.

    Numbers and booleans become text (1, 1.0 and True are "1"). Raises TaskDataError for a label outside `labels`.
    """
    text = _text(value)
    text = names.get(text, text)
    if labels is None or not text or text in labels:
        return text
    same = [label for label in labels if label.casefold() == text.casefold()]
    if not same:
        raise wrong_label(text, labels, where)
    return same[0]


def wrong_label(label: str, labels: Iterable[str], where: str = "") -> TaskDataError:
    """The error for a label outside the set, with the nearest right one."""
    known = list(labels)
    near = difflib.get_close_matches(label.casefold(), [name.casefold() for name in known], n=1, cutoff=0.5)
    listed = ", ".join(known[:MANY]) + (", ..." if len(known) > MANY else "")
    advice = f"did you mean '{next(name for name in known if name.casefold() == near[0])}'? " if near else ""
    if label in PLACEHOLDERS:
        advice = "it is a placeholder, for a split whose labels are secret or a row that has none; "
    do = f"{advice}correct the data, map the label with `label_names`, or leave it out with `ignore_labels`"
    return TaskDataError(f"label '{label}' is not one of: {listed}", where=where, do=do)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | float) and value == int(value):
        value = int(value)
    return str(value).strip()

"""Tags of words: entity tags brought to IOB2, unwanted ones read as "O", and the rest checked.

IOB1 marks the first word of an entity `I-X`, and `B-X` only where two entities of a type touch; IOB2 marks every first word `B-X`.
Both mean the same entities, so every sentence is read as IOB2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapter_stilts.data.labels import wrong_label
from adapter_stilts.data.layout import Layout

OUTSIDE = "O"
NO_TAG = "_"  # Universal Dependencies' empty cell: the row of a multi-word token, or a word nobody tagged; such words are left out


def clean_tags(tags: Sequence[str], layout: Layout, where: str) -> tuple[str, ...]:
    """A sentence's tags as the task spells them. Raises TaskDataError for a tag outside the layout's labels."""
    ignored = set(layout.ignore_labels)
    named = [layout.label_names.get(tag, tag) for tag in tags]
    kept = iob2(OUTSIDE if tag in ignored or entity_type(tag) in ignored else tag for tag in named)
    if layout.labels is not None:
        for tag in kept:
            if tag not in layout.labels:
                raise wrong_label(tag, layout.labels, where)
    return kept


def iob2(tags: Iterable[str]) -> tuple[str, ...]:
    """The same entities with every first word marked B-."""
    result: list[str] = []
    before = OUTSIDE
    for tag in tags:
        first = tag.startswith("I-") and before not in (f"B-{tag[2:]}", f"I-{tag[2:]}")
        result.append(f"B-{tag[2:]}" if first else tag)
        before = tag
    return tuple(result)


def entity_type(tag: str) -> str:
    """ "PER" of "B-PER" and "I-PER"; a tag without such a mark is its own type."""
    return tag[2:] if tag[:2] in ("B-", "I-") else tag

"""Tags of words: chunk F1, precision and recall by three rules, and token accuracy; the unit is the sentence.

The rules are written out so that the number does not depend on an installed version. A tag is read as a prefix (its
first character) and a type. Neighbouring tags of one type form a chunk; B and S open one, S and E close one, O lies
outside. Bare part-of-speech tags have no prefix, so their first letter is taken for one: runs of NOUN merge into one
chunk, while SCONJ, SYM (prefix S) stand alone. The rules differ in the type:

    rule    type of B-PER   of B-GPE-LOC   of SCONJ   used by
    "0.0"   PER             LOC            SCONJ      seqeval 0.0.x, and so XTREME's published numbers
    "1.2"   PER             GPE-LOC        CONJ       seqeval 1.2.x, where CCONJ and SCONJ become one type
    "own"   PER             GPE-LOC        SCONJ      tasks of one's own: no letter of a bare tag is a prefix, so that a
                                                      run of one tag is a chunk; "O" is a tag as well where no tag of
                                                      gold and predictions marks an entity
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import eq
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.data.tag_schemes import OUTSIDE, parts
from adapter_stilts.errors import TaskDataError
from adapter_stilts.metrics.base import DEFAULTS, Array, Options, Score, metrics, one_each, scored, units_of
from adapter_stilts.registry import unknown_name
from adapter_stilts.statistics.report import class_scores, in_order

Tags: TypeAlias = Sequence[str]
Chunk: TypeAlias = tuple[str, int, int]  # type, first and last position over the whole file


@metrics.register("chunk_f1", formats=("tags",), form="tags", protocol="xtreme", averaged=("f1",), takes_rule=True)
def score_tags(gold: Sequence[Tags], predicted: Any, options: Options = DEFAULTS) -> Score:
    """Chunk F1, precision and recall, and token accuracy beside them; the unit is the sentence."""
    predicted = one_each(predicted)
    counts = chunk_counts(gold, predicted, options.rule).astype(np.float64)
    if not len(counts):
        raise TaskDataError("no sentence to score", do="give a gold file with at least one sentence")
    measured = [(name, counts, name) for name in ("f1", "precision", "recall")]
    return scored("f1", [*measured, ("token_accuracy", token_units(gold, predicted), "ratio")], len(gold), options)


@metrics.register("token_accuracy", formats=("tags",), form="tags", protocol="xtreme", takes_rule=True)
def _token_accuracy(gold: Any, predicted: Any, options: Options) -> Score:
    return replace(score_tags(gold, predicted, options), headline="token_accuracy")


def token_units(gold: Sequence[Tags], predicted: Sequence[Tags]) -> Array:
    same_lengths(gold, predicted)
    pairs = zip(gold, predicted, strict=True)
    return units_of(2, ((sum(map(eq, right, guess)), len(right)) for right, guess in pairs))


def chunk_counts(gold: Sequence[Tags], predicted: Sequence[Tags], rule: str = "0.0") -> NDArray[np.int64]:
    """Count chunks sentence by sentence, so that any selection of sentences can be scored again from the sums.

    Returns [N, 3]: correct, predicted and gold chunks of each sentence.
    Raises TaskDataError where two sentences differ in length or a tag is empty, UnknownName for any other rule.
    """
    same_lengths(gold, predicted)
    shown = {tag for sentence in (*gold, *predicted) for tag in sentence}
    if rule == OWN_RULE and not any(parts(tag)[0] in ("B", "I") for tag in shown) and shown != {OUTSIDE}:
        rule = BARE
    of_gold, of_prediction = chunks(gold, rule), chunks(predicted, rule)
    rows = [(len(right & guess), len(guess), len(right)) for right, guess in zip(of_gold, of_prediction, strict=True)]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def type_scores(gold: Sequence[Tags], predicted: Sequence[Tags], rule: str) -> list[dict[str, Any]]:
    """Precision, recall and F1 of the chunks of each type; their counts add up to those of `chunk_counts`."""
    pairs = list(zip(chunks(gold, rule), chunks(predicted, rule), strict=True))
    right, guessed, both = (
        Counter(type or NO_TYPE for chunks_of in sides for type, _, _ in chunks_of)
        for sides in zip(*((right, guess, right & guess) for right, guess in pairs), strict=True)
    )
    return [class_scores(type, both[type], guessed[type], right[type]) for type in in_order({*right, *guessed})]


def types_of(tags: Iterable[str], rule: str) -> list[str]:
    """The type of each word's tag; O is its own."""
    return [tag if tag == OUTSIDE else READ[rule](tag)[1] or NO_TYPE for tag in tags]


def chunks(sentences: Sequence[Tags], rule: str = "0.0") -> list[set[Chunk]]:
    """The chunks that end in each sentence.

    Positions run through the whole file with one O after every sentence, as seqeval flattens it: under rule 1.2 a chunk
    of bare tags may take its first position from before (its type looks equal to the one before it), and both sides
    then must agree on that.
    """
    if rule not in READ:
        raise unknown_name("chunk rule", rule, RULES)
    chunks_of: list[set[Chunk]] = [set() for _ in sentences]
    before, type_before, first, position = "O", "", 0, 0
    for number, sentence in enumerate(sentences):
        for prefix, kind in (*map(READ[rule], sentence), ("O", "") if rule == BARE else READ[rule](OUTSIDE)):
            if _ends(before, prefix, type_before != kind):
                chunks_of[number].add((type_before, first, position - 1))
            if _starts(before, prefix, type_before != kind):
                first = position
            before, type_before, position = prefix, kind, position + 1
    return chunks_of


def same_lengths(gold: Sequence[Tags], predicted: Sequence[Tags]) -> None:
    """Refuse predictions that do not stand word by word beside the gold tags."""
    if len(gold) != len(predicted):
        what = f"{len(predicted)} predicted sentences for {len(gold)} gold ones"
        raise TaskDataError(what, do="predict every sentence once, in the order of the gold file")
    for number, (right, guess) in enumerate(zip(gold, predicted, strict=True), start=1):
        if len(right) != len(guess):
            what = f"{len(guess)} predicted tags for {len(right)} words"
            raise TaskDataError(what, where=f"sentence {number}", do="give one tag per word")
        if not all(right) or not all(guess):
            raise TaskDataError("an empty tag", where=f"sentence {number}", do="write O for a word outside every chunk")


def _ends(before: str, prefix: str, other_type: bool) -> bool:
    return before in "ES" or (before in "BI" and prefix in "BSO") or (before not in "O." and other_type)


def _starts(before: str, prefix: str, other_type: bool) -> bool:
    return prefix in "BS" or (before in "ESO" and prefix in "EI") or (prefix not in "O." and other_type)


def _own(tag: str) -> tuple[str, str]:
    prefix, type = parts(tag)
    return prefix or "I", type


OWN_RULE, BARE = "own", "bare"
NO_TYPE = "entity"  # what chunks are called whose tags are B and I alone
READ: dict[str, Callable[[str], tuple[str, str]]] = {  # a tag's prefix and type, by rule
    "0.0": lambda tag: (tag[0], tag.rsplit("-", 1)[-1]),
    "1.2": lambda tag: (tag[0], tag[1:].split("-", 1)[-1] or "_"),
    OWN_RULE: _own,
    BARE: lambda tag: ("I", tag),
}
RULES = ("0.0", "1.2", OWN_RULE)

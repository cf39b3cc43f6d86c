"""Retrieval protocols as data: everything a published number depends on, beside the vectors themselves.

    protocol("xtreme", "tatoeba").layer.at_depth(24)      14
    protocol("xtreme", "bucc2018").layer.at_depth(12)     10: the same relative depth, since there is no official one

XTREME's code counts layers from the first of its last 24, so its "13" is hidden_states[14], and its BUCC script reads
hidden_states[20] because it never passes the number of layers on. jiant reads hidden_states[14] for both. The pooling
of XTREME's BUCC is the mean that its 2020 runs used: its script asks for the first token, which the code ignored until
2021. `own` differs from jiant in cutting the threshold only between different scores, so that the threshold reaches the
F1 it was chosen for, and in asking scores above 0 of ratios alone.

Hu et al. (2020), https://arxiv.org/abs/2003.11080; Phang et al. (2020), https://arxiv.org/abs/2005.13013
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

from adapter_stilts.errors import refuse
from adapter_stilts.registry import unknown_name

MAX_LENGTH = 512  # tokens of a sentence, its two marks included; less where the trunk has fewer positions

OWN = "own"  # the protocol that is nobody's but ours

Setting: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Layer:
    """A hidden state of the 24-layer trunk; index 0 is the embedding output, i the output of layer i."""

    of_24: int

    def at_depth(self, layers: int) -> int:
        """The hidden state at the same relative depth, rounded half up."""
        return math.floor(self.of_24 * layers / 24 + 0.5)


LAST = Layer(24)


@dataclass(frozen=True)
class Protocol:
    """How sentences become unit vectors, pairs and a score.

    direction    tatoeba: the headline's queries and what they search, "en->xx" or "xx->en"
    duplicates   bucc2018: what becomes of a text that occurs several times, of `distinct.duplicates`
    written      `mine`: the same where pairs are written rather than scored; "": as `duplicates`
    by_text      tatoeba: equal sentences are equal answers; else the sentence of the same line alone is right, as
                 XTREME and jiant count
    threshold    bucc2018: a threshold lies midway between the best candidate and the next, at a place that
                 `threshold_rules` allow; at the last candidate it is that candidate's score
    minimum      bucc2018: candidates must score more than this; `least` is what is asked of the margin in use
    minimum_of   the margin that the minimum is meant for; None: every one, as XTREME and jiant have it
    precision    of a bare trunk; one name has one for all its tasks, and a trained run keeps its own
    """

    name: str
    task: str
    layer: Layer
    pool: str = "mean"
    direction: str = "en->xx"
    k: int = 4
    margin: str = "ratio"
    retrieval: str = "max"
    minimum: float | None = 0.0
    minimum_of: str | None = None
    duplicates: str = "expand"
    written: str = ""
    by_text: bool = False
    threshold: str = "between"
    centring: bool = False
    max_length: int = MAX_LENGTH
    precision: str = "fp32"

    @property
    def least(self) -> float | None:
        """What candidates must score more than; None: nothing.

        A ratio of 0 or less is no likeness. A difference of 0 is a score like any other: with one neighbour the best
        pairs of all have it.
        """
        return self.minimum if self.minimum_of in (None, self.margin) else None

    def settings(self, layers: int) -> dict[str, Setting]:
        """What a score must be reported with, for a trunk of so many layers."""
        used: dict[str, Setting] = {"layer": self.layer.at_depth(layers), "layers": layers}
        used |= {"pool": self.pool, "centring": self.centring}
        used |= {"k": self.k, "margin": self.margin, "max_length": self.max_length}
        if self.task == "tatoeba":
            return used | {"direction": self.direction} | ({"answers": "by text"} if self.by_text else {})
        # "unique" is the word that results have had from the start
        duplicates = "unique" if self.duplicates == "drop" else self.duplicates
        return used | {"retrieval": self.retrieval, "duplicates": duplicates, "threshold_rule": self.threshold}


XTREME_TATOEBA = Protocol("xtreme", "tatoeba", Layer(14))
XTREME_BUCC = Protocol("xtreme", "bucc2018", Layer(20), duplicates="drop", threshold="any")
PROTOCOLS = (
    XTREME_TATOEBA,
    XTREME_BUCC,
    replace(XTREME_TATOEBA, name="xtreme-r"),
    replace(XTREME_TATOEBA, name="jiant"),
    Protocol("jiant", "bucc2018", Layer(14), threshold="any"),
    replace(XTREME_TATOEBA, name=OWN, by_text=True, precision="auto"),
    Protocol(OWN, "bucc2018", Layer(14), minimum_of="ratio", written="once", precision="auto"),
)
BY_NAME = {(known.name, known.task): known for known in PROTOCOLS}


def protocol(name: str, task: str) -> Protocol:
    """The protocol of a name for "tatoeba" or "bucc2018" ("bucc" for short).

    Raises UnknownName for a name or task nobody defined, UsageError for a task that the named benchmark does not have.
    """
    task = {"bucc": "bucc2018"}.get(task, task)
    names, tasks = ({key[place] for key in BY_NAME} for place in (0, 1))
    if name not in names:
        raise unknown_name("retrieval protocol", name, names)
    if task not in tasks:
        raise unknown_name("retrieval task", task, tasks)
    others = ", ".join(sorted(known for known in names if (known, task) in BY_NAME))
    refuse((name, task) not in BY_NAME, f"protocol '{name}' has no {task}", f"use one of: {others}")
    return BY_NAME[name, task]


def precision_of(name: str) -> str:
    """The precision in which a protocol reads with a bare trunk; "auto" leaves it to the machine.

    Raises as `protocol` does.
    """
    return protocol(name, "tatoeba").precision

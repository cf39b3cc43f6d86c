"""How a trained head is read under each protocol, as data: everything a score depends on beside the weights.

    target_protocol("xtreme").settings("span", 384)["answer_text"]      "words"

                       xtreme, xtreme-r              jiant                          own
    pairs, choices     128 tokens                    256                            as the head was trained
    tagged sentences   128, two end marks, split     256, truncated: lost words     as trained, split
                       at words, joined again        leave the score, gold and all
    answers            384, windows start 128 apart, question 64, best 20 starts and ends, 30 sub-words at most (own: length as trained)
      candidates       best 20 of the whole row; a start only where its window     best 20 of the context
                       gives it the most context
      text             white-space words, trimmed    the same, and in zh the        characters of the context
                       by the reference alignment    sub-words' own text

XTREME's "doc stride" is how far a window's start advances. In all of them the first sub-word of a word carries its tag, and pairs are cut
longest first. Padding never competes with the context for the best 20, which it could in the two code bases.

Hu et al. (2020), https://arxiv.org/abs/2003.11080; Phang et al. (2020), https://arxiv.org/abs/2005.13013
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from adapter_stilts.data.tagged_features import Rows
from adapter_stilts.registry import unknown_name

AnswerText: TypeAlias = Literal["characters", "words"]
Setting: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Decoding:
    """From the logits of a context's windows to an answer.

    n_best          starts and ends considered in each window
    longest         sub-words of an answer
    whole_row       the best starts and ends are those of the whole row, question and marks included, of which the context's remain
    most_context    a token starts an answer only in the window that shows most of its surroundings
    text            "characters": the piece of the context as it stands; "words": white-space words, trimmed by alignment with the sub-words
    unaligned       languages in which "words" gives the sub-words' own text
    null_threshold  of SQuAD 2.0: the odds of "no answer" above which the answer is ""
    window_step     tokens by which a window's start advances, as the features were made
    """

    n_best: int = 20
    longest: int = 30
    whole_row: bool = False
    most_context: bool = False
    text: AnswerText = "characters"
    unaligned: tuple[str, ...] = ()
    null_threshold: float = 0.0
    window_step: int = 128


@dataclass(frozen=True)
class TargetProtocol:
    """Lengths in tokens, special tokens included; a format without one is read at the length its head was trained with."""

    name: str
    lengths: dict[str, int] = field(default_factory=dict)
    query_length: int = 64
    rows: Rows = field(default_factory=Rows)
    decoding: Decoding = field(default_factory=Decoding)

    def length(self, format: str, trained: int, most: int) -> int:
        """The length to read at; `most` is all that the trunk has positions for."""
        return min(self.lengths.get(format, trained), most)

    def settings(self, format: str, max_length: int) -> dict[str, Setting]:
        """What a score must be reported with, alike for all languages. max_length: what was read, where the trunk has no more positions."""
        used: dict[str, Setting] = {"max_length": max_length}
        if self.lengths.get(format, max_length) != max_length:
            used["protocol_max_length"] = self.lengths[format]
        match format:
            case "pair" | "single" | "choice":
                return used | {"truncation": "longest first"}
            case "tags":
                long = "truncated" if self.rows.truncate else "split"
                return used | {"long_sentences": long, "end_marks": self.rows.end_marks, "label_on": "first sub-word"}
            case "span":
                return used | self._span_settings()
            case _:
                return used

    def _span_settings(self) -> dict[str, Setting]:
        decoding = self.decoding
        used: dict[str, Setting] = {"query_length": self.query_length, "window_step": decoding.window_step, "n_best": decoding.n_best}
        used |= {"answer_length": decoding.longest, "n_best_of": "row" if decoding.whole_row else "context", "most_context": decoding.most_context}
        used |= {"answer_text": decoding.text, "null_threshold": decoding.null_threshold}
        return used | ({"unaligned": " ".join(decoding.unaligned)} if decoding.unaligned else {})


XTREME = TargetProtocol(
    "xtreme",
    {"pair": 128, "single": 128, "choice": 128, "tags": 128, "span": 384},
    rows=Rows(end_marks=2),
    decoding=Decoding(whole_row=True, most_context=True, text="words"),
)
JIANT = TargetProtocol(
    "jiant",
    {"pair": 256, "single": 256, "choice": 256, "tags": 256, "span": 384},
    rows=Rows(truncate=True),
    decoding=Decoding(whole_row=True, most_context=True, text="words", unaligned=("zh",)),
)
OWN = TargetProtocol("own")
PROTOCOLS = {one.name: one for one in (XTREME, replace(XTREME, name="xtreme-r"), JIANT, OWN)}


def target_protocol(name: str) -> TargetProtocol:
    """The protocol of that name; raises UnknownName with the nearest."""
    if name not in PROTOCOLS:
        raise unknown_name("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]

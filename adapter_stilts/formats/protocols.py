"""How a trained head is read under each protocol, as data: everything a score depends on beside the weights.

    target_protocols["xtreme"].decoding.text      "words"

                       xtreme, xtreme-r              jiant                          own
    pairs, choices     128 tokens                    256                            as the head was trained
    tagged sentences   128, two end marks, split     256, truncated: lost words     as trained, split
                       at words, joined again        leave the score, gold and all
    answers            384, windows start 128 apart, question 64, best 20 starts and ends, 30 sub-words at most (own:
                       length as trained)
      candidates       best 20 of the whole row; a start only where its window     best 20 of the context
                       gives it the most context
      text             white-space words, trimmed    the same, and in zh the        characters of the context
                       by the reference alignment    sub-words' own text

XTREME's "doc stride" is how far a window's start advances. In all of them the first sub-word of a word carries its tag,
and pairs are cut longest first. Padding never competes with the context for the best 20, which it could in the two code
bases.

Hu et al. (2020), https://arxiv.org/abs/2003.11080; Phang et al. (2020), https://arxiv.org/abs/2005.13013
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from adapter_stilts.metrics.answers import LONGEST, N_BEST
from adapter_stilts.registry import Registry

AnswerText: TypeAlias = Literal["characters", "words"]
Setting: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Decoding:
    """From the logits of a context's windows to an answer."""

    n_best: int = N_BEST  # starts and ends considered in each window
    longest: int = LONGEST  # sub-words of an answer
    whole_row: bool = False  # the best are those of the whole row, question and marks too; the context's remain
    most_context: bool = False  # a token starts an answer only in the window that shows most of its surroundings
    # "characters": the piece of the context as it stands; "words": white-space words, aligned with the sub-words
    text: AnswerText = "characters"
    unaligned: tuple[str, ...] = ()  # languages in which "words" gives the sub-words' own text
    null_threshold: float = 0.0  # of SQuAD 2.0: the odds of "no answer" above which the answer is ""
    window_step: int = 128  # tokens by which a window's start advances, as the features were made


@dataclass(frozen=True)
class TargetProtocol:
    """Lengths in tokens, special tokens included; None: what is read is as long as the head was trained with."""

    name: str
    length: int | None = None  # of texts, pairs, choices and tagged sentences
    context_length: int | None = None  # of a question with a window of its context
    query_length: int = 64
    end_marks: int = 1  # tags: `</s>` at the end of a row; XTREME's two leave a row of 128 tokens room for 125
    truncate: bool = False  # tags: keep what fits in one row, the last word perhaps in part; or go on in the next
    decoding: Decoding = field(default_factory=Decoding)


AS_SQUAD = Decoding(whole_row=True, most_context=True, text="words")
XTREME = TargetProtocol("xtreme", length=128, context_length=384, end_marks=2, decoding=AS_SQUAD)
UNALIGNED = replace(AS_SQUAD, unaligned=("zh",))
JIANT = TargetProtocol("jiant", length=256, context_length=384, truncate=True, decoding=UNALIGNED)
OWN = TargetProtocol("own")
target_protocols: Registry[TargetProtocol] = Registry("protocol")
target_protocols.add("xtreme", XTREME)
target_protocols.add("xtreme-r", replace(XTREME, name="xtreme-r"))
target_protocols.add("jiant", JIANT)
target_protocols.add("own", OWN)

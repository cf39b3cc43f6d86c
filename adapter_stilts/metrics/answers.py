"""Answers to questions: from span logits to text, and from two texts to exact match and F1.

Two normalisations are in use. SQuAD's lower-cases, deletes ASCII punctuation and English articles, and is applied to
every language by XTREME's XQuAD and TyDiQA. MLQA's deletes all punctuation of Unicode and the articles of the answer's
own language, and cuts Chinese into characters. Text is decoded by character offsets, so an answer is always a piece of
the context as it stands.

Rajpurkar et al. (2016), https://arxiv.org/abs/1606.05250; Lewis et al. (2020), https://arxiv.org/abs/1910.07475
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.registry import unknown_name

Normalise: TypeAlias = Callable[[str], str]

N_BEST = 20  # starts and ends considered in each window
LONGEST = 30  # sub-words of an answer

ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "ar": "ال",  # anywhere, also inside words: the official expression's first branch can never match
    "hi": "",
    "zh": "",
}
ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a context as the model saw it."""

    logits: NDArray[np.float32]  # [T, 2] for start and end
    offsets: Sequence[tuple[int, int]]  # each token's characters in the context, (-1, -1) outside it
    may_start: NDArray[np.bool_] | None = None  # [T] tokens that may start an answer; None: all of the context


@dataclass(frozen=True, slots=True)
class Span:
    """The best answer: its text and place in the context, its start plus end logit, and the same of "no answer"."""

    text: str
    start: int
    end: int
    score: float
    null_score: float
    tokens: tuple[int, int, int] | None = None  # its window, its first and last token; None where there is no answer

    @property
    def null_odds(self) -> float:
        """How much better "no answer" scored; above a threshold the question counts as unanswerable."""
        return self.null_score - self.score


class Answers(dict[str, str]):
    """Answer texts by question id, with the spans they came from; "" where "no answer" scored above the threshold.

    spans   by question id; empty where the texts were read from a file
    """

    def __init__(self, spans: Mapping[str, Span], null_threshold: float | None = None) -> None:
        threshold = np.inf if null_threshold is None else null_threshold
        super().__init__({id: "" if span.null_odds > threshold else span.text for id, span in spans.items()})
        self.spans = dict(spans)


def best_span(
    context: str, windows: Sequence[Window], n_best: int = N_BEST, longest: int = LONGEST, whole_row: bool = False
) -> Span:
    """The answer with the highest start plus end logit over all windows of a context.

    Only tokens of the context can start or end it, at most `longest` sub-words apart; among equals the first window,
    start and end win. whole_row: the best starts and ends are taken of the whole row, and those outside the context are
    then passed over. "No answer" is the lowest start plus end logit of `<s>` over the windows: each of them has to find
    nothing. A context without any token gives the empty answer.
    """
    null = min(float(window.logits[0].sum()) for window in windows)
    best = Span("", 0, 0, -np.inf, null)
    for number, window in enumerate(windows):
        score, first, last = _best_pair(window, n_best, longest, whole_row)
        if score > best.score:
            start, end = window.offsets[first][0], window.offsets[last][1]
            best = Span(context[start:end].strip(), start, end, score, null, (number, first, last))
    return best


def exact_match(prediction: str, answers: Sequence[str], normalise: Normalise) -> float:
    """1.0 where the normalised prediction equals one of the normalised answers."""
    guess = normalise(prediction)
    return float(any(guess == normalise(answer) for answer in answers))


def token_f1(prediction: str, answers: Sequence[str], normalise: Normalise) -> float:
    """The best F1 of shared tokens over the answers; 0 where none is shared, also for an empty prediction."""
    guess, best = Counter(normalise(prediction).split()), 0.0
    for answer in answers:
        tokens = Counter(normalise(answer).split())
        same = (guess & tokens).total()
        best = max(best, 2 * same / (guess.total() + tokens.total()) if same else 0.0)
    return best


def em_f1(answers: Sequence[str], prediction: str | None, normalise: Normalise) -> tuple[float, float]:
    if prediction is None:
        return 0.0, 0.0
    return exact_match(prediction, answers, normalise), token_f1(prediction, answers, normalise)


def squad_text(text: str) -> str:
    """SQuAD v1.1: lower case, no ASCII punctuation, no English articles, single spaces."""
    return " ".join(re.sub(ARTICLES["en"], " ", text.lower().translate(ASCII_PUNCTUATION)).split())


def mlqa_text(language: str) -> Normalise:
    """MLQA's normalisation for a language. Raises UnknownName for one that it does not define."""
    if language not in ARTICLES:
        raise unknown_name("MLQA language", language, ARTICLES, where="answer normalisation")
    articles = re.compile(ARTICLES[language]) if ARTICLES[language] else None
    cut = _characters if language == "zh" else str.split

    def normalise(text: str) -> str:
        bare = _bare(text)
        return " ".join(cut(articles.sub(" ", bare) if articles else bare))

    return normalise


def character_text(text: str) -> str:
    """For scripts without spaces: every character a token, punctuation and space left out; of no benchmark."""
    return " ".join(character for character in _bare(text) if not character.isspace())


def most_context(sizes: Sequence[int], step: int) -> list[NDArray[np.bool_]]:
    """For windows over `sizes` tokens of a context that start `step` apart: whether each of their tokens has the most
    context there.

    A token's context in a window is the smaller of its distances to both ends, and a hundredth of the window's size;
    the first window wins among equals, as in SQuAD's first scripts.
    """
    starts = np.arange(len(sizes)) * step
    tokens = np.arange(starts[-1] + sizes[-1])
    left = tokens - starts[:, None]  # [windows, tokens]
    size = np.array(sizes)[:, None]
    right = size - 1 - left
    best = np.where((left >= 0) & (right >= 0), np.minimum(left, right) + 0.01 * size, -np.inf).argmax(axis=0)
    ends = (starts + sizes).tolist()
    return [best[start:end] == number for number, (start, end) in enumerate(zip(starts, ends, strict=True))]


def _best_pair(window: Window, n_best: int, longest: int, whole_row: bool) -> tuple[float, int, int]:
    """(score, first token, last token) of a window's best span; -inf where none is possible."""
    inside = np.array([start >= 0 for start, _ in window.offsets], dtype=np.bool_)
    of = np.arange(len(inside)) if whole_row else np.flatnonzero(inside)
    starts, ends = (np.sort(of[np.argsort(-window.logits[of, side], kind="stable")[:n_best]]) for side in (0, 1))
    may_start = inside if window.may_start is None else inside & window.may_start
    starts, ends = starts[may_start[starts]], ends[inside[ends]]
    if not len(starts) or not len(ends):
        return -np.inf, 0, 0
    scores = window.logits[starts, 0].astype(np.float64)[:, None] + window.logits[ends, 1].astype(np.float64)
    width = ends - starts[:, None]
    scores[(width < 0) | (width >= longest)] = -np.inf
    place = np.unravel_index(int(scores.argmax()), scores.shape)
    return float(scores[place]), int(starts[place[0]]), int(ends[place[1]])


def _characters(text: str) -> list[str]:
    """White-space tokens, but every Chinese character (U+4E00 to U+9FA5) on its own."""
    return re.sub("([\u4e00-\u9fa5])", r" \1 ", text).split()


def _bare(text: str) -> str:
    return "".join(character for character in text.lower() if not is_punctuation(character))


def is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")

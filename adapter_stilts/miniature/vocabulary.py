"""A vocabulary from text: a unigram tokenizer with XLM-R's special tokens, normalisation and templates.

<s> <pad> </s> <unk> pieces ... <mask>        <s> a </s>        <s> a </s></s> b </s>
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import write_text
from adapter_stilts.seeding import Seeds

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"
LONGEST_PIECE = 16  # characters
SENTENCES = 400_000  # read at most; more change the pieces little and cost minutes
STEP = 1e-4  # by which the trainer lets the scores of unneeded characters fall
DECIMALS = 6  # of a piece's log probability
BREAK = "\ue000"  # marks a boundary of words while learning; a private character that no text has
KANA, KATAKANA, KANJI = "\u3041-\u309f", "\u30a0-\u30ff", "\u4e00-\u9fff"
MARKS = r".,:;!?()\[\]{}\u060c\u061f\u0964\u3001\u3002"
BETWEEN = re.compile(
    rf"(?<=[{KANA}])(?=[{KATAKANA}{KANJI}])|(?<=[{KATAKANA}])(?=[{KANA}])"
    rf"|(?<=[^\s{MARKS}])(?=[{MARKS}])|(?<=[{MARKS}])(?=[^\s])"
)
EVENNESS = 0.5  # languages are read in proportion to (their texts) ** this, so that small ones get pieces too


def train_tokenizer(texts: Mapping[str, Sequence[str]], folder: Path, vocabulary: int, seed: int) -> None:
    """Write folder/tokenizer.json with at most `vocabulary` tokens, special ones included, from texts by language.

    While learning, a piece holds no punctuation beside letters, and in Japanese does not run from particles into the
    next word, as SentencePiece splits by script; the tokenizer itself splits at blanks alone, as XLM-R's does. Fewer
    tokens come out where the texts do not hold as many pieces. Kudo (2018), https://arxiv.org/abs/1804.10959
    """
    tokenizer = Tokenizer(models.Unigram())
    one_blank = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), one_blank])
    blanks = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([blanks, pre_tokenizers.Split(BREAK, "removed")])
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary - 1,
        special_tokens=list(SPECIAL),
        unk_token="<unk>",
        max_piece_length=LONGEST_PIECE,
        show_progress=False,
    )
    sample = [BETWEEN.sub(BREAK, unicodedata.normalize("NFKC", text)) for text in _evened(texts, seed)]
    if not sample:
        raise TaskDataError("there is no text to make a vocabulary of", do="give texts")
    # every word once more, before a full stop: a piece must occur in two different words for the trainer to see it
    words = dict.fromkeys(word for text in sample for word in text.replace(BREAK, " ").split())
    tokenizer.train_from_iterator([*sample, *(f"{word}." for word in words)], trainer)
    tokenizer.pre_tokenizer = blanks
    tokenizer.add_special_tokens([AddedToken(MASK, lstrip=True, special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")],
    )
    document = _settled(json.loads(tokenizer.to_str()))
    write_text(folder / "tokenizer.json", json.dumps(document, ensure_ascii=False, indent=1))


def _settled(document: dict[str, Any]) -> dict[str, Any]:
    """The same vocabulary whatever order the trainer's hash maps had.

    Scores differ in their last bits from run to run, so they are rounded. The characters that no piece needed come
    last, their scores falling by STEP in any order, so they are put in the order of their code points.
    """
    pieces = [(piece, round(score, DECIMALS)) for piece, score in document["model"]["vocab"]]
    learned = sorted(pieces[len(SPECIAL) :], key=_falling)
    places = _unneeded(learned)
    for place, character in zip(places, sorted((learned[place][0] for place in places), reverse=True), strict=True):
        learned[place] = (character, learned[place][1])
    document["model"]["vocab"] = [*pieces[: len(SPECIAL)], *sorted(learned, key=_falling)]
    return document


def _falling(piece: tuple[str, float]) -> tuple[float, str]:
    return -piece[1], piece[0]


def _unneeded(learned: Sequence[tuple[str, float]]) -> list[int]:
    """Where the characters stand that no piece needed, last first: single ones in an unbroken fall of scores."""
    places: list[int] = []
    for place in reversed(range(len(learned))):
        piece, score = learned[place]
        if len(piece) > 1:
            continue
        if places and score - learned[places[-1]][1] > 1.5 * STEP:
            break
        places.append(place)
    return places


def _evened(texts: Mapping[str, Sequence[str]], seed: int) -> Iterable[str]:
    """Texts of all languages, the large ones thinned out."""
    weights = {language: len(rows) ** EVENNESS for language, rows in texts.items() if rows}
    for language, weight in sorted(weights.items()):
        rows = texts[language]
        share = round(SENTENCES * weight / sum(weights.values()))
        yield from rows if share >= len(rows) else Seeds(seed).python(f"vocabulary/{language}").sample(rows, share)

"""A vocabulary from text: a unigram tokenizer with XLM-R's special tokens, normalisation and templates.

    <s> <pad> </s> <unk> pieces ... <mask>        <s> a </s>        <s> a </s></s> b </s>
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
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
DECIMALS = 6  # of a piece's log probability
EVENNESS = 0.5  # languages are read in proportion to (their texts) ** this, so that small ones get pieces too


def train_tokenizer(texts: Mapping[str, Sequence[str]], folder: Path, vocabulary: int, seed: int) -> None:
    """Write folder/tokenizer.json with at most `vocabulary` tokens, special ones included, from texts by language.

    Kudo (2018), https://arxiv.org/abs/1804.10959; fewer tokens come out where the texts do not hold as many pieces.
    """
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary - 1, special_tokens=list(SPECIAL), unk_token="<unk>", max_piece_length=LONGEST_PIECE, show_progress=False
    )
    sample = list(_evened(texts, seed))
    if not sample:
        raise TaskDataError("there is no text to make a vocabulary of", do="give texts")
    tokenizer.train_from_iterator(sample, trainer)
    tokenizer.add_special_tokens([AddedToken(MASK, lstrip=True, special=True)])
    ids = [("<s>", tokenizer.token_to_id("<s>")), ("</s>", tokenizer.token_to_id("</s>"))]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ids)
    write_text(folder / "tokenizer.json", json.dumps(_settled(json.loads(tokenizer.to_str())), ensure_ascii=False, indent=1))


def _settled(document: dict[str, Any]) -> dict[str, Any]:
    """The same vocabulary whatever order the trainer's hash maps had: scores differ in their last bits from run to run, so they are rounded;

    and the characters that no piece needed come last, with falling scores, in any order, so they are put in the order of their code points.
    """
    pieces = [(piece, round(score, DECIMALS)) for piece, score in document["model"]["vocab"]]
    learned = sorted(pieces[len(SPECIAL) :], key=lambda piece: (-piece[1], piece[0]))
    tail = len(learned) - sum(1 for _ in takewhile(lambda piece: len(piece[0]) == 1, reversed(learned)))
    characters = sorted(piece for piece, _ in learned[tail:])
    last = [(piece, score) for piece, (_, score) in zip(characters, learned[tail:], strict=True)]
    return {**document, "model": {**document["model"], "vocab": [*pieces[: len(SPECIAL)], *learned[:tail], *last]}}


def _evened(texts: Mapping[str, Sequence[str]], seed: int) -> Iterable[str]:
    """Texts of all languages, the large ones thinned out."""
    weights = {language: len(rows) ** EVENNESS for language, rows in texts.items() if rows}
    for language, weight in sorted(weights.items()):
        rows = texts[language]
        share = round(SENTENCES * weight / sum(weights.values()))
        yield from rows if share >= len(rows) else Seeds(seed).python(f"vocabulary/{language}").sample(rows, share)

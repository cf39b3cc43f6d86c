"""Text for masked language modelling: documents, questions with answers, replies, translations, mixed language, and a little code.

Over half of a language's rows are translation pairs, two thirds of them with English. Other pairs are a sentence and a reply to it, or a
question and its answer, so that two segments that belong together occur outside translations too; documents (documents.py) put several
such sentences in a row, and a few sentences mix two languages. Meanings are those of the split; unlike the tasks, pretraining text may
use held-out words, as the text of any pretrained model does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from adapter_stilts.formats.text import PlainText
from adapter_stilts.miniature import code, world
from adapter_stilts.miniature.documents import document, reply, switched, written
from adapter_stilts.miniature.grammar import text_of
from adapter_stilts.miniature.languages import LANGUAGES, grammar
from adapter_stilts.miniature.pairs import any_sentence
from adapter_stilts.miniature.questions import choices, questions
from adapter_stilts.miniature.rendering import text
from adapter_stilts.miniature.rows import Told
from adapter_stilts.miniature.sampling import Sampler, named_seed

KINDS = {"translation": 0.54, "document": 0.2, "switched": 0.06, "answer": 0.05, "reply": 0.15}
CODE_SHARE = 0.15
SPECIALIST_SHARE = 0.12
WITH_ENGLISH = 0.66


def texts(split: str, language: str) -> Iterator[PlainText]:
    """Rows of one language, for ever."""
    rng = random.Random(named_seed(f"text/{split}/{language}"))
    index = 0
    while True:
        domain = world.GENERAL if rng.random() > SPECIALIST_SHARE else rng.choice((world.MEDICAL, world.LEGAL))
        sampler = Sampler(rng, split, domain, everything=True)
        is_code = language == "en" and rng.random() < CODE_SHARE
        yield PlainText(f"mlm-{split}-{language}-{index}", *(programs(rng, split) if is_code else passage(sampler, language)))
        index += 1


def passage(sampler: Sampler, language: str) -> tuple[str, str | None]:
    """One row in natural language and its pair, if it has one."""
    kind = sampler.rng.choices(list(KINDS), list(KINDS.values()))[0]
    if kind == "translation":
        return translation(sampler, language)
    if kind == "document":
        return written(document(sampler), language), None
    if kind == "switched":
        return switched(sampler, language), None
    if kind == "answer":
        return answered(sampler, language)
    return replied(sampler, language)


def translation(sampler: Sampler, language: str) -> tuple[str, str]:
    """A sentence, sometimes two, and the same in another language."""
    rng = sampler.rng
    other = "en" if rng.random() < WITH_ENGLISH and language != "en" else rng.choice([code for code in LANGUAGES if code != language])
    meanings = [any_sentence(sampler) for _ in range(rng.choice((1, 1, 1, 2)))]
    return text([Told(meaning, sampler.style()) for meaning in meanings], language), text([Told(meaning, sampler.style()) for meaning in meanings], other)


def answered(sampler: Sampler, language: str) -> tuple[str, str]:
    """A question and its answer as a whole sentence, or an event and what came of it."""
    general = replace(sampler, domain=world.GENERAL)
    if sampler.rng.random() < 0.4:
        row = next(choices(general))
        joint = " " if grammar(language).blank else ""
        return text([row.prompt], language) + joint + grammar(language).phrase(row.kind), text([row.choices[row.label]], language)
    asked = next(questions(general))
    return text_of(grammar(language).question(asked.clause, asked.slot, asked.style)), text([asked.context[asked.answer]], language)


def replied(sampler: Sampler, language: str) -> tuple[str, str]:
    """A sentence and a reply to it."""
    meaning = any_sentence(sampler)
    return text([Told(meaning, sampler.style())], language), written([reply(sampler, meaning)], language)


def programs(rng: random.Random, split: str) -> tuple[str, str]:
    """A program with its description or another program of the same meaning."""
    while True:
        first, second, label = next(code.pairs(rng, split, described=rng.random() < 0.5))
        if label == "1":
            return first, second

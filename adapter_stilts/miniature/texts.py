"""Text for masked language modelling: stories, questions with answers, restatements, translations, and a little code.

Half of a language's rows are translation pairs, two thirds of them with English. Other pairs say the same again in the same language,
or a part of it, so that two segments that belong together occur outside translations too. Meanings are those of the split; unlike the
tasks, pretraining text may use held-out words, as the text of any pretrained model does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from adapter_stilts.data.examples import PlainText
from adapter_stilts.miniature import code, world
from adapter_stilts.miniature.causes import sample_cause
from adapter_stilts.miniature.grammar import text_of
from adapter_stilts.miniature.languages import LANGUAGES, grammar
from adapter_stilts.miniature.pairs import any_sentence
from adapter_stilts.miniature.questions import choices, questions
from adapter_stilts.miniature.rendering import text
from adapter_stilts.miniature.rows import Told
from adapter_stilts.miniature.sampling import EVENTS, Sampler, named_seed, optional_facts, without
from adapter_stilts.miniature.world import Sentence

KINDS = {"translation": 0.5, "story": 0.16, "answer": 0.14, "again": 0.2}
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
    if kind == "story":
        return text(story(sampler), language), None
    if kind == "answer":
        return answered(sampler, language)
    return again(sampler, language)


def translation(sampler: Sampler, language: str) -> tuple[str, str]:
    """A sentence, sometimes two, and the same in another language."""
    rng = sampler.rng
    other = "en" if rng.random() < WITH_ENGLISH and language != "en" else rng.choice([code for code in LANGUAGES if code != language])
    meanings = [any_sentence(sampler) for _ in range(rng.choice((1, 1, 1, 2)))]
    return text([Told(meaning, sampler.style()) for meaning in meanings], language), text([Told(meaning, sampler.style()) for meaning in meanings], other)


def story(sampler: Sampler) -> list[Told]:
    """An effect after its cause, or two events of one person, and something else."""
    if sampler.domain is world.GENERAL and sampler.rng.random() < 0.5:
        pair = sample_cause(sampler)
        meanings = [Sentence(pair.cause), Sentence(pair.effect)]
    else:
        first = sampler.clause(EVENTS if sampler.domain is world.GENERAL else sampler.domain.verbs)
        meanings = [Sentence(first), any_sentence(sampler)]
    return [Told(meaning, sampler.style()) for meaning in meanings]


def answered(sampler: Sampler, language: str) -> tuple[str, str]:
    """A question and its answer as a whole sentence, or an event and what came of it."""
    general = replace(sampler, domain=world.GENERAL)
    if sampler.rng.random() < 0.4:
        row = next(choices(general))
        joint = " " if grammar(language).blank else ""
        return text([row.prompt], language) + joint + grammar(language).phrase(row.kind), text([row.choices[row.label]], language)
    asked = next(questions(general))
    return text_of(grammar(language).question(asked.clause, asked.slot, asked.style)), text([asked.context[asked.answer]], language)


def again(sampler: Sampler, language: str) -> tuple[str, str]:
    """A sentence and the same, or less of it, in other words."""
    meaning = any_sentence(sampler)
    shorter = meaning
    if meaning.second is None:
        facts = [fact for fact in optional_facts(meaning.first) if sampler.rng.random() < 0.5]
        shorter = Sentence(without(meaning.first, *facts))
    elif sampler.rng.random() < 0.5:
        shorter = Sentence(sampler.rng.choice(meaning.clauses))
    pair = [Told(meaning, sampler.style()), Told(shorter, sampler.style())]
    sampler.rng.shuffle(pair)
    return text(pair[:1], language), text(pair[1:], language)


def programs(rng: random.Random, split: str) -> tuple[str, str]:
    """A program with its description or another program of the same meaning."""
    while True:
        first, second, label = next(code.pairs(rng, split, described=rng.random() < 0.5))
        if label == "1":
            return first, second

"""Documents whose sentences have to do with each other, say nothing of another split, and mark replies truthfully."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from adapter_stilts.miniature import world
from adapter_stilts.miniature.grammar import Style, Styled, text_of
from adapter_stilts.miniature.languages import LANGUAGES, grammar
from adapter_stilts.miniature.pairs import converse
from adapter_stilts.miniature.sampling import EVENTS, Sampler, split_of
from adapter_stilts.miniature.texts import (
    Part,
    document,
    less,
    mixed,
    more,
    otherwise,
    phrases,
    reply,
    switched,
    written,
)
from adapter_stilts.miniature.world import HELD_OUT, KIND_OF, Clause, Sentence, Thing

BOUGHT = Clause("buy", "anna", Thing("book", modifier="red"), place="market", time="monday")
FACTS = ("place", "time", "modifier", "count")


def sampler(split: str = "train", seed: int = 1) -> Sampler:
    return Sampler(random.Random(seed), split, everything=True)


def facts(clause: Clause) -> dict[str, str]:
    return {fact: getattr(clause, fact) for fact in FACTS if getattr(clause, fact)}


def core(clause: Clause) -> tuple[object, ...]:
    return clause.verb, clause.agent, clause.partner, clause.noun, clause.negated


def test_writes_openers_questions_and_sentences() -> None:
    plain = Styled(Sentence(BOUGHT), Style())
    green = Styled(Sentence(replace(BOUGHT, thing=Thing("book", modifier="green"), place="", time="")), Style())
    parts = [Part(plain), Part(green, "deny"), Part(plain, asked="place"), Part(plain, "agree")]
    assert written(parts[:2], "en") == "Anna bought a red book at the market on Monday. No: Anna bought a green book."
    assert (
        written(parts[:2], "de")
        == "Anna kaufte am Montag ein rotes Buch auf dem Markt. Nein: Anna kaufte ein grünes Buch."
    )
    assert (
        written(parts[2:], "en")
        == "Where did Anna buy a red book on Monday? Yes: Anna bought a red book at the market on Monday."
    )
    assert written(parts[1:2], "ja").startswith("いいえ:アンナ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_opens_replies_with_three_different_words(language: str) -> None:
    assert len({grammar(language).phrase(kind) for kind in ("agree", "deny", "add")}) == 3


def test_agrees_with_nothing_that_was_not_said() -> None:
    source = sampler()
    for _ in range(300):
        clause = source.clause(EVENTS)
        said = less(source, clause)
        assert facts(said).items() <= facts(clause).items()
        if clause.negated:
            assert said == clause  # that there was no red book does not say that there was none
        elif said.verb == "get" != clause.verb:
            assert core(converse(clause))[:3] == core(said)[:3]
        else:
            given, noun = clause.thing, said.thing and said.thing.noun
            assert core(replace(said, thing=given)) == core(clause)
            assert given is None or noun in (given.noun, KIND_OF.get(given.noun))


def test_denies_by_something_that_was_said() -> None:
    source = sampler()
    seen = set()
    for _ in range(500):
        clause = source.clause(EVENTS)
        said = otherwise(source, clause)
        assert said is not None
        differing = {name for name, value in facts(said).items() if facts(clause).get(name) != value}
        parts = [index for index, (new, old) in enumerate(zip(core(said), core(clause), strict=True)) if new != old]
        assert len(differing) + len(parts) >= 1
        assert differing <= facts(clause).keys() or parts  # a fact that the first speaker left open contradicts nothing
        seen |= differing | set(parts)
    assert {"place", "time", "modifier", 0, 3, 4} <= seen


def test_adds_a_fact_and_keeps_the_others() -> None:
    source = sampler()
    pairs = [(clause, more(source, clause)) for clause in (source.clause(EVENTS) for _ in range(300))]
    assert sum(said is not None for _, said in pairs) > 100
    for clause, said in pairs:
        if said is not None:
            assert core(said) == core(clause)
            assert facts(clause).items() < facts(said).items()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_tells_no_event_of_another_split(split: str) -> None:
    source = sampler(split)
    for _ in range(300):
        for part in document(source):
            assert {split_of(clause) for clause in part.sentence.meaning.clauses} <= {"", split}


def test_tells_documents_of_several_sentences_with_every_opener() -> None:
    source = sampler()
    documents = [document(source) for _ in range(200)]
    assert {len(parts) for parts in documents} >= {3, 4, 5}
    parts = [part for parts in documents for part in parts]
    assert {part.opener for part in parts} == {"", "agree", "deny", "add"}
    assert any(part.asked for part in parts)
    assert any(world.FRAMES[part.sentence.meaning.first.verb] == "feel" for part in parts)


def test_denies_aloud() -> None:
    """A text that takes back what it said without a word of warning would teach nothing."""
    source = sampler()
    for _ in range(200):
        meaning = Sentence(replace(source.clause(["buy", "find", "lose"]), negated=False))
        part = reply(source, meaning)
        if part.sentence.meaning.first.negated:
            assert part.opener == "deny"


def test_takes_whole_phrases_from_the_other_language() -> None:
    english, german = (grammar(code).sentence(Sentence(BOUGHT), Style()) for code in ("en", "de"))
    assert {"agent", "thing", "place", "time"} <= phrases(english).keys()
    mixtures = {text_of(mixed(sampler(seed=seed), english, german)) for seed in range(60)}
    assert "Anna bought ein rotes Buch at the market on Monday." in mixtures
    assert "Anna bought a red book auf dem Markt am Montag." in mixtures
    assert all(text.startswith("Anna bought") and text.endswith(".") for text in mixtures)


@pytest.mark.parametrize("language", LANGUAGES)
def test_mixes_languages_in_some_sentences(language: str) -> None:
    source = sampler()
    assert len({switched(source, language) for _ in range(20)}) == 20


def test_uses_held_out_words_as_pretraining_text_may() -> None:
    source = sampler()
    used = {
        name
        for _ in range(200)
        for part in document(source)
        for clause in part.sentence.meaning.clauses
        for name in world.concepts(clause)
    }
    assert used & HELD_OUT

"""Text for masked language modelling: documents, answers, replies, translations, mixed language, and a little code.

    Anna bought a red book at the market. Yes: On Monday Anna purchased a book. No: Anna bought a green book.

Over half of a language's rows are translation pairs, two thirds of them with English. Other pairs are a sentence and a
reply to it, or a question and its answer, so that two segments that belong together occur outside translations too; a
few sentences mix two languages. Each sentence of a document has to do with one before it. It says the same or less in
other words, corrects a fact, says more, tells what came of it or what the same person did besides, or answers a
question. Most replies open with a word that says which ("Yes", "No", "Also"), as replies do; so the trunk has reason to
compare sentences, which intermediate tasks then build on. Meanings are those of the split; unlike the tasks,
pretraining text may use held-out words, as any pretrained model's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from adapter_stilts.formats.text import PlainText
from adapter_stilts.miniature import code, world
from adapter_stilts.miniature.causes import sample_cause
from adapter_stilts.miniature.grammar import Styled, Word, Words, text_of
from adapter_stilts.miniature.languages import LANGUAGES, grammar
from adapter_stilts.miniature.pairs import contradict, converse, opposed
from adapter_stilts.miniature.questions import ASKABLE, choices, questions
from adapter_stilts.miniature.rendering import prompt_text, question_text, text, words_of
from adapter_stilts.miniature.sampling import EVENTS, PLAIN_FRAMES, Sampler, optional_facts, settled, stream, without
from adapter_stilts.miniature.sentences import any_sentence
from adapter_stilts.miniature.world import Clause, Sentence, Thing

CODE_SHARE = 0.15  # of the English rows
SPECIALIST_SHARE = 0.12
WITH_ENGLISH = 0.66  # of the translations
OPENED = 0.6  # of the replies open with a word of their own; those that deny always do
NEXT = {"reply": 0.65, "question": 0.12, "other": 0.23}
LENGTHS = (2, 3, 3, 4)  # sentences after the first
UNASKED = (*PLAIN_FRAMES, "locate", "exist")  # questions are about events that took place
CAUSES = 0.3  # of the documents open with a cause and its effect


@dataclass(frozen=True, slots=True)
class Part:
    """One sentence of a document: the word that opens it ("agree", "deny", "add" or none), or the slot it asks for."""

    sentence: Styled
    opener: str = ""
    asked: str = ""


def texts(split: str, language: str) -> Iterator[PlainText]:
    """Rows of one language, for ever."""
    rng = stream(f"text/{split}/{language}")
    passage: tuple[str, str | None]
    for number in count():
        domain = world.GENERAL if rng.random() > SPECIALIST_SHARE else rng.choice((world.MEDICAL, world.LEGAL))
        if language == "en" and rng.random() < CODE_SHARE:
            passage = programs(rng, split)
        else:
            sampler = Sampler(rng, split, domain, everything=True)
            kind = rng.choices(list(PASSAGES), [share for share, _ in PASSAGES.values()])[0]
            passage = PASSAGES[kind][1](sampler, language)
        yield PlainText(f"mlm-{split}-{language}-{number}", *passage)


def programs(rng: random.Random, split: str) -> tuple[str, str]:
    """A program with its description or another program of the same meaning."""
    while True:
        first, second, label = next(code.pairs(rng, split, described=rng.random() < 0.5))
        if label == "1":
            return first, second


def translation(sampler: Sampler, language: str) -> tuple[str, str]:
    rng = sampler.rng
    other = "en" if rng.random() < WITH_ENGLISH and language != "en" else _other_language(rng, language)
    meanings = [any_sentence(sampler) for _ in range(rng.choice((1, 1, 1, 2)))]
    mine, theirs = (text([sampler.styled(meaning) for meaning in meanings], code) for code in (language, other))
    return mine, theirs


def answered(sampler: Sampler, language: str) -> tuple[str, str]:
    """A question and its answer as a whole sentence, or an event and what came of it."""
    general = replace(sampler, domain=world.GENERAL)
    if sampler.rng.random() < 0.4:
        caused = next(choices(general))
        return prompt_text(caused, language), text([caused.choices[caused.label]], language)
    asked = next(questions(general))
    return question_text(asked, language), text([asked.context[asked.answer]], language)


def replied(sampler: Sampler, language: str) -> tuple[str, str]:
    meaning = any_sentence(sampler)
    return text([sampler.styled(meaning)], language), written([reply(sampler, meaning)], language)


def _other_language(rng: random.Random, language: str) -> str:
    return rng.choice([code for code in LANGUAGES if code != language])


# -- documents


def written(parts: Sequence[Part], language: str) -> str:
    speech = grammar(language)
    passages = []
    for part in parts:
        meaning, style = part.sentence.meaning, part.sentence.style
        words = speech.question(meaning.first, part.asked, style) if part.asked else speech.sentence(meaning, style)
        passages.append((f"{speech.phrase(part.opener)}:{speech.blank}" if part.opener else "") + text_of(words))
    return speech.blank.join(passages)


def document(sampler: Sampler) -> list[Part]:
    """Three to seven sentences about an event and what has to do with it."""
    rng = sampler.rng
    if sampler.domain is world.GENERAL and rng.random() < CAUSES:
        pair = sample_cause(sampler)
        known = [Sentence(pair.cause), Sentence(pair.effect)]
    else:
        known = [any_sentence(sampler)]
    parts = [Part(sampler.styled(meaning)) for meaning in known]
    for _ in range(rng.choice(LENGTHS)):
        about = rng.choice(known)
        kind = rng.choices(list(NEXT), list(NEXT.values()))[0]
        if kind == "reply":
            parts.append(reply(sampler, about))
            known = [*(meaning for meaning in known if meaning != about), parts[-1].sentence.meaning]
        elif kind == "question" and not about.first.negated and about.first.frame not in UNASKED:
            parts += question(sampler, about.first)
        else:
            known = [*known, another(sampler, about)]
            parts.append(Part(sampler.styled(known[-1])))
    return parts


def another(sampler: Sampler, about: Sentence) -> Sentence:
    """What the same person did as well, or anything else."""
    agent = about.first.agent
    if agent and sampler.rng.random() < 0.75:
        return Sentence(sampler.clause(EVENTS if sampler.domain is world.GENERAL else sampler.domain.verbs, agent))
    return any_sentence(sampler)


def question(sampler: Sampler, clause: Clause) -> list[Part]:
    """A question for one part of what was said, and its answer as a sentence."""
    rng = sampler.rng
    slot = rng.choice([slot for slot in ASKABLE if getattr(clause, slot)])
    unsaid = [fact for fact in optional_facts(clause) if fact != slot and rng.random() < 0.5]
    asked = Sentence(without(clause, *unsaid))
    return [Part(Styled(asked, sampler.plain_style()), asked=slot), Part(sampler.styled(asked))]


# -- replies


def reply(sampler: Sampler, meaning: Sentence) -> Part:
    """Something about one clause of what was said: that it is so, that it is otherwise, or more of it."""
    rng = sampler.rng
    while True:
        kind = rng.choices(list(REPLIES), [share for share, _ in REPLIES.values()])[0]
        said = REPLIES[kind][1](sampler, rng.choice(meaning.clauses))
        if said is not None and sampler.allows(said):
            opened = kind == "deny" or rng.random() < OPENED
            return Part(sampler.styled(Sentence(said)), kind if opened else "")


def less(sampler: Sampler, clause: Clause) -> Clause:
    """What follows: the same with fewer facts, from the other side, or of a kind of thing; all of it if denied."""
    if clause.negated:
        return clause
    shorter = without(clause, *(fact for fact in optional_facts(clause) if sampler.rng.random() < 0.5))
    plain = not (shorter.modifier or shorter.count)
    if shorter.noun in world.KIND_OF and plain and sampler.rng.random() < 0.3:
        return replace(shorter, thing=Thing(world.KIND_OF[shorter.noun]))
    if clause.verb in ("give", "send") and sampler.rng.random() < 0.3:
        return converse(shorter)
    return shorter


def otherwise(sampler: Sampler, clause: Clause) -> Clause | None:
    """What cannot be true as well, with no more facts than were said; None where there is nothing to change."""
    if clause.frame in ("exist", "weather"):
        return None
    if clause.frame in (*PLAIN_FRAMES, "locate"):
        return settled(opposed(sampler, clause))
    if clause.negated:
        return replace(clause, negated=False)
    shorter = without(clause, *(fact for fact in optional_facts(clause) if sampler.rng.random() < 0.35))
    if clause.frame == "move" or sampler.rng.random() < 0.25:
        return sampler.changed(shorter, "agent" if clause.agent and sampler.rng.random() < 0.5 else "negated")
    return contradict(sampler, shorter, optional_facts(shorter))


def more(sampler: Sampler, clause: Clause) -> Clause | None:
    """The same with a fact that was not said; None where there is no room for one."""
    fuller = sampler.draw(clause.verb, clause.agent, clause.noun)
    thing = clause.thing if clause.modifier or clause.count else fuller.thing
    added = settled(replace(clause, thing=thing, place=clause.place or fuller.place, time=clause.time or fuller.time))
    return None if added == clause or clause.negated else added


# -- mixed language


def switched(sampler: Sampler, language: str) -> str:
    """A sentence with some phrases in another language, as people who speak both write."""
    other = _other_language(sampler.rng, language)
    sentence = sampler.styled(any_sentence(sampler))
    return text_of(mixed(sampler, words_of(sentence, language), words_of(sentence, other)))


def mixed(sampler: Sampler, words: Words, others: Words) -> Words:
    """The words with half of the phrases that both versions have in one piece taken from the other one."""
    mine, theirs = phrases(words), phrases(others)
    roles = [role for role in sorted({*mine} & {*theirs}) if role not in ("", "verb") and sampler.rng.random() < 0.5]
    starts = {mine[role].start: role for role in roles}
    replaced = {place for role in roles for place in mine[role]}
    mixture: list[Word] = []
    for place, word in enumerate(words):
        if place in starts:
            phrase = [others[index] for index in theirs[starts[place]]]
            mixture += [replace(phrase[0], space=word.space), *phrase[1:]]
        elif place not in replaced:
            mixture.append(word)
    return tuple(mixture)


def phrases(words: Words) -> dict[str, range]:
    """Where each slot's words stand, for slots whose words stand together."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word.role, []).append(place)
    spans = {role: range(slots[0], slots[-1] + 1) for role, slots in places.items()}
    return {role: span for role, span in spans.items() if len(span) == len(places[role])}


# kinds and their shares of the rows, and of the replies
PASSAGES: Mapping[str, tuple[float, Callable[[Sampler, str], tuple[str, str | None]]]] = {
    "translation": (0.54, translation),
    "document": (0.2, lambda sampler, language: (written(document(sampler), language), None)),
    "switched": (0.06, lambda sampler, language: (switched(sampler, language), None)),
    "answer": (0.05, answered),
    "reply": (0.15, replied),
}
REPLIES: Mapping[str, tuple[float, Callable[[Sampler, Clause], Clause | None]]] = {
    "agree": (0.36, less),
    "deny": (0.36, otherwise),
    "add": (0.28, more),
}

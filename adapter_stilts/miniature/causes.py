"""What causes what in the miniature's world: tired people sleep, broken things are repaired, rain makes wet.

Rules are data. `agent` or `thing` says what effect and cause share; "-" before a verb negates it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapter_stilts.miniature.sampling import Sampler, settled
from adapter_stilts.miniature.world import FRAMES, Clause, Sentence, Thing

# effect, cause, what they share
RULES: tuple[tuple[str, str, str], ...] = (
    ("sleep", "tired", "agent"),
    ("rest", "tired", "agent"),
    ("eat", "hungry", "agent"),
    ("go", "sick", "agent"),
    ("sing", "happy", "agent"),
    ("dance", "happy", "agent"),
    ("laugh", "happy", "agent"),
    ("cry", "sad", "agent"),
    ("break", "angry", "agent"),
    ("tired", "work", "agent"),
    ("happy", "find", "agent"),
    ("happy", "get", "agent"),
    ("sad", "lose", "agent"),
    ("repair", "broken", "thing"),
    ("wash", "dirty", "thing"),
    ("choose", "beautiful", "thing"),
    ("buy", "cheap", "thing"),
    ("-buy", "expensive", "thing"),
    ("-carry", "heavy", "thing"),
    ("clean", "wash", "thing"),
    ("broken", "break", "thing"),
    ("wet", "rain", ""),
    ("wet", "snow", ""),
)
# other causes that would do as well, so that a wrong choice is wrong: effect verb -> cause verbs
ALSO: dict[str, tuple[str, ...]] = {
    "sad": ("angry", "sick", "break", "hungry"),
    "cry": ("lose", "sick", "angry", "hungry", "tired"),
    "rest": ("sick", "work"),
    "sleep": ("work", "sick"),
    "go": ("tired",),
    **dict.fromkeys(("laugh", "sing", "dance"), ("find", "get")),
    "buy": ("beautiful", "hungry"),
    "choose": ("cheap", "clean", "expensive"),
    "eat": ("beautiful", "clean", "cheap"),
    "tired": ("wash", "sick"),
    "wash": ("wet",),
    "angry": ("lose", "break"),
    "-buy": ("broken", "dirty", "heavy"),
    "-carry": ("broken", "dirty", "wet", "tired"),
    "happy": ("wash",),
    "clean": ("rain",),
}


@dataclass(frozen=True, slots=True)
class Cause:
    """An effect and its cause."""

    effect: Clause
    cause: Clause


def sample_cause(sampler: Sampler) -> Cause:
    """A cause and an effect, both of the sampler's split."""
    while True:
        effect_verb, cause_verb, share = sampler.rng.choice(RULES)
        found = build(sampler, effect_verb, cause_verb, share)
        if found is not None and sampler.holds(Sentence(found.effect, "because", found.cause)):
            return found


def build(sampler: Sampler, effect_verb: str, cause_verb: str, share: str) -> Cause | None:
    effect = affirmed(sampler.draw(effect_verb.lstrip("-")), effect_verb)
    if effect_verb == "go":
        effect = replace(effect, place="hospital")
    if effect_verb == "wet" and effect.thing:
        effect = replace(effect, thing=Thing(effect.thing.noun))
    noun = effect.thing.noun if share == "thing" and effect.thing else ""
    if noun and noun not in sampler.nouns(cause_verb):
        return None
    cause = affirmed(sampler.draw(cause_verb, effect.agent if share == "agent" else "", noun), cause_verb)
    if FRAMES[cause_verb] in ("feel", "be"):
        cause = replace(cause, thing=Thing(noun) if noun else cause.thing)
    return Cause(effect, replace(cause, time="", place="") if FRAMES[cause_verb] != "move" else cause)


def affirmed(clause: Clause, verb: str) -> Clause:
    return settled(replace(clause, negated=verb.startswith("-")))


def verb_of(clause: Clause) -> str:
    return f"-{clause.verb}" if clause.negated else clause.verb


def plausible(effect: Clause, cause: Clause) -> bool:
    """Whether the cause could have brought about the effect."""
    pair = verb_of(effect), verb_of(cause)
    return any(pair == rule[:2] for rule in RULES) or pair[1] in ALSO.get(pair[0], ()) or effect.verb == cause.verb

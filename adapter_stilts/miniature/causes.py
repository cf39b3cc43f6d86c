"""What causes what in the miniature's world: tired people sleep, broken things are repaired, rain makes wet.

Rules are data: "effect/cause" by what the two share, the agent, the thing or nothing; "-" before a verb negates it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapter_stilts.data.columns import words
from adapter_stilts.miniature.sampling import Sampler, settled
from adapter_stilts.miniature.world import FRAMES, Clause, Sentence, Thing

# effect, cause, what they share
RULES = tuple(
    (effect, cause, shared)
    for shared, pairs in {
        "agent": (
            "sleep/tired rest/tired eat/hungry go/sick sing/happy dance/happy laugh/happy cry/sad break/angry"
            " tired/work happy/find happy/get sad/lose"
        ),
        "thing": (
            "repair/broken wash/dirty choose/beautiful buy/cheap -buy/expensive -carry/heavy clean/wash broken/break"
        ),
        "": "wet/rain wet/snow",
    }.items()
    for effect, cause in (pair.split("/") for pair in words(pairs))
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
        pair = draw_cause(sampler)
        if pair is not None and sampler.holds(Sentence(pair.effect, "because", pair.cause)):
            return pair


def draw_cause(sampler: Sampler) -> Cause | None:
    """A cause and an effect by any rule, of whatever split; None where the thing does not fit the cause."""
    effect_verb, cause_verb, shared = sampler.rng.choice(RULES)
    effect = affirmed(sampler.draw(effect_verb.lstrip("-")), effect_verb)
    if effect_verb == "go":
        effect = replace(effect, place="hospital")
    if effect_verb == "wet":
        effect = replace(effect, thing=Thing(effect.noun))
    noun = effect.noun if shared == "thing" else ""
    if noun and noun not in sampler.nouns(cause_verb):
        return None
    cause = affirmed(sampler.draw(cause_verb, effect.agent if shared == "agent" else "", noun), cause_verb)
    if noun and FRAMES[cause_verb] in ("feel", "be"):
        cause = replace(cause, thing=Thing(noun))
    return Cause(effect, replace(cause, time="", place=""))


def affirmed(clause: Clause, verb: str) -> Clause:
    return settled(replace(clause, negated=verb.startswith("-")))


def plausible(pair: Cause) -> bool:
    """Whether the cause could have brought about the effect."""
    effect, cause = (f"-{clause.verb}" if clause.negated else clause.verb for clause in (pair.effect, pair.cause))
    by_rule = any((effect, cause) == rule[:2] for rule in RULES)
    return by_rule or cause in ALSO.get(effect, ()) or pair.effect.verb == pair.cause.verb

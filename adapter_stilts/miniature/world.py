"""The miniature's world: who and what there is, what can happen, and meanings built from that, free of any language.

A `Clause` is one fact, a `Sentence` one or two of them. Concepts are short English words that serve as keys into every
language's lexicon; no text is made from them.

    Clause("buy", agent="anna", thing=Thing("book", modifier="red"), place="market", time="monday")
    is "Anna bought a red book at the market on Monday" in ten languages
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from adapter_stilts.data.columns import words


@dataclass(frozen=True, slots=True)
class Thing:
    """An object, with a colour or quality, or a number, never both (some languages would need further forms)."""

    noun: str
    modifier: str = ""
    count: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """One fact. The verb's frame in `FRAMES` says which fields it uses; `place` is the goal of a verb of motion."""

    verb: str
    agent: str = ""
    thing: Thing | None = None
    partner: str = ""  # the recipient of "give", the giver of "get"
    place: str = ""
    time: str = ""
    negated: bool = False
    surname: str = ""

    @property
    def frame(self) -> str:
        return FRAMES[self.verb]

    @property
    def noun(self) -> str:
        return self.thing.noun if self.thing else ""

    @property
    def modifier(self) -> str:
        return self.thing.modifier if self.thing else ""

    @property
    def count(self) -> str:
        return self.thing.count if self.thing else ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One clause, or two joined by "and" or "because" (the second is the cause)."""

    first: Clause
    link: str = ""
    second: Clause | None = None

    @property
    def clauses(self) -> tuple[Clause, ...]:
        return (self.first,) if self.second is None else (self.first, self.second)


@dataclass(frozen=True, slots=True)
class Domain:
    """What a genre of sentences is about."""

    roles: tuple[str, ...]
    nouns: tuple[str, ...]
    places: tuple[str, ...]
    verbs: tuple[str, ...]


def concepts(clause: Clause) -> frozenset[str]:
    described = clause.noun, clause.modifier, clause.count
    named = clause.verb, clause.agent, clause.surname, clause.partner, clause.place, clause.time
    return frozenset((*named, *described)) - {""}


WOMEN = words("anna maria olga laura sara nina clara eva julia elena lisa amina")
MEN = words("peter daniel martin paul thomas david omar viktor anton robert karl ali")
NAMES = WOMEN + MEN
SURNAMES = words("silva berg tanaka okello demir novak")
ROLES = words("doctor teacher farmer student nurse cook driver neighbour boy girl painter singer")
FEMALE = frozenset((*WOMEN, *words("teacher student nurse neighbour girl singer witness")))

FRUIT = ("apple", "orange", "lemon")
VEHICLES = ("car", "bicycle", "truck", "boat")
FURNITURE = ("table", "chair", "bed", "cupboard")
CLOTHING = ("shirt", "coat", "hat", "dress")
INSTRUMENTS = ("guitar", "drum", "violin", "flute")
ANIMALS = ("dog", "cat", "horse", "cow")
SMALL = words("book letter newspaper map picture lamp key mirror knife umbrella phone bag cup basket ring")
KINDS = {"fruit": FRUIT, "furniture": FURNITURE, "clothing": CLOTHING, "instrument": INSTRUMENTS, "animal": ANIMALS}
KIND_OF = {noun: kind for kind, nouns in KINDS.items() for noun in nouns}
NOUNS = FRUIT + VEHICLES + FURNITURE + CLOTHING + INSTRUMENTS + ANIMALS + SMALL
PORTABLE = FRUIT + CLOTHING + INSTRUMENTS + SMALL
MACHINES = VEHICLES + FURNITURE + INSTRUMENTS + ("lamp", "mirror", "umbrella", "phone")
WASHABLE = VEHICLES + FRUIT + ("dog", "horse", "cup", "bag", "mirror", "lamp", "knife")

PLACES = words(
    "kitchen garden market school office library hospital station park beach forest museum village restaurant hotel"
)
CITIES = words("berlin madrid moscow ankara helsinki delhi nairobi cairo tokyo paris rome lima newyork london")
ORGS = words("novabank radiodelta solaris apex orion kometa atlas starmedia")
TIMES = words("yesterday today monday friday sunday morning evening night summer winter lastweek lastyear")
COLOURS = ("red", "blue", "green", "yellow", "white", "black")
QUALITIES = {"new": "old", "old": "new", "big": "small", "small": "big"}
COUNTS = ("two", "three", "five", "ten")

MEDICAL = Domain(
    roles=("surgeon", "pharmacist", "patient", "dentist", "doctor", "nurse"),
    nouns=("tablet", "bandage", "thermometer", "syringe", "ointment", "prescription", "microscope"),
    places=("clinic", "pharmacy", "laboratory", "hospital"),
    verbs=words("prescribe sterilise order give send show bring get find lose see carry forget choose buy"),
)
LEGAL = Domain(
    roles=("judge", "lawyer", "witness", "notary"),
    nouns=("contract", "document", "permit", "invoice", "passport", "will", "stamp"),
    places=("court", "ministry", "prison", "office"),
    verbs=words("sign cancel submit give send show bring get find lose see carry forget choose steal"),
)
SIGNED = ("contract", "document", "permit", "invoice", "will")

# verb -> the nouns it takes
OBJECTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("buy", "sell", "find", "see", "draw", "choose", "show"), NOUNS),
    **dict.fromkeys(("lose", "hide", "carry", "forget", "bring", "send"), PORTABLE),
    **dict.fromkeys(("steal", "give", "get"), PORTABLE + VEHICLES + ANIMALS),
    **dict.fromkeys(("repair", "break"), MACHINES),
    "wash": WASHABLE,
    "eat": FRUIT,
    **dict.fromkeys(("sterilise", "order"), MEDICAL.nouns),
    "prescribe": ("tablet", "bandage", "syringe", "ointment"),
    **dict.fromkeys(("sign", "cancel"), SIGNED),
    "submit": LEGAL.nouns,
}
ACTIONS = words("buy sell find lose see repair wash steal hide carry forget draw choose break eat")
TRANSFERS = ("give", "send", "show", "bring")
ACTIVITIES = ("sleep", "work", "sing", "dance", "laugh", "cry", "wait", "rest", "play")
MOTIONS = ("go", "return", "travel")
FEELINGS = ("tired", "hungry", "sick", "happy", "sad", "angry")
STATES = ("broken", "dirty", "clean", "wet", "heavy", "expensive", "cheap", "beautiful")
WEATHER = ("rain", "snow")
FRAMES: dict[str, str] = {
    **dict.fromkeys((*ACTIONS, "sterilise", "order", "sign", "cancel"), "act"),
    **dict.fromkeys((*TRANSFERS, "prescribe", "submit"), "give"),
    "get": "get",
    **dict.fromkeys(ACTIVITIES, "do"),
    **dict.fromkeys(MOTIONS, "move"),
    **dict.fromkeys(FEELINGS, "feel"),
    **dict.fromkeys(STATES, "be"),
    "locate": "locate",
    "exist": "exist",
    **dict.fromkeys(WEATHER, "weather"),
}
SPECIAL = ("sterilise", "order", "prescribe", "sign", "cancel", "submit")
GENERAL = Domain(ROLES, NOUNS, PLACES, tuple(verb for verb in FRAMES if verb not in SPECIAL))

# pairs of verbs that exclude each other when said of the same event
_PAIRS = words("buy/sell find/lose repair/break laugh/cry work/rest happy/sad dirty/clean expensive/cheap")
OPPOSITES = {verb: other for pair in _PAIRS for verb, other in permutations(pair.split("/"))}

# modifiers that are odd on some kinds of thing
FITTING = {
    **dict.fromkeys(FRUIT, ("red", "green", "yellow", "big", "small")),
    **dict.fromkeys(ANIMALS, ("white", "black", "big", "small")),
}

TOPICS: dict[str, tuple[str, ...]] = {
    "trade": ("buy", "sell", "expensive", "cheap"),
    "care": ("repair", "break", "wash", "broken", "dirty", "clean"),
    "travel": MOTIONS,
    "leisure": ("sing", "dance", "laugh", "play", "rest", "sleep"),
    "post": ("give", "send", "bring", "get"),
    "loss": ("lose", "find", "steal", "hide", "forget"),
}

# Words in no task's training or validation rows, only in test rows and (as in any pretrained model) pretraining text.
HELD_OUT = frozenset(
    words(
        "amina laura david karl painter singer lemon truck flute cow basket map museum beach delhi lima kometa"
        " yellow ten sunday winter hide dance travel"
    )
)

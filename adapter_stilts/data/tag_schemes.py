"""How tags mark entities, and the one way in which they are kept: IOB2.

    IOB1    I-PER I-PER B-PER       B- only where two entities of a type touch
    IOB2    B-PER I-PER B-PER       every first word B-; what every sentence becomes
    BILOU   B-PER L-PER U-PER       the last word L-, a single one U-
    IOBES   B-PER E-PER S-PER       the same as E- and S- (BMES: M- inside, W- for S-)
    IO      PER PER PER             types alone beside O: a run of one type is one entity

A file's tags are taken together: "S-x" is a mark beside O and B-, "O" is a part of speech among others where nothing
else says entities. What can be taken in two ways is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapter_stilts.data.conllu_rows import NO_TAG
from adapter_stilts.errors import TaskDataError, few

OUTSIDE = "O"
NOTHING = (NO_TAG, "-", "*")  # beside entity tags: what some write for O
ENTITIES = "entities"  # in the place of a treebank's column: tags mark entities
OPENING, INSIDE, CLOSING, SINGLE = "B", "IM", "LE", "USW"
MARKS = OPENING + INSIDE + CLOSING + SINGLE
MARKED = re.compile(rf"([{MARKS}{MARKS.lower()}])([-_:/|.])(.+)")  # B-PER, b_per
MARKED_LAST = re.compile(rf"(.+)([-_])([{MARKS}])")  # PER-B
SEVERAL = re.compile(r"[|,;/+ ]([BIO]-|O$)")  # B-PER|I-LOC
ODDLY_MARKED = re.compile(rf"[{MARKS}][^\w\s].+")  # B=PER, and B-PER with another dash
KNOWN = {"LU": "BILOU", "ES": "IOBES", "MW": "BMES"}
PLAIN = "write O, B-TYPE and I-TYPE"


@dataclass(frozen=True)
class Scheme:
    """How the tags of one file are to be read.

    new      tag -> mark and type, where the tags mark entities; empty where they are parts of speech or the like
    remarks  what was recognised and converted, in words
    """

    new: Mapping[str, tuple[str, str]]
    remarks: tuple[str, ...] = ()

    @property
    def entities(self) -> bool:
        return bool(self.new)

    def iob2(self, tags: Sequence[str]) -> tuple[str, ...]:
        """A sentence's tags in IOB2; as they stand where they mark no entities."""
        if not self.new:
            return tuple(tags)
        result: list[str] = []
        before, open_type = "", None  # the tag before, and the type of the entity that may go on
        for tag in tags:
            mark, type = self.new[tag]
            goes_on = mark in INSIDE + CLOSING and open_type == type and before not in CLOSING + SINGLE
            result.append(OUTSIDE if mark == OUTSIDE else named("I" if goes_on else "B", type))
            before, open_type = mark, None if mark == OUTSIDE else type
        return tuple(result)


def named(mark: str, type: str) -> str:
    """ "B-PER"; "B" where entities have no types."""
    return f"{mark}-{type}" if type else mark


def parts(tag: str) -> tuple[str, str]:
    """Mark and type of a tag in IOB2: ("B", "PER"), ("O", ""), ("B", "") of entities without types; ("", tag) of a tag
    without a mark."""
    if tag in ("B", "I", OUTSIDE):
        return tag, ""
    return (tag[0], tag[2:]) if tag[:2] in ("B-", "I-") and tag[2:] else ("", tag)


def entity_type(tag: str) -> str:
    """ "PER" of "B-PER" and "I-PER"; a tag without such a mark is its own type."""
    return tag[2:] if tag[:2] in ("B-", "I-") else tag


def iob2(tags: Iterable[str]) -> tuple[str, ...]:
    """The same entities with every first word marked B-; other tags as they stand."""
    result: list[str] = []
    before = OUTSIDE
    for tag in tags:
        first = tag.startswith("I-") and before not in (f"B-{tag[2:]}", f"I-{tag[2:]}")
        result.append(f"B-{tag[2:]}" if first else tag)
        before = tag
    return tuple(result)


def marks_entities(tags: Iterable[str]) -> bool:
    """Whether a column holds tags of entities: O and marks, and nothing else."""
    values = set(tags)
    others = values - {"o", OUTSIDE, *NOTHING}
    marks = [match[1].upper() for tag in others if (match := MARKED.fullmatch(tag))]
    return len(marks) == len(others) and (OUTSIDE in values or not {"B", "I"}.isdisjoint(marks))


def scheme_of(tags: Mapping[str, int], column: str, place: Mapping[str, str]) -> Scheme:
    """The scheme of a file's tags, which are all looked at together.

    tags    how often each stands there
    column  what is wanted: "entities", "upos" and the like for parts of speech, "" where nothing says
    place   tag -> where it stands first, for messages

    Raises TaskDataError for tags that could mean several things, or are no tags of this kind.
    """
    _refuse_numbers(tags, column, place)
    outside = [tag for tag in tags if tag in ("O", "o", *NOTHING)]
    others = [tag for tag in tags if tag not in outside]
    marked = {tag: match for tag in others if (match := MARKED.fullmatch(tag))}
    bare = [tag for tag in others if tag not in marked]
    told = bool(marked) and _are_marks(marked, outside, column)
    if told and bare and (column in (ENTITIES, "") or any(tag in ("O", "o") for tag in outside)):
        near = f"; '{bare[0]}' may be several columns in one, or O may be meant" if len(bare[0]) > 1 else ""
        what = f"{few([repr(tag) for tag in bare])} among entity tags ({few(list(marked))})"
        raise TaskDataError(f"no tag: {what}", where=place.get(bare[0], ""), do=f"correct the row{near}; {PLAIN}")
    if several := next((tag for tag, match in marked.items() if told and SEVERAL.search(match[3])), ""):
        do = "give every word one tag; nested entities are learned one layer at a time"
        raise TaskDataError(f"several tags in one: '{several}'", where=place.get(several, ""), do=do)
    if told and not bare:
        new = {tag: (match[1].upper(), match[3]) for tag, match in marked.items()}
        return _entities(tags, outside, new, _spellings(marked))
    if others and not marked and (scheme := _unusual(tags, outside, others, column, place)):
        return scheme
    if not others and outside and outside != [NO_TAG]:
        return _entities(tags, outside, {}, [])
    if column == ENTITIES and others:
        what = f"no entity is marked: the tags are {few(sorted(others), 8)}"
        do = f"{PLAIN}; parts of speech are the task 'pos'"
        raise TaskDataError(what, where=place.get(others[0], ""), do=do)
    return Scheme({})


def _are_marks(marked: Mapping[str, re.Match[str]], outside: Sequence[str], column: str) -> bool:
    """Whether "B-PER" is a mark and a type here: some are B or I, or stand beside O; unusual signs need both."""
    usual = any(match[2] == "-" for match in marked.values())
    begun = any(match[1].upper() in "BI" for match in marked.values())
    beside = column == ENTITIES or not {"O", "o"}.isdisjoint(outside)
    return (begun and (usual or bool(outside))) or (usual and beside)


def _unusual(
    tags: Mapping[str, int], outside: Sequence[str], others: Sequence[str], column: str, place: Mapping[str, str]
) -> Scheme | None:
    """Entities whose tags have no mark in front: PER-B, B and I without a type, types alone beside O."""
    letters = {tag: tag.upper().rstrip("-_") for tag in others}
    if set(letters.values()) <= set(MARKS) and "B" in letters.values() and (outside or len(letters) > 1):
        return _entities(tags, outside, {tag: (letter, "") for tag, letter in letters.items()}, [])
    last = {tag: match for tag in others if (match := MARKED_LAST.fullmatch(tag))}
    if outside and len(last) == len(others) and any(match[3] in "BI" for match in last.values()):
        new = {tag: (match[3], match[1]) for tag, match in last.items()}
        return _entities(tags, outside, new, [f"{few(sorted(last))}: the mark is read from the end"])
    if "O" not in outside or column not in (ENTITIES, ""):
        return None
    glued = Counter(tag[1:] for tag in others if tag[0] in "BI")  # BPER, IPER
    if max(glued.values(), default=0) > 1 or any(map(ODDLY_MARKED.fullmatch, others)):
        what = f"are {few(sorted(others))} marks and types? No hyphen parts them"
        raise TaskDataError(what, where=place.get(others[0], ""), do=PLAIN)
    said = [f"{few(sorted(others))} have no B- and I-: a run of one type is read as one entity"]
    return _entities(tags, outside, {tag: ("I", tag) for tag in others}, said)


def _entities(
    tags: Mapping[str, int], outside: Sequence[str], new: Mapping[str, tuple[str, str]], said: list[str]
) -> Scheme:
    marks = {mark for mark, _ in new.values()}
    scheme = next((name for letters, name in KNOWN.items() if marks & set(letters)), "")
    scheme = "BMES" if "M" in marks else scheme
    remarks = [f"the tags are {scheme}, read as IOB2"] if scheme else []
    types = sorted({type for _, type in new.values()})
    alike = [type for type in types if sum(type.casefold() == other.casefold() for other in types) > 1]
    remarks += said + ([f"types that differ in case alone: {few(alike)}"] if alike else [])
    for sign in outside:
        if sign != OUTSIDE:
            remarks.append(f"{tags[sign]:,} words tagged '{sign}' are read as O")
    return Scheme({**dict.fromkeys(outside, (OUTSIDE, "")), **new}, tuple(remarks))


def _spellings(marked: Mapping[str, re.Match[str]]) -> list[str]:
    odd = sorted(tag for tag, match in marked.items() if match[2] != "-" or match[1].islower())
    right = [named(marked[tag][1].upper(), marked[tag][3]) for tag in odd]
    return [f"{few(odd)} read as {few(right)}"] if odd else []


def _refuse_numbers(tags: Mapping[str, int], column: str, place: Mapping[str, str]) -> None:
    """Class numbers say nothing of what is outside and where an entity goes on; -100 is no class at all."""
    numbers = [tag for tag in tags if re.fullmatch(r"-?\d+", tag)]
    first = place.get(numbers[0], "") if numbers else ""
    if "-100" in numbers:
        do = "give every word its tag; sub-words are cut here"
        raise TaskDataError("the tag -100 stands for no tag", where=place.get("-100", ""), do=do)
    if numbers and len(numbers) == len(tags) and column in (ENTITIES, ""):
        what = f"the tags are class numbers ({few(sorted(numbers, key=int), 8)}), and nothing says what they mean"
        do = "write names (O, B-PER), or describe the task in a YAML file with label_names: {\"0\": O, \"1\": B-PER}"
        raise TaskDataError(what, where=first, do=do)

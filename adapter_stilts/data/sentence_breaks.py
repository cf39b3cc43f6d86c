"""Where sentences begin and end in a paragraph, by a rule: for texts whose release does not say.

A sentence ends at . ! ? or … (and the marks of other scripts), with the quotation marks and brackets that close behind
it, where white space follows and then something that can begin a sentence: anything but a small letter or a mark that
goes on. It does not end at a title or another usual abbreviation ("Dr.", "e.g."), at an initial ("J. Smith", "U.S.
Army"), or at a number before another ("No. 5"). Full-width marks (。！？) end a sentence without white space, and a
line break always does.

A rule, not a model, and it knows English abbreviations alone. XQuAD's English paragraphs fall into 1,180 sentences by
it, as many as XQuAD-R has, though not everywhere the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from adapter_stilts.data.columns import words
from adapter_stilts.data.pieces import trimmed

Breaks = tuple[tuple[int, int], ...]

END = re.compile(
    r"""
    [.!?…؟۔।॥]+ [)\]}"'”’»›]* (?=\s)     # a mark that needs white space behind it
    | [。！？｡]+ [」』）”’"]*              # one that does not
    | \n
    """,
    re.VERBOSE,
)
GOES_ON = re.compile(r"[a-zß-öø-ÿа-яёα-ω,;:)\]}%–—&=]")


ABBREVIATIONS = words("""
    mr mrs ms dr prof rev gen col lt sgt capt cpt cmdr adm maj gov sen rep pres hon st mt ft sr jr messrs mme mlle
    vs etc approx ca cf al fig figs eq ed eds vol pp p inc ltd co corp bros dept univ est no nos op cit ibid viz
    jan feb mar apr jun jul aug sep sept oct nov dec e.g i.e a.m p.m ph.d
""")
NUMBERED = words("no nos p pp vol fig figs eq art ch op")  # a number follows, which is otherwise a good beginning
OFTEN_LAST = words("etc al a.m p.m jr sr ph.d")  # abbreviations that end a sentence where a capital follows
WORD = re.compile(r"[^\s(\[\"“‘'«]*$")
INITIAL = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")


def sentence_breaks(text: str) -> Breaks:
    """(start, end) characters of every sentence, end excluded, without white space between; () for a blank text."""
    ends = [*_ends(text), len(text)]
    parts = (trimmed(text, start, end) for start, end in pairwise([0, *ends]))
    return tuple((start, end) for start, end in parts if start < end)


def sentence_at(breaks: Breaks, place: int) -> int | None:
    """The number of the sentence that holds the character, None between sentences."""
    return next((number for number, (start, end) in enumerate(breaks) if start <= place < end), None)


def _ends(text: str) -> Iterator[int]:
    for match in END.finditer(text):
        if match[0] == "\n" or not text[match.end() :][:1].isspace() or _may_end(text, match):
            yield match.end()


def _may_end(text: str, match: re.Match[str]) -> bool:
    """Whether the mark ends a sentence, by the word before it and the first character behind the white space."""
    behind = text[match.end() : match.end() + 40].lstrip()
    if not behind or GOES_ON.match(behind):
        return not behind
    if not match[0].startswith(".") or match[0].startswith(".."):
        return True
    before = WORD.search(text, max(0, match.start() - 20), match.start())
    word = before[0].lower() if before else ""
    if word in NUMBERED and behind[0].isdigit():
        return False
    if word in OFTEN_LAST:
        return True
    return word not in ABBREVIATIONS and not INITIAL.fullmatch(word)

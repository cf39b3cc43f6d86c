"""Words and one tag each: parts of speech, entities, supertags.

    Tagged("0", ("Anna", "sleeps"), ("B-PER", "O"))

Every word is cut on its own and its first sub-word carries the tag. A sentence of more than `max_length` tokens becomes
several features, cut between words, so that no word goes without a prediction: XTREME does the same, with one more end
mark in each row; jiant truncates and leaves the cut words out of the score. `Rows` says which.

IOB1 marks the first word of an entity `I-X`, and `B-X` only where two entities of a type touch; IOB2 marks every first
word `B-X`. Both mean the same entities, so every sentence is read as IOB2.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

from adapter_stilts.data.columns import ID, TEXT, Columns, words, wrong_label
from adapter_stilts.data.conllu_rows import NO_TAG
from adapter_stilts.data.feature import IGNORED, Feature
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.pieces import SINGLE_SPECIALS, Marks, Tokenizer, marks, pieces
from adapter_stilts.data.tables import TABLES, Bad, Row, refused
from adapter_stilts.data.tagged_rows import LOOKED_AT, OUTSIDE, tagged_rows
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import numbered_lines
from adapter_stilts.formats.base import Cut, Example, Format, Logits, Rules, chances, dealt, register, rounded
from adapter_stilts.formats.protocols import Setting, TargetProtocol
from adapter_stilts.metrics.answers import is_punctuation
from adapter_stilts.metrics.base import DEFAULTS, Options
from adapter_stilts.metrics.tags import Tags
from adapter_stilts.statistics.learned import Baseline

UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
WIDEST = 4  # columns of a file with a word a line, where spaces part them
UPOS = words("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X")


@dataclass(frozen=True, slots=True)
class Tagged(Example):
    """Words and one tag per word; tags is empty where the file has none."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


@register
class TagsFormat(Format[Tagged]):
    name = "tags"
    row = Tagged
    columns = Columns(
        "tags",
        fields={
            "words": ("tokens", "words", "word", "token", "form", *TEXT),
            "tags": ("tags", "ner_tags", "pos_tags", "upos", "ner", "pos", "chunk_tags", "labels"),
            "id": ID,
        },
        needed=("words",),
    )
    label_field = "tags"
    head = "tags"
    metric = "chunk_f1"
    form = "tags"
    line = "SENTENCE"
    answer_columns = ("id", "position", "word", "tag", "probability")
    classes = True
    whole = False

    def file(self, path: Path, kind: str, layout: Layout, bad: Bad = refused) -> Iterator[Tagged] | None:
        if kind in TABLES:
            return None
        if not layout.gold and kind in ("", ".txt") and is_prose(path):
            lines = ((number, line.strip()) for number, line in numbered_lines(path, bad=bad))
            return (self.of_line([line], str(number), f"{path}, line {number}") for number, line in lines if line)
        rows = tagged_rows(path, layout, bad)
        return (Tagged(id, words, clean_tags(tags, layout, at)) for id, words, tags, at in rows)

    def example(self, row: Row, id: str, layout: Layout) -> Tagged:
        if not layout.gold and isinstance(text := row.cell("words"), str) and not text.lstrip().startswith("["):
            return self.of_line([text], id, row.where)
        words = [str(word) for word in row.items("words")]
        tags = [str(tag) for tag in row.items("tags")] if "tags" in row.columns else []
        if tags and len(tags) != len(words):
            what = f"{len(words)} words and {len(tags)} tags"
            raise TaskDataError(what, where=row.where, do="give every word one tag")
        if tags:
            kept = [number for number, tag in enumerate(tags) if layout.label_names.get(tag, tag) != NO_TAG]
            words, tags = [words[number] for number in kept], [tags[number] for number in kept]
        return Tagged(id, tuple(words), clean_tags(tags, layout, row.where))

    def of_line(self, cells: Sequence[str], id: str, where: str) -> Tagged:
        return Tagged(id, words_of(" ".join(cells)), ())

    def lacking(self, example: Tagged) -> str:
        return "" if example.words else "it has no words"

    def left_out(self, example: Tagged, layout: Layout) -> str:
        return "" if example.words or not layout.gold else "no word with a tag"

    def group(self, example: Tagged) -> str:
        return " ".join(example.words)

    def labels_of(self, example: Tagged) -> tuple[str, ...]:
        return example.tags

    def completed(self, labels: Collection[str]) -> tuple[str, ...]:
        """All of UPOS where every tag is one of it, and both B- and I- of every entity type."""
        if set(labels) <= set(UPOS):
            return UPOS
        marked = {entity_type(tag) for tag in labels if entity_type(tag) != tag}
        whole = {f"{mark}-{name}" for name in marked for mark in "BI"} | ({OUTSIDE} if marked else set())
        return tuple(sorted({*labels, *whole}))

    def unlabelled(self, example: Tagged) -> bool:
        return not example.tags

    def withheld(self, example: Tagged) -> bool:
        return bool(example.words) and not example.tags

    def shuffled(self, examples: Sequence[Tagged], draw: random.Random) -> list[Tagged]:
        tags = iter(dealt([tag for row in examples for tag in row.tags], draw))
        return [replace(row, tags=tuple(next(tags) for _ in row.tags)) for row in examples]

    def cut(self, examples: Sequence[Tagged], tokenizer: Tokenizer, cut: Cut) -> Iterator[Feature]:
        """A tag that the head does not know has no class: nothing is learned from it, and it is scored as wrong."""
        classes = cut.classes(tag for row in examples for tag in row.tags if cut.training)
        around, end_marks = marks(tokenizer), cut.end_marks
        room = cut.max_length - SINGLE_SPECIALS - (end_marks - 1)
        words_of = iter(pieces(tokenizer, (word for example in examples for word in example.words)))
        for index, example in enumerate(examples):
            # A word that leaves no piece, or more than a whole row, becomes one unknown token (XTREME's rule).
            cuts = (next(words_of) for _ in example.words)
            words = [ids if 0 < len(ids) <= room else [around.unknown] for ids in cuts]
            targets = [classes.get(tag, IGNORED) for tag in example.tags] or [IGNORED] * len(words)
            if cut.truncate:
                words = _beginning(words, room)
            for first, last in _runs([len(ids) for ids in words], room):
                yield _feature(index, words[first:last], targets[first:last], around, end_marks)

    def settings(self, rules: TargetProtocol, max_length: int) -> dict[str, Setting]:
        long = "truncated" if rules.truncate else "split"
        marked: dict[str, Setting] = {"end_marks": rules.end_marks, "label_on": "first sub-word"}
        return {**super().settings(rules, max_length), "long_sentences": long, **marked}

    def kept(self, row: Logits, feature: Feature, rules: Rules) -> list[str]:
        names = rules.names(row[0])
        return [names[number] for number in row[list(feature.words)].argmax(-1).tolist()]

    def decode(
        self, examples: Sequence[Tagged], features: Sequence[Feature], kept: Sequence[list[str]], rules: Rules
    ) -> list[tuple[str, ...]]:
        """The pieces of a cut sentence follow each other; a truncated one has as many tags as words were kept."""
        sentences: list[list[str]] = [[] for _ in examples]
        for feature, tags in zip(features, kept, strict=True):
            sentences[feature.example].extend(tags)
        return [tuple(tags) for tags in sentences]

    def answers(
        self, examples: Sequence[Tagged], features: Sequence[Feature], logits: Sequence[Logits], rules: Rules
    ) -> Iterator[dict[str, Any]]:
        read: list[list[Logits]] = [[] for _ in examples]  # [C] of each word
        for feature, row in zip(features, logits, strict=True):
            read[feature.example].extend(row[list(feature.words)])
        for example, of_words in zip(examples, read, strict=True):
            tags = [rules.names(row)[int(row.argmax())] for row in of_words]
            shares = [rounded(chances(row).max()) for row in of_words]
            yield {"id": example.id, "words": list(example.words), "tags": tags, "probabilities": shares}

    def in_table(self, answer: Mapping[str, Any]) -> Iterator[Sequence[object]]:
        """A word a row; words count from 1."""
        by_word = zip(answer["words"], answer["tags"], answer["probabilities"], strict=True)
        for number, (word, tag, share) in enumerate(by_word, start=1):
            yield [answer["id"], number, word, tag, share]

    def scored_part(self, examples: Sequence[Tagged], predictions: Any) -> tuple[Sequence[Tagged], int]:
        """A protocol may cut long sentences, gold and all."""
        pairs = list(zip(examples, predictions, strict=True))
        kept = [replace(row, words=row.words[: len(tags)], tags=row.tags[: len(tags)]) for row, tags in pairs]
        return kept, sum(len(row.words) - len(tags) for row, tags in pairs)

    def gold(self, examples: Sequence[Tagged]) -> list[Tags]:
        for example in examples:
            if len(example.tags) != len(example.words):
                where, do = f"example '{example.id}'", "give the file that has the tags"
                raise TaskDataError("a sentence without gold tags cannot be scored", where=where, do=do)
        return [example.tags for example in examples]

    def baseline(
        self, metric: str, examples: Sequence[Tagged], labels: Sequence[str] | None, options: Options = DEFAULTS
    ) -> Baseline | None:
        """By token accuracy: chunk F1 of one tag for all words is near 0, and is passed by a few lucky guesses."""
        tags = (tag for example in examples for tag in example.tags)
        return Baseline.of_classes("token_accuracy", tags, len(labels or ()))

    def one_class(self, predictions: Sequence[Tags]) -> bool:
        return len({tag for tags in predictions for tag in tags}) == 1


def is_prose(path: Path) -> bool:
    """Whether a text file to be predicted holds a sentence a line, not a word a line with or without more columns."""
    first = [line for _, line in islice(numbered_lines(path, bad=lambda error: None), LOOKED_AT) if line.strip()]
    widths = {len(line.split()) for line in first}
    return not any("\t" in line for line in first) and (len(widths) > 1 or max(widths, default=0) > WIDEST)


def words_of(text: str) -> tuple[str, ...]:
    """The words of a sentence: white space parts them, punctuation at their ends is a word of its own, and so is every
    character of a script that is written without spaces and told by characters (Han, kana)."""
    words: list[str] = []
    for part in UNSPACED.sub(r" \g<0> ", text).split():
        first = next((place for place, mark in enumerate(part) if not is_punctuation(mark)), len(part))
        last = next((place for place in range(len(part), first, -1) if not is_punctuation(part[place - 1])), first)
        words += [*part[:first], *([part[first:last]] if first < last else []), *part[last:]]
    return tuple(words)


def clean_tags(tags: Sequence[str], layout: Layout, where: str) -> tuple[str, ...]:
    """A sentence's tags as the task spells them. Raises TaskDataError for a tag outside the layout's labels."""
    named = [layout.label_names.get(tag, tag) for tag in tags]
    ignored = set(layout.ignore_labels)
    kept = iob2(OUTSIDE if {tag, entity_type(tag)} & ignored else tag for tag in named)
    wrong = [] if layout.labels is None else [tag for tag in kept if tag not in layout.labels]
    if wrong:
        raise wrong_label(wrong[0], layout.labels or (), where)
    return kept


def iob2(tags: Iterable[str]) -> tuple[str, ...]:
    """The same entities with every first word marked B-."""
    result: list[str] = []
    before = OUTSIDE
    for tag in tags:
        first = tag.startswith("I-") and before not in (f"B-{tag[2:]}", f"I-{tag[2:]}")
        result.append(f"B-{tag[2:]}" if first else tag)
        before = tag
    return tuple(result)


def entity_type(tag: str) -> str:
    """ "PER" of "B-PER" and "I-PER"; a tag without such a mark is its own type."""
    return tag[2:] if tag[:2] in ("B-", "I-") else tag


def _beginning(words: Sequence[list[int]], room: int) -> list[list[int]]:
    """The words whose first sub-word is among the first `room`, the last of them cut there."""
    kept: list[list[int]] = []
    for word in words:
        if not room:
            break
        kept.append(word[:room])
        room -= len(kept[-1])
    return kept


def _runs(lengths: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Where to cut: (first, last) word numbers of runs of at most `room` sub-words."""
    first, used = 0, 0
    for number, size in enumerate(lengths):
        if used + size > room:
            yield first, number
            first, used = number, 0
        used += size
    if first < len(lengths):
        yield first, len(lengths)


def _feature(
    example: int, words: Sequence[Sequence[int]], targets: Sequence[int], around: Marks, end_marks: int
) -> Feature:
    firsts = [0, *accumulate(map(len, words))]
    target = [IGNORED] * (firsts[-1] + 1 + end_marks)
    starts = tuple(first + 1 for first in firsts[:-1])  # + 1 for <s>
    for start, wanted in zip(starts, targets, strict=True):
        target[start] = wanted
    ids = (*around.single([*chain.from_iterable(words)]), *[around.end] * (end_marks - 1))
    return Feature(0, example, ids, tuple(target), starts)

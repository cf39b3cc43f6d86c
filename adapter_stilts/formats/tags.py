"""Words and one tag each: parts of speech, entities, supertags.

    Tagged("0", ("Anna", "sleeps"), ("B-PER", "O"))

Every word is cut on its own and its first sub-word carries the tag. A sentence of more than `max_length` tokens becomes
several features, cut between words, so that no word goes without a prediction: XTREME does the same, with one more end
mark in each row; jiant truncates and leaves the cut words out of the score. `Rows` says which.

Tags that mark entities are kept in IOB2, however a file writes them (data/tag_schemes.py); those of a published task
are taken as its release writes them, in IOB1 or IOB2.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

from adapter_stilts.data.columns import ID, NO_VALUE, TEXT, Columns, wrong_label
from adapter_stilts.data.conllu_rows import NO_TAG, UPOS
from adapter_stilts.data.feature import IGNORED, Feature
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.pieces import Marks, Tokenizer, marks, pieces
from adapter_stilts.data.tables import CSV, TABLES, Bad, Row, refused
from adapter_stilts.data.tag_columns import INVISIBLE
from adapter_stilts.data.tag_schemes import ENTITIES, OUTSIDE, entity_type, iob2, named, parts, scheme_of
from adapter_stilts.data.tagged_rows import LOOKED_AT, tagged_rows
from adapter_stilts.data.word_rows import word_columns, words_in_rows
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import numbered_lines
from adapter_stilts.formats.base import Cut, Example, Format, Logits, Rules, chances, dealt, register, rounded
from adapter_stilts.formats.protocols import Setting, TargetProtocol
from adapter_stilts.metrics.answers import is_punctuation
from adapter_stilts.metrics.base import DEFAULTS, Options, Score
from adapter_stilts.metrics.tags import Tags, type_scores, types_of
from adapter_stilts.statistics.learned import Baseline, share_of_commonest
from adapter_stilts.statistics.report import by_class, classes_of

EMPTY = "no word with a tag"
NAMED = {"upos": ("upos", "pos_tags", "pos"), ENTITIES: ("ner_tags", "ner")}  # columns by what is wanted of tags
UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
AROUND = 10  # words on each side of one that is shown
WIDEST = 4  # columns of a file with a word a line, where spaces part them


@dataclass(frozen=True, slots=True)
class Tagged(Example):
    """Words and one tag per word; tags is empty where the file has none."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Written(Tagged):
    """A sentence with its tags as the file has them, and where it stands."""

    where: str
    lines: tuple[int, ...] = ()  # of its words, where it takes several

    def place(self, word: int) -> str:
        return f"{self.where.rpartition(', lines ')[0]}, line {self.lines[word]}" if self.lines else self.where


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
    answer_fields = ("id", "words", "tags", "probabilities")
    classes = True
    whole = False

    def file(self, path: Path, kind: str, layout: Layout, bad: Bad = refused) -> Iterator[Tagged] | None:
        if kind == CSV and (places := word_columns(path)):
            return self.whole_file((_Written(*row) for row in words_in_rows(path, *places, bad)), layout)
        if kind in TABLES:
            return None
        if not layout.gold and kind in ("", ".txt") and is_prose(path):
            lines = ((number, line.strip()) for number, line in numbered_lines(path, bad=bad))
            return (self.of_line([line], str(number), f"{path}, line {number}") for number, line in lines if line)
        assert self.columns is not None
        named = {self.columns.field_called(name): column for name, column in layout.columns.items()}
        rows = tagged_rows(path, replace(layout, columns=named), bad)
        return self.whole_file((_Written(*row) for row in rows), layout)

    def columns_of(self, names: Sequence[str], layout: Layout, where: str) -> dict[str, str]:
        """Field -> column of a table. Of ner_tags and pos_tags those are taken that the task asks for."""
        assert self.columns is not None
        usual = self.columns.fields["tags"]
        first = NAMED.get(layout.tag_column, ())
        fields = {**self.columns.fields, "tags": tuple(dict.fromkeys((*first, *usual)))}
        return replace(self.columns, fields=fields).find(names, layout.columns, where, self.wanted_label(layout))

    def example(self, row: Row, id: str, layout: Layout) -> Tagged:
        if not layout.gold and isinstance(text := row.cell("words"), str) and not text.lstrip().startswith("["):
            return self.of_line([text], id, row.where)
        words = [_word(word, row.where) for word in row.items("words")]
        tags = [_tag(tag, row.where) for tag in row.items("tags")] if "tags" in row.columns else []
        if tags and len(tags) != len(words):
            what = f"{len(words)} words and {len(tags)} tags"
            raise TaskDataError(what, where=row.where, do="give every word one tag")
        if layout.published:
            kept = [number for number, tag in enumerate(tags) if layout.label_names.get(tag, tag) != NO_TAG]
            words = [words[number] for number in kept] if tags else words
            tags = [tags[number] for number in kept]
        return _Written(id, tuple(words), tuple(tags), row.where)

    def whole_file(
        self, examples: Iterable[Tagged], layout: Layout, dropped: Counter[str] | None = None
    ) -> Iterator[Tagged]:
        """Sentences with their tags in IOB2, once all tags of the file are known."""
        names = layout.label_names
        if layout.published or not layout.gold:
            yield from (_clean(row, [names.get(tag, tag) for tag in row.tags], layout) for row in examples)
            return
        written = list(examples)
        shown = Counter(names.get(tag, tag) for row in written for tag in row.tags)
        place: dict[str, str] = {}
        for row in written:
            for number, tag in enumerate(row.tags):
                if names.get(tag, tag) not in place:
                    place[names.get(tag, tag)] = row.place(number) if isinstance(row, _Written) else ""
        scheme = scheme_of(shown, layout.tag_column, place)
        for remark in scheme.remarks:
            layout.say(remark)
        if not scheme.entities and shown[NO_TAG]:
            layout.say(f"{shown[NO_TAG]:,} words tagged '{NO_TAG}' are left out: they have no tag")
        for row in written:
            tags = [names.get(tag, tag) for tag in row.tags]
            if not scheme.entities and NO_TAG in tags:
                kept = [number for number, tag in enumerate(tags) if tag != NO_TAG]
                row, tags = replace(row, words=tuple(row.words[n] for n in kept)), [tags[n] for n in kept]
            if row.words:
                yield _clean(row, scheme.iob2(tags), layout)
            elif dropped is not None:
                dropped[EMPTY] += 1

    def of_line(self, cells: Sequence[str], id: str, where: str) -> Tagged:
        return Tagged(id, words_of(" ".join(cells)), ())

    def lacking(self, example: Tagged) -> str:
        return "" if example.words else "it has no words"

    def left_out(self, example: Tagged, layout: Layout) -> str:
        return "" if example.words or not layout.gold else EMPTY

    def group(self, example: Tagged) -> str:
        return " ".join(example.words)

    def labels_of(self, example: Tagged) -> tuple[str, ...]:
        return example.tags

    def completed(self, labels: Collection[str]) -> tuple[str, ...]:
        """All of UPOS where every tag is one of it, and both B- and I- of every entity type."""
        if set(labels) <= set(UPOS):
            return UPOS
        marked = {parts(tag)[1] for tag in labels if parts(tag)[0] in ("B", "I")}
        whole = {named(mark, type) for type in marked for mark in "BI"} | ({OUTSIDE} if marked else set())
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
        around = marks(tokenizer)
        end_marks = min(cut.end_marks, len(around.between))  # XTREME doubles `</s>` where a pair's marks are doubled
        room = cut.max_length - around.of_one - (end_marks - 1)
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

    def majority(self, gold: Sequence[Tags]) -> tuple[str, float | None]:
        return "token_accuracy", share_of_commonest(Counter(chain.from_iterable(gold)))

    def one_class(self, predictions: Sequence[Tags]) -> bool:
        return len({tag for tags in predictions for tag in tags}) == 1

    def compared(
        self, gold: Sequence[Tags], predictions: Sequence[Tags], score: Score, options: Options
    ) -> dict[str, Any]:
        """Entities by their type, and types of words for each other; tags that mark none, word by word."""
        right, guessed = (list(chain.from_iterable(sentences)) for sentences in (gold, predictions))
        if not any(parts(tag)[0] in ("B", "I") for tag in (*right, *guessed)):
            return classes_of(right, guessed, "words")
        rule = options.rule
        confusion = classes_of(types_of(right, rule), types_of(guessed, rule), "words")["confusion"]
        scores = by_class(type_scores(gold, predictions, rule))
        return {"counted": "entities", **scores, "confusion": confusion}

    def mistakes(
        self, gold: Sequence[Tags], answers: Sequence[Mapping[str, Any]], score: Score
    ) -> Iterator[dict[str, Any]]:
        """Of each sentence the wrong word of the highest probability, in brackets among its neighbours."""
        for right, answer in zip(gold, answers, strict=True):
            tags, shares, words = answer["tags"], answer["probabilities"], answer["words"]
            wrong = [number for number, tag in enumerate(right) if tag != tags[number]]
            if wrong:
                worst = max(wrong, key=shares.__getitem__)
                first, last = max(0, worst - AROUND), worst + 1
                marked = [*words[first:worst], f"[{words[worst]}]", *words[last : last + AROUND]]
                labels = {"gold": right[worst], "predicted": tags[worst], "probability": shares[worst]}
                yield {"id": answer["id"], "word": words[worst], "words": " ".join(marked), **labels}


def tags_alone(sentences: Sequence[Sequence[str]], layout: Layout, path: str) -> list[tuple[str, ...]]:
    """Sentences of tags without words, brought to IOB2 as those of a file of words are; "_" stays where it is."""
    if layout.published:
        return [tuple(tags) for tags in sentences]
    sentences = [[tag.strip().strip(INVISIBLE) for tag in tags] for tags in sentences]
    shown = Counter(tag for tags in sentences for tag in tags)
    scheme = scheme_of(shown, layout.tag_column, dict.fromkeys(shown, path))
    for remark in scheme.remarks:
        layout.say(remark)
    return [scheme.iob2(tags) for tags in sentences]


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


def _clean(row: Tagged, tags: Sequence[str], layout: Layout) -> Tagged:
    """A sentence with its tags as the task spells them. Raises TaskDataError for a tag outside the layout's labels."""
    ignored = set(layout.ignore_labels)
    kept = iob2(OUTSIDE if {tag, entity_type(tag)} & ignored else tag for tag in tags)
    where = row.where if isinstance(row, _Written) else ""
    wrong = [] if layout.labels is None else [tag for tag in kept if tag not in layout.labels]
    if wrong:
        raise wrong_label(wrong[0], layout.labels or (), where)
    for tag in set(kept):
        if tag != tag.strip() or not tag or tag.casefold() in NO_VALUE:
            do = "correct the row; O is the tag of a word outside every entity"
            raise TaskDataError(f"no tag: {tag!r:.40}", where=where, do=do)
    return Tagged(row.id, row.words, kept)


def _word(word: object, where: str) -> str:
    """A word of a list. Raises TaskDataError for what is no word: null, NaN, a list."""
    if not isinstance(word, str | int | float) or isinstance(word, bool) or word != word:
        do = "write every word as text; null and NaN often stand for a word that a program took for a number"
        raise TaskDataError(f"not a word: {word!r:.40}", where=where, do=do)
    return str(word)


def _tag(tag: object, where: str) -> str:
    """A tag of a list, as text. Raises TaskDataError for what is none, or could not stand on a line of its own."""
    whole = int(tag) if isinstance(tag, float) and tag.is_integer() else tag
    if not isinstance(whole, str | int) or isinstance(whole, bool):
        raise TaskDataError(f"not a tag: {tag!r:.40}", where=where, do="give every word one tag, as text")
    text = str(whole).strip(" \u00a0\u3000").strip(INVISIBLE)
    if not text or any(mark in text for mark in "\n\r\t"):
        what = f"a tag with a line break or a tab in it: {text!r:.40}" if text else "a word whose tag is empty"
        raise TaskDataError(what, where=where, do="correct the row; O is the tag of a word outside every entity")
    return text


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
    ids = (*around.single([*chain.from_iterable(words)]), *around.after[-1:] * (end_marks - 1))
    target = [IGNORED] * len(ids)
    starts = tuple(len(around.before) + first for first in firsts[:-1])
    for start, wanted in zip(starts, targets, strict=True):
        target[start] = wanted
    return Feature(0, example, ids, tuple(target), starts)

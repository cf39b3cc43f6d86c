"""Format: what is asked about the examples of a task, and the registry of formats; each is one file beside this one.

    formats["pair"].metrics          ("accuracy", "accuracy_f1")
    task.format.ranking              whether its queries are searched among candidates
    task.format.features(examples, tokenizer, Cut(max_length=128, training=True))

A new format is one file: its row (an Example), its columns and `example`, `cut`, a head of encoder/heads.py by name,
`decode`, `gold`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.data.columns import Columns, wrong_label
from adapter_stilts.data.feature import Feature
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.pieces import Tokenizer
from adapter_stilts.data.tables import Bad, Row, refused
from adapter_stilts.errors import StiltsError, TaskDataError, UsageError, few
from adapter_stilts.formats.protocols import Decoding, Setting, TargetProtocol
from adapter_stilts.metrics.base import DEFAULTS, Options, Score, metrics
from adapter_stilts.registry import Registry
from adapter_stilts.statistics.learned import Baseline
from adapter_stilts.statistics.report import by_length, surest

Logits: TypeAlias = NDArray[np.float32]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Example:
    """What a reader yields; `id` is unique within its file, and by it predictions are matched with gold."""

    id: str


RowT = TypeVar("RowT", bound=Example)
MOST_LABELS = 20_000  # of a head


def check_few(labels: Collection[str], where: str) -> None:
    """Refuse so many labels that they must be something else."""
    if len(labels) > MOST_LABELS:
        what = f"more than {MOST_LABELS:,} different labels, such as {few(sorted(labels))}"
        raise TaskDataError(what, where=where, do="say which column holds them, with --set task.columns.label=NAME")


@dataclass(frozen=True)
class Cut:
    """How examples become token ids."""

    max_length: int  # tokens of the longest row (ranking: of a candidate), special tokens included
    labels: tuple[str, ...] | None = None  # the classes; a class number is a position in it
    query_length: int = 64  # span: tokens of a question; ranking: of a query, special tokens included
    window_step: int = 128  # span: tokens by which the start of a context window advances
    end_marks: int = 1  # tags: as a TargetProtocol has them
    truncate: bool = False
    training: bool = False  # every example must carry its gold answer

    def classes(self, used: Iterable[str]) -> dict[str, int]:
        """Label -> class number. Raises TaskDataError for a label in use that has none."""
        classes = {label: number for number, label in enumerate(self.labels or ())}
        if (wrong := next((label for label in used if label not in classes), None)) is not None:
            raise wrong_label(wrong, classes)
        return classes


@dataclass(frozen=True)
class Rules:
    """How logits become predictions."""

    labels: tuple[str, ...] | None = None  # what the head's classes mean
    unanswerable: bool = False  # span: questions may be answered with ""
    decoding: Decoding = field(default_factory=Decoding)  # span: how logits become an answer
    language: str = ""  # that of the examples
    pieces: Callable[[Sequence[int]], Sequence[str]] | None = None  # token ids to the sub-words they stand for

    def names(self, row: Logits) -> Sequence[str]:
        """The labels of a row of logits. Raises UsageError where the head has another number of them."""
        if self.labels is None or len(self.labels) != len(row):
            what = f"{len(self.labels or ())} labels for a head of {len(row)} classes"
            raise UsageError(what, do="give the labels the head was trained with, in that order")
        return self.labels


class Format(Generic[RowT]):
    """A kind of example. One instance of each is registered under its name."""

    name: ClassVar[str]
    row: ClassVar[type[Example]]  # its dataclass
    columns: ClassVar[Columns | None] = None  # its fields in tables; None where it is not read from one
    label_field: ClassVar[str] = ""  # the field that a labelled file must have; "" where there is none
    texts: ClassVar[tuple[str, ...]] = ()  # the fields of a table without a header, before its label; (): it has one
    head: ClassVar[str] = ""  # its head in encoder/heads.py; "" where nothing is trained
    metric: ClassVar[str]  # its usual metric (metrics/)
    form: ClassVar[str] = ""  # how its predictions are written (metrics/forms.py); "" where they are not
    max_length: ClassVar[int] = 128  # tokens of an input, where a task does not say
    own_length: ClassVar[bool] = False  # an input is as long as it was trained, whatever the protocol
    classes: ClassVar[bool] = False  # its head has a class for every label
    one_language: ClassVar[bool] = True  # its scores are those of a language: a file that mixes two is refused
    whole: ClassVar[bool] = True  # a row becomes one input, whatever its length
    windows: ClassVar[bool] = False  # a row becomes inputs that overlap
    rows_needed: ClassVar[int] = 1  # rows a batch must have
    grouped_by: ClassVar[str] = "id"  # the field that examples of one group share
    truncation: ClassVar[str] = ""  # how an input that is too long is cut, where a score is reported with it
    misplaced_note: ClassVar[str] = ""  # what is said of misplaced examples, after their number
    retrieval: ClassVar[bool] = False  # it trains nothing: sentence vectors are compared
    pools: ClassVar[bool] = False  # two sets hide pairs (mining); otherwise line i of both sides belong together
    ranking: ClassVar[bool] = False  # queries are searched among the candidates of all languages
    masked: ClassVar[bool] = False  # text whose masked tokens are predicted
    line: ClassVar[str] = ""  # what a line of text holds that is to be predicted; "" where no line is enough
    answer_columns: ClassVar[tuple[str, ...]] = ()  # of its answers in a table; () where it answers nothing by itself
    answer_fields: ClassVar[tuple[str, ...]] = ()  # of its answers in JSON lines

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those that fit, the usual one first."""
        fitting = [metric.name for metric in metrics.values() if self.name in metric.formats]
        return (self.metric, *(name for name in fitting if name != self.metric))

    # Files to examples.

    def file(self, path: Path, kind: str, layout: Layout, bad: Bad = refused) -> Iterator[RowT] | None:
        """The examples of a file that is no table; None for a table. kind: its suffix."""
        return None

    def together(self, paths: Sequence[Path]) -> int:
        """How many of the files given for a split are read together."""
        return 1

    def joined(self, paths: Sequence[Path], split: str) -> list[RowT] | None:
        """The examples of several files that are read together; None where each is read for itself."""
        return None

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Rows of a table as `columns` knows them."""
        return iter(rows)

    def columns_of(self, names: Sequence[str], layout: Layout, where: str) -> dict[str, str]:
        """Field -> column of a table."""
        assert self.columns is not None
        return self.columns.find(names, layout.columns, where, self.wanted_label(layout))

    def wanted_label(self, layout: Layout) -> str:
        """The field of labels where a file must have it, else ""."""
        return self.label_field if layout.labelled and layout.gold else ""

    def example(self, row: Row, id: str, layout: Layout) -> RowT:
        """One row of a table; `row.columns` says which fields it has."""
        raise NotImplementedError

    def of_line(self, cells: Sequence[str], id: str, where: str) -> RowT:
        """A line of text, cut at its tabs, that is to be predicted; `line` says what it holds."""
        raise UsageError(f"a line of text is no row of format '{self.name}'", do="give a file with columns")

    def lacking(self, example: RowT) -> str:
        """What is missing in an example so that nothing can be predicted of it; "" where nothing is."""
        return ""

    def left_out(self, example: RowT, layout: Layout) -> str:
        """Why an example is left out; "" for one that is kept."""
        return ""

    def whole_file(
        self, examples: Iterable[RowT], layout: Layout, dropped: Counter[str] | None = None
    ) -> Iterator[RowT]:
        """The examples of a file, where one cannot be read without the others. dropped: counts those left out."""
        return iter(examples)

    def of_hub(self, rows: Iterable[Row], columns: Mapping[str, str], where: str) -> list[RowT] | None:
        """The examples of a data set of the hub, where they are not one a row."""
        return None

    def candidates(self, rows: Iterable[Row], layout: Layout, where: str) -> Iterator[Example]:
        """What there is to be found, where queries are searched among candidates."""
        raise UsageError(f"a task of format '{self.name}' has no candidates", where=where, do="name its own files")

    # What is asked of examples.

    def sides(self, examples: Sequence[RowT]) -> tuple[Sequence[str], Sequence[str]]:
        """The foreign and the English sentences, where these are compared."""
        raise UsageError(f"a task of format '{self.name}' has no two sides", do="name a retrieval task")

    def count(self, examples: Sequence[RowT]) -> int:
        """How many rows a score is taken over."""
        return len(examples)

    def items(self, examples: Sequence[RowT]) -> Sequence[str]:
        """Which item each row of a score's units is: the same name in another language is the same item, translated."""
        return [example.id for example in examples]

    def file_sizes(self, examples: Sequence[RowT], files: int) -> tuple[int, ...]:
        """Rows of each of the files that these were read from."""
        return (len(examples),) * files

    def group(self, example: RowT) -> str:
        """What would leak where an example is held out and another of the same group is not."""
        return str(getattr(example, self.grouped_by))

    def labels_of(self, example: RowT) -> tuple[str, ...]:
        """The classes it is labelled with."""
        return ()

    def completed(self, labels: Collection[str]) -> tuple[str, ...]:
        """The classes of a head, from those that training rows show."""
        return tuple(sorted(labels))

    def unlabelled(self, example: RowT) -> bool:
        """Whether it cannot be trained on."""
        return False

    def withheld(self, example: RowT) -> bool:
        """Whether it can be predicted and not scored."""
        return self.unlabelled(example)

    def placeholders(self, examples: Sequence[RowT], labels: Sequence[str] | None) -> str:
        """What shows that gold labels are placeholders; "" where nothing does. labels: those of the task."""
        return ""

    def misplaced(self, example: RowT) -> bool:
        """Whether training leaves it out because its answer is not where it should be."""
        return False

    @property
    def deals(self) -> bool:
        """Whether its answers can be dealt out at random."""
        return type(self).shuffled is not Format.shuffled

    def shuffled(self, examples: Sequence[RowT], draw: random.Random) -> list[RowT]:
        """The same inputs under answers dealt out at random."""
        raise UsageError(f"a task of format '{self.name}' has no labels to shuffle", do="leave the control out")

    # Examples to tokens, logits to predictions, predictions to a score.

    def features(self, examples: Sequence[RowT], tokenizer: Tokenizer, cut: Cut) -> list[Feature]:
        """The features of `examples`, in their order.

        Raises TaskDataError for a label outside `cut.labels`, and in training for an example without one.
        """
        for example in examples if cut.training else ():
            if self.unlabelled(example):
                where, do = f"example '{example.id}'", "fill in its label or leave it out"
                raise TaskDataError("an example without a label cannot be trained on", where=where, do=do)
        return [replace(feature, row=row) for row, feature in enumerate(self.cut(examples, tokenizer, cut))]

    def cut(self, examples: Sequence[RowT], tokenizer: Tokenizer, cut: Cut) -> Iterator[Feature]:
        """Token ids of every example; `features` numbers them."""
        what = f"a task of format '{self.name}' is not trained: its sentences are compared as they are"
        raise UsageError(what, do="name it with --tasks of `eval`")

    def length(self, rules: TargetProtocol, trained: int) -> int:
        """Tokens of an input under a protocol; as trained where it does not say."""
        return (None if self.own_length else rules.length) or trained

    def settings(self, rules: TargetProtocol, max_length: int) -> dict[str, Setting]:
        """What a score must be reported with, alike for all languages. max_length: what was read."""
        asked = self.length(rules, max_length)
        protocol: dict[str, Setting] = {"protocol_max_length": asked} if asked != max_length else {}
        return {"max_length": max_length, **protocol, **({"truncation": self.truncation} if self.truncation else {})}

    def kept(self, row: Logits, feature: Feature, rules: Rules) -> Any:
        """What `decode` needs of a feature's logits: [C], or [T, C] where the head reads every token."""
        return row

    def decode(self, examples: Sequence[RowT], features: Sequence[Feature], kept: Sequence[Any], rules: Rules) -> Any:
        """Predictions in example order, as `gold` has them, from what was kept of each feature."""
        raise UsageError(f"a head for '{self.name}' makes no predictions", do="score it with its own task")

    def read_together(self, example: RowT) -> object:
        """What examples must share to be cut together."""
        return None

    def answers(
        self, examples: Sequence[RowT], features: Sequence[Feature], logits: Sequence[Logits], rules: Rules
    ) -> Iterator[dict[str, Any]]:
        """What a person is told of each example, in their order: its id and texts, the prediction, its probability."""
        raise UsageError(f"a head for '{self.name}' makes no predictions", do="score it with its own task")

    def in_table(self, answer: Mapping[str, Any]) -> Iterator[Sequence[object]]:
        """The rows of an answer under `answer_columns`."""
        yield [answer[column] for column in self.answer_columns]

    def scored_part(self, examples: Sequence[RowT], predictions: Any) -> tuple[Sequence[RowT], int]:
        """The examples as far as they were read, and how many words were not."""
        return examples, 0

    def gold(self, examples: Sequence[RowT]) -> Any:
        """The right answers, as its metrics take them. Raises TaskDataError for an example that has none."""
        raise StiltsError(f"no metric can be taken of {self.row.__name__} by itself", do="score it with its own task")

    def score(self, metric: str, examples: Sequence[RowT], predictions: Any, options: Options = DEFAULTS) -> Score:
        """Score predictions in example order (answers by question id) with a metric of the format.

        Raises TaskDataError for gold that is missing or a placeholder, and for predictions that do not match;
        UnknownName for a metric that is none, StiltsError for one that does not fit.
        """
        rule = metrics[metric]
        if self.name not in rule.formats:
            raise StiltsError(f"{metric} cannot be taken of {self.row.__name__}", do="name the metric of its task")
        return rule.score(self.gold(examples), predictions, options)

    def baseline(
        self, metric: str, examples: Sequence[RowT], labels: Sequence[str] | None, options: Options = DEFAULTS
    ) -> Baseline | None:
        """What a metric gives on these rows without learning; None where that is not known.

        labels  the classes that the head can choose among
        """
        return None

    def majority(self, gold: Any) -> tuple[str, float | None]:
        """The measure by which the commonest answer alone is compared, and what it gets; None where that tells
        nothing."""
        return "", None

    def one_class(self, predictions: Any) -> bool:
        """Whether all predictions are the same class; of spans, that there is no answer."""
        return False

    # What a score hides (statistics/report.py).

    @property
    def reports(self) -> bool:
        """Whether there is more to be said of its scores: by class, or by how answers came out."""
        return type(self).compared is not Format.compared

    def report(
        self,
        gold: Any,
        predictions: Any,
        score: Score,
        options: Options = DEFAULTS,
        answers: Sequence[Mapping[str, Any]] = (),
        lengths: Sequence[int] = (),
    ) -> dict[str, Any]:
        """The report of a score, {} for a format without one.

        answers  what `answers` says of each example; () where that is not known, as of files of predictions
        lengths  tokens of each example; () where they are not known
        """
        report = self.compared(gold, predictions, score, options)
        if lengths and not self.windows:
            of_score = (score.units, score.main.statistic, score.headline)
            report["lengths"] = by_length(lengths, *of_score, "tokens of an input")
        return report | ({"mistakes": surest(self.mistakes(gold, answers, score))} if answers else {})

    def compared(self, gold: Any, predictions: Any, score: Score, options: Options) -> dict[str, Any]:
        """Gold and predictions, as a metric takes them, class by class."""
        return {}

    def mistakes(self, gold: Any, answers: Sequence[Mapping[str, Any]], score: Score) -> Iterator[dict[str, Any]]:
        """Every example that was answered wrong: id, texts, gold, predicted, probability."""
        return iter(())


formats: Registry[Format[Any]] = Registry("format", package="adapter_stilts.formats")


def register(format: type[Format[Any]]) -> type[Format[Any]]:
    formats.add(format.name, format())
    return format


def chances(row: Logits) -> NDArray[np.float64]:
    """Logits [..., C] as probabilities."""
    powers = np.exp(row.astype(np.float64) - row.max(-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(-1, keepdims=True)
    return shares


def rounded(probability: float) -> float:
    """A probability as it is written."""
    return round(float(probability), 6)


def cells_of(cells: Sequence[str], wanted: Sequence[str], where: str) -> Sequence[str]:
    """The cells of a line. Raises TaskDataError for another number of them."""
    if len(cells) != len(wanted):
        what = f"{len(cells)} texts in a line that holds {' TAB '.join(wanted)}"
        raise TaskDataError(what, where=where, do="put one tab between them")
    return cells


def dealt(values: Sequence[T], draw: random.Random) -> list[T]:
    """The same values in another order."""
    order = list(values)
    draw.shuffle(order)
    return order


def withheld(format: Format[Any], examples: Sequence[Example]) -> bool:
    """Whether no example has a label, as in test files that XTREME prepares: they can be predicted and not scored."""
    return bool(examples) and all(format.withheld(example) for example in examples)


def refuse_placeholders(
    format: Format[Any], examples: Sequence[Example], labels: Sequence[str] | None, where: str
) -> None:
    """Raise TaskDataError where the gold labels of a split to score on only look like labels: what benchmarks put in
    the place of those they keep to themselves. A score against any of these is a number without a meaning."""
    if what := format.placeholders(examples, labels):
        do = "take the files of the original release, which hold the labels, or a split whose labels are public"
        raise TaskDataError(f"{what}: these are placeholders, not labels", where=where, do=do)

"""Result: the row every score ends in, and its JSON form. Whoever scores makes one, whoever reads asks it by attribute.

result = Result("xnli", "own", "sw", "accuracy", 0.61, 5010, (0.59, 0.62), headline=True)
result.to_json()                 # a row of results.json, of `--json`, of study.json
Result.from_json(row)            # and back; unknown keys are notes
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

PATHS = ("vectors", "predictions", "units", "items", "report")  # files that a result names, relative to its folder
LIMIT = "limit"  # the setting of a score of the first rows alone: how many they are
HASHES = "sha256"  # of those, as they were when the result was first written


@dataclass(frozen=True)
class Result:
    """One score, a fraction, with how many examples carry it and how sure it is."""

    task: str
    protocol: str
    language: str
    metric: str
    score: float
    n: int
    interval: tuple[float, float] | None = None  # 95 %; None where there is none
    split: str = "test"  # "" where only files are known
    headline: bool | None = None  # whether it is the metric that averages and model selection use
    # whether the task is one of finding, which averages are given without as well; None where only files are known
    retrieval: bool | None = None
    # what the number depends on beyond the protocol's name: layer, pooling, rule of the metric
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Any = None  # the files it was scored on with their hashes, or what else the rows came from
    # where they lie in the run: "predictions", "vectors", "units" (sums of each example, for paired comparisons),
    # "items" (which example each is; not there where they are numbered) and "report"
    paths: Mapping[str, Any] = field(default_factory=dict)
    statistic: str = ""  # how units make the score
    hashes: Mapping[str, str] = field(default_factory=dict)  # sha256 of files in `paths`, by the same names
    # what is said beside the number: substitutions, leaks, counted, seen, language_adapter, threshold, words_lost;
    # chance and majority, what takes no learning; one_class, where every prediction is the same
    notes: Mapping[str, Any] = field(default_factory=dict)
    # what the score hides (report.py), of a headline where it was asked for; it stands in a file of its own
    report: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def partial(self) -> bool:
        """Whether only the first rows were scored: such a score enters no mean and no comparison."""
        return LIMIT in self.settings

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it another score than others of the same folder."""
        settings = json.dumps(dict(self.settings), sort_keys=True)
        return (self.task, self.protocol, self.split, self.language, self.metric, settings)

    def with_notes(self, **notes: Any) -> Result:
        """The same score with more said beside it; what is empty is not said."""
        return replace(self, notes={**self.notes, **{name: value for name, value in notes.items() if value}})

    def reporting(self, hidden: Mapping[str, Any]) -> dict[str, Any]:
        """The report of this score: which it is, what is remarked on it, and what it hides."""
        named = ("task", "protocol", "language", "split", "metric", "score", "n")
        facts = {name: getattr(self, name) for name in named}
        return {**facts, "settings": dict(self.settings), "notes": remarks([self]), **hidden}

    def to_json(self) -> dict[str, Any]:
        """A row for results.json and `--json`; what is not known is left out."""
        row: dict[str, Any] = {"task": self.task, "protocol": self.protocol, "language": self.language}
        row |= {"split": self.split} if self.split else {}
        row |= {"data": self.data} if self.data is not None else {}
        row |= {"metric": self.metric, "score": self.score, "n": self.n}
        row["interval"] = None if self.interval is None else list(self.interval)
        row |= {} if self.headline is None else {"headline": self.headline}
        row |= {} if self.retrieval is None else {"retrieval": self.retrieval}
        row |= {"settings": dict(self.settings)} if self.settings else {}
        row |= {**self.paths, **({"statistic": self.statistic} if self.statistic else {}), **self.notes}
        return row | ({HASHES: dict(self.hashes)} if self.hashes else {})

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Result:
        """A row that `to_json` made; raises KeyError where it has no score, task or metric."""
        known = {name: row[name] for name in NAMED if name in row}
        interval: Sequence[float] | None = row.get("interval")
        notes = {name: value for name, value in row.items() if name not in (*NAMED, *PATHS, HASHES, "interval")}
        return cls(
            **{"protocol": "own", "language": "", "split": "", "n": 0, **known},
            interval=None if interval is None else (interval[0], interval[1]),
            paths={name: row[name] for name in PATHS if name in row},
            hashes=row.get(HASHES, {}),
            notes=notes,
        )


def remarks(rows: Iterable[Result]) -> list[str]:
    """The remarks of rows of results for a person, each once, in the order of the rows."""
    every: list[str] = []
    for row in rows:
        every += [f"{row.task}: {note}" for note in row.notes.get("substitutions", ())]
        every += row.notes.get("leaks", ())
        every += [f"{row.task} {row.language}: {note}" for note in row.notes.get("counted", ())]
        same = f"{row.task} {row.language} {row.split}: every prediction is the same, as of a run that did not learn"
        every += [same] if row.notes.get("one_class") else []
    return list(dict.fromkeys(every))


NAMED = (
    *("task", "protocol", "language", "metric", "score", "n", "split"),
    *("headline", "retrieval", "settings", "data", "statistic"),
)

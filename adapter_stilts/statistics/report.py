"""What a score hides: precision and recall by class, what is taken for what, scores by length, the surest mistakes.

A report is a document of plain values, as it stands in a file and in `--json`; what a format has none of is not there.

    {"counted": "rows", "classes": [{"class": "neutral", "precision": 0.6, "recall": 0.4, "f1": 0.48, "support": 80,
     "predicted": 53, "correct": 32}, ...], "macro_f1": 0.55,
     "confusion": {"counted": "rows", "labels": ["contradiction", ...], "counts": [[61, 9, 10], ...]},
     "lengths": {"of": "tokens of an input", "metric": "accuracy", "bins": [{"from": 8, "to": 19, "n": 150,
     "score": 0.71, "interval": [0.63, 0.78]}, ...]},
     "outcomes": {"metric": "f1", "parts": [{"answers": "all", "n": 105, "exact": 16, "partial": 37, "missed": 52,
     "score": 0.32}, {"answers": "1 to 2 words", ...}, ...]},
     "mistakes": [{"id": "12", "text": ..., "gold": "neutral", "predicted": "entailment", "probability": 0.98}, ...]}

In `counts` a row is a gold label and a column a predicted one. `tables` makes of it what a person reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from unicodedata import east_asian_width

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.statistics.intervals import Array, score_interval, score_of

Report: TypeAlias = Mapping[str, Any]
KEPT = 20  # mistakes in a report
WHOLE = 40  # labels of which all confusions are in a table
COMMONEST = 12  # pairs of labels that are named where a whole table of them is too wide
MOST = 6  # classes that have a column each
OUTCOMES = ("exact", "partial", "missed")
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Table:
    """Rows of text under a title and the names of their columns."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def class_scores(name: str, correct: int, predicted: int, support: int) -> dict[str, Any]:
    """Precision, recall and F1 of a class; null where nothing is predicted, or nothing is gold. support: gold ones."""
    precision, recall = (correct / whole if whole else None for whole in (predicted, support))
    scores = {"class": name, "precision": precision, "recall": recall, "f1": 2 * correct / (predicted + support)}
    return {**scores, "support": support, "predicted": predicted, "correct": correct}


def classes_of(gold: Iterable[str], predicted: Iterable[str], counted: str) -> dict[str, Any]:
    """The scores of every label and the confusion, of gold and predicted labels one beside the other."""
    pairs = Counter(zip(gold, predicted, strict=True))
    labels = in_order({label for pair in pairs for label in pair})
    counts = [[pairs[right, guess] for guess in labels] for right in labels]
    sums = list(zip(labels, map(sum, counts), map(sum, zip(*counts, strict=True)), strict=True))
    classes = [class_scores(label, pairs[label, label], guessed, support) for label, support, guessed in sums]
    confusion = {"counted": counted, "labels": labels, "counts": counts}
    return {"counted": counted, **by_class(classes), "confusion": confusion}


def by_class(classes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Classes, and the mean of their F1 over every class that is gold or predicted."""
    return {"classes": list(classes), "macro_f1": sum(row["f1"] for row in classes) / len(classes) if classes else None}


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels as a person sorts them: numbers by their value, before words."""
    return sorted(labels, key=lambda label: (0, int(label), "") if label.isdecimal() else (1, 0, label))


def by_length(lengths: Sequence[int], units: Array, statistic: str, metric: str, of: str) -> dict[str, Any]:
    """The score in each quarter of the rows by length; fewer parts where many rows are as long.

    units  the sums of each row, as the score was made of them
    """
    bins = [
        {"from": low, "to": high, "n": len(rows), **_scored(units[rows], statistic)}
        for low, high, rows in parts_by_length(np.array(lengths))
    ]
    return {"of": of, "metric": metric, "bins": bins}


def parts_by_length(sizes: NDArray[np.int64]) -> list[tuple[int, int, NDArray[np.intp]]]:
    """The quarters of rows by their length: the shortest, the longest, and which rows they are. Rows of one length stay
    together, so that there may be fewer parts than four."""
    if not len(sizes):
        return []
    part_of = np.searchsorted(np.unique(np.quantile(sizes, QUARTILES).astype(np.int64)), sizes)
    every = (np.flatnonzero(part_of == part) for part in np.unique(part_of))
    return [(int(sizes[rows].min()), int(sizes[rows].max()), rows) for rows in every]


def surest(mistakes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The mistakes of the highest probability, the highest first."""
    return sorted(mistakes, key=lambda mistake: -mistake["probability"])[:KEPT]


def tables(report: Report, width: int | None = None) -> Iterator[Table]:
    """All of a report but its mistakes. width: characters of a line, None for any number of them."""
    if classes := report.get("classes"):
        rows: list[list[object]] = [[row["class"], *map(percent, _scores(row)), row["support"]] for row in classes]
        rows.append(["mean of classes", "", "", percent(report["macro_f1"]), sum(row["support"] for row in classes)])
        title = f"by class, counted in {report['counted']}"
        yield Table(title, ("class", "precision", "recall", "F1", "support"), rows)
    if confusion := report.get("confusion"):
        yield _confusion(confusion, width)
    if outcomes := report.get("outcomes"):
        parts = outcomes["parts"]
        rows = [[row["answers"], row["n"], *(row[name] for name in OUTCOMES), percent(row["score"])] for row in parts]
        columns = ("answer", "n", *OUTCOMES, outcomes["metric"])
        yield Table("by length of the gold answer, in questions", columns, rows)
    if lengths := report.get("lengths"):
        metric = lengths["metric"].replace("_", " ")
        rows = [
            [span_of(row["from"], row["to"]), percent(row["score"]), interval_of(row["interval"]), row["n"]]
            for row in lengths["bins"]
        ]
        yield Table("by length", (lengths["of"], metric, "95 % interval", "n"), rows)


def overview(reports: Sequence[Report]) -> Table:
    """A row for each language of one task: its score, and the F1 of every class (of many, the lowest) or how its
    answers came out."""
    names = in_order({row["class"] for report in reports for row in report.get("classes", ())})
    few = names if len(names) <= MOST else []
    answered = all("outcomes" in report for report in reports)
    columns = ["language", "n", reports[0]["metric"].replace("_", " ")]
    columns += ["mean F1"] * bool(names) + few + ["lowest F1"] * (len(names) > MOST)
    rows: list[list[object]] = []
    for report in reports:
        scores = {row["class"]: row["f1"] for row in report.get("classes", ())}
        row = [report["language"], report["n"], percent(report["score"])]
        row += [percent(report.get("macro_f1"))] if names else []
        row += [percent(scores.get(name)) for name in few]
        if len(names) > MOST:
            lowest = min(scores, key=scores.__getitem__, default="")
            row.append(f"{lowest} {percent(scores.get(lowest))}")
        if answered:
            every = report["outcomes"]["parts"][0]
            row += [percent(every[name] / every["n"]) for name in OUTCOMES]
        rows.append(row)
    title = f"{reports[0]['task']} by language{', F1 of each class' if few else ''}, percent"
    return Table(title, [*columns, *(OUTCOMES if answered else ())], rows)


def markdown(report: Report) -> str:
    """A report as a page of Markdown: its tables, and its mistakes in full."""
    n, metric = f"{report['n']:,}", report["metric"].replace("_", " ")
    lines = [f"# {report['task']} {report['language']} {report['split']}", ""]
    lines += [f"{metric} {percent(report['score'])} (n {n}, protocol {report['protocol']}). Scores are percent."]
    lines += [f"**{note}.**" for note in report["notes"]]
    for table in tables(report):
        body = [table.columns, ["---"] * len(table.columns), *table.rows]
        lines += ["", f"## {table.title[:1].upper()}{table.title[1:]}", ""]
        lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in body]
    if report.get("mistakes"):
        lines += ["", "## The most confident mistakes", ""]
    for mistake in report.get("mistakes", ()):
        labels = " ".join(f"predicted {mistake['predicted']}, gold {mistake['gold']}".split())
        said = f"* {percent(mistake['probability'])} %: {labels} (id {mistake['id']})"
        lines += [said, *(f"  * {name}: {_cell(text)}" for name, text in texts_of(mistake))]
    return "\n".join(lines) + "\n"


def texts_of(mistake: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a mistake was made on: (field, text)."""
    facts = ("id", "word", "gold", "predicted", "probability")
    return [(name, str(text)) for name, text in mistake.items() if name not in facts]


def percent(score: float | None) -> str:
    return "" if score is None else f"{100 * score:.1f}"


def interval_of(ends: Sequence[float] | None) -> str:
    return " to ".join(map(percent, ends or ()))


def span_of(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _scored(units: Array, statistic: str) -> dict[str, Any]:
    return {"score": score_of(units, statistic), "interval": score_interval(units, statistic)}


def _scores(row: Mapping[str, Any]) -> tuple[float | None, ...]:
    return row["precision"], row["recall"], row["f1"]


def _confusion(confusion: Mapping[str, Any], width: int | None) -> Table:
    """Gold labels down and predicted ones across; where that is too wide, the commonest mistakes."""
    labels, counts, counted = confusion["labels"], confusion["counts"], confusion["counted"]
    first = "gold, down"
    cells = zip(labels, zip(*counts, strict=True), strict=True)
    widths = (max(_width(label), *(len(f"{n:,}") for n in column)) for label, column in cells)
    needed = max(map(_width, (first, *labels))) + sum(column + 3 for column in widths)
    if len(labels) <= WHOLE and (width is None or needed <= width):
        rows: list[list[object]] = [[label, *row] for label, row in zip(labels, counts, strict=True)]
        return Table(f"predicted (across) for gold (down), in {counted}", (first, *labels), rows)
    pairs = [
        (counts[right][guess], labels[right], labels[guess], counts[right][guess] / sum(counts[right]))
        for right in range(len(labels))
        for guess in range(len(labels))
        if right != guess and counts[right][guess]
    ]
    commonest = sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))[:COMMONEST]
    rows = [[gold, predicted, n, percent(share)] for n, gold, predicted, share in commonest]
    title = f"commonest confusions of {len(labels)} labels, in {counted}"
    return Table(title, ("gold", "predicted", "n", "% of gold"), rows)


def _width(text: str) -> int:
    """Columns of a terminal that a text takes: a character of Chinese takes two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return " ".join(text.replace("|", "\\|").split())

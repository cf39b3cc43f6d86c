"""The table of a study: intermediate runs by targets, mean scores over seeds, and gains over `direct` with their intervals.

A gain is paired: the same rows of the same languages, scored directly (retrieval: by the trunk alone) and after an intermediate run of the
same seed. With several seeds the interval is of the nested bootstrap, which draws seeds, languages and rows; with one, rows alone. p is
corrected for having looked at several targets (Holm). Only seeds count under which both are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.runs.results import read_results, read_units
from adapter_stilts.statistics.intervals import Comparison, holm, nested_bootstrap, paired_bootstrap, seed_interval
from adapter_stilts.statistics.result import Result
from adapter_stilts.study.board import Board
from adapter_stilts.study.stages import DIRECT, Cell, retrieval

SEED = 13  # of the bootstrap, not of a run


@dataclass(frozen=True)
class Scored:
    """One reading: the headline row of each language, and where its sums lie."""

    folder: Path
    rows: Mapping[str, Result]

    @property
    def score(self) -> float:
        """The unweighted mean over languages."""
        return float(np.mean([row.score for row in self.rows.values()]))

    def units(self, languages: Iterable[str]) -> list[NDArray[np.float64]]:
        return [read_units(self.folder, self.rows[language]) for language in languages]


@dataclass(frozen=True)
class Entry:
    """One cell of the table, over its seeds; gain, interval and p are None for `direct` and where nothing can be compared.

    seeds      under which there is a score; `compared` are those under which `direct` has one as well
    spread     the t interval of the mean over seeds
    leaks      what the intermediate rows give away of the target's test rows
    """

    intermediate: str
    how: str
    target: str
    control: bool
    retrieval: bool
    metric: str
    languages: int
    n: int
    seeds: tuple[int, ...]
    score: float
    spread: tuple[float, float] | None
    compared: tuple[int, ...]
    gain: float | None
    interval: tuple[float, float] | None
    p: float | None
    p_holm: float | None
    leaks: tuple[str, ...]


def table(cells: Sequence[Cell], board: Board) -> dict[str, list[dict[str, Any]]]:
    """{"entries": one for every cell with a score, "means": over all targets, and without retrieval, for rows that have them all}."""
    read = _Reader(board)
    grouped: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        grouped.setdefault((cell.intermediate, cell.how, cell.target), []).append(cell)
    entries = [entry for group in grouped.values() if (entry := _entry(group, read)) is not None]
    entries = [one for row in _by_row(entries).values() for one in _corrected(row)]
    return {"entries": [asdict(entry) for entry in entries], "means": _means(entries, list(dict.fromkeys(cell.target for cell in cells)))}


class _Reader:
    """Readings by the keys of their stages, each read once."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._folders = {job.stage.key: job.folder for job in board.jobs}
        self._read: dict[str, Scored | None] = {}

    def __call__(self, key: str) -> Scored | None:
        if key not in self._read:
            self._read[key] = self._found(key) if self._board.state(key) == "done" else None
        return self._read[key]

    def _found(self, key: str) -> Scored:
        wanted = {tuple(one) for one in self._board.records[key]["rows"]}
        rows = [row for row in read_results(self._folders[key]) if row.headline and row.key in wanted]
        return Scored(self._folders[key], {row.language: row for row in rows})


def _entry(group: Sequence[Cell], read: _Reader) -> Entry | None:
    """One cell over its seeds; None where no seed has a score."""
    scored = {cell.seed: found for cell in group if (found := read(cell.reading)) is not None}
    if not scored:
        return None
    first, cell = next(iter(scored.values())), group[0]
    pairs = {one.seed: (scored[one.seed], base) for one in group if one.seed in scored and one.how != DIRECT and (base := read(one.base)) is not None}
    row = next(iter(first.rows.values()))
    compared = _compared(list(pairs.values()))
    scores = [found.score for found in scored.values()]
    return Entry(
        intermediate=cell.intermediate,
        how=cell.how,
        target=cell.target,
        control=cell.control,
        retrieval=retrieval(cell.target),
        metric=row.metric,
        languages=len(first.rows),
        n=sum(one.n for one in first.rows.values()),
        seeds=tuple(scored),
        score=float(np.mean(scores)),
        spread=seed_interval(scores),
        compared=tuple(pairs),
        gain=compared.difference if compared else None,
        interval=compared.interval if compared else None,
        p=compared.p if compared else None,
        p_holm=None,
        leaks=tuple(dict.fromkeys(leak for found in scored.values() for one in found.rows.values() for leak in one.notes.get("leaks", ()))),
    )


def _compared(pairs: Sequence[tuple[Scored, Scored]]) -> Comparison | None:
    """Arm against base over the languages that both have under every seed."""
    languages = [code for code in pairs[0][0].rows if all(code in one.rows for pair in pairs for one in pair)] if pairs else []
    if not languages:
        return None
    statistic = pairs[0][0].rows[languages[0]].statistic
    a, b = [arm.units(languages) for arm, _ in pairs], [base.units(languages) for _, base in pairs]
    return nested_bootstrap(a, b, statistic, seed=SEED) if len(pairs) > 1 else paired_bootstrap(a[0], b[0], statistic, seed=SEED)


def _by_row(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Entry]]:
    """Entries by intermediate run and how; what an intermediate run does for retrieval stands in a row of its own."""
    rows: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        rows.setdefault((entry.intermediate, entry.how), []).append(entry)
    return rows


def _corrected(row: Sequence[Entry]) -> list[Entry]:
    values = [entry.p for entry in row if entry.p is not None]
    corrected = iter(holm(values))
    return [entry if entry.p is None else Entry(**{**_plain(entry), "p_holm": next(corrected)}) for entry in row]


def _plain(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}


def _means(entries: Sequence[Entry], targets: Sequence[str]) -> list[dict[str, Any]]:
    """Means over targets, with and without retrieval; None where a target is missing, since such means cannot be compared.

    An intermediate run is read for retrieval once, and counts under every `how` of its trained targets.
    """
    trained = [target for target in targets if not retrieval(target)]
    rows = _by_row(entries)
    found: list[dict[str, Any]] = []
    for (intermediate, how), row in rows.items():
        if all(entry.retrieval for entry in row) and trained:
            continue
        known = {entry.target: entry for entry in [*(one for (label, _), more in rows.items() if label == intermediate for one in more if one.retrieval), *row]}
        found.append({"intermediate": intermediate, "how": how, "control": row[0].control, "all": _mean(known, targets), "trained": _mean(known, trained)})
    base = next((one for one in found if one["how"] == DIRECT), None)
    for one in found:
        for part in ("all", "trained"):
            one[f"{part}_gain"] = _difference(one[part], base[part]) if base is not None and one is not base else None
    return found


def _difference(mean: float | None, base: float | None) -> float | None:
    return None if mean is None or base is None else mean - base


def _mean(known: Mapping[str, Entry], targets: Sequence[str]) -> float | None:
    return float(np.mean([known[target].score for target in targets])) if targets and all(target in known for target in targets) else None

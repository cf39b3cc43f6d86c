"""What a report is made of, as values: parts (a study, a run), their sections, and in these tables and charts.

    Table("costs", "What it cost", (Column("stage"), Column("time", SECONDS)), [("nli", 812.4), ...])

A table is written in every form: a cell is a text or a number, and its column says what the number is. Charts stand in
HTML alone, each beside the table of its numbers. Nothing here knows what is measured, or HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Cell: TypeAlias = str | float | None

TEXT, COUNT, PERCENT, POINTS, SIZE, P, SHARE, SECONDS, MEGABYTES = (
    *("text", "count", "percent", "points", "size", "p", "share", "seconds", "megabytes"),
)
SCALE = {PERCENT: 100.0, POINTS: 100.0, SIZE: 100.0, MEGABYTES: 1e-6}  # how a value is told, by its column's kind
DECIMALS = {COUNT: 0, PERCENT: 1, POINTS: 1, SIZE: 1, P: 3, SHARE: 2, SECONDS: 0, MEGABYTES: 1}
KEPT = 6  # decimals of what programs read
NUMBERS = tuple(DECIMALS)


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, and what its numbers are; `name_unit` has the unit where the kind has one."""

    name: str
    kind: str = TEXT

    @property
    def name_unit(self) -> str:
        unit = {PERCENT: "%", POINTS: "points", SIZE: "points", SECONDS: "s", MEGABYTES: "MB"}.get(self.kind, "")
        return f"{self.name} ({unit})" if unit else self.name

    def shown(self, cell: Cell) -> str:
        """A cell for people: 0.6134 of PERCENT is "61.3", 0.021 of POINTS "+2.1"."""
        if cell is None:
            return ""
        if isinstance(cell, str):
            return cell
        value, decimals = cell * SCALE.get(self.kind, 1.0), DECIMALS.get(self.kind, 0)
        if self.kind == P and 0 <= value < 10**-decimals:
            return f"< {10**-decimals:.{decimals}f}"
        return f"{value:+,.{decimals}f}" if self.kind == POINTS else f"{value:,.{decimals}f}"

    def exact(self, cell: Cell) -> Cell:
        """A cell for programs, in the same unit."""
        if cell is None or isinstance(cell, str) or self.kind == COUNT:
            return cell
        return round(cell * SCALE.get(self.kind, 1.0), KEPT)


@dataclass(frozen=True)
class Table:
    """Rows under columns; the first column names the row.

    name    of the file that has it alone
    folded  shown when it is asked for: the numbers of a chart
    notes   below it
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    folded: bool = False


@dataclass(frozen=True)
class HeatCell:
    """One cell of a heat map.

    shade  -6 (lowest) to 6, 0 where nothing is claimed; None: no colour
    mark   one of the heat map's, "" for none; the words of the marks are in its legend
    """

    lines: Sequence[str]
    shade: int | None = None
    mark: str = ""
    word: str = ""


@dataclass(frozen=True)
class Heat:
    """A table whose cells have a colour, as a chart: a row of cells, None where there is nothing, under columns."""

    caption: str
    corner: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[tuple[Sequence[str], Sequence[HeatCell | None]]]
    legend: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Bars:
    """Bars beside their numbers: for each row a bar in every column, on one scale around zero.

    group   what rows are grouped by
    groups  (title, [(names, values)]), values fractions, None where there is nothing
    labels  of the columns that name a row
    """

    caption: str
    group: str
    labels: Sequence[str]
    columns: Sequence[str]
    groups: Sequence[tuple[str, Sequence[tuple[Sequence[str], Sequence[float | None]]]]]
    notes: Sequence[str] = ()

    @property
    def widest(self) -> float:
        values = [value for _, rows in self.groups for _, row in rows for value in row if value is not None]
        return max(map(abs, values), default=0.0) or 1.0


@dataclass(frozen=True)
class Line:
    """One line of a chart: its name, and its points."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Lines:
    """A chart of lines.

    kind  of the values: PERCENT ...
    rule  a horizontal line, and what it is
    names  of the lines of all charts beside it, so that one name looks alike in all; () those of its own
    """

    caption: str
    across: str
    up: str
    lines: Sequence[Line]
    kind: str = PERCENT
    rule: tuple[float, str] | None = None
    small: bool = False
    names: Sequence[str] = ()


Chart: TypeAlias = Heat | Bars | Lines
Block: TypeAlias = Table | Chart


@dataclass(frozen=True)
class Section:
    title: str
    blocks: Sequence[Block]
    lead: Sequence[str] = ()


@dataclass(frozen=True)
class Part:
    """One path that was asked for.

    kind     "study" or "run"
    answer   what it comes to, in a paragraph
    facts    the few that stand under the name
    """

    kind: str
    name: str
    answer: Sequence[str]
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]

    @property
    def tables(self) -> list[Table]:
        return [block for section in self.sections for block in section.blocks if isinstance(block, Table)]

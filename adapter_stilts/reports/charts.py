"""Charts as numbers: where lines, ticks and bars lie in a drawing. The page's template draws them.

drawn(lines).paths[0].d        "M48.0 120.5 L96.0 98.2 ..."
bar(0.02, widest=0.04, width=100)      (50.0, 25.0): from the middle to the right
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adapter_stilts.reports.page import SCALE, Column, Line, Lines

LARGE, SMALL = (680, 320), (320, 190)  # width and height
TOP, BOTTOM, LEFT = 14, 38, 46
ROOM = 150  # for names at the ends of lines
APART = 14  # names of lines, at least
STYLES = 8  # of lines: colour, dash and marker
TOLD = 8  # lines that a chart's description tells
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Path:
    """A line as SVG's path; its points, for markers; its name and where that is written, None where it is not."""

    name: str
    d: str
    points: Sequence[tuple[float, float]]
    style: int
    label: float | None


@dataclass(frozen=True)
class Drawing:
    """A chart of lines, in pixels. rule: the height of a horizontal line, and what it is."""

    width: int
    height: int
    right: float
    bottom: float
    across: Sequence[Tick]
    up: Sequence[Tick]
    paths: Sequence[Path]
    rule: tuple[float, str] | None
    told: str


def drawn(chart: Lines) -> Drawing:
    """A chart of lines; points that are no numbers are left out."""
    width, height = SMALL if chart.small else LARGE
    right, bottom = width - (12 if chart.small else ROOM), height - BOTTOM
    lines = [Line(line.name, [p for p in line.points if all(map(math.isfinite, p))]) for line in chart.lines]
    lines = [line for line in lines if line.points]
    values = [y for line in lines for _, y in line.points] + ([chart.rule[0]] if chart.rule else [])
    column = Column("", chart.kind)
    ups = ticks(min(values, default=0.0), max(values, default=1.0))
    steps = [x for line in lines for x, _ in line.points]
    low, high = min(steps, default=0.0), max(steps, default=1.0)

    def at(x: float) -> float:
        return round(LEFT + (right - LEFT) * ((x - low) / (high - low) if high > low else 0.5), 1)

    def over(y: float) -> float:
        return round(bottom - (bottom - TOP) * (y - ups[0]) / (ups[-1] - ups[0]), 1)

    placed = [[(at(x), over(y)) for x, y in line.points] for line in lines]
    labels = [None] * len(lines) if chart.small else spread([points[-1][1] for points in placed], TOP, bottom)
    names = list(chart.names or dict.fromkeys(line.name for line in lines))
    paths = [
        Path(line.name, "M" + " L".join(f"{x} {y}" for x, y in points), points, names.index(line.name) % STYLES, label)
        for line, points, label in zip(lines, placed, labels, strict=True)
    ]
    few = [step for step in ticks(low, high) if low <= step <= high]
    marked = few if len(few) > 1 else sorted({low, high})
    across = [Tick(at(step), f"{step:,g}") for step in marked]
    up = [Tick(over(value), f"{value * SCALE.get(chart.kind, 1.0):,.4g}") for value in ups]
    rule = (over(chart.rule[0]), chart.rule[1]) if chart.rule else None
    return Drawing(width, height, right, bottom, across, up, paths, rule, _told(lines, column, chart))


def bar(value: float, widest: float, width: float) -> tuple[float, float]:
    """Where a bar begins and how long it is, around the middle of a width."""
    share = max(-1.0, min(1.0, value / widest)) if math.isfinite(value) else 0.0
    length = abs(share) * width / 2
    return round(width / 2 - (length if share < 0 else 0), 1), round(length, 1)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from at most the low end to at least the high one."""
    if not high > low:
        around = (abs(low) or 1.0) / 10
        low, high = (low - around if low else low), high + around
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(step * size for step in STEPS if step * size >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def spread(heights: Sequence[float], top: float, bottom: float) -> list[float | None]:
    """Heights of labels near the ends of their lines, so far apart that they can be read; None without room."""
    room = int((bottom - top) // APART) + 1
    order = sorted(range(len(heights)), key=lambda number: heights[number])[:room]
    places: list[float | None] = [None] * len(heights)
    last = top - APART
    for number in order:
        last = max(heights[number], last + APART)
        places[number] = last
    limit = bottom + APART
    for number in reversed(order):
        limit = min(places[number] or limit, limit - APART)
        places[number] = round(limit, 1)
    return places


def _told(lines: Sequence[Line], column: Column, chart: Lines) -> str:
    """The chart in words."""
    said = []
    for line in lines[:TOLD]:
        (first, begin), (last, end) = line.points[0], line.points[-1]
        best_at, best = max(line.points, key=lambda point: point[1])
        shown = [column.shown(value) for value in (begin, end, best)]
        course = f"{shown[0]} at {chart.across} {first:g}, {shown[1]} at {last:g}, highest {shown[2]} at {best_at:g}"
        said.append(f"{line.name}: {course}")
    more = f"; and {len(lines) - TOLD} more lines" if len(lines) > TOLD else ""
    return f"{chart.up} by {chart.across}. {'; '.join(said)}{more}."

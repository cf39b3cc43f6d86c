"""`eval --layer all`: layers down, languages across, one metric; the best layer and the protocol's own are marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import render

if TYPE_CHECKING:
    from adapter_stilts.statistics.result import Result

MOST = 10  # languages that have a column each; of more, the lowest and the highest are named


def of_several(rows: Sequence[Result]) -> list[Result]:
    """The headline rows of tasks that were read at several layers."""
    headlines = [row for row in rows if row.headline and "layer" in row.settings]
    layers = {row.task: {other.settings["layer"] for other in headlines if other.task == row.task} for row in headlines}
    return [row for row in headlines if len(layers[row.task]) > 1]


def show(rows: Sequence[Result], folder: Path) -> None:
    """Print a table for every task, and way to read it, of `of_several`."""
    ways: dict[tuple[str, ...], dict[int, dict[str, Result]]] = {}
    for row in rows:
        way = (row.task, row.protocol, row.split, row.metric, str(row.settings.get("language_adapters", "")))
        ways.setdefault(way, {}).setdefault(row.settings["layer"], {})[row.language] = row
    for (task, protocol, split, metric, _), layers in ways.items():
        _table(f"\n{task} ({metric}, {protocol}, {split})", layers, folder)


def _table(title: str, layers: dict[int, dict[str, Result]], folder: Path) -> None:
    from adapter_stilts.runs.results import read_scored
    from adapter_stilts.statistics.gains import mean_interval

    languages = list(dict.fromkeys(code for rows in layers.values() for code in rows))
    means = {layer: sum(row.score for row in rows.values()) / len(rows) for layer, rows in layers.items()}
    best, drawn = max(means, key=lambda layer: (means[layer], -layer)), []
    for layer, rows in sorted(layers.items()):
        first = next(iter(rows.values()))
        marks = ["best"] * (layer == best) + ["default"] * (layer == first.settings.get("protocol_layer"))
        scored = {code: read_scored(folder, row) for code, row in rows.items() if "units" in row.paths}
        interval = mean_interval(scored, first.statistic) if len(scored) == len(rows) else None
        ends = " to ".join(map(render.percent, interval or ()))
        if len(languages) <= MOST:
            cells = [render.percent(rows[code].score) if code in rows else "" for code in languages]
        else:
            ordered = sorted(rows, key=lambda code: rows[code].score)
            cells = [f"{code} {render.percent(rows[code].score)}" for code in (ordered[0], ordered[-1])]
        drawn.append((layer, ", ".join(marks), render.percent(means[layer]), ends, *cells))
    columns = ("layer", "", "mean", "95 % interval", *(languages if len(languages) <= MOST else ("lowest", "highest")))
    render.table(title, columns, drawn)
    n = sum(row.n for row in layers[best].values())
    over = f"{len(languages)} language{'s' if len(languages) > 1 else ''}, n {n} in all"
    render.say(f"mean over {over}; the best is read off these very rows, `sweep` chooses on others")

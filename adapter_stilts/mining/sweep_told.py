"""What a sweep tells a person: the settings that were tried, best first, why one was chosen, and what test says.

    mine: f1 on one half of the queries, 7 settings tried; pool mean, margin ratio
    layer  score  over default, 95 %
        8   99.7  +0.3, -0.3 to +1.0  best
        7   99.3  +0.0, +0.0 to +0.0  chosen, default
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapter_stilts.evaluation.choosing import Choice
from adapter_stilts.mining.sweep_grid import Setting
from adapter_stilts.reporting import Reporter
from adapter_stilts.statistics.intervals import LEVEL

SHOWN = 10  # settings in a table, beside the choice and the default
PARTS = ("layer", "pool", "margin", "centring")  # of a setting
ROLES = ("best", "chosen", "default")


def tell(record: Mapping[str, Any], report: Reporter) -> None:
    """Say what `record`, one task's sweep, holds."""
    task, chosen, default = record["task"], record["chosen"], record["default"]
    report.table(*_tried(record))
    report.say(f"{task}: {record['reason']}")
    on = f"{percent(chosen['score'])} on {record['chosen_on']}, {points(chosen['gain'])} points"
    usual = f"the default, {setting_of(default)}, would have given {percent(default['score'])}"
    report.say(f"chosen for {task}: {setting_of(chosen)}, with {on}; {usual}")
    if (test := record["test"]) is not None:
        gain = points(test["gain"]["difference"], test["gain"]["interval"] or ())
        scores = f"{percent(test['chosen'])} with the choice, {percent(test['default'])} with the default"
        report.say(f"on {test['scored_on']}: {scores} ({gain}){_said(record)}")
    if (readings := record["test_readings"]) > 1:
        times = f"test of {task} has now been read {readings} times by sweeps of this encoder"
        report.say(f"{times}: what was changed after a look at it is fitted to it")


def _tried(record: Mapping[str, Any]) -> tuple[str, tuple[str, ...], list[list[str]]]:
    """Title, columns and rows of the settings that were tried; what all of them have in common is in the title."""
    tried = record["settings"]
    varied = [part for part in PARTS if len({row[part] for row in tried}) > 1]
    same = ", ".join(f"{part} {_part(tried[0][part])}" for part in PARTS if part not in varied)
    roles = {role: setting_of(record[role]) for role in ROLES}
    shown = [row for place, row in enumerate(tried) if place < SHOWN or setting_of(row) in roles.values()]
    rows = []
    for row in shown:
        marks = [role for role in ROLES if roles[role] == setting_of(row)]
        cells = [percent(row["score"]), points(row["gain"], row["gain_interval"]), ", ".join(marks)]
        rows.append([*(_part(row[part]) for part in varied), *cells])
    title = f"{record['task']}: {record['objective']} on {record['chosen_on']}, {len(tried)} settings tried"
    title += f"; {same}" if same else ""
    return title, (*varied, "score", "over default, 95 %", ""), rows


def reason(choice: Choice, settings: Sequence[Setting], default: int) -> str:
    lead, tied = points(choice.gain(choice.best, default)[0]), len(choice.tied)
    best = f"of {len(settings)} settings {settings[choice.best]} is the best, {lead} against the protocol's default"
    if choice.chosen == default:
        within = "which is itself the best" if choice.best == default else "which is within one standard error of it"
        return f"{best}; the default stays, {within}"
    if tied == 1:
        return f"{best}; no other is within one standard error of it"
    return f"{best}; {tied} are within one standard error of it, and {settings[choice.chosen]} is the simplest of them"


def setting_of(row: Mapping[str, Any]) -> Setting:
    return Setting(*(row[part] for part in PARTS))


def _said(record: Mapping[str, Any]) -> str:
    """What test says of the choice."""
    gain = record["test"]["gain"]
    if not record["decided"] or gain["p"] is None:
        return ""
    if gain["p"] >= 1 - LEVEL:
        return ": it cannot be told from the protocol's default"
    return f": it {'beats' if gain['difference'] > 0 else 'loses to'} the protocol's default"


def _part(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def percent(score: float) -> str:
    return f"{100 * score:.1f}"


def points(gain: float, interval: Sequence[float] = ()) -> str:
    return f"{100 * gain:+.1f}" + (f", {100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}" if interval else "")

"""`info RUN` and `compare RUN RUN`: what a run says of itself, and where two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from . import render
from .options import JsonOption


def info(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run, or a bundle: a folder or a .zip.")],
    as_json: JsonOption = False,
) -> None:
    """Show what a run or a bundle says of itself.

    Trunk, parts, parents, training and scores, from its manifest.

    \b
    Example:
      adapter-stilts info runs/nli-1a2b3c4d
    """
    from adapter_stilts.exchange.info import info as read

    document = read(run)
    if as_json:
        render.document(document)
        return
    trunk, training = document["trunk"], document["training"]
    size = f"{trunk['layers']} layers of width {trunk['hidden']}"
    facts = {name: document[name] for name in ("run", "task", "language")}
    facts["trunk"] = f"{trunk['name']} ({size}, {trunk['precision']}, fingerprint {trunk['fingerprint']})"
    facts |= {name: document.get(name) for name in ("kind", "learning_rate")}
    facts["from layer"] = document.get("from_layer")
    facts["seed"] = document["seeds"].get("training")
    facts["steps"], facts["rows"] = _steps(training), document["rows"]
    facts["learned"] = "; ".join(_learned(*pair) for pair in training.get("learned", {}).items())
    facts["try next"] = training.get("advice", "")
    scores = [_score(row) for row in document["results"] if row.get("headline")]
    facts["score"] = "; ".join([*scores[:3], *(["the others below"] if scores[3:] else [])])
    facts |= {name: document[name] for name in ("how", "control", "composition")}
    facts["built on"] = ", ".join(parent["name"] for parent in document["parents"]) or "nothing"
    facts["merged"] = _merged(document.get("merge"))
    facts["seen"] = [f"{language} ({', '.join(tasks)})" for language, tasks in document["seen"].items()]
    facts |= {name: document[name] for name in ("seconds", "device", "licence", "bytes")}
    facts["substitutions"] = "; ".join(document["substitutions"])
    render.facts({name: value for name, value in facts.items() if value not in (None, "", [])})
    if document["tasks"]:
        _table("\ntasks", document["tasks"], ("task", "format", "languages", "rows", "share", "steps"))
    _table("\nparts", document["parts"], ("part", "role", "active", "trained", "parameters"))
    render.results(document["results"])


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another.")],
    as_json: JsonOption = False,
) -> None:
    """Compare two runs: settings that differ, and scores over the same rows.

    \b
    Example:
      adapter-stilts compare runs/xcopa-direct runs/xcopa-after-hellaswag
    """
    from adapter_stilts.config.explain import written
    from adapter_stilts.runs.compare import compare_runs
    from adapter_stilts.statistics.verdicts import points

    document = compare_runs(first, second)
    if as_json:
        render.document(document)
        return
    both = [str(first), str(second)]
    rows = [(row["key"], *map(written, row["values"])) for row in document["settings"]]
    render.table("settings that differ", ("setting", *both), rows)
    for sentence in document["unlearned"]:
        render.say(sentence)
    for task in document["scores"]:
        lines = [(row["language"], row["scores"], row["difference"]) for row in task["languages"]]
        lines += [("mean", task["means"], task["difference"])] if len(lines) > 1 else []
        shown = [(name, *map(render.percent, scores), points(gain)) for name, scores, gain in lines]
        title = f"\n{task['task']} ({task['metric']}, {task['split']}, n {task['n']})"
        render.table(title, ("language", *both, "difference"), shown)
        render.say(f"{task['task']}: {task['sentence']}")
        if task["dropped"]:
            render.say(f"compared without {', '.join(task['dropped'])}, which only one of them has")


def _table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    render.table(title, columns, [[row.get(name) for name in columns] for row in rows])


def _learned(task: str, learning: Mapping[str, Any]) -> str:
    """nli yes (accuracy 61.0, without learning 33.6)"""
    baseline, word = learning["baseline"], {True: "yes", False: "no", None: "not known"}[learning["learned"]]
    simple = max(baseline["chance"], baseline["majority"] or 0.0)
    score = f"{baseline['metric']} {render.percent(learning['score'])}"
    return f"{task} {word} ({score}, without learning {render.percent(simple)})"


def _merged(merge: Mapping[str, Any] | None) -> str:
    """How a run was merged: "ties, weights 1 -0.5, density 0.2, rank 8, error 0.31, head of nli"."""
    if merge is None:
        return ""
    weights = " ".join(f"{weight:g}" for weight in merge["weights"])
    numbers = [f"{name} {merge[name]:g}" for name in ("density", "scale", "rank", "error") if merge.get(name)]
    named = merge.get("head", "")
    head = {"": "", "none": "no head", "merged": "the mean of heads"}.get(named, f"head of {named}")
    return ", ".join(filter(None, [merge["method"], f"weights {weights}", *numbers, head]))


def _steps(training: Mapping[str, Any]) -> str:
    """240, of which step 180 is kept (ended by patience)"""
    kept = f", of which step {training['best_step']} is kept" if training.get("best_step") is not None else ""
    ended = f" (ended by {training['stopped_by']})" if training.get("stopped_by") else ""
    return f"{training.get('steps', 0)}{kept}{ended}"


def _score(row: Mapping[str, Any]) -> str:
    """nli sw validation accuracy 61.0 (56.7 to 65.2, n 500)"""
    from adapter_stilts.statistics.result import Result

    between = " to ".join(map(render.percent, row["interval"])) + ", " if row.get("interval") else ""
    of = "of the first rows alone, " if Result.from_json(row).partial else ""
    name = " ".join(row.get(part, "") for part in ("task", "language", "split", "metric"))
    return f"{name} {render.percent(row['score'])} ({between}{of}n {row['n']})"

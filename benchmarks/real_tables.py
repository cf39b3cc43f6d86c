"""The tables of a study on real text: means over seeds, intervals, and what each arm adds, for people and for programs.

    python benchmarks/real_tables.py /tmp/transfer --name nano-xlmr

The folder is that of `adapter-stilts study` with one of benchmarks/real/*.yaml, whose top says what is measured.
Writes results/<name>.md, and results/<name>.jsonl with one row per score. --layers reads what is retrieved (Tatoeba,
pairs to mine) at every layer first, with the trunk and every intermediate run. Not covered: mining FLORES and TICO-19
with every row a pair, and every layer's F1 there; results/real_mining.md has them from before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from record import RESULTS, facts, options

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.subject import Request
from adapter_stilts.studies.stages import sources_for
from adapter_stilts.tasks.user import find_task

KEPT = ("task", "protocol", "language", "split", "metric", "score", "n", "interval")
COLUMNS = ("arm", "seeds", "mean", "95 % over seeds", "English", "points", "95 %", "p (Holm)")


def main() -> None:
    asked = options(__doc__, "folder", name=str, results=RESULTS, layers=False)
    name, out = asked.name or asked.folder.name, asked.results
    study = json.loads((asked.folder / "study.json").read_text(encoding="utf-8"))
    if asked.layers:
        read_every_layer(study, asked.folder)
    text = "\n".join([head(study, name), *layers(study), *tables(study["entries"])])
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    rows = [json.dumps(row, ensure_ascii=False) + "\n" for row in every_row(study)]
    (out / f"{name}.jsonl").write_text("".join(rows), encoding="utf-8")
    print(text)


def head(study: Mapping[str, Any], name: str) -> str:
    config, made = study["config"], facts()
    settings = ", ".join(f"{key} {value}" for key, value in config["settings"].items())
    left = [stage["stage"] for stage in study["stages"] if stage["state"] != "done"]
    return (
        f"# {name}\n\nThe study `benchmarks/real/{config['name']}.yaml`; tables by `benchmarks/real_tables.py` "
        f"at commit {made['commit']} on {made['machine']}, Python {made['python']}, torch {made['torch']}.\n"
        f"Trunk {Path(config['trunk']['name']).name} in {config['trunk']['precision']}; "
        f"seeds {', '.join(map(str, config['seeds']))}; {settings}.\n"
        f"{len(study['stages']) - len(left)} of {len(study['stages'])} stages are done"
        f"{'; not done: ' + ', '.join(left) if left else ''}.\n"
    )


def tables(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One for each target: `direct` (retrieval: the trunk alone), then every arm with its gain."""
    for target in dict.fromkeys(entry["target"] for entry in entries):
        first, *_ = arms = [entry for entry in entries if entry["target"] == target]
        over = "languages other than English" if "source" in first else "languages"
        yield f"### {target} ({first['metric']}): mean over {first['languages']} {over}, n {first['n']}\n"
        yield markdown(COLUMNS, [cells(entry) for entry in arms])


def cells(entry: Mapping[str, Any]) -> list[str]:
    arm = f"{entry['how']} {entry['intermediate']}".strip() + (" (control)" if entry["control"] else "")
    english = percent(entry["source"]["score"]) if "source" in entry else ""
    row = [arm, str(len(entry["seeds"])), percent(entry["score"]), between(entry["spread"]), english]
    if entry["gain"] is None:
        return [*row, "", "", ""]
    return [*row, f"{100 * entry['gain']:+.2f}", between(entry["interval"], "+"), f"{entry['p_holm']:.3f}"]


def read_every_layer(study: Mapping[str, Any], folder: Path) -> None:
    grid = study["config"]
    shared = {**{f"trunk.{key}": value for key, value in grid["trunk"].items()}, **grid["settings"]}
    shared |= grid["target_settings"]
    for target in retrieved(study):
        read = {"data.sources": list(sources_for(grid["data"], (target["task"],))), "retrieval.layer": "all"}
        read["evaluation.languages"] = list(target["languages"])
        config = with_settings(RunConfig(), {**shared, **target["settings"], **read})
        for run in readers(study, target).values():
            of_run = None if run.name.startswith("trunk-") else run
            request = Request(config, (target["task"],), of_run, save_vectors=False)
            evaluate(request, out=run, runs=folder / "runs", overwrite=False, dry_run=False, report=Silent())


def layers(study: Mapping[str, Any]) -> Iterator[str]:
    """What is retrieved by hidden state, where every layer was read: the mean over languages."""
    for target in retrieved(study):
        rows = {label: layer_means(folder, target) for label, folder in readers(study, target).items()}
        columns = sorted({layer for means in rows.values() for layer in means})
        whole = {label: means for label, means in rows.items() if len(means) > 1}
        if len(columns) > 1:
            yield f"### {label_of(target)}, mean over languages, by hidden state\n"
            table = [[label, *(percent(means[layer]) for layer in columns)] for label, means in whole.items()]
            yield markdown(("run", *map(str, columns)), table)


def label_of(target: Mapping[str, Any]) -> str:
    return str(target["name"] or target["task"])


def retrieved(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    alone = {entry["target"] for entry in study["entries"] if entry["retrieval"]}
    return [target for target in study["config"]["targets"] if label_of(target) in alone]


def readers(study: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Path]:
    """What reads a target, by its label: the trunk alone, then the runs."""
    start = f"{label_of(target)} with "
    done = [stage for stage in study["stages"] if stage["stage"].startswith(start) and stage["state"] == "done"]
    return {stage["stage"].removeprefix(start): Path(stage["folder"]) for stage in done}


def layer_means(folder: Path, target: Mapping[str, Any]) -> dict[int, float]:
    task, centred = find_task(target["task"]).name, target["settings"].get("retrieval.centre", False)
    scores: dict[int, list[float]] = {}
    for row in results(folder):
        wanted = (row["task"], row.get("split"), row.get("headline")) == (task, target["split"], True)
        if wanted and bool(row["settings"].get("centring")) == centred:
            scores.setdefault(row["settings"]["layer"], []).append(row["score"])
    return {layer: float(np.mean(of_layer)) for layer, of_layer in scores.items()}


def every_row(study: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every score of every folder; of retrieval, that at the protocol's layer."""
    for folder in sorted({Path(stage["folder"]) for stage in study["stages"]}):
        for row in results(folder):
            settings = row.get("settings", {})
            if settings.get("layer") == settings.get("protocol_layer"):
                yield {"run": folder.name, **{key: row[key] for key in KEPT}, "layer": settings.get("layer")}


def results(folder: Path) -> list[dict[str, Any]]:
    path = folder / "results.json"
    return list(json.loads(path.read_text(encoding="utf-8"))["results"]) if path.is_file() else []


def percent(score: float) -> str:
    return f"{100 * score:.2f}"


def between(bounds: Sequence[float] | None, sign: str = "") -> str:
    return " to ".join(f"{100 * bound:{sign}.2f}" for bound in bounds or ())


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *rows]) + "\n"


if __name__ == "__main__":
    main()

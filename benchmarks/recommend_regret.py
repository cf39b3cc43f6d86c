"""What does it cost to build on the run that `recommend` names, against knowing how every arm ended?

    python benchmarks/recommend_regret.py STUDY DATA

STUDY is the folder of a finished study with trained targets, DATA what it read. For each target and seed the arms are
the target trained directly ("none") and after each intermediate run; an arm's worth is its mean zero-shot score, over
the languages that were scored. Regret is the best arm's worth less that of the arm that a method names, in points:

    logme    the highest evidence on the target's English training rows, the trunk alone among them
    size     the run with the most training rows
    none     always the direct run
    random   the mean over all arms, which is what a blind choice is worth

One row a choice goes to results/recommend_regret.jsonl. The rows that are ranked on are never those that are scored.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

from record import options, record

import adapter_stilts as stilts
from adapter_stilts.runs.results import read_results

NAME, NONE = "recommend_regret", "none"


def main() -> None:
    asked = options(__doc__, "study", "data", rows=1000)
    document = json.loads((asked.study / "study.json").read_text(encoding="utf-8"))
    done = {stage["stage"]: stage for stage in document["stages"] if stage["state"] == "done"}
    config = document["config"]
    sources = [entry.get("name") or entry["task"] for entry in config["intermediate"]]
    regrets: dict[str, list[float]] = defaultdict(list)
    for target in config["targets"]:
        label = target.get("name") or target["task"]
        for seed in config["seeds"]:
            arms = {NONE: f"{label}-direct-s{seed}"}
            arms |= {source: f"{label}-sequential-{source}-s{seed}" for source in sources}
            worth = {name: zero_shot(done[stage]) for name, stage in arms.items() if stage in done}
            if NONE not in worth or len(worth) < 3:
                continue
            runs = {name: Path(done[f"{name}-s{seed}"]["folder"]) for name in worth if name != NONE}
            found = stilts.recommend(
                list(runs.values()), target=target["task"], data=str(asked.data), rows=asked.rows
            )
            named = {folder.name: name for name, folder in runs.items()} | {NONE: NONE}
            ranked = [named[row["name"]] for row in found["results"]]
            rows = {named[row["name"]]: row["rows"] for row in found["results"]}
            chosen = {"logme": ranked[0], "size": max(runs, key=rows.__getitem__), "none": NONE}
            for method, name in chosen.items():
                regret = 100 * (max(worth.values()) - worth[name])
                regrets[method].append(regret)
                record(NAME, choice(label, seed, method, name, regret, worth, found))
            regrets["random"].append(100 * (max(worth.values()) - mean(worth.values())))
    for method, each in regrets.items():
        print(f"{method}: mean regret {mean(each):.1f} points over {len(each)} choices, at most {max(each):.1f}")


def choice(
    target: str, seed: int, method: str, name: str, regret: float, worth: dict[str, float], found: dict[str, Any]
) -> dict[str, Any]:
    evidence = {row["name"]: round(row["evidence"], 4) for row in found["results"]} if method == "logme" else {}
    scores = {arm: round(100 * score, 1) for arm, score in worth.items()}
    what = {"target": target, "seed": seed, "method": method, "chosen": name, "regret": round(regret, 2)}
    return {**what, "worth": scores, "evidence": evidence}


def zero_shot(stage: dict[str, Any]) -> float:
    """The mean over the languages scored on test."""
    rows = [row for row in read_results(Path(stage["folder"])) if row.headline and row.split == "test"]
    return mean(row.score for row in rows if row.language != "en")


if __name__ == "__main__":
    main()

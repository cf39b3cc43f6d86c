"""One adapter merged from several, a fusion over them, one trained on all their tasks, or the best of them alone?

    python benchmarks/merge_or_fuse.py STUDY DATA TRUNK [--languages de hi sw] [--layers 7 12]

STUDY is the folder of `adapter-stilts study studies/real/merging` (its top says what is trained), DATA the folder of
real data, TRUNK the one it was trained on. What is retrieved (Tatoeba) is read here with the trunk, every intermediate
run, their merges by three methods and the fusions; trained targets are those of the study. "best alone" is, under each
seed, the run with the best score on the target's English validation rows: nothing is chosen by what is shown. One row a
score goes to results/merge_or_fuse.jsonl, the table of all that stands there to the screen. Scores that stand in runs
are not made again. --seeds are those to record; by default all that are done.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from record import facts, options, record, recorded

import adapter_stilts as stilts
from adapter_stilts.runs.results import read_results
from adapter_stilts.sharing.manifest import read_manifest

NAME = "merge_or_fuse"
ALONE, METHODS = ("nli", "pos"), ("average", "ties", "dare_ties")
TARGETS = ("snli", "paraphrase")
SCORE = ("target", "arm", "seed", "language", "split", "layer")
BEFORE = {"joint": ("joint",), "fused": ALONE, "merged": ALONE, **{f"after {name}": (name,) for name in ALONE}}


def main() -> None:
    more: dict[str, Any] = {"languages": ("de", "hi", "sw"), "layers": (7, 12), "seeds": (0,)}
    asked = options(__doc__, "study", "data", "trunk", **more)
    study = json.loads((asked.study / "study.json").read_text(encoding="utf-8"))
    stages = [stage for stage in study["stages"] if stage["state"] == "done"]
    folders = {stage["stage"]: Path(stage["folder"]) for stage in stages if stage["work"] == "train"}
    seconds = {name: read_manifest(folder).seconds for name, folder in folders.items()}
    ended = {stage["seed"] for stage in stages if stage["stage"].startswith(f"{TARGETS[-1]}-merge")}
    for seed in sorted(ended & set(asked.seeds) or ended):
        for row in (*trained(folders, seconds, seed), *retrieved(asked, folders, seed)):
            record(NAME, row)
    print(table(kept()))


def kept() -> list[dict[str, Any]]:
    """Every score that is recorded, the last where one is there twice."""
    return list({tuple(row.get(key) for key in SCORE): row for row in recorded(NAME)}.values())


def trained(folders: dict[str, Path], seconds: dict[str, float], seed: int) -> Iterator[dict[str, Any]]:
    """Scores of the targets, with bytes of what a run adds and the seconds its target's training took."""
    for target in TARGETS:
        arms = {"direct": "direct", "joint": "sequential-joint", "fused": "fuse-both", "merged": "merge-both"}
        arms |= {f"after {name}": f"sequential-{name}" for name in ALONE}
        for arm, name in arms.items():
            stage = f"{target}-{name}-s{seed}"
            if stage not in folders:
                continue
            scores = [row for row in read_results(folders[stage]) if row.headline]
            size = sum(path.stat().st_size for path in folders[stage].rglob("*.safetensors"))
            cost = {"bytes": size, "seconds": seconds[stage]}
            cost["seconds_before"] = sum(seconds[f"{each}-s{seed}"] for each in BEFORE.get(arm, ()))
            for row in scores:
                what = {"target": target, "arm": arm, "seed": seed, "language": row.language, "split": row.split}
                yield {**what, **scored(row), **cost}


def retrieved(asked: Any, folders: dict[str, Path], seed: int) -> Iterator[dict[str, Any]]:
    """Tatoeba with each run as it is; merges are made under the study's folder."""
    runs: dict[str, Any] = {f"after {name}": folders[f"{name}-s{seed}"] for name in ALONE}
    runs |= {"joint": folders[f"joint-s{seed}"]}
    runs |= {f"fused under {target}": folders[f"{target}-fuse-both-s{seed}"] for target in TARGETS}
    for method in METHODS:
        start, out = time.monotonic(), asked.study / "merges" / f"{method}-s{seed}"
        parts = [runs[f"after {name}"] for name in ALONE]
        if not (out / "manifest.json").exists():
            stilts.merge(parts, method=method, head="none", out=out, seed=seed)
        runs[f"merged: {method}"] = out
        print(f"merged by {method} in {time.monotonic() - start:.1f} s")
    given: dict[str, Any] = {"languages": asked.languages, "layer": list(asked.layers), "data": str(asked.data)}
    for arm, run in {"direct": None, **runs}.items():
        trunk = {"trunk": str(asked.trunk)} if run is None else {}
        for row in stilts.evaluate(run, "tatoeba", **given, **trunk):
            if row.headline and row.settings.get("layer") in asked.layers:  # all between are read, too
                what = {"target": "tatoeba", "arm": arm, "seed": seed, "language": row.language, "split": row.split}
                layer = row.settings.get("layer")
                yield {**what, "layer": layer, **scored(row)}


def scored(row: Any) -> dict[str, Any]:
    return {"metric": row.metric, "score": row.score, "n": row.n}


def table(rows: list[dict[str, Any]]) -> str:
    """Means over languages, seed by seed, and over seeds; the best run alone is chosen as the top of this file says."""
    by: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["split"] == "validation" or (row["language"] == "en" and row["target"] != "tatoeba"):
            continue
        target = row["target"] + (f" {row['layer']}" if "layer" in row else "")
        by[target, row["arm"]][row["seed"]].append(row["score"])
    costs: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if "seconds" in row:
            costs[row["target"], row["arm"]].append(row)
    lines = [json.dumps({"facts": facts()["machine"]}), "| target | arm | by seed | mean | MB | minutes | before |"]
    lines.append("|---|---|---|---|---|---|---|")
    for (target, arm), scores in by.items():
        means = [100 * mean(scores[seed]) for seed in sorted(scores)]
        shown = f"| {target} | {arm} | {', '.join(f'{each:.1f}' for each in means)} | {mean(means):.1f} |"
        if of_arm := costs.get((target, arm)):
            size, now, before = (mean(row[key] for row in of_arm) for key in ("bytes", "seconds", "seconds_before"))
            shown += f" {size / 1e6:.1f} | {now / 60:.1f} | {before / 60:.1f} |"
        lines.append(shown)
    for target in TARGETS:
        chosen = {}
        for row in rows:
            if row["target"] == target and row["split"] == "validation" and row["arm"].startswith("after "):
                best = chosen.get(row["seed"])
                chosen[row["seed"]] = max(best or row, row, key=lambda each: each["score"])
        means = [100 * mean(by[target, row["arm"]][seed]) for seed, row in sorted(chosen.items())]
        named = ", ".join(row["arm"].removeprefix("after ") for _, row in sorted(chosen.items()))
        if means:
            shown = ", ".join(f"{each:.1f}" for each in means)
            lines.append(f"| {target} | best alone ({named}) | {shown} | {mean(means):.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

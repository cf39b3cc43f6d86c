"""The tables of a folder that `real_transfer.py` filled: means over seeds, intervals, and what each arm adds.

    python benchmarks/real_tables.py /tmp/grid --name nano-xlmr --results benchmarks/results

Every difference has a nested bootstrap interval (seeds, languages and rows drawn anew, the same draw for both arms), and p-values within a
table are Holm-corrected. Writes <name>.md for people and <name>.jsonl, one row per score (of retrieval, at the protocol's layer), for programs.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from real_transfer import GRIDS

from adapter_stilts.statistics.intervals import Comparison, holm, nested_bootstrap, seed_interval

REPLICATES = 2000


@dataclass(frozen=True)
class Arm:
    """One line of a table: what it is called, and its run for each seed (the same one, for a trunk that has no seed)."""

    label: str
    by_seed: Mapping[int, Path]

    @property
    def runs(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(self.by_seed.values()))


def main() -> None:
    options = _options()
    record = json.loads((options.folder / "grid.json").read_text())
    grid = GRIDS[record.get("grid", "transfer")]
    seeds, done = record["seeds"], {name for name, seconds in record["runs"].items() if seconds}
    arms = [_arm(options.folder, label, pattern, seeds, done) for label, pattern in grid.retrieval_arms()]
    arms = [arm for arm in arms if arm.runs]
    parts = [_head(grid, record, options.name)]
    trunk = Arm("trunk alone", dict.fromkeys(seeds, options.folder / "trunk"))
    parts.append(_layers([trunk, *arms]))
    parts.append(_compared("Tatoeba at the protocol's layer, English to foreign", "tatoeba", "accuracy", trunk, arms))
    mined = [arm for arm in arms if _chosen(arm.runs[0], "bucc2018", "f1")]  # the controls are read on Tatoeba alone
    if mined:
        parts.append(_compared("Mining, threshold from dev applied to test", "bucc2018", "f1", trunk, mined))
    parts += [_target(grid, options.folder, target, seeds, done) for target in grid.TARGETS]
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / f"{options.name}.md").write_text("\n".join(parts), encoding="utf-8")
    with (options.results / f"{options.name}.jsonl").open("w", encoding="utf-8") as stream:
        for name in sorted(done):
            for row in filter(_at_protocol_layer, _rows(options.folder / name)):
                stream.write(json.dumps({"run": name, **_short(row)}, ensure_ascii=False) + "\n")
    print("\n".join(parts))


def _target(grid: ModuleType, folder: Path, target: str, seeds: Sequence[int], done: set[str]) -> str:
    """One target: direct, then every way to use an intermediate task, on the languages that are not English."""
    metric = {"nli": "accuracy", "choice": "accuracy", "paraphrase": "accuracy"}.get(target, "f1")
    direct = _arm(folder, "direct", f"{target}-s{{seed}}", seeds, done)
    arms = [_arm(folder, label, pattern, seeds, done) for label, pattern in grid.target_arms(target)]
    return _compared(
        f"Target {target}: zero-shot mean over languages other than English, and English",
        target,
        metric,
        direct,
        [arm for arm in arms if arm.runs],
        zero_shot=True,
    )


def _compared(title: str, task: str, metric: str, base: Arm, arms: Sequence[Arm], *, zero_shot: bool = False) -> str:
    """A table of arms against a base arm."""
    if not base.runs:
        return f"\n### {title}\n\nNot run.\n"
    scored = [(arm, _mean_scores(arm, task, metric, zero_shot)) for arm in (base, *arms)]
    comparisons = [_compare(arm, base, task, metric, zero_shot) for arm in arms]
    corrected = holm([one.p for one in comparisons]) if comparisons else []
    languages = _languages(base.runs[0], task, metric, zero_shot)
    lines = [f"\n### {title}\n", f"n per language: {_sizes(base.runs[0], task, metric)}; {len(languages)} languages in the mean.\n"]
    english = zero_shot and bool(_english(base, task, metric))
    lines += [
        f"| arm | seeds | mean | 95 % over seeds |{' English |' if english else ''} points against {base.label} | 95 % (seeds, languages, rows) | p (Holm) |"
    ]
    lines += [f"|---|---|---|---|{'---|' if english else ''}---|---|---|"]
    for number, (arm, scores) in enumerate(scored):
        spread = seed_interval(scores)
        cells = [arm.label, str(len(scores)), f"{100 * np.mean(scores):.2f}", f"{100 * spread[0]:.2f} to {100 * spread[1]:.2f}" if spread else ""]
        cells += [f"{100 * np.mean(_english(arm, task, metric)):.2f}"] if english else []
        if number:
            one = comparisons[number - 1]
            cells += [f"{100 * one.difference:+.2f}", f"{100 * one.interval[0]:+.2f} to {100 * one.interval[1]:+.2f}", f"{corrected[number - 1]:.3f}"]
        else:
            cells += ["", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _layers(arms: Sequence[Arm]) -> str:
    """Tatoeba by layer: the mean over languages and seeds."""
    layers = sorted({row["settings"]["layer"] for row in _rows(arms[0].runs[0]) if row["task"] == "tatoeba"})
    lines = [
        "\n### Tatoeba, English to foreign, mean over languages, by hidden state\n",
        "| arm | " + " | ".join(map(str, layers)) + " |",
        "|---" * (len(layers) + 1) + "|",
    ]
    for arm in arms:
        means = []
        for layer in layers:
            scores = [
                row["score"]
                for run in arm.runs
                for row in _rows(run)
                if row["task"] == "tatoeba" and row["metric"] == "accuracy" and row["settings"]["layer"] == layer
            ]
            means.append(f"{100 * np.mean(scores):.2f}")
        lines.append(f"| {arm.label} | " + " | ".join(means) + " |")
    return "\n".join(lines) + "\n"


def _compare(arm: Arm, base: Arm, task: str, metric: str, zero_shot: bool) -> Comparison:
    pairs = [(run, base.by_seed[seed]) for seed, run in arm.by_seed.items() if seed in base.by_seed]
    languages = _languages(base.runs[0], task, metric, zero_shot)
    a = [[_units(run, _row(run, task, metric, language)) for language in languages] for run, _ in pairs]
    b = [[_units(run, _row(run, task, metric, language)) for language in languages] for _, run in pairs]
    return nested_bootstrap(a, b, _row(base.runs[0], task, metric, languages[0])["statistic"], seed=13, replicates=REPLICATES)


def _mean_scores(arm: Arm, task: str, metric: str, zero_shot: bool) -> list[float]:
    """One mean over languages per seed."""
    return [float(np.mean([_row(run, task, metric, language)["score"] for language in _languages(run, task, metric, zero_shot)])) for run in arm.runs]


def _english(arm: Arm, task: str, metric: str) -> list[float]:
    return [row["score"] for run in arm.runs for row in _chosen(run, task, metric) if row["language"] in ("en", "eng")]


def _languages(run: Path, task: str, metric: str, zero_shot: bool) -> list[str]:
    return sorted(row["language"] for row in _chosen(run, task, metric) if not (zero_shot and row["language"] in ("en", "eng")))


def _row(run: Path, task: str, metric: str, language: str) -> Mapping[str, Any]:
    (row,) = [row for row in _chosen(run, task, metric) if row["language"] == language]
    return row


@cache
def _chosen(run: Path, task: str, metric: str) -> tuple[Mapping[str, Any], ...]:
    """The test rows of a metric; of a layer sweep those at the protocol's layer."""
    rows = [row for row in _rows(run) if (row["task"], row["metric"], row["split"]) == (task, metric, "test")]
    return tuple(filter(_at_protocol_layer, rows))


def _at_protocol_layer(row: Mapping[str, Any]) -> bool:
    """Whether a row is of no retrieval, or of the layer that its protocol reads."""
    return not row["retrieval"] or row["settings"]["layer"] == row["settings"]["protocol_layer"]


@cache
def _rows(run: Path) -> tuple[Mapping[str, Any], ...]:
    path = run / "results.json"
    return tuple(json.loads(path.read_text(encoding="utf-8"))["results"]) if path.is_file() else ()


def _units(run: Path, row: Mapping[str, Any]) -> NDArray[np.float64]:
    units: NDArray[np.float64] = np.load(run / row["units"], allow_pickle=False)
    return units


def _arm(folder: Path, label: str, pattern: str, seeds: Sequence[int], done: set[str]) -> Arm:
    return Arm(label, {seed: folder / name for seed in seeds if (name := pattern.format(seed=seed)) in done})


def _sizes(run: Path, task: str, metric: str) -> str:
    return ", ".join(f"{row['language']} {row['n']}" for row in sorted(_chosen(run, task, metric), key=lambda row: str(row["language"])))


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("task", "protocol", "language", "split", "metric", "score", "n", "interval")
    return {**{key: row[key] for key in kept}, "layer": row["settings"].get("layer")}


def _head(grid: ModuleType, record: Mapping[str, Any], name: str) -> str:
    facts = record["facts"]
    seeds, rows, tests = ", ".join(map(str, record["seeds"])), facts["rows"] or "all", facts["test_rows"] or "all"
    chosen = f"the best of {grid.CHECKPOINTS} checkpoints by English validation"
    missing = sorted(name for name, seconds in record["runs"].items() if not seconds)
    return (
        f"# {name}\n\nMade by `benchmarks/real_transfer.py` at commit {record['commit']} on {record['machine']}, {record['cores']} cores; "
        f"tables by `benchmarks/real_tables.py`, {_machine()}.\n"
        f"Seeds {seeds} for both stages; {facts['steps']} steps of {facts['token_budget']} padded tokens a run, learning rate {facts['learning_rate']:g},\n"
        f"kind seq_bn, trunk in {facts['precision']}, {rows} training rows, {chosen}; at most {tests} rows per\n"
        f"language of {grid.THINNED}, at equal distances. {len(record['runs']) - len(missing)} of {len(record['runs'])} runs are there"
        f"{'; not run: ' + ', '.join(missing) if missing else ''}.\n\n"
        f"Command: `python benchmarks/real_transfer.py {' '.join(_without_folders(record['argv']))}`"
    )


def _without_folders(words: Sequence[str]) -> list[str]:
    """A command line without the places of one machine: of a path its last name."""
    return [word.rstrip("/").rsplit("/", 1)[-1] if word.startswith(("/", ".")) else word for word in words]


def _machine() -> str:
    import torch

    card = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"Python {platform.python_version()}, torch {torch.__version__}{card}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()

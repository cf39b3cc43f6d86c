"""The tables of a study on real text: means over seeds, intervals, and what each arm adds, for people and for programs.

    python benchmarks/real_tables.py /tmp/transfer --name nano-xlmr

The folder is that of `adapter-stilts study` with one of configs/studies/real/*.yaml, whose top says what is measured.
Writes results/<name>.md, and results/<name>.jsonl with one row per score. --layers reads what is retrieved (Tatoeba,
pairs to mine) at every layer first, with the trunk and every intermediate run. Not covered: mining FLORES and TICO-19
with every row a pair, and every layer's F1 there; results/real_mining.md has them from before.

    python benchmarks/real_tables.py benchmarks/results/nano-xlmr.jsonl --again

makes the tables of gains anew from rows of scores alone, between the marks in the page of that name. Which rows were
right was not kept then: what the rows themselves leave open is in those intervals only as far as seeds and languages
differ by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from record import RESULTS, facts, options

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.subject import Request
from adapter_stilts.statistics.gains import Error, Gain, compare_means, elsewhere_of, holm
from adapter_stilts.studies.stages import sources_for
from adapter_stilts.tasks.user import find_task

KEPT = ("task", "protocol", "language", "split", "metric", "score", "n", "interval")
COLUMNS = ("arm", "mean", "English", "points", "by seed", "95 %", "p (Holm)", "could have seen")
COLUMNS += ("95 % elsewhere", "p (Holm)")
HEADLINES = {"accuracy": ("tatoeba", "nli", "choice", "paraphrase"), "f1": ("bucc2018", "pos", "ner", "qa")}
CONTROLS = ("shuffled", "random")
MARKS = "<!-- gains -->\n", "<!-- end of gains -->\n"
By = dict[str, dict[str, float]]  # scores by run and language


def main() -> None:
    asked = options(__doc__, "folder", name=str, results=RESULTS, layers=False, again=False)
    if asked.again:
        again(asked.folder)
        return
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
        f"# {name}\n\nThe study `studies/real/{config['name']}`; tables by `benchmarks/real_tables.py` "
        f"at commit {made['commit']} on {made['machine']}, Python {made['python']}, torch {made['torch']}.\n"
        f"Trunk {Path(config['trunk']['name']).name} in {config['trunk']['precision']}; "
        f"seeds {', '.join(map(str, config['seeds']))}; {settings}.\n"
        f"{len(study['stages']) - len(left)} of {len(study['stages'])} stages are done"
        f"{'; not done: ' + ', '.join(left) if left else ''}.\n"
    )


def tables(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One for each target: `direct` (retrieval: the trunk alone), then every arm with its gain."""
    for target, metric in dict.fromkeys((entry["target"], entry["metric"]) for entry in entries):
        first, *_ = arms = [entry for entry in entries if (entry["target"], entry["metric"]) == (target, metric)]
        over = "languages other than English" if "source" in first else "languages"
        yield f"### {target} ({metric}): mean over {first['languages']} {over}\n"
        yield markdown(COLUMNS, [cells(entry) for entry in arms])


def cells(entry: Mapping[str, Any]) -> list[str]:
    """p elsewhere is corrected for the arms of the table in `recorded` alone; a study's is of one test."""
    arm = f"{entry['how']} {entry['intermediate']}".strip() + (" (control)" if entry["control"] else "")
    row = [arm, percent(entry["score"]), percent(entry["source"]["score"]) if "source" in entry else ""]
    if entry["gain"] is None:
        return [*row, *[""] * (len(COLUMNS) - len(row))]
    other, p = entry.get("elsewhere") or {}, entry["p_holm"]
    row += [f"{100 * entry['gain']:+.2f}", ", ".join(f"{100 * gain:+.2f}" for gain in entry["gain_by_seed"])]
    row += [between(entry["interval"], "+"), "" if p is None else f"{p:.3f}", percent(entry.get("detectable") or 0)]
    return [*row, between(other.get("interval"), "+"), f"{other['p']:.3f}" if other else ""]


def again(path: Path) -> None:
    """New tables of gains in the page beside rows of scores."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    mined = "subject" in rows[0]
    entries = recorded(mining_scores(rows) if mined else study_scores(rows), one_family=mined)
    page, (start, end) = path.with_suffix(".md"), MARKS
    head, _, rest = page.read_text(encoding="utf-8").partition(start)
    page.write_text("\n".join([head + start, *tables(entries), end + rest.partition(end)[2]]), encoding="utf-8")


def study_scores(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, By]]:
    """(target, metric, scores on test) of a study's rows."""
    for metric, task in [(metric, task) for metric, tasks in HEADLINES.items() for task in tasks]:
        scores: By = {}
        for row in rows:
            if (row["task"], row["metric"], row["split"]) == (task, metric, "test"):
                scores.setdefault(row["run"], {})[row["language"]] = row["score"]
        if scores:
            yield task, metric, scores


def mining_scores(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, By]]:
    """The same of real_mining.jsonl, at the protocol's layer, plain and centred."""
    targets: dict[tuple[str, str], By] = {}
    for row in rows:
        for metric, of_metric in row["scores"].items():
            for way, by_language in of_metric[metric].items():
                scores = {code: layers[row["protocol_layer"]] for code, layers in by_language.items()}
                targets.setdefault((f"{row['set']}, {way}", metric), {})[row["subject"]] = scores
    for (target, metric), by_run in sorted(targets.items(), key=lambda item: "centred" in item[0][0]):
        yield target, metric, by_run


def recorded(targets: Iterable[tuple[str, str, By]], *, one_family: bool) -> list[dict[str, Any]]:
    """Entries like those of study.json; p is corrected for the arms of a target, or for all there are."""
    entries, families = list[dict[str, Any]](), dict[str, list[tuple[dict[str, Any], Gain]]]()
    for target, metric, by_run in targets:
        arms: dict[str, list[dict[str, float]]] = {}
        for run, scores in by_run.items():
            arms.setdefault(run.rpartition("-s")[0] or run, []).append(scores)
        base = "trunk" if "trunk" in arms else target
        for arm in sorted(arms, key=lambda arm: (arm != base, arm.endswith(CONTROLS))):
            scores, other = arms[arm], arms[base] * (len(arms[arm]) // len(arms[base]))
            codes = [code for code in scores[0] if code != "en"]
            by_seed = [float(np.mean([own[code] for code in codes])) for own in scores]
            facts = {"target": target, "metric": metric, "how": "", "intermediate": arm, "languages": len(codes)}
            facts |= {"control": arm.endswith(CONTROLS), "score": float(np.mean(by_seed)), "gain": None}
            if "en" in scores[0]:
                facts["source"] = {"score": float(np.mean([own["en"] for own in scores]))}
            entries.append(facts)
            if arm != base:
                by_both = np.array([[a[code] - b[code] for code in codes] for a, b in zip(scores, other, strict=True)])
                mean, interval, p = compare_means(by_both.mean(axis=1), np.zeros(len(scores)))
                error = Error({"seeds": (float(by_both.mean(axis=1).var(ddof=1)) / len(scores), len(scores) - 1)})
                told = Gain(mean, interval, p, tuple(by_both.mean(axis=1)), (), (), 0, error, elsewhere_of(by_both))
                families.setdefault("" if one_family else target, []).append((facts, told))
    for family in families.values():
        here = holm([gain.p or 0.0 for _, gain in family])
        there = holm([gain.elsewhere.p if gain.elsewhere else 1.0 for _, gain in family])
        for (facts, gain), p, p_other in zip(family, here, there, strict=True):
            facts |= {"gain": gain.gain, "gain_by_seed": gain.by_seed, "interval": gain.interval, "p_holm": p}
            facts |= {"detectable": gain.detectable(len(family))}
            facts |= {"elsewhere": {"interval": gain.elsewhere.interval, "p": p_other}} if gain.elsewhere else {}
    return entries


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

"""The rows that `real_mining.py` kept, as a text for people: F1 and accuracy by task, threshold transfer, layer curves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapter_stilts.statistics.intervals import nested_bootstrap

MEASURED = (("mining", "f1"), ("flores", "accuracy"), ("flores", "f1"), ("tico", "accuracy"), ("tico", "f1"))
STATISTIC = {"accuracy": "ratio", "f1": "f1"}


def table(work: Path, subjects: Sequence[str]) -> str:
    """Everything that is there under `work`."""
    found = {name: {path.stem: json.loads(path.read_text()) for path in sorted((work / name).glob("*.json"))} for name in subjects}
    arms = {task: [name for name in subjects if name.startswith(f"{task}-s")] for task in dict.fromkeys(name.split("-")[0] for name in subjects)}
    arms = {"trunk": [name for name in subjects if name == "trunk"]} | {task: names for task, names in arms.items() if names}
    layer = next((one["protocol_layer"] for sets in found.values() for one in sets.values()), 0)
    parts = [HEAD.format(layer=layer, subjects=", ".join(subjects), sizes=_sizes(found))]
    for centring in ("plain", "centred"):
        parts += _against_trunk(work, arms, found, layer, centring)
    parts += _transfer(arms, found, layer)
    for label, metric in MEASURED:
        parts += _curve(arms, found, label, metric)
    parts += _medical(arms, found, layer)
    parts += _languages(found, layer)
    return "\n".join(parts) + "\n"


HEAD = """# Mining real text with nano-xlmr

Made by `benchmarks/real_mining.py`: the trunk alone, and adapters (seq_bn) of English intermediate tasks by seed. Read: {subjects}.
{sizes}.
Hidden state {layer} is the protocol's. Mean over languages, percent. nano-xlmr is small and young: a stand-in, from which nothing follows for XLM-R.

FLORES and the mining sets were kept out of the text that nano-xlmr was pretrained on; the script that made that text reads no TICO-19 either. TICO-19 and
FLORES differ in more than domain (length of sentences, translators), so their difference is that of two sets.
"""


def _sizes(found: dict[str, Any]) -> str:
    """What was read, in words."""
    told = []
    for label in ("mining", "flores", "tico"):
        one = next((sets[label] for sets in found.values() if label in sets), None)
        if one is not None:
            metric = next(iter(one["scores"]))
            languages = list(one["scores"][metric][metric]["plain"])
            rows = f", {one['rows'] or 1012} rows each" if label != "mining" else " (whole pools)"
            told.append(f"{label}: {' '.join(languages)}{rows}")
    return "; ".join(told)


def _against_trunk(work: Path, arms: dict[str, list[str]], found: dict[str, Any], layer: int, centring: str) -> list[str]:
    """Every task less the trunk, with the interval of a bootstrap over seeds, languages and rows."""
    rows = []
    for arm, names in arms.items():
        cells = []
        for label, metric in MEASURED:
            scores = [_mean(found[name][label], metric, centring, layer) for name in names if label in found[name]]
            if not scores:
                cells.append("")
                continue
            own = f"{100 * np.mean(scores):.1f}"
            cells.append(own if arm == "trunk" or "trunk" not in arms else f"{own} ({_gain(work, names, label, metric, centring)})")
        rows.append([arm, *cells])
    names = [f"{label} {metric}" for label, metric in MEASURED]
    title = f"## Against the trunk, {'each language less its mean vector' if centring == 'centred' else 'no centring'} (points, 95 % interval)"
    return [title, "", *_markdown(["arm", *names], rows), ""]


def _gain(work: Path, names: Sequence[str], label: str, metric: str, centring: str) -> str:
    arms = []
    for name in names:
        with np.load(work / name / f"{label}.npz") as own, np.load(work / "trunk" / f"{label}.npz") as trunk:
            keys = [key for key in own.files if key.startswith(f"{metric}.{centring}.")]
            arms.append(([own[key].astype(float) for key in keys], [trunk[key].astype(float) for key in keys]))
    compared = nested_bootstrap([one for one, _ in arms], [other for _, other in arms], STATISTIC[metric], seed=13)
    return f"{100 * compared.difference:+.1f}, {100 * compared.interval[0]:+.1f} to {100 * compared.interval[1]:+.1f}"


def _transfer(arms: dict[str, list[str]], found: dict[str, Any], layer: int) -> list[str]:
    """What is lost when the threshold comes from dev instead of from test itself."""
    rows = []
    for arm, names in arms.items():
        there = [found[name]["mining"] for name in names if "mining" in found[name]]
        for centring in ("plain", "centred") if there else ():
            dev, oracle = (np.mean([_mean(one, metric, centring, layer, "f1") for one in there]) for metric in ("f1", "f1-oracle"))
            rows.append([arm, centring, f"{100 * dev:.1f}", f"{100 * oracle:.1f}", f"{100 * (oracle - dev):.1f}"])
    return ["## Threshold from dev, applied to test (mining sets)", "", *_markdown(["arm", "", "F1", "F1, oracle threshold", "lost"], rows), ""]


def _curve(arms: dict[str, list[str]], found: dict[str, Any], label: str, metric: str) -> list[str]:
    rows = []
    for arm, names in arms.items():
        for centring in ("plain", "centred"):
            there = [found[name][label] for name in names if label in found[name]]
            if there:
                depth = len(next(iter(there[0]["scores"][metric][metric][centring].values())))
                rows.append([arm, centring, *(f"{100 * np.mean([_mean(one, metric, centring, at) for one in there]):.1f}" for at in range(depth))])
    if not rows:
        return []
    return [f"## {label}: {metric} by hidden state", "", *_markdown(["arm", "", *map(str, range(len(rows[0]) - 2))], rows), ""]


def _medical(arms: dict[str, list[str]], found: dict[str, Any], layer: int) -> list[str]:
    """TICO-19 against FLORES in the languages they share."""
    rows = []
    for arm, names in arms.items():
        there = [found[name] for name in names if {"tico", "flores"} <= set(found[name])]
        for metric in ("accuracy", "f1") if there else ():
            shared = list(there[0]["tico"]["scores"][metric][metric]["plain"])
            medical, general = (np.mean([_mean(one[label], metric, "plain", layer, languages=shared) for one in there]) for label in ("tico", "flores"))
            rows.append([arm, metric, f"{100 * medical:.1f}", f"{100 * general:.1f}", f"{100 * (medical - general):+.1f}"])
    title = "## Medical (TICO-19) against general text (FLORES), shared languages, no centring"
    return [title, "", *_markdown(["arm", "", "TICO-19", "FLORES", "difference"], rows), ""]


def _languages(found: dict[str, Any], layer: int) -> list[str]:
    """The trunk alone, language by language."""
    if "trunk" not in found:
        return []
    parts = []
    for label, metric in MEASURED:
        if label in found["trunk"]:
            scores = found["trunk"][label]["scores"][metric][metric]
            rows = [[language, *(f"{100 * scores[centring][language][layer]:.1f}" for centring in ("plain", "centred"))] for language in scores["plain"]]
            parts += [f"## {label}: {metric} of the trunk alone by language", "", *_markdown(["language", "plain", "centred"], rows), ""]
    return parts


def _mean(facts: dict[str, Any], metric: str, centring: str, layer: int, kind: str = "", languages: Iterable[str] = ()) -> float:
    scores = facts["scores"][kind or metric][metric][centring]
    return float(np.mean([scores[language][layer] for language in languages or scores]))


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in [list(columns), ["---"] * len(columns), *map(list, rows)]]

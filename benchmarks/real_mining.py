"""Do adapters that learned English tasks help to find translations in real text, and does a threshold from dev hold on test?

    python benchmarks/real_mining.py --runs DIR --trunk ../shared/models/nano-xlmr --data ../shared/data --work /tmp/real-mining

Measured, for the trunk alone and each finished run <task>-s<seed> of DIR, at every layer, mean pooling, with and without centring:

    mining     six languages against English, pairs hidden among strangers: F1 on test at the threshold of dev, and the oracle beside it
    flores     FLORES devtest, every language against English: accuracy en->xx by cosine, and mining F1 (each half cut at the other half's threshold)
    tico       the same on as many sentences of TICO-19 (medical), in the languages it shares with FLORES

Rows are kept per subject and set under --work, so a stopped run goes on; what was kept of other settings is measured again. --only, --rows
and --languages make a smaller one. The table compares every task with the trunk at the protocol's layer by a bootstrap that draws seeds,
languages and sentences. Not measured: other poolings.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from real_mining_table import table
from record import RESULTS, record

from adapter_stilts.files import sha256
from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.pools import Pools, read_pools
from adapter_stilts.mining.sweep_data import Part
from adapter_stilts.mining.sweep_grid import Setting, Worth, measured
from adapter_stilts.retrieval.protocols import protocol
from adapter_stilts.retrieval.reading import Reading
from adapter_stilts.runs.subject import Request, Subject, subject_of
from adapter_stilts.tasks.reading.place import Loaded, Origin

TASKS, SEEDS = ("nli", "qa", "pos", "ner", "choice", "paraphrase"), (13, 17, 23)
FLORES_ROWS = 1012
MINING = ("de", "fr", "ru", "sw", "tr", "zh")
SHARED = {"ar": "arb_Arab", "bn": "ben_Beng", "fr": "fra_Latn", "hi": "hin_Deva", "id": "ind_Latn", "pt": "por_Latn", "ru": "rus_Cyrl", "sw": "swh_Latn"}
SHARED |= {"ur": "urd_Arab", "zh": "zho_Hans"}
Measure = Callable[[Subject, argparse.Namespace], dict[str, Mapping[tuple[Setting, str], Worth]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--trunk", default="../shared/models/nano-xlmr")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/real-mining"))
    parser.add_argument("--rows", type=int, default=None, help="of FLORES and TICO-19 in each language, at equal distances; all 1,012 by default")
    parser.add_argument("--languages", default=",".join(MINING), help="of the mining sets, whose pools are always whole")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--only", default=None, help="subjects: trunk,nli-s13; all by default")
    parser.add_argument("--table-only", action="store_true")
    parser.add_argument("--trial", action="store_true", help="leave benchmarks/results alone")
    asked = parser.parse_args()
    wanted = asked.only.split(",") if asked.only else ["trunk", *(f"{task}-s{seed}" for seed in SEEDS for task in TASKS)]
    asked.work.mkdir(parents=True, exist_ok=True)
    for name in () if asked.table_only else wanted:
        if name == "trunk" or (asked.runs / name / "manifest.json").is_file():
            subject_measured(name, asked)
        else:
            print(f"{name}: no finished run, left out")
    text = table(asked.work, [name for name in wanted if (asked.work / name).is_dir()])
    print(text)
    if not asked.trial:
        (RESULTS / "real_mining.md").write_text(text, encoding="utf-8")


def subject_measured(name: str, asked: argparse.Namespace) -> None:
    """Every set of one subject that is missing."""
    folder = asked.work / name
    folder.mkdir(exist_ok=True)
    of = measured_of(name, asked)
    missing = {label: measure for label, measure in SETS.items() if label in asked.sets.split(",") and not is_kept(folder / f"{label}.json", of)}
    if not missing:
        return
    run = None if name == "trunk" else asked.runs / name
    subject = subject_of(Request(run, asked.trunk, (), precision="bf16"), folder / "scores", folder)
    for label, measure in missing.items():
        start = time.perf_counter()
        found = measure(subject, asked)
        seconds = time.perf_counter() - start
        scores = {kind: by_language(worth) for kind, worth in found.items()}
        usual = protocol("own", "bucc2018").layer.at_depth(subject.trunk.layers)
        np.savez_compressed(folder / f"{label}.npz", **units_at(found, usual))
        facts = {"subject": name, "set": label, "seconds": seconds, "rows": asked.rows, "protocol_layer": usual, "of": of, "scores": scores}
        if not asked.trial:
            record("real_mining", {**facts, "of": {"sha256": of["sha256"]}})
        (folder / f"{label}.json").write_text(json.dumps(facts))
        print(f"{name} {label}: {seconds:.0f} s", flush=True)


def measured_of(name: str, asked: argparse.Namespace) -> dict[str, str | int | None]:
    """What a row was measured of and on: another trunk, run, number of rows or choice of languages is measured again."""
    folder = Path(asked.trunk if name == "trunk" else asked.runs / name)
    facts = {"rows": asked.rows, "languages": asked.languages, "data": str(asked.data.resolve()), "folder": str(folder.resolve())}
    return {**facts, "sha256": "" if name == "trunk" else sha256(folder / "manifest.json")}


def is_kept(path: Path, of: dict[str, str | int | None]) -> bool:
    return path.exists() and json.loads(path.read_text()).get("of") == of


def hidden_pairs(subject: Subject, asked: argparse.Namespace) -> dict[str, Mapping[tuple[Setting, str], Worth]]:
    """The mining sets: thresholds from dev applied to test."""
    settings = grid(subject, ("ratio",))
    folder = asked.data / "mining"
    parts = {split: {code: pool_part(folder, split, code) for code in asked.languages.split(",")} for split in ("dev", "test")}
    dev = read(subject, parts["dev"], settings)
    cuts = {key: worth.threshold for key, worth in dev.items() if worth.threshold is not None}
    return {"f1": read(subject, parts["test"], settings, cuts)}


def flores(subject: Subject, asked: argparse.Namespace) -> dict[str, Mapping[tuple[Setting, str], Worth]]:
    folder = asked.data / "parallel" / "flores200"
    names = sorted(path.name.split(".")[0] for path in folder.glob("*.devtest.gz") if not path.name.startswith("eng"))
    return aligned(subject, lines(folder / "eng_Latn.devtest.gz"), {name: lines(folder / f"{name}.devtest.gz") for name in names}, asked.rows or FLORES_ROWS)


def tico(subject: Subject, asked: argparse.Namespace) -> dict[str, Mapping[tuple[Setting, str], Worth]]:
    """As many rows as FLORES has, at equal distances: the more candidates, the harder."""
    folder = asked.data / "parallel" / "tico19"
    return aligned(subject, lines(folder / "en.txt.gz"), {name: lines(folder / f"{code}.txt.gz") for code, name in SHARED.items()}, asked.rows or FLORES_ROWS)


SETS: dict[str, Measure] = {"mining": hidden_pairs, "flores": flores, "tico": tico}


def aligned(subject: Subject, english: list[str], sides: Mapping[str, list[str]], count: int) -> dict[str, Mapping[tuple[Setting, str], Worth]]:
    """Translations row by row: retrieval, and mining with every row a pair; the text is read once for both."""
    parts = {}
    chosen = np.linspace(0, len(english) - 1, min(count, len(english))).round().astype(int).tolist()
    for name, side in sides.items():
        rows = [Bitext(str(row), side[row], english[row]) for row in chosen]
        parts[f"accuracy {name}"] = Part(Loaded(list(rows), Origin("aligned", "test", name, "files")), np.ones(len(rows), dtype=bool))
        ids = [tuple(f"{side}-{row}" for row in range(len(rows))) for side in ("x", "en")]
        texts = [tuple(getattr(row, side) for row in rows) for side in ("source", "target")]
        pool = Pools(name, ids[0], texts[0], ids[1], texts[1], frozenset(zip(*ids, strict=True)))
        parts[f"f1 {name}"] = Part(Loaded([pool], Origin("pools", "test", name, "files")), np.ones(len(rows), dtype=bool))
    worths = read(subject, parts, grid(subject, ("absolute", "ratio")))
    margin = {"accuracy": "absolute", "f1": "ratio"}
    found: dict[str, dict[tuple[Setting, str], Worth]] = {kind: {} for kind in margin}
    for (setting, label), worth in worths.items():
        kind, name = label.split()
        if setting.margin == margin[kind]:
            found[kind][setting, name] = worth
    return {**found}


def read(
    subject: Subject, parts: Mapping[str, Part], settings: list[Setting], cuts: Mapping[tuple[Setting, str], float] | None = None
) -> Mapping[tuple[Setting, str], Worth]:
    rules = protocol("own", "bucc2018")
    reading = Reading((), max_length=rules.max_length, token_budget=2048)
    return measured(subject.encoder, parts, settings, rules, reading, Path("/nonexistent"), thresholds=cuts)


def grid(subject: Subject, margins: tuple[str, ...]) -> list[Setting]:
    return [Setting(layer, "mean", margin, centring) for layer in range(subject.trunk.layers + 1) for margin in margins for centring in (False, True)]


def by_language(found: Mapping[tuple[Setting, str], Worth]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """metric -> plain or centred -> language -> a score per layer."""
    scores: dict[str, dict[str, dict[str, list[float]]]] = {}
    for (setting, language), worth in sorted(found.items(), key=lambda item: item[0][0].layer):
        for measure in worth.measures:
            of_metric = scores.setdefault(measure.metric, {}).setdefault("centred" if setting.centring else "plain", {})
            of_metric.setdefault(language, []).append(round(measure.score, 5))
    return scores


def units_at(found: Mapping[str, Mapping[tuple[Setting, str], Worth]], layer: int) -> dict[str, np.ndarray]:
    """Units at one layer, for comparisons over the same rows."""
    return {
        f"{kind}.{'centred' if setting.centring else 'plain'}.{language}": worth.units.astype(np.uint8)
        for kind, worths in found.items()
        for (setting, language), worth in worths.items()
        if setting.layer == layer
    }


def pool_part(folder: Path, split: str, code: str) -> Part:
    pools = read_pools(*(folder / f"{code}-en.{split}.{name}.gz" for name in (code, "en", "gold")))
    return Part(Loaded([pools], Origin("mining", split, code, "files")), np.ones(len(pools.source), dtype=bool))


def lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as stream:
        return [line.rstrip("\n").strip() for line in stream]


if __name__ == "__main__":
    main()

"""How often intervals hold the truth, and words are said of nothing: by simulation, and by training on nothing.

    python benchmarks/null_verdicts.py                  # a quarter of an hour; --quick: a few seconds
    python benchmarks/null_verdicts.py --real           # trains twenty null pairs on the miniature, half an hour

Simulated: answers of two arms, where an item is answered rightly if a normal variable is above nothing, the sum of the
item's difficulty, what an arm makes of an item, a seed's ability, what a seed makes of an item, a language, and noise.
So the truth is known. Gains are those of statistics/gains.py for seeds, languages, parallel items or others in every
language, four metrics, and four mixtures of variances; then gains elsewhere, families of twelve, intervals of single
scores, and what `sweep` chooses. Real: `direct` against `sequential` from an adapter that learned nothing. A row has
its Monte Carlo error; "outside" lists those further than that (two of them) from 93 to 97 %.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from adapter_stilts_cli.progress import reporter
from record import options, record
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from adapter_stilts.config.recipes import recipe_file
from adapter_stilts.config.study import StudyConfig
from adapter_stilts.evaluation.choosing import choose
from adapter_stilts.runs.results import read_results, read_scored
from adapter_stilts.statistics.gains import Scored, compare, holm
from adapter_stilts.statistics.intervals import Array, score_interval
from adapter_stilts.statistics.verdicts import HELPED, HURT, verdict
from adapter_stilts.studies.run import run
from adapter_stilts.studies.study_file import read_study

FIRST, PAIRS, GROUP = 301, 20, 5  # seeds that nothing was chosen with
UNTRAINED = {"training.max_steps": 1, "training.learning_rate": 1e-12, "training.validation_rows": 20}
GRID = (np.arange(200) + 0.5) / 200
SEEDS, METRICS = (5, 10, 3, 2, 1), ("accuracy", "squad", "chunks", "mining")
SHAPES = {"accuracy": "ratio", "squad": "ratio", "chunks": "f1", "mining": "f1"}
# standard deviations of a seed's ability, and of what an arm makes of an item under every seed
VARIANCES = {"rows": (0.0, 0.0), "seeds": (0.25, 0.0), "items": (0.0, 0.8), "all": (0.1, 0.5)}
DIFFICULTY, SEED_ITEM, NOISE, LEVEL = 1.0, 0.5, 0.5, 0.3
PAIRED = 0.15  # of a pool's rows, those that are in a pair
Draw = np.random.Generator


def units_of(metric: str, right: Array, kind: Array, draw: Draw) -> Array:
    """What answers [..., items] add to the sums, [..., items, S]; kind: uniform, an item's under every arm and seed."""
    one = np.ones_like(right)
    if metric == "accuracy":
        return np.stack([right, one], axis=-1)
    if metric == "squad":  # what is not right has half of its words now and then
        some = np.where(draw.random(right.shape) < 0.4, draw.random(right.shape), 0.0)
        return np.stack([np.where(right > 0, 1.0, some), one], axis=-1)
    if metric == "chunks":  # one or two in a sentence, right or wrong together, and now and then one too many
        gold = one + (kind < 0.5)
        return np.stack([right * gold, gold + (draw.random(right.shape) < 0.3), gold], axis=-1)
    pair = one * (kind < PAIRED)
    wrong = draw.random(right.shape) < np.where(pair > 0, 0.3 * (right == 0), 0.02)
    return np.stack([right * pair, right * pair + wrong, pair], axis=-1)


def score_of_rate(metric: str, rate: Array) -> Array:
    """The score of infinitely many answers of which so many are right."""
    if metric == "accuracy":
        return rate
    if metric == "squad":
        return rate + 0.2 * (1 - rate)
    if metric == "chunks":
        return 3 * rate / (1.5 + 0.3 + 1.5)
    found = PAIRED * rate
    return np.asarray(2 * found / (found + 0.3 * (PAIRED - found) + 0.02 * (1 - PAIRED) + PAIRED))


def simulated(
    draw: Draw,
    metric: str,
    sizes: tuple[int, int, int],
    parallel: bool,
    sds: tuple[float, ...],
    effect: float,
    arms: int,
) -> tuple[list[dict[int, dict[str, Scored]]], Array, Array]:
    """(what arms scored, the first the base; the true scores of each on these languages, [arms]; and on all).

    sizes  seeds, languages, items
    sds    of a seed's ability, of an arm and an item, of an arm and a language
    """
    seeds, languages, n = sizes
    own = 1 if parallel else languages
    ability = draw.normal(0, sds[0], (arms, seeds)) if sds[0] else np.zeros((arms, seeds))
    level = LEVEL + draw.normal(0, 0.3, languages) + draw.normal(0, sds[2], (arms, languages))
    level += effect * (np.arange(arms) > 0)[:, None]
    latent = level[:, None, :, None] + ability[:, :, None, None] + draw.normal(0, NOISE, (arms, seeds, languages, n))
    latent += draw.normal(0, DIFFICULTY, (own, n)) + draw.normal(0, sds[1], (arms, 1, own, n))
    latent += draw.normal(0, SEED_ITEM, (arms, seeds, own, n))
    units = units_of(metric, (latent > 0).astype(float), draw.random((own, n)), draw)
    numbers = [np.arange(n) + (0 if parallel else code * n) for code in range(languages)]
    scored = [
        {
            seed: {str(code): Scored(rows, numbers[code]) for code, rows in enumerate(of_seed)}
            for seed, of_seed in enumerate(of_arm)
        }
        for of_arm in units
    ]
    spread = np.sqrt(DIFFICULTY**2 + sds[1] ** 2 + SEED_ITEM**2 + NOISE**2)
    able = ability[:, :1] if seeds == 1 else np.broadcast_to(sds[0] * ndtri(GRID), (arms, len(GRID)))
    here = score_of_rate(metric, ndtr((level[:, :, None] + able[:, None, :]) / spread)).mean(axis=(1, 2))
    mean = LEVEL + effect * (np.arange(arms) > 0)
    wide = np.sqrt(sds[0] ** 2 + 0.3**2 + sds[2] ** 2) * ndtri(GRID)
    return scored, here, score_of_rate(metric, ndtr((mean[:, None] + wide) / spread)).mean(axis=1)


def shares(kind: str, shape: Mapping[str, Any], held: list[bool]) -> dict[str, Any]:
    return {"of": kind, **shape, **share(held)}


def share(held: list[bool]) -> dict[str, Any]:
    """A rate in percent with its Monte Carlo error."""
    rate = float(np.mean(held))
    return {
        "rate": round(100 * rate, 1),
        "error": round(100 * (rate * (1 - rate) / len(held)) ** 0.5, 1),
        "r": len(held),
    }


def gains(quick: bool, several: Sequence[int] = SEEDS, metrics: Sequence[str] = METRICS) -> Iterator[dict[str, Any]]:
    """How often the interval of a gain holds the true gain; of one seed, that of those two models."""
    for seeds, languages, parallel, metric, (name, sds) in itertools.product(
        several, (3, 9), (True, False), metrics, VARIANCES.items()
    ):
        if seeds == 1 and name in ("seeds", "all"):
            continue  # seeds are not claimed
        repeats = 2 if quick else {5: 1000, 1: 100}.get(seeds, 200)
        n = 400 if metric == "mining" else 150
        for effect in (0.0, 0.25) if seeds == 5 else (0.0,):
            draw, held = np.random.default_rng(seeds), []
            for _ in range(max(2, repeats // 4) if effect else repeats):
                (base, arm), truth, _ = simulated(draw, metric, (seeds, languages, n), parallel, (*sds, 0.0), effect, 2)
                gain = compare(arm, base, SHAPES[metric])
                assert gain is not None
                assert gain.interval is not None
                held.append(gain.interval[0] <= truth[1] - truth[0] <= gain.interval[1])
            shape = {"seeds": seeds, "languages": languages, "parallel": parallel, "metric": metric, "varies": name}
            yield shares("gain", {**shape, "effect": effect}, held)


def elsewhere(quick: bool) -> Iterator[dict[str, Any]]:
    """How often that for other languages does."""
    for seeds, languages, parallel, sd, (name, sds) in itertools.product(
        (5, 10, 3), (3, 9), (True, False), (0.0, 0.2), VARIANCES.items()
    ):
        draw, held = np.random.default_rng(seeds), []
        for _ in range(2 if quick else 500):
            (base, arm), _, truth = simulated(draw, "accuracy", (seeds, languages, 150), parallel, (*sds, sd), 0.25, 2)
            gain = compare(arm, base, "ratio")
            assert gain is not None
            assert gain.elsewhere is not None
            held.append(gain.elsewhere.interval[0] <= truth[1] - truth[0] <= gain.elsewhere.interval[1])
        shape = {"seeds": seeds, "languages": languages, "parallel": parallel, "language sd": sd, "varies": name}
        yield shares("elsewhere", shape, held)


def families(quick: bool) -> Iterator[dict[str, Any]]:
    """How often a word is said in a family of twelve gains over one base of which none is real."""
    for seeds, parallel, (name, sds) in itertools.product((5, 10), (True, False), VARIANCES.items()):
        draw, said = np.random.default_rng(seeds), []
        for _ in range(2 if quick else 500):
            (base, *arms), _, _ = simulated(draw, "accuracy", (seeds, 3, 100), parallel, (*sds, 0.0), 0.0, 13)
            gains = [gain for arm in arms if (gain := compare(arm, base, "ratio"))]
            corrected = holm([gain.p or 0.0 for gain in gains])
            words = {verdict(gain, p, 12).word for gain, p in zip(gains, corrected, strict=True) if p < 0.05}
            said.append(bool({HELPED, HURT} & words))
        yield shares("any false word of 12", {"seeds": seeds, "parallel": parallel, "varies": name}, said)


def single(quick: bool) -> Iterator[dict[str, Any]]:
    """How often the interval of one score holds it: of a proportion exactly, of the others by simulation."""
    for n, rate in itertools.product((24, 60, 200, 1000), (0.4, 0.7, 0.9, 0.98)):
        chances = binom.pmf(np.arange(n + 1), n, rate)
        ends = [score_interval(np.stack([np.arange(n) < right, np.ones(n)], axis=1), "ratio") for right in range(n + 1)]
        inside = [end is not None and end[0] <= rate <= end[1] for end in ends]
        yield {
            "of": "score",
            "metric": "accuracy",
            "n": n,
            "p": rate,
            "rate": round(100 * float(chances @ inside), 1),
            "error": 0,
        }
    for metric, n, rate in itertools.product(("squad", "chunks", "mining"), (24, 60, 200, 1000), (0.4, 0.7, 0.9, 0.98)):
        draw, rows = np.random.default_rng(n), n if metric != "mining" else int(n / PAIRED)
        truth, held = float(score_of_rate(metric, np.array(rate))), []
        for _ in range(20 if quick else 1000):
            units = units_of(metric, (draw.random(rows) < rate).astype(float), draw.random(rows), draw)
            interval = score_interval(units, SHAPES[metric])
            if interval is not None:
                held.append(interval[0] <= truth <= interval[1])
        yield shares("score", {"metric": metric, "n": n, "p": rate}, held)


def chosen(quick: bool) -> Iterator[dict[str, Any]]:
    """`sweep`: one of 78 settings leads the default and all others by so much; what is adopted, and what that gains."""
    parts = (range(13), range(3), range(2))  # layers, margins, with and without centring; the default is 0 0 0
    order = [sum(part > 0 for part in setting) for setting in itertools.product(*parts)]
    settings, dev, test = len(order), 100, 500
    for lead in (0.0, 0.03, 0.09):
        draw = np.random.default_rng(1)
        adopted, gained, best_gained, said, false = [], [], [], [], []
        for _ in range(2 if quick else 500):
            place = int(draw.integers(1, settings))
            level = np.full(settings, ndtri(0.6))
            level[place] = ndtri(0.6 + lead)
            latent = 0.9**0.5 * draw.normal(0, 1, dev + test) + 0.1**0.5 * draw.normal(0, 1, (settings, dev + test))
            units = units_of("accuracy", (latent + level[:, None] > 0).astype(float), latent, draw)
            scored = [{"de": Scored.numbered(own[:dev])} for own in units]
            choice = choose(scored, "ratio", order=order)
            adopted.append(choice.chosen == place)
            gained.append(100 * lead * (choice.chosen == place))
            best_gained.append(100 * lead * (choice.best == place))
            words = False
            if choice.chosen:
                both = [{0: {"de": Scored.numbered(units[setting, dev:])}} for setting in (choice.chosen, 0)]
                gain = compare(*both, "ratio")
                words = gain is not None and gain.p is not None and gain.p < 0.05 and gain.gain > 0
            said.append(words)
            false.append(words and not (lead and choice.chosen == place))
        gains = {
            "gain": round(float(np.mean(gained)), 2),
            "gain of the best on dev": round(float(np.mean(best_gained)), 2),
        }
        says = {"says better": share(said)["rate"], "says it falsely": share(false)["rate"]}
        yield shares("sweep adopts the better", {"lead": 100 * lead, **gains, **says}, adopted)


def null_study() -> StudyConfig:
    """The demo's target alone: `direct`, and `sequential` from an adapter that is another draw of what `direct` starts
    from: its entries in another order (the control), where one step at a rate of 1e-12 has taught nothing."""
    demo = read_study(recipe_file(Path("studies/demo"))).model_dump()
    null: dict[str, Any] = {
        "intermediate": [{"name": "untrained", "task": "hellaswag", "settings": UNTRAINED}],
        "controls": {"random-adapter": ["untrained"]},
        "hows": ["sequential"],
        "after": {"sequential": ["untrained-random"]},
        "fusions": {},
        "targets": ["xcopa"],
        "seeds": list(range(FIRST, FIRST + PAIRS)),
        "table": {},
    }
    return StudyConfig.model_validate({**demo, "name": "null", **null})


def real(folder: Path) -> dict[str, Any]:
    """Twenty pairs: what seeds do to a gain of nothing, and what is said of groups of five of them."""
    run(null_study(), folder, jobs=2, threads=1, report=reporter())
    stages = json.loads((folder / "study.json").read_text(encoding="utf-8"))["stages"]
    arms: dict[str, dict[int, dict[str, Scored]]] = {"direct": {}, "sequential": {}}
    for stage in stages:
        if stage["work"] == "read" and stage["state"] == "done":
            how, where = stage["stage"].split("xcopa-")[1].split("-")[0], Path(stage["folder"])
            rows = [row for row in read_results(where) if row.headline and row.task == "xcopa"]
            arms[how][stage["seed"]] = {row.language: read_scored(where, row) for row in rows}
    facts: dict[str, Any] = {}
    every = sorted(arms["direct"])
    for name, english in (("English", True), ("zero-shot", False)):
        side = {
            how: {
                seed: {code: units for code, units in own.items() if (code == "en") == english}
                for seed, own in of.items()
            }
            for how, of in arms.items()
        }
        parts = [every, *(every[first : first + GROUP] for first in range(0, len(every), GROUP))]
        whole, *groups = [
            compare(*({seed: side[how][seed] for seed in part} for how in ("sequential", "direct")), "ratio")
            for part in parts
        ]
        assert whole is not None
        words = [verdict(gain, gain.p, 1) for gain in groups if gain]
        ones = [compare(*({seed: side[how][seed]} for how in ("sequential", "direct")), "ratio") for seed in every]
        facts[name] = {
            "gain by seed": [round(100 * gain, 2) for gain in whole.by_seed],
            "sd over seeds": round(100 * float(np.std(whole.by_seed, ddof=1)), 2),
            "groups of five": [said.text for said in words],
            "verdicts": sum(said.word in (HELPED, HURT) for said in words),
            "single pairs whose interval over rows leaves out 0": sum(
                bool(one and one.p and one.p < 0.05) for one in ones
            ),
        }
    return facts


def main() -> None:
    parts = {part.__name__: part for part in (gains, elsewhere, families, single, chosen)}
    which = {"only": tuple(parts), "seeds": SEEDS, "metrics": METRICS}
    asked = options(__doc__, quick=False, real=False, out=Path("runs/null"), **which)
    if asked.real:
        record("null_verdicts", {"real": real(asked.out)})
        return
    for name in asked.only:
        rows, more = [], (asked.seeds, asked.metrics) if name == "gains" else ()
        for row in parts[name](asked.quick, *more):
            rows.append(row)
            print(*(f"{key} {value}" for key, value in row.items()), flush=True)
        covers = [row for row in rows if row["of"] in ("gain", "elsewhere", "score")]
        outside = [row for row in covers if not 93 - 2 * row["error"] <= row["rate"] <= 97 + 2 * row["error"]]
        print(len(outside), "of", len(covers), "outside")
        if not asked.quick:
            record("null_verdicts", {"part": name, "outside": outside, "rows": rows})


if __name__ == "__main__":
    main()

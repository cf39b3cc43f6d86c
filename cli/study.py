"""`study`: a whole grid of runs; and `demo`: the grid on the embedded miniature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from . import progress, render
from .options import DataOption, DryRunOption, JsonOption, TrunkOption, option

FILE = "A YAML file that describes the study, or the name of a ready-made one: `list recipes`."
LIMIT = "Memory that all stages at once must fit in; each has its share."
JOBS = "Stages at once, each in a process of its own; 1 does them one after another."
DEMO_JOBS = "Stages at once; by default one a core, up to four."
RESUME = "Go on where it stopped, or do everything again."
DEMO = Path("runs/demo")


def study(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=FILE)],
    trunk: TrunkOption = None,
    data: DataOption = None,
    jobs: Annotated[int, option("--jobs", "N", JOBS)] = 1,
    limit: Annotated[float | None, option("--limit-gb", "GB", LIMIT)] = None,
    out: Annotated[Path | None, option("-o --out", "DIR", "The study's folder; by default studies/NAME.")] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a grid of intermediate tasks, hows, targets and seeds.

    What several cells share is trained once. The same command again does only what is missing or failed; a failing
    cell does not stop the others, and the exit code is then 6. --dry-run lists every stage with its rows, steps and
    size without loading a model. --trunk and --data take the place of the file's.

    \b
    Examples:
      adapter-stilts study studies/miniature --jobs 2
      adapter-stilts study studies/paper --dry-run
    """
    from adapter_stilts.config.recipes import recipe_file
    from adapter_stilts.studies import grid

    path, sources, report = recipe_file(file), tuple(data or ()), progress.reporter()
    how: Any = {"jobs": jobs, "limit_gb": limit, "dry_run": dry_run, "report": report}
    document = grid.study(path, out=out, trunk=trunk, data=sources, **how)
    if as_json:
        render.document(document)
    elif dry_run:
        _plan(document)
    else:
        _tables(document)
    if document["failed"]:
        raise grid.failure(document)


def demo(
    out: Annotated[Path, option("-o --out", "DIR", "Where its runs and report go.")] = DEMO,
    seed: Annotated[int | None, option("--seed", "N", "Everything random follows from it.", min=0)] = None,
    repeats: Annotated[int, option("--repeats", "N", "Seeds, from --seed on.", min=1)] = 1,
    jobs: Annotated[int | None, option("--jobs", "N", DEMO_JOBS, min=1)] = None,
    resume: Annotated[bool, option("--resume/--overwrite", None, RESUME)] = True,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Do the main job on the embedded miniature, offline.

    Intermediate adapters, stack, fuse, zero-shot scores in every language, Tatoeba and BUCC, and a report.

    The miniature is generated text and a tiny XLM-R, so its scores say that everything works and nothing about XLM-R.

    \b
    Example:
      adapter-stilts demo
    """
    from adapter_stilts.studies import demo as library

    report = progress.reporter()
    document = library.demo(
        out=out, seed=seed, repeats=repeats, jobs=jobs, overwrite=not resume, dry_run=dry_run, report=report
    )
    if as_json:
        render.document(document)
    else:
        render.say(f"run  {document['run']}")  # people have read the table; rows are for programs


def _plan(document: Mapping[str, Any]) -> None:
    planned = document["planned"]
    started = any(stage["state"] != "new" for stage in planned)
    columns = ("stage", "how", "rows", "steps at most", "MB", "builds on", *(["state"] if started else []))
    rows = []
    for stage in planned:
        sizes = (_steps(stage), _megabytes(stage["bytes"]), len(stage["after"]) or "")
        rows.append((stage["stage"], stage["how"], stage["rows_text"], *sizes, stage["state"])[: len(columns)])
    render.table("", columns, rows)
    render.say(document["totals"]["sentence"])
    if started:
        render.say(f"of which are not done: {document['missing']['sentence']}")


def _tables(document: Mapping[str, Any]) -> None:
    """Intermediate runs by targets: scores and gains, and what else the study asks for; then means over targets."""
    from adapter_stilts.statistics.verdicts import HELPED, HURT, UNCLEAR, UNLEARNED

    entries = document["entries"]
    _by_targets(f"score, and gain over direct in points ({_interval(entries)})", entries)
    source = [{**entry, **entry["source"]} for entry in entries if "source" in entry]
    _by_targets("\nin the language of the training rows", source)
    gains = [(entry, entry["over_control"]) for entry in entries if "over_control" in entry]
    over = [{**entry, "gain": gain["gain"], "interval": gain["interval"]} for entry, gain in gains]
    _by_targets("\ngain over the better control", over)
    names = [(mean, _arm(mean["intermediate"], [mean]), mean["how"]) for mean in document["means"]]
    means = [(arm, how, _mean(mean, "all"), _mean(mean, "trained")) for mean, arm, how in names]
    if means:
        render.table("\nmeans over targets", ("intermediate", "how", "all targets", "without retrieval"), means)
    every = [*entries, *source]
    if any(_word(entry) in (HELPED, HURT, UNCLEAR) for entry in every):
        family = {"row": "those of its row", "target": "those of its target", "all": "all others"}
        render.say(f"p of a gain is corrected for {family[document['config']['table']['holm']]} (Holm)")
    if any(_word(entry) == UNCLEAR for entry in every):
        render.say("unclear: no clear difference; a gain of the size behind it would have been seen 8 times in 10")
    for leak in dict.fromkeys(leak for entry in entries for leak in entry["leaks"]):
        render.say(f"* {leak}")
    for entry in entries:
        arm = " ".join(filter(None, (entry["intermediate"], entry["how"], entry["target"])))
        if entry.get("dropped"):
            render.say(f"{arm}: compared without {', '.join(entry['dropped'])}, which only one side has")
        if _word(entry) == UNLEARNED:
            render.say(f"{arm}: {UNLEARNED}, since {' and '.join(entry['unlearned'])} did not learn")
    render.say(f"study  {document['out']}")


def _by_targets(title: str, entries: Sequence[Mapping[str, Any]]) -> None:
    if not entries and title.startswith("\n"):
        return
    targets = list(dict.fromkeys(entry["target"] for entry in entries))
    rows: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for entry in entries:
        rows.setdefault((entry["intermediate"], entry["how"]), {})[entry["target"]] = entry
    drawn = []
    for (label, how), cells in rows.items():
        seeds = min(len(cell["seeds"]) for cell in cells.values())
        drawn.append((_arm(label, cells.values()), how, seeds, *(_cell(cells.get(target)) for target in targets)))
    sizes = {target: max(entry["n"] for entry in entries if entry["target"] == target) for target in targets}
    named = [f"{target} (n {render.cell(n)})" for target, n in sizes.items()]
    render.table(title, ("intermediate", "how", "seeds", *named), drawn)


def _arm(label: str, cells: Any) -> str:
    return (label or "none") + (" (control)" if any(cell["control"] for cell in cells) else "")


def _cell(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return ""
    from adapter_stilts.statistics.verdicts import UNCLEAR

    text = render.percent(entry["score"]) + (" *" if entry["leaks"] else "")
    if entry["gain"] is None:
        return text
    word = _word(entry)
    shown = f"unclear ±{100 * entry['detectable']:.1f}" if word == UNCLEAR else word
    return f"{text}  {_gain(entry['gain'], entry['interval'])} {shown}".rstrip()


def _mean(mean: Mapping[str, Any], part: str) -> str:
    gain = mean[f"{part}_gain"]
    return render.percent(mean[part]) + ("" if gain is None else f"  {_gain(gain, mean[f'{part}_interval'])}")


def _gain(gain: float, interval: tuple[float, float] | None) -> str:
    from adapter_stilts.statistics.verdicts import between, points

    return points(gain) + (f" ({between(interval)})" if interval else "")


def _word(entry: Mapping[str, Any]) -> str:
    return str(entry.get("verdict") or "")


def _interval(entries: Sequence[Mapping[str, Any]]) -> str:
    """What the intervals of a table are over."""
    from adapter_stilts.statistics.gains import ENOUGH

    seeds = max((len(entry["compared"]) for entry in entries), default=1)
    if seeds == 1:
        return "95 % over rows: of one seed, and another may differ"
    few = "" if seeds >= ENOUGH else f"; {ENOUGH} seeds would give verdicts"
    return f"95 % over seeds{few}"


def _steps(stage: Mapping[str, Any]) -> str:
    if stage["work"] == "read":
        return ""
    return "unknown" if stage["steps"] is None else ("about " if stage["about"] else "") + render.cell(stage["steps"])


def _megabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:.1f}" if size else ""

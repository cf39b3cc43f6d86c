"""Two runs beside each other: the settings and data that differ, and their scores over the same rows.

    compare_runs(Path("runs/xcopa-direct"), Path("runs/xcopa-after-hellaswag"))
    {"settings": [{"key": "how", "values": ["direct", "sequential"]}, ...], "scores": [{"task": "xcopa", ...}]}

A difference is the second run's score less the first's, with its interval over the rows that both were scored on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adapter_stilts.config.explain import different
from adapter_stilts.errors import UsageError
from adapter_stilts.runs.folder import config_of
from adapter_stilts.runs.material import unlearned
from adapter_stilts.runs.results import read_results, read_scored, readings
from adapter_stilts.sharing.manifest import Manifest, read_manifest
from adapter_stilts.statistics.gains import Gain, compare
from adapter_stilts.statistics.result import Result
from adapter_stilts.statistics.verdicts import verdict


def compare_runs(first: Path, second: Path) -> dict[str, Any]:
    """What differs in settings, trunk and data, and by how much in every score that both have.

    Raises UsageError where they have none in common, MissingError where one is no finished run or its sums are gone.
    """
    manifests = [read_manifest(folder) for folder in (first, second)]
    configs = [config_of(folder) for folder in (first, second)]
    differing = [*different(*configs), *_made_of(*manifests)]
    scores = list(_scores((first, second)))
    if not scores:
        task = next((row.task for folder in (first, second) for row in read_results(folder)), "TASK")
        do = f"score both on it: adapter-stilts eval RUN --tasks {task}"
        raise UsageError("these runs have no score of the same task, protocol and split", do=do)
    settings = [{"key": key, "values": [one, other]} for key, one, other in differing]
    said = {"settings": settings, "unlearned": unlearned(manifests), "scores": scores}
    return {"runs": [str(first), str(second)], **said}


def _made_of(first: Manifest, second: Manifest) -> Iterator[tuple[str, object, object]]:
    """Differences that no setting tells: the trunk's weights, and the rows."""
    if first.trunk.fingerprint != second.trunk.fingerprint:
        yield "the trunk's weights", first.trunk.fingerprint, second.trunk.fingerprint
    rows = [
        {f"rows of {part.task} {part.split} {part.language}": (part.rows, part.rows_sha256) for part in run.data}
        for run in (first, second)
    ]
    for name in dict.fromkeys([*rows[0], *rows[1]]):
        one, other = (own.get(name, (0, "")) for own in rows)
        if one != other:
            here, there = (f"{count} ({digest[:8]})" if count else "none" for count, digest in (one, other))
            yield name, here, there


def _scores(folders: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """A row for every reading of a task that both have; where one was read in several ways, the same way of both."""
    first, second = (readings(read_results(folder)) for folder in folders)
    for task, ways in first.items():
        for way, rows in ways.items():
            others = second.get(task, {})
            like = [other for key, other in others.items() if key[:2] == way[:2]]
            same = others.get(way) or (like[0] if len(like) == len(ways) == 1 else None)
            gain = same and _gain(folders, rows, same)
            if same and gain:
                yield _row(task, way[0], way[1], rows, same, gain)


def _gain(folders: Sequence[Path], first: Sequence[Result], second: Sequence[Result]) -> Gain | None:
    sides = [
        {0: {row.language: read_scored(folder, row) for row in rows if "units" in row.paths}}
        for folder, rows in zip(folders, (first, second), strict=True)
    ]
    return compare(sides[1], sides[0], first[0].statistic)


def _row(
    task: str, protocol: str, split: str, first: Sequence[Result], second: Sequence[Result], gain: Gain
) -> dict[str, Any]:
    by_language = [{row.language: row.score for row in rows} for rows in (first, second)]
    languages = [
        {"language": code, "scores": [own[code] for own in by_language], "difference": gain.by_language[code]}
        for code in gain.languages
    ]
    means = [sum(own[code] for code in gain.languages) / len(gain.languages) for own in by_language]
    facts = {"task": task, "protocol": protocol, "split": split, "metric": first[0].metric, "n": gain.n}
    scores = {"languages": languages, "means": means, "difference": gain.gain, "interval": gain.interval, "p": gain.p}
    return {**facts, **scores, "sentence": verdict(gain, None, 1).text, "dropped": list(gain.dropped)}

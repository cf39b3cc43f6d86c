"""From a score to rows of results, and what lies beside them: predictions, the sums of each example, attention.

fusion/attention.json   {"fuse(nli, qa)": {"xnli": {"test": {"sw": [[0.7, 0.3], ...]}}}}   mean weight of each
                        source by layer, [L, A], over all tokens that are not padding; a row sums to 1
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from adapter_stilts.encoder.composition import Fuse, fusion_name
from adapter_stilts.encoder.trunk.loading import Trunk
from adapter_stilts.files import write_bytes, write_json, write_text
from adapter_stilts.formats.base import Format
from adapter_stilts.formats.protocols import OWN, TargetProtocol, target_protocols
from adapter_stilts.metrics import forms
from adapter_stilts.metrics.base import Score
from adapter_stilts.runs.build import HEAD
from adapter_stilts.runs.material import origin_facts
from adapter_stilts.sharing.sealed import CHECKSUM, read_sealed, write_sealed
from adapter_stilts.statistics.gains import hashed
from adapter_stilts.statistics.learned import Baseline, beside
from adapter_stilts.statistics.report import markdown
from adapter_stilts.statistics.result import LIMIT, Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.reading.place import Loaded, Origin

ATTENTION = Path("fusion", "attention.json")


@dataclass(frozen=True)
class Reading:
    """How examples become predictions: the head's labels and the length it was trained with, how many tokens go at
    once, whose rules hold, which head.

    adapters   "own" where each language is read under its own language adapter
    precision  of the trunk, where it is another than in training; "": as in training
    """

    labels: tuple[str, ...] | None
    max_length: int
    token_budget: int
    protocol: str = "own"
    seed: int = 0
    head: str = HEAD
    adapters: str = ""
    precision: str = ""

    @property
    def marks(self) -> dict[str, str]:
        """Settings of a score that tell this reading from others of the same rows."""
        head = self.head if self.head != HEAD else ""
        marks = {"head": head, "language_adapters": self.adapters, "precision": self.precision}
        return {name: value for name, value in marks.items() if value}

    @property
    def rules(self) -> TargetProtocol:
        return target_protocols[self.protocol]

    def length(self, format: Format[Any], trunk: Trunk) -> int:
        """Tokens of an input: the protocol's, or as trained; at most what the trunk has positions for."""
        return min(format.length(self.rules, self.max_length), trunk.config.max_length)


def rows_of(
    task: Task,
    loaded: Loaded,
    reading: Reading,
    scored: Score,
    settings: Mapping[str, Any],
    folder: Path | None,
    predictions: Any = None,
    baseline: Baseline | None = None,
    one_class: bool = False,
    **notes: Any,
) -> list[Result]:
    """A row of results.json for every measure of a score; under `folder` its units, and its predictions if any.

    baseline   what these rows give without learning, said beside the measure it is of
    one_class  whether every prediction is the same; said where there are rows enough to tell
    """
    origin = loaded.origin
    enough = any(measure.interval and beside(baseline, measure.metric) for measure in scored.measures)
    words: dict[str, Any] = {"multiword": origin.multiword} if origin.multiword else {}
    words |= mark_of(origin)
    partial = f"the first {origin.limit:,} of {origin.rows:,} rows alone (--limit)"
    paths: dict[str, str] = {}
    if folder is not None:
        paths |= {} if predictions is None else {"predictions": write_predictions(folder, task, loaded, predictions)}
        name = name_of(origin, reading)
        paths |= write_units(folder, task.name, name, scored.units, task.format.items(loaded.examples))
    return [
        Result(
            *(task.name, reading.protocol, origin.language, measure.metric, measure.score, scored.n, measure.interval),
            split=origin.split,
            headline=measure.metric == scored.headline,
            retrieval=task.format.ranking,
            settings={**settings, **reading.marks, **words},
            data=data_of(loaded),
            paths=paths,
            statistic=scored.main.statistic if folder is not None else "",
        ).with_notes(
            substitutions=list(origin.substitutions),
            **beside(baseline, measure.metric),
            one_class=one_class and enough,
            counted=[partial] if origin.limit else [],
            **notes,
        )
        for measure in scored.measures
    ]


def name_of(origin: Origin, reading: Reading) -> str:
    """What files of a score are called: each reading's stay, since several may stand in one results.json."""
    protocols = [] if reading.protocol == OWN.name else [reading.protocol]
    return ".".join([origin.stem, *reading.marks.values(), *protocols])


def with_report(
    folder: Path, rows: Sequence[Result], origin: Origin, reading: Reading, report: Mapping[str, Any]
) -> list[Result]:
    """Rows of one score with their report, written as JSON and as a page; an earlier one goes where there is none."""
    headline = next(row for row in rows if row.headline)
    path = folder / "reports" / headline.task / f"{name_of(origin, reading)}.json"
    page = path.with_suffix(".md")
    if not report:
        for stale in (path, page):
            stale.unlink(missing_ok=True)
        return list(rows)
    whole = headline.reporting(report)
    write_json(path, whole)
    write_text(page, markdown(whole))
    where = path.relative_to(folder).as_posix()
    return [replace(row, paths={**row.paths, "report": where}) for row in rows]


def data_of(loaded: Loaded) -> Any:
    """What rows were scored on: their files with rows and sha256, or where else they came from."""
    facts = origin_facts(loaded.origin)
    return facts["files"] or facts


def mark_of(origin: Origin) -> dict[str, Any]:
    """The settings that tell a score from that of other rows which the folder holds; {} for the first there, whole."""
    return ({"data": origin.mark} if origin.mark else {}) | ({LIMIT: origin.limit} if origin.limit else {})


def write_predictions(folder: Path, task: Task, loaded: Loaded, predictions: Any) -> str:
    """Write predictions in XTREME's folder form; returns where in the folder they are."""
    origin, form = loaded.origin, task.format.form
    path = forms.prediction_path(folder / "predictions", task.name, origin.named, form, origin.split)
    forms.forms[form].write(path, predictions)
    return path.relative_to(folder).as_posix()


def write_units(folder: Path, task: str, name: str, units: NDArray[Any], items: Sequence[str]) -> dict[str, str]:
    """Write the sums of a score, and the items (hashed) where these are not just numbered; returns where.

    Pieces of texts, more than there are items, are numbered. NumPy by itself would not tell a full disk from other
    errors.
    """
    arrays = {"units": units}
    if len(items) == len(units) and list(items) != list(map(str, range(len(items)))):
        arrays["items"] = hashed(items)
    paths = {}
    for noun, array in arrays.items():
        path = folder / "units" / task / f"{name}{'' if noun == 'units' else '.items'}.npy"
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        write_bytes(path, content.getvalue())
        paths[noun] = path.relative_to(folder).as_posix()
    return paths


def store_attention(folder: Path, task: str, split: str, language: str, weights: Mapping[str, Tensor]) -> None:
    """Add one language's attention [L, A] per fusion to fusion/attention.json."""
    stored = read_attention(folder)
    for fusion, table in weights.items():
        of_split = stored.setdefault(fusion, {}).setdefault(task, {}).setdefault(split, {})
        of_split[language] = [[round(float(value), 6) for value in row] for row in table]
    write_sealed(folder / ATTENTION, stored)


def read_attention(folder: Path) -> dict[str, Any]:
    """All stored attention of a run, {} where there is none; ArtefactError where a byte was changed."""
    path = folder / ATTENTION
    advice = "remove the file and evaluate again with --overwrite"
    stored = read_sealed(path, "the stored attention", do=advice) if path.is_file() else {}
    return {name: weights for name, weights in stored.items() if name != CHECKSUM}


def attention_table(attention: Mapping[str, Any], fuses: Sequence[Fuse]) -> list[tuple[str, str, str, str, float]]:
    """(task, split, language, source, mean weight over layers) for a table on the screen."""
    return [
        (task, split, language, str(source), sum(layer[number] for layer in layers) / len(layers))
        for fuse in fuses
        for task, splits in attention.get(fusion_name(fuse), {}).items()
        for split, languages in splits.items()
        for language, layers in languages.items()
        for number, source in enumerate(fuse.parts)
    ]

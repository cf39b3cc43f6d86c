"""`sweep`: layer, pooling, margin and centring chosen on dev, with test read once, after the choice.

    sweep(Sweep(run=Path("runs/nli-1a2b3c4d"), trunk=None, tasks=("tatoeba",)), ...)

The simplest setting within one standard error of the best on dev is chosen, the protocol's default being the simplest
of all (`evaluation/choosing.py`). Whether the choice beats the default is said by test alone. It is recorded in the
folder of the run or trunk, and in the run's results and card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from adapter_stilts.config import yaml_text
from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.config.schema import RunConfig, Trunk
from adapter_stilts.errors import refuse
from adapter_stilts.evaluation.choosing import Choice, choose
from adapter_stilts.files import write_text
from adapter_stilts.mining.sweep_data import OWN_FILES, Material, Part, material, own_material
from adapter_stilts.mining.sweep_grid import (
    Measurements,
    Setting,
    Worth,
    default_setting,
    departures,
    grid,
    measured,
    upper_layers,
)
from adapter_stilts.mining.sweep_request import Sweep as Sweep
from adapter_stilts.mining.sweep_request import check
from adapter_stilts.mining.sweep_told import reason, tell
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.protocols import protocol
from adapter_stilts.retrieval.reading import Overrides, Reading, as_trunk
from adapter_stilts.runs.folder import claim, locked, remove_remains
from adapter_stilts.runs.material import origin_facts, refuse_unnamed, unlearned, where_of
from adapter_stilts.runs.results import merged, read_results, write_results
from adapter_stilts.runs.retrieval import RetrievalTask, counted
from adapter_stilts.runs.subject import Request as Evaluation
from adapter_stilts.runs.subject import Subject, active_parts, subject_of
from adapter_stilts.sharing.card import read_sweep, write_card
from adapter_stilts.sharing.sealed import write_sealed
from adapter_stilts.statistics.gains import compare
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task, under
from adapter_stilts.tasks.user import find_task

POOLS, MARGINS = ("mean", "mean_words", "first", "max"), ("ratio", "distance", "absolute")  # what "all" stands for
OBJECTIVES = {"tatoeba": "accuracy", "bucc2018": "f1"}


def sweep(
    request: Sweep, *, out: Path | None, runs: Path, overwrite: bool, dry_run: bool, report: Reporter
) -> dict[str, Any]:
    """Choose settings for each task and score them; returns a record of each, and the rows of results that test gave.

    Raises UsageError for settings or tasks that cannot be, TaskDataError where there is nothing to choose on.
    """
    check(request)
    named = {} if request.trunk is None else {"name": request.trunk}
    config = RunConfig(trunk=Trunk.model_validate({**named, "precision": request.precision}))
    if request.run is None:
        refuse_unnamed(config.trunk, request.files or request.data, "" if request.files else "--data")
    subject = subject_of(Evaluation(config, (), request.run), out, runs)
    work = [_Sweep(request, subject, data, report) for data in _materials(request, subject)]
    if dry_run:
        for job in work:
            report.say(job.plan)
        return {"run": str(subject.folder), "results": [], "planned": [job.plan for job in work]}
    for note in unlearned([subject.bundle.manifest] if subject.bundle else []):
        report.say(note)
    with locked(subject.folder):
        remove_remains(subject.folder)
        if subject.identity:
            claim(subject.folder, subject.identity, subject.folder.name)
        records = [job.record(overwrite=overwrite) for job in work]
    rows = [row for record in records for row in record["results"]]
    return {"run": str(subject.folder), "results": rows, "sweeps": records}


class _Sweep:
    """One task's settings."""

    def __init__(self, request: Sweep, subject: Subject, data: Material, report: Reporter) -> None:
        """Raises UnknownName and UsageError for settings that cannot be."""
        self._request, self._subject, self._data, self._report = request, subject, data, report
        named, depth = "bucc2018" if data.task.format.pools else "tatoeba", subject.trunk.config.num_hidden_layers
        wanted = Overrides(upper_layers(depth) if request.layers is None else request.layers, k=request.k)
        own = replace(wanted, pool="mean")  # a pooling that we lack is no reason against a sweep of those we have
        rules = as_trunk(protocol(request.protocol, named), subject.trunk.pooling, own)
        self._rules = wanted.over(rules)
        self._default = default = default_setting(self._rules, depth)
        tried = (request.pools or (default.pool,), request.margins or (default.margin,))
        layers = wanted.layers_at(depth, self._rules)
        self._settings = grid(default, layers, *tried, request.centring or (default.centring,))

    @property
    def plan(self) -> str:
        data = self._data
        languages = f"{len(data.languages)} languages" if len(data.languages) > 1 else data.languages[0]
        scored = data.scored_on if self._request.test else "nothing"
        tried = f"{data.task.name} ({languages}): {len(self._settings)} settings"
        return f"{tried}, chosen on {data.chosen_on}, scored on {scored}"

    def record(self, *, overwrite: bool) -> dict[str, Any]:
        """Choose, or find what was chosen before in the same way."""
        task, folder, data = self._data.task.name, self._subject.folder, self._data
        dev = {language: data.dev(language) for language in data.languages}
        path, identity = folder / "sweep" / f"{task}.json", self._identity(dev)
        before = read_sweep(path) if path.is_file() else None
        scores_test = data.scored is not None and self._request.test
        same = before is not None and before["identity"] == identity and not overwrite
        if before is not None and same and (before["test"] is not None or not scores_test):
            already = "this very choice was made already; test is not read again (--overwrite makes it again)"
            self._report.say(f"{task}: {already}")
            return before
        self._report.say(self.plan)
        with self._report.progress(f"sweeping {task}") as progress:
            worths = self._measured(dev, self._settings, progress=progress)
        usable = [setting for setting in self._settings if all((setting, language) in worths for language in dev)]
        if impossible := [setting for setting in self._settings if setting not in usable]:
            why = "since less the mean nothing is left of a vector"
            self._report.say(f"{len(impossible)} settings are left out, {why}: {impossible[0]}, ...")
            self._settings = usable
        scored = [
            {language: part.scored(worths[setting, language].units) for language, part in dev.items()}
            for setting in self._settings
        ]
        statistic = "f1" if data.task.format.pools else "ratio"
        order = [departures(setting, self._default) for setting in self._settings]
        choice = choose(scored, statistic, order=order)
        chosen = self._settings[choice.chosen]
        readings = before["test_readings"] if before is not None else 0
        rows, test = self._tested(chosen, worths, statistic) if scores_test else ([], None)
        record = {"task": task, "identity": identity, **self._told(choice, dev, worths)}
        record |= {"test": test, "test_readings": readings + scores_test}
        tell(record, self._report)
        record["results"] = [row.to_json() for row in rows]
        config = path.with_suffix(".yaml")  # `eval`, `encode` and `mine` take it with --config
        head = f"# Chosen by `adapter-stilts sweep` for {task}: {record['reason']}.\n"
        write_text(config, head + yaml_text.dump(self._configuration(chosen)))
        write_sealed(path, record)
        self._store(rows)
        return record | {"config": str(config)}

    def _tested(self, chosen: Setting, worths: Measurements, statistic: str) -> tuple[list[Result], dict[str, Any]]:
        """Test under the choice and under the default, read once, with thresholds from dev."""
        assert self._data.scored is not None
        parts = {language: self._data.scored(language) for language in self._data.languages}
        both = (chosen, self._default)
        settings = list(dict.fromkeys(both))
        cuts = {key: worth.threshold for key, worth in worths.items() if worth.threshold is not None and key[0] in both}
        worth = self._measured(parts, settings, thresholds=cuts)
        keys = [(setting, language) for setting in settings for language in parts]
        rows = [row for key in keys for row in self._rows(key[0], chosen, parts[key[1]], worth[key])]
        ours, usual = (
            {0: {language: part.scored(worth[setting, language].units) for language, part in parts.items()}}
            for setting in both
        )
        compared = compare(ours, usual, statistic)
        assert compared is not None
        own = [[worth[setting, language].measures[0].score for language in parts] for setting in both]
        scores = [sum(by_language) / len(parts) for by_language in own]
        interval = None if compared.interval is None else list(compared.interval)
        gain = {"difference": compared.gain, "interval": interval, "p": compared.p}
        test = {"scored_on": self._data.scored_on, "chosen": scores[0], "default": scores[1]}
        return rows, {**test, "gain": gain, "languages": len(parts)}

    def _rows(self, setting: Setting, chosen: Setting, part: Part, worth: Worth) -> list[Result]:
        role, data, trunk = "chosen" if setting == chosen else "default", self._data, self._subject.trunk
        marks = {"sweep": role, "chosen_on": data.chosen_on, "scored_on": data.scored_on}
        wanted = replace(setting.wanted(self._request.k), prefix=trunk.prefix)
        reading = Reading((), precision=trunk.precision)
        asked = (self._request.protocol, trunk.config.num_hidden_layers, wanted, reading)
        notes: dict[str, Any] = {} if worth.threshold is None else {"threshold": worth.threshold}
        if not data.task.format.pools and (said := counted(part.loaded, self._rules)):
            notes["counted"] = said
        task = RetrievalTask(data.task, self._subject.folder, *asked, pooling=trunk.pooling)
        return task.results(part.loaded, setting.layer, worth.measures, {}, notes, marks)

    def _told(self, choice: Choice, dev: Mapping[str, Part], worths: Measurements) -> dict[str, Any]:
        rows, default = list[dict[str, Any]](), self._settings.index(self._default)
        for place, setting in enumerate(self._settings):
            gain, *ends = choice.gain(place, default)
            row = {"score": float(choice.scores[place]), "interval": list(choice.interval(place))}
            row |= {"gain": gain, "gain_interval": ends, "within_error_of_best": place in choice.tied}
            scores = {language: worths[setting, language].measures[0].score for language in dev}
            rows.append({**asdict(setting), **row, "languages": scores})
        ranked = sorted(rows, key=lambda row: -row["score"])  # stable: the simpler first among equals
        return {
            "protocol": self._request.protocol,
            "objective": OBJECTIVES[self._rules.task],
            "chosen_on": self._data.chosen_on,
            "languages": list(dev),
            "n": sum(int(part.counts.sum()) for part in dev.values()),
            "k": self._rules.k,
            "default": rows[default],
            "best": rows[choice.best],
            "chosen": rows[choice.chosen],
            "decided": choice.chosen != default,
            "reason": reason(choice, self._settings, default),
            "settings": ranked,
        }

    def _configuration(self, chosen: Setting) -> dict[str, Any]:
        asked, bundle = self._request, self._subject.bundle
        retrieval: dict[str, Any] = {"layer": chosen.layer, "pool": chosen.pool}
        retrieval |= {"margin": chosen.margin, "centre": chosen.centring} | ({} if asked.k is None else {"k": asked.k})
        named = {"name": self._subject.trunk.name, "precision": asked.precision}
        trunk = {} if bundle is not None else {"trunk": named}
        return {**trunk, "retrieval": retrieval, "evaluation": {"protocol": asked.protocol}}

    def _store(self, rows: Sequence[Result]) -> None:
        """Test rows replace those of an earlier sweep of the task in results.json; the card tells of the choice."""
        folder, task = self._subject.folder, self._data.task.name
        kept = [row for row in read_results(folder) if not (row.task == task and "sweep" in row.settings)]
        written = write_results(folder, merged(kept, rows))
        if self._subject.bundle is not None:
            write_card(folder, self._subject.bundle.manifest, written)

    def _measured(self, parts: Mapping[str, Part], settings: Sequence[Setting], **more: Any) -> Measurements:
        """What settings are worth on some rows."""
        subject = self._subject
        tokens = (self._rules.max_length, subject.token_budget)
        reading = Reading((), "", *tokens, composition=subject.composition)
        return measured(subject.encoder, parts, settings, self._rules, reading, subject.folder, **more)

    def _identity(self, dev: Mapping[str, Part]) -> str:
        trunk = self._subject.trunk
        encoder = [trunk.fingerprint, trunk.precision, active_parts(self._subject.bundle)]
        encoder += [trunk.prefix] if trunk.prefix else []
        data, settings = {}, [asdict(setting) for setting in self._settings]
        for language, part in dev.items():
            origin = part.loaded.origin
            data[language] = {**origin_facts(origin), "files": [file.sha256 for file in origin.files]}
        return fingerprint([encoder, self._request.protocol, self._rules.k, self._request.seed, settings, data])


def _materials(request: Sweep, subject: Subject) -> list[Material]:
    if request.files is not None:
        task = Task(OWN_FILES, "pools", "mining", "two files of sentences with known pairs")
        sides = (request.column, request.target_column or request.column)
        return [own_material(task, request.files, request.dev, request.layout, sides)]
    materials, settings = [], dict(request.task_settings)
    for name in request.tasks:
        task = under(find_task(name, settings), request.protocol)
        what = f"'{task.name}' has no sentences to find: layer, pooling and margin are nothing to it"
        refuse(not task.retrieval, what, "sweep tatoeba, bucc2018 or the like")
        trunk = subject.bundle.manifest.trunk.name if subject.bundle else subject.trunk.name
        columns = dict(settings.get("columns") or {})
        where = where_of(request.data, trunk, columns=columns, task=task.name, tasks=request.tasks)
        materials.append(material(task, request.languages, where))
    return materials

"""A study's YAML file to its values, with every mistake in it reported at once: keys, values, and names of what there is not.

    targets.1.task = 'tatoba': no task called 'tatoba'; did you mean 'tatoeba'? (paper.yaml, line 14)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from adapter_stilts.config import yaml_text
from adapter_stilts.config.load import with_settings
from adapter_stilts.config.mistakes import Mistake, dotted, mistake, nearest_value, second_time
from adapter_stilts.config.recipes import protocols, recipe_file
from adapter_stilts.config.schema import Adapter, RunConfig, Sampler, Trunk, our_name
from adapter_stilts.config.study import Intermediate, StudyConfig, Target
from adapter_stilts.config.yaml_text import Document, Key
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.errors import ConfigError, StiltsError, TaskDataError
from adapter_stilts.files import read_text
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.user import find_task

Path_ = tuple[Key, ...]
SECTIONS: Mapping[str, type[BaseModel]] = {"trunk": Trunk, "adapter": Adapter, "intermediate": Intermediate, "targets": Target, "sampler": Sampler}
GIVEN = {  # keys of a run that the study itself sets
    "how": "hows",
    "after": "hows",
    "control": "controls",
    "composition": "hows",
    "data.language": "language",
    "data.sources": "data",
    "task.name": "task",
    "training.seed": "seeds",
    "training.sampler": "sampler",
    "trunk": "trunk",
    "adapter": "adapter",
    "evaluation.languages": "languages",
    "evaluation.protocol": "protocol",
}


def read_study(path: Path) -> StudyConfig:
    """The study in a file; raises ConfigError with one line for each mistake."""
    try:
        text = read_text(path)
    except TaskDataError as error:
        raise ConfigError(error.what, where=error.where, do="name a study's file; `adapter-stilts list recipes` shows ready-made ones") from error
    document = yaml_text.parse(text, str(path), our_name)
    tree = document.value
    if not isinstance(tree, dict):
        raise ConfigError("a study is keys and values", where=str(path), do="write `key: value` lines: name, intermediate, targets")
    found: StudyConfig | None = None
    mistakes = [Mistake(where, None, second_time(dotted(where), line), shows_value=False) for where, line in document.repeated]
    try:
        found = StudyConfig.model_validate(tree)
    except ValidationError as error:
        mistakes += [_schema_mistake(one) for one in error.errors(include_url=False)]
    wrong = {one.path for one in mistakes}
    mistakes += [one for one in _names(tree) if one.path not in wrong]
    if found is not None and not mistakes:
        return found
    raise _config_error(mistakes, document)


def _config_error(mistakes: Sequence[Mistake], document: Document) -> ConfigError:
    ordered = sorted(mistakes, key=lambda one: document.line(one.path) or 0)
    lines = list(dict.fromkeys(one.text(f"line {line}" if (line := document.line(one.path)) else "") for one in ordered))
    what = lines[0] if len(lines) == 1 else f"{len(lines)} mistakes in the study\n" + "\n".join(f"    {line}" for line in lines)
    return ConfigError(what, where=document.name, do=f"correct {'it' if len(lines) == 1 else 'them all'} and run the command again")


def _schema_mistake(error: ErrorDetails) -> Mistake:
    path = error["loc"]
    if error["type"] == "conflict":
        return Mistake((error["ctx"]["key"],), None, error["ctx"]["message"], shows_value=False)
    if error["type"] == "missing":
        return Mistake(path, None, "is missing", shows_value=False)
    if error["type"] == "too_short":
        return Mistake(path, None, "names nothing; name one at least", shows_value=False)
    if error["type"] == "extra_forbidden":
        fields = list(_section(path).model_fields)
        near = nearest_value(path[-1], fields).removeprefix("; ").replace("'", "")
        plain = not isinstance(error["input"], dict | list)
        return Mistake(path, error["input"], f"no such key; {near or 'keys here: ' + ', '.join(fields)}", shows_value=plain)
    return mistake(error)


def _section(path: Path_) -> type[BaseModel]:
    """The model that a key stands in."""
    return next((SECTIONS[str(part)] for part in reversed(path[:-1]) if part in SECTIONS), StudyConfig)


def _names(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """What the schema cannot know: names of tasks, recipes, kinds and of the study's own entries, and keys of a run."""
    entries, targets = _entries(tree.get("intermediate")), _entries(tree.get("targets"))
    yield from _intermediate(entries)
    yield from _targets(targets)
    labels = [_label(entry) for entry in entries]
    yield from _labels(tree, labels)
    both = (("intermediate", entries), ("targets", targets))
    yield from _recipes(tree, [(section, number, one) for section, found in both for number, one in enumerate(found)])
    yield from _kind(tree.get("adapter"))
    for path, settings in _settings(tree, entries, targets):
        yield from _keys(path, settings)
    seeds = tree.get("seeds")
    if isinstance(seeds, list) and len({str(seed) for seed in seeds}) < len(seeds):
        yield Mistake(("seeds",), seeds, "names one twice")


def _entries(value: object) -> list[Mapping[str, Any]]:
    found = value if isinstance(value, list) else []
    return [{"task": one} if isinstance(one, str) else one if isinstance(one, dict) else {} for one in found]


def _learned(entry: Mapping[str, Any]) -> list[str]:
    tasks = entry.get("tasks", [])
    named = [one.strip() for one in tasks.split(",")] if isinstance(tasks, str) else tasks if isinstance(tasks, list) else []
    named = [one for one in named if isinstance(one, str)] or ([entry["task"]] if isinstance(entry.get("task"), str) else [])
    return [*named, "mlm"] if entry.get("mlm") is True and "mlm" not in named else named


def _label(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or "+".join(_learned(entry)))


def _intermediate(entries: Sequence[Mapping[str, Any]]) -> Iterator[Mistake]:
    labels: list[str] = []
    for number, entry in enumerate(entries):
        path: Path_ = ("intermediate", number)
        learned = _learned(entry)
        if entry and not learned:
            yield Mistake(path, None, "names no task: write `task`, or `tasks` for several at once", shows_value=False)
        if entry.get("task") and entry.get("tasks"):
            yield Mistake((*path, "tasks"), entry["tasks"], "stands beside `task`; keep one of them")
        if entry.get("sampler") and len(learned) == 1:
            yield Mistake((*path, "sampler"), None, f"mixes several tasks, and there is one: {learned[0]}", shows_value=False)
        for name in learned:
            task, problem = _task(name)
            if problem:
                yield Mistake((*path, "tasks" if entry.get("tasks") else "task"), name, problem)
            elif task is not None and task.retrieval:
                yield Mistake((*path, "task"), name, "trains nothing: it can be a target, not learned first")
        if entry and _label(entry) in labels:
            yield Mistake(path, None, f"a second intermediate run called '{_label(entry)}'; give it a `name`", shows_value=False)
        labels.append(_label(entry))


def _targets(targets: Sequence[Mapping[str, Any]]) -> Iterator[Mistake]:
    known: list[str] = []
    for number, entry in enumerate(targets):
        name = entry.get("task")
        if not isinstance(name, str):
            continue
        path: Path_ = ("targets", number, "task")
        task, problem = _task(name)
        if problem:
            yield Mistake(path, name, problem)
        elif task is not None and task.retrieval and entry.get("hows"):
            yield Mistake(("targets", number, "hows"), entry["hows"], f"'{name}' is read with the intermediate runs as they are, and trains nothing")
        if name in known:
            yield Mistake(path, name, "is a target already")
        known.append(name)


def _labels(tree: Mapping[str, Any], labels: Sequence[str]) -> Iterator[Mistake]:
    """Fusions and controls name intermediate runs of this study."""
    for section in ("fusions", "controls"):
        named = tree.get(section)
        for key, names in named.items() if isinstance(named, dict) else ():
            listed = names.split(",") if isinstance(names, str) else names if isinstance(names, list) else []
            for name in (str(one).strip() for one in listed):
                if name not in labels:
                    sentence = f"no intermediate run of this study{nearest_value(name, labels)}; there are: {', '.join(labels)}"
                    yield Mistake((section, key), name, sentence)
            if section == "fusions" and len(listed) < 2:
                yield Mistake((section, key), names, "fusion needs two runs or more")


def _recipes(tree: Mapping[str, Any], entries: Sequence[tuple[str, int, Mapping[str, Any]]]) -> Iterator[Mistake]:
    wanted = tree.get("recipes", {})
    named: list[tuple[Path_, str]] = []
    if isinstance(wanted, dict):
        named += [(("recipes", key), name) for key, name in wanted.items() if isinstance(name, str)]
    elif isinstance(wanted, str) and wanted not in protocols():
        choices = f"{', '.join(protocols())}{nearest_value(wanted, protocols())}"
        yield Mistake(("recipes",), wanted, f"should be one of: {choices}; or a mapping of tasks to recipes")
        wanted = {}
    for section, number, entry in entries:
        if isinstance(entry.get("recipe"), str) and entry["recipe"]:
            named.append(((section, number, "recipe"), entry["recipe"]))
        elif isinstance(wanted, str) and (name := entry.get("name") or entry.get("task")) and not _problem(f"{name}-{wanted}"):
            continue
        elif isinstance(wanted, str) and entry:
            yield Mistake((section, number), None, f"there is no recipe '{_label(entry)}-{wanted}'; name one with `recipe`", shows_value=False)
    yield from (Mistake(path, name, problem) for path, name in named if (problem := _problem(name)))


def _problem(recipe: str) -> str:
    try:
        found = recipe_file(Path(recipe))
    except StiltsError as error:
        return f"{error.what}; {error.do.partition('?')[0]}?" if "did you mean" in error.do else error.what
    return "" if found.is_file() else "no such file"


def _kind(adapter: object) -> Iterator[Mistake]:
    if not isinstance(adapter, dict) or not isinstance(adapter.get("kind", ""), str):
        return
    name, settings = adapter.get("kind") or Adapter().kind, adapter.get("settings") or {}
    if name not in kinds:
        yield Mistake(("adapter", "kind"), name, f"no such kind of adapter{nearest_value(name, list(kinds))}; `adapter-stilts list kinds` shows them")
    elif isinstance(settings, dict):
        try:
            resolve(kinds[name], settings)
        except StiltsError as error:
            yield Mistake(("adapter", "settings"), None, f"{error.what}; {error.do}", shows_value=False)


def _settings(tree: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], targets: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Path_, Mapping[str, Any]]]:
    places: list[tuple[Path_, object]] = [((name,), tree.get(name)) for name in ("settings", "intermediate_settings", "target_settings")]
    places += [(("intermediate", number, "settings"), entry.get("settings")) for number, entry in enumerate(entries)]
    places += [(("targets", number, "settings"), entry.get("settings")) for number, entry in enumerate(targets)]
    return ((path, found) for path, found in places if isinstance(found, dict))


def _keys(path: Path_, settings: Mapping[str, Any]) -> Iterator[Mistake]:
    """Each key of a run's configuration, checked as a run's own file is."""
    for key, value in settings.items():
        own = next((mine for given, mine in GIVEN.items() if key == given or key.startswith(f"{given}.")), "")
        if own:
            yield Mistake((*path, key), value, f"a study sets this itself; use its key `{own}`")
            continue
        try:
            layer = with_settings(RunConfig(), {key: value}).retrieval.layer
            if isinstance(layer, tuple | str):
                yield Mistake((*path, key), value, "a study reads one layer; `adapter-stilts eval --layer all` reads them all")
        except ConfigError as error:
            yield Mistake((*path, key), value, error.what.rpartition(": ")[2])


def _task(name: str) -> tuple[Task | None, str]:
    try:
        return find_task(name), ""
    except StiltsError as error:
        advice = f"; {error.do.partition('?')[0]}?" if "did you mean" in error.do else ""
        return None, f"{error.what}{advice}"

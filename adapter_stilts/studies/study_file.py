"""A study's YAML file to its values, with every mistake in it reported at once: keys, values and names.

targets.1.task = 'tatoba': no task called 'tatoba'; did you mean 'tatoeba'? (paper.yaml, line 14)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from adapter_stilts.config import yaml_text
from adapter_stilts.config.load import config_error, with_settings
from adapter_stilts.config.mistakes import Mistake, dotted, mistake, nearest_value, second_time
from adapter_stilts.config.places import TASK_FILES
from adapter_stilts.config.recipes import protocols, recipe_file
from adapter_stilts.config.schema import Adapter, RunConfig, Sampler, Trunk, our_name
from adapter_stilts.config.study import (
    DIRECT,
    EVERY,
    GROUPED,
    Intermediate,
    StudyConfig,
    TableOptions,
    Target,
    control_label,
)
from adapter_stilts.config.yaml_text import Key
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.errors import ConfigError, StiltsError, TaskDataError
from adapter_stilts.files import read_text
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.user import find_task

Path_ = tuple[Key, ...]
SECTIONS: dict[str, type[BaseModel]] = {"trunk": Trunk, "adapter": Adapter, "sampler": Sampler, "table": TableOptions}
SECTIONS |= {"intermediate": Intermediate, "targets": Target}
LACKING = {"missing": "is missing", "too_short": "names nothing; name one at least"}
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
        advice = "name a study's file; `adapter-stilts list recipes` shows ready-made ones"
        raise ConfigError(error.what, where=error.where, do=advice) from error
    document = yaml_text.parse(text, str(path), our_name)
    tree = document.value
    if not isinstance(tree, dict):
        advice = "write `key: value` lines: name, intermediate, targets"
        raise ConfigError("a study is keys and values", where=str(path), do=advice)
    for section in ("intermediate", "targets"):
        if isinstance(entries := tree.get(section), list):
            tree[section] = [_beside(entry, path.parent) for entry in entries]
    study: StudyConfig | None = None
    mistakes = [_plain(place, second_time(dotted(place), line)) for place, line in document.repeated]
    try:
        study = StudyConfig.model_validate(tree)
    except ValidationError as error:
        mistakes += [_schema_mistake(details) for details in error.errors(include_url=False)]
    wrong = {mistake.path for mistake in mistakes}
    mistakes += [mistake for mistake in _names(tree) if mistake.path not in wrong]
    if study is not None and not mistakes:
        return study
    placed = sorted(((document.line(mistake.path), mistake) for mistake in mistakes), key=lambda at: at[0] or 0)
    lines = dict.fromkeys(mistake.text(f"line {line}" if line else "") for line, mistake in placed)
    raise config_error(list(lines), document.name, "study")


def _beside(entry: Any, folder: Path) -> Any:
    """An entry whose task files, where there are none of these names in the working folder, lie beside the study."""
    if isinstance(entry, str):
        own = folder / entry
        return str(own) if entry.endswith(TASK_FILES) and own.is_file() and not Path(entry).is_file() else entry
    if isinstance(entry, dict):
        return {**entry, **{key: _beside(entry[key], folder) for key in ("task", "tasks") if key in entry}}
    return [_beside(each, folder) for each in entry] if isinstance(entry, list) else entry


def _schema_mistake(error: ErrorDetails) -> Mistake:
    path = error["loc"]
    if error["type"] == "conflict":
        return _plain((error["ctx"]["key"],), error["ctx"]["message"])
    if sentence := LACKING.get(error["type"]):
        return _plain(path, sentence)
    if error["type"] == "extra_forbidden":
        fields = list(_section(path).model_fields)
        near = nearest_value(path[-1], fields).removeprefix("; ").replace("'", "")
        sentence = f"no such key; {near or 'keys here: ' + ', '.join(fields)}"
        return Mistake(path, error["input"], sentence, shows_value=not isinstance(error["input"], dict | list))
    return mistake(error)


def _plain(path: Path_, sentence: str) -> Mistake:
    """A mistake whose value says nothing."""
    return Mistake(path, None, sentence, shows_value=False)


def _section(path: Path_) -> type[BaseModel]:
    """The model that a key stands in."""
    return next((SECTIONS[str(part)] for part in reversed(path[:-1]) if part in SECTIONS), StudyConfig)


def _names(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """What the schema cannot know: names of tasks, recipes, kinds and of the study's own entries, and keys of a run."""
    entries, targets = _entries(tree.get("intermediate")), _entries(tree.get("targets"))
    placed: dict[Path_, Mapping[str, Any]] = {("intermediate", number): entry for number, entry in enumerate(entries)}
    placed |= {("targets", number): entry for number, entry in enumerate(targets)}
    yield from _intermediate(entries)
    yield from _targets(targets)
    yield from _labels(tree, [_label(entry) for entry in entries], targets)
    yield from _recipes(tree, placed)
    yield from _kind(tree.get("adapter"))
    for name in ("settings", "intermediate_settings", "target_settings"):
        yield from _keys((name,), tree.get(name))
    for path, entry in placed.items():
        yield from _keys((*path, "settings"), entry.get("settings"))
    seeds = tree.get("seeds")
    if isinstance(seeds, list) and len({str(seed) for seed in seeds}) < len(seeds):
        yield Mistake(("seeds",), seeds, "names one twice")


def _entries(value: object) -> list[Mapping[str, Any]]:
    entries = value if isinstance(value, list) else []
    named = [{"task": entry} if isinstance(entry, str) else entry for entry in entries]
    return [entry if isinstance(entry, dict) else {} for entry in named]


def _learned(entry: Mapping[str, Any]) -> list[str]:
    named = _listed(entry.get("tasks")) or ([entry["task"]] if isinstance(entry.get("task"), str) else [])
    return [*named, "mlm"] if entry.get("mlm") is True and "mlm" not in named else named


def _listed(names: object) -> list[str]:
    """A list of names; a text is a list with commas."""
    listed = names.split(",") if isinstance(names, str) else names if isinstance(names, list) else []
    return [str(name).strip() for name in listed]


def _label(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or "+".join(_learned(entry)))


def _intermediate(entries: Sequence[Mapping[str, Any]]) -> Iterator[Mistake]:
    labels: list[str] = []
    for number, entry in enumerate(entries):
        path: Path_ = ("intermediate", number)
        learned = _learned(entry)
        if entry and not learned:
            yield _plain(path, "names no task: write `task`, or `tasks` for several at once")
        if entry.get("task") and entry.get("tasks"):
            yield Mistake((*path, "tasks"), entry["tasks"], "stands beside `task`; keep one of them")
        if entry.get("sampler") and len(learned) == 1:
            sentence = f"mixes several tasks, and there is one: {learned[0]}"
            yield _plain((*path, "sampler"), sentence)
        for name in learned:
            task, problem = _task(name)
            if problem:
                yield Mistake((*path, "tasks" if entry.get("tasks") else "task"), name, problem)
            elif task is not None and task.retrieval:
                yield Mistake((*path, "task"), name, "trains nothing: it can be a target, not learned first")
        if entry and _label(entry) in labels:
            sentence = f"a second intermediate run called '{_label(entry)}'; give it a `name`"
            yield _plain(path, sentence)
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
            sentence = f"'{name}' is read with the intermediate runs as they are, and trains nothing"
            yield Mistake(("targets", number, "hows"), entry["hows"], sentence)
        if (label := entry.get("name") or name) in known:
            yield Mistake(path, label, "is a target already")
        known.append(label)


def _labels(tree: Mapping[str, Any], labels: Sequence[str], targets: Sequence[Mapping[str, Any]]) -> Iterator[Mistake]:
    """Fusions and controls name intermediate runs of this study; `after` names these, controls and fusions."""
    fusions, controls = _named(tree.get("fusions")), _named(tree.get("controls"))
    here = "no intermediate run of this study"
    for key, names in fusions.items():
        yield from _unknown(("fusions", key), [name for name in names if name != DIRECT], labels, here)
        if len(names) < 2:
            yield Mistake(("fusions", key), tree["fusions"][key], "fusion needs two runs or more")
    for key, names in controls.items():
        yield from _unknown(("controls", key), names, labels, here)
    runs = [*labels, *(control_label(label, control) for control, of in controls.items() for label in of)]
    places: dict[Path_, object] = {("after",): tree.get("after")}
    places |= {("targets", number, "after"): entry.get("after") for number, entry in enumerate(targets)}
    for path, after in places.items():
        for how, names in _named(after).items():
            named = list(fusions) or [EVERY]
            fused = [*named, *(control_label(name, control) for control in controls for name in named)]
            known = fused if how in GROUPED else runs
            yield from _unknown((*path, how), names, known, "not in this study")


def _unknown(path: Path_, names: Sequence[str], known: Sequence[str], sentence: str) -> Iterator[Mistake]:
    for name in names:
        if name not in known:
            yield Mistake(path, name, f"{sentence}{nearest_value(name, known)}; there are: {', '.join(known)}")


def _named(section: object) -> dict[str, list[str]]:
    """Lists of names by their keys."""
    return {str(key): _listed(names) for key, names in (section if isinstance(section, dict) else {}).items()}


def _recipes(tree: Mapping[str, Any], entries: Mapping[Path_, Mapping[str, Any]]) -> Iterator[Mistake]:
    wanted = tree.get("recipes", {})
    named: list[tuple[Path_, str]] = []
    if isinstance(wanted, dict):
        named += [(("recipes", key), name) for key, name in wanted.items() if isinstance(name, str)]
    elif isinstance(wanted, str) and wanted not in protocols():
        choices = f"{', '.join(protocols())}{nearest_value(wanted, protocols())}"
        yield Mistake(("recipes",), wanted, f"should be one of: {choices}; or a mapping of tasks to recipes")
        wanted = {}
    for path, entry in entries.items():
        learned = _learned(entry)
        recipe = f"{learned[0] if len(learned) == 1 else _label(entry)}-{wanted}"
        if isinstance(entry.get("recipe"), str) and entry["recipe"]:
            named.append(((*path, "recipe"), entry["recipe"]))
        elif isinstance(wanted, str) and entry and _problem(recipe):
            yield _plain(path, f"there is no recipe '{recipe}'; name one with `recipe`")
    yield from (Mistake(path, name, problem) for path, name in named if (problem := _problem(name)))


def _problem(recipe: str) -> str:
    try:
        path = recipe_file(Path(recipe))
    except StiltsError as error:
        return _with_nearest(error)
    return "" if path.is_file() else "no such file"


def _with_nearest(error: StiltsError) -> str:
    """What is wrong, and the nearest right name where there is one."""
    return f"{error.what}; {error.do.partition('?')[0]}?" if "did you mean" in error.do else error.what


def _kind(adapter: object) -> Iterator[Mistake]:
    if not isinstance(adapter, dict) or not isinstance(adapter.get("kind", ""), str):
        return
    name, settings = adapter.get("kind") or Adapter().kind, adapter.get("settings") or {}
    if name not in kinds:
        sentence = f"no such kind of adapter{nearest_value(name, list(kinds))}; `adapter-stilts list kinds` shows them"
        yield Mistake(("adapter", "kind"), name, sentence)
    elif isinstance(settings, dict):
        try:
            resolve(kinds[name], settings)
        except StiltsError as error:
            yield _plain(("adapter", "settings"), f"{error.what}; {error.do}")


def _keys(path: Path_, settings: object) -> Iterator[Mistake]:
    """Each key of a run's configuration, checked as a run's own file is."""
    for key, value in settings.items() if isinstance(settings, dict) else ():
        own = next((mine for given, mine in GIVEN.items() if key == given or key.startswith(f"{given}.")), "")
        if own:
            yield Mistake((*path, key), value, f"a study sets this itself; use its key `{own}`")
            continue
        try:
            if isinstance(with_settings(RunConfig(), {key: value}).retrieval.layer, tuple | str):
                sentence = "a study reads one layer; `adapter-stilts eval --layer all` reads them all"
                yield Mistake((*path, key), value, sentence)
        except ConfigError as error:
            yield Mistake((*path, key), value, error.what.rpartition(": ")[2])


def _task(name: str) -> tuple[Task | None, str]:
    try:
        return find_task(name), ""
    except StiltsError as error:
        return None, _with_nearest(error)

"""YAML, `--set a.b=c` and flags to a RunConfig, with every mistake reported at once.

    load(Path("configs/train/nli.yaml"), ["training.epochs=2"], [Given("--seed", "training.seed", 7)])

What comes later wins: the schema's defaults, the file, `--set`, the flags of the command. A key given both by a flag
and by `--set` with different values is a mistake rather than a riddle. A number where text belongs is taken as it was
written ("007" stays "007").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from adapter_stilts.config import yaml_text
from adapter_stilts.config.mistakes import Mistake, dotted, mistake, second_time, short
from adapter_stilts.config.recipes import find_recipe
from adapter_stilts.config.schema import Adapter, RunConfig, keys, our_name
from adapter_stilts.config.yaml_text import DEEPEST, Document, Key
from adapter_stilts.errors import ConfigError, TaskDataError
from adapter_stilts.files import read_text

AdapterCheck: TypeAlias = Callable[[str, Mapping[str, object]], list[tuple[tuple[Key, ...], object, str]]]
OPEN = {"adapter.settings", "task.columns", "training.sampler.weights"}  # keys of the user's own stand under these
SECTIONS = {key.rsplit(".", 1)[0] for key in keys() if "." in key}


@dataclass(frozen=True)
class Given:
    """A value laid over the file: the flag or the `--set` it came by, the key it sets, and the YAML it was written in
    (None for a flag's value)."""

    flag: str
    key: str
    value: object
    document: Document | None = None

    @property
    def path(self) -> tuple[Key, ...]:
        return tuple(self.key.split("."))


def load(
    path: Path | None = None,
    settings: Sequence[str] = (),
    flags: Sequence[Given] = (),
    *,
    adapter: AdapterCheck = lambda kind, settings: [],
) -> RunConfig:
    """The configuration of a run; raises ConfigError with one line for each mistake, UnknownName for no recipe's name.

    path     a file, or the name of a ready-made configuration
    adapter  what a floor above finds wrong in adapter.kind and adapter.settings: (path, value, sentence). It joins the
             other mistakes.
    """
    document = _read(path) if path else Document("", {}, None)
    lines = [f"{dotted(where)}: {second_time(dotted(where), line)}" for where, line in document.repeated]
    overlays, wrong = _parsed(settings)
    overlays += flags
    lines += [*wrong, *_given_twice(overlays)]
    # a section's name with nothing under it means its defaults
    tree = {key: value for key, value in (document.value or {}).items() if value is not None or key not in SECTIONS}
    for overlay in overlays:
        tree = _put(tree, overlay.path, overlay.value)
    checked = _validated(tree, lambda where: _wording(where, document, overlays))
    mistakes = [Mistake(*facts) for facts in _of_adapter(tree, adapter)]
    do = _of_another_kind(mistakes, document, overlays)
    if not isinstance(checked, RunConfig):
        mistakes = [*checked, *mistakes]
    lines += [each.text(_place(each.path, document, overlays)) for each in mistakes]
    if isinstance(checked, RunConfig) and not lines:
        return checked
    raise config_error(lines, document.name, do=do)


def with_settings(config: RunConfig, settings: Mapping[str, object]) -> RunConfig:
    """The same configuration with some dotted keys changed; raises ConfigError like `load`."""
    tree: Any = config.model_dump(mode="json", exclude_unset=True)  # what is not said stays unsaid
    for key, value in settings.items():
        tree = _put(tree, tuple(our_name(key).split(".")), value)
    checked = _validated(tree, lambda where: None)
    if isinstance(checked, RunConfig):
        return checked
    raise config_error([each.text("") for each in checked], "")


def dump(config: RunConfig) -> str:
    """The resolved configuration as YAML, every default written out; `load` reads it back to an equal value."""
    return yaml_text.dump(config.model_dump(mode="json"))


def _of_adapter(tree: Any, check: AdapterCheck) -> list[tuple[tuple[Key, ...], object, str]]:
    """Nothing where the kind is not known here: a run after others may take theirs."""
    section = tree.get("adapter")
    if not isinstance(section, dict) or ("kind" not in section and tree.get("after")):
        return []
    kind, settings = section.get("kind", Adapter().kind), section.get("settings") or {}
    return check(kind, settings) if isinstance(kind, str) and isinstance(settings, dict) else []


def _of_another_kind(mistakes: Sequence[Mistake], document: Document, overlays: Sequence[Given]) -> str:
    """What to do where a file sets up one kind of adapter and the command names another; "" elsewhere."""
    flag = next((overlay for overlay in reversed(overlays) if overlay.key == "adapter.kind"), None)
    section = (document.value or {}).get("adapter")
    section = section if isinstance(section, dict) else {}
    written = section.get("settings")
    if flag is None or not isinstance(written, dict) or not any(each.path[-1] in written for each in mistakes):
        return ""
    settings = f"its adapter.settings are of {section.get('kind', Adapter().kind)}"
    drop = "drop them with --set adapter.settings={}"
    return f"{settings}: leave {flag.flag} out, or {drop} and give those of {flag.value}"


def _read(path: Path) -> Document:
    """A file of the user's own, or a ready-made configuration by its name."""
    recipe = find_recipe(path)
    name = recipe.name if recipe else str(path)
    try:
        document = yaml_text.parse(recipe.text if recipe else read_text(path), name, our_name)
    except TaskDataError as error:
        advice = "name a configuration file; `adapter-stilts list recipes` shows ready-made ones"
        raise ConfigError(error.what, where=error.where, do=advice) from error
    if not isinstance(document.value, dict | None):
        what = f"a configuration is keys and values, not {short(document.value)}"
        raise ConfigError(what, where=name, do="write `key: value` lines")
    return document


def _parsed(settings: Sequence[str]) -> tuple[list[Given], list[str]]:
    """The value of each `--set a.b=c`, and a sentence for each that cannot be read."""
    overlays, wrong = [], []
    names: dict[str, str] = {}  # key -> the name it was first given by
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        key = our_name(name)
        if not equals or not all(key.split(".")) or key.count(".") > DEEPEST:
            wrong.append(f"--set {setting}: write it as key=value, for example --set training.epochs=2")
            continue
        if problem := _misplaced(key):
            wrong.append(f"--set {setting}: {problem}")
            continue
        if (first := names.setdefault(key, name)) != name:
            wrong.append(f"--set {setting}: given twice, and {first} is another name of it")
        try:
            document = yaml_text.parse(text, f"--set {setting}")
        except ConfigError as error:
            wrong.append(f"--set {setting}: {error.what}; put the value in quotes")
            continue
        overlays.append(Given(f"--set {setting}", key, document.value, document))
    return overlays, wrong


def _misplaced(key: str) -> str:
    """Why a key sets nothing: it names a whole section, or goes on below a single value."""
    known = set(keys())
    if key in SECTIONS:
        inside = ", ".join(name for name in sorted(known) if name.startswith(f"{key}."))
        return f"{key} is a section; set one of its keys: {inside}"
    single = (name for name in known - SECTIONS - OPEN if key.startswith(f"{name}."))
    return next((f"{name} holds one value, no keys" for name in single), "")


def _given_twice(overlays: Sequence[Given]) -> Iterator[str]:
    flags = {overlay.key: overlay for overlay in overlays if overlay.document is None}
    for overlay in overlays:
        flag = flags.get(overlay.key)
        if flag and overlay.document is not None and flag.value != overlay.value:
            yield f"{flag.key}: given twice, by {flag.flag} ({short(flag.value)}) and by {overlay.flag}"


def _put(tree: Any, path: Sequence[Key], value: object) -> Any:
    """A copy of the tree with one value changed; a section that is no mapping is left for the schema to report."""
    if not path:
        return value
    if isinstance(tree, list):
        return [_put(item, path[1:], value) if number == path[0] else item for number, item in enumerate(tree)]
    if not isinstance(tree, dict):
        return tree
    return {**tree, path[0]: _put(tree.get(path[0], {}), path[1:], value)}


def _remove(tree: Any, path: Sequence[Key]) -> Any:
    if isinstance(tree, list) or len(path) == 1:
        return {key: value for key, value in tree.items() if key != path[0]} if isinstance(tree, dict) else None
    return {**tree, path[0]: _remove(tree.get(path[0]), path[1:])} if isinstance(tree, dict) else tree


def _validated(tree: Any, wording: Callable[[Sequence[Key]], str | None]) -> RunConfig | list[Mistake]:
    """The tree as a RunConfig, or its mistakes: those of single keys, then those between keys that are right by
    themselves."""
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    texts = {tuple(each["loc"]): wording(each["loc"]) for each in errors if each["type"] == "string_type"}
    written = {path: text for path, text in texts.items() if text is not None}
    for path, text in written.items():
        tree = _put(tree, path, text)
    if written:
        return _validated(tree, wording)
    mistakes = [mistake(each) for each in errors]
    if any(each["type"] == "conflict" for each in errors):
        return mistakes
    return mistakes + _conflicts(tree, {each.path for each in mistakes})


def _conflicts(tree: Any, wrong: set[tuple[Key, ...]]) -> list[Mistake]:
    """The schema checks keys against each other only once all are right by themselves, so drop the wrong ones and ask
    again."""
    for path in wrong:
        tree = _remove(tree, path)
    try:
        RunConfig.model_validate(tree)
    except ValidationError as error:
        conflicts = [each for each in error.errors(include_url=False) if each["type"] == "conflict"]
        between = [(mistake(each), (each["ctx"]["key"], each["ctx"]["other"])) for each in conflicts]
        return [each for each, both in between if not any(_touches(path, key) for path in wrong for key in both)]
    return []


def _touches(path: Sequence[Key], key: str) -> bool:
    """Whether a place is a dotted key, or above or below it."""
    parts = key.split(".")
    return all(str(part) == other for part, other in zip(path, parts, strict=False))


def _wording(path: Sequence[Key], document: Document, overlays: Sequence[Given]) -> str | None:
    for overlay in reversed(overlays):
        if tuple(path[: len(overlay.path)]) == overlay.path:
            return overlay.document.wording(path[len(overlay.path) :]) if overlay.document else None
    return document.wording(path)


def _place(path: Sequence[Key], document: Document, overlays: Sequence[Given]) -> str:
    """Where a key was given: the flag, the `--set`, or the line of the file."""
    for overlay in reversed(overlays):
        if tuple(path[: len(overlay.path)]) == overlay.path or overlay.path[: len(path)] == tuple(path):
            return overlay.flag
    line = document.line(path)
    return f"line {line}" if line else ""


def config_error(lines: Sequence[str], name: str, of: str = "configuration", do: str = "") -> ConfigError:
    """All mistakes of a file called `name` in one error; of: what it describes; do: what else but to correct them."""
    if len(lines) == 1:
        return ConfigError(lines[0], where=name, do=do or "correct it and run the command again")
    what = "\n".join([f"{len(lines)} mistakes in the {of}", *(f"    {line}" for line in lines)])
    return ConfigError(what, where=name, do=do or "correct them all and run the command again")

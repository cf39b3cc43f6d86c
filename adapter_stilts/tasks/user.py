"""A user's own task: a YAML file that describes files of an existing format.

    name: ecare
    format: choice
    files: {train: [ecare.{l}.train.jsonl], validation: [ecare.{l}.dev.jsonl]}

`find_task` takes the name of a task or the path of such a file, and what the configuration sets over either.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from adapter_stilts.errors import ConfigError, MissingError, UnknownName
from adapter_stilts.files import read_text
from adapter_stilts.formats.base import formats
from adapter_stilts.miniature.datasets import DATASETS
from adapter_stilts.registry import unknown_name
from adapter_stilts.tasks.base import SPLITS, Hub, Task, tasks


def _list(value: object) -> object:
    """One thing is a list of one; words in a line are a list of words."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _patterns(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _texts(value: object) -> object:
    """YAML reads an unquoted 0 as a number; labels are text."""
    return [str(item) if isinstance(item, int | float) and not isinstance(item, bool) else item for item in value] if isinstance(value, list) else value


def _text_keys(value: object) -> object:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, dict) else value


def _format(value: str) -> str:
    if value not in formats:
        *most, last = (f"'{name}'" for name in formats)
        raise PydanticCustomError("format", f"Input should be {', '.join(most)} or {last}")
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_texts), BeforeValidator(_list)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_patterns)]
Names = Annotated[dict[str, str], BeforeValidator(_text_keys)]


class HubSection(BaseModel):
    """A data set of the hub; the meanings are those of Hub (base.py)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]
    config: str = ""
    revision: str = ""
    splits: dict[Literal["train", "validation", "test"], str] = {"train": "train", "validation": "validation", "test": "test"}
    codes: Names = {}
    columns: Names = {}
    label_names: Names = {}
    candidates: str = ""


class TaskFile(BaseModel):
    """What a task file may say; the meanings are those of Task (base.py)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    format: Annotated[str, AfterValidator(_format)]
    metric: str = ""
    summary: str = ""
    languages: Words = ()
    labels: Words | None = None
    train_language: str = "en"
    train_task: str = ""
    held_out: Annotated[int, Field(ge=0)] = 0
    files: dict[Literal["train", "validation", "test"], Patterns] = {}
    candidates: Patterns = ()
    concatenate: bool = False
    columns: Names = {}
    label_names: Names = {}
    ignore_labels: Words = ()
    language_column: str = ""
    hub: HubSection | None = None
    miniature: str = ""
    max_length: Annotated[int, Field(ge=8)] | None = None
    query_length: Annotated[int, Field(ge=8)] = 64
    licence: str = ""
    paper: str = ""


def find_task(name: str, settings: Mapping[str, Any] | None = None) -> Task:
    """The task of that name, or of that YAML file, with the `task` section of a configuration set over it.

    settings  columns, labels, ignore_labels; multiword (fuse or split); hub (the id of one of its data sets, to be read alone)

    Raises UnknownName with the nearest task or data set, MissingError for a file that is not there, ConfigError for mistakes in it.
    """
    task = task_from_yaml(Path(name)) if name.endswith((".yaml", ".yml")) else tasks[name]
    settings = settings or {}
    columns = {**task.columns, **(settings.get("columns") or {})}
    labels = settings.get("labels")
    ignored = tuple(settings.get("ignore_labels") or ())
    return replace(
        task,
        columns=columns,
        labels=tuple(map(str, labels)) if labels else task.labels,
        ignore_labels=tuple(dict.fromkeys((*task.ignore_labels, *ignored))),
        multiword=settings.get("multiword") or task.multiword,
        **_chosen(task, settings.get("hub") or ""),
    )


def _chosen(task: Task, id: str) -> dict[str, Any]:
    """The fields of a task that is to be read from one data set of the hub."""
    if not id:
        return {}
    chosen = tuple(hub for hub in task.hubs if hub.id == id)  # several where its splits lie in different configurations
    if not chosen:
        raise unknown_name(f"data set of '{task.name}' on the hub", id, dict.fromkeys(hub.id for hub in task.hubs), where="task.hub")
    return {"hub": chosen[0], "more_hubs": chosen[1:]}


def task_from_yaml(path: Path) -> Task:
    """The task a YAML file describes. Raises ConfigError with every mistake in it, and the nearest key for an unknown one."""
    if not path.is_file():
        raise MissingError("no such task file", where=str(path), do="check the path, or name a task of `adapter-stilts list tasks`")
    try:
        content = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {' '.join(str(error).split())}", where=str(path), do="correct the file") from error
    if not isinstance(content, dict):
        raise ConfigError("a task file holds keys and values", where=str(path), do="start with `name:` and `format:`")
    try:
        described = TaskFile.model_validate(content)
        mistakes = _mistakes(described)
    except ValidationError as error:
        described, mistakes = None, [_sentence(item) for item in error.errors()]
    if mistakes or described is None:
        raise ConfigError("; ".join(mistakes), where=str(path), do=f"keys: {', '.join(TaskFile.model_fields)}")
    return _task(described)


def _task(described: TaskFile) -> Task:
    values = described.model_dump()
    format = formats[values.pop("format")]
    values["metric"] = described.metric or format.metrics[0]
    values["max_length"] = described.max_length or format.max_length
    values["hub"] = Hub(**values["hub"]) if values["hub"] else None
    return Task(**values, format_name=format.name, unanswerable=values["metric"] == "squad_v2")


def _mistakes(described: TaskFile) -> list[str]:
    """What the types do not say: a metric that suits the format, columns it has, a training task of the same format."""
    found = []
    if described.metric and described.metric not in (fitting := formats[described.format].metrics):
        found.append(f"metric: '{described.metric}' does not suit the format '{described.format}' (one of: {', '.join(fitting)})")
    columns = formats[described.format].columns
    for key in described.columns if columns else ():
        assert columns is not None
        try:
            columns.field_called(key)
        except UnknownName as error:
            found.append(f"columns.{key}: {error.what} ({error.do})")
    if described.train_task and described.train_task not in tasks:
        found.append(f"train_task: no task called '{described.train_task}'{_nearest(described.train_task, list(tasks))}")
    elif described.train_task and tasks[described.train_task].format.name != described.format:
        found.append(f"train_task: '{described.train_task}' is of format '{tasks[described.train_task].format.name}', not '{described.format}'")
    if described.miniature and (described.miniature not in DATASETS or DATASETS[described.miniature].format != described.format):
        known = sorted(name for name, data in DATASETS.items() if data.format == described.format)
        found.append(f"miniature: '{described.miniature}' is no data set of the format '{described.format}' (one of: {', '.join(known)})")
    return found


def _sentence(item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = HubSection.model_fields if len(item["loc"]) > 1 else TaskFile.model_fields
        return f"unknown key '{place}'{_nearest(str(item['loc'][-1]), list(known))}"
    if item["type"] == "missing":
        return f"'{place}' is missing"
    if place.startswith(("files.", "hub.splits.")):
        return f"{place}: a split is one of {', '.join(SPLITS)}, with what holds it"
    return f"{place}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _nearest(wrong: str, known: list[str]) -> str:
    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    return f" (did you mean '{near[0]}'?)" if near else ""

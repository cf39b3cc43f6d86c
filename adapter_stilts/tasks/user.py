"""A user's own task: a YAML file that describes files of an existing format.

    name: ecare
    format: choice
    files: {train: [ecare.{l}.train.jsonl], validation: [ecare.{l}.dev.jsonl]}

`find_task` takes the name of a task or the path of such a file, and what the configuration sets over either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from adapter_stilts.config import yaml_text
from adapter_stilts.config.mistakes import dotted
from adapter_stilts.errors import ConfigError, MissingError, UnknownName
from adapter_stilts.files import read_text
from adapter_stilts.formats.base import formats
from adapter_stilts.miniature.datasets import DATASETS
from adapter_stilts.registry import nearest, unknown_name
from adapter_stilts.tasks.base import Task, task_of, tasks
from adapter_stilts.tasks.source import SPLITS, Hub

LONGEST, MOST = 300, 4  # characters and placeholders of a file's pattern
PLACEHOLDER = re.compile(r"\{l\}|\{name\}|\*")


def _texts(value: object) -> object:
    """Words in a line are a list of words; an unquoted 0, which YAML reads as a number, is text."""
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if not isinstance(value, list):
        return value
    return [str(item) if isinstance(item, int | float) and not isinstance(item, bool) else item for item in value]


def _format(value: str) -> str:
    if value not in formats:
        *most, last = (f"'{name}'" for name in formats)
        raise PydanticCustomError("format", f"Input should be {', '.join(most)} or {last}")
    return value


def _pattern(value: str) -> str:
    parts = value.split()
    climbing = any(part.startswith("/") or ".." in part.split("/") for part in parts)
    if not parts or climbing or len(value) > LONGEST or len(PLACEHOLDER.findall(value)) > MOST or "\0" in value:
        sentence = f"should be a file's name below the folder of data, with at most {MOST} of {{l}}, {{name}} and *"
        raise PydanticCustomError("pattern", "{sentence}", {"sentence": sentence})
    return value


def _strings(value: object) -> object:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, dict) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Patterns = Annotated[
    tuple[Annotated[str, AfterValidator(_pattern)], ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(max_length=100),
]
Split = Literal["train", "validation", "test"]
Names = Annotated[dict[str, str], BeforeValidator(_strings)]


class HubSection(BaseModel):
    """A data set of the hub; the meanings are those of Hub (source.py)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]
    config: str = ""
    revision: str = ""
    splits: dict[Split, str] = {"train": "train", "validation": "validation", "test": "test"}
    codes: Names = {}
    columns: Names = {}
    label_names: Names = {}
    candidates: str = ""


class TaskFile(BaseModel):
    """What a task file may say; the meanings are those of Task (base.py) and Source (source.py)."""

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
    files: dict[Split, Patterns] = {}
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

    settings  columns, labels, ignore_labels; multiword (fuse or split); hub (the id of one of its data sets, to be read
              alone)

    Raises UnknownName with the nearest task or data set, MissingError for a file that is not there, ConfigError for
    mistakes in it.
    """
    task = task_from_yaml(Path(name)) if name.endswith((".yaml", ".yml")) else tasks[name]
    settings, source = settings or {}, task.source
    task = task.reading(
        columns={**source.columns, **(settings.get("columns") or {})},
        ignore_labels=tuple(dict.fromkeys((*source.ignore_labels, *(settings.get("ignore_labels") or ())))),
        multiword=settings.get("multiword") or source.multiword,
        hubs=_hubs(task, settings.get("hub") or ""),
    )
    labels = settings.get("labels")
    return replace(task, labels=tuple(map(str, labels))) if labels else task


def _hubs(task: Task, id: str) -> tuple[Hub, ...]:
    """Its data sets of the hub, or those of one id: several where its splits lie in different configurations."""
    hubs = {hub.id: tuple(other for other in task.source.hubs if other.id == hub.id) for hub in task.source.hubs}
    if id and id not in hubs:
        raise unknown_name(f"data set of '{task.name}' on the hub", id, hubs, where="task.hub")
    return hubs[id] if id else task.source.hubs


def task_from_yaml(path: Path) -> Task:
    """The task a YAML file describes. Raises ConfigError with every mistake in it, and the nearest key for an
    unknown."""
    if not path.is_file():
        advice = "check the path, or name a task of `adapter-stilts list tasks`"
        raise MissingError("no such task file", where=str(path), do=advice)
    document = yaml_text.parse(read_text(path), str(path))
    content = document.value
    if not isinstance(content, dict):
        raise ConfigError("a task file holds keys and values", where=str(path), do="start with `name:` and `format:`")
    try:
        described = TaskFile.model_validate(content)
        mistakes = list(_mistakes(described))
    except ValidationError as error:
        mistakes = [_sentence(item) for item in error.errors()]
    mistakes += [f"{dotted(key)}: stands here a second time (line {line})" for key, line in document.repeated]
    if mistakes:
        raise ConfigError("; ".join(mistakes), where=str(path), do=f"keys: {', '.join(TaskFile.model_fields)}")
    facts = described.model_dump(exclude={"name", "format", "summary", "hub"}, exclude_defaults=True)
    hubs = (Hub(**described.hub.model_dump()),) if described.hub else ()
    return task_of(described.name, described.format, described.summary, hubs=hubs, **facts)


def told(path: Path) -> str:
    """A task file as it travels with a run: its keys and values, without comments."""
    return yaml_text.dump(yaml_text.parse(read_text(path), str(path)).value)


def _mistakes(described: TaskFile) -> Iterator[str]:
    """What the types do not say: a metric that suits the format, columns it has, a training task of the same format."""
    format, train_task = formats[described.format], described.train_task
    if described.metric and described.metric not in format.metrics:
        listed = ", ".join(format.metrics)
        yield f"metric: '{described.metric}' does not suit the format '{format.name}' (one of: {listed})"
    for key in described.columns if format.columns else ():
        assert format.columns is not None
        try:
            format.columns.field_called(key)
        except UnknownName as error:
            yield f"columns.{key}: {error.what} ({error.do})"
    if train_task and train_task not in tasks:
        yield f"train_task: no task called '{train_task}'{_meant(train_task, tasks)}"
    elif train_task and tasks[train_task].format_name != format.name:
        yield f"train_task: '{train_task}' is of format '{tasks[train_task].format_name}', not '{format.name}'"
    known = sorted(name for name, data in DATASETS.items() if data.format == format.name)
    if described.miniature and described.miniature not in known:
        listed = ", ".join(known)
        yield f"miniature: '{described.miniature}' is no data set of the format '{format.name}' (one of: {listed})"


def _sentence(item: ErrorDetails) -> str:
    place = dotted(item["loc"])
    if item["type"] == "extra_forbidden":
        known = HubSection.model_fields if len(item["loc"]) > 1 else TaskFile.model_fields
        return f"unknown key '{place}'{_meant(str(item['loc'][-1]), known)}"
    if item["type"] == "missing":
        return f"'{place}' is missing"
    if place.startswith(("files.", "hub.splits.")) and item["type"] != "pattern":
        return f"{place}: a split is one of {', '.join(SPLITS)}, with what holds it"
    return f"{place}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _meant(wrong: str, known: Iterable[str]) -> str:
    near = nearest(wrong, known, cutoff=0.5)
    return f" (did you mean '{near}'?)" if near else ""

"""A configuration without this machine in it: data, trunk, task and runs by the last name of their place.

    travelling(config).data.sources        ("train=nli.tsv",) of ("train=/home/me/data/nli.tsv",)

What says where things lie stays beside it, in LOCAL and PLACES, which a bundle leaves behind.
"""

from __future__ import annotations

from pathlib import Path

from adapter_stilts.config.schema import RunConfig

LOCAL = "local.yaml"  # the configuration with the places of this machine: `--config RUN/local.yaml` is the same run
TASK_FILES = (".yaml", ".yml")


def travelling(config: RunConfig, trunk: str | None = None) -> RunConfig:
    """The configuration as it may be shown anywhere. trunk: what it is called elsewhere; None: as a place is."""
    tasks = [last_name(name) if name.endswith(TASK_FILES) else name for name in config.task.name.split(",")]
    adapters = tuple(_named(source) for source in config.evaluation.language_adapters)
    named = config.trunk.name if "name" in config.trunk.model_fields_set and _is_place(config.trunk.name) else None
    name = trunk or (last_name(named) if named else None)
    changed = {
        "task": config.task.model_copy(update={"name": ",".join(tasks)}),
        "data": config.data.model_copy(update={"sources": tuple(map(_named, config.data.sources))}),
        "after": tuple(map(last_name, config.after)),
        "merge": config.merge.model_copy(update={"start": config.merge.start and last_name(config.merge.start)}),
        "evaluation": config.evaluation.model_copy(update={"language_adapters": adapters}),
    }
    changed |= {"trunk": config.trunk.model_copy(update={"name": name})} if name else {}
    return config.model_copy(update=changed)


def last_name(place: str) -> str:
    """The last name of a path, of "." and the like the folder's own."""
    path = Path(place).expanduser()
    return path.name if path.name not in ("", "..") else path.resolve().name


def _named(source: str) -> str:
    """ "train=/a/b.tsv" as "train=b.tsv", a folder or file by its last name, a word as it is."""
    key, equals, place = source.partition("=")
    return f"{key}={last_name(place)}" if equals and not Path(source).is_dir() else last_name(source)


def _is_place(name: str) -> bool:
    return name.startswith(("/", ".", "~")) or Path(name).expanduser().is_dir()

"""What a run is, as 8 hexadecimal digits: a fingerprint of everything that decides its weights, and of nothing else.

In it: the task and its labels, the bytes and rows of its data, the trunk's weights, configuration, tokenizer and
precision, the composition with the weights taken over from earlier runs, the new adapter's kind and settings, every
number of training, the control, and how many processes train together. Not in it: where any of this lies, when
checkpoints and log lines are written, and what is scored afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.trunk.loading import Trunk
from adapter_stilts.runs.lineage import Lineage
from adapter_stilts.runs.task_data import TaskData
from adapter_stilts.sharing.manifest import Manifest
from adapter_stilts.tasks.reading.place import Loaded
from adapter_stilts.training.plan import TrainingPlan

# Resuming is exact, so when a checkpoint was written changes nothing; nor does what is kept.
DECIDES_NOTHING = {"checkpoint_steps", "log_steps", "cache_gb"}
# settings added since the first runs; at these values a run is what it was
CAME_LATER = {"batch_rows": None, "keep_step": None, "select": True}
# of `training`, what decides the weights only in some runs, or together with the task
AMONG_DECISIONS = {"rows", "validation_rows", "head_dropout", "max_length", "mask_rate", "head_pool", "sampler"}


def run_identity(
    config: RunConfig,
    plan: TrainingPlan,
    trunk: Trunk,
    parents: Sequence[Manifest],
    lineage: Lineage,
    data: Sequence[TaskData],
    processes: int,
) -> str:
    """The identity of a run; two runs share it exactly when they must end with the same weights."""
    tasks, training = [rows.task for rows in data], config.training
    numbers = plan.model_dump(mode="json", exclude=DECIDES_NOTHING | AMONG_DECISIONS)
    tokenizer = hashlib.sha256(trunk.tokenizer.backend_tokenizer.to_str().encode()).hexdigest()
    used = {"rows", "validation_rows", "head_dropout"}
    used |= {"mask_rate"} if any(task.format.masked for task in tasks) else set()
    lengths = [task.query_length for task in tasks if task.format.ranking]
    of_tasks = training.model_dump(include=used) | {"max_length": [rows.max_length for rows in data]}
    of_tasks |= {"query_length": lengths, "head_pool": training.head_pool} if lengths else {}
    decisions = {
        "how": config.how,
        "control": config.control,
        "kind": lineage.kind,
        "settings": lineage.settings,
        "labels": {rows.task.name: rows.labels for rows in data},
        "numbers": of_tasks,
        "processes": processes,
        **({"from_layer": config.adapter.from_layer} if config.adapter.from_layer else {}),
        "sampler": training.sampler.model_dump() if config.how == "joint" else {},
        **({"merge": config.merge.model_dump(mode="json", exclude={"start"})} if config.how == "merge" else {}),
    }
    return fingerprint(
        {
            "tasks": [[task.name, task.format.name, task.metric, task.unanswerable] for task in tasks],
            "data": [_data(loaded) for rows in data for loaded in rows.loaded],
            "trunk": [trunk.fingerprint, trunk.precision, asdict(trunk.config), tokenizer],
            "parents": [handed_on(parent) for parent in parents],
            "composition": [str(lineage.composition), lineage.new, lineage.new_fusion],
            "plan": {name: value for name, value in numbers.items() if (name, value) not in CAME_LATER.items()},
            "decisions": decisions,
        }
    )


def weight_settings(config: RunConfig) -> dict[str, Any]:
    """The settings that decide the weights of a run, as JSON values: not when they are saved or what is read later.

    Of `evaluation` the protocol is one: validation is scored by its rules, and chooses the step that is kept.
    """
    scored: Any = {"retrieval": True, "evaluation": {"languages", "head", "language_adapters"}}
    scored |= {} if config.how == "merge" else {"merge": True}
    return config.model_dump(mode="json", exclude={"trunk": {"prefix"}, "training": DECIDES_NOTHING, **scored})


def rows_digest(loaded: Loaded) -> str:
    """The sha256 of a split's examples, in their order."""
    rows = hashlib.sha256()
    for example in loaded.examples:
        rows.update(f"{example!r}\n".encode())
    return rows.hexdigest()


def _data(loaded: Loaded) -> dict[str, Any]:
    """A split by its rows, and by its files' bytes where it comes from files."""
    origin, files = loaded.origin, [file.sha256 for file in loaded.origin.files]
    return {"split": origin.split, "language": origin.language, "rows": rows_digest(loaded), "files": files}


def handed_on(parent: Manifest) -> dict[str, Any]:
    """A parent by the hashes of the files it hands on; its head stays behind."""
    files = {name: sha for name, sha in parent.files.items() if name.startswith(("adapter/", "fusion/"))}
    return {"composition": parent.composition, "files": files}

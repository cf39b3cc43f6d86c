"""Small studies: a file with what a test changes in it, on the tiny trunk and the miniature's rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from adapter_stilts.reporting import Silent
from adapter_stilts.studies import grid

SETTINGS = {
    "training.max_steps": 2,
    "training.rows": 24,
    "training.batch_rows": 8,
    "training.validation_rows": 8,
    "training.max_length": 48,
    "training.learning_rate": 0.01,
}


@pytest.fixture
def file(tiny_folder, tmp_path):
    """`file(key=value, ...)` writes a study of two intermediate tasks, a target and one that is read."""

    def write(**changes: object) -> Path:
        study = {
            "name": "small",
            "trunk": {"name": str(tiny_folder), "precision": "fp32"},
            "adapter": {"kind": "seq_bn", "settings": {"reduction_factor": 4}},
            "data": ["miniature"],
            "intermediate": ["nli", "paraphrase"],
            "hows": ["sequential"],
            "targets": [{"task": "panx", "languages": ["de", "sw"]}, {"task": "tatoeba", "languages": ["de"]}],
            "settings": SETTINGS,
            **changes,
        }
        path = tmp_path / "study.yaml"
        path.write_text(
            yaml.safe_dump({key: value for key, value in study.items() if value is not None}, allow_unicode=True),
            encoding="utf-8",
        )
        return path

    return write


@pytest.fixture
def run(tmp_path):
    """`run(path, out="study", jobs=1, dry_run=False)` runs a study here."""

    def start(path: Path, out: str = "study", jobs: int = 1, dry_run: bool = False, report=None) -> dict[str, object]:
        return grid.study(path, out=tmp_path / out, jobs=jobs, dry_run=dry_run, report=report or Silent())

    return start


@pytest.fixture
def trainings(monkeypatch):
    """The labels of the stages that were worked on, in order."""
    from adapter_stilts.studies import workers

    done: list[str] = []
    perform = workers.perform

    def counted(job, report):
        done.append(job.stage.label)
        return perform(job, report)

    monkeypatch.setattr(workers, "perform", counted)
    return done


@pytest.fixture(scope="session")
def states():
    """The state of every stage of a study on disk, by label."""

    def read(out: Path) -> dict[str, str]:
        return {
            record["stage"]: record["state"]
            for record in json.loads((out / "study.json").read_text(encoding="utf-8"))["stages"]
        }

    return read

"""A launcher's processes train one run together: the first writes and prints, and the losses are those of one process
of twice the budget."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

from adapter_stilts.reporting import Silent
from adapter_stilts.runs.train import train
from adapter_stilts.sharing.bundle import load_bundle


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--nproc-per-node", "2", "--master-port"],
    # the launcher behind `accelerate launch --cpu` starts one process whatever it is told, and is refused with that
    # advice; this one works on CPUs
    "accelerate": [
        *("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"),
        *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port"),
    ],
}


@pytest.fixture
def still(tiny_folder, tmp_path):
    """The tiny trunk without dropout, whose losses depend on the rows alone."""
    folder = shutil.copytree(tiny_folder, tmp_path / "still")
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**described, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    )
    return folder


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().split("\n") if line]


CASES = [("torchrun", "nli"), ("torchrun", "nli,mlm"), pytest.param("accelerate", "nli", marks=pytest.mark.slow)]


@pytest.mark.parametrize(("launcher", "tasks"), CASES)
def test_trains_as_one_process_of_twice_the_budget_would(config, still, tmp_path, contents, launcher, tasks):
    settings = {
        "training__max_steps": 5,
        "training__head_dropout": 0.0,
        "trunk__name": str(still),
        "training__log_steps": 1,
    }
    alone = tmp_path / "alone"
    train(
        alike := config(tasks, **settings, training__token_budget=256),
        tuple(tasks.split(",")),
        out=alone,
        runs=tmp_path,
        resume=True,
        overwrite=False,
        dry_run=False,
        report=Silent(),
    )
    sets = [
        "trunk.precision=fp32",
        "training.max_steps=5",
        "training.head_dropout=0",
        "training.log_steps=1",
        "training.learning_rate=0.01",
    ]
    words = ["train", tasks, "--how", alike.how, "--trunk", str(still), "-o", str(tmp_path / "two"), "--json"]
    for flag, values in (("--data", alike.data.sources), ("--set", (*sets, "training.token_budget=128"))):
        words += [word for value in values for word in (flag, value)]
    command = [sys.executable, "-m", *LAUNCHERS[launcher], free_port(), "-m", "adapter_stilts_cli", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)  # one document, of one process
    assert found["run"] == str(tmp_path / "two")
    assert found["training"]["processes"] == 2
    one, two = rows(alone), rows(tmp_path / "two")
    for name in ("step", "loss", "grad_norm", "learning_rate", "tokens", "score"):
        assert [row[name] for row in two if name in row] == pytest.approx(
            [row[name] for row in one if name in row], rel=1e-4
        )
    assert [row.get("tasks", {}).keys() for row in two] == [row.get("tasks", {}).keys() for row in one]
    load_bundle(tmp_path / "two")
    assert sorted(contents(tmp_path / "two")) == sorted(contents(alone))

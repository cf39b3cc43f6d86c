"""Two processes started by a launcher follow one process of twice the budget."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from plans import changed
from plans import plan as make_plan

from adapter_stilts.errors import UsageError
from adapter_stilts.training.devices import WORLD_SIZES, pick_device, processes

SCRIPT = str(Path(__file__).with_name("toy.py"))
PLAN = make_plan(epochs=3, learning_rate=0.02, log_steps=1, accumulation=2, seed=11)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accelerate(port):
    settings = [
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        str(port),
    ]
    return ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", *settings]


def torchrun(port):
    return ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]


def run(folder, budget, launcher=()):
    """The rows of metrics.jsonl and the trained tensors."""
    plan = changed(PLAN, token_budget=budget).model_dump_json()
    options = [SCRIPT, str(folder), plan, "--dropout", "0", "--rows", "97", "--out", str(folder / "out"), "--validate"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    folder.mkdir()
    subprocess.run(
        [sys.executable, *launcher, *options], check=True, timeout=120, stdout=subprocess.DEVNULL, env=environment
    )
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], safetensors.torch.load((folder / "out").read_bytes())


# at 12 tokens many global batches are a single row, and one process has nothing to do
@pytest.mark.parametrize(("budget", "launcher"), [(60, accelerate), (12, torchrun)])
def test_follow_one_process_of_twice_the_budget(tmp_path, budget, launcher):
    one_rows, one = run(tmp_path / "one", 2 * budget)
    two_rows, two = run(tmp_path / "two", budget, launcher(free_port()))
    assert [row["step"] for row in one_rows] == [row["step"] for row in two_rows]
    for name in ("loss", "grad_norm", "learning_rate", "tokens", "score"):
        assert [row[name] for row in two_rows if name in row] == pytest.approx(
            [row[name] for row in one_rows if name in row], rel=1e-4
        )
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-5)


def test_are_not_silently_one_under_accelerates_cpu_launcher(monkeypatch):
    """`accelerate launch --cpu --num_processes 2` sets these and starts one process (accelerate 1.15, without MPI)."""
    for name in WORLD_SIZES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setenv("MASTER_PORT", "29500")
    with pytest.raises(UsageError, match=r"asked for several processes and started one(.|\n)*torchrun"):
        processes(torch.device("cpu"))


def test_refuses_a_device_that_is_not_there():
    with pytest.raises(UsageError, match="no device called 'gpuu'"):
        pick_device("gpuu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no cuda device that torch can use"):
            pick_device("cuda")
    assert pick_device("cpu") == torch.device("cpu")

"""Facts about this program and this machine, for manifests and reports."""

from __future__ import annotations

import functools
import os
import platform
import resource
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from adapter_stilts.errors import UsageError

RUNS = Path("runs")  # where runs, vectors and rows lie unless told otherwise
PACKAGES = (
    *("adapter-stilts", "torch", "transformers", "accelerate"),
    *("tokenizers", "safetensors", "faiss-cpu", "numpy", "datasets"),
)


def cache_folder(of: str) -> Path:
    """Where what is made once is kept for all runs of this user, by what it is: "trunks", "states"."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adapter-stilts" / of


def check_launch(environment: Mapping[str, str]) -> None:
    """Refuse what a launcher cannot have set; UsageError names the variable."""
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT"):
        value = environment.get(name)
        if value is not None and not (value.isdecimal() and len(value) < 10):
            do = f"unset {name}, or start with `torchrun` or `accelerate launch`"
            raise UsageError(f"{name} is no number: {value[:40]!r}", where="the environment", do=do)


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{package: _version(package) for package in PACKAGES}}


def device_name(device: str) -> str:
    """The processor or card a run used, with the number of threads for a processor."""
    import torch

    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name()} (CUDA {torch.version.cuda})"
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def peak_memory(device: str) -> int:
    """The most memory this process has held, in bytes: of the card where one is used, else resident memory."""
    import torch

    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


@functools.cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

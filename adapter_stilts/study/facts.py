"""Facts about this program and this machine, for manifests and reports."""

from __future__ import annotations

import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("adapter-stilts", "torch", "transformers", "adapters", "accelerate", "tokenizers", "safetensors", "faiss-cpu", "numpy", "datasets")


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


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

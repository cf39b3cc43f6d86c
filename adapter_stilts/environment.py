"""Facts about this program and this machine, for manifests and reports."""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import platform
import resource
import sys
from collections.abc import Mapping, MutableMapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from adapter_stilts.errors import UsageError

SPINS = "10000"  # of 0, this and the default, measured on crowded cores alone
SHAPES_KEPT = "32"  # more than a layer needs, forth and back
RUNS = Path("runs")  # where runs, vectors and rows lie unless told otherwise
NATIVE_HALF = {"amx_bf16", "avx512_bf16"}  # processor flags that make bf16 products faster than float32
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
    status = Path("/proc/self/status")  # getrusage's peak begins with that of the process that started this one
    lines = status.read_text(encoding="ascii", errors="replace").split("\n") if status.is_file() else []
    own = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return own or int(peak if sys.platform == "darwin" else peak * 1024)


def bound_operator_caches() -> None:
    """Have PyTorch's matrix products on a CPU remember fewer shapes; for before the first of them.

    Every batch has a shape of its own, and by default the operators made for 1024 of them are kept, at several
    megabytes a batch: training grows by that until hundreds of steps later. Few shapes come twice. What a person has
    set stays.
    """
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, SHAPES_KEPT)


def patient_threads(environment: MutableMapping[str, str]) -> None:
    """Have threads that wait for each other sleep soon; for before PyTorch is imported. What a person has set stays.

    By default they spin for milliseconds, on cores that others could use: two threads beside a busy process take two
    and a half times the processor time of two that sleep, and twice as long.
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", SPINS)


def give_back_memory() -> None:
    """Let the system have what was freed; the allocator of Linux keeps it otherwise. Elsewhere nothing happens."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


@functools.cache
def processor_flags() -> frozenset[str]:
    """The processor's flags as Linux lists them; none elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return frozenset()
    return frozenset(next((line.split(":", 1)[1].split() for line in lines if line.startswith("flags")), []))


def memory_there_is(device: str = "cpu") -> int:
    """Bytes that this process could have if nothing else ran: of the card, else of the machine or, where it is less,
    of the control group it runs in."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    bounds = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
    said = [bound.read_text().strip() for bound in bounds if bound.is_file()]
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    own = [int(text) for text in said if text.isdecimal()] + ([limit] if limit != resource.RLIM_INFINITY else [])
    return min([machine, *own])


@functools.cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

"""Weights that exist only as `pytorch_model.bin`, written once as safetensors by a process that can do little else.

A pickle is a program. This one is run by torch's reader for tensors alone (`weights_only=True`), in a process of its
own, without the environment's tokens and proxies, with bounds on memory, time and what it may write. Where the system
lets a user do so (Linux, user namespaces) the process has no network; elsewhere Python's own sockets and processes are
refused in it, which code from outside of Python could get around. What is not a table of tensors is refused.

    python unpickle.py SOURCE TARGET      the child; it imports nothing of this package
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECONDS = 900
ROOM = 1 << 31  # bytes of memory beside the tensors
HIDDEN = ("proxy", "token", "secret", "password", "credential", "api_key")  # of the environment, in any case
FORBIDDEN = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "ctypes.")
REFUSED = 3
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def to_safetensors(source: Path, target: Path) -> str:
    """Write the tensors of a pickle as safetensors; returns why that was refused, or "".

    Raises OSError where the child cannot be started.
    """
    kept = {name: value for name, value in os.environ.items() if not any(word in name.lower() for word in HIDDEN)}
    command = [sys.executable, "-P", __file__, str(source.resolve()), str(target)]
    environment = {**kept, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        ended = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"it was not read within {SECONDS} seconds"
    if ended.returncode == 0:
        return ""
    if ended.returncode == REFUSED:
        return ended.stderr.strip().splitlines()[-1]
    return f"the process that read it ended with {ended.returncode}"


def _child(source: str, target: str) -> None:
    """Read, check, write; whatever goes wrong is one line on stderr."""
    _leave_the_network()
    import torch
    from safetensors.torch import save_file

    size = os.path.getsize(source)
    _bound(size)
    try:
        try:
            content = torch.load(source, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # the format before torch 1.6
            content = torch.load(source, map_location="cpu", weights_only=True)
        save_file(_tensors(content, size), target, metadata={"format": "pt"})
    except Exception as error:  # noqa: BLE001  (it ends the process)
        first = (str(error).strip().splitlines() or [""])[0]
        sys.stderr.write(f"{type(error).__name__}: {first[:300]}\n")
        sys.exit(REFUSED)


def _tensors(content: Any, size: int) -> dict[str, Any]:
    """The tensors of a state dict, each once; ValueError for anything else, and for more bytes than the file has."""
    import torch

    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"it holds a {type(content).__name__}, not a table of tensors")
    tensors: dict[str, Any] = {}
    seen: set[tuple[Any, ...]] = set()
    for name in sorted(content, key=lambda name: "embeddings" not in str(name)):  # tied weights keep this name
        value = content[name]
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise ValueError(f"it holds {str(name)[:80]!r}, which is a {type(value).__name__} and no tensor")
        plain = value.layout == torch.strided and not value.is_quantized and not value.is_meta
        if not plain or value.numel() * value.element_size() > min(value.untyped_storage().nbytes(), size):
            raise ValueError(f"'{name[:80]}' is no plain tensor of its own numbers")
        same = (value.data_ptr(), tuple(value.shape), value.stride(), value.dtype)
        if value.numel() and same in seen:
            continue
        seen.add(same)
        tensors[name] = value.detach().clone(memory_format=torch.contiguous_format)
        if sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > size:
            raise ValueError("its tensors are larger than the file")
    return tensors


def _leave_the_network() -> None:
    """A namespace without a network, where the system allows it; before torch, since threads would forbid it."""
    if _linux():
        ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET)


def _bound(size: int) -> None:
    """No more memory, time and files than this needs, and none of Python's ways to the outside."""
    import resource

    held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") if _linux() else 0
    if held:
        resource.setrlimit(resource.RLIMIT_AS, (held + 3 * size + ROOM,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * size + (1 << 20),) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def refuse(event: str, _: Any) -> None:
        if event.startswith(FORBIDDEN):
            raise PermissionError(f"it asked for {event}")

    sys.addaudithook(refuse)


def _linux() -> bool:
    return sys.platform == "linux"


if __name__ == "__main__":
    _child(*sys.argv[1:])

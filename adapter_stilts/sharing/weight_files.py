"""The files in adapter/, fusion/ and head/: which are ours to remove, and which should not be there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from adapter_stilts.files import disk_errors

ROLES = ("adapter", "fusion", "head")
MAY_BE_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".npz", ".h5")


def remove_weights(folder: Path) -> None:
    """Remove a run's weight files with their descriptions, and what writes left that were cut off; other files stay."""
    with disk_errors(folder):
        for role in ROLES:
            for path in _files(folder / role):
                if path.suffix == ".safetensors":
                    path.with_suffix(".json").unlink(missing_ok=True)
                if path.suffix == ".safetensors" or is_remains(path):
                    path.unlink(missing_ok=True)


def unlisted_weights(folder: Path, listed: Collection[str]) -> list[Path]:
    """Files that may pass for weights and are not among `listed`, paths in the run."""
    return [
        path
        for role in ROLES
        for path in _files(folder / role)
        if path.suffix in MAY_BE_WEIGHTS and f"{role}/{path.name}" not in listed
    ]


def is_remains(path: Path) -> bool:
    """Whether a file is what an atomic write leaves behind when its process is killed."""
    return path.name.startswith(".") and path.name.endswith(".partial")


def _files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.iterdir() if not path.is_dir()) if folder.is_dir() else ()

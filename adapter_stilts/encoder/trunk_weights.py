"""A trunk's weights: read from safetensors, verified against the configuration, fingerprinted. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from adapter_stilts.encoder.trunk_config import REFETCH
from adapter_stilts.errors import ArtefactError, MissingError

PREFIXES = ("roberta.", "model.")
MASK_HEAD = ("dense.weight", "dense.bias", "layer_norm.weight", "layer_norm.bias", "bias")
ONE_PLACE = "fetch config.json and weights from one place"
CONVERT = "convert them to safetensors, or fetch a trunk that has them"
PIECE = 1 << 22  # values hashed at a time
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@dataclass(frozen=True)
class Source:
    """Where the tensors of a trunk lie: canonical name to file and name in the file."""

    folder: Path
    places: Mapping[str, tuple[Path, str]]

    def read(self, names: list[str]) -> Iterator[tuple[str, Tensor]]:
        """Tensors by canonical name, file by file."""
        for path in sorted({self.places[name][0] for name in names}):
            with _opened(path) as file:
                for name in names:
                    if self.places[name][0] == path:
                        yield name, _tensor(file, path, self.places[name][1])


def find_weights(folder: Path) -> Source:
    """Every tensor in the folder's safetensors, one file or sharded, under names without the model's prefix."""
    index = folder / "model.safetensors.index.json"
    paths = _shards(index) if index.is_file() else [folder / "model.safetensors"]
    places: dict[str, tuple[Path, str]] = {}
    for path in paths:
        if not path.is_file():
            raise _no_weights(folder, path)
        with _opened(path) as file:
            for name in file.keys():  # noqa: SIM118  (not a mapping)
                canonical = next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)
                if canonical in places:
                    raise ArtefactError(f"'{canonical}' is stored twice", where=str(path), do=REFETCH)
                places[canonical] = (path, name)
    return Source(folder, places)


def check_names(source: Source, wanted: Mapping[str, torch.Size]) -> None:
    """All that the configuration calls for, and no further layers; ArtefactError names the first that disagrees."""
    missing = sorted(set(wanted) - set(source.places))
    if missing:
        more = f" and {len(missing) - 1} more tensors" if len(missing) > 1 else ""
        raise ArtefactError(f"the weights lack '{missing[0]}'{more}, which config.json calls for", where=str(source.folder), do=REFETCH)
    own = {name for name in source.places if name.startswith(("embeddings.", "encoder.")) and not name.endswith(("_ids",))}
    if extra := sorted(own - set(wanted)):
        raise ArtefactError(f"the weights hold '{extra[0]}', which config.json does not call for", where=str(source.folder), do=ONE_PLACE)


def check_tensor(name: str, tensor: Tensor, shape: torch.Size, where: Path) -> None:
    """The shape the configuration calls for, and numbers; ArtefactError otherwise."""
    if tensor.shape != shape:
        raise ArtefactError(f"'{name}' has shape {list(tensor.shape)}, and config.json calls for {list(shape)}", where=str(where), do=ONE_PLACE)
    if tensor.dtype not in FLOATS:
        raise ArtefactError(f"'{name}' is stored as {tensor.dtype}", where=str(where), do="choose a trunk stored in floating point")
    if not bool(torch.isfinite(tensor).all()):
        raise ArtefactError(f"'{name}' holds values that are not finite numbers", where=str(where), do=REFETCH)


def mask_head(source: Source) -> dict[str, Tensor] | None:
    """The weights of the masked-LM head, float32, where the file has all of them; its decoder is the word embeddings."""
    names = [f"lm_head.{name}" for name in MASK_HEAD]
    if not all(name in source.places for name in names):
        return None
    return {name.removeprefix("lm_head."): tensor.float() for name, tensor in source.read(names)}


class Fingerprint:
    """A hash of a trunk's weights, whatever they are called, sharded, stored or run in.

    Each tensor is hashed as its float32 values. Every float16 and bfloat16 value is a float32 value, so a file stored in half precision
    has the fingerprint of the same file widened; rounding a float32 file to half precision changes its weights and its fingerprint. The
    pooler and the heads are not part of it.
    """

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}

    def add(self, name: str, tensor: Tensor) -> None:
        """Hash one tensor, in pieces, on as many threads as torch uses."""
        flat = tensor.reshape(-1)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            pieces = list(pool.map(lambda start: _digest(flat[start : start + PIECE]), range(0, flat.numel(), PIECE)))
        self._digests[name] = hashlib.sha256(f"{name} {list(tensor.shape)} ".encode() + b"".join(pieces)).hexdigest()

    def value(self) -> str:
        """32 hexadecimal digits."""
        return hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in sorted(self._digests.items())).encode()).hexdigest()[:32]


def _digest(piece: Tensor) -> bytes:
    return hashlib.sha256(piece.to(torch.float32).contiguous().numpy().data).digest()


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"the weights cannot be read: {error}", where=str(path), do="the file is truncated or damaged; fetch it again") from error


def _tensor(file: safe_open, path: Path, name: str) -> Tensor:
    try:
        tensor: Tensor = file.get_tensor(name)  # type: ignore[no-untyped-call]
    except (SafetensorError, OSError, ValueError) as error:
        raise ArtefactError(f"'{name}' cannot be read: {error}", where=str(path), do="the file is truncated or damaged; fetch it again") from error
    return tensor


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ArtefactError("the list of shards cannot be read", where=str(index), do="fetch it again") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise ArtefactError(f"the list of shards names {name!r}, which is not a safetensors file beside it", where=str(index), do="fetch it again")
    return [index.parent / name for name in names]


def _no_weights(folder: Path, path: Path) -> Exception:
    pickles = sorted(found.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for found in folder.glob(pattern))
    if pickles:
        return ArtefactError(f"the weights are a pickle ({pickles[0]}), which can run code when it is read", where=str(folder), do=CONVERT)
    return MissingError(f"there is no {path.name}", where=str(folder), do=REFETCH)

"""A trunk's weights: read from safetensors, verified against the configuration, and identified by a hash.

Nothing is unpickled in this process (`unpickle.py`). A trunk's fingerprint does not depend on what its weights are
called, nor on how they are sharded or run. Each tensor is hashed as its float32 values. Every float16 and bfloat16
value is a float32 value, so a file stored in half precision has the fingerprint of the same file widened; rounding a
float32 file to half precision changes its weights and its fingerprint. Which fingerprints its rounded copies have can
be told beforehand (`half_fingerprints`). The pooler and the heads are not part of it.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from adapter_stilts.encoder.transfer import first
from adapter_stilts.encoder.trunk.config import REFETCH
from adapter_stilts.encoder.trunk.unpickle import to_safetensors
from adapter_stilts.environment import cache_folder
from adapter_stilts.errors import ArtefactError, MissingError, StiltsError
from adapter_stilts.files import disk_errors, from_json, read_bytes, sha256, write_json

LOG = logging.getLogger("adapter_stilts")

PREFIXES = ("roberta.", "bert.", "model.")
OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}  # of the first BERTs
OWN = ("embeddings.", "encoder.", "layers.", "final_norm.")
MASK_HEAD = ("dense.weight", "dense.bias", "layer_norm.weight", "layer_norm.bias", "bias")
ONE_PLACE = "fetch config.json and weights from one place"
CONVERT = "convert them to safetensors where you trust them, or fetch a trunk that has them"
PICKLED = "pytorch_model.bin"
DAMAGED = "the file is truncated or damaged; fetch it again"
FLOATS = ("F32", "F16", "BF16", "F64")
PIECE = 1 << 22  # values hashed at a time
LARGE = 1 << 26  # bytes of weights that take a moment to hash
HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Source:
    """Where the tensors of a trunk lie: canonical name to file and name in the file."""

    folder: Path
    places: Mapping[str, tuple[Path, str]]

    def header(self, name: str) -> tuple[torch.Size, str]:
        """Shape and stored type of a tensor."""
        path, stored = self.places[name]
        with _opened(path) as file:
            tensor = file.get_slice(stored)
            return torch.Size(tensor.get_shape()), tensor.get_dtype()

    def piece(self, name: str, start: int, stop: int) -> Tensor:
        """Rows start..stop of a tensor. The file is opened for each, so that no more than this stays in memory."""
        path, stored = self.places[name]
        with _opened(path) as file:
            try:
                piece: Tensor = file.get_slice(stored)[start:stop]
            except (SafetensorError, OSError, ValueError) as error:
                raise ArtefactError(f"'{stored}' cannot be read: {error}", where=str(path), do=DAMAGED) from error
        return piece


def find_weights(folder: Path) -> Source:
    """Every tensor in the folder's weights, one file or sharded, under names without the model's prefix.

    Safetensors where there are any, else a pickle, of which a copy as safetensors is made in the cache.
    """
    paths = _files(folder, "model.safetensors")
    if not paths[0].exists() and any(folder.glob("pytorch_model*.bin")):
        paths = [_copied(path) for path in _files(folder, PICKLED)]
    places: dict[str, tuple[Path, str]] = {}
    for path in paths:
        if not path.is_file():
            names = (file.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for file in folder.glob(pattern))
            if pickle := min(names, default=""):
                what = f"the weights are a pickle ({pickle}), which can run code when it is read"
                raise ArtefactError(what, where=str(folder), do=CONVERT)
            raise MissingError(f"there is no {path.name}", where=str(folder), do=REFETCH)
        with _opened(path) as file:
            for name in file.keys():  # noqa: SIM118  (not a mapping)
                canonical = _canonical(name)
                if canonical in places:
                    raise ArtefactError(f"'{canonical}' is stored twice", where=str(path), do=REFETCH)
                places[canonical] = (path, name)
    return Source(folder, places)


def check_names(source: Source, wanted: Mapping[str, torch.Size]) -> None:
    """All that the configuration calls for, and no further layers; ArtefactError names the first that disagrees."""
    missing = sorted(set(wanted) - set(source.places))
    if missing:
        what = f"the weights lack {first(missing)}, which config.json calls for"
        raise ArtefactError(what, where=str(source.folder), do=REFETCH)
    own = {name for name in source.places if name.startswith(OWN) and not name.endswith("_ids")}
    if extra := sorted(own - set(wanted)):
        what = f"the weights hold '{extra[0]}', which config.json does not call for"
        raise ArtefactError(what, where=str(source.folder), do=ONE_PLACE)


def check_tensor(source: Source, name: str, shape: torch.Size) -> None:
    """The shape the configuration calls for, in floating point; ArtefactError otherwise."""
    (stored, dtype), where = source.header(name), str(source.places[name][0])
    if stored != shape:
        what = f"'{name}' has shape {list(stored)}, and config.json calls for {list(shape)}"
        raise ArtefactError(what, where=where, do=ONE_PLACE)
    if dtype not in FLOATS:
        raise ArtefactError(f"'{name}' is stored as {dtype}", where=where, do="choose a trunk stored in floating point")


def read_tensor(source: Source, name: str, dtype: torch.dtype, pool: Executor) -> tuple[Tensor, bytes]:
    """A tensor in `dtype`, and its digest."""
    tensor = torch.empty(source.header(name)[0], dtype=dtype)
    return tensor, digest(source, name, pool, into=tensor)


def digest(source: Source, name: str, pool: Executor, into: Tensor | None = None) -> bytes:
    """What tells a tensor from others; `into` gets its values. ArtefactError for one that holds no finite numbers.

    Read in pieces, so that the file is never in memory whole; the pool's threads share them out.
    """
    shape, _ = source.header(name)
    step = _rows_per_piece(shape)

    def read(start: int) -> bytes:
        piece = source.piece(name, start, start + step).to(torch.float32)
        if not bool(piece.sum().isfinite()) and not bool(piece.isfinite().all()):  # the sum alone is seven times faster
            what = f"'{name}' holds values that are not finite numbers"
            raise ArtefactError(what, where=str(source.places[name][0]), do=REFETCH)
        if into is not None:
            into[start : start + step] = piece
        return _piece_digest(piece)

    return b"".join(pool.map(read, range(0, shape[0], step)))


def half_fingerprints(source: Source, names: Iterable[str], fingerprint: str) -> dict[str, str]:
    """By precision, the fingerprint that a copy of these weights stored in it has: of every value rounded to it.

    Those of a large trunk are kept in the cache, under the fingerprint of its weights.
    """
    kept = cache_folder("trunks") / f"{fingerprint}.json"
    if sum(path.stat().st_size for path in {path for path, _ in source.places.values()}) < LARGE:
        return _half_fingerprints(source, names)
    with suppress(OSError, ValueError):
        known = from_json(read_bytes(kept))
        if isinstance(known, dict) and [type(known.get(half)) for half in HALVES] == [str, str]:
            return {half: known[half] for half in HALVES}
    made = _half_fingerprints(source, names)
    with suppress(StiltsError):  # a cache that cannot be written is none
        write_json(kept, made)
    return made


def _half_fingerprints(source: Source, names: Iterable[str]) -> dict[str, str]:
    digests: dict[str, dict[str, tuple[torch.Size, bytes]]] = {half: {} for half in HALVES}
    with threads() as pool:
        for name in names:
            shape, _ = source.header(name)
            step = _rows_per_piece(shape)
            read = partial(_rounded_digests, source, name, step)
            pieces = list(pool.map(read, range(0, shape[0], step)))
            for half, of_name in digests.items():
                of_name[name] = (shape, b"".join(piece[half] for piece in pieces))
    return {half: fingerprint(of_names) for half, of_names in digests.items()}


def _rounded_digests(source: Source, name: str, step: int, start: int) -> dict[str, bytes]:
    piece = source.piece(name, start, start + step).to(torch.float32)
    return {half: _piece_digest(piece.to(dtype)) for half, dtype in HALVES.items()}


def mask_head(source: Source, stored: Mapping[str, str]) -> dict[str, Tensor] | None:
    """The masked-LM head's weights, float32, where the file has one; its decoder is the word embeddings.

    stored   names of its tensors: ours -> the file's; ModernBERT's have no bias within
    """
    there = {ours: name for ours, name in stored.items() if name in source.places}
    if not {"dense.weight", "layer_norm.weight", "bias"} <= set(there):
        return None
    with threads() as pool:
        tensors = {ours: read_tensor(source, name, torch.float32, pool)[0] for ours, name in there.items()}
    absent = (ours for ours in stored if ours not in there)
    return tensors | {ours: torch.zeros_like(tensors["layer_norm.weight"]) for ours in absent}


def tensor_digest(tensor: Tensor) -> bytes:
    """The digests of a tensor's pieces, one after another."""
    return b"".join(_piece_digest(piece) for piece in torch.split(tensor, _rows_per_piece(tensor.shape)))


def fingerprint(digests: Mapping[str, tuple[torch.Size, bytes]]) -> str:
    """32 hexadecimal digits from each tensor's name, shape and digest."""
    lines = [f"{name} {list(shape)} {digest.hex()}\n" for name, (shape, digest) in sorted(digests.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:32]


def threads() -> ThreadPoolExecutor:
    """As many threads as torch uses."""
    return ThreadPoolExecutor(torch.get_num_threads())


def _files(folder: Path, name: str) -> list[Path]:
    """The file of that name, or its shards where a list of them is beside it."""
    index = folder / f"{name}.index.json"
    return _shards(index, Path(name).suffix) if index.is_file() else [folder / name]


def _copied(pickle: Path) -> Path:
    """A pickle's copy as safetensors, made at the first call and kept under the hash of its bytes."""
    if not pickle.is_file():
        raise MissingError(f"there is no {pickle.name}", where=str(pickle.parent), do=REFETCH)
    cache = cache_folder("trunks")
    copy = cache / f"{sha256(pickle)}.safetensors"
    if not copy.is_file():
        with disk_errors(copy):
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as work:
                if refused := to_safetensors(pickle, Path(work) / copy.name):
                    what = f"the weights are a pickle, and it is not read: {refused}"
                    raise ArtefactError(what, where=str(pickle), do=CONVERT)
                (Path(work) / copy.name).replace(copy)
        LOG.warning("%s is a pickle; its tensors were read in a process of their own and are kept in %s", pickle, copy)
    return copy


def _canonical(name: str) -> str:
    """A name without the model's prefix, in today's words."""
    bare = next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)
    old = next((old for old in OLD_NAMES if bare.endswith(old)), "")
    return bare.removesuffix(old) + OLD_NAMES[old] if old else bare


def _rows_per_piece(shape: torch.Size) -> int:
    return max(1, PIECE // max(1, shape[1:].numel()))


def _piece_digest(piece: Tensor) -> bytes:
    return hashlib.sha256(piece.detach().to("cpu", torch.float32).contiguous().numpy().data).digest()


def _opened(path: Path) -> safe_open:
    """A safetensors file; ArtefactError for one that is truncated or damaged."""
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"the weights cannot be read: {error}", where=str(path), do=DAMAGED) from error


def _shards(index: Path, suffix: str) -> list[Path]:
    try:
        names = sorted(set(from_json(read_bytes(index))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ArtefactError("the list of shards cannot be read", where=str(index), do="fetch it again") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(suffix):
            what = f"the list of shards names {name!r}, which is not a {suffix.removeprefix('.')} file beside it"
            raise ArtefactError(what, where=str(index), do="fetch it again")
    return [index.parent / name for name in names]

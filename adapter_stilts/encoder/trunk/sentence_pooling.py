"""How a trunk that is a sentence encoder makes a vector of a sentence, as sentence-transformers writes it beside it.

    modules.json                 [{"type": "....Transformer", "path": ""}, {"type": "....Pooling", "path": "1_Pooling"}]
    1_Pooling/config.json        {"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false, ...}
    2_Dense/config.json          {"in_features": 768, "activation_function": "torch.nn.modules.activation.Tanh", ...}
    2_Dense/model.safetensors    linear.weight, linear.bias
    sentence_bert_config.json    {"max_seq_length": 512}

Its vectors are pooled from the last layer, and where it has dense layers (LaBSE) these follow. A pooling or a module
that we do not have is named in `problem`, for whoever would follow it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from adapter_stilts.config.schema import DENSE
from adapter_stilts.encoder.trunk import weights
from adapter_stilts.errors import ArtefactError
from adapter_stilts.files import from_json, read_bytes

MODULES, LENGTH = "modules.json", "sentence_bert_config.json"
LAYERS = ("*_Dense/config.json", "*_Dense/model.safetensors")
FILES = (MODULES, LENGTH, "*_Pooling/config.json", *LAYERS)  # what a hub's repository may have of it
MODE = "pooling_mode_"
# sentence-transformers' word -> ours; divided by the root of the length, a sum is the mean at another length
POOLS = {"mean_tokens": "mean", "mean_sqrt_len_tokens": "mean", "cls_token": "first", "max_tokens": "max"}
POOLS |= {"mean": "mean", "mean_sqrt_len": "mean", "cls": "first", "max": "max"}
AFTER = ("Dense", "Normalize")  # of which the last changes nothing: all vectors are compared at length 1
FUNCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "Tanh": torch.tanh,
    "Identity": lambda vectors: vectors,
    "ReLU": functional.relu,
    "GELU": functional.gelu,
}


@dataclass(frozen=True)
class Dense:
    """function(x W' + b) on pooled vectors [N, H], with W [H, H] and b [H] or None, in float32."""

    weight: Tensor
    bias: Tensor | None
    function: str

    def __call__(self, vectors: Tensor) -> Tensor:
        return FUNCTIONS[self.function](functional.linear(vectors, self.weight, self.bias))


@dataclass(frozen=True)
class SentencePooling:
    """What a sentence encoder says of itself.

    pool        the name of a pooling of ours; of one with dense layers "first+dense@1f3a2b4c", digits of their hash
    max_length  tokens of a sentence; None where it does not say
    problem     why its vectors cannot be made here; "" where they can
    dense       what follows the pooling
    """

    pool: str
    max_length: int | None = None
    problem: str = ""
    dense: tuple[Dense, ...] = field(default=(), repr=False, compare=False)


def read_pooling(folder: Path, width: int) -> SentencePooling | None:
    """What a trunk's folder says, of vectors that are `width` wide; None for one that is no sentence encoder.

    Raises ArtefactError for files that are broken.
    """
    if not (folder / MODULES).is_file():
        return None
    modules = _read(folder / MODULES, list)
    named = [(str(module.get("type", "")).rpartition(".")[2], str(module.get("path", ""))) for module in modules]
    paths = [path for type, path in named if type == "Pooling"]
    if not paths:
        return None
    if problem := _unknown(named):
        return SentencePooling("", problem=f"its {MODULES} asks for {problem}")
    settings = _read(folder / paths[0] / "config.json", dict)
    modes = _modes(settings)
    if len(modes) != 1 or modes[0] not in POOLS:
        return SentencePooling("", problem=f"it pools by {' and '.join(modes) or 'nothing'} ({paths[0]}/config.json)")
    pool, dense, hashes = POOLS[modes[0]], [], hashlib.sha256()
    for path in (path for type, path in named if type == "Dense"):
        layer, digest = _dense(folder / path, width)
        if isinstance(layer, str):
            return SentencePooling("", problem=f"{layer} ({path}/config.json)")
        dense.append(layer)
        hashes.update(digest)
    if dense:
        pool += f"{DENSE}{hashes.hexdigest()[:8]}"
    length = _read(folder / LENGTH, dict).get("max_seq_length") if (folder / LENGTH).is_file() else None
    return SentencePooling(pool, length if isinstance(length, int) and length > 2 else None, dense=tuple(dense))


def _unknown(named: Sequence[tuple[str, str]]) -> str:
    """What in its modules, as (type, path), is not Transformer, Pooling, then any of AFTER, in folders of its own."""
    types = [type for type, _ in named]
    unknown = [f"{type} ({path})" for type, path in named if type not in ("Transformer", "Pooling", *AFTER)]
    climbing = [path for _, path in named if ".." in Path(path).parts or Path(path).is_absolute()]
    if unknown or climbing:
        return ", ".join(unknown or climbing)
    if types[:2] != ["Transformer", "Pooling"] or any(type not in AFTER for type in types[2:]):
        return f"{', '.join(types)}, in this order"
    if "Dense" in types and "Normalize" in types[: types.index("Dense")]:
        return "vectors of length 1 before a dense layer"
    return ""


def _dense(folder: Path, width: int) -> tuple[Dense, bytes] | tuple[str, bytes]:
    """A dense layer and the bytes that tell it from others, or why it cannot be made."""
    settings = _read(folder / "config.json", dict)
    function = str(settings.get("activation_function") or "torch.nn.modules.activation.Tanh")
    own, name = function.startswith("torch.nn.modules."), function.rpartition(".")[2]
    if not own or name not in FUNCTIONS:
        return f"its dense layer's function is {function!r}", b""
    others = {"use_residual": False, "module_input_name": "sentence_embedding"}
    others |= {"module_output_name": settings.get("module_input_name", "sentence_embedding")}
    for key, usual in others.items():
        if settings.get(key) not in (None, usual):
            return f"its dense layer's {key} is {settings[key]!r}", b""
    if (settings.get("in_features"), settings.get("out_features")) != (width, width):
        return f"its dense layer does not keep {width} dimensions", b""
    source, bias = weights.find_weights(folder), settings.get("bias", True)
    wanted = {"linear.weight": torch.Size((width, width))} | ({"linear.bias": torch.Size((width,))} if bias else {})
    weights.check_names(source, wanted)
    digests = [function.encode()]
    tensors = []
    with weights.threads() as pool:
        for tensor, shape in wanted.items():
            weights.check_tensor(source, tensor, shape)
            values, digest = weights.read_tensor(source, tensor, torch.float32, pool)
            tensors.append(values)
            digests.append(digest)
    return Dense(tensors[0], tensors[1] if bias else None, name), b"".join(digests)


def _modes(settings: Mapping[str, Any]) -> list[str]:
    """The poolings that are switched on: a flag each, or in newer files one word or several."""
    if mode := settings.get("pooling_mode"):
        return list(map(str, mode)) if isinstance(mode, list) else [str(mode)]
    return [key.removeprefix(MODE) for key, on in settings.items() if key.startswith(MODE) and on is True]


def _read(path: Path, kind: type) -> Any:
    do = "fetch the trunk again, all of its files"
    if not path.is_file():  # a link may lead to what never ends
        raise ArtefactError(f"there is no file {path.name}", where=str(path), do=do)
    try:
        content = from_json(read_bytes(path))
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path.name} cannot be read: {error}", where=str(path), do=do) from error
    whole = not isinstance(content, list) or all(isinstance(each, dict) for each in content)
    if not isinstance(content, kind) or not whole:
        raise ArtefactError(f"{path.name} is not as sentence-transformers writes it", where=str(path), do=do)
    return content

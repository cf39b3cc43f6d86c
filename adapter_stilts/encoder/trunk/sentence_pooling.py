"""How a trunk that is a sentence encoder makes a vector of a sentence, as sentence-transformers writes it beside it.

    modules.json                 [{"type": "....Transformer", "path": ""}, {"type": "....Pooling", "path": "1_Pooling"}]
    1_Pooling/config.json        {"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false, ...}
    sentence_bert_config.json    {"max_seq_length": 512}

Its vectors are pooled from the last layer. A pooling or a module that we do not have is named in `problem`, for whoever
would follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.errors import ArtefactError
from adapter_stilts.files import from_json, read_bytes

MODULES, LENGTH = "modules.json", "sentence_bert_config.json"
FILES = (MODULES, LENGTH, "*_Pooling/config.json")  # what a hub's repository may have of it
MODE = "pooling_mode_"
# sentence-transformers' word -> ours; divided by the root of the length, a sum is the mean at another length
POOLS = {"mean_tokens": "mean", "mean_sqrt_len_tokens": "mean", "cls_token": "first", "max_tokens": "max"}
POOLS |= {"mean": "mean", "mean_sqrt_len": "mean", "cls": "first", "max": "max"}
KNOWN = ("Transformer", "Pooling", "Normalize")  # all vectors are compared at length 1


@dataclass(frozen=True)
class SentencePooling:
    """What a sentence encoder says of itself.

    pool        the name of a pooling of ours
    max_length  tokens of a sentence; None where it does not say
    problem     why its vectors cannot be made here; "" where they can
    """

    pool: str
    max_length: int | None = None
    problem: str = ""


def read_pooling(folder: Path) -> SentencePooling | None:
    """What a trunk's folder says; None for one that is no sentence encoder, ArtefactError for files that are broken."""
    if not (folder / MODULES).is_file():
        return None
    modules = _read(folder / MODULES, list)
    named = [(str(module.get("type", "")).rpartition(".")[2], str(module.get("path", ""))) for module in modules]
    paths = [path for type, path in named if type == "Pooling"]
    unknown = [f"{type} ({path})" for type, path in named if type not in KNOWN]
    if not paths:
        return None
    if unknown or len(paths) > 1 or ".." in Path(paths[0]).parts or Path(paths[0]).is_absolute():
        return SentencePooling("", problem=f"its {MODULES} asks for {', '.join(unknown) or 'several poolings'}")
    settings = _read(folder / paths[0] / "config.json", dict)
    modes = _modes(settings)
    if len(modes) != 1 or modes[0] not in POOLS:
        return SentencePooling("", problem=f"it pools by {' and '.join(modes) or 'nothing'} ({paths[0]}/config.json)")
    length = _read(folder / LENGTH, dict).get("max_seq_length") if (folder / LENGTH).is_file() else None
    return SentencePooling(POOLS[modes[0]], length if isinstance(length, int) and length > 2 else None)


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

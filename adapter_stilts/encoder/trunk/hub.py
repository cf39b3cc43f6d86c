"""From the name of a trunk to the folder it lies in: "miniature", a folder, or a hub id at a pinned revision.

Only configuration, weights and tokenizer files are ever fetched, pickled weights where there are no others. The local
cache is asked first, and nothing is fetched offline.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.encoder.trunk import sentence_pooling
from adapter_stilts.errors import MissingError, Unreachable
from adapter_stilts.miniature.datasets import trunk_folder

FILES = ("config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer.json", "sentencepiece.bpe.model")
PICKLES = ("pytorch_model*.bin", "pytorch_model.bin.index.json")  # fetched where there are no safetensors
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
SECONDS = 10.0  # how long the hub may take to answer


@dataclass(frozen=True)
class Place:
    """Where a trunk lies; revision is the commit for one from the hub, else empty."""

    folder: Path
    revision: str


def find(name: str, revision: str | None) -> Place:
    """The folder of a trunk; the hub is asked unless HF_HUB_OFFLINE forbids it.

    Raises MissingError for a folder that is not there, Unreachable for a hub id that is neither cached nor reachable.
    """
    return local(name) or _from_hub(name, revision)


def local(name: str) -> Place | None:
    """The folder of a trunk on this machine by name, None for a hub id; MissingError for a name that can be neither."""
    if name == "miniature":
        if not trunk_folder().is_dir():
            what = "the miniature trunk is not part of this installation"
            raise MissingError(what, where=str(trunk_folder()), do="install the package again")
        return Place(trunk_folder(), "")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Place(folder, "")
    if folder.exists():
        what = "a trunk is a folder, and this is a file"
        raise MissingError(what, where=name, do="name the folder that holds config.json and model.safetensors")
    advice = "name a folder, a hub id such as FacebookAI/xlm-roberta-base, or 'miniature'"
    if misspelt := difflib.get_close_matches(name.lower(), ["miniature"], cutoff=0.7):
        advice = "did you mean 'miniature'? otherwise name a folder or a hub id such as FacebookAI/xlm-roberta-base"
    if misspelt or not HUB_ID.fullmatch(name) or name.startswith((".", "~")):
        raise MissingError("there is no such folder", where=name, do=advice)
    return None


def switched_off() -> bool:
    """Whether the user says that the hub is not to be asked."""
    switches = (os.environ.get(variable, "").strip().upper() for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(switch in ("1", "ON", "YES", "TRUE") for switch in switches)


def _from_hub(name: str, revision: str | None) -> Place:
    cached = _snapshot(name, revision, local=True)
    if cached is not None:
        return cached
    if switched_off():
        what = f"'{name}' is neither a folder nor in the hub's local cache, and the hub is switched off"
        raise Unreachable(what, do="unset HF_HUB_OFFLINE to fetch it once, or name a folder")
    fetched = _snapshot(name, revision, local=False) or _snapshot(name, revision, local=False, weights=PICKLES)
    if fetched is None:
        what = f"the hub's '{name}' lacks weights, config.json or tokenizer.json"
        raise MissingError(what, do="choose a repository with these files")
    return fetched


def _snapshot(name: str, revision: str | None, local: bool, weights: tuple[str, ...] = ()) -> Place | None:
    """A hub repository's folder in the cache, fetched unless `local`; None where files are missing from it.

    weights   what is fetched beside safetensors
    """
    from huggingface_hub import errors, snapshot_download

    patterns = [*FILES, *weights, *sentence_pooling.FILES]
    options: dict[str, Any] = {"allow_patterns": patterns, "local_files_only": local, "etag_timeout": SECONDS}
    try:
        folder = Path(snapshot_download(name, revision=revision, **options))
    except errors.LocalEntryNotFoundError as error:
        if local:
            return None
        what = f"'{name}' is not a folder, and the hub did not answer when asked for it"
        raise Unreachable(what, do="check the network, or name a folder") from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.GatedRepoError) as error:
        at = f" at revision {revision}" if revision else ""
        what = f"'{name}' is not a folder, and the hub has none of that name{at} that it shows us"
        raise MissingError(what, do="check the name and revision; a private one needs HF_TOKEN") from error
    except (errors.HFValidationError, OSError) as error:
        if local:
            return None
        what = f"cannot fetch '{name}' from the hub: {error}"
        raise Unreachable(what, do="check the network and the cache folder, or name a folder") from error
    tokenizers = [folder / file for file in FILES[3:]]
    held = any(any(folder.glob(pattern)) for pattern in ("*.safetensors", PICKLES[0]))
    complete = held and (folder / "config.json").is_file() and any(file.is_file() for file in tokenizers)
    return Place(folder, folder.name) if complete else None

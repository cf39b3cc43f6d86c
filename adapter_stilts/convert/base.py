"""What a conversion is given and what it leaves.

@writers.register("peft")
def write(source: Source, out: Path) -> list[str]: ...      a run, written into a new folder; what is to be said

@readers.register("peft")
def read(folder: Path, model: TrunkModel, config: TrunkConfig) -> Foreign: ...      an adapter of another library
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError
from torch import Tensor

from adapter_stilts.encoder.composition import Composition, Name, parse
from adapter_stilts.encoder.kinds import Kind, kinds
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.encoder.trunk.loading import empty_model, trunk_facts
from adapter_stilts.errors import ArtefactError, UsageError
from adapter_stilts.files import from_json, read_bytes
from adapter_stilts.formats.base import formats
from adapter_stilts.registry import Registry, unknown_name
from adapter_stilts.sharing.bundle import Bundle, DescribedHead, Part
from adapter_stilts.sharing.places import named

CONFIG = "adapter_config.json"  # both of peft and of AdapterHub
HEAD = "stilts_head.json"  # what theirs do not say of a head of ours: its format, labels and length


@dataclass(frozen=True)
class Source:
    """A run to be converted.

    trunk    its name and revision on this machine
    head     the name of the head that goes along; "" for none
    adapter  of the composition, the one that is meant; "" for all of it
    reading  retrieval settings: layer, pool, the file whose mean is subtracted
    """

    bundle: Bundle
    trunk: Mapping[str, Any]
    head: str = ""
    adapter: str = ""
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def composition(self) -> Composition:
        return Name(self.adapter) if self.adapter else parse(self.bundle.manifest.composition)

    @property
    def adapters(self) -> dict[str, Part]:
        return {part.name: part for part in self.bundle.of("adapter")}

    @property
    def kinds(self) -> dict[str, Kind]:
        return {name: kinds[part.facts["kind"]] for name, part in self.adapters.items()}

    @property
    def head_part(self) -> Part | None:
        return next((part for part in self.bundle.of("head") if part.name == self.head), None)

    @property
    def trunk_name(self) -> str:
        """What travels: a hub id, or the last name of a folder."""
        return str(named(self.trunk["name"], self.trunk["revision"] or "")["name"])

    @cached_property
    def config(self) -> TrunkConfig:
        """The numbers of its trunk; no weight is read."""
        return trunk_facts(self.trunk["name"], revision=self.trunk["revision"])[0]

    @cached_property
    def model(self) -> TrunkModel:
        """Its trunk without memory for weights: names and shapes."""
        return empty_model(self.config)


@dataclass(frozen=True)
class Foreign:
    """An adapter of another library in our terms.

    tensors  by our canonical names; where some are missing, the fresh adapter of this kind has them: it changes nothing
    head     its tensors and facts, None where there is none
    notes    what is to be said
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    head: Part | None = None
    notes: tuple[str, ...] = ()


Writer: TypeAlias = Callable[[Source, Path], list[str]]
Reader: TypeAlias = Callable[[Path, TrunkModel, TrunkConfig], Foreign]
writers: Registry[Writer] = Registry("form to convert to", package="adapter_stilts.convert")
readers: Registry[Reader] = Registry("form to convert from", package="adapter_stilts.convert")


def recognised(folder: Path) -> str:
    """The form of a folder of another library, by what its adapter_config.json says."""
    config = read_config(folder)
    if "peft_type" in config:
        return "peft"
    if isinstance(config.get("config"), dict) and "hidden_size" in config:
        return "adapterhub"
    what = f"{CONFIG} is neither peft's (peft_type) nor AdapterHub's (config, hidden_size)"
    raise ArtefactError(what, where=str(folder), do="name a folder that one of the two has written")


def read_config(folder: Path, name: str = CONFIG) -> dict[str, Any]:
    """A JSON object of a folder; ArtefactError where there is none."""
    path = folder / name
    if not path.is_file():
        what = f"there is no {name}" if folder.is_dir() else "no such folder"
        raise ArtefactError(what, where=str(folder), do="name the folder that peft or AdapterHub has written")
    try:
        content = from_json(read_bytes(path))
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{name} cannot be read: {error}", where=str(path), do="fetch it again") from error
    if not isinstance(content, dict):
        raise ArtefactError(f"{name} holds no object", where=str(path), do="fetch it again")
    return content


def one_adapter(source: Source, form: str) -> Part:
    """The adapter that is meant, where a form holds one; UsageError for a composition of several."""
    composition = source.composition
    if not isinstance(composition, Name):
        what = f"a folder of {form} holds one adapter, and the run is {composition}"
        raise UsageError(what, where=str(source.bundle.folder), do="name one of them with --adapter NAME")
    if composition.name not in source.adapters:
        raise unknown_name("adapter of the run", composition.name, source.adapters, where=str(source.bundle.folder))
    return source.adapters[composition.name]


def read_head(folder: Path, format: str, labels: int, tensors: Mapping[str, Tensor]) -> Part:
    """A head of theirs with what is known of it: what we wrote beside it, else labels by number.

    format, labels   where nothing was written beside it
    """
    facts: dict[str, Any] = {"format": format, "task": format, "max_length": formats[format].max_length}
    facts["labels"] = [f"LABEL_{number}" for number in range(labels)]
    if (folder / HEAD).is_file():
        kept = read_config(folder, HEAD)
        try:
            said = DescribedHead.model_validate({"name": "head", "tensors": {}, **kept})
        except ValidationError as error:
            what = f"{HEAD} does not describe a head"
            raise ArtefactError(what, where=str(folder / HEAD), do="remove it, or convert the run again") from error
        same = said.format in formats and formats[said.format].head == formats[format].head
        if not same or len(said.labels) != labels:
            what = f"{HEAD} says {said.format} with {len(said.labels)} labels, the weights {format} with {labels}"
            raise ArtefactError(what, where=str(folder / HEAD), do="remove it, or convert the run again")
        facts = said.model_dump(exclude={"name", "tensors"}, exclude_none=True)
    return Part("head", "head", facts, dict(tensors))

"""The weights of a run on disk: adapter/, fusion/ and head/, in safetensors and JSON only.

    adapter/nli.safetensors   the tensors of one adapter, float32, named without the adapter's name
    adapter/nli.json          its kind, settings, and the shape of every tensor
    fusion/1.safetensors      one AdapterFusion; its name ("fuse(nli, qa)") is in fusion/1.json
    head/head.safetensors     the output layer of the task, its labels in head/head.json; of several tasks head/nli...

Every adapter of the composition is there, those of the parents too, so that a run travels alone. The bytes depend on
the weights and settings only: no time, no path. A bundle is such a folder with its manifest; checkpoints and
predictions need not come along.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from torch import Tensor

from adapter_stilts.config.schema import HeadPool
from adapter_stilts.encoder.composition import Composition, fusion_name, fusions, names, parse, validate
from adapter_stilts.encoder.kinds import kinds, mistakes
from adapter_stilts.encoder.transfer import not_numbers
from adapter_stilts.errors import ArtefactError, MissingError, StiltsError, UsageError
from adapter_stilts.files import disk_errors, is_remains, sha256, write_bytes, write_json
from adapter_stilts.formats.base import formats
from adapter_stilts.sharing.manifest import FETCH_AGAIN, MANIFEST, METRICS, ROLES, TASK_FILE, Manifest, read_manifest
from adapter_stilts.sharing.sealed import small, unreadable
from adapter_stilts.tasks.user import task_from_yaml

MAY_BE_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".npz", ".h5")
DTYPES = (torch.float32, torch.float16, torch.bfloat16)  # what float32 holds exactly
HEADER = 256  # bytes that a tensor takes in a header, beside its name
SHOWN = 60  # characters of what is wrong
FILE_NAME = re.compile(r"[^\s./\\(),=][^\s/\\(),=]*")


@dataclass(frozen=True)
class Part:
    """One trained module: its role, its name, what is needed to build it, and its tensors."""

    role: str
    name: str
    facts: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @property
    def parameters(self) -> int:
        """How many it stores."""
        return sum(tensor.numel() for tensor in self.tensors.values())


@dataclass(frozen=True)
class Bundle:
    """A verified run: what it says of itself, and its parts."""

    folder: Path
    manifest: Manifest
    parts: tuple[Part, ...]

    def of(self, role: str) -> tuple[Part, ...]:
        """The parts of one role, in the order they were written."""
        return tuple(part for part in self.parts if part.role == role)


class Described(BaseModel):
    """What the JSON beside a safetensors file must say."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: str
    tensors: dict[str, list[int]]


class DescribedAdapter(Described):
    """language: of the text that a language adapter has learned, "" for any other adapter."""

    kind: str
    settings: dict[str, Any]
    trained: bool
    language: str = ""


class DescribedFusion(Described):
    trained: bool


class DescribedHead(Described):
    format: str
    task: str
    labels: list[str]
    max_length: Annotated[int, Field(gt=0)]
    pool: HeadPool | None = None  # of a ranking head


DESCRIPTIONS: dict[str, type[Described]]
DESCRIPTIONS = {"adapter": DescribedAdapter, "fusion": DescribedFusion, "head": DescribedHead}


def save_parts(folder: Path, parts: Sequence[Part]) -> dict[str, str]:
    """Replace the weights in a folder by these parts; returns the sha256 of each file by its path in the run.

    Raises DoesNotFit on a full disk, StiltsError for weights that are not numbers, before anything is written.
    """
    for part in parts:
        if wrong := not_numbers(part.tensors):
            what = f"the {part.role} '{part.name}' cannot be kept: '{wrong}' holds values that are not finite numbers"
            raise StiltsError(what, where=str(folder), do="train with a lower learning rate, or with training.clip")
    remove_weights(folder)
    hashes: dict[str, str] = {}
    for role in ROLES:
        for number, part in enumerate([part for part in parts if part.role == role], start=1):
            if role != "fusion" and not FILE_NAME.fullmatch(part.name):
                advice = "give the task a name of letters, digits, '-' and '_'"
                raise StiltsError(f"'{part.name}' cannot name a file", do=advice)
            stem = f"{role}/{number if role == 'fusion' else part.name}"
            tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(part.tensors.items())}
            shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
            write_bytes(folder / f"{stem}.safetensors", safetensors.torch.save(tensors))
            write_json(folder / f"{stem}.json", {"name": part.name, **part.facts, "tensors": shapes})
            hashes |= {name: sha256(folder / name) for name in (f"{stem}.safetensors", f"{stem}.json")}
    return hashes


def load_bundle(folder: Path) -> Bundle:
    """A run's manifest and parts, every hash, tensor name and shape verified, and all that it says of itself; raises
    MissingError or ArtefactError."""
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    if TASK_FILE in manifest.files:
        _check_task(folder / TASK_FILE)
    names = [name for name in manifest.files if name.endswith(".safetensors")]
    described = {f"{name.removesuffix('.safetensors')}.json" for name in names}
    if alone := [name for name in manifest.files if "/" in name and name not in (*names, *described)]:
        raise ArtefactError(f"the manifest lists {alone[0]}, which is no part", where=str(folder), do=FETCH_AGAIN)
    bundle = Bundle(folder, manifest, tuple(_read_part(folder, name, manifest) for name in names))
    _check_composition(bundle)
    return bundle


def read_description(path: Path, role: str) -> Described:
    """What a part says of itself: its name is that of its file, its kind and settings are known ones.

    Raises ArtefactError with the key that is wrong.
    """
    try:
        facts = DESCRIPTIONS[role].model_validate_json(small(path))
    except (ValidationError, OSError) as error:
        what = "the description of a part is not one"
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False, include_input=False)[0]
            what += f": {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise ArtefactError(what, where=str(path), do=FETCH_AGAIN) from error
    wrong = ""
    if role != "fusion" and facts.name != path.stem:
        wrong = f"name: '{facts.name[:SHOWN]}' stands in {path.name}"
    elif isinstance(facts, DescribedAdapter):
        said = mistakes(facts.kind, facts.settings)
        wrong = next((f"{'.'.join(map(str, key)).removeprefix('adapter.')}: {what}" for key, _, what in said), "")
    elif isinstance(facts, DescribedHead) and facts.format not in formats:
        wrong = f"format: '{facts.format[:SHOWN]}' is not one of: {', '.join(formats)}"
    if wrong:
        raise ArtefactError(f"the description of a part says {wrong}", where=str(path), do=FETCH_AGAIN)
    return facts


def most_bytes(described: Described) -> int:
    """How many bytes a file of these tensors has at most: float32, and a header of names and shapes."""
    sizes = (4 * math.prod(map(abs, shape)) + len(name) + HEADER for name, shape in described.tensors.items())
    return HEADER + sum(sizes)


def check_parts(bundle: Bundle, composition: Composition) -> None:
    """The stored parts are those of the composition, no more and no less; ArtefactError otherwise."""
    wanted = {"adapter": set(names(composition)), "fusion": set(map(fusion_name, fusions(composition)))}
    wanted["head"] = {task.task for task in bundle.manifest.tasks} or ({"head"} if bundle.manifest.format else set())
    for role, expected in wanted.items():
        if expected != (stored := {part.name for part in bundle.of(role)}):
            apart = ", ".join(sorted(expected ^ stored))
            what = f"the run's composition {composition} and its {role} parts disagree about {apart}"
            raise ArtefactError(what, where=str(bundle.folder), do="fetch the bundle again, or train the run again")


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Refuse a run with a missing, changed or unlisted weight file; the log of steps may have stayed behind."""
    for name, expected in manifest.files.items():
        path = folder / name
        if name == METRICS and not path.exists():
            continue
        if not path.is_file():
            raise ArtefactError(f"a file of the run is missing: {name}", where=str(folder), do=FETCH_AGAIN)
        try:
            same = sha256(path) == expected
        except OSError as error:
            raise unreadable(error, path) from error
        if not same:
            what = f"a file of the run was changed or damaged: {name} does not match its sha256"
            raise ArtefactError(what, where=str(path), do=FETCH_AGAIN)
    for path in _part_files(folder):
        name = f"{path.parent.name}/{path.name}"
        if path.suffix in MAY_BE_WEIGHTS and name not in manifest.files:
            what = f"a weight file that the manifest does not list: {name}"
            raise ArtefactError(what, where=str(path), do="remove it")


def remove_weights(folder: Path) -> None:
    """Remove a run's weight files with their descriptions, and what writes left that were cut off; other files stay."""
    with disk_errors(folder):
        for path in _part_files(folder):
            if path.suffix == ".safetensors":
                path.with_suffix(".json").unlink(missing_ok=True)
            if path.suffix == ".safetensors" or is_remains(path):
                path.unlink(missing_ok=True)


def _read_part(folder: Path, name: str, manifest: Manifest) -> Part:
    path = folder / name
    role, described = name.split("/")[0], f"{name.removesuffix('.safetensors')}.json"
    if described not in manifest.files:
        raise ArtefactError(f"the manifest lists {name} without {described}", where=str(folder), do=FETCH_AGAIN)
    facts = read_description(folder / described, role)
    try:
        if path.stat().st_size > most_bytes(facts):
            what = (
                f"{path.stat().st_size:,} bytes, and the tensors that {described} tells of need {most_bytes(facts):,}"
            )
            raise ArtefactError(what, where=str(path), do=FETCH_AGAIN)
        tensors = safetensors.torch.load(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"not a whole safetensors file: {error}", where=str(path), do=FETCH_AGAIN) from error
    shapes = {key: list(tensor.shape) for key, tensor in tensors.items()}
    if shapes != facts.tensors:
        apart = set(shapes) ^ set(facts.tensors) or {key for key in shapes if shapes[key] != facts.tensors[key]}
        what = f"tensors and description disagree about {', '.join(sorted(apart)[:3])}"
        raise ArtefactError(what, where=str(path), do=FETCH_AGAIN)
    if foreign := next((key for key, tensor in tensors.items() if tensor.dtype not in DTYPES), ""):
        what = f"'{foreign}' is stored as {tensors[foreign].dtype}, not as floating-point numbers"
        raise ArtefactError(what, where=str(path), do=FETCH_AGAIN)
    if wrong := not_numbers(tensors):
        what = f"'{wrong}' holds values that are not finite numbers"
        raise ArtefactError(what, where=str(path), do=FETCH_AGAIN)
    return Part(role, facts.name, facts.model_dump(exclude={"name", "tensors"}, exclude_none=True), tensors)


def _check_composition(bundle: Bundle) -> None:
    """What the manifest says is active can run, with the parts that are there."""
    of = {part.name: kinds[part.facts["kind"]] for part in bundle.of("adapter")}
    try:
        composition = parse(bundle.manifest.composition)
        check_parts(bundle, composition)
        validate(composition, of)
    except UsageError as error:
        what, where = f"composition: {error.what}", str(bundle.folder / MANIFEST)
        raise ArtefactError(what, where=where, do=FETCH_AGAIN) from error


def _check_task(path: Path) -> None:
    try:
        task_from_yaml(path)
    except (UsageError, MissingError) as error:
        what = f"the description of the task is not one: {error.what}"
        raise ArtefactError(what, where=str(path), do=FETCH_AGAIN) from error


def _part_files(folder: Path) -> Iterator[Path]:
    """What lies in adapter/, fusion/ and head/."""
    for place in (folder / role for role in ROLES):
        if place.is_dir():
            yield from sorted(path for path in place.iterdir() if not path.is_dir())

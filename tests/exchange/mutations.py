"""Bundles that were broken or forged in every way we could think of, from a seed, and what may come of each.

    mutate(random.Random(7), source)          "settings", with what was done to the bundle in the folder
    outcome(source, out)                      "refused" or "read"; AssertionError for anything else

Half of them are forged by someone who computes all hashes anew. A mutated bundle is refused as damaged (exit code 4),
or read exactly as it says; nothing of it is executed, nothing is written beside the folder asked for, nothing is sent.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle  # noqa: TID251  (to plant what must never be read)
import random
import shutil
import struct
import unicodedata
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
import yaml
from safetensors import SafetensorError

from adapter_stilts.errors import ArtefactError
from adapter_stilts.exchange.info import info
from adapter_stilts.exchange.pull import pull
from adapter_stilts.files import sha256
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.results import read_results, write_results
from adapter_stilts.sharing.bundle import Part, load_bundle, save_parts
from adapter_stilts.sharing.card import write_card
from adapter_stilts.sharing.manifest import MANIFEST, Manifest, write_manifest
from adapter_stilts.sharing.sealed import write_sealed
from adapter_stilts.statistics.result import Result

Draw = random.Random
FREE = ("README.md",)  # what no hash covers, since it is text for people
TYPES = {"F32": np.float32, "F16": np.float16}
HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**31, 10**18, 10**400, 1.5, 1e308, "", "x", "../../x", "/etc/passwd", "a" * 10**5),
    *("\x1b]0;pwned\x07", "\x00", "\u202e", "`|<script>", [], {}, [[]] * 3, {"a": 1}, ["../x"], "stack(nli)"),
    *("full", "lora", "prefix_tuning", "fuse(nli,nli)", "stack(nli, qa)", 1e-300, [10**9], [-5, -5], float("nan")),
)
NAMES = (
    *("../outside", "adapter/../../outside", "/tmp/outside", "adapter/extra.pkl", "head/pytorch_model.bin"),
    *("__init__.py", "conftest.py", "sitecustomize.py", "adapter/nli.json ", "adapter/NLI.json", "..\\outside"),
    *("adapter/\x1b[31m.json", "adapter/\u202egnosj.json", "con", "a" * 200, "adapter/e\u0301.json", "results.json/x"),
    *(
        "local.yaml",
        "places.json",
        ".lock",
        "checkpoints/step-1/state.json",
        "predictions/a.tsv",
        "adapter/.nli.partial",
    ),
)


class Trap:
    """What runs where a pickle of it is read."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.canary),)


def whole(folder: Path) -> Path:
    """The bundle that all others are made of: a fusion of two adapters and a head, with scores and a card."""
    draw = torch.Generator().manual_seed(5)
    facts = {"kind": "seq_bn", "settings": {"reduction_factor": 4.0, "leave_out": []}, "trained": True, "language": ""}
    head = {"format": "pair", "task": "mine", "labels": ["no", "jå"], "max_length": 64}

    def weights(*names: str) -> dict[str, torch.Tensor]:
        return {name: torch.randn(4, 3, generator=draw) for name in names}

    parts = [
        Part("adapter", "nli", facts, weights("encoder.layer.0.down", "encoder.layer.1.down")),
        Part("adapter", "qa", facts, weights("encoder.layer.0.down", "encoder.layer.1.down")),
        Part("fusion", "fuse(nli, qa)", {"trained": False}, weights("value")),
        Part("head", "head", head, weights("out.weight", "out.bias")),
    ]
    files = save_parts(folder, parts)
    (folder / "config.yaml").write_text("task: {name: mine.yaml}\ndata: {sources: [train=rows.tsv]}\n")
    (folder / "task.yaml").write_text("name: mine\nformat: pair\nlabels: ['no', jå]\n")
    (folder / "identity.json").write_text('{"identity": "00000000", "name": "mine"}\n')
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\n\n# mine\n")
    files |= {name: sha256(folder / name) for name in ("config.yaml", "task.yaml", "identity.json")}
    words = dict.fromkeys(("name", "identity", "language", "device", "licence"), "x")
    trunk = {"name": "miniature", "revision": None, "fingerprint": "ab", "layers": 2, "hidden": 8, "precision": "fp32"}
    more = {"parents": [{"name": "nli-1", "checksum": "0" * 64}], "training": {"steps": 3}, "data": [], "parts": []}
    data = {"split": "train", "language": "en", "kind": "files", "files": [{"path": "rows.tsv", "sha256": "0" * 64}]}
    numbers = {"seconds": 1, "peak_memory": 1, "seeds": {"training": 13}, "versions": {}, "substitutions": ["a"]}
    named = {"task": "mine", "task_file": "mine.yaml", "format": "pair", "how": "fuse", "control": "none"}
    said = {**words, **more, "data": [data], **numbers, **named, "trunk": {**trunk, "source": "miniature"}}
    said |= {"composition": "fuse(nli, qa)", "files": files}
    write_results(folder, [Result("mine", "own", "en", "accuracy", 0.5, 9, (0.2, 0.8), headline=True)])
    write_manifest(folder, Manifest.model_validate(said))
    return folder


def mutate(draw: Draw, source: Path, canary: Path) -> str:
    """Do one or two things to a bundle, and in half of all cases put its hashes right; returns their names."""
    done = []
    for act in draw.sample(ACTS, draw.choice((1, 1, 1, 2))):
        try:
            act(draw, source, canary)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error, SafetensorError):
            continue  # what the other one did leaves nothing to do it to
        done.append(act.__name__.strip("_"))
    if draw.random() < 0.5:
        reseal(source)
        done.append("hashed anew")
    return ", ".join(done)


def reseal(source: Path) -> None:
    """Compute all hashes anew, as a forger would."""
    if any(path.is_symlink() or path.is_fifo() for path in source.rglob("*")):
        return  # refused before any hash is looked at
    try:
        fields = json.loads((source / MANIFEST).read_bytes())
        if isinstance(fields.get("files"), dict):
            there = {name: source / name for name in fields["files"] if isinstance(name, str)}
            fields["files"] |= {name: sha256(path) for name, path in there.items() if path.is_file()}
        write_sealed(source / MANIFEST, fields)
        results = json.loads((source / "results.json").read_bytes())
        write_sealed(source / "results.json", results)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        pass


def outcome(source: Path, out: Path) -> str:
    """What comes of taking a bundle: "refused" or "read", the latter only where what was read is what is there."""
    try:
        pull(str(source), out=out, report=Silent())
        bundle = load_bundle(out)
    except ArtefactError as error:
        if not (error.exit_code == 4 and error.where and error.do) or out.exists():
            raise AssertionError(f"refused without a place, advice or trace: {error}") from error
        return "refused"
    with suppress(ArtefactError):  # a configuration is read when it is used
        info(out)
    write_card(out, bundle.manifest, read_results(out))
    text = (out / "README.md").read_text(encoding="utf-8")
    assert all(char.isprintable() or char in "\n\u3000" for char in text)
    assert isinstance(yaml.safe_load(text.split("\n---\n")[0]), dict)
    for part in bundle.parts:
        place = f"fusion/{bundle.of('fusion').index(part) + 1}" if part.role == "fusion" else f"{part.role}/{part.name}"
        said = json.loads((out / f"{place}.json").read_bytes())
        facts = {name: value for name, value in said.items() if name not in ("name", "tensors")}
        assert {name: part.facts[name] for name in facts if facts[name] is not None} == {
            name: value for name, value in facts.items() if value is not None
        }
        stored = decoded((out / f"{place}.safetensors").read_bytes())
        assert stored.keys() == part.tensors.keys()
        for name, values in stored.items():
            if values is not None:
                assert values.tobytes() == part.tensors[name].numpy().tobytes()
    return "read"


def decoded(content: bytes) -> dict[str, Any]:
    """The tensors of a safetensors file by the form's own definition; None for those of a type that NumPy lacks."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, facts in header.items():
        start, stop = (8 + length + place for place in facts["data_offsets"])
        known = TYPES.get(facts["dtype"])
        tensors[name] = np.frombuffer(content[start:stop], known) if known else None
    return tensors


def packed(draw: Draw, source: Path, path: Path) -> Path:
    """The bundle as a .zip, now and then damaged or lying."""
    with zipfile.ZipFile(path, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for file in sorted(source.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(source).as_posix())
        if draw.random() < 0.2:
            entry = zipfile.ZipInfo(draw.choice(NAMES))
            entry.external_attr = draw.choice((0o100644, 0o120777, 0o010644, 0)) << 16
            archive.writestr(entry, draw.choice((b"/etc/passwd", b"", bytes(10**6))))
    if draw.random() < 0.4:
        content = bytearray(path.read_bytes())
        for _ in range(draw.choice((1, 1, 3, 20))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path.write_bytes(content[: draw.randrange(len(content)) if draw.random() < 0.2 else len(content)])
    return path


def _file(draw: Draw, source: Path, *suffixes: str) -> Path:
    files = [path for path in sorted(source.rglob("*")) if path.is_file() and not path.is_symlink()]
    return draw.choice([path for path in files if not suffixes or path.suffix in suffixes])


def _flip(draw: Draw, source: Path, canary: Path) -> None:
    path = _file(draw, source)
    content = bytearray(path.read_bytes())
    for _ in range(draw.randint(1, 8)):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def _cut(draw: Draw, source: Path, canary: Path) -> None:
    path = _file(draw, source)
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def _lengthen(draw: Draw, source: Path, canary: Path) -> None:
    path = _file(draw, source)
    path.write_bytes(path.read_bytes() + draw.choice((b"\0", b" ", b"{}", bytes(10**5), draw.randbytes(100))))


def _remove(draw: Draw, source: Path, canary: Path) -> None:
    _file(draw, source).unlink()


def _swap_files(draw: Draw, source: Path, canary: Path) -> None:
    one, other = (_file(draw, source, draw.choice((".json", ".safetensors"))) for _ in range(2))
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])


def _change_tensors(draw: Draw, source: Path, canary: Path) -> None:
    path = _file(draw, source, ".safetensors")
    tensors = safetensors.torch.load(path.read_bytes())
    name = draw.choice(sorted(tensors))
    dtypes = (torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.bool, torch.uint8, torch.float8_e4m3fn)
    changes: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda tensor: tensor.to(draw.choice(dtypes)),
        lambda tensor: tensor.t().contiguous(),
        lambda tensor: tensor[:1].contiguous(),
        lambda tensor: tensor.reshape(-1),
        lambda tensor: torch.full_like(tensor, draw.choice((float("nan"), float("inf"), 1e38))),
        lambda tensor: tensor[:0].contiguous(),
    ]
    tensors[name] = draw.choice(changes)(tensors[name])
    if draw.random() < 0.2:
        tensors[draw.choice(("x" * 1000, "../x", "\x1b[0m", "", "é", name + "\n"))] = tensors.pop(name)
    if draw.random() < 0.3:
        first, last = sorted(tensors)[0], sorted(tensors)[-1]
        tensors[first], tensors[last] = tensors[last].clone(), tensors[first].clone()
    metadata = {"format": "pt", "\x1b": "x" * 10**4} if draw.random() < 0.2 else None
    path.write_bytes(safetensors.torch.save(tensors, metadata))


def _forge_header(draw: Draw, source: Path, canary: Path) -> None:
    path = _file(draw, source, ".safetensors")
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = content[8 : 8 + length], content[8 + length :]
    said = json.loads(header)
    name = draw.choice([key for key in said if key != "__metadata__"])
    forged = draw.randrange(8)
    if forged == 0:
        path.write_bytes(struct.pack("<Q", draw.choice((0, 2**63, 2**40, 2**64 - 1, len(content)))) + content[8:])
        return
    if forged == 1:
        header = header + b" " * draw.choice((8, 10**4, 10**6))
    elif forged == 2:
        header = b'{"a":' * 5000 + b"1" + b"}" * 5000
    elif forged == 3:
        said[name]["data_offsets"] = draw.choice(([0, 10**18], [-1, 4], [0, 0], [48, 0], [0, 96]))
    elif forged == 4:
        said[name]["shape"] = draw.choice(([10**9, 10**9], [-4, -3], [], [12], [2**62, 4], [3, 4]))
    elif forged == 5:
        said[name]["dtype"] = draw.choice(("F64", "I8", "BOOL", "F8_E4M3", "X9", 3))
    elif forged == 6:
        header = header[:-1].rstrip() + b"," + header[1:]  # every key twice
    else:
        said[name] = draw.choice(HOSTILE)
    if forged in (3, 4, 5, 7):
        header = json.dumps(said).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def _edit_json(draw: Draw, source: Path, canary: Path) -> None:
    """Any value of any document becomes another, or goes, or has a neighbour."""
    path = _file(draw, source, ".json")
    document = json.loads(path.read_bytes())
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(document)
    node, key = draw.choice(places)
    act = draw.random()
    if act < 0.15:
        del node[key]
    elif act < 0.25 and isinstance(node, dict):
        node[draw.choice(("x", "__class__", "\x1b[1m", "", "a" * 10**4, *NAMES))] = draw.choice(HOSTILE)
    elif act < 0.35 and isinstance(node[key], int | float) and not isinstance(node[key], bool):
        node[key] = draw.choice((node[key] + 1, -node[key], node[key] * 10**9))
    else:
        node[key] = draw.choice(HOSTILE)
    path.write_text(json.dumps(document, indent=2), encoding="utf-8", errors="surrogatepass")


def _plant_json(draw: Draw, source: Path, canary: Path) -> None:
    deep = "[" * 10**5
    texts = ("null", "[]", "3", '"x"', "{}", deep, "1" * 5000, "\ufeff{}", '{"a": 1, "a": 2}', "NaN", "")
    _file(draw, source, ".json").write_text(draw.choice(texts), encoding="utf-8")


def _plant_yaml(draw: Draw, source: Path, canary: Path) -> None:
    texts = (
        f"!!python/object/apply:os.mkdir ['{canary}']",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]",
        "name: [",
        "name: ../../x\nformat: pair\nfiles: {train: ['/etc/*', '../../*']}",
        "name: mine\nformat: exec\n",
        "x: " + "[" * 500,
        "\x1b]0;x\x07: 1",
        "name: mine\nformat: pair\nmax_length: 100000000000000000000000000000000000000\n",
    )
    (source / draw.choice(("config.yaml", "task.yaml"))).write_text(draw.choice(texts), encoding="utf-8")


def _plant_pickle(draw: Draw, source: Path, canary: Path) -> None:
    content = pickle.dumps(Trap(canary))
    name = draw.choice((*NAMES[3:8], "adapter/nli.bin", "adapter/xx.safetensors", ""))
    path = source / name if name else _file(draw, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _add(draw: Draw, source: Path, canary: Path) -> None:
    """A file under a hostile name, listed by the manifest or not."""
    name = draw.choice(NAMES)
    if not name.startswith(("/", "..", "adapter/..")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(draw.choice((b"{}", b"", b"x" * 1000)))
    if draw.random() < 0.5:
        fields = json.loads((source / MANIFEST).read_bytes())
        fields["files"][name] = hashlib.sha256(b"{}").hexdigest()
        (source / MANIFEST).write_text(json.dumps(fields, indent=2), encoding="utf-8")


def _rename(draw: Draw, source: Path, canary: Path) -> None:
    path = _file(draw, source)
    other = draw.choice((unicodedata.normalize("NFD", path.stem) + "é", path.stem.upper(), "..", "x" * 100, "ｎｌｉ"))
    path.rename(path.with_name(f"{other}{path.suffix}"))


def _link(draw: Draw, source: Path, canary: Path) -> None:
    path = _file(draw, source)
    path.unlink()
    path.symlink_to(draw.choice(("/etc/passwd", "../../outside", str(source), "/dev/zero", "nowhere")))


def _pipe(draw: Draw, source: Path, canary: Path) -> None:
    path = _file(draw, source)
    path.unlink()
    os.mkfifo(path)


ACTS = (
    *(_flip, _flip, _cut, _lengthen, _remove, _swap_files, _change_tensors, _change_tensors, _forge_header),
    *(_forge_header, _edit_json, _edit_json, _edit_json, _plant_json, _plant_yaml, _plant_pickle, _add, _rename),
    *(_link, _pipe),
)


def trial(seed: int, pristine: Path, root: Path) -> tuple[str, str]:
    """One mutated bundle, as a folder or a .zip: what was done, and what came of it. Nothing but what was asked for is
    left in `root`."""
    draw = random.Random(seed)
    root.mkdir()
    source, canary = root / "source", root / "executed"
    shutil.copytree(pristine, source)
    done = mutate(draw, source, canary)
    if draw.random() < 0.4 and not any(path.is_symlink() or path.is_fifo() for path in source.rglob("*")):
        offered = packed(draw, source, root / "source.zip")
        done += ", packed"
    else:
        offered = source
    before = sorted(os.listdir(root))
    came = outcome(offered, root / "out")
    left = sorted(set(os.listdir(root)) - {"out"})
    assert left == before, f"left behind: {left}"
    assert (root / "out").exists() == (came == "read")
    shutil.rmtree(root)
    return done, came

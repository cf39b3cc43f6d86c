"""A run carries nothing of the machine that made it but two files that stay there, and works wherever it is put."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import yaml

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.trunk.loading import half_copies, load_trunk, save_trunk
from adapter_stilts.errors import ArtefactError, MissingError, UsageError
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.build import finished_models
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.lineage import check_parents
from adapter_stilts.runs.subject import Request, sentence_reader
from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.sharing.manifest import MANIFEST, Parent, read_manifest
from adapter_stilts.sharing.places import PLACES, files_of, named, remember, trunk_place
from adapter_stilts.sharing.sealed import read_sealed, write_sealed

LOCAL = ("local.yaml", PLACES)
TELLTALE = "zz-of-user-juno-at-host-vega"


@pytest.fixture
def away(trained, tiny_folder, data, tmp_path):
    """A run made in a tell-tale folder, of a trunk, rows, a task file and a parent that lie there too."""
    home = tmp_path / TELLTALE
    shutil.copytree(tiny_folder, home / "trunk")
    sources = []
    for source in data("nli"):
        split, _, path = source.partition("=")
        sources.append(f"{split}={shutil.copy(path, home)}")
    labels = "labels: [contradiction, entailment, neutral]"
    (home / "mine.yaml").write_text(f"# rows of {TELLTALE}\nname: mine\nformat: pair\n{labels}  # {TELLTALE}\n")
    here = {"trunk__name": str(home / "trunk"), "data__sources": sources}
    parent = trained("nli", out=f"{TELLTALE}/first", **here)
    task = str(home / "mine.yaml")
    return trained(task, out=f"{TELLTALE}/second", task__name=task, how="stack", after=[str(parent)], **here)


def scored(run: Path, trunk: str | None = None, **data: Path):
    settings = {"data.sources": [f"{split}={path}" for split, path in data.items()]}
    settings |= {"trunk.name": trunk} if trunk else {}
    request = Request(with_settings(RunConfig(), settings), ("mine",), run, "validation")
    options = {"out": None, "runs": run.parent, "overwrite": True, "dry_run": False}
    return [asdict(row) | {"data": None} for row in evaluate(request, **options, report=Silent()).results]


def test_names_nothing_of_this_machine_outside_two_files(away):
    written = [path for path in away.rglob("*") if path.is_file() and path.name not in LOCAL]
    assert len(written) > 10
    telling = [path.name for path in written if TELLTALE.encode() in path.read_bytes()]
    assert telling == []
    manifest = read_manifest(away)
    assert (manifest.trunk.name, manifest.trunk.source, manifest.task_file) == ("trunk", "folder", "mine.yaml")
    assert manifest.parents == (Parent(name="first", checksum=read_manifest(away.parent / "first").checksum),)
    assert yaml.safe_load((away / "config.yaml").read_text())["after"] == ["first"]
    assert {Path(path).parent.name for path in files_of(away).values()} == {TELLTALE}


def test_is_scored_read_and_built_on_where_it_was_moved(away, trained, tmp_path):
    rows, trunk = next(away.parent.glob("*validation.jsonl")), tmp_path / "here" / "trunk"
    before, moved = scored(away, validation=rows), tmp_path / "there" / "run"
    moved.parent.mkdir()
    away.rename(moved)
    assert scored(moved, validation=rows) == before
    assert [path.name for path in moved.rglob("*") if path.is_file() and TELLTALE.encode() in path.read_bytes()] == [
        PLACES,
        "local.yaml",
    ]
    shutil.copytree(away.parent, tmp_path / "elsewhere")
    shutil.move(away.parent / "trunk", trunk)  # another machine: nothing of it lies where it lay
    shutil.rmtree(away.parent)
    with pytest.raises(MissingError, match=r"trunk is not here: 'trunk' was a folder, 2 layers(.|\n)*--trunk DIR"):
        scored(moved, validation=next((tmp_path / "elsewhere").glob("*validation.jsonl")))
    rows = next((tmp_path / "elsewhere").glob("*validation.jsonl"))
    assert scored(moved, str(trunk), validation=rows) == before
    child = trained("nli", how="stack", after=[str(moved)], trunk__name=str(trunk))
    assert read_manifest(child).composition == "stack(nli, mine, nli-2)"


def test_reads_a_manifest_that_still_names_places(trained, tiny_folder):
    run = trained("nli")
    fields = read_sealed(run / MANIFEST, "it", do="")
    trunk = {**fields["trunk"], "name": str(tiny_folder)}
    trunk = {name: value for name, value in trunk.items() if name not in ("source", "copies")}
    write_sealed(run / MANIFEST, {**fields, "version": 1, "trunk": trunk})
    (run / PLACES).unlink()
    whole = (run / MANIFEST).read_bytes()
    bundle = load_bundle(run)
    assert bundle.manifest.version == 1
    assert trunk_place(run, bundle.manifest.trunk) == str(tiny_folder)
    assert sentence_reader(run, None).encoder.composition is not None
    write_sealed(run / MANIFEST, bundle.manifest.model_dump(mode="json"))
    assert (run / MANIFEST).read_bytes() == whole


@pytest.mark.parametrize("half", ["fp16", "bf16"])
def test_takes_a_trunk_that_is_stored_in_half_precision_for_the_same(trained, tiny_folder, tmp_path, half):
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}[half]
    trunk = load_trunk(str(tiny_folder), precision="fp32")
    save_trunk(trunk, tmp_path / "half", dtype)
    stored = load_trunk(str(tmp_path / "half"), precision="fp32")
    assert stored.fingerprint == half_copies(trunk.name, "", trunk.fingerprint)[half] != trunk.fingerprint
    assert finished_models(stored, load_bundle(trained("nli")))
    assert finished_models(trunk, load_bundle(trained("nli", trunk__name=str(tmp_path / "half"))))


def test_says_that_two_roundings_of_a_trunk_cannot_be_compared(trained, tiny_folder, tmp_path):
    trunk = load_trunk(str(tiny_folder), precision="fp32")
    save_trunk(trunk, tmp_path / "fp16", torch.float16)
    save_trunk(trunk, tmp_path / "bf16", torch.bfloat16)
    runs = {half: trained("nli", out=f"on-{half}", trunk__name=str(tmp_path / half)) for half in ("fp16", "bf16")}
    said = "these are stored in bf16 and those in fp16, and two roundings cannot be(.|\n)*or its float32 original"
    with pytest.raises(ArtefactError, match=said):
        finished_models(load_trunk(str(tmp_path / "bf16"), precision="fp32"), load_bundle(runs["fp16"]))
    with pytest.raises(UsageError, match=r"two roundings of one(.|\n)*stored in fp16\); .*stored in bf16\)"):
        check_parents("fuse", [load_bundle(run) for run in runs.values()])


def test_notices_a_trunk_that_was_trained_on_and_stored_in_half_precision(trained, tiny_folder, tmp_path):
    trunk = load_trunk(str(tiny_folder), precision="fp32")
    tuned = {name: weight.detach().clone() for name, weight in trunk.model.tensors().items()}
    next(iter(tuned.values())).view(-1)[7] *= 1.1
    for name, dtype in (("whole", torch.float32), ("half", torch.float16)):
        save_trunk(trunk, tmp_path / name, dtype, tuned)
        with pytest.raises(ArtefactError, match="trained on weights"):
            finished_models(load_trunk(str(tmp_path / name), precision="fp32"), load_bundle(trained("nli")))


@pytest.mark.parametrize(
    ("trunk", "revision", "expected"),
    [
        ("miniature", "", {"name": "miniature", "revision": None, "source": "miniature"}),
        ("some/where", "abc", {"name": "some/where", "revision": "abc", "source": "hub"}),
        ("some/where", "", {"name": "where", "revision": None, "source": "folder"}),
        (
            f"/home/juno/.cache/hub/models--some--where/snapshots/{'0a' * 20}",
            "",
            {"name": "some/where", "revision": "0a" * 20, "source": "hub"},
        ),
    ],
)
def test_names_a_trunk_as_it_is_called_elsewhere(trunk, revision, expected):
    assert named(trunk, revision) == expected


@pytest.mark.parametrize("content", ["", "[]", '{"trunk": 1, "files": {}}', '{"trunk": "", "files": 3}', "[" * 10**5])
def test_knows_no_places_where_their_file_is_none(tmp_path, content):
    (tmp_path / PLACES).write_text(content)
    assert files_of(tmp_path) == {}
    remember(tmp_path, files={"ab": "x.tsv"})
    assert json.loads((tmp_path / PLACES).read_text())["files"] == {"ab": str(Path("x.tsv").resolve())}

"""A run that was sent comes back exactly, from a folder, a .zip or a hub, or it is said in a sentence why not."""

from __future__ import annotations

import errno
import json
import os
import shutil
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

import adapter_stilts as stilts
from adapter_stilts.errors import ArtefactError, DoesNotFit, MissingError, Unreachable, UsageError
from adapter_stilts.exchange import contents
from adapter_stilts.exchange.info import info
from adapter_stilts.exchange.places import Archive, Folder, Repository, place
from adapter_stilts.files import sha256
from adapter_stilts.runs.results import read_results, write_results
from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.sharing.manifest import MANIFEST, Parent
from adapter_stilts.sharing.metadata import read_licence
from adapter_stilts.sharing.sealed import read_sealed, write_sealed

# huggingface_hub 2.4 sends large files in a way that the library below it no longer likes
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")
NUMBERS = ("revision", "fingerprint", "layers", "hidden", "precision")
TELLTALE = "zz-of-user-juno-at-host-vega"


@pytest.fixture
def run(trained):
    """A stack over a parent: a composition."""
    parent = trained("nli", out=f"{TELLTALE}/first")
    return trained("single", out=f"{TELLTALE}/second", how="stack", after=[str(parent)])


def check_same(one: Path, other: Path) -> None:
    """Two folders hold the same bundle, bit by bit."""
    before, after = load_bundle(one), load_bundle(other)
    assert before.manifest == after.manifest
    assert [(part.role, part.name, part.facts) for part in before.parts] == [
        (part.role, part.name, part.facts) for part in after.parts
    ]
    for left, right in zip(before.parts, after.parts, strict=True):
        assert all(torch.equal(left.tensors[name], right.tensors[name]) for name in left.tensors)
    scores = [[asdict(row) for row in read_results(folder)] for folder in (one, other)]
    assert scores[0] == scores[1] != []


def test_leaves_behind_the_places_that_an_older_run_names(run, sent, taken, tmp_path):
    """As version 1 wrote it: paths in the manifest, the configuration and the scores."""
    fields = read_sealed(run / MANIFEST, "it", do="")
    shutil.copy(run / "local.yaml", run / "config.yaml")
    fields["files"]["config.yaml"] = sha256(run / "config.yaml")
    for data in fields["data"]:
        data["files"] = [{**file, "path": f"/home/{TELLTALE}/{file['path']}"} for file in data["files"]]
    fields["trunk"] = {name: fields["trunk"][name] for name in NUMBERS} | {"name": f"/home/{TELLTALE}/trunk"}
    fields["parents"] = [{**parent, "folder": f"/home/{TELLTALE}/first"} for parent in fields["parents"]]
    write_sealed(run / MANIFEST, {**fields, "version": 1, "task_file": ""})
    rows = read_sealed(run / "results.json", "it", do="")
    for row in rows["results"]:
        row["data"] = [{**file, "path": f"/home/{TELLTALE}/{file['path']}"} for file in row["data"]]
    write_sealed(run / "results.json", rows)
    before = load_bundle(run)
    back = taken(sent(run, tmp_path / "sent.zip")["pull"], tmp_path / "back")
    assert not [path for path in back.rglob("*") if path.is_file() and TELLTALE.encode() in path.read_bytes()]
    after = load_bundle(back)
    assert (before.manifest.version, after.manifest.version) == (1, 2)
    assert (after.manifest.trunk.name, after.manifest.trunk.source) == ("trunk", "folder")
    assert after.manifest.parents[0] == Parent(name="first", checksum=before.manifest.parents[0].checksum)
    for one, other in zip(before.parts, after.parts, strict=True):
        assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


@pytest.mark.parametrize("where", ["sent", "sent.zip", "hf:me/sent"])
def test_comes_back_bit_by_bit_with_all_of_its_composition(run, where, sent, taken, tmp_path, hub):
    where = where if where.startswith("hf:") else tmp_path / "there" / where
    made = sent(run, where, licence="apache-2.0")
    back = taken(made["pull"], tmp_path / "back")
    check_same(run, back)
    assert {part.name for part in load_bundle(back).of("adapter")} == {"nli", "single"}
    assert read_licence(back / "README.md") == "apache-2.0"
    names = sorted(path.relative_to(back).as_posix() for path in back.rglob("*") if path.is_file())
    said = ["README.md", "config.yaml", "identity.json", "manifest.json", "results.json"]
    parts = [f"adapter/{name}.{form}" for name in ("nli", "single") for form in ("json", "safetensors")]
    assert names == sorted([*said, *parts, "head/head.json", "head/head.safetensors"])
    assert not [path for path in back.rglob("*") if path.is_file() and TELLTALE.encode() in path.read_bytes()]
    assert taken(made["pull"], tmp_path / "back") == back  # again: nothing to do
    assert not list(tmp_path.glob(".*"))


def test_sends_the_same_bytes_for_the_same_run_whatever_they_are_called(run, sent, taken, tmp_path):
    for name in ("a.zip", "elsewhere/b.zip"):
        sent(run, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "elsewhere/b.zip").read_bytes()
    sent(taken(tmp_path / "a.zip", tmp_path / "back"), tmp_path / "c.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "c.zip").read_bytes()
    size = sum(path.stat().st_size for path in (tmp_path / "back").rglob("*") if path.is_file())
    assert (tmp_path / "a.zip").stat().st_size < size + 3000


def test_reads_what_an_archive_says_of_itself_without_its_weights(run, sent, tmp_path):
    sent(run, tmp_path / "a.zip")
    said, own = info(tmp_path / "a.zip"), info(run)
    assert said.pop("run") == str(tmp_path / "a.zip")
    log = (run / "metrics.jsonl").stat().st_size
    assert own.pop("bytes") == said.pop("bytes") + log
    assert said == {name: value for name, value in own.items() if name != "run"}


def test_takes_an_archive_that_was_packed_by_hand(run, sent, taken, tmp_path):
    sent(run, tmp_path / "sent")
    shutil.make_archive(str(tmp_path / "by-hand"), "zip", tmp_path, "sent")
    check_same(run, taken(tmp_path / "by-hand.zip", tmp_path / "back"))


def test_pins_a_revision_and_replaces_a_bundle_in_one_commit(run, trained, sent, taken, tmp_path, hub):
    first = sent(run, "hf:me/sent")
    other = trained("nli", out="other")
    second = sent(other, "hf:me/sent")
    sent(run, "hf:me/sent", revision="kept")
    assert first["commit"] != second["commit"]
    check_same(run, taken(f"hf:me/sent@{first['commit']}", tmp_path / "one"))
    check_same(other, taken("hf:me/sent", tmp_path / "two"))
    check_same(run, taken("hf:me/sent", tmp_path / "three", revision="kept"))
    assert "adapter/single.safetensors" not in hub.files("me/sent")
    with pytest.raises(MissingError, match="no repository 'me/sent' at revision nowhere"):
        taken("hf:me/sent@nowhere", tmp_path / "four")


def test_makes_a_private_repository_and_shows_everybody_only_a_whole_card(run, trained, sent, hub):
    sent(run, "hf:me/hidden")
    assert hub.repositories["me/hidden"]["private"]
    with pytest.raises(UsageError, match=r"no licence, and everybody(.|\n)*--licence"):
        sent(run, "hf:me/shown", public=True)
    assert "me/shown" not in hub.repositories
    unscored = trained("mlm", training__validation_rows=None)
    write_results(unscored, [replace(row, settings={"limit": 5}) for row in read_results(unscored)])  # no whole score
    with pytest.raises(UsageError, match=r"no licence and no scores(.|\n)*--licence(.|\n)*eval .*--tasks mlm"):
        sent(unscored, "hf:me/shown", public=True)
    assert sent(run, "hf:me/shown", public=True, licence="cc-by-4.0")["public"]
    assert not hub.repositories["me/shown"]["private"]
    with pytest.raises(UsageError, match="is public, and --public was not asked for"):
        sent(run, "hf:me/shown")


def test_goes_on_where_a_push_or_a_pull_was_cut_off(run, sent, taken, tmp_path, hub, monkeypatch):
    sent(run, "hf:me/sent")
    sizes = {name: len(content) for name, content in hub.files("me/sent").items() if name.endswith(".safetensors")}
    assert len(hub.uploaded) == len(sizes)
    sent(run, "hf:me/again")
    assert len(hub.uploaded) == len(sizes)  # what the hub holds is not sent again
    hub.cut_after = min(sizes.values()) // 2
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 2)
    for module in ("huggingface_hub.file_download", "huggingface_hub.utils._http"):
        monkeypatch.setattr(f"{module}.time.sleep", lambda seconds: None)
    with pytest.raises((Unreachable, ArtefactError)):
        taken("hf:me/sent", tmp_path / "back")
    assert not (tmp_path / "back").exists()
    hub.cut_after = None
    check_same(run, taken("hf:me/sent", tmp_path / "back"))


def test_says_that_it_is_offline_that_nobody_is_there_or_that_it_may_not(run, sent, taken, tmp_path, hub, monkeypatch):
    sent(run, "hf:me/sent")
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    with pytest.raises(MissingError, match=r"no repository 'me/sent' that it shows us(.|\n)*HF_TOKEN"):
        taken("hf:me/sent", tmp_path / "back")
    with pytest.raises(MissingError, match=r"does not let us|shows us"):
        sent(run, "hf:me/other")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for act in (lambda: taken("hf:me/sent", tmp_path / "back"), lambda: sent(run, "hf:me/sent")):
        with pytest.raises(Unreachable, match=r"hf:me/sent is on the hub, and the hub is switched off"):
            act()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for module in ("huggingface_hub.file_download", "huggingface_hub.utils._http"):
        monkeypatch.setattr(f"{module}.time.sleep", lambda seconds: None)
    with pytest.raises(Unreachable, match="did not answer as it should"):
        taken("hf:me/sent", tmp_path / "back")


def test_refuses_what_the_hub_shows_beside_the_bundle_or_in_its_place(run, sent, taken, tmp_path, hub):
    sent(run, "hf:me/sent")
    files = hub.files("me/sent")
    hub.store("me/more", {**files, "adapter_model.bin": b"\x80\x04."})
    with pytest.raises(ArtefactError, match=r"'adapter_model\.bin', which its manifest does not list"):
        taken("hf:me/more", tmp_path / "back")
    hub.store("me/other", {**files, "adapter/nli.safetensors": files["adapter/single.safetensors"]})
    with pytest.raises(ArtefactError, match=r"'adapter/nli\.safetensors' is not the file that its manifest lists"):
        taken("hf:me/other", tmp_path / "back")
    hub.store("me/large", {**files, "head/head.safetensors": b"0" * 10**7})
    asked = len(hub.asked)
    with pytest.raises(ArtefactError, match=r"10,000,000 bytes, and what is told of it needs"):
        taken("hf:me/large", tmp_path / "back")
    assert not [line for line in hub.asked[asked:] if line.endswith("resolve/head/head.safetensors")]
    hub.store("me/none", {".gitattributes": b""})
    with pytest.raises(ArtefactError, match=r"no bundle: there is no manifest\.json"):
        taken("hf:me/none", tmp_path / "back")
    assert not list(tmp_path.glob("*back*"))


def test_leaves_alone_what_lies_in_the_place(run, trained, sent, taken, tmp_path):
    sent(run, tmp_path / "sent")
    other = trained("nli", out="other")
    with pytest.raises(UsageError, match="something else lies in the place"):
        sent(other, tmp_path / "sent")
    with pytest.raises(UsageError, match="something else lies in the place"):
        sent(run, other, overwrite=True)  # a run: it has checkpoints
    with pytest.raises(UsageError, match="take the place of the run"):
        sent(run, run, overwrite=True)
    with pytest.raises(UsageError, match="something else lies in the place"):
        taken(tmp_path / "sent", other)
    check_same(run, tmp_path / "sent")
    sent(other, tmp_path / "sent", overwrite=True)
    check_same(other, tmp_path / "sent")
    with pytest.raises(ArtefactError, match=r"holds '.*', which its manifest does not list(.|\n)*adapter-stilts push"):
        taken(other, tmp_path / "back")


def test_loses_nothing_on_a_full_disk_and_goes_on(made, sent, taken, tmp_path, monkeypatch):
    sent(made, tmp_path / "a.zip")
    whole = (tmp_path / "a.zip").read_bytes()
    replace, calls = os.replace, iter(range(10**6))

    def full(*paths):
        if ".unfinished" in str(paths[0]) and next(calls) == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(*paths)

    monkeypatch.setattr("adapter_stilts.exchange.pull.os.replace", full)
    with pytest.raises(DoesNotFit, match="disk is full"):
        taken(tmp_path / "a.zip", tmp_path / "back")
    assert not (tmp_path / "back").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / ".back.unfinished").rglob("*.safetensors")}
    assert kept
    check_same(made, taken(tmp_path / "a.zip", tmp_path / "back"))
    assert {path.stat().st_mtime_ns for path in (tmp_path / "back").rglob("*.safetensors")} == set(kept.values())
    assert (tmp_path / "a.zip").read_bytes() == whole


def test_goes_on_after_it_was_stopped_in_the_middle(made, sent, taken, tmp_path, monkeypatch):
    sent(made, tmp_path / "a.zip")
    own, calls = contents.copy, iter(range(10**6))

    def stopped(*args):
        if next(calls) == 4:
            raise KeyboardInterrupt
        return own(*args)

    monkeypatch.setattr("adapter_stilts.exchange.pull.copy", stopped)
    with pytest.raises(KeyboardInterrupt):
        taken(tmp_path / "a.zip", tmp_path / "back")
    assert not (tmp_path / "back").exists()
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / ".back.unfinished").rglob("*.json")}
    back = taken(tmp_path / "a.zip", tmp_path / "back")
    check_same(made, back)
    assert {(path.name, path.stat().st_mtime_ns) for path in back.rglob("nli.json")} <= set(kept.items())


def test_scores_encodes_and_is_built_on_after_a_pull(run, sent, taken, trained, tiny_folder, tmp_path):
    sent(run, tmp_path / "a.zip")
    back = taken(tmp_path / "a.zip", tmp_path / "back")
    child = trained("nli", how="stack", after=[str(back)], trunk__name=str(tiny_folder))
    assert load_bundle(child).manifest.composition == "stack(nli, single, nli-2)"
    vectors = [stilts.load(folder, trunk=tiny_folder).encode(["one", "two words"]) for folder in (run, back)]
    assert (vectors[0] == vectors[1]).all()


def entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr, made.create_system = mode << 16, 3
    return made


HOSTILE = {
    "climbing": (entry("../climbed.txt"), "cannot be a file of a bundle"),
    "climbing within": (entry("adapter/../../climbed.txt"), "cannot be a file of a bundle"),
    "absolute": (entry("/tmp/climbed.txt"), "cannot be a file of a bundle"),
    "backslash": (entry("..\\climbed.txt"), "cannot be a file of a bundle"),
    "control": (entry("adapter/\x1b]0;x\x07.json"), "cannot be a file of a bundle"),
    "unlisted": (entry("adapter/extra.pkl"), "does not list"),
    "link": (entry("adapter/link.json", 0o120777), "is a link or a device"),
    "device": (entry("adapter/pipe.json", 0o010644), "is a link or a device"),
    "twice": (entry("adapter/nli.json"), "holds 'adapter/nli.json' twice"),
    "case": (entry("Adapter/NLI.json"), "holds 'adapter/nli.json' twice"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("what", HOSTILE)
def test_refuses_an_archive_whose_files_lead_elsewhere(made, sent, taken, tmp_path, what):
    sent(made, tmp_path / "a.zip")
    hostile, message = HOSTILE[what]
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr(hostile, b"/etc/passwd")
    before = set(tmp_path.rglob("*"))
    with pytest.raises(ArtefactError, match=message) as caught:
        taken(tmp_path / "a.zip", tmp_path / "back")
    assert caught.value.exit_code == 4
    assert set(tmp_path.rglob("*")) == before
    assert not list(tmp_path.parent.glob("climbed*"))


def test_refuses_a_link_in_a_folder(made, sent, taken, tmp_path):
    sent(made, tmp_path / "a")
    (tmp_path / "a/results.json").unlink()
    (tmp_path / "a/results.json").symlink_to("/etc/passwd")
    with pytest.raises(ArtefactError, match=r"'results\.json' is a link or a device"):
        taken(tmp_path / "a", tmp_path / "back")


@pytest.mark.parametrize("lies", [False, True])
def test_refuses_at_once_an_archive_that_would_fill_the_disk(made, sent, taken, tmp_path, lies):
    sent(made, tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((tmp_path / "a").rglob("*")):
            if path.is_file() and path.name != "head.safetensors":
                archive.write(path, path.relative_to(tmp_path / "a").as_posix())
        with archive.open("head/head.safetensors", "w", force_zip64=True) as stream:
            for _ in range(2 if lies else 400):
                stream.write(bytes(1 << 20))
    if lies:  # the sizes in its headers are small, what follows is not
        content = bytearray((tmp_path / "bomb.zip").read_bytes())
        for at in range(len(content) - 4):
            if content[at : at + 4] == (2 << 20).to_bytes(4, "little"):
                content[at : at + 4] = (2000).to_bytes(4, "little")
        (tmp_path / "bomb.zip").write_bytes(content)
    with pytest.raises(ArtefactError, match="would unpack to|cannot be unpacked|needs|is not the file|not a whole"):
        taken(tmp_path / "bomb.zip", tmp_path / "back")
    assert sum(path.stat().st_size for path in tmp_path.glob(".*") if path.is_file()) == 0
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip" * 100, b"PK\x05\x06" + bytes(18)])
def test_refuses_what_is_no_archive(taken, tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ArtefactError, match=r"not a whole \.zip|no bundle"):
        taken(tmp_path / "a.zip", tmp_path / "back")
    with pytest.raises(ArtefactError, match=r"not a whole \.zip|no bundle"):
        info(tmp_path / "a.zip")


def test_says_where_there_is_nothing(taken, tmp_path):
    with pytest.raises(MissingError, match=r"no such folder(.|\n)*hf:OWNER/NAME"):
        taken(tmp_path / "nowhere", tmp_path / "back")
    with pytest.raises(MissingError, match="no such file"):
        taken(tmp_path / "nowhere.zip", tmp_path / "back")
    assert json.dumps(sorted(map(str, tmp_path.glob("back"))))
    assert MANIFEST not in {path.name for path in tmp_path.rglob("*")}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("hf:me/nli", Repository("me/nli")),
        ("hf://me/nli", Repository("me/nli")),
        ("hf:me/nli@v1.0", Repository("me/nli", "v1.0")),
        ("me/nli", Folder(Path("me/nli"))),
        ("me/nli.zip", Archive(Path("me/nli.zip"))),
        ("nli.ZIP", Archive(Path("nli.ZIP"))),
    ],
)
def test_tells_folders_archives_and_repositories_apart(typed, expected):
    assert place(typed) == expected


@pytest.mark.parametrize(
    "typed", ["hf:nli", "hf:a/b/c", "hf:../etc/passwd", "hf:a/b@../../x", "hf:a/..", "hf:a/b--c", "hf:"]
)
def test_refuses_what_is_no_repository(typed):
    with pytest.raises(UsageError, match="no repository of the hub"):
        place(typed)


def test_refuses_a_licence_that_the_hub_would_not_know(made, sent, tmp_path):
    with pytest.raises(UsageError, match=r"'CC BY 4\.0' is no name of a licence(.|\n)*cc-by-4\.0"):
        sent(made, tmp_path / "a.zip", licence="CC BY 4.0")


def test_refuses_a_revision_of_a_place_on_this_machine():
    with pytest.raises(UsageError, match="a revision is of a repository"):
        place("nli.zip", "main")

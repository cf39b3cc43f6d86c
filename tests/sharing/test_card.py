"""The model card reads well whatever the run was, and tells nothing of this machine's folders."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.sharing.card import card
from adapter_stilts.sharing.manifest import Parent, TrunkFacts
from adapter_stilts.statistics.learned import Baseline, Learning
from adapter_stilts.statistics.result import Result

ROW = Result("xnli", "own", "sw", "accuracy", 0.5, 1000, (0.41, 0.6), retrieval=False)
FILES = [{"path": "/home/me/secret/train.jsonl", "sha256": "ab" * 32, "rows": 1234}]


@pytest.fixture
def manifest(manifest):
    """`manifest(name=value, ...)`: of a finished run on a trunk that lies in a folder of this machine."""
    trunk = TrunkFacts(
        name="/home/me/trunks/mine", revision=None, fingerprint="ab" * 16, layers=2, hidden=8, precision="fp32"
    )
    parts = ({"part": "trunk", "role": "trunk", "active": True, "trained": False, "parameters": 12345},)
    facts = {"trunk": trunk, "peak_memory": 7 * 10**6, "parts": parts, "training": {"steps": 1500, "rows": 20}}
    return lambda **fields: manifest(**{**facts, **fields})


def check_markdown(text: str) -> None:
    """Headings and tables have an empty line before and after; every row of a table has as many cells as its head; no
    empty lines in a row."""
    assert "\n\n\n" not in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    lines = text.split("\n")
    cells = [len(re.split(r"(?<!\\)\|", line)) if line.startswith("|") else 0 for line in lines]
    for number, line in enumerate(lines):
        if line.startswith("#") and number:
            assert lines[number - 1] == lines[number + 1] == ""
        if cells[number] and not cells[number - 1]:
            assert lines[number - 1] == ""
        if cells[number] and not cells[number + 1]:
            assert lines[number + 1] == ""
        if cells[number] and cells[number - 1]:
            assert cells[number] == cells[number - 1]


@pytest.mark.parametrize("rows", [[], [ROW]])
@pytest.mark.parametrize("substitutions", [(), ("MNLI stands in for SNLI", "a pool was reduced")])
@pytest.mark.parametrize("control", ["none", "shuffled-labels"])
@pytest.mark.parametrize("how", ["direct", "sequential", "stack", "fuse"])
def test_is_whole_markdown_whatever_the_run_was(how, control, substitutions, rows, manifest):
    parents = (
        ()
        if how == "direct"
        else (
            Parent(name="qa-2", folder="/home/me/runs/qa-2", checksum="0"),
            Parent(name="pos-3", folder="x", checksum="1"),
        )
    )
    data = ({"split": "train", "language": "en", "kind": "files", "files": FILES, "rows": 1234},)
    text = card(manifest(how=how, control=control, substitutions=substitutions, parents=parents, data=data), rows)
    check_markdown(text)
    assert "/home" not in text
    assert ("None yet." in text) == (not rows)
    assert ("Substitutions: MNLI stands in for SNLI; a pool was reduced." in text) == bool(substitutions)
    assert ("**This is a control (shuffled-labels)" in text) == (control != "none")
    assert (how == "direct") or "`qa-2` and `pos-3`" in text


def test_opens_with_what_the_run_is(manifest):
    assert card(manifest(), []).partition("---\n\n")[2].split("\n")[:3] == [
        "# nli-1",
        "",
        "An adapter and a head for `nli`, over the frozen trunk `mine`.",
    ]


def test_names_files_by_name_with_rows_and_hash(manifest):
    origins = (
        {
            "split": "train",
            "language": "en",
            "kind": "files",
            "files": [*FILES, {**FILES[0], "path": "b/more.tsv", "rows": 6}],
            "rows": 1240,
        },
        {
            "split": "validation",
            "language": "en",
            "kind": "miniature",
            "files": [],
            "rows": 80,
            "rows_sha256": "cd" * 32,
        },
        {
            "split": "test",
            "language": "sw",
            "kind": "hub",
            "files": [],
            "hub": "facebook/xnli",
            "revision": "b8dd5d7",
            "rows": 5010,
        },
        {"split": "test", "language": "de", "kind": "hub", "files": [], "hub": "facebook/xnli"},
    )
    text = card(manifest(data=origins), [])
    check_markdown(text)
    assert (
        "* train (en): train.jsonl, 1,234 rows, sha256 `abababababab`; more.tsv, 6 rows, sha256 `abababababab`\n"
        in text
    )
    assert "* validation (en): the embedded miniature, 80 rows, sha256 `cdcdcdcdcdcd`\n" in text
    assert "* test (sw): `facebook/xnli` on the hub at revision `b8dd5d7`, 5,010 rows\n" in text
    assert "* test (de): `facebook/xnli` on the hub\n" in text


def test_shows_scores_as_percent_with_their_interval_and_retrieval_with_its_layer(manifest):
    settings = {"layer": 3, "pool": "mean", "k": 4, "id": "0a0a0a0a", "seed": 1}
    rows = [
        replace(ROW, settings={"max_length": 64}),
        replace(ROW, task="tatoeba", settings=settings, retrieval=True, interval=None),
    ]
    text = card(manifest(), rows)
    check_markdown(text)
    assert "| xnli | own | sw | test | accuracy | 50.0 | 41.0 to 60.0 | 1,000 |\n" in text
    assert "| tatoeba | own | sw | test | accuracy layer=3 pool=mean k=4 | 50.0 |  | 1,000 |\n" in text


def test_names_a_hub_trunk_with_its_revision_and_a_task_file_by_its_name(manifest):
    trunk = TrunkFacts(
        name="FacebookAI/xlm-roberta-base",
        revision="e73636d",
        fingerprint="ab",
        layers=12,
        hidden=768,
        precision="bf16",
    )
    text = card(
        manifest(trunk=trunk, task="mine", task_file="/home/me/my tasks/mine task.yaml", name="mine (2)", seconds=4000),
        [],
    )
    assert "over the frozen trunk `FacebookAI/xlm-roberta-base` at revision `e73636d`." in text
    assert "    adapter-stilts eval 'mine (2)' --tasks 'mine task.yaml'\n" in text
    assert "| took | 67 min on CPU, 7 MB at most |" in text
    assert "/home" not in text


def test_is_whole_for_a_real_run(trained):
    parents = [trained("paraphrase"), trained("single")]
    folder = trained("nli", how="fuse", after=[str(parent) for parent in parents], fusion__target_adapter=True)
    text = (folder / "README.md").read_text()
    check_markdown(text)
    assert (
        f"A fusion of `{parents[0].name}` and `{parents[1].name}` and a head for `nli`, over the frozen trunk "
        "`tiny-xlmr"
    ) in text
    assert "| composition | `stack(fuse(paraphrase, single), nli)` |" in text
    assert str(folder.parent) not in text
    assert text.count("| validation | accuracy |") == 1
    assert load_bundle(folder).manifest.trunk.fingerprint in text


@pytest.mark.parametrize("control", ["none", "shuffled-labels"])
def test_says_that_the_run_did_not_learn_and_puts_the_majority_beside_accuracy(manifest, control):
    baseline = Baseline("accuracy", 1 / 3, 0.555)
    learning = Learning(0.56, 500, (0.51, 0.6), baseline, one_class=False, learned=False)
    rows = [ROW.with_notes(majority=0.555), replace(ROW, metric="f1")]
    tried = {"advice": "10 steps are few: try --set training.max_steps=600"} if control == "none" else {}
    training = {"steps": 10, "rows": 20, "learned": {"nli": learning}, **tried}
    text = card(manifest(control=control, training=training), rows)
    check_markdown(text)
    said = "accuracy 56.0 (n 500, 51.0 to 60.0) where the commonest answer alone gives 55.5"
    advice = f"**Did not learn: {said}; 10 steps are few: try --set training.max_steps=600.**"
    plain = f"**Did not learn, as a control should not: {said}.**"
    assert (advice in text, plain in text) == (control == "none", control != "none")
    assert "| 50.0 | 41.0 to 60.0 | 55.5 | 1,000 |" in text
    assert "| 50.0 | 41.0 to 60.0 |  | 1,000 |" in text
    assert "majority" not in card(manifest(), [ROW])

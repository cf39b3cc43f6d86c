"""Every bad input we know of: one clear error, the right exit code, nothing on stdout, and nothing lost that was there
before."""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

LABELS = ("contradiction", "entailment", "neutral")
ROWS = [
    {"premise": f"The cat number {n} sleeps.", "hypothesis": f"A cat {n} sleeps.", "label": LABELS[n % 3]}
    for n in range(9)
]
FIVE = "trunk:\n  precison: fp32\ntraining:\n  max_steps: -3\n  learning_rate: fast\n  epochs: 0\nhow: stck\n"


def lines(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FILES = {
    "good.jsonl": lines(ROWS),
    "truncated.jsonl": lines(ROWS)[:-20],
    "truncated.jsonl.gz": gzip.compress(lines(ROWS))[:-20],
    "plain.jsonl.gz": lines(ROWS),
    "empty.jsonl": b"",
    "header.tsv": b"premise\thypothesis\tlabel\n",
    "ragged.tsv": b"premise\thypothesis\tlabel\na\tb\tneutral\na\tneutral\n",
    "columns.tsv": b"premis\thypothesis\tlabel\na\tb\tneutral\n",
    "label.jsonl": lines([*ROWS[:4], {**ROWS[4], "label": "neutal"}]),
    "unlabelled.jsonl": lines([*ROWS[:4], {**ROWS[4], "label": None}]),
    "twice.jsonl": lines([{**row, "id": str(n % 8)} for n, row in enumerate(ROWS)]),
    "bytes.jsonl": lines(ROWS[:2]) + b'{"premise": "\xff"}\n',
    "squad.json": b'{"data": [{"title": "t", "paragraphs": [{"context": "Anna',
    "ragged.conllu": b"1\tdogs\tdog\tNOUN\t_\t_\t0\troot\t_\t_\n2\trun\trun\n\n",
    "ids.de": b"de-1\tKatze\n",
    "ids.en": b"en-1\tcat\n",
    "gold": b"de-1\ten-9\n",
    "long.de": b"a\nb\n",
    "my run.zip": b"PK",
    "short.en": b"a\n",
    "five.yaml": FIVE.encode(),
}
STEP = ("--set", "training.max_steps=1", "--set", "trunk.precision=fp32")


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_folder):
    """A folder with the bad files, bad trunks, and one good run of one step ("good")."""
    from adapter_stilts_cli.app import app
    from typer.testing import CliRunner

    folder = tmp_path_factory.mktemp("bad")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    (folder / "nothing").mkdir()
    for name in ("trunk", "shallow", "noisy", "planted", "auto_map", "pickle", "truncated", "no-tokenizer"):
        shutil.copytree(tiny_folder, folder / name)
    spoil_trunks(folder)
    words = (
        "train",
        "nli",
        "--trunk",
        str(folder / "trunk"),
        "--data",
        f"train={folder / 'good.jsonl'}",
        *STEP,
        "-o",
        str(folder / "good"),
    )
    assert CliRunner().invoke(app, list(words)).exit_code == 0
    return folder


def spoil_trunks(folder: Path) -> None:
    config = json.loads((folder / "trunk/config.json").read_text())
    weights = load_file(folder / "trunk/model.safetensors")
    shallow = {name: tensor for name, tensor in weights.items() if ".layer.1." not in name}
    save_file(shallow, folder / "shallow/model.safetensors", metadata={"format": "pt"})
    noisy = {
        name: tensor + 0.01 * torch.ones_like(tensor) if "query.weight" in name else tensor
        for name, tensor in weights.items()
    }
    save_file(noisy, folder / "noisy/model.safetensors", metadata={"format": "pt"})
    for name, more in (
        ("shallow", {"num_hidden_layers": 1}),
        ("planted", {"_attn_implementation_internal": "someone/kernel"}),
        ("auto_map", {"auto_map": {"AutoModel": "code.Model"}}),
    ):
        (folder / name / "config.json").write_text(json.dumps(config | more))
    (folder / "pickle/model.safetensors").rename(folder / "pickle/pytorch_model.bin")
    (folder / "truncated/model.safetensors").write_bytes((folder / "trunk/model.safetensors").read_bytes()[:-100])
    (folder / "no-tokenizer/tokenizer.json").unlink()


@pytest.fixture
def refused(run, place, monkeypatch, contents):
    """`refused(code, pattern, words...)`: the command ends with one error and changes nothing."""

    def check(code: int, pattern: str, *words: str, env=None) -> str:
        monkeypatch.chdir(place)
        before = contents(place)
        found = run(*words, env=env)
        assert found.exit_code == code, found.stderr
        assert found.stdout == ""
        assert len(re.findall(r"^[A-Z]\w+: ", found.stderr, re.MULTILINE)) == 1
        assert re.search(r"^  do:    \S", found.stderr, re.MULTILINE)
        assert not re.search("Traceback|Warning", found.stderr)
        assert re.search(pattern, found.stderr, re.DOTALL), found.stderr
        assert contents(place) == before
        return found.stderr

    return check


@pytest.fixture
def contents():
    def read(folder: Path) -> dict[str, bytes]:
        paths = [
            path
            for path in folder.rglob("*")
            if path.is_file() and path.name != ".lock" and not path.relative_to(folder).parts[0].startswith("new")
        ]
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}

    return read


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("no task called 'nil'.*did you mean 'nli'", ("train", "nil")),
        ("no task called 'xnly'.*did you mean 'xnli'", ("eval", "good", "--tasks", "xnly")),
        ("no adapter kind called 'seqbn'.*did you mean 'seq_bn'", ("train", "nli", "--kind", "seqbn")),
        ("called 'xq'.*one of: .*sw", ("eval", "good", "--tasks", "xnli", "--data", "miniature", "--languages", "xq")),
        (
            "called 'sww'.*did you mean 'sw'",
            ("eval", "good", "--tasks", "xnli", "--data", "miniature", "--languages", "sww"),
        ),
        (
            "training.learnig_rate.*did you mean training.learning_rate",
            ("train", "nli", "--set", "training.learnig_rate=1"),
        ),
        (
            "no setting of seq_bn called 'reduction'.*did you mean 'reduction_factor'",
            ("train", "nli", "--set", "adapter.settings.reduction=2"),
        ),
        (
            "'premisse'.*did you mean 'premise'",
            ("train", "nli", "--trunk=trunk", "--data=train=columns.tsv", "--set", "task.columns.premisse=premis"),
        ),
        ("at least 1", ("train", "nli", "--set", "training.max_steps=-1")),
        ("should be a whole number", ("train", "nli", "--set", "training.max_steps=two")),
        ("at least 1", ("train", "nli", "--set", "training.epochs=0")),
        ("finite number", ("train", "nli", "--set", "training.learning_rate=nan")),
        ("Did you mean 'train'", ("trian", "nli")),
        ("'trian' is no split", ("train", "nli", "--trunk", "miniature", "--data", "trian=good.jsonl")),
        ("no trunk is named.*--data train=good.jsonl.*--trunk Face", ("train", "nli", "--data", "train=good.jsonl")),
        ("no trunk is named.*--data hub.*intfloat", ("train", "nli", "--data", "hub")),
        ("no trunk is named", ("train", "nli,qa", "--how", "joint", "--data", "nli/train=good.jsonl")),
        ("no trunk is named", ("eval", "--tasks", "bitext", "--data", "test=long.de", "--data", "test=short.en")),
        ("no trunk is named.*long.de.*miniature is a toy", ("sweep", "long.de", "short.en", "--gold", "good.jsonl")),
        ("no trunk is named", ("sweep", "--tasks", "tatoeba", "--data", "nothing")),
        ("no run is named, and no trunk", ("encode", "long.de")),
        ("no run is named, and no trunk.*--run RUN, or --trunk", ("mine", "long.de", "short.en", "-o", "p")),
        ("no task is named", ("train", "")),
        ("'tatoeba' trains nothing", ("train", "tatoeba")),
        ("needs a head", ("eval", "--trunk", "trunk", "--tasks", "xnli")),
        ("fused with itself", ("fuse", "good", "good", "--target", "nli")),
        ("two or more runs, got 1", ("fuse", "good", "--target", "nli")),
        ("no --how called 'mix'.*one of: direct, fuse, joint, merge, seq", ("train", "nli", "--how", "mix")),
        ("No such option: --limit-gb", ("train", "nli", "--limit-gb", "4")),
        ("`after` names none", ("train", "nli", "--how", "stack")),
        ("starts from nothing", ("train", "nli", "--how", "direct", "--after", "good")),
        (
            "'parallel' is not one of: stack, fuse, average",
            ("train", "xnli", "--how", "stack", "--after", "good", "--set", "composition=parallel(nli, xnli)"),
        ),
        (
            "holds a run of another configuration",
            ("eval", "--trunk", "trunk", "--tasks", "tatoeba", "--data", "miniature", "-o", "good"),
        ),
        ("not empty and holds no run", ("eval", "good", "--tasks", "xnli", "--data", "miniature", "-o", "trunk")),
        (
            "a file where the run's folder",
            ("eval", "good", "--tasks", "xnli", "--data", "miniature", "-o", "good.jsonl"),
        ),
    ],
)
def test_refuses_what_was_typed(refused, pattern, words):
    refused(2, pattern, *words)


def test_reports_five_mistakes_of_a_configuration_at_once_with_their_lines(refused):
    said = refused(2, "5 mistakes", "train", "nli", "--config", "five.yaml")
    for number in (2, 4, 5, 6, 7):
        assert f"(line {number})" in said


def test_reports_a_kind_and_its_settings_among_the_mistakes(refused):
    words = ("train", "nli", "--set", "training.epochs=0", "--set", "retrieval.k=0")
    said = refused(2, "3 mistakes", *words, "--kind", "seqbn")
    assert re.search(r"adapter.kind = 'seqbn': no adapter kind called 'seqbn'.*did you mean 'seq_bn'.*\(--kind\)", said)
    settings = ("--set", "adapter.settings.reduction_factor=two", "--set", "adapter.settings.scalin=2")
    said = refused(2, "4 mistakes", *words, *settings)
    assert re.search(
        r"reduction_factor = 'two'.*scalin = 2: no setting of seq_bn.*did you mean 'scaling'", said, re.DOTALL
    )
    refused(2, "2 mistakes", "train", "nli", *settings)


@pytest.mark.parametrize(
    ("task", "file", "pattern"),
    [
        ("nli", "missing.jsonl", "no such file.*missing.jsonl"),
        ("nli", "nothing", "a folder where a file"),
        ("nli", "truncated.jsonl", "truncated.jsonl, line 9"),
        ("nli", "truncated.jsonl.gz", r"truncated or damaged.*truncated.jsonl.gz, line \d"),
        ("nli", "plain.jsonl.gz", "plain.jsonl.gz, line 1"),
        ("nli", "empty.jsonl", "the file is empty.*empty.jsonl"),
        ("nli", "header.tsv", "a header and no rows.*header.tsv"),
        ("nli", "ragged.tsv", "ragged.tsv, line 3"),
        ("nli", "columns.tsv", "premis, hypothesis, label.*did you mean 'premis'.*task.columns"),
        ("nli", "label.jsonl", "'neutal'.*label.jsonl, line 5.*did you mean 'neutral'"),
        ("nli", "unlabelled.jsonl", "without a label.*unlabelled.jsonl, line 5"),
        ("nli", "twice.jsonl", "id '0' occurs twice.*twice.jsonl, examples 1 and 9"),
        ("nli", "bytes.jsonl", "not UTF-8.*bytes.jsonl, line 3"),
        ("qa", "squad.json", "not valid JSON.*squad.json, line 1"),
        ("pos", "ragged.conllu", "3 columns.*ragged.conllu, line 2"),
    ],
)
def test_refuses_a_data_file(refused, task, file, pattern):
    refused(3, pattern, "train", task, "--trunk", "miniature", "--data", f"train={file}", "-o", "new")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("no such folder.*nowhere", ("train", "nli", "--trunk", "trunk", "--data", "nowhere")),
        ("looked for .*train.jsonl", ("train", "nli", "--trunk", "trunk", "--data", "nothing")),
        ("no file for the test split of 'xnli'; looked for", ("eval", "good", "--tasks", "xnli", "--data", "nothing")),
        (
            "different length: 2 and 1.*long.de and short.en",
            ("eval", "--trunk", "trunk", "--tasks", "bitext", "--data", "test=long.de", "--data", "test=short.en"),
        ),
        (
            "en-9.*gold",
            (
                "eval",
                "--trunk",
                "trunk",
                "--tasks",
                "bucc",
                "--data",
                "test=ids.de",
                "--data",
                "test=ids.en",
                "--data",
                "test=gold",
            ),
        ),
        ("no such folder.*norun", ("eval", "norun", "--tasks", "xnli")),
        ("did you mean 'miniature'", ("train", "nli", "--trunk", "minature")),
        ("no tokenizer.json.*no-tokenizer", ("train", "nli", "--trunk", "no-tokenizer", "--data", "train=good.jsonl")),
        ("not on the hub.*--data miniature", ("train", "nli", "--trunk", "trunk")),
    ],
)
def test_says_what_is_missing(refused, pattern, words):
    refused(3, pattern, *words, *(() if "good" in words else ("-o", f"new-{words[0]}")))


@pytest.mark.parametrize(
    "words",
    [
        ("eval", "my run.zip", "--tasks", "xnli"),
        ("predict", "my run.zip", "good.jsonl"),
        ("encode", "long.de", "--run", "my run.zip", "-o", "new"),
        ("mine", "long.de", "short.en", "--run", "my run.zip", "-o", "new.tsv"),
        ("search", "long.de", "a", "--run", "my run.zip"),
        ("sweep", "--tasks", "tatoeba", "--run", "my run.zip"),
        ("train", "xnli", "--how", "stack", "--after", "my run.zip"),
        ("fuse", "good", "my run.zip", "--target", "xnli"),
        ("merge", "my run.zip", "good", "--method", "average"),
        ("convert", "my run.zip", "--to", "peft", "-o", "new"),
        ("push", "my run.zip", "new"),
        ("compare", "good", "my run.zip"),
    ],
)
def test_says_how_to_unpack_a_bundle_that_is_one_file(refused, words):
    advice = r"a \.zip where a run's folder was expected.*adapter-stilts pull 'my run\.zip' -o 'my run'$"
    refused(3, advice, *words)


@pytest.mark.parametrize(
    ("trunk", "pattern"),
    [
        ("shallow", "a trunk of 2 layers.*this one is of 1 layers"),
        ("noisy", "trained on weights [0-9a-f]+.*has others"),
    ],
)
def test_refuses_another_trunk_under_an_adapter(refused, trunk, pattern):
    refused(4, pattern, "eval", "good", "--trunk", trunk, "--tasks", "xnli", "--data", "miniature")
    refused(
        4,
        pattern,
        "train",
        "xnli",
        "--trunk",
        trunk,
        "--how",
        "stack",
        "--after",
        "good",
        "--data",
        "train=good.jsonl",
        *STEP,
        "-o",
        "new",
    )


@pytest.mark.parametrize(
    ("trunk", "pattern"),
    [
        ("planted", "'_attn_implementation_internal' chooses code to run"),
        ("auto_map", "'auto_map' asks for code"),
        ("pickle", "a pickle"),
        ("truncated", "truncated or damaged"),
    ],
)
def test_refuses_a_trunk_that_is_corrupt_or_would_run_code(refused, trunk, pattern):
    refused(4, pattern, "train", "nli", "--trunk", trunk, "--data", "train=good.jsonl", "-o", "new")
    refused(4, pattern, "eval", "good", "--trunk", trunk, "--tasks", "xnli", "--data", "miniature")


def test_refuses_a_planted_trunk_before_it_looks_for_data(refused):
    refused(4, "chooses code", "train", "nli", "--trunk", "planted")


@pytest.mark.parametrize("name", [
    "adapter/nli.safetensors", "adapter/nli.json", "head/head.safetensors", "head/head.json", "config.yaml",
    "manifest.json", "identity.json", "results.json", "metrics.jsonl",
])  # fmt: skip
def test_refuses_a_run_with_one_flipped_byte(refused, place, name):
    shutil.copytree(place / "good", place / "flipped")
    content = bytearray((place / "flipped" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (place / "flipped" / name).write_bytes(content)
    try:
        refused(4, name, "eval", "flipped", "--tasks", "nli", "--data", "test=good.jsonl")
    finally:
        shutil.rmtree(place / "flipped")


def test_refuses_scores_whose_predictions_or_sums_have_one_flipped_byte(refused, run, place, monkeypatch):
    monkeypatch.chdir(place)
    shutil.copytree(place / "good", place / "flipped")
    words = ("eval", "flipped", "--tasks", "nli", "--data", "test=good.jsonl", "--languages", "sw")
    try:
        assert run(*words).exit_code == 0
        for name in ("predictions/nli/test-sw.tsv", "units/nli/test-sw.npy"):
            whole = (place / "flipped" / name).read_bytes()
            (place / "flipped" / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            refused(4, f"{name} is not the file that was scored.*--overwrite", *words)
            (place / "flipped" / name).write_bytes(whole)
        assert run(*words).exit_code == 0
    finally:
        shutil.rmtree(place / "flipped")


@pytest.mark.parametrize("env", [{"HF_HUB_OFFLINE": "1"}, {}])
def test_refuses_a_hub_trunk_without_a_network(refused, monkeypatch, tmp_path, env):
    def no_network(*_, **__):
        from huggingface_hub.errors import LocalEntryNotFoundError

        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr("huggingface_hub.snapshot_download", no_network)
    pattern = "FacebookAI/xlm-roberta-base.*(switched off|did not answer)"
    refused(
        3,
        pattern,
        "train",
        "nli",
        "--trunk",
        "FacebookAI/xlm-roberta-base",
        "--data",
        "train=good.jsonl",
        "-o",
        "new",
        env=env,
    )


@pytest.mark.parametrize("part", ["optimiser.safetensors", "adapter/", "manifest.json"])
def test_says_that_the_disk_is_full_and_finishes_when_there_is_space(refused, run, place, monkeypatch, part):
    fsync = os.fsync

    def fail(handle: int) -> None:
        if part in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    words = ("train", "nli", "--trunk", "trunk", "--data", "train=good.jsonl", *STEP, "-o", "new")
    monkeypatch.setattr(os, "fsync", fail)
    refused(5, "the disk is full.*where: .*new.*free some space", *words)
    monkeypatch.setattr(os, "fsync", fsync)
    try:
        assert run(*words).exit_code == 0
        for name in ("adapter/nli.safetensors", "head/head.safetensors"):
            assert (place / "new" / name).read_bytes() == (place / "good" / name).read_bytes()
    finally:
        shutil.rmtree(place / "new")


def test_keeps_the_scores_there_were_when_the_disk_is_full(refused, run, place, monkeypatch):
    fsync = os.fsync

    def fail(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.chdir(place)
    assert run("eval", "good", "--tasks", "nli", "--data", "test=good.jsonl", "--languages", "sw").exit_code == 0
    monkeypatch.setattr(os, "fsync", fail)
    refused(5, "the disk is full", "eval", "good", "--tasks", "nli", "--data", "test=good.jsonl", "--languages", "de")
    monkeypatch.setattr(os, "fsync", fsync)
    assert run("eval", "good", "--tasks", "nli", "--data", "test=good.jsonl", "--languages", "de").exit_code == 0

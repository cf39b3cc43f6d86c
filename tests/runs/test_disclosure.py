
"""What is said beside a score: leaks, substitutions and rows left out, in the manifest, the results, the card and on
the terminal."""

import json

import pytest
from asking import evaluation

from adapter_stilts.formats.base import formats
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.material import history
from adapter_stilts.runs.results import read_results
from adapter_stilts.sharing.manifest import read_manifest
from adapter_stilts.statistics.result import remarks
from adapter_stilts.tasks.leaks import Seen
from adapter_stilts.tasks.reading.place import Loaded, Origin


class Listening(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def folder(tmp_path):
    """SQuAD's and XQuAD's files, an English treebank of one tag each, and SNLI with rows on which nobody agreed; all of
    them ours."""

    def squad(prefix, number):
        paragraphs = [
            {
                "context": f"Ada {prefix} sang {row}.",
                "qas": [{"id": f"{prefix}{row}", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}],
            }
            for row in range(number)
        ]
        return json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]})

    def tree(number):
        rows = [
            f"1\tAda{row}\t_\tPROPN\tNNP\t_\t2\tnsubj\t_\t_\n2\tsang\t_\tVERB\tVBD\t_\t0\troot\t_\t_\n\n"
            for row in range(number)
        ]
        return "".join(rows)

    def nli(label):
        return json.dumps({"gold_label": label, "sentence1": f"Ada {label}.", "sentence2": "Ada."}) + "\n"

    labels = ("neutral", "-", "entailment", "contradiction", "-")
    files = {"train-v1.1.json": squad("train", 8), "dev-v1.1.json": squad("dev", 4), "xquad.de.json": squad("de", 4)}
    files |= {f"en_ewt-ud-{split}.conllu": tree(4) for split in ("train", "dev", "test")}
    files |= {f"snli_1.0_{split}.jsonl": "".join(map(nli, labels)) for split in ("train", "dev")}
    for name, text in files.items():
        (tmp_path / "files" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "files" / name).write_text(text, encoding="utf-8")
    return tmp_path / "files"


def test_says_that_squads_development_set_chose_the_step_of_a_run_scored_on_xquad(trained, folder, tmp_path):
    run = trained("squad", "squad", data__sources=(str(folder),))
    manifest = read_manifest(run)
    assert manifest.history == tuple(Seen("squad", split, "en") for split in ("train", "validation"))
    assert manifest.leaks == ()
    report = Listening()
    asked = {"languages": ("de",), "data": (str(folder),), "precision": "fp32"}
    request = evaluation(run=run, trunk=None, tasks=("xquad",), **asked)
    found = evaluate(request, out=None, runs=tmp_path, overwrite=False, dry_run=False, report=report).to_json()
    expected = (
        "xquad after squad (train): SQuAD 1.1 is its training set; in-task",
        "xquad after squad (validation): it is translated from SQuAD's",
    )
    for place in ([text for text in report.said if "xquad" in text], next(row for row in found["results"])["leaks"]):
        assert all(any(text.startswith(start) for text in place) for start in expected)
    assert all(start in (run / "README.md").read_text(encoding="utf-8") for start in expected)


def test_says_what_a_target_has_seen_through_the_runs_it_builds_on(trained, folder):
    first = trained("squad", "squad", data__sources=(str(folder),))
    report = Listening()
    second = trained("xquad", "xquad", how="stack", after=[str(first)], data__sources=(str(folder),), report=report)
    manifest = read_manifest(second)
    assert [(row.task, row.split) for row in manifest.history] == [
        *(("squad", "train"), ("squad", "validation")),
        *(("xquad", "train"), ("xquad", "validation")),  # held out of SQuAD's training rows
    ]
    assert [leak.split(":")[0] for leak in manifest.leaks] == [
        "xquad after squad (train)",
        "xquad after squad (validation)",
    ]
    assert set(manifest.leaks) <= set(report.said)
    assert "Leaks: xquad after squad" in (second / "README.md").read_text(encoding="utf-8")


def test_flags_what_stands_in_for_a_licensed_corpus_everywhere(trained, folder, tmp_path):
    run = trained("ud-xpos", "xpos", data__sources=(str(folder),))
    note = "ud-xpos stands in for CCG supertagging, whose corpus is licensed"
    assert read_manifest(run).substitutions == (note,)
    request = evaluation(run=run, trunk=None, tasks=("ud-xpos",), data=(str(folder),), precision="fp32")
    found = evaluate(request, out=None, runs=tmp_path, overwrite=False, dry_run=False, report=Silent()).to_json()
    assert {tuple(row["substitutions"]) for row in found["results"]} == {(note,)}
    assert found["results"][0]["settings"]["multiword"] == "split"
    # the fixture's test file is its training file, which is said as well
    same = "ud-xpos en: en_ewt-ud-test.conllu holds rows that the run was trained on: it says nothing of other rows"
    assert remarks(read_results(run)) == [f"ud-xpos: {note}", same]
    assert f"* ud-xpos: {note}" in (run / "README.md").read_text(encoding="utf-8")


def test_counts_the_rows_left_out(trained, folder):
    report = Listening()
    run = trained("snli", "snli", data__sources=(str(folder),), report=report)
    assert [entry.dropped for entry in read_manifest(run).data] == [{"label '-'": 2}] * 2
    assert "2 rows of snli (train) are left out: label '-'" in report.said


def test_scores_again_where_words_are_to_be_fused_after_all(trained, folder, tmp_path):
    run = trained("udpos", "pos", data__sources=(str(folder),))

    def readings(**settings):
        request = evaluation(
            run=run,
            trunk=None,
            tasks=("udpos",),
            languages=("en",),
            data=(str(folder),),
            precision="fp32",
            task_settings=settings,
        )
        found = evaluate(request, out=None, runs=tmp_path, overwrite=False, dry_run=False, report=Silent()).to_json()
        return {row["settings"]["multiword"] for row in found["results"]}

    assert readings() == {"split"}
    assert readings(multiword="fuse") == {"fuse"}
    assert readings() == {"split"}


def test_fuses_words_under_the_protocol_that_does(trained, folder):
    assert read_manifest(trained("udpos", "own", data__sources=(str(folder),))).data[0].multiword == "split"
    run = trained("udpos", "xtreme", data__sources=(str(folder),), evaluation__protocol="xtreme")
    assert read_manifest(run).data[0].multiword == "fuse"
    assert read_manifest(run).substitutions == ()


def test_keeps_the_miniature_out_of_what_was_seen():
    assert history([Loaded([], Origin("mnli", "train", "en", "miniature"), formats["pair"])], []) == ()
    seen = history(
        [Loaded([], Origin("anli+", "train", "en", "files", parts=("anli", "mnli")), formats["pair"])] * 2, []
    )
    assert seen == (Seen("anli+", "train", "en", ("anli", "mnli")),)

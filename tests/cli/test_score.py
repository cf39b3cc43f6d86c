"""`score`: rows on stdout, one clear error with the right exit code, and the means of a benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def files(tmp_path):
    Path("gold.tsv").write_text("neutral\nentailment\nneutral\n")
    Path("mine.tsv").write_text("neutral\nneutral\nneutral\n")
    Path("tags.tsv").write_text("SCONJ\nCCONJ\n\n")
    Path("guessed.tsv").write_text("CCONJ\nCCONJ\n\n")
    for side, label in (("labels", "0\n1\n"), ("predictions", "0\n0\n")):
        for task in ("pawsx", "xnli"):
            path = tmp_path / side / task / "test-de.tsv"
            path.parent.mkdir(parents=True)
            path.write_text(label)


def rows(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["results"]


def test_prints_a_row_for_every_metric(run, files):
    (row,) = rows(
        run("score", "--task", "xnli", "--gold", "gold.tsv", "--predictions", "mine.tsv", "--language", "sw", "--json")
    )
    assert row == {
        **row,
        "task": "xnli",
        "protocol": "xtreme",
        "language": "sw",
        "metric": "accuracy",
        "score": 2 / 3,
        "n": 3,
        "headline": True,
    }
    assert row["interval"] is None  # of three rows


def test_shows_percent_to_people(run, files):
    shown = run(
        "score", "--task", "xnli", "--gold", "gold.tsv", "--predictions", "mine.tsv", "--replicates", "0"
    ).stdout
    assert shown.split("\n")[2].split() == ["xnli", "xtreme", "und", "accuracy", "66.7", "66.7", "3"]


def test_takes_chunks_by_either_rule_of_seqeval_and_says_which(run, files):
    asked = (
        "score",
        "--task",
        "udpos",
        "--gold",
        "tags.tsv",
        "--predictions",
        "guessed.tsv",
        "--json",
        "--replicates",
        "0",
    )
    old, new = rows(run(*asked)), rows(run(*asked, "--seqeval", "1.2"))
    assert (old[0]["metric"], old[0]["score"], old[0]["protocol"], old[0]["settings"]) == (
        "f1",
        0.0,
        "xtreme",
        {"rule": "0.0"},
    )
    assert (new[0]["protocol"], new[0]["settings"]) == ("own", {"rule": "1.2"})
    assert next(row["score"] for row in old if row["metric"] == "token_accuracy") == 0.5


def test_scores_a_benchmark_and_names_what_is_missing(run, files):
    result = run("score", "--benchmark", "xtreme", "predictions", "labels", "--json")
    document = json.loads(result.stdout)
    assert document["means"] == {"pawsx": 0.5, "xnli": 0.5, "classification": 0.5}
    assert (document["complete"], document["missing"]["tasks"][:2]) == (False, ["udpos", "panx"])
    assert document["missing"]["languages"]["pawsx"] == ["en", "es", "fr", "ja", "ko", "zh"]
    assert {(row["task"], row["language"], row["score"]) for row in document["results"]} == {
        ("pawsx", "de", 0.5),
        ("xnli", "de", 0.5),
    }
    assert "no predictions or no labels for udpos, panx" in result.stderr
    assert "the mean of pawsx is partial" in result.stderr


def test_says_of_a_benchmark_how_many_questions_have_no_prediction(run, files):
    questions = [{"id": id, "question": "?", "answers": [{"text": "x", "answer_start": 0}]} for id in ("a", "b", "c")]
    document = {"data": [{"title": "t", "paragraphs": [{"context": "x", "qas": questions}]}]}
    for side, content in (("labels", document), ("predictions", {"b": "x"})):
        Path(side, "xquad").mkdir()
        Path(side, "xquad", "test-de.json").write_text(json.dumps(content))
    result = run("score", "--benchmark", "xtreme", "predictions", "labels", "--json", "--replicates", "0")
    assert json.loads(result.stdout)["means"]["xquad"] == pytest.approx(1 / 3)
    assert result.stderr.count("xquad de: 2 of 3 questions have no prediction; they score 0") == 1


def test_shows_the_majority_and_what_was_taken_for_what(run, files):
    asked = ("score", "--task", "xnli", "--gold", "gold.tsv", "--predictions", "mine.tsv", "--report")
    shown = run(*asked).stdout
    assert "majority" in shown.split("\n")[1]
    assert "xnli und: by class, counted in rows" in shown
    assert "predicted (across) for gold (down), in rows" in shown
    document = json.loads(run(*asked, "--json").stdout)
    assert sum(map(sum, document["reports"][0]["confusion"]["counts"])) == 3
    assert document["results"][0]["majority"] == 2 / 3
    assert "reports" not in json.loads(run(*asked[:-1], "--json").stdout)


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ("--task xnli --gold gold.tsv --predictions tags.tsv", 3, "an empty line where a label was expected"),
        ("--task xnli --gold none.tsv --predictions mine.tsv", 3, "no such file"),
        ("--task xnly --gold gold.tsv --predictions mine.tsv", 2, "did you mean 'xnli'"),
        ("--metric acuracy --gold gold.tsv --predictions mine.tsv", 2, "did you mean 'accuracy'"),
        ("--task mlm --gold gold.tsv --predictions mine.tsv", 2, "has no predictions in files"),
        ("--task mlqa --gold gold.tsv --predictions mine.tsv", 2, "add --language"),
        ("--task xnli --gold gold.tsv", 2, "no --predictions"),
        ("--gold gold.tsv --predictions mine.tsv", 2, "nothing says which metric"),
        ("--task udpos --gold tags.tsv --predictions tags.tsv --seqeval 2", 2, "no chunk rule called '2'"),
        ("--task xnli --gold gold.tsv --predictions mine.tsv --null-odds gold.tsv", 2, "leave --null-odds out"),
        ("predictions labels", 2, "stands alone"),
        ("--benchmark xtreme predictions", 2, "needs two folders"),
        ("--benchmark xtreme predictions labels --task xnli", 2, "--task goes with one file"),
        ("--benchmark xtrem predictions labels", 2, "did you mean 'xtreme'"),
        ("--benchmark xtreme predictions nowhere", 3, "no such folder"),
    ],
)
def test_says_one_thing_that_is_wrong(run, files, words, code, what):
    result = run("score", *words.split())
    assert (result.exit_code, result.stdout) == (code, "")
    assert what in result.stderr
    assert result.stderr.count("Error:") + result.stderr.count("UnknownName:") == 1


def test_prints_what_the_documents_show(run):
    page = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8").split("\n")
    command = next(line for line in page if "score --task mlqa" in line).split()[1:]
    shown = run(*[str(ROOT / word) if word.startswith("tests/") else word for word in command]).stdout
    assert all(f"    {line}".rstrip() in page for line in shown.split("\n")[:5])

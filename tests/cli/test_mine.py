"""`mine` on the command line: what goes to stdout, what to stderr, and how it ends."""

import json
import re

import numpy as np
import pytest


@pytest.fixture
def vectors(tmp_path):
    """The options that name two files of six vectors, of which row i belongs to row i."""
    draw = np.random.default_rng(1)
    source = draw.normal(size=(6, 8)) + 1
    np.save(tmp_path / "s.npy", source)
    np.save(tmp_path / "t.npy", source + 0.1 * draw.normal(size=(6, 8)))
    return ("--source-vectors", "s.npy", "--target-vectors", "t.npy")


def test_prints_what_it_wrote(run, vectors, tmp_path):
    result = run("mine", "-o", "pairs.tsv", *vectors, "-k", "2", "--margin", "csls")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.split() == ["pairs", "6", "file", "pairs.tsv"]
    assert "6 of 6 candidates are written, best first; no threshold was given" in result.stderr
    rows = [line.split("\t") for line in (tmp_path / "pairs.tsv").read_text().split("\n")[:-1]]
    assert {(one, other) for _, one, other in rows} == {(str(number), str(number)) for number in range(1, 7)}


def test_prints_one_document(run, vectors, tmp_path):
    (tmp_path / "gold").write_text("1\t1\n2\t2\n3\t3\n4\t4\n5\t5\n6\t6\n")
    result = run("mine", "-o", "pairs.jsonl", *vectors, "--json-lines", "--gold", "gold", "--index", "auto", "--json")
    found = json.loads(result.stdout)
    assert (found["pairs"], found["threshold_from"], found["settings"]["index"]) == (6, "gold", "exact")
    assert {row["metric"] for row in found["results"]} >= {"f1", "f1-oracle"}
    assert json.loads((tmp_path / "pairs.jsonl").read_text().split("\n")[0])["source_line"] in range(1, 7)


@pytest.mark.parametrize(
    ("code", "pattern", "words"),
    [
        (2, "nothing to mine", ("-o", "p")),
        (2, "did you mean 'exact'", ("-o", "p", "--index", "exakt")),
        (2, "Missing option", ()),
        (2, "--score-only without a file(.|\n)*SRC TGT --aligned", ("a.de", "a.en", "--score-only", "-o", "p")),
        (2, "one file of sentences(.|\n)*SRC TGT --aligned", ("-o", "p", "--score-only", "a.de", "a.en")),
        (3, "no vectors here", ("-o", "p", "--source-vectors", "x", "--target-vectors", "y")),
        (3, "no such file", ("-o", "p", "x.de", "x.en", "--trunk", "miniature")),
        (
            5,
            "--limit-gb [0-9.]+ or more",
            ("-o", "p", "--source-vectors", "s.npy", "--target-vectors", "t.npy", "--limit-gb", "0.01"),
        ),
    ],
)
def test_refuses_with_the_right_code(run, vectors, tmp_path, code, pattern, words):
    result = run("mine", *words)
    assert result.exit_code == code
    assert result.stdout == ""
    assert re.search(pattern, result.stderr)
    assert not (tmp_path / "p").exists()

"""`sweep` on the command line: what goes where, and how it ends."""

import json
import re

import pytest


def test_prints_one_document_and_leaves_a_configuration_that_the_verbs_take(run, tmp_path):
    words = ("sweep", "--tasks", "tatoeba", "--languages", "de", "--layers", "2,4", "--margins=all", "--centring=both")
    found = json.loads(run(*words, "--json").stdout)
    record = found["sweeps"][0]
    assert len(record["settings"]) == 12
    assert {row["settings"]["sweep"] for row in found["results"]} == {"chosen", "default"}
    (tmp_path / "a.txt").write_text("Guten Morgen.\nWie geht es dir?\nDer Zug ist da.\n")
    encoded = json.loads(run("encode", "a.txt", "-o", "v", "--config", record["config"], "--json").stdout)
    assert (encoded["layer"], encoded.get("centring", False)) == (
        record["chosen"]["layer"],
        record["chosen"]["centring"],
    )
    mined = json.loads(run("mine", "a.txt", "a.txt", "-o", "pairs", "--config", record["config"], "--json").stdout)
    assert (mined["settings"]["margin"], mined["settings"]["centring"]) == (
        record["chosen"]["margin"],
        record["chosen"]["centring"],
    )
    scored = json.loads(
        run("eval", "--tasks", "tatoeba", "--languages", "de", "--config", record["config"], "--json").stdout
    )
    assert {row["settings"]["layer"] for row in scored["results"]} == {record["chosen"]["layer"]}


def test_prints_what_was_tried_chosen_and_the_default_in_eighty_columns(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    result = run("sweep", "--tasks", "tatoeba", "--languages", "de,sw", "--layers", "2,4", "-o", "tuned")
    assert result.exit_code == 0, result.stderr
    assert "tatoeba: accuracy on validation, 2 settings tried; pool mean, margin absolute, centring no" in result.stderr
    assert re.search(r"^layer +score +over default, 95 %$", result.stderr, re.MULTILINE)
    assert re.search(r"^ +2 +\d+\.\d +\+0\.0, \+0\.0 to \+0\.0 +.*default$", result.stderr, re.MULTILINE)
    lines = result.stdout.split("\n")
    assert max(map(len, lines)) <= 80
    assert lines[0] == "tatoeba (accuracy)"
    assert re.fullmatch(r" +setting +dev +test", lines[1])
    assert re.search(r"^default.* layer 2, mean, absolute +\d+\.\d +\d+\.\d$", result.stdout, re.MULTILINE)
    assert re.search(r"^de +\d+\.\d +\d+\.\d +[+-]\d+\.\d$", result.stdout, re.MULTILINE)
    assert lines[-2] == "tatoeba  tuned/sweep/tatoeba.yaml"


def test_prints_the_plan_of_a_dry_run(run, tmp_path):
    result = run("sweep", "--tasks", "tatoeba,bucc2018", "--centring", "no", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "bucc2018 (9 languages): 3 settings, chosen on validation, scored on test" in result.stderr
    every = run("sweep", "--tasks", "bucc2018", *["--layers", "all", "--pools", "all", "--margins", "all", "--dry-run"])
    assert "bucc2018 (9 languages): 60 settings, chosen on validation, scored on test" in every.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "pattern", "words"),
    [
        (2, "nothing to choose for", ()),
        (2, "SRC, TGT and --gold go together", ("a", "b")),
        (2, "--centring maybe", ("--tasks", "tatoeba", "--centring", "maybe")),
        (2, "did you mean 'mean'", ("--tasks", "tatoeba", "--pools", "meen")),
        (2, "retrieval.layer", ("--tasks", "tatoeba", "--layers", "x")),
        (3, "no such file", ("a", "b", "--gold", "c", "--trunk", "miniature")),
        (3, "no run here|no such folder", ("--tasks", "tatoeba", "--run", "nowhere")),
    ],
)
def test_refuses_with_the_right_code(run, tmp_path, code, pattern, words):
    result = run("sweep", *words)
    assert result.exit_code == code
    assert result.stdout == ""
    assert re.search(pattern, result.stderr), result.stderr
    assert not (tmp_path / "runs").exists()


def test_reads_another_column_of_the_target(run, tmp_path):
    (tmp_path / "de.csv").write_text("no;satz\n" + "".join(f"{n};Satz {n} von Anna\n" for n in range(12)))
    (tmp_path / "en.csv").write_text("no;said\n" + "".join(f"{n};sentence {n} of Anna\n" for n in range(12)))
    (tmp_path / "gold.tsv").write_text("".join(f"{n}\t{n}\n" for n in range(2, 14)))
    words = ("sweep", "de.csv", "en.csv", "--gold", "gold.tsv", "--trunk", "miniature", "--dry-run", "--column", "satz")
    assert "no column called 'satz'" in run(*words).stderr
    assert run(*words, "--target-column", "said").exit_code == 0

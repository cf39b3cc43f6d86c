"""`eval --report` and `--limit`: what is written, what is scored again, what is kept apart."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from asking import evaluation

from adapter_stilts.errors import UsageError
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.results import means, read_results


@pytest.fixture
def asked(trained, rows, tmp_path):
    """`asked(task, report=True, limit=5)` evaluates a small run on thirty rows of its own in two languages."""
    folder = tmp_path / "data"

    def call(task="nli", run=None, overwrite=False, languages=("sw",), reporter=None, **how):
        run = run or trained(task)
        folder.mkdir(exist_ok=True)
        for code, start in (("sw", 0), ("yo", 100)):
            path = folder / f"test.{code}.jsonl"
            if not path.exists():
                path.write_text("".join(json.dumps(row) + "\n" for row in rows(task, 30, start)), encoding="utf-8")
        request = evaluation(run=run, trunk=None, tasks=(task,), data=(str(folder),), languages=languages)
        where = {"out": None, "runs": tmp_path, "overwrite": overwrite, "dry_run": False, "report": reporter}
        return run, evaluate(replace(request, **how), **where)

    return call


@pytest.fixture
def no_model(monkeypatch):
    """`no_model()`: from then on nothing may be scored."""

    def forbid():
        monkeypatch.setattr("adapter_stilts.runs.evaluate.measure", lambda *_: pytest.fail("scored again"))

    return forbid


def test_writes_a_report_beside_the_predictions_and_reads_it_the_next_time(asked, heard, no_model):
    run, made = asked(report=True, languages=("sw", "yo"), reporter=heard)
    first, second = made.reports
    assert (first["language"], second["language"], first["n"]) == ("sw", "yo", 30)
    lines = (run.parents[1] / "data" / "test.sw.jsonl").read_text().splitlines()
    gold = [json.loads(line)["label"] for line in lines]
    predicted = (run / "predictions/nli/test-sw.tsv").read_text().split()
    for row in first["classes"]:
        pairs = [(right == row["class"], guess == row["class"]) for right, guess in zip(gold, predicted, strict=True)]
        assert (row["correct"], row["support"]) == (pairs.count((True, True)), gold.count(row["class"]))
    wrong = sum(right != guess for right, guess in zip(gold, predicted, strict=True))
    assert len(first["mistakes"]) == min(wrong, 20)
    assert json.loads((run / "reports/nli/test-sw.json").read_text()) == first
    assert "# nli sw test" in (run / "reports/nli/test-sw.md").read_text()
    assert made.to_json()["reports"] == [first, second]
    no_model()
    assert asked(run=run, report=True, languages=("sw", "yo"), reporter=heard)[1].reports == [first, second]


def test_scores_again_what_has_no_report_and_gives_the_same_score(asked, heard):
    run, before = asked(reporter=heard)
    assert before.reports == []
    assert "reports" not in before.to_json()
    _, made = asked(run=run, report=True, reporter=heard)
    assert [row.score for row in made.results] == [row.score for row in before.results]
    assert len(made.reports) == 1
    (row,) = (row for row in read_results(run) if row.split == "test")
    assert row.paths["report"] == "reports/nli/test-sw.json"


def test_leaves_no_report_of_an_earlier_score(asked, heard):
    run, _ = asked(report=True, reporter=heard)
    asked(run=run, overwrite=True, reporter=heard)
    assert not list((run / "reports").rglob("*.*"))
    assert all("report" not in row.paths for row in read_results(run))


@pytest.mark.parametrize("task", ["ner", "qa", "choice"])
def test_reports_on_other_formats_too(trained, data, heard, tmp_path, task):
    run = trained(task)
    path = next(source for source in data(task) if source.startswith("validation=")).partition("=")[2]
    request = evaluation(run=run, trunk=None, tasks=(task,), data=(f"test={path}",), languages=("en",))
    where = {"out": None, "runs": tmp_path, "overwrite": False, "dry_run": False, "report": heard}
    (report,) = evaluate(replace(request, report=True), **where).reports
    assert "outcomes" in report or report["classes"]
    assert (run / f"reports/{task}/test-en.md").is_file()


def test_says_which_tasks_have_no_report(scored_trunk, heard):
    made = scored_trunk(report=True)
    assert made.reports == []
    assert any("tatoeba: no report" in line for line in heard.lines)


@pytest.fixture
def scored_trunk(tiny_folder, tmp_path, heard):
    def call(**how):
        asked = evaluation(run=None, trunk=str(tiny_folder), tasks=("tatoeba",), data=("miniature",), languages=("de",))
        where = {"out": tmp_path / "out", "runs": tmp_path, "overwrite": False, "dry_run": False, "report": heard}
        return evaluate(replace(asked, **how), **where)

    return call


def test_scores_the_first_rows_alone_and_says_so(asked, heard):
    run, made = asked(limit=12, report=True, reporter=heard)
    (row,) = made.results
    assert (row.n, row.settings["limit"], row.partial) == (12, 12, True)
    assert row.notes["counted"] == ["the first 12 of 30 rows alone (--limit)"]
    assert row.paths["predictions"] == "predictions/nli/test-sw.first12.tsv"
    assert row.paths["report"] == "reports/nli/test-sw.first12.json"
    assert len((run / row.paths["predictions"]).read_text().split()) == 12
    page = (run / "reports/nli/test-sw.first12.md").read_text()
    assert "**nli sw: the first 12 of 30 rows alone (--limit).**" in page
    card = (run / "README.md").read_text()
    assert "| nli | own | en" in card
    assert "| nli | own | sw" not in card
    assert "first 12" not in card


def test_never_mixes_a_part_with_the_whole(asked, heard, no_model):
    run, part = asked(limit=12, reporter=heard)
    _, whole = asked(run=run, reporter=heard)
    assert [row.n for row in whole.results] == [30]
    assert not whole.results[0].partial
    assert (run / "predictions/nli/test-sw.tsv").read_text().split()[:12] == (
        run / "predictions/nli/test-sw.first12.tsv"
    ).read_text().split()
    _, other = asked(run=run, limit=7, reporter=heard)
    assert [row.n for row in other.results] == [7]
    rows = [row for row in read_results(run) if row.split == "test"]
    assert sorted(row.n for row in rows) == [7, 12, 30]
    assert len({row.paths["units"] for row in rows}) == 3
    assert means(rows).tasks["nli"][0].score == whole.results[0].score
    assert means(rows).with_retrieval == whole.results[0].score
    assert means([row for row in rows if row.partial]).with_retrieval is None
    no_model()
    assert asked(run=run, limit=12, reporter=heard)[1].results == part.results
    assert asked(run=run, reporter=heard)[1].results == whole.results


def test_gives_the_whole_score_where_there_are_no_more_rows(asked, heard, no_model):
    run, made = asked(limit=30, reporter=heard)
    assert (made.results[0].n, made.results[0].partial) == (30, False)
    no_model()
    assert asked(run=run, limit=500, reporter=heard)[1].results == made.results
    assert asked(run=run, reporter=heard)[1].results == made.results


def test_refuses_the_beginning_of_a_file_that_is_sorted_by_label(asked, heard, rows, tmp_path):
    ordered = sorted(rows("nli", 90), key=lambda row: row["label"])
    (tmp_path / "data").mkdir()
    for code in ("sw", "yo"):
        lines = "".join(json.dumps(row) + "\n" for row in ordered)
        (tmp_path / "data" / f"test.{code}.jsonl").write_text(lines, encoding="utf-8")
    with pytest.raises(UsageError, match="first 25 of 90 rows are all labelled 'contradiction'"):
        asked(limit=25, reporter=heard)


def test_refuses_to_search_among_fewer_sentences(scored_trunk):
    with pytest.raises(UsageError, match="'tatoeba' cannot be scored on a few rows"):
        scored_trunk(limit=10)

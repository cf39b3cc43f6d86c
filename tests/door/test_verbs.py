"""The Python door: the commands' words and defaults, their errors, and values in return."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from adapter_stilts_cli import encode, evaluate, mine, plan, predict, reports, search, study, train
from adapter_stilts_cli import info as info_verbs
from adapter_stilts_cli.app import app
from typer.testing import CliRunner

import adapter_stilts as stilts
from adapter_stilts.errors import ConfigError, MissingError, TaskDataError, UnknownName, UsageError
from adapter_stilts.statistics.result import Result

COMMANDS = {
    "train": train.train,
    "fuse": train.fuse,
    "evaluate": evaluate.evaluate,
    "compare": info_verbs.compare,
    "encode": encode.encode,
    "mine": mine.mine,
    "plan": plan.plan,
    "predict": predict.predict,
    "search": search.search,
    "study": study.study,
    "report": reports.report,
    "replay": reports.replay,
}
SCREEN = {"as_json", "all_metrics"}  # what is printed, which a function has no need of
CALLED = {"limit": "limit_gb", "file": "rows", "count": "k"}  # --limit-gb; rows may also be given as they are
FEW = {"training.max_steps": 2, "training.rows": 24}
TEXTS = {"de": ["Guten Morgen.", "Der Zug nach Rom.", ""], "en": ["Good morning.", "The train to Rome."]}


def rows(number=24):
    return [{"text": f"Text {n} of {n % 2}", "label": ("odd", "even")[n % 2]} for n in range(number)]


@pytest.fixture
def single(here):
    return stilts.train("single", trunk="miniature", data={"train": rows(), "validation": rows(8)}, settings=FEW)


@pytest.mark.parametrize("verb", COMMANDS)
def test_has_every_word_of_the_command_with_its_default(verb):
    typed, given = (inspect.signature(each).parameters for each in (COMMANDS[verb], getattr(stilts, verb)))
    for name, parameter in typed.items():
        ours = name if name in given else CALLED.get(name, name)
        if name in SCREEN and ours not in given:
            continue
        assert ours in given, f"{verb}() has no {name}"
        required = inspect.Parameter.empty
        assert (
            given[ours].default == parameter.default
            or required in (parameter.default, given[ours].default)
            or (parameter.default is None and not given[ours].default)
        )


def test_is_imported_at_once_and_waits_for_torch_until_it_is_called():
    code = "import sys, time; start = time.perf_counter(); import adapter_stilts as stilts; dir(stilts)\n"
    code += "print(time.perf_counter() - start, sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    seconds, modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split(" ", 1)
    assert modules.strip() == "[]"
    assert float(seconds) < 1.0  # 0.04 on a quiet machine


def test_keeps_its_names_whatever_is_imported_below():
    import adapter_stilts.studies.grid  # noqa: F401

    assert all(callable(getattr(stilts, name)) for name in COMMANDS)
    assert set(stilts.DOOR) <= set(dir(stilts))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = stilts.trian


def test_trains_the_run_that_the_command_trains(single, here, contents):
    (here / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    (here / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(8)))
    words = ["train", "single", "--trunk", "miniature", "--data", "train=train.jsonl", "--data", "validation=dev.jsonl"]
    words += ["--set", "training.max_steps=2", "--set", "training.rows=24", "-o", "typed"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert contents(single.folder, "adapter", "head") == contents(Path("typed"), "adapter", "head")
    assert single.folder.parent == Path("runs")


def test_finds_the_same_run_again_and_builds_on_it(single, here):
    again = stilts.train("single", trunk="miniature", data={"train": rows(), "validation": rows(8)}, settings=FEW)
    assert again.folder == single.folder
    sources = {"train": rows(), "validation": rows(8)}
    stacked = stilts.train("single", trunk="miniature", how="stack", after=single, data=sources, settings=FEW)
    assert stacked.manifest.how == "stack"
    assert stacked.manifest.parents[0].name == single.folder.name
    fused = stilts.fuse([single, stacked.folder], "single", trunk="miniature", data=sources, settings=FEW)
    assert fused.manifest.composition.startswith("fuse(")
    planned = stilts.train("single", trunk="miniature", data=sources, settings=FEW, seed=5, dry_run=True)
    assert (planned["rows"], planned["state"]) == (24, "new")


def test_reports_what_a_score_hides_and_scores_the_first_rows(single):
    (result,) = (each for each in stilts.evaluate(single, "single", data=rows(20), report=True) if each.headline)
    assert [row["class"] for row in result.report["classes"]] == ["even", "odd"]
    assert sum(map(sum, result.report["confusion"]["counts"])) == 20
    assert result.to_json()["report"].startswith("reports/single/test-")
    (first,) = (each for each in stilts.evaluate(single, "single", data=rows(20), limit=8) if each.headline)
    assert (first.n, first.settings["limit"], first.report) == (8, 8, None)
    run = stilts.load(single)
    assert not any(row.partial for row in run.results)
    assert first in run.partial_results
    with pytest.raises(UsageError, match="limit=0"):
        stilts.evaluate(single, "single", data=rows(20), limit=0)


def test_scores_and_gives_results(single):
    (result,) = [each for each in stilts.evaluate(single, "single", data=rows(20)) if each.headline]
    assert isinstance(result, Result)
    right = [answer["label"] == row["label"] for answer, row in zip(single.predict(rows(20)), rows(20), strict=True)]
    assert (result.n, result.score, result.split) == (20, sum(right) / 20, "test")
    assert result in single.results
    retrieval = stilts.evaluate(trunk="miniature", tasks=["tatoeba"], languages="de", layer=[1, 2])
    assert {each.settings["layer"] for each in retrieval} == {1, 2}


def test_predicts_as_the_command_does(single, here):
    file = here / "new.jsonl"
    file.write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in rows(5)))
    printed = CliRunner().invoke(app, ["predict", str(single.folder), str(file), "--json"])
    assert printed.exit_code == 0
    told = [json.loads(line) for line in printed.stdout.splitlines()]
    for given in (file, str(file), rows(5), [{"text": row["text"], "label": "?"} for row in rows(5)]):
        assert stilts.predict(single, given) == told
    document = stilts.predict(single.folder, rows(5), out="labels.csv")
    assert (document["rows"], len(Path("labels.csv").read_text().splitlines())) == (5, 6)
    lines = stilts.predict(single, [row["text"] for row in rows(5)], task="single")
    assert [answer["label"] for answer in lines] == [answer["label"] for answer in told]


def test_encodes_lists_and_files_to_the_same_vectors(single, here):
    (here / "news.de").write_text("".join(f"{text}\n" for text in TEXTS["de"]))
    vectors = stilts.encode(TEXTS["de"], run=single)
    assert (vectors.shape, vectors.dtype) == ((3, 128), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0], atol=1e-6)
    assert np.array_equal(stilts.encode("news.de", run=single.folder), vectors)
    assert np.allclose(single.encode(TEXTS["de"]), vectors, atol=1e-6)
    assert np.allclose(
        stilts.load("miniature").encode(["a"], layer=1), stilts.encode(["a"], trunk="miniature", layer=1)
    )


def test_mines_pairs_best_first(here):
    pairs = stilts.mine(TEXTS["de"], TEXTS["en"], trunk="miniature")
    for language, texts in TEXTS.items():
        (here / f"news.{language}").write_text("".join(f"{text}\n" for text in texts))
    words = ["mine", "news.de", "news.en", "--trunk", "miniature", "-o", "typed.tsv"]
    assert CliRunner().invoke(app, words).exit_code == 0
    typed = [line.split("\t") for line in Path("typed.tsv").read_text().splitlines()]
    assert [[pair.source, pair.target] for pair in pairs] == [texts for _, *texts in typed]
    assert [pair.score for pair in pairs] == pytest.approx([float(score) for score, *_ in typed], abs=1e-3)
    assert [pair.score for pair in pairs] == sorted((pair.score for pair in pairs), reverse=True)
    kept = stilts.mine(TEXTS["de"], TEXTS["en"], trunk="miniature", out="pairs.tsv")
    assert [line.split("\t")[1:] for line in Path("pairs.tsv").read_text().splitlines()] == [[*p[1:]] for p in kept]
    np.save("de.npy", stilts.encode(TEXTS["de"][:2], trunk="miniature"))
    np.save("en.npy", stilts.encode(TEXTS["en"], trunk="miniature"))
    numbered = stilts.mine(source_vectors="de.npy", target_vectors="en.npy")
    assert {(TEXTS["de"][pair.source - 1], TEXTS["en"][pair.target - 1]) for pair in numbered} == {
        (pair.source, pair.target) for pair in pairs
    }


@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.csv", "pairs.jsonl"])
def test_keeps_and_returns_the_same_pairs_in_every_form(here, name):
    pairs = stilts.mine(TEXTS["de"], TEXTS["en"], trunk="miniature")
    kept = stilts.mine(TEXTS["de"], TEXTS["en"], trunk="miniature", out=name, columns=True)
    assert [pair[1:] for pair in kept] == [pair[1:] for pair in pairs]
    assert [pair.score for pair in kept] == pytest.approx([pair.score for pair in pairs], abs=1e-6)
    given = [{"source": pair.source, "target": pair.target} for pair in pairs]
    scored = stilts.mine(TEXTS["de"], TEXTS["en"], trunk="miniature", score_only=given)
    assert {pair[1:] for pair in scored} == {pair[1:] for pair in pairs}
    assert len(stilts.mine(score_only=given, trunk="miniature")) == len(pairs)


def test_finds_what_is_nearest_in_a_list_and_says_what_it_would_do(here):
    found = stilts.search(TEXTS["en"], TEXTS["en"][1], trunk="miniature", k=2)
    assert [(one.line, one.text) for one in found] == [(2, TEXTS["en"][1]), (1, TEXTS["en"][0])]
    assert stilts.search(TEXTS["en"], TEXTS["en"], trunk="miniature", k=1)[0][0].line == 1
    with pytest.raises(UsageError, match="0 neighbours"):
        stilts.search(TEXTS["en"], "a", trunk="miniature", k=0)
    planned = stilts.encode(TEXTS["de"], trunk="miniature", out="v", dry_run=True)
    assert (planned["rows"], planned["state"]) == (3, "new")
    assert stilts.mine(TEXTS["de"], TEXTS["en"], trunk="miniature", out="pairs.tsv", dry_run=True)["planned"]
    assert not Path("v").exists()
    assert not Path("pairs.tsv").exists()


def test_previews_a_study(here):
    document = stilts.study("studies/miniature", dry_run=True)
    assert document["planned"]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: stilts.train("nlii", trunk="miniature"), UnknownName, "did you mean 'nli'"),
        (lambda: stilts.train("nli", settings={"training.epochz": 2}), ConfigError, "did you mean training.epochs"),
        (lambda: stilts.train("nli", kind="seq_bm"), UsageError, "seq_bn"),
        (lambda: stilts.train("single", trunk="miniature", data=[{"text": "a"}]), TaskDataError, "label"),
        (lambda: stilts.train("single", trunk="miniature", data=7), UsageError, "rows were expected, not int"),
        (lambda: stilts.train("single", trunk="miniature", data=[]), TaskDataError, "no rows"),
        (lambda: stilts.load("runs/nowhere"), stilts.StiltsError, "runs/nowhere"),
        (lambda: stilts.evaluate("runs/nowhere", "nli"), MissingError, "runs/nowhere"),
        (lambda: stilts.evaluate(trunk="miniature"), UsageError, "no task is named"),
        (lambda: stilts.predict(stilts.load("miniature"), ["a"]), UsageError, "bare trunk"),
        (lambda: stilts.load("miniature").module, UsageError, "bare trunk"),
        (lambda: stilts.load("miniature").encode("one text"), UsageError, "a list of texts"),
        (lambda: stilts.load("miniature").encode(["a", None]), TaskDataError, "text 1"),
        (lambda: stilts.encode(["a"]), UsageError, "no trunk(.|\n)*add --run RUN, or --trunk"),
        (lambda: stilts.mine(["a"], ["b"]), UsageError, "no trunk(.|\n)*add --run RUN, or --trunk"),
        (lambda: stilts.train("single", data=rows()), UsageError, "no trunk is named(.|\n)*--trunk"),
        (lambda: stilts.encode([1], trunk="miniature"), TaskDataError, "row 0"),
        (lambda: stilts.fuse(["runs/a"], "nli"), UsageError, "two or more runs"),
    ],
)
def test_refuses_what_the_command_refuses(here, call, error, words):
    with pytest.raises(error, match=words):
        call()

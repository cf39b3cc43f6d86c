"""Zero-shot scores of runs and trunks: what is scored, what is skipped, what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from asking import evaluation

from adapter_stilts.errors import ArtefactError, ConfigError, TaskDataError, UnknownName, UsageError
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.results import read_results


@pytest.fixture
def scored(tmp_path):
    """`scored(request)` evaluates into `tmp_path`."""

    def call(request, out=None, overwrite=False, dry_run=False):
        return evaluate(
            request, out=out, runs=tmp_path, overwrite=overwrite, dry_run=dry_run, report=Silent()
        ).to_json()

    return call


@pytest.fixture
def bitext(tmp_path):
    """A folder with Tatoeba files for a language that is on no list of ours."""
    folder = tmp_path / "data" / "v1"
    folder.mkdir(parents=True)
    english = ["The cat sleeps.", "Anna bought two apples.", "The train leaves at seven.", "Berlin is old."]
    foreign = ["Kissin uinu.", "Anna osti omenaa kaksi.", "Seitsemältä juna lähtee.", "Vanha on Berlin."]
    (folder / "tatoeba.krl-eng.eng").write_text("\n".join(english) + "\n", encoding="utf-8")
    (folder / "tatoeba.krl-eng.krl").write_text("\n".join(foreign) + "\n", encoding="utf-8")
    return tmp_path / "data"


@pytest.fixture
def pools(tmp_path):
    """A mining set in BUCC's layout for one language, dev and test."""
    folder = tmp_path / "mining"
    folder.mkdir()
    for split in ("dev", "test"):
        for side, words in (("fi", "kissa juna omena talo kirja tuoli"), ("en", "cat train apple house book chair")):
            lines = [f"{side}-{number}\t{split} {word} {number}" for number, word in enumerate(words.split())]
            (folder / f"fi-en.{split}.{side}").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / f"fi-en.{split}.gold").write_text("fi-0\ten-0\nfi-2\ten-2\n", encoding="utf-8")
    return folder


def tatoeba(trunk, data, protocol="own", precision="fp32", tasks=("tatoeba",), languages=(), **overrides):
    return evaluation(
        run=None,
        trunk=str(trunk),
        tasks=tasks,
        data=(str(data),),
        protocol=protocol,
        precision=precision,
        languages=languages,
        retrieval=overrides,
    )


def test_scores_a_bare_trunk_as_brute_force_on_its_saved_vectors_does(scored, tiny_folder, bitext):
    found = scored(tatoeba(tiny_folder, bitext, layer=(1,)))
    row = next(row for row in found["results"] if row["metric"] == "accuracy")
    folder = bitext.parent / found["run"].split("/")[-1]
    source, target = (np.load(folder / row["vectors"][side]) for side in ("source", "target"))
    nearest = ((target[:, None] - source[None]) ** 2).sum(-1).argmin(1)
    assert row["score"] == pytest.approx((nearest == np.arange(4)).mean(), abs=1e-9)
    assert (folder / row["predictions"]).read_text().split() == [str(number) for number in nearest]
    assert (row["language"], row["n"], row["settings"]["layer"], row["settings"]["direction"]) == (
        "krl",
        4,
        1,
        "en->xx",
    )


def test_leaves_blank_lines_out_and_counts_equal_sentences_as_its_protocol_says(scored, tiny_folder, tmp_path):
    lines = ["The hen sings.", "A boat sinks.", "", "The hen sings.", " ", "He bakes.", "A boat sinks."]
    files = [tmp_path / "f.fi", tmp_path / "f.en"]
    for file in files:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = {"run": None, "trunk": str(tiny_folder), "tasks": ("bitext",), "data": [f"test={file}" for file in files]}
    rows = {}
    for name in ("own", "xtreme"):
        rows[name] = scored(evaluation(**asked, protocol=name), out=tmp_path / name)["results"][0]
    assert [(row["score"], row["n"]) for row in rows.values()] == [(1.0, 5), (0.6, 5)]
    assert rows["own"]["counted"] == [
        "2 lines are left out: blank on one side or both",
        "2 of 5 lines repeat a sentence of others; equal sentences are equal answers",
    ]
    assert rows["xtreme"]["counted"][1].endswith("; xtreme counts the right line alone")
    assert "answers" not in rows["xtreme"]["settings"]


def test_reads_every_layer_in_one_go_and_each_like_alone(scored, tiny_folder, bitext, tmp_path):
    together = scored(tatoeba(tiny_folder, bitext, layer="all"), out=tmp_path / "all")
    alone = scored(tatoeba(tiny_folder, bitext, layer=(2,)), out=tmp_path / "one")
    chosen = {row["metric"]: row["score"] for row in together["results"] if row["settings"]["layer"] == 2}
    assert {row["settings"]["layer"] for row in together["results"]} == {0, 1, 2}
    assert chosen == {row["metric"]: row["score"] for row in alone["results"]}


@pytest.mark.parametrize(
    ("protocol", "precision", "read_in"),
    [("xtreme", "auto", "fp32"), ("jiant", "auto", "fp32"), ("xtreme", "bf16", "bf16")],
)
def test_reads_a_bare_trunk_in_the_precision_of_a_published_protocol(
    scored, tiny_folder, bitext, protocol, precision, read_in
):
    found = scored(tatoeba(tiny_folder, bitext, protocol=protocol, layer=(1,), precision=precision))
    assert {row["settings"]["precision"] for row in found["results"]} == {read_in}


def test_keeps_scores_of_another_precision_than_in_training_beside_the_first(scored, trained, data):
    path = next(source for source in data("nli") if source.startswith("validation=")).partition("=")[2]
    asked = {"run": trained("nli"), "trunk": None, "tasks": ("nli",), "data": (f"test={path}",), "languages": ("sw",)}
    request = evaluation(**asked)
    first = scored(request)["results"]
    other = scored(evaluation(**asked, precision="bf16"))["results"]
    assert {row["settings"].get("precision") for row in first} == {None}
    assert {row["settings"].get("precision") for row in other} == {"bf16"}
    (row,) = scored(request)["results"]
    assert all(row[key] == first[0][key] for key in ("score", "settings", "units"))


def test_computes_only_what_is_missing(scored, tiny_folder, bitext, tmp_path, monkeypatch):
    out = tmp_path / "kept"
    first = scored(tatoeba(tiny_folder, bitext, layer=(1,)), out=out)
    monkeypatch.setattr("adapter_stilts.runs.evaluate.measure_retrieval", lambda *_: pytest.fail("scored again"))
    assert scored(tatoeba(tiny_folder, bitext, layer=(1,)), out=out)["results"] == first["results"]


def test_writes_nothing_to_a_read_only_folder_where_nothing_is_missing(scored, trained, data, monkeypatch):
    asked = evaluation(run=trained("nli"), trunk=None, tasks=("nli",), split="validation", data=data("nli"))
    first = scored(asked)
    before = {path: path.stat().st_mtime_ns for path in Path(first["run"]).rglob("*") if path.is_file()}
    for place in ("runs.evaluate.locked", "files.atomic_write", "runs.results.write_sealed"):
        monkeypatch.setattr(f"adapter_stilts.{place}", None)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    assert scored(asked) == first
    assert {path: path.stat().st_mtime_ns for path in Path(first["run"]).rglob("*") if path.is_file()} == before


def test_takes_the_vectors_of_an_earlier_reading_for_another_k(
    scored, tiny_folder, bitext, pools, tmp_path, monkeypatch
):
    def both(**more):
        mining = tatoeba(tiny_folder, pools, layer=(1,), tasks=("bucc",), **more)
        return [
            scored(one, out=tmp_path / "kept")["results"]
            for one in (tatoeba(tiny_folder, bitext, layer=(1,), **more), mining)
        ]

    both(k=3)
    with monkeypatch.context() as patched:
        patched.setattr("adapter_stilts.runs.retrieval.embed", lambda *_, **__: pytest.fail("read again"))
        again = both(k=1)
    path = tmp_path / "kept" / again[0][0]["vectors"]["source"]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    assert both(k=2)[0][0]["score"] == again[0][0]["score"]
    assert path.read_bytes() == content
    monkeypatch.setattr("adapter_stilts.runs.retrieval.embed", lambda *_, **__: pytest.fail("not the same vectors"))
    with pytest.raises(pytest.fail.Exception, match="not the same vectors"):
        scored(tatoeba(tiny_folder, bitext, layer=(1,), pool="max"), out=tmp_path / "kept")


def test_keeps_scores_of_other_settings_beside_new_ones(scored, tiny_folder, bitext, tmp_path):
    out = tmp_path / "kept"
    scored(tatoeba(tiny_folder, bitext, layer=(1,)), out=out)
    scored(tatoeba(tiny_folder, bitext, layer=(2,)), out=out)
    assert {row.settings["layer"] for row in read_results(out)} == {1, 2}


def test_never_scores_test_with_an_undefined_threshold(scored, tiny_folder, pools, tmp_path):
    for path in pools.glob("*.dev.*"):
        path.unlink()
    with pytest.raises(TaskDataError, match="validation"):
        scored(evaluation(run=None, trunk=str(tiny_folder), tasks=("bucc",), data=(str(pools),), precision="fp32"))


def test_applies_the_threshold_from_dev_to_test(scored, tiny_folder, pools, tmp_path):
    request = evaluation(run=None, trunk=str(tiny_folder), tasks=("bucc",), data=(str(pools),), precision="fp32")
    rows = {(row["split"], row["metric"]): row for row in scored(request, out=tmp_path / "mined")["results"]}
    assert {("test", "f1"), ("test", "f1-oracle"), ("validation", "f1-oracle")} <= set(rows)
    assert ("validation", "f1") not in rows
    assert rows["test", "f1"]["threshold"] == rows["validation", "f1-oracle"]["threshold"]
    pairs = [
        tuple(line.split("\t"))
        for line in (tmp_path / "mined" / rows["test", "f1"]["predictions"]).read_text().splitlines()
    ]
    correct = len({("fi-0", "en-0"), ("fi-2", "en-2")} & set(pairs))
    assert rows["test", "f1"]["score"] == pytest.approx(2 * correct / (len(pairs) + 2))


def test_scores_a_run_with_its_own_head(scored, trained, data):
    run = trained("nli")
    path = next(source for source in data("nli") if source.startswith("validation=")).partition("=")[2]
    found = scored(evaluation(run=run, trunk=None, tasks=("nli",), data=(f"test={path}",), languages=("sw",)))
    (row,) = found["results"]
    gold = [json.loads(line)["label"] for line in Path(path).read_text(encoding="utf-8").splitlines()]
    predicted = (run / row["predictions"]).read_text().split()
    assert row["score"] == pytest.approx(np.mean([a == b for a, b in zip(gold, predicted, strict=True)]))
    assert (row["language"], row["n"], row["predictions"]) == ("sw", len(gold), "predictions/nli/test-sw.tsv")
    assert row["interval"] is None  # of fewer than twenty rows


def test_keeps_the_predictions_and_scores_of_other_files_beside_the_first(scored, trained, rows, tmp_path):
    run, made = trained("nli"), {}
    for name, start in (("a", 0), ("b", 40), ("c", 80)):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows("nli", 9, start)), encoding="utf-8")
        asked = {"run": run, "trunk": None, "tasks": ("nli",), "data": (f"test={path}",), "languages": ("sw",)}
        (made[name],) = scored(evaluation(**asked))["results"]
    assert made["a"]["predictions"] == "predictions/nli/test-sw.tsv"
    assert "data" not in made["a"]["settings"]
    marks = [made[name]["settings"]["data"] for name in ("b", "c")]
    assert [made[name]["predictions"] for name in ("b", "c")] == [f"predictions/nli/test-sw.{m}.tsv" for m in marks]
    for row in made.values():
        content = (run / row["predictions"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]["predictions"]
    kept = [row for row in read_results(run) if row.split == "test"]
    assert len(kept) == len({row.paths["units"] for row in kept}) == 3
    again = scored(evaluation(**(asked | {"data": (f"test={tmp_path / 'b.jsonl'}",)})))["results"]
    assert again == [made["b"]]


def test_keeps_the_predictions_of_other_files_whose_labels_are_withheld(scored, trained, rows, tmp_path):
    run, files = trained("nli"), []
    for name, start in (("a", 0), ("b", 40), ("a", 0)):
        path = tmp_path / f"{name}.jsonl"
        bare = [{key: value for key, value in row.items() if key != "label"} for row in rows("nli", 5, start)]
        path.write_text("".join(json.dumps(row) + "\n" for row in bare), encoding="utf-8")
        asked = {"run": run, "trunk": None, "tasks": ("nli",), "data": (f"test={path}",), "languages": ("sw",)}
        files.append(scored(evaluation(**asked))["predicted"][0]["predictions"])
    assert files[0] == files[2] == "predictions/nli/test-sw.tsv"
    assert files[1] != files[0]
    assert all((run / file).is_file() for file in files)


def test_says_what_a_bare_trunk_lacks(scored, tiny_folder, data):
    with pytest.raises(UsageError, match="needs a head"):
        scored(evaluation(run=None, trunk=str(tiny_folder), tasks=("nli",), data=data("nli"), split="validation"))


def test_refuses_a_head_of_another_format(scored, trained, data):
    run = trained("nli")
    with pytest.raises(UsageError, match="answers pair tasks"):
        scored(evaluation(run=run, trunk=None, tasks=("pos",), data=data("nli"), split="validation"))


def test_refuses_the_adapters_of_a_run_on_another_trunk(scored, trained, data):
    run = trained("nli")
    with pytest.raises(ArtefactError, match="trained on"):
        scored(evaluation(run=run, trunk="miniature", tasks=("nli",), data=data("nli"), split="validation"))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"layer": (9,)}, UsageError, "layer 9"),
        ({"protocol": "xtrem"}, ConfigError, "xtreme"),
        ({"pool": "meen"}, ConfigError, "mean"),
    ],
)
def test_refuses_what_it_cannot_read_with(scored, tiny_folder, bitext, change, error, said):
    with pytest.raises(error, match=said):
        scored(tatoeba(tiny_folder, bitext, **change))


def test_names_the_files_it_looked_for(scored, tiny_folder, bitext):
    with pytest.raises(TaskDataError, match="xx|looked|no "):
        scored(tatoeba(tiny_folder, bitext, languages=("fr",)))


@pytest.mark.parametrize("dry_run", [True, False])
def test_refuses_a_language_that_is_not_there_before_any_is_scored(scored, tiny_folder, bitext, tmp_path, dry_run):
    with pytest.raises(TaskDataError, match="'fr'"):
        scored(tatoeba(tiny_folder, bitext, languages=("krl", "fr")), out=tmp_path / "out", dry_run=dry_run)
    with pytest.raises(UnknownName, match="in the miniature called 'fr'"):
        scored(
            tatoeba(tiny_folder, "miniature", tasks=("bucc2018", "tatoeba"), languages=("de", "fr")),
            out=tmp_path / "out",
            dry_run=dry_run,
        )
    assert not (tmp_path / "out").exists()


def test_loses_no_score_to_a_file_that_breaks_off(scored, tiny_folder, bitext, tmp_path):
    out = tmp_path / "kept"
    scored(tatoeba(tiny_folder, bitext, layer=(1,)), out=out)
    (bitext / "v1" / "tatoeba.xyz-eng.eng").write_text("one\ntwo\n")
    (bitext / "v1" / "tatoeba.xyz-eng.xyz").write_text("yksi\n")
    with pytest.raises(TaskDataError, match="rows|lines"):
        scored(tatoeba(tiny_folder, bitext, layer=(1,)), out=out)
    assert {row.language for row in read_results(out)} == {"krl"}


def test_removes_what_a_killed_reading_left_half_written(scored, tiny_folder, bitext, tmp_path):
    out = tmp_path / "killed"
    scored(tatoeba(tiny_folder, bitext), out=out)
    whole = {path for path in out.rglob("*") if path.is_file()}
    for name in (
        ".results.json.a1.partial",
        "predictions/.test-krl.tsv.b2.partial",
        "units/tatoeba/.test-krl.npy.c3.partial",
    ):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(b"half")
    scored(tatoeba(tiny_folder, bitext), out=out)
    assert {path for path in out.rglob("*") if path.is_file()} == whole


def test_plans_without_reading_a_sentence(scored, tiny_folder, bitext):
    assert scored(tatoeba(tiny_folder, bitext), dry_run=True)["planned"] == [
        {"task": "tatoeba", "language": "krl", "split": "test"}
    ]


def test_leaves_a_folder_alone_that_holds_other_scores(scored, trained, tiny_folder, bitext, tmp_path):
    first, second = trained(out="first"), trained(out="second", training__seed=2)
    before = {path: path.read_bytes() for path in second.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="another configuration"):
        scored(tatoeba(tiny_folder, bitext), out=second)
    with pytest.raises(UsageError, match="another configuration"):
        scored(evaluation(run=first, trunk=None, tasks=("tatoeba",), data=(str(bitext),)), out=second)
    assert {path: path.read_bytes() for path in second.rglob("*") if path.is_file()} == before
    for _ in range(2):  # a folder of its own may be written to again
        scored(evaluation(run=first, trunk=None, tasks=("tatoeba",), data=(str(bitext),)), out=tmp_path / "own")


def test_says_at_once_that_a_task_needs_a_head(scored, tiny_folder, bitext):
    request = tatoeba(tiny_folder, bitext, tasks=("tatoeba", "xnli"))
    with pytest.raises(UsageError, match="needs a head"):
        scored(request, out=bitext / "out")
    assert not (bitext / "out").exists()


def test_says_which_files_were_looked_for_where_there_are_none(scored, trained, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(TaskDataError, match=r"no file for the test split of 'xnli'; looked for .*xnli"):
        scored(evaluation(run=trained(out="run"), trunk=None, tasks=("xnli",), data=(str(tmp_path / "empty"),)))


def test_scores_again_what_was_scored_on_other_data(scored, trained, rows, tmp_path):
    run = trained(out="run")
    first, other = tmp_path / "first.jsonl", tmp_path / "other.jsonl"
    first.write_text("".join(json.dumps(row) + "\n" for row in rows("nli", 6, 3000)), encoding="utf-8")
    other.write_text("".join(json.dumps(row) + "\n" for row in rows("nli", 9, 4000)), encoding="utf-8")

    def ask(path):
        return evaluation(run=run, trunk=None, tasks=("nli",), languages=("sw",), data=(f"test={path}",))

    assert [row["n"] for row in scored(ask(first))["results"]] == [6]
    assert [row["n"] for row in scored(ask(other))["results"]] == [9]
    other.rename(tmp_path / "moved.jsonl")
    before = (run / "predictions/nli/test-sw.tsv").stat().st_mtime_ns
    assert [row["n"] for row in scored(ask(tmp_path / "moved.jsonl"))["results"]] == [9]
    assert (run / "predictions/nli/test-sw.tsv").stat().st_mtime_ns == before


def test_predicts_what_has_no_labels_and_scores_none_of_it(scored, trained, tmp_path):
    run = trained("nli")
    path = tmp_path / "download" / "xnli" / "test-sw.tsv"
    path.parent.mkdir(parents=True)
    ask = evaluation(run=run, trunk=None, tasks=("xnli",), data=(str(tmp_path / "download"),))
    path.write_bytes(b"a\tb\tneutral\r\nc\td\tentailment\r\n")
    assert [row["n"] for row in scored(ask)["results"] if row["metric"] == "accuracy"] == [2]
    path.write_bytes(b"a\tb\r\nc\td\r\ne\tf\r\n")
    found = scored(ask)
    assert found["results"] == []
    (predicted,) = found["predicted"]
    assert (predicted["task"], predicted["language"], predicted["n"]) == ("xnli", "sw", 3)
    written = (run / predicted["predictions"]).read_text().split()
    assert len(written) == 3
    assert set(written) <= {"contradiction", "entailment", "neutral"}
    # the earlier score is kept, and the predictions it was made of
    (kept,) = (row for row in read_results(run) if (row.task, row.split, row.metric) == ("xnli", "test", "accuracy"))
    assert (kept.n, kept.paths["predictions"]) == (2, "predictions/xnli/test-sw.tsv")
    assert len((run / kept.paths["predictions"]).read_text().split()) == 2


def test_answers_the_questions_of_xtremes_download_whose_answers_are_emptied(scored, trained, tmp_path):
    run = trained("qa")
    questions = [{"id": id, "question": "Wo?", "answers": [{"text": "", "answer_start": 0}]} for id in ("a", "b")]
    document = {"data": [{"title": "t", "paragraphs": [{"context": "Ada sang in Berlin.", "qas": questions}]}]}
    (tmp_path / "xquad.de.json").write_text(json.dumps(document))
    found = scored(
        evaluation(run=run, trunk=None, tasks=("xquad",), data=(str(tmp_path),), languages=("de",), protocol="xtreme")
    )
    assert found["results"] == []
    answers = json.loads((run / found["predicted"][0]["predictions"]).read_text())
    assert set(answers) == {"a", "b"}
    assert all(text in "Ada sang in Berlin." for text in answers.values())

"""Rows without labels: the same predictions as `eval` has, probabilities by hand, nothing lost, and every layout."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from adapter_stilts.config.load import load
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.formats.base import Cut, Rules, formats
from adapter_stilts.formats.reading import is_predicted
from adapter_stilts.formats.squad import SpanQuestion
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.predict import Asked, Predictor, Source, predict
from adapter_stilts.runs.subject import Request, subject_of

TEXTS = ("Anna bought 3 books in Rome on Monday.", "Ben bought 4 cats in Paris on Monday.")
CALLED = {"ner": "test-sw"}  # what files of a test split may be called, where not just test


@pytest.fixture
def predicted(tmp_path):
    """`predicted(run, file, ...)` predicts and returns (answers, the document); with `out` the answers are text."""

    def make(run, file, out=None, report=None, task="", settings=(), **how):
        config = load(None, settings)
        screen = io.StringIO()
        path = tmp_path / out if out else None
        where = {"out": path, "screen": screen, "runs": tmp_path, "json_lines": out is None}
        document = predict(Asked(config, run, task), file, **where, report=report or Silent(), **how)
        if path:
            return path.read_text("utf-8"), document
        return [json.loads(line) for line in screen.getvalue().splitlines()], document

    return make


def test_gives_the_label_and_the_softmax_of_the_models_own_logits(trained, write, predicted, tmp_path):
    run = trained("single", "run")
    file = write(
        "new.jsonl", "".join(json.dumps({"text": text, "uid": f"t{n}"}) + "\n" for n, text in enumerate(TEXTS))
    )
    answers, document = predicted(run, file.rename(file.with_name("new.ndjson")))
    source = Source.of(Asked(RunConfig(), run))
    predictor = Predictor.of(source, subject_of(Request(RunConfig(), (), run), None, tmp_path))
    tokenizer, model = predictor.model.encoder.trunk.tokenizer, predictor.model
    for text, answer in zip(TEXTS, answers, strict=True):
        batch = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            (row,) = model(batch)
        shares = [math.exp(value) / sum(math.exp(other) for other in row.tolist()) for value in row.tolist()]
        assert answer["text"] == text
        assert list(answer["probabilities"]) == ["trade", "travel"]
        assert list(answer["probabilities"].values()) == pytest.approx(shares, abs=1e-5)
        assert answer["label"] == ("trade", "travel")[row.argmax()]
        assert answer["probability"] == max(answer["probabilities"].values())
    assert document["rows"] == 2


@pytest.mark.parametrize("task", ["nli", "single", "ner", "choice", "qa"])
def test_predicts_what_an_evaluation_of_the_same_rows_predicts(trained, data, predicted, task, tmp_path):
    run = trained(task, "run", training__max_steps=8)
    (_, validation) = data(task)
    path = validation.partition("=")[2]
    answers, _ = predicted(run, Path(path))
    chosen = load(None, [f"data.sources=test={path}"])
    where = {"out": None, "runs": tmp_path, "overwrite": False, "dry_run": False, "report": Silent()}
    evaluate(Request(chosen, (task,), run), **where)
    (stored,) = (run / "predictions" / task).glob("test-*")
    if task == "qa":
        kept = json.loads(stored.read_text())
        assert {answer["id"]: answer["answer"] for answer in answers} == kept
        contexts = {
            qa["id"]: row for row in json.loads(Path(path).read_text())["data"][0]["paragraphs"] for qa in row["qas"]
        }
        for answer in answers:
            assert contexts[answer["id"]]["context"][answer["start"] : answer["end"]] == answer["answer"]
            assert 0 < answer["probability"] <= 1
    elif task == "ner":
        sentences = [block.splitlines() for block in stored.read_text().strip().split("\n\n")]
        assert [answer["tags"] for answer in answers] == [
            [line.split("\t")[-1] for line in block] for block in sentences
        ]
        assert all(len(answer["words"]) == len(answer["tags"]) == len(answer["probabilities"]) for answer in answers)
    else:
        kept = stored.read_text().splitlines()
        kept = [str(json.loads(line)["label"]) for line in kept] if task == "choice" else kept
        assert [str(answer["label"]) for answer in answers] == kept


def test_writes_csv_under_a_header_that_reads_back(trained, write, predicted):
    run = trained("single", "run")
    text = 'He said "no, never",\nthen left.'
    file = write("new.jsonl", json.dumps({"id": "a", "text": text}) + "\n")
    written, _ = predicted(run, file, "labels.csv")
    (header, row) = csv.reader(io.StringIO(written))
    assert header == ["id", "text", "label", "probability"]
    assert row[:2] == ["a", text]
    assert row[2] in ("trade", "travel")
    tabbed, _ = predicted(run, file, "labels.tsv")
    assert tabbed.splitlines()[1].split("\t")[1] == 'He said "no, never", then left.'


@pytest.mark.parametrize("task", ["nli", "single", "ner", "choice", "qa"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
def test_writes_what_no_folder_of_data_takes_for_gold(trained, data, predicted, tmp_path, task, ending):
    run, folder, name = trained(task, "run"), tmp_path / "data", f"{CALLED.get(task, 'test')}{ending}"
    path = Path(data(task)[1].partition("=")[2])
    folder.mkdir()
    predicted(run, path, f"data/{name}")
    assert is_predicted(folder / name)
    asked = Request(load(None, [f"data.sources={folder}"]), (task,), run)
    where = {"out": None, "runs": tmp_path, "overwrite": False, "dry_run": False, "report": Silent()}
    with pytest.raises(TaskDataError, match="no file for the test split"):
        evaluate(asked, **where)
    moved = folder / f"test.sw{ending}.gz"
    moved.write_bytes(gzip.compress((folder / name).read_bytes()))
    (folder / name).unlink()
    assert is_predicted(moved)
    (folder / f"en.test{path.suffix}").write_bytes(path.read_bytes())
    assert {row.language for row in evaluate(asked, **where).results} == {"en"}


def test_names_predictions_that_lie_where_gold_was_looked_for(trained, write, predicted, heard, tmp_path):
    run = trained("single", "run")
    file = write("new.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    (tmp_path / "data").mkdir()
    predicted(run, file, "data/test.tsv")
    where = {"out": None, "runs": tmp_path, "overwrite": False, "dry_run": False, "report": heard}
    with pytest.raises(TaskDataError, match="left out, since `predict` wrote it: test.tsv"):
        evaluate(Request(load(None, [f"data.sources={tmp_path / 'data'}"]), ("single",), run), **where)
    named = Request(load(None, [f"data.sources=test={tmp_path / 'data/test.tsv'}"]), ("single",), run)
    assert evaluate(named, **where).results[0].score == 1
    assert "single (test): test.tsv: its labels are predictions, which `predict` wrote" in heard.lines


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "id\ttext\tlabel\n"),
        ("a.tsv", "id\ttext\tlabel\tprobability\tannotator\n"),
        ("a.csv", "text,id,label,probability\n"),
        ("a.jsonl", '{"id": "1", "text": "a", "label": "b"}\n'),
        ("a.jsonl", "{}\n"),
        ("a.jsonl", "{broken\n"),
        ("a.tsv", ""),
    ],
)
def test_takes_no_file_with_other_columns_for_predictions(write, name, text):
    assert not is_predicted(write(name, text))


def test_tells_of_cells_that_a_tsv_cannot_hold(trained, write, predicted, heard):
    run = trained("single", "run")
    file = write("new.jsonl", json.dumps({"text": "a\tb"}) + "\n")
    predicted(run, file, "labels.tsv", report=heard)
    assert "1 cells had tabs or line breaks" in "\n".join(heard.lines)


def test_gives_tags_a_row_a_word(trained, write, predicted):
    run = trained("ner", "run")
    written, _ = predicted(run, write("new.txt", "Anna sings, in Rome.\nBen sleeps.\n"), "tags.csv")
    header, *rows = csv.reader(io.StringIO(written))
    assert header == ["id", "position", "word", "tag", "probability"]
    words = ["Anna", "sings", ",", "in", "Rome", ".", "Ben", "sleeps", "."]
    assert [row[2] for row in rows] == words
    assert [row[:2] for row in rows][:7] == [["1", str(n)] for n in range(1, 7)] + [["2", "1"]]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("words.txt", "Anna\nsings\n\nBen\n", [["Anna", "sings"], ["Ben"]]),
        ("tagged.conll", "Anna\t?\nsings\tB-WHAT\n\nBen\t_\n", [["Anna", "sings"], ["Ben"]]),
        ("half.conll", "Anna B-PER\nsings\n\nBen O\n", [["Anna", "sings"], ["Ben"]]),
        ("bare.conllu", "1\tAnna\t_\t_\t_\t_\t0\troot\t_\t_\n2\tsings\t_\t_\t_\t_\t1\tx\t_\t_\n", [["Anna", "sings"]]),
        ("rows.jsonl", '{"tokens": ["Anna", "sings"], "tags": ["?"]}\n', [["Anna", "sings"]]),
        ("text.csv", "id,text\n1,Anna sings\n", [["Anna", "sings"]]),
        ("text.jsonl", '{"text": "Katze, 猫だ."}\n', [["Katze", ",", "猫", "だ", "."]]),
        ("hindi.txt", "बिल्ली सोती है।\nवह\n", [["बिल्ली", "सोती", "है", "।"], ["वह"]]),
    ],
)
def test_reads_words_to_tag_in_every_layout_and_loses_none(trained, write, predicted, name, text, words):
    answers, _ = predicted(trained("ner", "run"), write(name, text))
    assert [answer["words"] for answer in answers] == words
    assert all(len(answer["tags"]) == len(answer["words"]) for answer in answers)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", "text,label\nOne.,?\nTwo.,\n"),
        ("rows.tsv", "text\tlabel\nOne.\t-1\nTwo.\tnone\n"),
        ("bare.tsv", "One.\nTwo.\n"),
        ("bare.txt", "One.\nTwo.\n"),
        ("rows.json", '[{"text": "One.", "label": null}, {"text": "Two."}]'),
        ("rows.jsonl", '{"sentence": "One."}\n\n{"sentence": "Two."}\n'),
    ],
)
def test_reads_texts_in_every_layout_whatever_stands_for_their_labels(trained, write, predicted, name, text):
    answers, _ = predicted(trained("single", "run"), write(name, text))
    assert [answer["text"] for answer in answers] == ["One.", "Two."]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_takes_a_line_of_text_with_its_quotation_marks_and_unquotes_the_cells_of_tables(
    trained, write, predicted, end
):
    run, lines = trained("single", "run"), ['"One."', '"She said ""two""."', '"Three."']
    text = end.join(lines) + end
    answers, _ = predicted(run, write("new.txt", text))
    assert [answer["text"] for answer in answers] == lines
    for table in ("new.tsv", "new.csv"):
        answers, _ = predicted(run, write(table, f'"text"{end}{text}'))
        assert [answer["text"] for answer in answers] == ["One.", 'She said "two".', "Three."]


def test_reads_lines_with_the_parts_of_a_row_between_tabs(trained, predicted):
    answers, _ = predicted(trained("nli", "run"), iter([b"One.\tTwo.\n", b"\n", b"Three.\tFour."]))
    assert [(answer["id"], answer["text"], answer["pair"]) for answer in answers] == [
        ("1", "One.", "Two."),
        ("3", "Three.", "Four."),
    ]
    answers, _ = predicted(trained("choice", "other"), [b"It rained.\tA.\tB.\n"])
    assert answers[0]["answer"] in ("A.", "B.")
    answers, _ = predicted(trained("qa", "third"), [b"Who?\tAnna sleeps.\n"])
    assert "Anna sleeps."[answers[0]["start"] : answers[0]["end"]] == answers[0]["answer"]


def test_chooses_among_any_number_of_choices(trained, write, predicted):
    rows = [
        {"premise": "It rained.", "choices": choices} for choices in (["A", "B", "C"], ["A", "B"], list("ABCDEFGHIJKL"))
    ]
    file = write("new.jsonl", "\n".join(map(json.dumps, rows)))
    answers, _ = predicted(trained("choice", "run"), file)
    assert [len(answer["probabilities"]) for answer in answers] == [3, 2, 12]
    assert all(answer["answer"] == answer["choices"][answer["label"]] for answer in answers)


def test_remembers_the_columns_of_the_run_and_takes_others_where_they_are_named(trained, write, predicted, rows):
    renamed = [{"satz": row["text"], "klasse": row["label"]} for row in rows("single", 24)]
    train = write("train.jsonl", "".join(json.dumps(row) + "\n" for row in renamed))
    columns = {"text": "satz", "label": "klasse"}
    run = trained("single", "run", data__sources=[f"train={train}", f"validation={train}"], task__columns=columns)
    file = write("new.jsonl", '{"satz": "One.", "content": "no"}\n')
    assert predicted(run, file)[0][0]["text"] == "One."
    assert predicted(run, write("usual.jsonl", '{"text": "Two."}\n'))[0][0]["text"] == "Two."
    named = ["task.columns.text=content"]
    assert predicted(run, file, settings=named)[0][0]["text"] == "no"
    with pytest.raises(TaskDataError, match="no column 'inhalt'"):
        predicted(run, file, settings=["task.columns.text=inhalt"])


BAD = b'{"text": "One."}\n{"text": \n\xff\xfe\n{"text": ""}\n{"text": 7}\n{"other": "x"}\n{"text": "Two."}\n'


def test_refuses_the_first_row_that_cannot_be_read_before_anything_is_predicted(trained, write, predicted, tmp_path):
    run = trained("single", "run")
    with pytest.raises(TaskDataError, match=r"not valid JSON(.|\n)*line 2(.|\n)*--skip-bad"):
        predicted(run, write("new.jsonl", BAD), "labels.csv")
    assert not (tmp_path / "labels.csv").exists()


def test_leaves_out_what_cannot_be_read_by_name_and_keeps_the_numbers_of_the_others(trained, write, predicted, heard):
    answers, document = predicted(trained("single", "run"), write("new.jsonl", BAD), skip_bad=True, report=heard)
    assert [(answer["id"], answer["text"]) for answer in answers] == [("0", "One."), ("6", "Two.")]
    places = [row["where"].rpartition("new.jsonl, ")[2] for row in document["left_out"]]
    assert [place.split(",")[0] for place in places] == ["line 2", "line 3", "row '3'", "line 5", "line 6"]
    assert len([line for line in heard.lines if line.startswith("left out: ")]) == 5
    assert "5 rows are left out, 2 are predicted" in heard.lines


def test_says_what_is_cut(trained, write, predicted, heard):
    file = write("new.jsonl", json.dumps({"text": "Anna bought apples. " * 60}) + "\n" + '{"text": "Short."}\n')
    _, document = predicted(trained("single", "run"), file, report=heard)
    assert document["cut"] == 1
    assert "1 rows are longer than the 64 tokens that are read; their ends were cut" in heard.lines


def test_says_that_the_run_did_not_learn(trained, write, predicted, heard):
    run = trained("single", "run", data__sources=flat_rows(write), training__max_steps=1)
    predicted(run, write("new.csv", "text\nOne.\n"), report=heard)
    assert any("did not learn" in line for line in heard.lines)


def flat_rows(write):
    """Texts that say nothing of their labels."""
    rows = [json.dumps({"text": f"Text {n}", "label": "ab"[n * n % 7 % 2]}) for n in range(60)]
    file = write("flat.jsonl", "\n".join(rows))
    return [f"train={file}", f"validation={file}"]


def test_holds_a_few_rows_at_once(trained, tmp_path):
    source = Source.of(Asked(RunConfig(), trained("single", "run")))
    predictor = Predictor.of(source, subject_of(Request(RunConfig(), (), tmp_path / "run"), None, tmp_path))
    given = 0

    def lines():
        nonlocal given
        for given in range(1, 1001):
            yield f"Text {given}."

    answers = predictor.answers(source.lines(lines()), at_once=10)
    assert next(answers)["id"] == "1"
    assert given == 10


def test_refuses_what_it_cannot_write_and_what_is_there(trained, write, predicted, tmp_path):
    run, file = trained("single", "run"), write("new.csv", "text\nOne.\n")
    with pytest.raises(UsageError, match="written as .jsonl, .ndjson, .csv, .tsv"):
        predicted(run, file, "labels.xlsx")
    with pytest.raises(UsageError, match="take the place of the file that is read"):
        predicted(run, file, "new.csv", overwrite=True)
    write("there.csv", "mine\n")
    with pytest.raises(UsageError, match="there already(.|\n)*--overwrite"):
        predicted(run, file, "there.csv")
    assert (tmp_path / "there.csv").read_text() == "mine\n"
    assert predicted(run, file, "there.csv", overwrite=True)[0].startswith("id,text,label,probability\n")


def test_asks_which_head_of_several_answers(trained, predicted, write):
    run = trained("nli,single", "run")
    file = write("new.csv", "text\nOne.\n")
    with pytest.raises(UsageError, match="the run has 2 heads: nli, single(.|\n)*--task"):
        predicted(run, file)
    answers, document = predicted(run, file, task="single")
    assert (answers[0]["label"] in ("trade", "travel"), document["head"]) == (True, "single")


def test_predicts_by_a_task_that_a_file_described_though_the_file_is_gone(trained, write, predicted, data):
    file = write("mine.yaml", "name: mine\nformat: single\ncolumns: {text: satz}\nlanguages: [de]\n")
    rows = "".join(json.dumps({"satz": f"Text {n}", "label": "ab"[n % 2]}) + "\n" for n in range(24))
    train = write("train.jsonl", rows)
    run = trained(str(file), "run", data__sources=[f"train={train}", f"validation={train}"])
    file.unlink()
    answers, document = predicted(run, write("new.jsonl", '{"satz": "Eins.", "content": "no"}\n'))
    assert (answers[0]["text"], document["task"]) == ("Eins.", "mine")
    assert predicted(run, write("again.jsonl", '{"satz": "Zwei."}\n'), task="mine")[0][0]["text"] == "Zwei."


def test_refuses_a_run_that_tells_nothing_of_a_row(trained, write, predicted):
    with pytest.raises(UsageError, match="of format 'text' \\(mlm\\) predicts nothing"):
        predicted(trained("mlm", "run"), write("new.txt", "One.\n"))


def test_refuses_a_file_without_a_row(trained, write, predicted):
    with pytest.raises(TaskDataError, match="no row that can be predicted"):
        predicted(trained("single", "run"), write("new.jsonl", '{"text": ""}\n'), skip_bad=True)


@pytest.mark.parametrize(("null", "answer", "start"), [(9.0, "", None), (1.0, "Anna", 1)])
def test_says_where_an_answer_stands_or_that_there_is_none(tokenizer, null, answer, start):
    format, example = formats["span"], SpanQuestion("q", "Who?", " Anna sleeps.", ())
    (feature,) = features = format.features([example], tokenizer, Cut(64))
    logits = np.zeros((len(feature.input_ids), 2), dtype=np.float32)
    inside = [place for place, (first, last) in enumerate(feature.offsets) if first >= 1 and last <= 5]
    logits[0] = null
    logits[inside[0], 0] = logits[inside[-1], 1] = 5.0
    (told,) = format.answers([example], features, [logits], Rules(unanswerable=True))
    assert (told["answer"], told["start"]) == (answer, start)
    shares = np.exp(logits) / np.exp(logits).sum(0)
    best = shares[0].prod() if start is None else shares[inside[0], 0] * shares[inside[-1], 1]
    assert told["probability"] == pytest.approx(best, abs=1e-6)

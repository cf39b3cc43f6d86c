"""The language of a run's rows is asked for or found in its files, never assumed; and what a run's task was read with
is remembered when it is scored."""

import json
from pathlib import Path

import pytest
import yaml
from asking import evaluation

from adapter_stilts.errors import UsageError
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.sharing.manifest import read_manifest
from adapter_stilts.tasks.reading.files import find, language_told, languages_in
from adapter_stilts.tasks.user import find_task


@pytest.fixture
def scored(tmp_path):
    def call(request):
        asked = {"out": None, "runs": tmp_path, "overwrite": False, "dry_run": False, "report": Silent()}
        return evaluate(request, **asked).to_json()

    return call


@pytest.fixture
def nli(tmp_path, rows):
    """Write rows of NLI, with other names of their fields or further ones; returns --data's word for them."""

    def make(name, split="train", start=0, rename=None, **more):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        named = [{(rename or {}).get(key, key): value for key, value in row.items()} for row in rows("nli", 8, start)]
        path.write_text("".join(json.dumps({**row, **more}) + "\n" for row in named), encoding="utf-8")
        return f"{split}={path}"

    return make


@pytest.mark.parametrize(
    ("name", "more", "language"),
    [
        ("sw.train.jsonl", {}, "sw"),
        ("nli.swa.train.jsonl", {}, "sw"),
        ("rows.jsonl", {"lang": "swh"}, "sw"),
        ("rows.jsonl", {}, "und"),
        ("nli.train.jsonl", {}, "und"),
        ("new.train.jsonl", {}, "und"),
        ("nli.train.sw.jsonl", {}, "sw"),
        ("my.data.is.jsonl", {}, "und"),
        ("rows.jsonl", {"language": "java"}, "und"),
    ],
)
def test_finds_the_language_in_name_or_column_and_says_it_on_the_card(trained, nli, heard, name, more, language):
    run = trained("nli", data__sources=(nli(name, **more),), report=heard)
    assert read_manifest(run).language == language
    assert f"source language {language}," in (run / "README.md").read_text()
    untold = [line for line in heard.lines if "tells the language of the rows" in line]
    assert len(untold) == (language == "und")


def test_finds_the_language_of_tags_by_the_folder_they_lie_in(trained, tmp_path):
    path = tmp_path / "swa" / "train.txt"
    path.parent.mkdir()
    path.write_text("Anna B-PER\nanaimba O\n\n" * 6)
    assert read_manifest(trained("ner", data__sources=(f"train={path}",))).language == "sw"


def test_takes_the_language_that_is_asked_for(trained, nli):
    run = trained("nli", data__sources=(nli("de.train.jsonl"),), data__language=("sw",))
    assert read_manifest(run).language == "sw"


def test_trains_on_the_one_language_of_a_folder_and_asks_which_of_several(trained, nli, tmp_path):
    nli("rows/sw.train.jsonl")
    run = trained("nli", data__sources=(str(tmp_path / "rows"),))
    assert read_manifest(run).language == "sw"
    nli("rows/de.train.jsonl")
    with pytest.raises(UsageError, match=r"several languages: de, sw(.|\n)*--language sw"):
        trained("nli", data__sources=(str(tmp_path / "rows"),))


def test_scores_a_file_that_tells_no_language_in_that_of_the_run(scored, trained, nli):
    run = trained("nli", data__sources=(nli("sw.train.jsonl"),))
    ask = {"run": run, "trunk": None, "tasks": ("nli",)}
    for file, language in (("t.jsonl", "sw"), ("de.test.jsonl", "de")):
        (row,) = scored(evaluation(**ask, data=(nli(file, "test", 40),)))["results"]
        assert row["language"] == language
    (row,) = scored(evaluation(**ask, data=(nli("t.jsonl", "test", 80),), languages=("tr",)))["results"]
    assert row["language"] == "tr"


def test_remembers_the_columns_of_a_run_unless_others_are_asked_for(scored, trained, nli):
    ours = {"premise": "satz", "hypothesis": "these", "label": "urteil"}
    columns = {f"task__columns__{field}": column for field, column in ours.items()}
    run = trained("nli", data__sources=(nli("de.train.jsonl", rename=ours),), **columns)
    ask = {"run": run, "trunk": None, "tasks": ("nli",)}
    (row,) = scored(evaluation(**ask, data=(nli("de.test.jsonl", "test", 40, rename=ours),)))["results"]
    assert (row["n"], row["language"]) == (8, "de")


def test_remembers_the_label_names_of_a_task_file_that_is_gone(scored, trained, nli, tmp_path):
    names = {"entailment": "ja", "neutral": "weiss nicht", "contradiction": "nein"}
    described = {"name": "folgt", "format": "pair", "labels": list(names), "train_language": "de"}
    file = tmp_path / "folgt.yaml"
    file.write_text(yaml.safe_dump(described | {"label_names": {name: label for label, name in names.items()}}))

    def foreign(name, split):
        path = Path(nli(name, split).partition("=")[2])
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        text = "".join(json.dumps({**line, "label": names[line["label"]]}) + "\n" for line in lines)
        path.write_text(text)
        return f"{split}={path}"

    run = trained(str(file), data__sources=(foreign("train.jsonl", "train"),))
    file.unlink()
    (row,) = scored(evaluation(run=run, trunk=None, tasks=("folgt",), data=(foreign("t.jsonl", "test"),)))["results"]
    assert (row["task"], row["n"], row["language"]) == ("folgt", 8, "de")


@pytest.mark.parametrize(
    ("name", "column", "language"),
    [("sw.train.csv", "", "sw"), ("test.sw.csv", "", "sw"), ("nli.test.sw.csv", "", "sw"), ("r.csv", "language", "sw")],
)
def test_finds_the_language_of_a_csv_as_of_any_table(tmp_path, name, column, language):
    path = tmp_path / name
    path.write_text(f"premise,hypothesis,label,{column or 'more'}\na,b,neutral,sw\n")
    assert language_told(find_task("nli"), [path]) == language


def test_finds_csv_files_in_a_folder(tmp_path):
    for name in ("train.csv", "dev.csv", "test.de.csv"):
        (tmp_path / name).write_text("text,label\na,x\nb,y\n")
    task = find_task("single")
    assert [path.name for group in find(task, "train", "en", tmp_path) for path in group.paths] == ["train.csv"]
    assert languages_in(task, "test", tmp_path) == ("de",)

"""A user's own task in YAML, its mistakes, and settings over a task."""

import json
from pathlib import Path

import pytest

from adapter_stilts.errors import ConfigError, MissingError, UnknownName
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.tasks.base import tasks
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import load
from adapter_stilts.tasks.user import find_task, task_from_yaml

CONFIGS = Path(__file__).parents[2] / "configs" / "tasks"


def test_sets_columns_labels_and_ignored_labels_over_a_task():
    task = find_task(
        "nli", {"name": "nli", "columns": {"premise": "a"}, "labels": ("no", "yes"), "ignore_labels": ("?",)}
    )
    assert (task.source.columns, task.labels, task.source.ignore_labels) == (
        {"premise": "a"},
        ("no", "yes"),
        ("-", "?"),
    )
    assert find_task("nli", {"columns": {}, "ignore_labels": ()}) == tasks["nli"]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_reads_every_ready_made_task(path):
    task = find_task(str(path))
    assert task.name == path.stem
    assert path.read_text(encoding="utf-8").startswith("#")
    assert f"adapter-stilts train configs/tasks/{path.name}" in path.read_text(encoding="utf-8")
    assert load(task, "test", task.train_language, Where("miniature")).examples


def test_reads_the_files_of_the_ready_made_tasks(write, tmp_path):
    row = (
        '{"index": "dev-0", "premise": "P.", "ask-for": "cause", "hypothesis1": "A.", "hypothesis2": "B.", "label": '
        "0}\n"
    )
    write("ecare.en.train.jsonl", row)
    loaded = load(find_task(str(CONFIGS / "ecare.yaml")), "train", "en", Where(folder=tmp_path))
    assert loaded.examples == [MultipleChoice("dev-0", "P. What was the cause?", ("A.", "B."), 0)]
    write("train.tsv", "besprechung\tnote\nSehr schön.\tgut\nNaja.\tunklar\nSchlimm.\tschlecht\n")
    loaded = load(find_task(str(CONFIGS / "german_sentiment.yaml")), "train", "de", Where(folder=tmp_path))
    assert loaded.examples == [
        Classified("0", "Sehr schön.", None, "positive"),
        Classified("2", "Schlimm.", None, "negative"),
    ]


def test_fills_in_the_metric_and_length_of_the_format(write):
    task = task_from_yaml(write("own.yaml", "name: own\nformat: span\nmetric: squad_v2\n"))
    assert (task.metric, task.max_length, task.unanswerable) == ("squad_v2", 384, True)
    assert task_from_yaml(write("own.yaml", "name: own\nformat: tags\n")).metric == "chunk_f1"


def test_takes_numbers_for_labels_as_text(write):
    task = task_from_yaml(
        write("own.yaml", "name: own\nformat: pair\nlabels: [0, 1]\nlabel_names: {2: 1}\nlanguages: de sw\n")
    )
    assert (task.labels, task.source.label_names, task.languages) == (("0", "1"), {"2": "1"}, ("de", "sw"))


def test_reports_all_mistakes_at_once_with_the_nearest_keys(write):
    path = write("own.yaml", "nam: own\nformat: pairs\nfilez: {train: a.tsv}\nmax_length: 2\n")
    with pytest.raises(ConfigError) as caught:
        task_from_yaml(path)
    message = str(caught.value)
    assert "unknown key 'nam' (did you mean 'name'?)" in message
    assert "unknown key 'filez' (did you mean 'files'?)" in message
    assert "'name' is missing" in message
    assert "format: input should be 'aligned', 'choice', 'pair', 'pools', 'ranking', 'single', 'span'" in message
    assert "max_length: input should be greater than or equal to 8" in message
    assert "own.yaml" in message


def test_reports_what_does_not_go_together(write):
    path = write("own.yaml", "name: own\nformat: pair\nmetric: squad\ncolumns: {premice: a}\ntrain_task: mnlo\n")
    with pytest.raises(ConfigError) as caught:
        task_from_yaml(path)
    message = str(caught.value)
    assert "metric: 'squad' does not suit the format 'pair' (one of: accuracy, accuracy_f1)" in message
    assert "columns.premice: no field of a 'pair' task called 'premice' (did you mean 'premise'?" in message
    assert "train_task: no task called 'mnlo' (did you mean 'mnli'?)" in message
    with pytest.raises(ConfigError, match="'squad' is of format 'span', not 'pair'"):
        task_from_yaml(write("own.yaml", "name: own\nformat: pair\ntrain_task: squad\n"))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a: [", "not valid YAML"),
        ("name: own\nformat: pair\nname: other\n", r"name: stands here a second time \(line 3\)"),
        ("- a\n", "holds keys and values"),
        ("name: own\nformat: pair\nfiles: {dev: a}\n", "files.dev"),
    ],
)
def test_refuses_a_file_that_is_no_task(write, text, match):
    with pytest.raises(ConfigError, match=match):
        task_from_yaml(write("own.yaml", text))


def test_refuses_a_missing_file_and_an_unknown_task(tmp_path):
    with pytest.raises(MissingError, match=r"no such task file(.|\n)*none.yaml"):
        find_task(str(tmp_path / "none.yaml"))
    with pytest.raises(UnknownName, match="did you mean 'xnli'"):
        find_task("xnlii")


def test_reads_a_data_set_of_the_hub_that_a_task_file_names(write):
    hub = "{id: me/data, config: 'x.{l}', revision: refs/convert/parquet, splits: {test: dev}}"
    task = task_from_yaml(write("own.yaml", f"name: own\nformat: pair\nhub: {hub}\n"))
    (hub,) = task.source.hubs
    assert (hub.id, hub.config, hub.revision, hub.splits) == (
        "me/data",
        "x.{l}",
        "refs/convert/parquet",
        {"test": "dev"},
    )
    with pytest.raises(ConfigError, match=r"unknown key 'hub.revison' \(did you mean 'revision'\?\)"):
        task_from_yaml(write("own.yaml", "name: own\nformat: pair\nhub: {id: me/data, revison: a}\n"))


def test_refuses_a_miniature_data_set_of_another_format(write):
    with pytest.raises(ConfigError, match=r"miniature: 'qa' is no data set of the format 'pair' \(one of: (.*, )?nli,"):
        task_from_yaml(write("own.yaml", "name: own\nformat: pair\nminiature: qa\n"))


@pytest.mark.parametrize("pattern", ["../secret.jsonl", "a/../../b", "/etc/passwd", " ", "", "*" * 5, "a\0", "a" * 301])
def test_names_files_below_the_folder_by_patterns_of_a_bounded_size(write, pattern):
    path = write("own.yaml", f"name: own\nformat: pair\nfiles: {{train: [{json.dumps(pattern)}]}}\n")
    with pytest.raises(ConfigError, match="should be a file's name below the folder of data"):
        task_from_yaml(path)

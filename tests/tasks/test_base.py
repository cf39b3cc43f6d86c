"""Tasks as data: what is registered, and the classes of a head."""

import pytest

from adapter_stilts.errors import TaskDataError, UnknownName
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.tags import UPOS, Tagged
from adapter_stilts.miniature.datasets import DATASETS
from adapter_stilts.tasks.base import NLI_LABELS, all_tasks, labels_of, tasks
from adapter_stilts.tasks.source import splits

FORMATS = {"nli", "paraphrase", "pair", "single", "pos", "ner", "qa", "qa2", "choice", "mlm", "bitext"}
TARGETS = {
    "tatoeba",
    "bucc2018",
    "xnli",
    "mnli",
    "pawsx",
    "udpos",
    "panx",
    "xquad",
    "squad",
    "squad_v2",
    "xcopa",
    "copa",
    "hellaswag",
}


def test_registers_formats_and_targets_by_name():
    assert {task.name for task in all_tasks()} >= FORMATS | TARGETS
    assert tasks["bucc"] is tasks["bucc2018"]


def test_suggests_the_nearest_task():
    with pytest.raises(UnknownName, match=r"no task called 'tatoba'(.|\n)*did you mean 'tatoeba'"):
        tasks["tatoba"]


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_describes_every_task_without_contradiction(task):
    assert task.metric in task.format.metrics
    assert task.summary
    assert set(task.source.files) <= {"train", "validation", "test"}
    assert all(len(set(names)) == len(names) for names in task.source.files.values())
    assert not task.train_task or (tasks[task.train_task].format.name, tasks[task.train_task].labels) == (
        task.format.name,
        task.labels,
    )
    assert not task.languages or task.retrieval or task.train_task or task.train_language in task.languages
    assert task.retrieval or task.has_split("train")
    if task.source.miniature:
        assert DATASETS[task.source.miniature].format == task.format.name
        assert task.labels is None or set(DATASETS[task.source.miniature].labels) == set(task.labels)
    for patterns in task.source.files.values():
        assert all(
            len(pattern.split()) == {"pools": 3, "aligned": len(pattern.split())}.get(task.format.name, 1)
            or task.source.joined
            for pattern in patterns
        )


def test_lists_xtremes_languages():
    counts = {
        "xnli": 15,
        "pawsx": 7,
        "udpos": 33,
        "panx": 40,
        "xquad": 11,
        "mlqa": 7,
        "tydiqa": 9,
        "bucc": 4,
        "tatoeba": 36,
        "xcopa": 11,
    }
    assert {name: len(tasks[name].languages) for name in counts} == counts


def test_expands_split_names():
    assert splits("{l}.{split}.x")["validation"] == ("{l}.validation.x", "{l}.valid.x", "{l}.dev.x", "{l}.val.x")


def test_finds_the_classes_of_training_rows_sorted():
    rows = [Classified(str(number), "a", None, label) for number, label in enumerate("bac")]
    assert labels_of(tasks["single"], rows) == ("a", "b", "c")
    assert labels_of(tasks["nli"], rows) == NLI_LABELS
    assert labels_of(tasks["choice"], [MultipleChoice("0", "p", ("a", "b"), 0)]) is None


def test_completes_entity_tags_and_upos():
    rows = [Tagged("0", ("x", "y"), ("B-PER", "O")), Tagged("1", ("x",), ("B-LOC",))]
    assert labels_of(tasks["ner"], rows) == ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")
    assert labels_of(tasks["pos"], [Tagged("0", ("x",), ("NOUN",))]) == UPOS
    assert labels_of(tasks["pos"], [Tagged("0", ("x", "y"), ("NN", "VB"))]) == ("NN", "VB")


def test_refuses_training_rows_without_labels():
    with pytest.raises(TaskDataError, match=r"a training row without a label(.|\n)*row '3'"):
        labels_of(tasks["single"], [Classified("3", "a", None, "")])

"""Which seen rows open which leak, as protocol facts have it."""

import pytest

from adapter_stilts.tasks.base import all_tasks, tasks
from adapter_stilts.tasks.leaks import Seen, leaks_of, sentence


def kinds(task, *seen):
    return [(leak.source, leak.kind) for leak in leaks_of(tasks[task], seen)]


@pytest.mark.parametrize(
    ("target", "seen", "expected"),
    [
        ("xnli", Seen("mnli", "train", "en"), [("mnli", "in-task")]),
        ("xnli", Seen("mnli", "validation", "en"), []),
        ("xnli", Seen("xnli", "train", "en"), []),  # its own training rows are the protocol
        ("xnli", Seen("squad", "train", "en"), []),
        (
            "xnli",
            Seen("anli+", "train", "en", ("anli", "mnli", "snli")),
            [("mnli", "in-task"), ("snli", "in-task"), ("anli", "in-task"), ("anli+", "in-task")],
        ),
        ("xquad", Seen("squad", "validation", "en"), [("squad", "selection")]),
        ("xquad", Seen("squad_v2", "validation", "en"), [("squad_v2", "selection")]),
        ("xquad", Seen("xquad", "validation", "en"), []),  # held out of SQuAD's training set
        ("mlqa", Seen("squad", "validation", "en"), []),
        ("mlqa", Seen("squad", "train", "en"), [("squad", "in-task")]),
        ("xcopa", Seen("copa", "train", "en"), [("copa", "in-task")]),
        ("xcopa", Seen("siqa", "train", "en"), []),
        ("tydiqa", Seen("tydiqa", "train", "en"), []),
        ("tydiqa", Seen("tydiqa", "train", "swa"), [("tydiqa", "target")]),
        ("udpos", Seen("ud-xpos", "train", "en"), [("ud-xpos", "same-text")]),
        ("tatoeba", Seen("mnli", "train", "en"), []),
    ],
)
def test_tells_what_a_run_has_seen_of_a_target(target, seen, expected):
    assert kinds(target, seen) == expected


def test_names_each_leak_once_in_the_order_of_the_task():
    squad = [Seen("squad", split, "en") for split in ("validation", "train", "train")]
    assert kinds("xquad", *squad) == [("squad", "in-task"), ("squad", "selection")]


def test_says_what_was_seen_and_what_it_means():
    (leak,) = leaks_of(tasks["xquad"], [Seen("squad", "validation", "en")])
    text = sentence(tasks["xquad"], leak)
    assert text.startswith("xquad after squad (validation): it is translated from SQuAD's development set; selection:")
    assert "chosen on text that the test set is made of" in text


def test_names_only_tasks_there_are():
    assert {leak.source for task in all_tasks() for leak in task.leaks} <= {task.name for task in all_tasks()}

"""What is advised after a run that did not learn follows from that run, and can be pasted."""

from __future__ import annotations

import pytest

from adapter_stilts.config.load import load
from adapter_stilts.runs.advice import advice
from adapter_stilts.training.plan import Outcome

FALLING = tuple((step, 1.1 - step / 1000) for step in range(10, 90, 10))


def advised(*settings, steps=2000, rows=30_000, classes=3, losses=FALLING, stopped_by="steps"):
    outcome = Outcome(steps, 3, None, None, losses, 1.0, stopped_by)
    said = advice(load(None, list(settings)), outcome, rows, classes)
    why, _, typed = said.partition(": try ")
    pasted = typed.replace("--set ", "").split()
    load(None, [*settings, *pasted])  # what is advised is a configuration
    return why, pasted


def test_raises_a_rate_that_is_low_for_the_kind():
    assert advised("training.learning_rate=1e-4") == (
        "the rate 0.0001 is low for seq_bn",
        ["training.learning_rate=0.001"],
    )
    why, (setting,) = advised("adapter.kind=full", "training.learning_rate=1e-3")
    assert (why, setting) == ("the rate 0.001 is high for full", "training.learning_rate=3e-05")
    fuse = ("how=fuse", "after=[a, b]")
    low = advised(*fuse, "fusion.learning_rate=5e-5")
    assert low == ("the rate 5e-05 is low for a fusion", ["fusion.learning_rate=0.001"])


def test_lowers_the_rate_of_a_loss_that_rose_and_says_nothing_else():
    losses = tuple((step, 1.0 + step / 100) for step in range(10, 90, 10))
    why, pasted = advised("training.learning_rate=0.05", steps=80, rows=100, losses=losses)
    assert (why, pasted) == ("the loss rose, so the rate 0.05 is too high", ["training.learning_rate=0.001"])
    why, pasted = advised("training.learning_rate=1e-3", losses=losses)
    assert pasted == ["training.learning_rate=0.0001"]


def test_lengthens_a_short_course_by_the_key_that_made_it():
    usual = "training.learning_rate=1e-3"
    assert advised(usual, "training.max_steps=50", steps=50) == ("50 steps are few", ["training.max_steps=600"])
    assert advised(usual, steps=300) == ("300 steps are few", ["training.epochs=6"])  # it did three
    why, pasted = advised(usual, "training.patience=3", stopped_by="patience")
    assert why.startswith("3 evaluations without a gain ended it")
    assert pasted[0] == "training.patience=0"


def test_names_few_rows_which_no_setting_mends_unless_one_made_them_few():
    usual = "training.learning_rate=1e-3"
    why, pasted = advised(usual, rows=300)
    assert why.startswith("300 rows are few for 3 classes (more of them, or `--after` a run of a like task, may help)")
    assert pasted == ["training.learning_rate=0.003"]
    assert advised(usual, "training.rows=300", rows=300)[1][0] == "training.rows=null"
    assert "rows" not in advised(usual, rows=300, classes=0)[0]


def test_tries_another_rate_where_nothing_else_is_wrong():
    why, pasted = advised("training.learning_rate=1e-3")
    assert (why, pasted) == (
        "the rate 0.001 is usual for seq_bn, another may do better",
        ["training.learning_rate=0.003"],
    )
    assert advised("adapter.kind=ia3", "training.learning_rate=5e-3")[1] == ["training.learning_rate=0.015"]


@pytest.mark.parametrize("losses", [(), ((10, 1.0),)])
def test_needs_no_logged_losses(losses):
    assert advised("training.learning_rate=1e-4", losses=losses)[1] == ["training.learning_rate=0.001"]

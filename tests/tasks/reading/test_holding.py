"""A validation split held out of training rows."""

from dataclasses import replace

from adapter_stilts.formats.base import formats
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.squad import SpanQuestion
from adapter_stilts.tasks.base import all_tasks, tasks
from adapter_stilts.tasks.sources import as_selected, kept_for

SQUAD = replace(tasks["squad"], held_out=20)


def questions():
    return [
        SpanQuestion(f"{context}-{number}", "Q?", f"context {context}", ())
        for context in range(400)
        for number in range(3)
    ]


def test_cuts_rows_in_two_parts_by_context():
    train, held = kept_for(SQUAD, "train", questions()), kept_for(SQUAD, "validation", questions())
    assert sorted(row.id for row in train + held) == sorted(row.id for row in questions())
    assert not {SQUAD.format.group(row) for row in train} & {SQUAD.format.group(row) for row in held}
    assert 0.02 < len(held) / len(questions()) < 0.09


def test_never_moves_a_row_when_others_come_or_go():
    held = {row.id for row in kept_for(SQUAD, "validation", questions())}
    assert {row.id for row in kept_for(SQUAD, "validation", questions()[::-2])} == {
        row.id for row in questions()[::-2]
    } & held


def test_keeps_hypotheses_of_one_premise_together():
    assert formats["pair"].group(Classified("0", "p", "h", "a")) == formats["pair"].group(
        Classified("1", "p", "other", "b")
    )


def test_changes_only_what_mlqa_is_selected_on():
    changed = [task.name for task in all_tasks() if as_selected(task) != task]
    found = as_selected(tasks["mlqa"]).source
    assert changed == ["mlqa"]
    assert (list(found.files), [list(hub.splits) for hub in found.hubs]) == (["test"], [["test"], ["test"]])

"""Transfer from a run that did not learn, or into one, is not interpreted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from adapter_stilts.runs import train

pytestmark = pytest.mark.usefixtures("few_rows")


def entries(document):
    """As study.json has them, by place."""
    rows = json.loads(json.dumps(document["entries"]))
    return {(entry["intermediate"], entry["how"], entry["target"]): entry for entry in rows}


def test_names_the_runs_that_did_not_learn_and_never_controls(file, run):
    found = entries(run(file(controls={"shuffled-labels": ["nli"]}, targets=["panx", "tatoeba"])))
    direct, shuffled = found["", "direct", "panx"], "nli (shuffled-labels)"
    assert direct["unlearned"] == ["panx-direct"]
    assert found["", "direct", "tatoeba"]["unlearned"] == []
    assert found["nli", "read", "tatoeba"]["unlearned"] == ["nli"]
    through = ["nli", "panx-direct"]
    assert found["nli", "sequential", "panx"]["unlearned"] == through
    controls = {key: entry["unlearned"] for key, entry in found.items() if entry["control"]}
    assert {how for _, how, _ in controls} == {"sequential", "read"}
    assert all(shuffled not in name for names in controls.values() for name in names)
    for key in (("nli", "read", "tatoeba"), ("nli", "sequential", "panx")):
        assert found[key]["verdict"] == "not interpreted"
        assert found[key]["sentence"].endswith(f": {' and '.join(found[key]['unlearned'])} did not learn")


def test_interprets_transfer_from_what_learned(file, run, monkeypatch):
    """Nothing is learned in two steps, so that one task is said to have been."""
    judged = train.learned_of

    def kindly(rows):
        return {
            task: replace(learning, learned=task == "nli" or learning.learned)
            for task, learning in judged(rows).items()
        }

    monkeypatch.setattr(train, "learned_of", kindly)
    found = entries(run(file(targets=["panx", "tatoeba"])))
    assert found["nli", "read", "tatoeba"]["unlearned"] == []
    assert found["nli", "read", "tatoeba"]["verdict"] != "not interpreted"
    assert found["paraphrase", "read", "tatoeba"]["unlearned"] == ["paraphrase"]
    # a gain over a run that did not learn is none
    assert found["nli", "sequential", "panx"]["unlearned"] == ["panx-direct"]
    assert found["nli", "sequential", "panx"]["verdict"] == "not interpreted"


def test_names_the_target_itself_where_only_it_did_not_learn(file, run, monkeypatch):
    judged, kinds = train.learned_of, iter(["nli", "direct", "after nli"])

    def but_the_last(rows):
        kind = next(kinds)
        return {task: replace(learning, learned=kind != "after nli") for task, learning in judged(rows).items()}

    monkeypatch.setattr(train, "learned_of", but_the_last)
    found = entries(run(file(intermediate=["nli"], targets=["panx"])))
    assert found["", "direct", "panx"]["unlearned"] == []
    assert found["nli", "sequential", "panx"]["unlearned"] == ["panx-sequential-nli"]


def test_counts_the_seeds_under_which_a_run_did_not_learn(file, run, monkeypatch):
    judged = train.learned_of

    def once(rows):
        made = judged(rows)
        learned = len(runs) == 0 and "nli" in made
        runs.extend(["nli"] if learned else [])
        return {task: replace(learning, learned=learned) for task, learning in made.items()}

    runs: list[str] = []
    monkeypatch.setattr(train, "learned_of", once)
    found = entries(run(file(seeds=[13, 17], intermediate=["nli", "paraphrase"], targets=["tatoeba"])))
    assert found["nli", "read", "tatoeba"]["unlearned"] == ["nli (1 of 2 seeds)"]
    assert found["paraphrase", "read", "tatoeba"]["unlearned"] == ["paraphrase"]

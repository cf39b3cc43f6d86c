"""Sections are frozen, refuse unknown keys, and hold every default."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from adapter_stilts.config.schema import RunConfig, Training, keys


def test_needs_no_setting_at_all():
    config = RunConfig()
    assert (config.trunk.name, config.adapter.kind, config.how, config.control) == (
        "miniature",
        "seq_bn",
        "direct",
        "none",
    )


def test_cannot_be_changed_after_it_is_made():
    with pytest.raises(ValidationError, match="frozen"):
        RunConfig().training.seed = 3


def test_has_the_names_that_are_promised_to_stay():
    promised = """trunk.name trunk.precision adapter.kind adapter.settings training.max_steps training.epochs
        training.learning_rate training.token_budget training.checkpoint_steps training.evaluate_steps training.seed
        retrieval.layer retrieval.pool retrieval.k retrieval.margin"""
    assert set(promised.split()) <= set(keys())


@pytest.mark.parametrize(
    ("written", "meant"), [("4", 4), (4, 4), ("2,4, 6", (2, 4, 6)), ([2, 4], (2, 4)), ("all", "all"), (None, None)]
)
def test_takes_layers_as_a_number_several_or_all(written, meant):
    assert RunConfig.model_validate({"retrieval": {"layer": written}}).retrieval.layer == meant


@pytest.mark.parametrize("written", ["-1", -1, "first", [], "2,", 1.5])
def test_refuses_what_is_no_layer(written):
    with pytest.raises(ValidationError, match="should be a layer number"):
        RunConfig.model_validate({"retrieval": {"layer": written}})


def test_does_not_take_true_for_one():
    with pytest.raises(ValidationError, match="should be a number"):
        Training.model_validate({"max_steps": True})


@pytest.mark.parametrize(
    "bad",
    [{"learning_rate": 0}, {"learning_rate": float("nan")}, {"epochs": 0}, {"warmup": 1}, {"seed": -1}, {"minutes": 0}],
)
def test_refuses_numbers_that_cannot_train(bad):
    with pytest.raises(ValidationError):
        Training.model_validate(bad)


def test_reads_one_name_where_a_list_is_meant():
    assert RunConfig.model_validate({"evaluation": {"languages": "sw, de"}}).evaluation.languages == ("sw", "de")

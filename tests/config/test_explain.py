"""Every key has a meaning, a default and a place; two configurations differ where they differ."""

from pathlib import Path

import pytest

from adapter_stilts.config.explain import different, explain, page, written
from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig, keys
from adapter_stilts.config.study import StudyConfig


@pytest.mark.parametrize("section", [RunConfig, StudyConfig])
def test_says_of_every_key_what_it_means(section):
    assert [row.key for row in explain(section) if not row.meaning] == []


def test_lists_the_keys_that_a_configuration_has():
    listed = {row.key: row.default for row in explain(RunConfig)}
    assert set(listed) <= set(keys())
    assert listed["training.epochs"] == RunConfig().training.epochs
    assert [row.key for row in explain(RunConfig, "fusion.")] == ["fusion." + name for name in vars(RunConfig().fusion)]
    assert "targets[].languages" in [row.key for row in explain(StudyConfig)]


def test_joins_the_lines_of_a_meaning():
    (row,) = explain(RunConfig, "evaluation.head")
    assert row.meaning.startswith("of a run with several heads, the one that answers;")
    assert row.meaning.endswith("or the only one that fits")


def test_names_the_keys_in_which_two_configurations_differ():
    one = RunConfig()
    other = with_settings(one, {"training.max_steps": 72, "adapter.settings": {"reduction_factor": 4}})
    assert different(one, one) == []
    assert different(one, other) == [
        ("adapter.settings", {}, None),
        ("training.max_steps", None, 72),
        ("adapter.settings.reduction_factor", None, 4),
    ]


def test_writes_the_page_of_settings_that_is_in_the_docs():
    """`make settings` writes it again."""
    written_page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written_page == page()
    for key in (*explain(RunConfig), *explain(StudyConfig)):
        assert f"| `{key.key}` |" in written_page


def test_writes_values_as_yaml_has_them():
    values = (None, (), True, 1e-4, 2048, ("a", "b"), "mean")
    assert [written(value) for value in values] == ["-", "-", "true", "0.0001", "2048", "[a, b]", "mean"]

"""Files, `--set` and flags become one value; every mistake is told at once, with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.config.load import Given, dump, load, with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.kinds import mistakes
from adapter_stilts.errors import ConfigError


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def message(path=None, settings=(), flags=(), **adapter) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, settings, flags, **adapter)
    return str(caught.value)


def test_is_the_defaults_without_a_file():
    assert load() == RunConfig()


def test_lets_flags_win_over_set_over_file_over_defaults(written):
    path = written("training:\n  epochs: 5\n  seed: 1\n  clip: 2\n")
    config = load(path, ["training.seed=2", "training.clip=3"], [Given("--trunk", "trunk.name", "xlm-roberta-base")])
    assert (
        config.training.epochs,
        config.training.seed,
        config.training.clip,
        config.trunk.name,
        config.training.patience,
    ) == (5, 2, 3, "xlm-roberta-base", 5)


def test_lets_the_last_of_two_equal_settings_win():
    assert load(None, ["training.seed=2", "training.seed=3"]).training.seed == 3


def test_reports_five_mistakes_in_five_lines(written):
    text = (
        "trunk:\n  nam: nano\ntraining:\n  lerning_rate: 0.1\n  epochs: many\nhow: stak\nadapter:\n  settings: {a: "
        "[1, x]}\n"
    )
    lines = message(written(text)).split("\n")
    assert lines[0] == "ConfigError: 5 mistakes in the configuration"
    told = lines[1:6]
    assert any("trunk.nam = 'nano': no such key; did you mean trunk.name? (line 2)" in line for line in told)
    assert any(
        "training.lerning_rate = 0.1: no such key; did you mean training.learning_rate? (line 4)" in line
        for line in told
    )
    assert any("training.epochs = 'many': should be a whole number (line 5)" in line for line in told)
    assert any(
        "how = 'stak': should be one of: direct, sequential, stack, fuse, merge, joint; did you mean 'stack'? (line 6)"
        in line
        for line in told
    )
    assert any(
        (
            "adapter.settings.a = [1, 'x']: should be one number, text, true or false, or a list of numbers or texts "
            "(line 8)"
        )
        in line
        for line in told
    )
    assert lines[6].endswith("run.yaml")
    assert lines[7].startswith("  do:")


def test_reports_mistakes_of_file_and_command_line_together(written):
    text = message(
        written("training: {epochs: 0}\n"),
        ["foo", "a=[b", "how.x=3", "training=5", "trunk.nme=x"],
        [Given("--seed", "training.seed", -1)],
    )
    for part in (
        "at least 1 (line 1)",
        "write it as key=value",
        "not valid YAML",
        "how holds one value",
        "training is a section",
        "did you mean trunk.name?",
        "(--seed)",
    ):
        assert part in text
    assert "7 mistakes" in text


def test_says_where_settings_of_another_kind_stand_and_how_to_be_rid_of_them(written):
    path, lora = written("adapter:\n  settings: {reduction_factor: 8}\n"), [Given("--kind", "adapter.kind", "lora")]
    for config, place, theirs in ((path, "line 2", "seq_bn"), (Path("train/nli"), "line 4", "seq_bn")):
        told = message(config, (), lora, adapter=mistakes)
        assert "no setting of lora called 'reduction_factor'; one of: alpha, " in told
        assert f"({place})\n  where: {config}\n  do:    its adapter.settings are of {theirs}: leave --kind out" in told
        assert load(config, ["adapter.settings={}"], lora, adapter=mistakes).adapter.settings == {}
    told = message(None, ["adapter.settings.reduction_factor=4"], lora, adapter=mistakes)
    assert "(--set adapter.settings.reduction_factor=4)\n  do:    correct it" in told
    assert "its adapter.settings" not in message(path, (), [Given("--kind", "adapter.kind", "lorra")], adapter=mistakes)


def test_finds_a_key_that_stands_in_the_wrong_section(written):
    assert "did you mean training.learning_rate or fusion.learning_rate?" in message(written("learning_rate: 3\n"))
    assert "did you mean training.patience?" in message(written("adapter:\n  patience: 3\n"))


def test_lists_the_keys_where_nothing_is_near(written):
    assert "keys here: name, revision, precision" in message(written("trunk:\n  xyzzy: 3\n"))


def test_reports_a_key_that_stands_twice(written):
    assert "training.seed: stands here a second time (line 3)" in message(written("training:\n  seed: 1\n  seed: 2\n"))


def test_reports_a_flag_and_a_set_that_disagree():
    told = message(None, ["training.seed=4"], [Given("--seed", "training.seed", 3)])
    assert "training.seed: given twice, by --seed (3) and by --set training.seed=4" in told
    assert load(None, ["training.seed=3"], [Given("--seed", "training.seed", 3)]).training.seed == 3


def test_reports_settings_that_do_not_go_together_beside_single_mistakes():
    assert "'stack' builds on earlier runs, but `after` names none" in message(None, ["how=stack"])
    told = message(None, ["how=stack", "training.epochs=x"])
    assert "2 mistakes" in told
    assert "builds on earlier runs" in told
    assert "`after` names 1" in message(None, ["after=runs/a"])


def test_does_not_guess_what_a_misspelt_word_goes_together_with():
    assert "names" not in message(None, ["how=stk", "after=runs/a"])


@pytest.mark.parametrize(
    "text",
    [
        "training: [",
        "a: b: c",
        "\t- x",
        "x: 'unclosed",
        "? [a, b]\n: c\n",
        "x: !!python/object/apply:os.system ['true']",
        "a: &x [*x]",
        "%",
        "\x07",
        "[" * 1500,
    ],
)
def test_translates_what_is_not_yaml(written, text):
    assert "not valid YAML" in message(written(text))


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "3\n"])
def test_refuses_a_file_that_is_no_mapping(written, text):
    assert "a configuration is keys and values" in message(written(text))


def test_names_the_line_of_a_yaml_error(written):
    assert "run.yaml, line 2" in message(written("a: 1\nb: ]\n"))


def test_refuses_a_file_that_is_not_there(tmp_path):
    assert "no such file" in message(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("how=mix", "should be one of: direct, sequential, stack, fuse, merge, joint"),
        ("training.limit_gb=4", "no such key"),
    ],
)
def test_knows_nothing_of_what_is_not_built(setting, said):
    with pytest.raises(ConfigError, match=said):
        load(None, [setting])


def test_reads_the_configuration_of_a_run_that_was_made_when_training_had_a_limit(written):
    assert load(written("training: {limit_gb: null, epochs: 2}\n")).training.epochs == 2
    with pytest.raises(ConfigError, match=r"training.limit_gb = 4: no such key"):
        load(written("training: {limit_gb: 4}\n"))


def test_takes_an_empty_file_or_section_for_defaults(written):
    assert (
        load(written("")) == load(written("# only a comment\n")) == load(written("training:\ntrunk:\n")) == RunConfig()
    )


def test_reads_yaml_as_version_1_2(written):
    config = load(
        written(
            "evaluation: {languages: [no, en, on]}\ntraining: {learning_rate: 1e-4}\nadapter: {settings: {a: "
            "1e-3, b: yes, c: true, d: 010}}\n"
        )
    )
    assert config.evaluation.languages == ("no", "en", "on")
    assert config.training.learning_rate == 0.0001
    assert config.adapter.settings == {"a": 0.001, "b": "yes", "c": True, "d": 10}


def test_keeps_a_number_as_written_where_text_belongs(written):
    config = load(
        written("trunk: {revision: 1e5}\ntask: {labels: [0, 007, true]}\n"), ["trunk.name=0123", "task.columns.label=3"]
    )
    assert (config.trunk.revision, config.task.labels, config.trunk.name, config.task.columns) == (
        "1e5",
        ("0", "007", "true"),
        "0123",
        {"label": "3"},
    )


def test_survives_an_alias_bomb(written):
    rows = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert "more than 20,000 values" in message(written("\n".join(rows)))


def test_changes_single_keys_of_a_value():
    config = with_settings(RunConfig(), {"trunk.precision": "bf16", "training.max_steps": 7})
    assert (config.trunk.precision, config.training.max_steps) == ("bf16", 7)
    with pytest.raises(ConfigError, match="trunk.precision = 'half'"):
        with_settings(RunConfig(), {"trunk.precision": "half"})


numbers = st.integers(-(10**6), 10**6)
scalars = st.one_of(
    st.booleans(),
    numbers,
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.lists(numbers),
    st.lists(st.text()),
)


@given(
    st.dictionaries(st.text(min_size=1), scalars, max_size=3),
    st.lists(st.text(min_size=1), max_size=3),
    st.text(),
    st.floats(1e-8, 1),
    st.one_of(st.none(), st.integers(1, 99)),
)
def test_reads_back_what_it_dumps(tmp_path_factory, settings, labels, revision, rate, steps):
    config = with_settings(
        RunConfig(),
        {
            "adapter.settings": settings,
            "task.labels": labels,
            "trunk.revision": revision,
            "training.learning_rate": rate,
            "training.max_steps": steps,
        },
    )
    path = tmp_path_factory.getbasetemp() / "round.yaml"
    path.write_bytes(dump(config).encode("utf-8"))
    assert load(path) == config


OTHERS = {
    "gradient_accumulation_steps": ("accumulation", 4),
    "max_grad_norm": ("clip", 0.5),
    "per_device_train_batch_size": ("batch_rows", 8),
}


@pytest.mark.parametrize("other", OTHERS)
def test_takes_the_names_of_hugging_face_and_writes_its_own(written, other):
    ours, value = OTHERS[other]
    expected = load(None, [f"training.{ours}={value}"])
    path = written(f"training:\n  {other}: {value}\n")
    assert (
        load(path)
        == load(None, [f"training.{other}={value}"])
        == with_settings(RunConfig(), {f"training.{other}": value})
        == expected
    )
    assert f"  {ours}: {value}\n" in dump(expected)
    assert other not in dump(expected)
    assert (
        getattr(load(path, [f"training.{ours}=3"]).training, ours) == 3
    )  # the command over the file, by whatever name
    assert getattr(load(path, (), [Given("--flag", f"training.{ours}", 3)]).training, ours) == 3


def test_refuses_a_key_given_by_two_names(written):
    path = written("training:\n  max_grad_norm: 1\n  clip: 2\n  gradient_accumulation_steps: many\n")
    told = message(path, ["training.batch_rows=4", "training.per_device_train_batch_size=4"])
    assert "training.clip: stands here a second time (line 3); max_grad_norm is another name of it" in told
    assert "training.per_device_train_batch_size=4: given twice, and training.batch_rows is another name of it" in told
    assert "training.accumulation = 'many': should be a whole number (line 4)" in told


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("".join(f"{' ' * level}k{level}:\n" for level in range(330)), "more than 32 levels"),
        ("a: " + "[" * 100_000, "more than 32 levels"),
        ("".join(f"k{number}: 1\n" for number in range(50_000)), "more than 20,000 values"),
        ("a: " + "x" * 5_000_000, "more than 4,194,304 characters"),
        (f"training: {{seed: {10**40}}}", "training.seed"),
        (f"training: {{max_steps: {10**40}}}", "training.max_steps.*should be below"),
        ("training: {epochs: 1000001}", "training.epochs.*should be at most 1e\\+06"),
    ],
)
def test_refuses_what_no_person_means(written, text, match):
    assert re.search(match, message(written(text)))


def test_refuses_a_key_of_a_thousand_levels():
    with pytest.raises(ConfigError, match="write it as key=value"):
        load(None, [f"{'a.' * 1000}b=1"])

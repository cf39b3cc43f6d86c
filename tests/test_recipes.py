"""Every recipe of configs/recipes.yaml is what its name says, by the numbers of its protocol, and its command runs from
start to end."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from adapter_stilts_cli.app import app
from typer.testing import CliRunner

from adapter_stilts.config.load import load
from adapter_stilts.config.recipes import find_recipe, named_recipe
from adapter_stilts.errors import StiltsError
from adapter_stilts.runs.inspect import list_recipes
from adapter_stilts.tasks.base import all_tasks, tasks

RECIPES = {row["name"].removeprefix("recipes/"): row for row in list_recipes() if row["name"].startswith("recipes/")}
NINE = ("anli+", "mnli", "qqp", "squad", "squad_v2", "hellaswag", "ccg", "cosmosqa", "csqa")

# (rate of the whole trunk, epochs, rows of a pass, passes of a step, length), from the published scripts
JIANT = {
    "xnli": (1e-5, 2, 4, 8, 256),
    "pawsx": (1e-5, 5, 4, 8, 256),
    "udpos": (1e-5, 10, 4, 8, 256),
    "panx": (1e-5, 10, 4, 8, 256),
    "xquad": (1e-5, 2, 4, 4, 384),
    "mlqa": (1e-5, 2, 4, 4, 384),
    "tydiqa": (1e-5, 2, 4, 4, 384),
    **{task: (1e-5, 3, 4, 8, 384 if task.startswith("squad") else 256) for task in (*NINE, "mlm")},
}
XTREME = {
    "xnli": (2e-5, 5, 2, 16, 128),
    "pawsx": (2e-5, 5, 2, 16, 128),
    "udpos": (2e-5, 10, 2, 16, 128),
    "panx": (2e-5, 10, 2, 16, 128),
    "xquad": (3e-5, 2, 4, 4, 384),
    "mlqa": (3e-5, 2, 4, 4, 384),
    "tydiqa": (3e-5, 2, 4, 4, 384),
}
XTREME_R = {
    "xnli": (3e-5, 5, 2, 16, 128),
    "udpos": (2e-5, 10, 2, 16, 128),
    "panx": (2e-5, 10, 2, 16, 128),
    "xquad": (3e-5, 3, 4, 8, 384),
    "mlqa": (3e-5, 3, 4, 8, 384),
    "tydiqa": (3e-5, 3, 4, 8, 384),
    "siqa": (3e-5, 5, 2, 16, 128),
    "xcopa": (3e-5, 5, 2, 16, 128),
    "squad": (3e-5, 2, 2, 16, 384),
    "lareqa": (2e-5, 3, 4, 4, 256),
    "mewslix": (1e-5, 2, 8, 4, 64),
}
FACTS = {
    f"{task}-{protocol}": found
    for protocol, table in (("jiant", JIANT), ("xtreme", XTREME), ("xtreme-r", XTREME_R))
    for task, found in table.items()
}
TRAINED = [task.name for task in all_tasks() if not task.retrieval]
MADX = ("mlm", "xnli", "udpos", "panx", "xquad", "xcopa")
RETRIEVAL = {"tatoeba": ("xtreme", "xtreme-r", "jiant", "own"), "bucc2018": ("xtreme", "jiant", "own")}
JOINT = ("multitask-jiant", "multitask-mlm-jiant", "multitask-own", "translated-own")
WANTED = {
    *FACTS,
    *(f"{task}-own" for task in TRAINED),
    *(f"{task}-madx" for task in MADX),
    *(f"{task}-{protocol}" for task, protocols in RETRIEVAL.items() for protocol in protocols),
    *JOINT,
}
RUNS = {
    "siqa": "train siqa",
    "squad": "train squad",
    "mlm-en": "train mlm --kind seq_bn_inv --set data.language=en",
}  # what recipes build on
SMALL = "--trunk miniature --set trunk.precision=fp32 --set training.max_steps=2 --set training.validation_rows=8"
WITHOUT_MINIATURE = [task for task in TRAINED if not tasks[task].source.miniature]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, few_rows):
    """Rows for tasks that the miniature has nothing for, and the runs that some recipes build on."""
    root = tmp_path_factory.mktemp("recipes")
    for split in ("train", "validation"):
        words = "".join(f"Ann{number}\tN\nsleeps\tS\\N\n\n" for number in range(12))
        programs = "".join(
            json.dumps({"func": f"int f() {{ return {number}; }}", "target": number % 2}) + "\n" for number in range(12)
        )
        (root / f"tags-{split}.tsv").write_text(words, encoding="utf-8")
        (root / f"single-{split}.jsonl").write_text(programs, encoding="utf-8")
    for name, command in RUNS.items():
        call([*command.split(), *SMALL.split(), "--data", "miniature", "-o", str(root / name)])
    return root


def call(words):
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, f"{shlex.join(words)}\n{result.stderr}"
    return json.loads(result.stdout)


def at_miniature_size(command, folder):
    """The words of a recipe's command on the miniature: other data, the runs made here, two steps, one language."""
    words = shlex.split(re.sub(r" --data \S+", "", command))[1:]
    words = [str(folder / word.removeprefix("runs/")) if word.startswith("runs/") else word for word in words]
    named = words[1].split(",") if words[0] == "train" else []
    words += ["--data", "miniature"] if len(named) != 1 or named[0] not in WITHOUT_MINIATURE else []
    for task in set(named) & set(WITHOUT_MINIATURE):
        kind, suffix = (tasks[task].format.name, "tsv" if tasks[task].format.name == "tags" else "jsonl")
        words += [
            word
            for split in ("train", "validation")
            for word in ("--data", f"{task}/{split}={folder}/{kind}-{split}.{suffix}")
        ]
    return [*words, *SMALL.split(), *(["--languages", "de"] if words[0] == "eval" else [])]


def test_has_a_recipe_for_every_task_and_every_protocol_that_has_facts_for_it():
    assert set(RECIPES) == WANTED


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_runs_from_start_to_end(name, folder, tmp_path):
    found = call([*at_miniature_size(RECIPES[name]["command"], folder), "-o", str(tmp_path / "run")])
    assert found["results"]
    assert all(row["protocol"] == load(Path(name)).evaluation.protocol for row in found["results"])
    if "training" in found:
        assert found["training"]["steps"] == 2


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_names_its_task_and_its_protocol(name):
    recipe = RECIPES[name]
    words = shlex.split(recipe["command"])
    assert words[:2] in (["adapter-stilts", "train"], ["adapter-stilts", "eval"])
    assert words[words.index("--config") + 1] == name
    assert name == f"{recipe['task']}-{recipe['protocol']}" or name in JOINT
    given = yaml.safe_load(named_recipe(name).text)["evaluation"]["protocol"]
    assert given == ("own" if recipe["protocol"] == "madx" else recipe["protocol"])
    assert recipe["summary"].split(" [S] read in")[0].endswith((".", "1e-5", "2e-5", "3e-5", "runs/mlm-sw"))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_says_how_sure_every_number_is(name):
    for line in named_recipe(name).text.split("\n"):
        key, colon, value = line.partition(": ")
        if colon and not line.startswith("#") and key.strip() != "protocol":
            assert re.search(r"  # (?:.*)(\[(S|D|M|own)\]|one adapter for all)", value), f"{name}: {line}"


@pytest.mark.parametrize("name", sorted(FACTS))
def test_has_the_numbers_of_its_protocol(name):
    rate, epochs, rows, passes, length = FACTS[name]
    training = load(Path(name)).training
    assert (training.epochs, training.batch_rows, training.accumulation, training.max_length) == (
        epochs,
        rows,
        passes,
        length,
    )
    assert training.learning_rate == 1e-4  # an adapter's
    (flags,) = re.findall(r"^# All of the trunk, as published: add (.*)$", named_recipe(name).text, re.MULTILINE)
    assert flags == f"--kind full --set training.learning_rate={rate:.0e}".replace("e-0", "e-")
    assert rows * passes in (16, 32)


def test_warms_up_for_500_steps_where_xtreme_does_so():
    assert round(load(Path("xquad-xtreme")).training.warmup * 2 * 87_599 / 16) == pytest.approx(500, abs=6)
    assert round(load(Path("mlqa-xtreme-r")).training.warmup * 3 * 87_599 / 32) == pytest.approx(500, abs=6)


def test_reads_a_row_of_the_table_as_it_was_published():
    assert load(Path("tydiqa-xtreme-r")).model_dump(exclude_defaults=True) == {
        "trunk": {"name": "FacebookAI/xlm-roberta-large"},
        "adapter": {"settings": {"reduction_factor": 16}},
        "training": {
                "epochs": 3,
                "learning_rate": 1e-4,
            "batch_rows": 4,
            "accumulation": 8,
            "max_length": 384,
            "warmup": 0.99,
            "weight_decay": 1e-4,
            "patience": 0,
            "seed": 42,
        },
        "evaluation": {"protocol": "xtreme-r"},
    }
    joint = load(Path("multitask-mlm-jiant"))
    assert (joint.how, joint.training.max_length, joint.training.sampler.name) == ("joint", None, "proportional")
    assert load(Path("mnli-mt-own")).data.language == ("de", "ru", "sw")
    assert load(Path("mlm-madx")).adapter.settings == {"reduction_factor": 2, "inv_adapter_reduction_factor": 2}


def test_shows_a_recipe_in_full_with_the_source_of_every_number():
    result = CliRunner().invoke(app, ["list", "recipes", "--show", "csqa-jiant"])
    assert (
        result.stdout
        == """\
# adapter-stilts train csqa --config csqa-jiant
# CommonsenseQA as an intermediate task, by the defaults of jiant's simple API: what the paper used for each \
task is not known.
# All of the trunk, as published: add --kind full --set training.learning_rate=1e-5
# [S] read in a public source, [D] derived from one, [M] remembered and not verified, [own] our choice.
trunk:
  name: FacebookAI/xlm-roberta-large  # [S]
adapter:
  kind: seq_bn  # [own] the published runs train all of the trunk
  settings:
    reduction_factor: 16  # [S] the adapters library's default for this kind
training:
  learning_rate: 1e-4  # [S] the adapters library's examples; all of the trunk is trained at 1e-5 [S]
  batch_rows: 4  # [S] 4 x 8 = 32 rows a step
  accumulation: 8  # [S] by tokens, at most: token_budget 4 x 5 choices x 256 = 5,120
  epochs: 3  # [S] the API's default
  max_length: 256  # [S] the API's default
  warmup: 0.1  # [S] of all steps
  weight_decay: 0.01  # [S]
  clip: 1.0  # [S]
  evaluate_steps: 1000  # [S]
  validation_rows: 500  # [S]
  patience: 30  # [S]
  seed: 13  # [own]
evaluation:
  protocol: jiant  # reads the head as jiant does
"""
    )
    assert call(["list", "recipes", "--show", "csqa-jiant"])["text"] == result.stdout
    result = CliRunner().invoke(app, ["list", "recipes", "--show", "csqa-jaint"])
    assert (result.exit_code, "did you mean 'csqa-jiant'?" in result.stderr) == (2, True)


def test_finds_a_recipe_by_its_name_and_leaves_files_of_ones_own_alone(tmp_path):
    assert find_recipe(Path("recipes/xnli-jiant")) == find_recipe(Path("xnli-jiant")) == named_recipe("xnli-jiant")
    assert find_recipe(Path("mine.yaml")) is None
    own = tmp_path / "mine"
    own.write_text("how: direct\n", encoding="utf-8")
    assert find_recipe(own) is None
    assert load(own).how == "direct"
    with pytest.raises(StiltsError, match="did you mean 'xnli-jiant'"):
        find_recipe(Path("xnli-jant"))


def test_lists_name_task_protocol_and_command_of_every_recipe():
    listed = {row["name"]: row for row in call(["list", "recipes"])["recipes"]}
    assert {key: listed["recipes/xcopa-xtreme-r"][key] for key in ("task", "protocol", "command")} == {
        "task": "xcopa",
        "protocol": "xtreme-r",
        "command": "adapter-stilts train xcopa --config xcopa-xtreme-r --how sequential --after runs/siqa",
    }

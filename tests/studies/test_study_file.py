"""A study's file is read as it is meant; every mistake in it is told at once, with its line and the nearest name."""

from __future__ import annotations

import pytest

from adapter_stilts.config.study import Intermediate
from adapter_stilts.errors import ConfigError
from adapter_stilts.studies.stages import grid
from adapter_stilts.studies.study_file import read_study

WRONG = """name: bad name!
trunk: {name: miniature, precison: fp32}
intermediate:
  - nly
  - task: nli
    sampler: {name: unifrom}
  - {name: nli, tasks: [nli, qa]}
  - tatoeba
  - {nmae: x}
hows: [sequental, fuse]
fusions: {f: [nli]}
targets: [xnli, {task: tatoba}, xnli]
controls: {shuffled-lables: [nli], random-adapter: [nlii]}
seeds: [13, 13]
recipes: {nli: xnli-jint}
settings: {training.epochss: 3, training.epochs: many, how: stack, retrieval.layer: all}
adapter: {kind: seq_bnn}
protocol: own
protocol: own
"""
SENTENCES = (
    "name = 'bad name!': should be a name of letters, digits, '.', '_', '+' and '-' (line 1)",
    "trunk.precison = 'fp32': no such key; did you mean precision? (line 2)",
    "intermediate.0.task = 'nly': no task called 'nly'; did you mean 'nli'? (line 4)",
    (
        "intermediate.1.sampler.name = 'unifrom': should be one of: "
        "proportional, uniform, temperature, capped, fixed; did you mean 'uniform'? (line 6)"
    ),
    "intermediate.1.sampler: mixes several tasks, and there is one: nli (line 6)",
    "intermediate.2: a second intermediate run called 'nli'; give it a `name` (line 7)",
    "intermediate.3.task = 'tatoeba': trains nothing: it can be a target, not learned first (line 8)",
    "intermediate.4.nmae = 'x': no such key; did you mean name? (line 9)",
    "intermediate.4: names no task: write `task`, or `tasks` for several at once (line 9)",
    "hows.0 = 'sequental': should be one of: sequential, stack, fuse, merge; did you mean 'sequential'? (line 10)",
    "fusions.f = ['nli']: fusion needs two runs or more (line 11)",
    "targets.1.task = 'tatoba': no task called 'tatoba'; did you mean 'tatoeba'? (line 12)",
    "targets.2.task = 'xnli': is a target already (line 12)",
    (
        "controls.shuffled-lables = 'shuffled-lables': should be one of: "
        "shuffled-labels, random-adapter; did you mean 'shuffled-labels'? (line 13)"
    ),
    "controls.random-adapter = 'nlii': no intermediate run of this study; did you mean 'nli'?",
    "seeds = [13, 13]: names one twice (line 14)",
    "protocol: stands here a second time (line 19)",
    "recipes.nli = 'xnli-jint': no recipe called 'xnli-jint'; did you mean 'xnli-jiant'? (line 15)",
    "settings.training.epochss = 3: no such key; did you mean training.epochs? (line 16)",
    "settings.training.epochs = 'many': should be a whole number (line 16)",
    "settings.how = 'stack': a study sets this itself; use its key `hows` (line 16)",
    (
        "settings.retrieval.layer = 'all': a study reads one layer; `adapter-stilts eval --layer all` reads them all "
        "(line 16)"
    ),
    "adapter.kind = 'seq_bnn': no such kind of adapter; did you mean 'seq_bn'?",
)


def refusal(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_study(path)
    return str(caught.value)


def test_tells_every_mistake_of_a_file_at_once(tmp_path):
    message = refusal(tmp_path, WRONG)
    for sentence in SENTENCES:
        assert sentence in message
    assert message.startswith(f"ConfigError: {len(SENTENCES)} mistakes in the study\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- nli", "a study is keys and values"),
        ("name: a\nintermediate: [nli]\n", "targets: is missing"),
        ("name: a\nintermediate: []\ntargets: [xnli]\n", "intermediate: names nothing; name one at least"),
        (
            "name: a\nintermediate: [nli]\ntargets: [xnli]\nrecipes: 3\n",
            "recipes = 3: should be a protocol, or a mapping of tasks to recipes",
        ),
        (
            "name: a\nintermediate: [mnli]\ntargets: [xcopa]\nrecipes: jiant\n",
            "targets.0: there is no recipe 'xcopa-jiant'; name one with `recipe`",
        ),
        (
            "name: a\nintermediate: [mnli]\ntargets: [xnli]\nrecipes: jaint\n",
            "recipes = 'jaint': should be one of: xtreme-r, xtreme, jiant, madx, own; did",
        ),
        (
            "name: a\nintermediate: [nli]\ntargets: [xnli]\nfusions: {f: [nli, nli]}\n",
            "fusions: no `hows` asks for fuse",
        ),
        (
            "name: a\nintermediate: [nli]\ntargets: [{task: tatoeba, hows: [stack]}]\n",
            "'tatoeba' is read with the intermediate runs as they are",
        ),
        (
            "name: a\nintermediate: [{task: nli, tasks: [qa, nli]}]\ntargets: [xnli]\n",
            "stands beside `task`; keep one of them",
        ),
        (
            "name: a\nintermediate: [nli]\ntargets: [xnli]\nadapter: {kind: lora, settings: {rank: 3}}\n",
            "no setting of lora called 'rank'",
        ),
        ("name: a\nintermediate: [nli]\ntargets: [xnli]\nseeds: [-1]\n", "seeds.0 = -1: should be at least 0"),
        (
            (
                "name: a\nintermediate: [nli]\ntargets: [xnli]\n"
                "controls: {shuffled-labels: [nli]}\nafter: {sequential: [nli-shufled]}\n"
            ),
            "'nli-shufled': not in this study; did you mean 'nli-shuffled'?; there are: nli, nli-shuffled",
        ),
        (
            (
                "name: a\nintermediate: [nli]\nhows: [fuse]\nfusions: {own: [nli, direct]}\n"
                "targets: [{task: xnli, after: {fuse: [all]}}]\n"
            ),
            "targets.0.after.fuse = 'all': not in this study; there are: own",
        ),
        (
            "name: a\nintermediate: [nli]\ntargets: [xnli]\ntable: {zeroshot: true}\n",
            "table.zeroshot = True: no such key; did you mean zero_shot?",
        ),
    ],
)
def test_tells_what_is_wrong(tmp_path, text, sentence):
    assert sentence in refusal(tmp_path, text)


def test_takes_the_recipe_of_its_task_for_an_entry_with_a_name_of_its_own(tmp_path):
    path = tmp_path / "study.yaml"
    text = "name: a\nintermediate: [{name: other, task: mnli}]\ntargets: [{name: mine, task: xnli}]\nrecipes: jiant\n"
    path.write_text(text, encoding="utf-8")
    assert grid(read_study(path)).stages[0].config.training.batch_rows == 4


def test_reads_tasks_that_are_learned_at_once_with_masked_text():
    assert Intermediate(task="nli").learned == ("nli",)
    assert Intermediate(task="nli", mlm=True).learned == ("nli", "mlm")
    assert Intermediate(tasks=("nli", "mlm"), mlm=True).label == "nli+mlm"
    assert Intermediate(name="all", tasks=("nli", "qa")).label == "all"


def test_takes_other_names_of_training_keys_once(tmp_path):
    text = "name: a\nintermediate: [nli]\ntargets: [tatoeba]\nsettings:\n  training.max_grad_norm: 2\n"
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_study(path).settings == {"training.clip": 2}
    sentence = "settings.training.clip: stands here a second time (line 6); max_grad_norm is another name of it"
    assert sentence in refusal(tmp_path, text + "  training.clip: 3\n")


def test_finds_task_files_beside_the_study_unless_they_lie_in_the_working_folder(tmp_path, monkeypatch):
    beside, here = tmp_path / "studies", tmp_path / "here"
    for folder in (beside / "tasks", here):
        folder.mkdir(parents=True)
    described = "name: own\nformat: pair\nfiles: {train: 'own.{l}.tsv'}\n"
    (beside / "tasks" / "own.yaml").write_text(described)
    study = beside / "study.yaml"
    entries = "[tasks/own.yaml, {name: b, tasks: [nli, tasks/own.yaml]}]"
    study.write_text(f"name: s\nintermediate: {entries}\ntargets: [xnli]\n")
    monkeypatch.chdir(here)
    read = read_study(study)
    own = str(beside / "tasks" / "own.yaml")
    assert [entry.learned for entry in read.intermediate] == [(own,), ("nli", own)]
    (here / "tasks").mkdir()
    (here / "tasks" / "own.yaml").write_text(described)
    assert read_study(study).intermediate[0].learned == ("tasks/own.yaml",)

"""One run from start to end: its folder, doing it again, and stopping in the middle."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

import pytest
import safetensors.torch
import yaml

import adapter_stilts.runs.prepare
import adapter_stilts.runs.train as module
from adapter_stilts.config.load import load
from adapter_stilts.errors import ArtefactError, CompositionError, Interrupted, TaskDataError, UnknownName, UsageError
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.folder import locked
from adapter_stilts.runs.results import read_results
from adapter_stilts.runs.train import train
from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.sharing.manifest import read_manifest
from adapter_stilts.sharing.places import files_of
from adapter_stilts.training.devices import Processes

FORMATS = ("nli", "single", "ner", "choice", "qa", "mlm")


def start(config, folder, *, task="nli", resume=True, overwrite=False, dry_run=False, report=None):
    return train(
        config,
        (task,),
        out=folder,
        runs=folder.parent / "runs",
        resume=resume,
        overwrite=overwrite,
        dry_run=dry_run,
        report=report or Silent(),
    )


@pytest.mark.parametrize("task", FORMATS)
def test_leaves_the_folder_that_the_design_promises(trained, contents, task):
    folder = trained(task)
    form = {"qa": "json", "choice": "jsonl"}.get(task, "tsv")
    predictions = [] if task == "mlm" else [f"predictions/{task}/validation-en.{form}"]
    checkpoint = [
        f"checkpoints/step-00000003/{name}"
        for name in ("best.safetensors", "optimiser.safetensors", "state.json", "weights.safetensors")
    ]
    assert sorted(contents(folder)) == sorted(
        [
            *(".lock", "README.md", "config.yaml", "identity.json", "manifest.json", "metrics.jsonl", "results.json"),
            *("local.yaml", "places.json"),
            *(f"adapter/{task}.json", f"adapter/{task}.safetensors", "head/head.json", "head/head.safetensors"),
            *(*checkpoint, *predictions, f"units/{task}/validation-en.npy"),
            *(["units/qa/validation-en.items.npy"] if task == "qa" else []),  # its questions have ids
        ]
    )
    assert folder.name == f"{task}-{load_bundle(folder).manifest.identity}"
    assert [
        json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().split("\n") if "loss" in line
    ] == [1, 2, 3]


def test_writes_every_default_and_what_was_decided_into_the_configuration(trained, config):
    folder = trained("nli", trunk__precision="auto")
    written = yaml.safe_load((folder / "config.yaml").read_text())
    assert written["trunk"]["precision"] in ("fp32", "bf16")
    assert written["training"]["max_length"] == 64
    assert written["adapter"]["settings"]["reduction_factor"] == 16.0
    assert written["training"].keys() == type(config().training).model_fields.keys()


def test_is_the_same_run_when_started_from_its_own_configuration(trained, heard):
    parent = trained("paraphrase")
    for folder in (
        parent,
        trained("nli", how="sequential", after=[str(parent)]),
        trained("nli", how="stack", after=[str(parent)]),
    ):
        again = load(folder / "local.yaml")
        assert start(again, folder, task=again.task.name, report=heard).folder == folder
        assert "holds this run already" in heard.lines.pop()


def test_writes_a_manifest_that_says_what_the_run_is(trained, data, tiny_folder):
    parent = trained("paraphrase")
    folder = trained("nli", how="stack", after=[str(parent)], training__seed=7)
    manifest = load_bundle(folder).manifest
    assert (manifest.task, manifest.how, manifest.composition, manifest.format) == (
        "nli",
        "stack",
        "stack(paraphrase, nli)",
        "pair",
    )
    assert (manifest.trunk.name, manifest.trunk.layers, manifest.trunk.precision) == (tiny_folder.name, 2, "fp32")
    assert [(one.name, one.checksum) for one in manifest.parents] == [
        (parent.name, load_bundle(parent).manifest.checksum)
    ]
    assert [(one.split, one.files[0].rows) for one in manifest.data] == [("train", 24), ("validation", 12)]
    places = files_of(folder)
    assert [f"{one.split}={places[one.files[0].sha256]}" for one in manifest.data] == list(data("nli"))
    assert (manifest.seeds, manifest.training.steps, manifest.training.rows) == ({"training": 7}, 3, 24)
    assert manifest.peak_memory > 10**7
    assert [(row.part, row.trained) for row in manifest.parts] == [
        ("trunk", False),
        ("paraphrase", False),
        ("nli", True),
        ("head", True),
    ]


def test_scores_the_validation_split(trained):
    (row,) = read_results(trained("nli"))
    assert {
        name: getattr(row, name)
        for name in ("task", "protocol", "language", "metric", "split", "n", "headline", "retrieval")
    } == {
        "task": "nli",
        "protocol": "own",
        "language": "en",
        "metric": "accuracy",
        "split": "validation",
        "n": 12,
        "headline": True,
        "retrieval": False,
    }
    assert 0 <= row.score <= 1
    assert row.interval is None  # twelve rows tell too little


def test_changes_no_weight_of_the_trunk_and_loads_it_once(trained, monkeypatch):
    trunks, fresh = [], adapter_stilts.runs.prepare.load_trunk

    def counted(*values, **named):
        trunks.append(fresh(*values, **named))
        return trunks[-1]

    monkeypatch.setattr(adapter_stilts.runs.prepare, "load_trunk", counted)
    parent = trained("paraphrase")
    trained("nli", how="fuse", after=[str(parent), str(trained("nli", training__seed=2))], fusion__target_adapter=True)
    assert len(trunks) == 3
    before = fresh(trunks[0].name, precision="fp32").model.state_dict()
    for trunk in trunks:
        assert all(tensor.equal(before[name]) for name, tensor in trunk.model.state_dict().items())


def test_writes_weights_that_depend_on_weights_and_settings_only(trained, contents, tmp_path, data):
    """Another folder, another day, the same rows under another name: the same bytes."""
    one = trained("nli")
    copies = [
        f"{source.partition('=')[0]}={shutil.copy(source.partition('=')[2], tmp_path / f'{number}.jsonl')}"
        for number, source in enumerate(data("nli"))
    ]
    other = trained("nli", out="elsewhere", data__sources=copies)
    assert contents(one, "adapter", "head") == contents(other, "adapter", "head")


def test_says_that_it_is_done_and_touches_nothing(trained, contents, heard):
    folder = trained("nli")
    before = contents(folder)
    assert trained("nli", report=heard) == folder
    assert contents(folder) == before
    assert heard.lines == [f"{folder} holds this run already; nothing to do (--overwrite trains it again)"]


def test_refuses_to_call_a_damaged_run_done(trained, flip):
    folder = trained("nli")
    flip(folder / "adapter" / "nli.safetensors", -1, 4)
    with pytest.raises(ArtefactError, match=r"adapter/nli\.safetensors does not match(.|\n)*--overwrite"):
        trained("nli")
    assert trained("nli", overwrite=True) == folder
    load_bundle(folder)


def test_refuses_another_configuration_in_the_same_folder_and_loses_nothing(trained, contents):
    folder = trained("nli", out="here")
    before = contents(folder)
    with pytest.raises(UsageError, match=r"\(training.learning_rate is 0.01 there and 0.02 here\)"):
        trained("nli", out="here", training__learning_rate=0.02)
    more = {"training__learning_rate": 0.02, "training__warmup": 0.2, "training__clip": 2.0, "training__log_steps": 3}
    with pytest.raises(UsageError, match=r"there and [^;]+ here; .*; and 1 more\)"):
        trained("nli", out="here", **more)
    assert contents(folder) == before


def test_replaces_a_run_when_told_to_and_keeps_what_others_put_there(trained, contents):
    folder = trained("nli", out="here")
    (folder / "notes.txt").write_text("mine")
    other = trained("nli", out="other", training__seed=2)
    trained("nli", out="here", training__seed=2, overwrite=True)
    assert contents(folder, "adapter", "head") == contents(other, "adapter", "head")
    assert (folder / "notes.txt").read_text() == "mine"


def test_does_not_overwrite_a_folder_that_is_no_run(config, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UsageError, match="holds no run"):
        start(config(), tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["README.md"]


def test_lets_the_other_processes_go_when_the_first_cannot_have_the_folder(config, tmp_path, monkeypatch):
    """Or they would wait for it until the launcher kills them."""
    told = []
    monkeypatch.setattr(
        Processes, "from_main", lambda self, value: told.append(value) or (module.REFUSED if self.rank else value)
    )
    with locked(tmp_path / "run"):
        for rank in (0, 1):
            monkeypatch.setattr(
                adapter_stilts.runs.prepare, "processes", lambda device, rank=rank: Processes(rank, 2, "cpu")
            )
            if rank == 0:
                with pytest.raises(UsageError, match="another process"):
                    start(config(), tmp_path / "run")
            else:
                assert start(config(), tmp_path / "run") is None
    assert told == [module.REFUSED, 0]


def test_refuses_a_second_process_on_the_same_folder(config, tmp_path):
    with locked(tmp_path / "run"), pytest.raises(UsageError, match="another process is working on this run"):
        start(config(), tmp_path / "run")


def test_resumes_after_it_was_asked_to_stop_and_ends_the_same(trained, config, contents, tmp_path, monkeypatch):
    unbroken = trained("nli", out="unbroken", training__max_steps=6, training__evaluate_steps=2)
    broken = config(training__max_steps=6, training__evaluate_steps=2)
    fresh = module.StopSignal
    for step in (2, 5):
        monkeypatch.setattr(module, "StopSignal", lambda step=step: Stopping(fresh(), step))
        with pytest.raises(Interrupted, match=f"stopped at step {step} of 6; progress is saved") as caught:
            start(broken, tmp_path / "broken")
        assert caught.value.exit_code == 130
        assert not (tmp_path / "broken" / "manifest.json").exists()
    monkeypatch.undo()
    start(broken, tmp_path / "broken")
    assert contents(tmp_path / "broken", "adapter", "head", "predictions") == contents(
        unbroken, "adapter", "head", "predictions"
    )
    assert without_seconds(tmp_path / "broken") == without_seconds(unbroken)


class Stopping:
    """A StopSignal that is asked for a stop when so many steps have been looked at."""

    def __init__(self, real, step):
        self.real, self.left = real, step

    def __enter__(self):
        self.real.__enter__()
        return self

    def __exit__(self, *error):
        self.real.__exit__(*error)

    @property
    def requested(self):
        self.left -= 1
        return self.left < -1


def without_seconds(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().split("\n") if line]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_starts_again_without_resume(config, tmp_path, monkeypatch, trained, contents):
    monkeypatch.setattr(module, "save_parts", stop)
    with pytest.raises(KeyboardInterrupt):
        start(config(), tmp_path / "run")
    monkeypatch.undo()
    start(config(), tmp_path / "run", resume=False)
    assert contents(tmp_path / "run", "adapter", "head") == contents(trained("nli", out="other"), "adapter", "head")


def stop(*values, **named):
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["save_parts", "validation_rows", "write_results", "write_card", "write_manifest"])
def test_finishes_a_run_that_was_cut_off_after_its_last_step(config, tmp_path, monkeypatch, trained, contents, moment):
    monkeypatch.setattr(module, moment, stop)
    with pytest.raises(KeyboardInterrupt):
        start(config(), tmp_path / "run")
    monkeypatch.undo()
    start(config(), tmp_path / "run")
    load_bundle(tmp_path / "run")
    other = trained("nli", out="other")
    assert contents(tmp_path / "run", "adapter", "head", "predictions", "units") == contents(
        other, "adapter", "head", "predictions", "units"
    )


def test_tells_what_it_would_do_and_does_nothing(config, tmp_path, heard):
    found = start(config(), tmp_path / "run", dry_run=True, report=heard).to_json()
    assert (found["state"], found["steps"], found["rows"], found["validation_rows"], found["results"]) == (
        "new",
        3,
        24,
        12,
        [],
    )
    assert found["bytes"] == 4 * sum(row["parameters"] for row in found["parts"] if row["role"] != "trunk")
    assert "would train nli on 24 rows for 3 steps" in heard.lines[-1]
    assert heard.tables[0][1] == ("part", "role", "active", "trained", "parameters")
    assert not (tmp_path / "run").exists()


def test_keeps_the_last_weights_and_says_so_where_there_is_no_validation(config, tmp_path, data, heard):
    found = start(config(data__sources=data("nli")[:1]), tmp_path / "run", report=heard)
    assert found.results == ()
    assert "no validation rows: the weights of the last step are kept" in heard.lines


@pytest.mark.parametrize(
    ("task", "settings", "error", "message"),
    [
        ("tatoeba", {}, UsageError, "trains nothing"),
        ("nlli", {}, UnknownName, "did you mean 'nli'"),
        ("nli", {"how": "joint"}, UsageError, "joint learns several tasks at once, and one is named: nli"),
        ("nli", {"adapter__kind": "seqbn"}, UnknownName, "did you mean 'seq_bn'"),
        ("nli", {"adapter__settings": {"reduction_factor": 64}}, UsageError, "cannot build seq_bn"),
        ("nli", {"adapter__settings": {"reduction": 2}}, UnknownName, "did you mean 'reduction_factor'"),
        (
            "nli",
            {"control": "random-adapter"},
            UsageError,
            "permutes the adapter of a run, and --how direct continues none",
        ),
        ("mlm", {"control": "shuffled-labels"}, UsageError, "needs a task with labels"),
        ("nli", {"data__sources": ["nowhere"]}, TaskDataError, "no such folder"),
        ("nli", {"trunk__name": "miniatur"}, Exception, "did you mean 'miniature'"),
        ("nli", {"composition": "stack(a, b)"}, UsageError, "--how is direct"),
    ],
)
def test_refuses_before_it_makes_a_folder(config, tmp_path, task, settings, error, message):
    with pytest.raises(error, match=message):
        start(config(task, **settings), tmp_path / "run", task=task)
    assert not (tmp_path / "run").exists()


def test_refuses_what_cannot_be_composed_before_it_makes_a_folder(trained, config, tmp_path):
    runs = [str(trained("nli", adapter__kind="lora", training__seed=seed)) for seed in (1, 2)]
    with pytest.raises(CompositionError, match="kind lora, which cannot fuse"):
        start(config(how="fuse", after=runs), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_refuses_another_kind_for_an_adapter_that_it_continues(trained, config, tmp_path):
    parent = trained("paraphrase", adapter__settings={"reduction_factor": 8})
    with pytest.raises(
        UsageError, match="continues an adapter of kind seq_bn with its settings, and another was asked for: lora"
    ):
        start(config(how="sequential", after=[str(parent)], adapter__kind="lora"), tmp_path / "run")
    folder = trained("nli", how="sequential", after=[str(parent)])
    assert load_bundle(folder).of("adapter")[0].facts["settings"]["reduction_factor"] == 8.0


def test_starts_from_the_weights_it_continues(trained, contents):
    """With a learning rate that moves nothing, what is stored is what was given."""
    parent = trained("paraphrase")
    child = trained(
        "nli", how="sequential", after=[str(parent)], training__learning_rate=1e-30, training__weight_decay=0
    )
    given, kept = (
        (folder / "adapter" / f"{name}.safetensors").read_bytes()
        for folder, name in ((parent, "paraphrase"), (child, "nli"))
    )
    assert safetensors.torch.load(given).keys() == safetensors.torch.load(kept).keys()
    for name, tensor in safetensors.torch.load(given).items():
        assert tensor.allclose(safetensors.torch.load(kept)[name], atol=1e-12)


def test_trains_a_task_of_the_users_own_and_names_it(trained, tmp_path, data):
    task = tmp_path / "mine.yaml"
    task.write_text("name: mine\nformat: pair\nlabels: [contradiction, entailment, neutral]\nlicence: CC0\n")
    folder = trained(str(task), task__name=str(task), data__sources=data("nli"))
    manifest = load_bundle(folder).manifest
    assert (manifest.task, manifest.task_file, manifest.licence, manifest.composition) == (
        "mine",
        "mine.yaml",
        "CC0",
        "mine",
    )
    assert folder.name == f"mine-{manifest.identity}"
    assert "--tasks mine.yaml" in (folder / "README.md").read_text()


def test_trains_on_the_embedded_miniature_and_says_so(trained):
    folder = trained(
        "nli",
        trunk__name="miniature",
        data__sources=[],
        training__rows=16,
        training__validation_rows=8,
        training__max_steps=1,
    )
    manifest = load_bundle(folder).manifest
    assert manifest.licence == "Apache-2.0 (generated text of this package)"
    assert (manifest.trunk.name, manifest.trunk.revision) == ("miniature", None)
    assert [(one.split, one.kind, one.files, len(one.rows_sha256)) for one in manifest.data] == [
        ("train", "miniature", (), 64),
        ("validation", "miniature", (), 64),
    ]
    assert "the embedded miniature" in (folder / "README.md").read_text()


def test_takes_labels_from_all_training_rows_though_it_trains_on_some(trained):
    folder = trained("single", training__rows=1)
    (head,) = load_bundle(folder).of("head")
    assert head.facts["labels"] == ["trade", "travel"]
    assert load_bundle(folder).manifest.training.rows == 1


def test_ends_its_bar_full_where_it_ended_early_and_says_which_step_is_kept(trained, data):
    told = []

    class Bars(Silent):
        @contextmanager
        def progress(self, label):
            yield lambda *shown: told.append((label, *shown))

    early = {"training__max_steps": 30, "training__evaluate_steps": 1, "training__patience": 1}
    run = trained("nli", report=Bars(), data__sources=data("nli", validation=30), training__learning_rate=1e-6, **early)
    ended = read_manifest(run).training
    assert (ended.stopped_by, ended.steps < 30) == ("patience", True)
    kept = f"no more gain; step {ended.best_step} is kept"
    assert [row[1:] for row in told if row[0].startswith("training")][-1] == (ended.steps, ended.steps, kept)

"""A run as a value: its module in other people's loops, its batches, and its predictions by the weights as they are."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import adapter_stilts as stilts
from adapter_stilts.errors import MissingError, TaskDataError, UsageError

ROWS = {
    "single": [
        {"text": ("Anna buys cats", "The train to Rome")[n % 2] + f" {n}", "label": ("odd", "even")[n % 2]}
        for n in range(16)
    ],
    "pair": [{"premise": f"Text {n}", "hypothesis": f"Of {n % 2}", "label": str(n % 2)} for n in range(16)],
    "ner": [{"tokens": ["Anna", f"sings{n}"], "tags": ["B-PER", "O"]} for n in range(16)],
    "choice": [{"premise": f"Text {n}", "choices": ["One", "two"], "label": n % 2} for n in range(16)],
    "qa": [
        {
            "id": str(n),
            "question": "Who?",
            "context": f"Anna {n} sings.",
            "answers": {"text": ["Anna"], "answer_start": [0]},
        }
        for n in range(16)
    ],
}
SHAPES = {"single": (4, 2), "pair": (4, 2), "ner": (4, None, 3), "choice": (4, 2), "qa": (4, None, 2)}


@pytest.fixture
def run_of(here, tiny_folder):
    def make(task, **words):
        settings = {"training.max_steps": 2, "training.learning_rate": 0.01}
        data = {"train": ROWS[task], "validation": ROWS[task][:8]}
        return stilts.train(task, trunk=tiny_folder, data=data, settings=settings, **words)

    return make


@pytest.mark.parametrize("task", SHAPES)
def test_takes_a_batch_in_and_gives_logits_of_every_format(run_of, task):
    run = run_of(task)
    batch = run.batch(ROWS[task][:4])
    logits = run.module(batch)
    wanted = (batch["input_ids"].shape[-1] if size is None else size for size in SHAPES[task])
    assert tuple(logits.shape) == tuple(wanted)
    told = run.module(**batch)
    assert torch.equal(told["logits"], logits)
    if task in ("single", "pair", "choice"):
        assert torch.allclose(told["loss"], torch.nn.functional.cross_entropy(logits, batch["labels"]))
    told["loss"].backward()
    trained = [parameter for parameter in run.module.parameters() if parameter.requires_grad]
    assert trained
    assert all(parameter.grad is not None for parameter in trained)
    frozen = sum(parameter.numel() for parameter in run.module.parameters() if not parameter.requires_grad)
    assert frozen > sum(parameter.numel() for parameter in trained)


def test_learns_in_a_loop_of_anybodys_and_predicts_by_what_it_learned(here):
    data = {"train": ROWS["single"], "validation": ROWS["single"][:8]}
    run = stilts.train("single", trunk="miniature", data=data, settings={"training.max_steps": 2})
    before, vectors = run.predict(ROWS["single"]), run.encode(["Anna"])
    module = run.module.train()
    optimiser = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-3)
    batch = run.batch(ROWS["single"])
    losses = []
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(module(batch), batch["labels"])
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.detach().item())
    assert losses[-1] < losses[0] / 2
    assert run.predict(ROWS["single"]) != before
    assert not np.allclose(run.encode(["Anna"], layer=2), stilts.load(run.folder).encode(["Anna"], layer=2))
    assert vectors.shape == (1, 128)
    fresh = stilts.load(run.folder)
    assert fresh.predict(ROWS["single"]) == before  # the folder stays as it was
    weights = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    fresh.module.load_state_dict(weights, strict=False)
    assert fresh.predict(ROWS["single"]) == run.predict(ROWS["single"])


def test_trains_in_the_trainer_of_transformers(run_of):
    from transformers import Trainer, TrainingArguments

    run = run_of("single")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = {"report_to": [], "save_strategy": "no", "use_cpu": True, "disable_tqdm": True, "learning_rate": 0.01}
        arguments = TrainingArguments("hf", max_steps=12, per_device_train_batch_size=16, **given)
        features = run.features(ROWS["single"])
        trainer = Trainer(run.module, arguments, run.collate, train_dataset=features, eval_dataset=features)
        before = trainer.evaluate()["eval_loss"]
        trainer.train()
        assert trainer.evaluate()["eval_loss"] < before


def test_has_a_module_for_each_head_over_one_encoder(here, tiny_folder):
    data = {f"{task}/{split}": ROWS[task] for task in ("single", "pair") for split in ("train", "validation")}
    settings = {"training.max_steps": 2}
    run = stilts.train(["single", "pair"], how="joint", trunk=tiny_folder, data=data, settings=settings)
    assert {answer["label"] for answer in run.predict("single", ROWS["single"])} <= {"odd", "even"}
    assert {answer["label"] for answer in run.predict("pair", ROWS["pair"])} <= {"0", "1"}
    assert run.module_of("single").model.encoder is run.module_of("pair").model.encoder
    with pytest.raises(stilts.StiltsError, match="2 heads: single, pair"):
        _ = run.module


def test_reads_columns_and_layers_as_load_is_told(run_of):
    run = run_of("single")
    other = stilts.load(run.folder, settings={"task.columns.text": "body", "retrieval.layer": 1})
    row = ROWS["single"][0]
    assert other.predict([{"body": row["text"], "text": "?"}])[0]["text"] == row["text"]
    assert np.allclose(other.encode(["Anna"]), run.encode(["Anna"], layer=1))
    assert not np.allclose(other.encode(["Anna"]), run.encode(["Anna"], layer=2))


def test_refuses_a_label_that_the_head_does_not_know(run_of):
    with pytest.raises(TaskDataError, match="label 'even-odd'(.|\n)*did you mean|not one of: even, odd"):
        run_of("single").batch([{"text": "a", "label": "even-odd"}])


def test_says_what_it_is(run_of):
    run = run_of("single", out="runs/mine")
    assert repr(run) == "<run runs/mine: single, single>"
    assert repr(stilts.load("miniature")) == "<trunk miniature>"
    assert stilts.load(run) is run
    (run.folder / "manifest.json").unlink()
    with pytest.raises(MissingError, match="not finished"):
        stilts.load("runs/mine")
    Path("my run.zip").write_bytes(b"PK")
    with pytest.raises(MissingError, match=r"a \.zip where a run's folder(.|\n)*pull 'my run\.zip' -o 'my run'"):
        stilts.load("my run.zip")


def test_refuses_a_batch_of_no_rows(run_of):
    with pytest.raises(UsageError, match="a batch of no rows"):
        run_of("single").batch([])

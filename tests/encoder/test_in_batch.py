"""The in-batch softmax against NumPy, equal positives left out, and two processes against one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn.functional import normalize, pad

from adapter_stilts.encoder.heads import RankingHead, build_head
from adapter_stilts.encoder.in_batch import in_batch_loss
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.errors import UnknownName
from adapter_stilts.training.checkpoint import restore, snapshot

Batch = dict[str, torch.Tensor]
Make = Callable[..., AdapterEncoder]

LABELS = torch.tensor(
    [[0, 0], [1, 1], [0, 2], [3, 1], [4, 4], [5, 5], [6, 6]]
)  # 0 and 2 share an id, 1 and 3 their tokens


def vectors(seed: int, rows: int = 7) -> torch.Tensor:
    return normalize(torch.randn(rows, 12, generator=torch.Generator().manual_seed(seed)), dim=-1)


def brute_force(queries: np.ndarray, candidates: np.ndarray, scale: float, labels: np.ndarray) -> float:
    """Row by row, in float64: minus the log of the right candidate's share among itself and the true negatives."""
    total = 0.0
    for i, query in enumerate(queries):
        negatives = [j for j in range(len(candidates)) if j != i and not np.any(labels[i] == labels[j])]
        scores = scale * candidates[[i, *negatives]] @ query
        total -= scores[0] - np.log(np.exp(scores).sum())
    return total


def test_is_the_softmax_over_a_batch_without_equal_positives():
    queries, candidates, scale = vectors(1), vectors(2), torch.tensor([9.0])
    loss, count = in_batch_loss(queries, candidates, scale, LABELS)
    expected = brute_force(*(one.double().numpy() for one in (queries, candidates)), 9.0, LABELS.numpy())
    assert count == 7
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    kept = brute_force(*(one.double().numpy() for one in (queries, candidates)), 9.0, np.arange(7)[:, None])
    assert float(in_batch_loss(queries, candidates, scale, torch.arange(7)[:, None])[0]) == pytest.approx(
        kept, rel=1e-5
    )
    assert kept > expected  # equal positives counted as negatives cost something


def test_gives_no_gradient_to_a_row_whose_candidates_are_all_its_own():
    queries = vectors(1, 3).requires_grad_()
    loss, _ = in_batch_loss(queries, vectors(2, 3), torch.tensor([100.0]), torch.zeros(3, 1, dtype=torch.int64))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert torch.count_nonzero(queries.grad) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_compares_with_the_candidates_of_all_processes(tmp_path: Path):
    """Three processes with 3, 2 and 2 rows: losses and gradients add up to those of the whole batch."""
    script = Path(__file__).with_name("shared_batch.py")
    given = {"queries": vectors(1), "candidates": vectors(2), "labels": LABELS, "scale": torch.tensor([9.0])}
    (tmp_path / "in").write_bytes(safetensors.torch.save(given))
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "3", "--master-port", str(free_port())]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(
        [sys.executable, *launcher, str(script), str(tmp_path)],
        check=True,
        timeout=120,
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    found = safetensors.torch.load((tmp_path / "out").read_bytes())

    whole = {name: given[name].clone().requires_grad_() for name in ("queries", "candidates", "scale")}
    loss, _ = in_batch_loss(whole["queries"], whole["candidates"], whole["scale"], LABELS)
    loss.backward()
    assert float(found["loss"]) == pytest.approx(float(loss.detach()), rel=1e-5)
    for name, tensor in whole.items():
        torch.testing.assert_close(found[name], tensor.grad, rtol=1e-4, atol=1e-6)


def test_pools_the_first_token_through_dense_and_tanh_or_the_mean_of_all():
    hidden = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(3))
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    head = build_head("ranking", 8, 0, seed=5)
    expected = np.tanh(hidden[:, 0].numpy() @ head.dense.weight.detach().numpy().T + head.dense.bias.detach().numpy())
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(head(hidden, {"attention_mask": mask}).detach().numpy(), expected, rtol=1e-5)
    assert head.scale.tolist() == [100.0]

    mean = build_head("ranking", 8, 0, seed=5, pool="mean")
    rows = np.stack([hidden[0].numpy().mean(0), hidden[1, :2].numpy().mean(0)])
    np.testing.assert_allclose(
        mean(hidden, {"attention_mask": mask}).detach().numpy(),
        rows / np.linalg.norm(rows, axis=1, keepdims=True),
        rtol=1e-5,
    )
    assert list(mean.named_tensors()) == ["scale"]


def test_refuses_a_pooling_it_does_not_know():
    with pytest.raises(UnknownName, match=r"pooling of a ranking head(.|\n)*did you mean 'pooler'"):
        build_head("ranking", 8, 0, seed=5, pool="poler")


def pairs(batch: Batch, model: TaskModel) -> Batch:
    """The three sentences, each with another text to find."""
    texts = ["Anna bought two red apples.", "Kedi uyuyor.", "Who paid four euros in Madrid?"]
    other = model.encoder.trunk.tokenizer(texts, padding=True, return_tensors="pt")
    return {
        **batch,
        "candidate_ids": other["input_ids"],
        "candidate_mask": other["attention_mask"],
        "labels": torch.tensor([[0, 0], [1, 1], [2, 2]]),
    }


@pytest.mark.parametrize("pool", ["pooler", "mean"])
@pytest.mark.parametrize(
    ("kinds", "composition", "parts"),
    [
        ({"a": "seq_bn"}, "a", ["a"]),
        ({"a": "lora"}, "a", ["a"]),
        ({"a": "prefix_tuning"}, "a", ["a"]),
        ({"a": "mam"}, "a", ["a"]),
        ({"a": "full"}, "a", ["a"]),
        ({"a": "seq_bn_inv", "b": "compacter"}, "stack(a, b)", ["b"]),
        ({"a": "seq_bn", "b": "seq_bn", "c": "par_bn"}, "stack(fuse(a, b), c)", ["fuse(a, b)", "c"]),
    ],
)
def test_learns_through_any_adapter(
    pool: str, kinds: dict[str, str], composition: str, parts: list[str], make_encoder: Make, batch: Batch
):
    model = TaskModel(
        make_encoder(kinds, composition), build_head("ranking", 32, 0, seed=1, pool=pool), "ranking"
    ).eval()
    model.train_parts(parts)
    trunk = (
        {name: tensor.clone() for name, tensor in model.encoder.trunk.model.state_dict().items()}
        if "full" not in kinds.values()
        else {}
    )
    optimiser = torch.optim.Adam([parameter for _, parameter in model.trainable()], lr=0.003)
    losses = []
    for _ in range(25):
        found = model.loss_parts(pairs(batch, model))
        optimiser.zero_grad()
        found.total.backward()
        optimiser.step()
        losses.append(float(found.total.detach()) / found.targets)
    assert losses[-1] < 0.7 * losses[0]
    assert all(torch.equal(tensor, model.encoder.trunk.model.state_dict()[name]) for name, tensor in trunk.items())


def test_padding_and_batch_size_do_not_change_a_vector(make_encoder: Make, batch: Batch):
    model = TaskModel(
        make_encoder({"a": "seq_bn", "b": "lora"}, "stack(a, b)"),
        build_head("ranking", 32, 0, seed=1, pool="mean"),
        "ranking",
    ).eval()
    with torch.no_grad():
        together = model(batch)
        padded = {
            "input_ids": pad(batch["input_ids"], (0, 5), value=1),
            "attention_mask": pad(batch["attention_mask"], (0, 5)),
        }
        torch.testing.assert_close(model(padded), together, rtol=0, atol=1e-5)
        for row, length in enumerate(batch["attention_mask"].sum(1).tolist()):
            alone = {name: tensor[row : row + 1, :length] for name, tensor in batch.items()}
            torch.testing.assert_close(model(alone)[0], together[row], rtol=0, atol=1e-5)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))


def test_puts_its_state_back_bit_by_bit(make_encoder: Make, batch: Batch):
    def made(seed: int) -> TaskModel:
        model = TaskModel(make_encoder({"a": "seq_bn"}, "a"), build_head("ranking", 32, 0, seed=seed), "ranking").eval()
        model.train_parts(["a"])
        return model

    one, other = made(1), made(2)
    assert isinstance(one.head, RankingHead)
    assert {"head/dense.weight", "head/dense.bias", "head/scale"} <= {name for name, _ in one.trainable()}
    restore(dict(other.trainable()), snapshot(dict(one.trainable())), "here")
    assert torch.equal(one(batch), other(batch))

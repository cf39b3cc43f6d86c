"""Many runs at once: the same states as one by one, and memory that comes back."""

from __future__ import annotations

import gc

import pytest
import torch

from adapter_stilts.encoder.composition import Average, Name
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.errors import UnknownName, UsageError
from adapter_stilts.runs.build import finished_encoder
from adapter_stilts.runs.many import together
from adapter_stilts.sharing.bundle import load_bundle


@pytest.fixture
def batch(tiny_trunk):
    read = tiny_trunk.tokenizer(["The small cat sleeps.", "Die Katze."], return_tensors="pt", padding=True)
    return read["input_ids"], read["attention_mask"]


def test_reads_many_runs_as_one_by_one(tiny_trunk, trained, batch):
    first = trained("nli", out="first")
    runs = [first, trained("nli", out="second", training__seed=2, adapter__settings={"leave_out": [0]})]
    runs.append(trained("single", out="third", how="stack", after=[str(first)]))
    runs.append(trained("single", out="fourth", adapter__kind="lora"))
    bundles = [load_bundle(run) for run in runs]
    encoder, compositions = together(tiny_trunk, bundles)
    assert list(map(str, compositions)) == ["nli", "nli-2", "stack(nli, single)", "single-2"]
    with torch.no_grad():
        alone = [finished_encoder(tiny_trunk, bundle).hidden(*batch) for bundle in bundles]
        for found, wanted in zip(encoder.hidden_each(compositions, *batch), alone, strict=True):
            assert torch.equal(found, wanted)
        encoder.activate(Average((Name("nli"), Name("nli-2"))))
        assert not torch.equal(encoder.hidden(*batch), alone[0])


@torch.no_grad()
def test_runs_what_adapters_share_once(tiny_trunk, batch, monkeypatch):
    encoder = AdapterEncoder(tiny_trunk)
    for number in range(3):
        encoder.add(f"a{number}", "seq_bn", {"leave_out": [0], "init_weights": "bert"}, seed=number)
    encoder.eval().activate(Name("a1"))
    names = [Name(f"a{number}") for number in range(3)]
    wanted = []
    for name in names:
        encoder.activate(name)
        wanted.append(encoder.hidden(*batch))
    ran, run = [], type(tiny_trunk.model).run
    monkeypatch.setattr(
        type(tiny_trunk.model), "run", lambda self, index, *rest: ran.append(index) or run(self, index, *rest)
    )
    for found, alone in zip(encoder.hidden_each(names, *batch), wanted, strict=True):
        assert torch.equal(found, alone)
    assert ran == [0, 1, 1, 1]
    assert encoder.composition == names[-1]
    below = encoder.hidden_each(names, *batch, layer=1)
    assert all(torch.equal(state, below[0]) for state in below)


def test_gives_back_the_memory_of_fifty_adapters(tiny_trunk, batch):
    encoder, tensors = AdapterEncoder(tiny_trunk).eval(), {}
    with torch.no_grad():
        encoder.hidden(*batch)  # which reads the word embeddings that are used
    for kind in ("lora", "seq_bn"):
        encoder.add(kind, kind)
        tensors[kind] = encoder.tensors(kind)
        encoder.remove(kind)

    def held() -> tuple[int, int]:
        gc.collect()
        there = [thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, torch.nn.Parameter)]
        return len(there), sum(tensor.numel() for tensor in there)

    before = held()
    for number in range(50):
        kind = ("lora", "seq_bn")[number % 2]
        encoder.load(f"a{number}", kind, {}, tensors[kind])
    assert held()[1] > before[1] + 25 * sum(tensor.numel() for tensor in tensors["lora"].values())
    encoder.activate(Average(tuple(Name(f"a{number}") for number in range(50))))
    encoder.train_parts(["a7"])
    with torch.no_grad():
        encoder.hidden(*batch)
    with pytest.raises(UsageError, match="the adapter 'a7' is in use"):
        encoder.remove("a7")
    encoder.activate(None)
    for number in range(50):
        encoder.remove(f"a{number}")
    assert held() == before
    assert (encoder.trainable(), encoder.table()[1:]) == ([], [])
    with pytest.raises(UnknownName, match="no adapter called 'a7'"):
        encoder.remove("a7")

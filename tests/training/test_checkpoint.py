import errno
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import changed, train
from plans import plan as make_plan

from adapter_stilts.errors import ArtefactError, DoesNotFit
from adapter_stilts.training import checkpoint as checkpoints
from adapter_stilts.training.checkpoint import Checkpoint, State

PLAN = make_plan(max_steps=20, learning_rate=0.01, token_budget=150, log_steps=4, checkpoint_steps=5, seed=5)

FILES = ("state.json", "weights.safetensors", "optimiser.safetensors", "best.safetensors")


def some(step=3):
    weights = {"layer.0.down": torch.randn(3, 4), "head": torch.randn(2)}
    moments = {
        f"{name}/{moment}": torch.randn(tensor.shape)
        for name, tensor in weights.items()
        for moment in ("exp_avg", "exp_avg_sq")
    }
    state = State(
        step=step,
        losses=[(1, 0.1 + 0.2), (2, 1e-45)],
        best_step=2,
        best_score=1 / 3,
        scaler={"scale": 1024.0},
        tokens=7,
    )
    return Checkpoint(state, weights, moments, {name: tensor + 1 for name, tensor in weights.items()})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return checkpoints.save(folder, some(), "me")


def test_gives_back_every_bit(tmp_path, same_bits):
    saved = some()
    loaded = checkpoints.load(checkpoints.save(tmp_path, saved, "me"), "me")
    assert loaded.state == saved.state
    assert same_bits(loaded.weights, saved.weights)
    assert same_bits(loaded.optimiser, saved.optimiser)
    assert same_bits(loaded.best, saved.best)


def test_keeps_the_newest_only(tmp_path):
    for step in (2, 9, 10, 10, 10, 100):
        path = checkpoints.save(tmp_path, some(step), "me")
        assert checkpoints.newest(tmp_path) == path
        assert list(tmp_path.iterdir()) == [path]


def test_prefers_the_later_of_two_that_a_kill_left_behind(tmp_path):
    old = checkpoints.save(tmp_path, some(5), "me")
    aside = old.rename(tmp_path / "aside")
    new = checkpoints.save(tmp_path, some(5), "me")
    new = new.rename(tmp_path / "step-00000005.1")
    aside.rename(old)
    (tmp_path / ".partial-1").mkdir()
    assert checkpoints.newest(tmp_path) == new
    last = checkpoints.save(tmp_path, some(5), "me")
    assert [path.name for path in tmp_path.iterdir()] == [last.name] == ["step-00000005.2"]


def test_holds_neither_pickles_nor_frozen_weights(toy, tmp_path):
    train(toy.Toy(), toy.toy_data(), changed(PLAN, evaluate_steps=5), folder=tmp_path, validate=toy.accuracy)
    (path,) = (tmp_path / "checkpoints").iterdir()
    assert {file.name for file in path.iterdir()} == set(FILES)
    found = checkpoints.load(path, "")
    assert (
        set(found.weights)
        == set(found.best)
        == {"adapter.weight", "adapter.bias", "fusion", "head.weight", "head.bias"}
    )


def test_refuses_a_checkpoint_of_another_configuration(toy, tmp_path):
    train(toy.Toy(), toy.toy_data(), PLAN, folder=tmp_path, identity="0123abcd")
    with pytest.raises(
        ArtefactError, match=r"another configuration \(0123abcd, now ffff0000\)(.|\n)*use another folder"
    ) as caught:
        train(toy.Toy(), toy.toy_data(), PLAN, folder=tmp_path, identity="ffff0000", resume=True)
    assert caught.value.exit_code == 4


def test_refuses_a_checkpoint_of_another_model(toy, tmp_path):
    train(toy.Toy(), toy.toy_data(), PLAN, folder=tmp_path)
    larger, fewer = toy.Toy(), toy.Toy()
    larger.head = torch.nn.Linear(toy.WIDTH, 5)
    fewer.fusion.requires_grad_(False)
    for model, name in ((larger, "head.weight"), (fewer, "fusion")):
        with pytest.raises(ArtefactError, match=f"does not fit this model: {name}"):
            train(model, toy.toy_data(), PLAN, folder=tmp_path, resume=True)


@pytest.mark.parametrize("name", FILES)
def test_refuses_a_file_cut_short_emptied_or_gone(written, name):
    content = (written / name).read_bytes()
    try:
        for damaged in (content[: len(content) // 2], b"", None):
            (written / name).unlink(missing_ok=True)
            if damaged is not None:
                (written / name).write_bytes(damaged)
            with pytest.raises(ArtefactError, match=rf"damaged(.|\n)*{name}(.|\n)*--overwrite"):
                checkpoints.load(written, "me")
    finally:
        (written / name).write_bytes(content)


@settings(max_examples=150)
@given(name=st.sampled_from(FILES), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_refuses_a_single_flipped_bit(written, name, place, bit):
    content = (written / name).read_bytes()
    flipped = bytearray(content)
    flipped[int(place * len(content))] ^= 1 << bit
    try:
        (written / name).write_bytes(bytes(flipped))
        if name == "state.json" and _same_json(bytes(flipped), content):
            return  # white space, which says nothing
        with pytest.raises(ArtefactError, match="damaged"):
            checkpoints.load(written, "me")
    finally:
        (written / name).write_bytes(content)


def _same_json(one, other):
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


@pytest.mark.parametrize("full_after", [0, 1, 2, 3])
def test_keeps_the_earlier_checkpoint_on_a_full_disk(toy, tmp_path, monkeypatch, same_bits, full_after):
    """The disk is full at the second checkpoint, after `full_after` of its files."""
    written = []
    write = checkpoints._write_bytes

    def fills_up(path, content):
        written.append(path)
        if len(written) == 3 + full_after + 1:
            path.write_bytes(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(checkpoints, "_write_bytes", fills_up)
    plan = changed(PLAN, evaluate_steps=10) if full_after == 3 else PLAN
    with pytest.raises(
        DoesNotFit, match=r"the disk is full; what was written before is kept(.|\n)*step-00000010"
    ) as caught:
        train(toy.Toy(), toy.toy_data(), plan, folder=tmp_path, validate=toy.accuracy if full_after == 3 else None)
    assert caught.value.exit_code == 5
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000005"]
    monkeypatch.undo()
    resumed, whole = toy.Toy(), toy.Toy()
    validate = toy.accuracy if full_after == 3 else None
    train(resumed, toy.toy_data(), plan, folder=tmp_path, validate=validate, resume=True)
    train(whole, toy.toy_data(), plan, validate=validate)
    assert same_bits(toy.trained(resumed), toy.trained(whole))

"""The layers that no adapter reaches: a row's own function, whatever stands beside it, kept or not."""

import pytest
import torch
from trunk_forms import write_form

from adapter_stilts.data.batches import collate
from adapter_stilts.data.feature import Feature
from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.kinds import above, kinds, resolve
from adapter_stilts.encoder.lower_layers import dtype_of, kept_states, lower_state
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk, save_trunk
from adapter_stilts.errors import UsageError

FORMS = {"xlm-r": {"num_hidden_layers": 3}, "mbert": {"num_hidden_layers": 3}, "mmbert": {"num_hidden_layers": 4}}


@pytest.fixture(scope="module", params=[(form, precision) for form in FORMS for precision in ("fp32", "bf16")])
def trunk(request, tmp_path_factory):
    form, precision = request.param
    return load_trunk(str(write_form(form, tmp_path_factory.mktemp(form), **FORMS[form])), precision=precision)


@pytest.fixture(scope="module")
def xlmr(tmp_path_factory):
    return load_trunk(str(write_form("xlm-r", tmp_path_factory.mktemp("xlm-r"), num_hidden_layers=3)), precision="fp32")


@pytest.fixture
def kept(tmp_path):
    """`kept(trunk, layer)`: what is kept of a trunk at a layer."""
    return lambda trunk, layer=1: kept_states(tmp_path / "states", trunk, layer, "cpu", 10**8, pytest.fail)


def batch(trunk, lengths=(5, 9, 9, 30, 9), seed=0):
    """Random rows of token ids, padded together."""
    draw = torch.Generator().manual_seed(seed)
    rows = [tuple(torch.randint(5, trunk.config.vocab_size, (n,), generator=draw).tolist()) for n in lengths]
    made = collate([Feature(number, number, ids) for number, ids in enumerate(rows)], trunk.config.pad_token_id)
    return made["input_ids"], made["attention_mask"]


def alone(trunk, ids, mask, layer):
    """Each row by itself, by the plain path."""
    plain, lengths = AdapterEncoder(trunk).eval(), mask.sum(-1).tolist()
    rows = [(ids[row : row + 1, :length], mask[row : row + 1, :length]) for row, length in enumerate(lengths)]
    with torch.no_grad():
        return [plain.hidden(*row, layer)[0] for row in rows]


def test_gives_every_row_what_it_has_alone(trunk):
    ids, mask = batch(trunk)
    state = lower_state(trunk, ids, mask, 2)
    assert state.dtype == torch.float32
    for made, own in zip(state, alone(trunk, ids, mask, 2), strict=True):
        assert torch.equal(made[: len(own)], own.to(dtype_of(trunk)).float())
        assert not made[len(own) :].any()


def test_gives_the_same_bits_kept_or_not_and_in_any_company(trunk, kept):
    ids, mask = batch(trunk)
    once = lower_state(trunk, ids, mask, 2)
    first = kept(trunk, 2)
    assert torch.equal(lower_state(trunk, ids, mask, 2, first), once)
    assert torch.equal(lower_state(trunk, ids, mask, 2, first), once)
    assert (first.found, first.made) == (5, 5)
    order, second = torch.tensor([4, 0, 2]), kept(trunk, 2)
    assert torch.equal(lower_state(trunk, ids[order][:, :9], mask[order][:, :9], 2, second), once[order][:, :9])
    assert (second.found, second.made) == (3, 0)


def test_has_no_dropout_and_draws_nothing(trunk):
    encoder = AdapterEncoder(trunk)
    encoder.add("a", "seq_bn", above(kinds["seq_bn"], resolve(kinds["seq_bn"], {"reduction_factor": 4}), 2))
    encoder.activate(parse("a"))
    encoder.from_layer = 2
    ids, mask = batch(trunk)
    calm = encoder.eval().hidden(ids, mask, 2)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    assert torch.equal(encoder.train().hidden(ids, mask, 2), calm)
    assert torch.equal(torch.random.get_rng_state(), before)
    last = encoder.hidden(ids, mask)
    dropout = trunk.config.hidden_dropout_prob
    assert encoder.base.training
    assert torch.equal(last, encoder.hidden(ids, mask)) == (dropout == 0)  # above there is dropout as ever


def test_is_the_plain_path_within_rounding(trunk):
    ids, mask = batch(trunk)
    encoder = AdapterEncoder(trunk).eval()
    with torch.no_grad():
        plain = encoder.hidden(ids, mask)
        encoder.from_layer = 2
        shared = encoder.hidden(ids, mask)
    inside = mask.bool()
    within = 1e-5 if trunk.precision == "fp32" else 0.05
    assert (shared - plain)[inside].abs().max() <= within * plain[inside].abs().max()


def test_tells_trunks_precisions_and_layers_apart(tiny_folder, tmp_path, kept):
    trunk = load_trunk(str(tiny_folder), precision="fp32")
    trunk.model.word_embeddings.weight.mul_(1.01)
    save_trunk(trunk, tmp_path / "other")
    made = {
        kept(load_trunk(str(folder), precision=precision), layer)._folder
        for folder in (tiny_folder, tmp_path / "other")
        for precision in ("fp32", "bf16")
        for layer in (1, 2)
    }
    assert len(made) == 8
    assert kept(load_trunk(str(tiny_folder), precision="fp32"), 1)._folder in made


def test_reads_no_word_embeddings_of_rows_that_are_kept(tiny_folder, kept):
    first, second = (load_trunk(str(tiny_folder), precision="fp32") for _ in range(2))
    ids, mask = batch(first)
    made = lower_state(first, ids, mask, 1, kept(first))
    assert torch.equal(lower_state(second, ids, mask, 1, kept(second)), made)
    assert (second.model.word_embeddings.place < 0).all()
    assert not (first.model.word_embeddings.place < 0).all()


def test_keeps_nothing_of_rows_that_do_not_come_again(tiny_trunk, kept):
    encoder = AdapterEncoder(tiny_trunk).eval()
    encoder.from_layer, encoder.kept = 1, kept(tiny_trunk)
    ids, mask = batch(tiny_trunk)
    once = encoder.hidden(ids, mask, once=True)
    assert (encoder.kept.found, encoder.kept.made) == (0, 0)
    assert torch.equal(encoder.hidden(ids, mask), once)
    assert (encoder.kept.found, encoder.kept.made) == (0, 5)


@pytest.mark.parametrize(
    ("adapters", "composition", "from_layer", "untouched"),
    [
        ({"a": 2}, "a", 2, 2),
        ({"a": 2}, "a", 1, 1),
        ({"a": 1}, "a", 2, 1),
        ({"a": 2}, "a", 0, 0),
        ({"a": 0, "b": 2}, "stack(a, b)", 2, 0),
        ({"a": 1, "b": 2}, "stack(a, b)", 2, 1),
        ({"a": 2, "b": 1, "c": 2}, "stack(fuse(a, b), c)", 2, 1),
        ({"a": 2, "b": 2}, "fuse(a, b)", 2, 2),
        ({"a": 0, "b": 2}, "b", 2, 2),  # what is not active touches nothing
    ],
)
def test_shares_what_lies_below_the_lowest_active_adapter(xlmr, adapters, composition, from_layer, untouched):
    encoder = AdapterEncoder(xlmr).eval()
    for name, layer in adapters.items():
        encoder.add(name, "seq_bn", above(kinds["seq_bn"], resolve(kinds["seq_bn"], {"reduction_factor": 4}), layer))
    for fuse in (part for part in ("fuse(a, b)",) if part in composition):
        encoder.add_fusion(parse(fuse))
    encoder.activate(parse(composition))
    encoder.from_layer = from_layer
    assert encoder.untouched == untouched


@pytest.mark.parametrize("kind", [name for name in kinds if not kinds[name].places & {"trunk", "embedding"}])
def test_every_kind_in_the_layers_above_leaves_the_state_below(xlmr, kind_settings, kind):
    encoder = AdapterEncoder(xlmr).eval()
    encoder.add("a", kind, above(kinds[kind], resolve(kinds[kind], kind_settings[kind]), 2))
    ids, mask = batch(xlmr)
    bare = encoder.hidden(ids, mask, 2)
    encoder.activate(parse("a"))
    assert encoder.adapters["a"].lowest == 2
    assert torch.equal(encoder.hidden(ids, mask, 2), bare)
    assert any("layer.2." in name or "prefix" in name for name in encoder.tensors("a"))


@pytest.mark.parametrize("kind", ["seq_bn_inv", "full"])
def test_refuses_kinds_that_act_below_all_layers(kind):
    with pytest.raises(UsageError, match=f"{kind} acts below all layers.*\n.*adapter.from_layer"):
        above(kinds[kind], resolve(kinds[kind], {}), 1)
    assert above(kinds[kind], resolve(kinds[kind], {}), 0) == resolve(kinds[kind], {})


def test_adds_to_the_layers_that_are_left_out():
    made = above(kinds["lora"], resolve(kinds["lora"], {"leave_out": [1, 5]}), 3)
    assert made["leave_out"] == (0, 1, 2, 5)

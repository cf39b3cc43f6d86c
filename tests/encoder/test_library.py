"""Our arithmetic against the adapters library's own models, wherever the library is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from encoder.library_modules import PEFTS, UNITED, import_library, library_config, library_name, librarys_model
from transformers import XLMRobertaModel

from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.seeding import Seeds

pytestmark = pytest.mark.usefixtures("torchs_draws")
KINDS = ["seq_bn", "double_seq_bn", "par_bn", "seq_bn_inv", "compacter", "lora", "ia3", "prefix_tuning", "mam"]

@pytest.fixture(scope="module")
def library() -> ModuleType:
    return import_library()


@pytest.fixture
def reference(library: ModuleType, tiny_folder: Path, kind_settings: dict[str, dict[str, Any]]) -> Callable[..., Any]:
    """The library's model with the trunk, adapters and fusions of one of our encoders."""

    def make(encoder: AdapterEncoder, adapters: dict[str, str], fuse: tuple[str, ...] = ()) -> Any:
        return librarys_model(tiny_folder, encoder, adapters, kind_settings, fuse)

    return make


def compare(encoder: AdapterEncoder, model: Any, batch: dict[str, torch.Tensor], dropout: bool = True) -> None:
    """Outputs, and the gradient of every parameter of every adapter and fusion, with and without dropout."""
    encoder.train_parts([*encoder.adapters, *encoder.fusions])
    theirs = dict(model.named_parameters(remove_duplicate=False))
    pairs = [(tensor, theirs[_at_library(name)]) for name, tensor in encoder.trainable()]
    for _, parameter in pairs:
        parameter.requires_grad_(True)
    for training in (False, True)[: 1 + dropout]:
        states = []
        for run in (encoder.train(training), model.train(training)):
            torch.manual_seed(5)
            given = {name: tensor.clone() for name, tensor in batch.items()}  # the library repeats masks in place
            states.append(encoder.hidden(**given) if run is encoder else run(**given).last_hidden_state)
        torch.testing.assert_close(*states, rtol=0, atol=5e-6)
        ours, other = (
            torch.autograd.grad(state.sin().mean(), [pair[side] for pair in pairs])
            for side, state in enumerate(states)
        )
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-6)
    encoder.eval().activate(None)
    bare = encoder.hidden(**batch)
    assert (states[0] - bare).abs().max() > 1e-3  # the adapters matter


def _at_library(name: str) -> str:
    """Where the library keeps a tensor that we call "adapter/a/..." or "fusion/fuse(a, b)/..."."""
    _, part, canonical = name.split("/")
    return library_name(canonical, part.removeprefix("fuse(").removesuffix(")").replace(" ", ""))


@pytest.mark.parametrize("kind", KINDS)
def test_one_adapter_of_every_kind_is_the_librarys(
    kind: str,
    make_encoder: Callable[..., AdapterEncoder],
    reference: Callable[..., Any],
    batch: dict[str, torch.Tensor],
) -> None:
    encoder = make_encoder({"a": kind}, "a")
    model = reference(encoder, {"a": kind})
    model.set_active_adapters("a")
    compare(encoder, model, batch)


@pytest.mark.parametrize("kind", ["seq_bn", "double_seq_bn", "compacter", "seq_bn_inv", "prefix_tuning"])
def test_a_stack_is_the_librarys(
    kind: str,
    library: ModuleType,
    make_encoder: Callable[..., AdapterEncoder],
    reference: Callable[..., Any],
    batch: dict[str, torch.Tensor],
) -> None:
    adapters = {
        "a": kind,
        "b": "seq_bn" if kind == "seq_bn_inv" else kind,
    }  # the library applies the first invertible block only
    encoder = make_encoder(adapters, "stack(a, b)")
    model = reference(encoder, adapters)
    model.set_active_adapters(library.composition.Stack("a", "b"))
    # of two prefixes the library puts the upper one first, and dropout of attention falls on other places
    compare(encoder, model, batch, dropout=kind != "prefix_tuning")


@pytest.mark.parametrize("kind", ["seq_bn", "double_seq_bn", "compacter"])
def test_a_fusion_is_the_librarys(
    kind: str,
    library: ModuleType,
    make_encoder: Callable[..., AdapterEncoder],
    reference: Callable[..., Any],
    batch: dict[str, torch.Tensor],
) -> None:
    adapters = {"a": kind, "b": kind}
    encoder = make_encoder(adapters, "fuse(a, b)")
    model = reference(encoder, adapters, ("a", "b"))
    model.set_active_adapters(library.composition.Fuse("a", "b"))
    compare(encoder, model, batch)


def test_a_fusion_inside_a_stack_is_the_librarys(
    library: ModuleType,
    make_encoder: Callable[..., AdapterEncoder],
    reference: Callable[..., Any],
    batch: dict[str, torch.Tensor],
) -> None:
    adapters = {"l": "seq_bn_inv", "a": "seq_bn", "b": "seq_bn", "c": "seq_bn"}
    encoder = make_encoder(adapters, "stack(l, fuse(a, b), c)")
    model = reference(encoder, adapters, ("a", "b"))
    model.set_active_adapters(library.composition.Stack("l", library.composition.Fuse("a", "b"), "c"))
    compare(encoder, model, batch)


def test_fusion_penalty_is_the_librarys(
    make_encoder: Callable[..., AdapterEncoder], reference: Callable[..., Any]
) -> None:
    adapters = {"a": "seq_bn", "b": "seq_bn"}
    encoder = make_encoder(adapters, "fuse(a, b)")
    encoder.train_parts(["fuse(a, b)"])
    model = reference(encoder, adapters, ("a", "b"))
    torch.testing.assert_close(encoder.fusion_penalty(), model.get_fusion_regularization_loss())


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind != "mam"]
)  # its two halves are drawn in the other order
def test_fresh_weights_are_the_librarys(
    kind: str,
    library: ModuleType,
    make_encoder: Callable[..., AdapterEncoder],
    tiny_folder: Path,
    kind_settings: dict[str, dict[str, Any]],
) -> None:
    encoder = make_encoder({})
    encoder.add("a", kind, kind_settings[kind], seed=5)
    model = XLMRobertaModel.from_pretrained(tiny_folder, add_pooling_layer=False)
    library.init(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Seeds(5).number(f"adapter/{kind}"))
        model.add_adapter("a", config=library_config(kind, kind_settings[kind]))
    theirs = model.state_dict()
    for name, tensor in encoder.tensors("a").items():
        assert torch.equal(tensor, theirs[library_name(name, "a")]), name


def test_defaults_are_the_librarys(library: ModuleType) -> None:
    for kind in kinds.values():
        for part in UNITED.get(kind.name, {kind.name} - {"full", *PEFTS}):
            config = library.ADAPTER_CONFIG_MAP[part].to_dict()
            theirs = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
            ours = {
                name: value
                for name, value in kind.settings.items()
                if name in theirs and (kind.name, name) != ("mam", "bottleneck_size")
            }
            assert ours.items() <= theirs.items(), kind.name
    assert (
        library.ADAPTER_CONFIG_MAP["mam"]["configs"][0]["bottleneck_size"] == kinds["mam"].settings["bottleneck_size"]
    )

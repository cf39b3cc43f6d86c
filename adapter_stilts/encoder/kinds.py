"""The kinds of adapter a user may name, as data.

A kind is a name, the modules it is made of, the settings that may be changed, where it sits in a layer, and what it may
be composed with. A kind made of modules that are there is one entry here; a new module is one file in `modules/`.

    kinds["seq_bn"].settings["reduction_factor"]     # 16
    resolve(kinds["seq_bn"], {"reduction_factor": 2})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from adapter_stilts.errors import UnknownName, UsageError
from adapter_stilts.registry import Registry, unknown_name

Setting: TypeAlias = int | float | bool | str | tuple[int, ...] | tuple[str, ...]

COMPOSITIONS = frozenset({"stack", "fuse", "average"})
PREFIX_REFUSES = {
    "fuse": "a prefix adds keys and values, not a change of the hidden state",
    "average": "two prefixes have no mean: they are attended to side by side",
}
INVERTIBLE_REFUSES = {
    "fuse": "its invertible part sits below all layers, where there is no fusion; "
    "lay it under the fusion: stack(de, fuse(a, b))",
    "average": "the mean of two invertible parts cannot be inverted",
}
FUSION_WEIGHS = "fusion weighs what bottlenecks add to the hidden state"


@dataclass(frozen=True)
class Part:
    """A module of `modules/` that a kind is made of, and those of its settings that nobody changes."""

    module: str
    fixed: Mapping[str, Setting]


def part(module: str, **fixed: Setting) -> Part:
    return Part(module, MappingProxyType(fixed))


@dataclass(frozen=True)
class Kind:
    """One kind of adapter.

    settings   every setting a user may change, with its default
    places     where in a layer it acts: attention, output (bottlenecks), linear, prefix, embedding, trunk
    refuses    the compositions it cannot take part in, each with the reason
    reads_weights  whether what it adds depends on the frozen weights themselves
    rate       the learning rate it is trained at where none is named (benchmarks/results/default_rates.md)
    fresh      how far a fresh adapter with default settings may move a hidden state, as |h' - h| / |h| at any layer; 0:
               not at all, bit by bit; None: no promise
    parts      the modules it is made of, in the order in which they are drawn
    """

    name: str
    summary: str
    paper: str
    settings: Mapping[str, Setting]
    places: frozenset[str]
    rate: float
    fresh: float | None
    parts: tuple[Part, ...]
    refuses: Mapping[str, str] = field(default_factory=dict)
    reads_weights: bool = False

    @property
    def composes(self) -> frozenset[str]:
        """The compositions it may take part in."""
        return COMPOSITIONS - set(self.refuses)


LARGEST = 1_000_000  # of a setting that is a number, or its inverse: a width above fits no memory

kinds: Registry[Kind] = Registry("adapter kind")


def resolve(kind: Kind, overrides: Mapping[str, object]) -> dict[str, Setting]:
    """Every setting of a kind, defaults replaced by `overrides`; a wrong name or type is refused."""
    wrong = next((name for name in overrides if name not in kind.settings), None)
    if wrong is not None:
        raise unknown_name(f"setting of {kind.name}", wrong, kind.settings or {"(none: this kind has no settings)": 0})
    return {**kind.settings, **{name: _checked(kind, name, value) for name, value in overrides.items()}}


def above(kind: Kind, settings: Mapping[str, Setting], layer: int) -> dict[str, Setting]:
    """All settings of a kind, with it in the layers above hidden state `layer` alone; UsageError for a kind that acts
    below all layers too."""
    if layer and kind.places & {"embedding", "trunk"}:
        what = f"{kind.name} acts below all layers, so no layer below it stays as it is"
        raise UsageError(what, where="adapter.from_layer", do="leave --from-layer out, or choose another kind")
    left = settings.get("leave_out", ())
    assert isinstance(left, tuple)
    return {**settings, "leave_out": tuple(sorted({*range(layer), *map(int, left)}))} if layer else dict(settings)


def mistakes(name: str, overrides: Mapping[str, object]) -> list[tuple[tuple[str | int, ...], object, str]]:
    """Everything that is wrong in a kind and its settings, as (configuration key, value, sentence)."""
    try:
        kind = kinds[name]
    except UnknownName as error:
        return [(("adapter", "kind"), name, f"{error.what}; {error.do}")]
    wrong: list[tuple[tuple[str | int, ...], object, str]] = []
    for key, value in overrides.items():
        try:
            resolve(kind, {key: value})
        except UsageError as error:
            wrong.append((("adapter", "settings", key), value, f"{error.what}; {error.do}"))
    return wrong


def _checked(kind: Kind, name: str, value: object) -> Setting:
    """The value in the type of its default; a whole number will do where a fraction is expected."""
    default = kind.settings[name]
    within = isinstance(value, int | float) and (value == 0 or 1 / LARGEST <= abs(value) <= LARGEST)
    of = str if name in ("attn_matrices", "scaled_inputs") else int
    if isinstance(default, tuple) and isinstance(value, (list, tuple)) and all(type(item) is of for item in value):
        return tuple(value)
    if isinstance(value, str) and (isinstance(default, str) or (name == "scaling" and value in ("learned", "channel"))):
        return value
    if isinstance(default, bool) or isinstance(value, bool):
        if isinstance(default, bool) and isinstance(value, bool):
            return value
    elif isinstance(default, float) and isinstance(value, (int, float)) and within:
        return float(value)
    elif isinstance(default, int) and isinstance(value, int) and min(default, 1) <= value < 2**31:
        return value
    what = f"{kind.name}.{name} cannot be {value!r}"
    raise UsageError(what, where="adapter.settings", do=f"give it a value like its default, {default!r}")


def _settings(**values: Setting) -> Mapping[str, Setting]:
    return MappingProxyType({**values, "leave_out": ()})


BOTTLENECK: dict[str, Setting] = {"reduction_factor": 16.0, "non_linearity": "relu", "scaling": 1.0, "dropout": 0.0}
BERT: dict[str, Setting] = {"init_weights": "bert", "ln_before": False}
AFTER: dict[str, Setting] = {"sites": ("output",), "reads": "norm"}
AFTER_BOTH: dict[str, Setting] = {"sites": ("attention", "output"), "reads": "hidden"}
BESIDE: dict[str, Setting] = {"sites": ("output",), "reads": "residual", "ln_before": False}
PROJECTIONS: dict[str, Setting] = {"selfattn_lora": True, "intermediate_lora": False, "output_lora": False}
LORA: dict[str, Setting] = {"r": 8, "alpha": 8, "dropout": 0.0, "attn_matrices": ("q", "v"), **PROJECTIONS}
LORA |= {"init_weights": "lora"}
LORA_REFUSES = {"fuse": f"{FUSION_WEIGHS}, and low-rank changes act inside the projections"}

for _kind in (
    Kind(
        "seq_bn",
        "one bottleneck after the feed-forward block of each layer (Pfeiffer)",
        "https://arxiv.org/abs/2005.00052",
        _settings(**BOTTLENECK, **BERT),
        frozenset({"output"}),
        rate=1e-3,
        fresh=0.5,
        parts=(part("bottleneck", **AFTER),),
    ),
    Kind(
        "double_seq_bn",
        "two bottlenecks per layer, after attention and after the feed-forward block (Houlsby)",
        "https://arxiv.org/abs/1902.00751",
        _settings(**BOTTLENECK | {"non_linearity": "swish"}, **BERT),
        frozenset({"attention", "output"}),
        rate=1e-3,
        fresh=0.5,
        parts=(part("bottleneck", **AFTER_BOTH),),
    ),
    Kind(
        "par_bn",
        "one wide bottleneck beside the feed-forward block of each layer",
        "https://arxiv.org/abs/2110.04366",
        _settings(**BOTTLENECK | {"reduction_factor": 2.0, "scaling": 4.0}, init_weights="mam_adapter"),
        frozenset({"output"}),
        rate=1e-3,
        fresh=0.0,
        parts=(part("bottleneck", **BESIDE),),
    ),
    Kind(
        "seq_bn_inv",
        "seq_bn with an invertible block on the embeddings: a language adapter (MAD-X)",
        "https://arxiv.org/abs/2005.00052",
        _settings(**BOTTLENECK, inv_adapter_reduction_factor=2.0, **BERT),
        frozenset({"output", "embedding"}),
        rate=1e-3,
        fresh=0.5,
        parts=(part("bottleneck", **AFTER), part("invertible")),
        refuses=INVERTIBLE_REFUSES,
    ),
    Kind(
        "compacter",
        "two bottlenecks per layer whose matrices are sums of Kronecker products",
        "https://arxiv.org/abs/2106.04647",
        _settings(
            **BOTTLENECK | {"reduction_factor": 32.0, "non_linearity": "gelu"},
            phm_dim=4,
            phm_rank=1,
            shared_phm_rule=True,
        ),
        frozenset({"attention", "output"}),
        rate=3e-3,
        fresh=0.01,
        parts=(part("compacter", **AFTER_BOTH, ln_before=False),),
    ),
    Kind(
        "lora",
        "low-rank changes of the query and value projections",
        "https://arxiv.org/abs/2106.09685",
        _settings(**LORA),
        frozenset({"linear"}),
        rate=1e-3,
        fresh=0.0,
        parts=(part("lora"),),
        refuses=LORA_REFUSES,
    ),
    Kind(
        "rslora",
        "lora with a scale by the root of the rank, for high ranks",
        "https://arxiv.org/abs/2312.03732",
        _settings(**LORA),
        frozenset({"linear"}),
        rate=1e-3,
        fresh=0.0,
        parts=(part("rslora"),),
        refuses=LORA_REFUSES,
    ),
    Kind(
        "dora",
        "lora on the direction of each row of a projection, and a learned length",
        "https://arxiv.org/abs/2402.09353",
        _settings(**LORA),
        frozenset({"linear"}),
        rate=1e-3,
        fresh=0.0,
        parts=(part("dora"),),
        refuses=LORA_REFUSES,
        reads_weights=True,
    ),
    Kind(
        "vera",
        "two learned vectors around random matrices that all projections share",
        "https://arxiv.org/abs/2310.11454",
        _settings(r=256, d_initial=0.1, projection_seed=0, dropout=0.0, attn_matrices=("q", "v"), **PROJECTIONS),
        frozenset({"linear"}),
        rate=1e-2,
        fresh=0.0,
        parts=(part("vera"),),
        refuses=LORA_REFUSES,
    ),
    Kind(
        "ia3",
        "learned scales on keys, values and the feed-forward block",
        "https://arxiv.org/abs/2205.05638",
        _settings(attn_matrices=("k", "v"), **PROJECTIONS | {"intermediate_lora": True}, init_weights="ia3"),
        frozenset({"linear"}),
        rate=3e-3,
        fresh=0.0,
        parts=(part("ia3"),),
        refuses={"fuse": f"{FUSION_WEIGHS}, and (IA)^3 scales the projections"},
    ),
    Kind(
        "ia3_ff",
        "ia3 with scales on what goes into projections, too: the paper's feed-forward block",
        "https://arxiv.org/abs/2205.05638",
        _settings(attn_matrices=("k", "v"), scaled_inputs=("output",), **PROJECTIONS | {"output_lora": True}),
        frozenset({"linear"}),
        rate=3e-3,
        fresh=0.0,
        parts=(part("ia3_ff", init_weights="ia3"),),
        refuses={"fuse": f"{FUSION_WEIGHS}, and (IA)^3 scales the projections"},
    ),
    Kind(
        "prefix_tuning",
        "learned keys and values before those of the sentence, in each layer",
        "https://arxiv.org/abs/2101.00190",
        _settings(prefix_length=30, bottleneck_size=512, flat=False, non_linearity="tanh", dropout=0.0),
        frozenset({"prefix"}),
        rate=1e-3,
        fresh=None,
        parts=(part("prefix"),),
        refuses=PREFIX_REFUSES,
    ),
    Kind(
        "mam",
        "prefix tuning and a parallel bottleneck together (mix-and-match)",
        "https://arxiv.org/abs/2110.04366",
        _settings(prefix_length=30, bottleneck_size=800, reduction_factor=2.0, scaling=4.0, dropout=0.0),
        frozenset({"output", "prefix"}),
        rate=1e-3,
        fresh=None,
        parts=(
            part("prefix", flat=False, non_linearity="tanh"),
            part("bottleneck", **BESIDE, non_linearity="relu", init_weights="mam_adapter"),
        ),
        refuses=PREFIX_REFUSES,
    ),
    Kind(
        "full",
        "the whole trunk, trained; for comparison only",
        "https://arxiv.org/abs/1911.02116",
        MappingProxyType({}),
        frozenset({"trunk"}),
        rate=3e-5,
        fresh=0.0,
        refuses=dict.fromkeys(("fuse", "average"), "it replaces the trunk itself"),
        parts=(part("whole_trunk"),),
    ),
):
    kinds.add(_kind.name, _kind)

"""What a pass over a batch holds in memory, by cause, from a trunk's numbers and the settings; nothing is loaded.

    work = Work(LARGE, kind="seq_bn", settings=resolve(kinds["seq_bn"], {}), tokens=2048, length=128)
    memory(work)      {"libraries": ..., "trunk": ..., "activations": ..., ...}   bytes
    peak(work)        their sum

What a layer keeps for the backward pass is counted, not measured: so many bytes a token for each dimension of the
stream, of the feed-forward block and of the adapter, so many a pair of tokens in each head. tests/planning counts them
again in the modules themselves. What the allocator of Linux adds is measured (benchmarks/results/plan_accuracy.jsonl).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from adapter_stilts.encoder.kinds import Setting, kinds, resolve
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.planning.parameters import adapter_parameters, changed, head_parameters, layer_parameters

LIBRARIES = 400 * 10**6  # Python with torch, transformers and the rest imported
CUDA = 500 * 10**6  # the context of a card, which no allocator counts; not measured
PER_PIECE = 1150  # of the tokenizer's vocabulary, while texts become tokens
AT_ONCE = 70 * 10**6  # texts on their way through it
PER_TOKEN = 40  # of the rows: a number in a tuple
PER_DIMENSION = 10**5  # of the stream: what PyTorch keeps for the shapes of the last batches
COPIES = 5  # of what trains, in float32: itself, its gradient, two moments, the best so far
VALIDATED = 4  # times the tokens of a training batch are read at once when validation rows are scored
SLACK = 1.53  # holes between what is held, on a CPU (benchmarks/results/plan_accuracy.jsonl)
HALF = ("bf16", "int8", "nf4")
BYTES = {"fp32": 4.0, "bf16": 2.0, "int8": 1.0, "nf4": 0.53}  # of a weight of a projection


@dataclass(frozen=True)
class Kept:
    """Bytes that one layer keeps of a token: for each dimension of the stream, of the feed-forward block and of the
    adapter's bottleneck; and in each head, of a pair of tokens."""

    stream: float = 0.0
    wide: float = 0.0
    narrow: float = 0.0
    pairs: float = 0.0

    def __add__(self, other: Kept) -> Kept:
        return Kept(*(mine + its for mine, its in zip(vars(self).values(), vars(other).values(), strict=True)))

    def times(self, count: float) -> Kept:
        return Kept(*(count * value for value in vars(self).values()))


# (half precision, float32)
TRUNK = {"xlm-roberta": (Kept(16, 2, 0, 1), Kept(22, 4, 0, 1)), "modernbert": (Kept(14.4, 6), Kept(25, 12))}
TRUNK["bert"] = TRUNK["xlm-roberta"]
MODULE = {
    "bottleneck": (Kept(6, 0, 2), Kept(8, 0, 4)),
    "houlsby": (Kept(2, 0, 4), Kept(4, 0, 8)),  # each of its two
    "beside": (Kept(2, 0, 2), Kept(4, 0, 4)),
    "lora": (Kept(2, 0, 2), Kept(2, 0, 4)),  # each projection
    "dora": (Kept(6, 0, 2), Kept(10, 0, 4)),
    "vera": (Kept(2, 0, 2), Kept(4, 0, 4)),
    "scale": (Kept(2, 0, 0), Kept(4, 0, 0)),
    "scale_wide": (Kept(0, 2, 0), Kept(0, 4, 0)),
    "prefix": (Kept(), Kept()),
}
BEFORE_NORM = (Kept(4), Kept(7.7))  # an adapter on a stream that is normalised after it, not before
BELOW = (Kept(4, 0, 4), Kept(4, 0, 4))  # a frozen adapter under the one that trains
FUSED = (Kept(10.3), Kept(16.3))  # each source of a fusion, and once more for what asks
WHOLE = (Kept(16, 4), Kept(16, 8))  # what training the trunk itself adds: the inputs of its projections


@dataclass(frozen=True)
class Work:
    """One pass over a batch.

    tokens     of the batch, padding included; `length` of its longest row
    precision  of the trunk: fp32, bf16, int8 or nf4
    lowest     the layer below which nothing has to be kept, since no adapter sits there
    below      frozen adapters under the one that trains; `fused` of a fusion
    outputs    of the head; masked: it is that of masked text, over the whole vocabulary
    data       tokens of all rows that are in memory
    pieces     different tokens among them; None: as many as texts of that size usually have
    """

    trunk: TrunkConfig
    kind: str = "seq_bn"
    settings: Mapping[str, Setting] = field(default_factory=dict)
    tokens: int = 2048
    length: int = 128
    precision: str = "bf16"
    training: bool = True
    checkpointing: bool = False
    lowest: int = 0
    below: int = 0
    fused: int = 0
    outputs: int = 2
    masked: bool = False
    data: int = 0
    pieces: int | None = None
    device: str = "cpu"

    @property
    def half(self) -> bool:
        return self.precision in HALF

    @property
    def layers(self) -> int:
        """Those that keep something."""
        return self.trunk.num_hidden_layers - self.lowest

    @property
    def tokenizing(self) -> bool:
        """Whether the process makes its rows tokens itself, and lets go of the tokenizer then."""
        return self.device == "cpu"


def peak(work: Work) -> int:
    """The most memory that is held at once, in bytes: of the card where there is one, else of the process."""
    return sum(memory(work).values())


def memory(work: Work) -> dict[str, int]:
    """Bytes by cause at the peak. On a CPU the texts become tokens first, and the tokenizer is let go of before the
    first step; where that is the peak, the rest counts for nothing."""
    begun = {"libraries": LIBRARIES if work.device == "cpu" else CUDA, "trunk": _trunk(work), "rows": _rows(work)}
    ahead = {**begun, "tokenizer": _tokenizer(work)}
    pass_ = {**begun, "embeddings": _embeddings(work), "trained": _trained(work), **_batch(work)}
    pass_["operators"] = PER_DIMENSION * work.trunk.hidden_size if work.device == "cpu" else 0
    chosen = max(ahead, pass_, key=lambda parts: sum(parts.values()))
    return {cause: round(size) for cause, size in chosen.items() if size}


def _trunk(work: Work) -> float:
    config = work.trunk
    matrices, vectors = layer_parameters(config)
    weights = BYTES[work.precision] * matrices + (4 if work.precision == "fp32" else 3) * vectors
    rest = config.max_position_embeddings * config.hidden_size * (2 if work.half else 4)
    held = config.num_hidden_layers * weights + rest
    frozen = 4 * (work.below + work.fused) * adapter_parameters(work.kind, _settings(work), config)
    return held + frozen


def _embeddings(work: Work) -> float:
    """Rows of the word embeddings that are used, where they are read one by one, and where each of them is."""
    config, size = work.trunk, 2 if work.half else 4
    if work.masked or work.kind == "full":
        return config.vocab_size * config.hidden_size * (size + (4 if work.masked and work.half else 0))
    used = min(config.vocab_size, work.pieces or usual_pieces(work.data or 50 * work.tokens))
    return 1.5 * used * config.hidden_size * size + 4 * config.vocab_size  # room doubles: between one and two of them


def usual_pieces(tokens: int) -> int:
    """How many different ones so many tokens of running text have: Heaps' law with constants that are guessed."""
    return round(20 * math.sqrt(tokens))


def _tokenizer(work: Work) -> float:
    return PER_PIECE * work.trunk.vocab_size + AT_ONCE if work.tokenizing else 0.0


def _rows(work: Work) -> float:
    return PER_TOKEN * work.data


def _trained(work: Work) -> float:
    if not work.training:
        return 4.0 * adapter_parameters(work.kind, _settings(work), work.trunk)
    width = work.trunk.hidden_size
    own = 0 if work.fused else adapter_parameters(work.kind, _settings(work), work.trunk)
    fusion = work.trunk.num_hidden_layers * (3 * width * width + 2 * width) if work.fused else 0
    return 4.0 * COPIES * (own + fusion + head_parameters(work.outputs, work.masked, work.trunk))


def _batch(work: Work) -> dict[str, float]:
    """What one batch keeps for the backward pass, what passes by while it is computed, and its logits."""
    slack = SLACK if work.device == "cpu" else 1.1  # of a card: not measured
    passing = slack * _passing(work)
    logits = work.tokens * (0.15 * work.trunk.vocab_size if work.masked else work.outputs) * 4 * 3
    if not work.training:
        return {"workspace": passing, "logits": logits}
    layer = _bytes(work, _kept(work))
    lowest = _bytes(work, _kept_below(work))
    kept = (work.layers - 1) * layer + lowest
    if work.checkpointing:
        kept = work.layers * work.tokens * work.trunk.hidden_size * 4 + layer
    parts = {"activations": slack * kept, "workspace": passing, "logits": logits}
    scoring = slack * _passing(replace(work, training=False, tokens=VALIDATED * work.tokens))
    return {**parts, "validation": max(0.0, scoring - sum(parts.values()))}


def _passing(work: Work) -> float:
    """Of one layer: operands and gradients in float32 on their way, and in attention a few numbers a pair of tokens."""
    config = work.trunk
    pairs = config.num_attention_heads * work.length * (24 if work.training else 8)
    wide = (10 if work.training else 6) * config.intermediate_size + (24 if work.training else 16) * config.hidden_size
    return work.tokens * (wide + pairs)


def _bytes(work: Work, kept: Kept) -> float:
    config = work.trunk
    token = kept.stream * config.hidden_size + kept.wide * config.intermediate_size + kept.narrow * _narrow(work)
    dropped = kept.pairs if config.attention_probs_dropout_prob else 0.0
    return work.tokens * (token + dropped * config.num_attention_heads * work.length) + _rounded(work)


def _rounded(work: Work) -> float:
    """Half precision: copies of a layer's adapter, which is trained in float32."""
    if not work.half or work.fused or work.kind == "full":
        return 0.0
    if work.kind == "vera":
        return 2 * len(changed(_settings(work))) * 2 * work.trunk.hidden_size * _narrow(work)
    return 2 * adapter_parameters(work.kind, _settings(work), work.trunk) / work.trunk.num_hidden_layers


def _kept(work: Work) -> Kept:
    """What a layer keeps under the kind, and what lies under it or is fused."""
    number = 0 if work.half else 1
    base = TRUNK[work.trunk.model_type][number]
    if work.fused:
        return base + FUSED[number].times(work.fused + 1)
    return base + _added(work) + BELOW[number].times(work.below)


def _kept_below(work: Work) -> Kept:
    """What the lowest layer keeps: below the only bottleneck after it, nothing has a gradient."""
    if work.fused:
        return FUSED[0 if work.half else 1].times(work.fused + 1)
    after = kinds[work.kind].places == {"output"} and not work.below
    return MODULE["bottleneck"][0 if work.half else 1] if after else _kept(work)


def _added(work: Work) -> Kept:
    """What the kind's own modules keep in a layer."""
    settings, number = _settings(work), 0 if work.half else 1
    total = Kept()
    for part in kinds[work.kind].parts:
        both = {**settings, **part.fixed}
        if part.module == "whole_trunk":
            total += WHOLE[number]
        elif part.module in ("bottleneck", "compacter"):
            reads = {"norm": "bottleneck", "hidden": "houlsby", "residual": "beside"}[str(both["reads"])]
            total += MODULE[reads][number].times(len(both["sites"]))  # type: ignore[arg-type]
            total += BEFORE_NORM[number] if work.trunk.model_type == "modernbert" else Kept()
        elif part.module in ("ia3", "ia3_ff"):
            total += MODULE["scale"][number].times(2) + MODULE["scale_wide"][number]
        elif part.module != "invertible":
            name = part.module.removeprefix("rs")
            sites = len(changed(both)) if name in ("lora", "dora", "vera") else 1
            total += MODULE[name][number].times(sites)
    return total


def _narrow(work: Work) -> float:
    settings = _settings(work)
    if "r" in settings:
        return float(settings["r"])  # type: ignore[arg-type]
    factor = settings.get("reduction_factor")
    return work.trunk.hidden_size / float(factor) if factor else 0.0  # type: ignore[arg-type]


def _settings(work: Work) -> dict[str, Setting]:
    return resolve(kinds[work.kind], work.settings)

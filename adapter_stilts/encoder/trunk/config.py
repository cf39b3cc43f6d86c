"""A trunk's config.json, read as data: allow-listed keys only.

transformers 4.57 lets a config.json choose code to run: `auto_map` names Python files in the folder, and a planted
`_attn_implementation_internal` reaches the remote-kernel loader even when another implementation is asked for
(CVE-2026-4372, CVE-2026-5241). Both are refused by name, and whatever is not on the list is never passed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from adapter_stilts.errors import ArtefactError, MissingError
from adapter_stilts.files import from_json, read_bytes
from adapter_stilts.miniature.datasets import trunk_folder

REFETCH = "fetch the trunk again, all of its files"
NEEDED = "name the folder of a trunk: config.json, model.safetensors, tokenizer.json"
AUTOSET = "_attn_implementation_autoset"  # true or false, as transformers 4.46 to 4.51 write it: it names nothing
ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu", "swish", "tanh")
MOST = {"num_hidden_layers": 1 << 8}  # layers; a number above is no trunk's, and would only be a way to fill memory
MOST_OF_ANY = 1 << 25
LARGEST = 1 << 24  # bytes of a config.json


@dataclass(frozen=True)
class TrunkConfig:
    """The numbers of an XLM-R, with XLM-R Base's value where config.json may leave one out; other families below."""

    model_type: ClassVar[str] = "xlm-roberta"

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int = 514
    type_vocab_size: int = 1
    pad_token_id: int = 1
    bos_token_id: int = 0
    eos_token_id: int = 2
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    layer_norm_eps: float = 1e-5
    initializer_range: float = 0.02

    @property
    def max_length(self) -> int:
        """The longest input in tokens; XLM-R counts positions from the padding id."""
        return self.max_position_embeddings - self.pad_token_id - 1

    @property
    def head_act(self) -> str:
        """The non-linearity of its masked-LM head."""
        return "gelu"

    def marked(self, padding: int, end: int, typed: bool) -> TrunkConfig:
        """With the tokenizer's ids of padding and of the end of a text, and whether it gives the second of two texts a
        type; here positions hang on the first."""
        if padding != self.pad_token_id:
            what = f"the tokenizer pads with {padding}, the trunk with {self.pad_token_id}"
            raise ArtefactError(what, do="fetch tokenizer and weights from one place")
        return self


@dataclass(frozen=True)
class BertConfig(TrunkConfig):
    """The numbers of a BERT: positions from 0 on, so that any id may be padding, and a type for each text of a pair."""

    model_type: ClassVar[str] = "bert"

    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    pad_token_id: int = 0
    layer_norm_eps: float = 1e-12
    pair_types: bool = True

    @property
    def max_length(self) -> int:
        return self.max_position_embeddings

    @property
    def head_act(self) -> str:
        return self.hidden_act

    def marked(self, padding: int, end: int, typed: bool) -> TrunkConfig:
        return replace(self, pad_token_id=padding, eos_token_id=end, pair_types=typed and self.type_vocab_size > 1)


@dataclass(frozen=True)
class ModernBertConfig(TrunkConfig):
    """The numbers of a ModernBERT, whose config.json calls some of them otherwise (`modernbert_numbers`).

    Every third layer attends to all tokens, the others to `local_attention` around each; each has its rotary base.
    """

    model_type: ClassVar[str] = "modernbert"

    max_position_embeddings: int = 8192
    pad_token_id: int = 0
    eos_token_id: int = 1
    bos_token_id: int = 2
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    embedding_dropout: float = 0.0
    global_attn_every_n_layers: int = 3
    local_attention: int = 128
    global_rope_theta: float = 160_000.0
    local_rope_theta: float = 10_000.0
    classifier_activation: str = "gelu"

    @property
    def max_length(self) -> int:
        return self.max_position_embeddings

    @property
    def head_act(self) -> str:
        return self.classifier_activation

    def marked(self, padding: int, end: int, typed: bool) -> TrunkConfig:
        return replace(self, pad_token_id=padding, eos_token_id=end)


BASE = TrunkConfig(250_002, 768, 12, 12, 3072)
LARGE = TrunkConfig(250_002, 1024, 24, 16, 4096)
XLMR = {f"{owner}xlm-roberta-base": BASE for owner in ("FacebookAI/", "")}
XLMR |= {f"{owner}xlm-roberta-large": LARGE for owner in ("FacebookAI/", "")}
MODERNBERT = {"norm_eps": "layer_norm_eps", "hidden_activation": "hidden_act"}  # its name -> ours
MODERNBERT |= {"mlp_dropout": "hidden_dropout_prob", "attention_dropout": "attention_probs_dropout_prob"}
FAMILIES = {family.model_type: family for family in (TrunkConfig, BertConfig, ModernBertConfig)}


def known_config(trunk: str) -> TrunkConfig | None:
    """A trunk's numbers without the network: a folder's, the miniature's or XLM-R's; None for anything else of the hub.

    Raises ArtefactError or MissingError for a folder that is no trunk.
    """
    if trunk in XLMR:
        return XLMR[trunk]
    folder = trunk_folder() if trunk == "miniature" else Path(trunk)
    return read_config(folder) if folder.is_dir() else None


def read_config(folder: Path) -> TrunkConfig:
    """config.json of a trunk; MissingError without one, ArtefactError for one that is broken, foreign or runs code."""
    path = folder / "config.json"
    if not path.is_file():
        raise MissingError("there is no config.json", where=str(path.parent), do=NEEDED)
    if path.stat().st_size > LARGEST:
        raise ArtefactError("config.json is no configuration: it is too large", where=str(path), do=REFETCH)
    try:
        raw = from_json(read_bytes(path))
    except (OSError, ValueError) as error:
        raise ArtefactError(f"config.json cannot be read: {error}", where=str(path), do=REFETCH) from error
    if not isinstance(raw, dict):
        raise ArtefactError("config.json is not a JSON object", where=str(path), do=REFETCH)
    for key, value in _pairs(raw):
        if key == "auto_map" or (key == "trust_remote_code" and value):
            what = f"'{key}' asks for code from the folder to be run"
            raise ArtefactError(what, where=str(path), do="choose a trunk without it")
        if "attn_implementation" in key and not (key == AUTOSET and isinstance(value, bool)):
            what = f"'{key}' chooses code to run, even from the network"
            raise ArtefactError(what, where=str(path), do="remove the key; we use PyTorch's own attention")
    family = FAMILIES.get(str(raw.get("model_type")))
    if family is None:
        what = f"model_type is {raw.get('model_type')!r}, and a trunk's is one of: {', '.join(FAMILIES)}"
        raise ArtefactError(what, where=str(path), do="choose an encoder of one of these families")
    if family is ModernBertConfig:
        raw = modernbert_numbers(raw, str(path))
    elif raw.get("position_embedding_type", "absolute") != "absolute":
        raise ArtefactError("its positions are not absolute", where=str(path), do="choose another trunk")
    if isinstance(raw.get("eos_token_id"), list):  # several may end a text; what we write is the tokenizer's
        raw["eos_token_id"] = next(iter(raw["eos_token_id"]), None)
    known = {field.name: raw[field.name] for field in fields(family) if raw.get(field.name) is not None}
    return check_config(known, str(path), family)


def check_config(values: Mapping[str, object], where: str, family: type[TrunkConfig] = TrunkConfig) -> TrunkConfig:
    """Numbers of the right type and size; ArtefactError for the first that is not."""
    for field in fields(family):
        name = field.name
        if name in values:
            if not _good(name, str(field.type), values[name]):
                raise ArtefactError(f"'{name}' cannot be {values[name]!r}", where=where, do=REFETCH)
        elif not isinstance(field.default, (int, float, str)):
            raise ArtefactError(f"'{name}' is missing", where=where, do=REFETCH)
    config = family(**values)  # type: ignore[arg-type]
    if config.hidden_size % config.num_attention_heads:
        what = f"{config.hidden_size} dimensions cannot be split over {config.num_attention_heads} heads"
        raise ArtefactError(what, where=where, do=REFETCH)
    if config.max_length < 1 or config.pad_token_id >= config.vocab_size:
        what = f"{config.max_position_embeddings} positions and padding id {config.pad_token_id} leave no room"
        raise ArtefactError(what, where=where, do=REFETCH)
    return config


def modernbert_numbers(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A ModernBERT's config.json in our names; ArtefactError for layers that ours are not.

    transformers 5 lists each layer's attention and rotary base, 4 gives the rule they follow.
    """
    refused = [key for key in ("attention_bias", "mlp_bias", "norm_bias", "rope_scaling") if raw.get(key)]
    if refused:
        what = f"'{refused[0]}' is {raw[refused[0]]!r}, and ModernBERT's layers here have none"
        raise ArtefactError(what, where=where, do="choose another trunk")
    numbers = {MODERNBERT.get(key, key): value for key, value in raw.items() if key not in MODERNBERT.values()}
    ropes = raw.get("rope_parameters") or {}
    for name, kind in (("global_rope_theta", "full_attention"), ("local_rope_theta", "sliding_attention")):
        rope = ropes.get(kind) or {} if isinstance(ropes, dict) else None
        if not isinstance(rope, dict) or rope.get("rope_type", "default") != "default":
            raise ArtefactError("'rope_parameters' are not the usual ones", where=where, do="choose another trunk")
        numbers[name] = rope.get("rope_theta", numbers.get(name))
    if "local_rope_theta" in raw and numbers["local_rope_theta"] is None:
        numbers["local_rope_theta"] = numbers["global_rope_theta"]  # null: as the others
    types, every = raw.get("layer_types"), numbers.get("global_attn_every_n_layers") or 3
    if types is not None and isinstance(every, int):
        usual = ["sliding_attention" if place % every else "full_attention" for place in range(len(types))]
        if types != usual:
            what = f"'layer_types' is not full attention in one layer of {every}"
            raise ArtefactError(what, where=where, do="choose another trunk")
    return numbers


def _pairs(value: object) -> Iterator[tuple[str, object]]:
    """Every key at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)


def _good(name: str, kind: str, value: object) -> bool:
    if kind == "str":
        return value in ACTIVATIONS
    if kind == "bool":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if kind == "int":
        lowest = 0 if name.endswith("_id") else 1
        return isinstance(value, int) and lowest <= value <= MOST.get(name, MOST_OF_ANY)
    if name.endswith("_theta"):
        return 1 <= value < 1e12
    return 0 <= value < 1

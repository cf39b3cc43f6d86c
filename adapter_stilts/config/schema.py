"""What a run is, as values: one frozen section per concern, every default written here and nowhere else.

    RunConfig
    ├── trunk       name revision precision
    ├── adapter     kind settings from_layer
    ├── task        name columns labels ignore_labels
    ├── data        sources language
    ├── how, after, composition, control
    ├── training    max_steps epochs learning_rate token_budget ..., sampler (name temperature cap weights)
    ├── fusion      target_adapter penalty learning_rate
    ├── merge       method weights density scale rank split start
    ├── retrieval   layer pool k margin centre
    └── evaluation  protocol languages head language_adapters

Sections refuse unknown keys. `load.py` makes them from YAML and `--set`, with sentences for every mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from adapter_stilts.registry import names_in

How = Literal["direct", "sequential", "stack", "fuse", "merge", "joint"]
Control = Literal["none", "shuffled-labels", "random-adapter"]
Precision = Literal["auto", "fp32", "bf16", "int8", "nf4"]
HeadPool = Literal["pooler", "mean"]
DENSE = "+dense@"  # in the name of a pooling: the dense layers of the trunk's own follow

LANGUAGE = re.compile(r"([^/\s]+/)?[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*")
SAMPLER_KEYS = {
    "temperature": ("temperature",),
    "cap": ("capped", "temperature"),
    "weights": ("fixed",),
}  # who uses which
NEEDS_PARENTS = ("sequential", "stack", "fuse", "merge")
OTHER_NAMES = {  # of keys of `training`: those of Hugging Face's TrainingArguments
    "gradient_accumulation_steps": "accumulation",
    "max_grad_norm": "clip",
    "per_device_train_batch_size": "batch_rows",
}


def _no_bool(value: object) -> object:
    """Python takes True for 1; a configuration that says `true` where a number belongs is mistaken."""
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "should be a number")
    return value


def _one_is_a_list(value: object) -> object:
    """`languages: sw`, `merge.weights: 1` and `--set evaluation.languages=sw,de` mean what they say."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return (value,) if isinstance(value, int | float) else value


def _ends_in_colon(value: object) -> object:
    """`--set trunk.prefix="query: "` means that text, which YAML reads as a mapping without a value."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value.values())) is None:
        return f"{next(iter(value))}: "
    return value


def _layers(value: object) -> object:
    """One layer, several ("2,4,6" or a list), "last" or "all"."""
    if value is None or value in ("all", "last"):
        return value
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    numbers = [str(part).strip() for part in parts]
    if not numbers or not all(number.isdecimal() for number in numbers):
        raise PydanticCustomError("layer", "should be a layer number, several of them, 'last' or 'all'")
    return int(numbers[0]) if len(numbers) == 1 else tuple(int(number) for number in numbers)


def _language(value: str) -> str:
    if not LANGUAGE.fullmatch(value):
        what = "should be a language code (sw, deu, zh_Hans), a task and a code (mlm/sw), or 'all'"
        raise PydanticCustomError("language", what)
    return value


def _one_value(value: object) -> object:
    """A scalar, or a list of whole numbers or of texts (an adapter's layers, its projections)."""
    items = value if isinstance(value, list | tuple) else [value]
    single = not isinstance(value, list | tuple) and isinstance(value, bool | float)
    if not single and not all(type(item) is int for item in items) and not all(type(item) is str for item in items):
        what = "should be one number, text, true or false, or a list of numbers or texts"
        raise PydanticCustomError("one_value", what)
    return value


def _named(place: str, more: str = "") -> AfterValidator:
    """A name of the registry that stands at a place above this floor; nothing is imported (registry.py).

    more   what may begin an addition to it
    """

    def check(value: str) -> str:
        if (value.partition(more)[0] if more else value) not in names_in(place):
            raise PydanticCustomError("named", "should be one of a registry's names", {"choices": names_in(place)})
        return value

    return AfterValidator(check)


Pool = Annotated[str, _named("adapter_stilts.retrieval.pooling:poolings", more=DENSE)]
Margin = Annotated[str, _named("adapter_stilts.retrieval.margin:margins")]
MergeMethod = Annotated[str, _named("adapter_stilts.merging.methods:methods")]
Protocol = Annotated[str, _named("adapter_stilts.formats.protocols:target_protocols")]
SamplerName = Annotated[str, _named("adapter_stilts.training.sampler:samplers")]
Int = Annotated[int, BeforeValidator(_no_bool), Field(lt=2**63)]
Float = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_one_is_a_list)]
Numbers = Annotated[tuple[Float, ...], BeforeValidator(_one_is_a_list)]
Layer = Annotated[int, BeforeValidator(_no_bool), Field(ge=1)]
Setting = Annotated[bool | int | float | str | tuple[int, ...] | tuple[str, ...], BeforeValidator(_one_value)]
Languages = Annotated[tuple[Annotated[str, AfterValidator(_language)], ...], BeforeValidator(_one_is_a_list)]
Layers = Annotated[int | tuple[int, ...] | Literal["all", "last"], BeforeValidator(_layers)]


class Section(BaseModel):
    """What all sections share: frozen, and no key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Trunk(Section):
    """The pretrained encoder.

    name       a hub id, a folder in the hub's layout, or "miniature"
    revision   of a hub id: a commit, branch or tag; None: the newest
    precision  in which it computes; "auto" is bf16 where the processor has it, else fp32
    prefix     what stands before every sentence that becomes a vector: "query: " for multilingual-e5
    """

    name: str = "miniature"
    revision: str | None = None
    precision: Precision = "auto"
    prefix: Annotated[str, BeforeValidator(_ends_in_colon)] = ""

    @model_serializer(mode="wrap")
    def _written(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a prefix as earlier versions wrote it, so that what is named by a hash of this keeps its name."""
        values: dict[str, Any] = written(self)
        return values if self.prefix else {name: value for name, value in values.items() if name != "prefix"}


class Adapter(Section):
    """The adapter that is trained.

    kind        one of `adapter-stilts list kinds`
    settings    what differs from the kind's own, by name
    from_layer  it sits in the layers above this hidden state (0: all of them); those below then run without dropout,
                and once for each text: what they give is kept on disk
    """

    kind: str = "seq_bn"
    settings: dict[str, Setting] = {}
    from_layer: Annotated[Int, Field(ge=0)] = 0

    @model_serializer(mode="wrap")
    def _written(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a layer as earlier versions wrote it, as Trunk does without a prefix."""
        values: dict[str, Any] = written(self)
        return values if self.from_layer else {name: value for name, value in values.items() if name != "from_layer"}


class Task(Section):
    """What is learned.

    name           a task of `adapter-stilts list tasks`, or a YAML file that describes one
    columns        our field -> the column of the file, where its name is not a usual one
    labels         the labels in their order; None: those of the task, or those found in the training rows
    ignore_labels  rows with these labels are left out (SNLI's "-")
    multiword      treebanks: "split" reads syntactic words, "fuse" the words of the text; None: as the protocol does
    hub            the id of one of the task's data sets on the hub, where it has several; None: the usual one
    """

    name: str = ""
    columns: dict[str, str] = {}
    labels: Texts | None = None
    ignore_labels: Texts = ()
    multiword: Literal["fuse", "split"] | None = None
    hub: str | None = None


class Data(Section):
    """Where examples lie, and in which language they are trained on.

    sources   as typed after --data: one folder, or "train=FILE" and the like, or "miniature"; "mlm/train=FILE" and
              "mlm=FOLDER" are for one of several tasks; () is the trunk's usual place
    language  of the training rows: one, or several that share as many rows as the task has in its own, or "all";
              "mlm/sw" is for one of several tasks; () is the task's own language, and for masked language modelling
              beside other tasks every language
    """

    sources: Texts = ()
    language: Languages = ()


class Sampler(Section):
    """--how joint: the task of each step, by jiant's samplers; n is a task's number of training rows.

    name         proportional (p ~ n), uniform, temperature (p ~ min(n, cap)^(1/temperature)), capped (p ~ min(n, cap))
                 or fixed (p ~ weights)
    temperature  1 is proportional; the higher, the more even
    cap          rows of a task that count at most; None: all
    weights      task -> its weight; any positive numbers
    """

    name: SamplerName = "proportional"
    temperature: Annotated[Float, Field(gt=0)] = 2.0
    cap: Annotated[Int, Field(ge=1)] | None = None
    weights: dict[str, Annotated[Float, Field(gt=0)]] = {}


class Training(Section):
    """How long and how fast; lengths in tokens.

    max_steps        optimiser steps; None: as many as `epochs` take
    epochs           passes over the training rows; None: 3, or as many as make 300 steps where there are few rows
    minutes          wall-clock bound; None: none
    learning_rate    of AdamW at its highest; it rises over the warm-up and falls to zero in a straight line; None: the
                     adapter kind's own (`list kinds`)
    token_budget     padded tokens of one forward pass; `accumulation` of them make a step
    accumulation     forward passes of a step
    warmup           the fraction of all steps in which the rate rises
    weight_decay     of AdamW
    clip             gradients are scaled down to this norm; 0: never
    head_dropout     before the head's last layer
    seed             everything random follows from it
    checkpoint_steps  a checkpoint every so many steps, to go on from after a stop
    log_steps        a row of metrics.jsonl every so many steps
    precision        of gradients and optimiser: fp32, bf16 or fp16
    gradient_checkpointing  recompute activations in the backward pass, for less memory and more time
    batch_rows       rows of one forward pass in the place of a token budget, for protocols that fix them ("4 x 8": 4
                     rows, accumulation 8); None: by tokens
    evaluate_steps   None: after every epoch; where `epochs` is open and an epoch has fewer than 50 steps, every 50
    patience         evaluations without a gain before training stops; 0: never
    keep_step        stop after this step of a course that is planned for all, and keep it whatever validation says
    rows             train on a seeded sample of this many rows; None: all
    validation_rows  the same for the validation that chooses the best step
    max_length       None: the task's own, at most what the trunk has positions for
    cache_gb         disk for hidden states that are kept (adapter.from_layer), of all runs together; 0: none are kept;
                     None: a quarter of what is free, at most 32
    mask_rate        masked language modelling: the fraction of tokens to be told
    sampler          --how joint: which task the next step learns
    head_pool        ranking: how a text becomes a vector, "pooler" (dense and tanh on <s>) or "mean" (over all tokens)

    A file and `--set` may also say gradient_accumulation_steps (accumulation), max_grad_norm (clip) and
    per_device_train_batch_size (batch_rows).
    """

    max_steps: Annotated[Int, Field(ge=1)] | None = None
    epochs: Annotated[Int, Field(ge=1, le=1_000_000)] | None = None
    minutes: Annotated[Float, Field(gt=0)] | None = None
    learning_rate: Annotated[Float, Field(gt=0, le=1)] | None = None
    token_budget: Annotated[Int, Field(ge=1)] = 2048
    batch_rows: Annotated[Int, Field(ge=1)] | None = None
    accumulation: Annotated[Int, Field(ge=1)] = 1
    max_length: Annotated[Int, Field(ge=8)] | None = None
    rows: Annotated[Int, Field(ge=1)] | None = None
    validation_rows: Annotated[Int, Field(ge=1)] | None = None
    seed: Annotated[Int, Field(ge=0, lt=2**63)] = 13
    warmup: Annotated[Float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[Float, Field(ge=0)] = 0.01
    clip: Annotated[Float, Field(ge=0)] = 1.0
    head_dropout: Annotated[Float, Field(ge=0, lt=1)] = 0.1
    head_pool: HeadPool = "pooler"
    patience: Annotated[Int, Field(ge=0)] = 5
    keep_step: Annotated[Int, Field(ge=1)] | None = None
    evaluate_steps: Annotated[Int, Field(ge=1)] | None = None
    checkpoint_steps: Annotated[Int, Field(ge=1)] = 500
    log_steps: Annotated[Int, Field(ge=1)] = 10
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    gradient_checkpointing: bool = False
    cache_gb: Annotated[Float, Field(ge=0)] | None = None
    mask_rate: Annotated[Float, Field(gt=0, lt=1)] = 0.15
    sampler: Sampler = Sampler()

    @model_validator(mode="before")
    @classmethod
    def _without_a_limit(cls, section: Any) -> Any:
        """The config.yaml of earlier runs says `limit_gb: null`."""
        if not isinstance(section, dict):
            return section
        return {key: value for key, value in section.items() if (key, value) != ("limit_gb", None)}


class Fusion(Section):
    """AdapterFusion (Pfeiffer et al. 2021, https://arxiv.org/abs/2005.00247).

    target_adapter  train the target's own adapter on top of the fusion, too
    penalty         weighs ||I - V||_F^2 of the value matrices
    learning_rate   in the place of training's
    """

    target_adapter: bool = False
    penalty: Annotated[Float, Field(ge=0)] = 0.01
    learning_rate: Annotated[Float, Field(gt=0, le=1)] = 1e-3


class Merge(Section):
    """How several adapters become one (`merge`, --how merge); docs/merging.md has the methods.

    method   average, linear, task_arithmetic, ties, dare, dare_ties, magnitude, slerp, model_stock, layers, concatenate
             or svd
    weights  one for each run, in their order; (): the method's own
    density  of methods that drop entries: the share that is kept; None: the method's own
    scale    multiplies the merged change
    rank     low-rank kinds: re-compress the result to this rank; None: as the sum needs
    split    method `layers`: the layers at which the next run begins
    start    a run whose adapter all of them continued: changes are then relative to it; "": as far as it is known
    """

    method: MergeMethod = "average"
    weights: Numbers = ()
    density: Annotated[Float, Field(gt=0, le=1)] | None = None
    scale: Float = 1.0
    rank: Annotated[Int, Field(ge=1)] | None = None
    split: Annotated[tuple[Layer, ...], BeforeValidator(_one_is_a_list)] = ()
    start: str = ""


class Retrieval(Section):
    """How sentences become vectors and pairs are scored; None: as the protocol says.

    layer   whose states are read, 0 the embedding: one, several, "last" or "all"
    pool    how the states of a sentence become its vector
    k       neighbours that a margin compares with
    margin  how a pair's cosine is compared with its neighbours'
    centre  subtract the mean vector of each language's sentences: what they share is often the language itself
    """

    layer: Layers | None = None
    pool: Pool | None = None
    k: Annotated[Int, Field(ge=1)] | None = None
    margin: Margin | None = None
    centre: bool | None = None


class Evaluation(Section):
    """What is scored.

    protocol           whose rules are followed
    languages          () is all that the task has
    language_adapters  "de=RUN": MAD-X's adapter of each language, put in the place of the one that the run was trained
                       over
    head               of a run with several heads, the one that answers; "": that of the same task, or the only one
                       that fits
    """

    protocol: Protocol = "own"
    languages: Texts = ()
    head: str = ""
    language_adapters: Texts = ()


class RunConfig(Section):
    """One run.

    how          how it uses what was learned before
    after        the runs it builds on
    composition  in the place of what `how` makes of them
    control      a run that should learn nothing, to compare gains with
    """

    trunk: Trunk = Trunk()
    adapter: Adapter = Adapter()
    task: Task = Task()
    data: Data = Data()
    how: How = "direct"
    after: Texts = ()
    composition: str = ""
    control: Control = "none"
    training: Training = Training()
    fusion: Fusion = Fusion()
    merge: Merge = Merge()
    retrieval: Retrieval = Retrieval()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _parents_fit_how(self) -> RunConfig:
        if self.how in NEEDS_PARENTS and not self.after:
            what = f"'{self.how}' builds on earlier runs, but `after` names none; name them, or use 'direct'"
            raise _conflict("how", what, "after")
        if self.how not in NEEDS_PARENTS and self.after:
            what = f"'{self.how}' starts from nothing, but `after` names {len(self.after)}"
            raise _conflict("after", f"{what}; leave `after` out, or use 'stack'", "how")
        return self

    @model_validator(mode="after")
    def _sampler_keys_fit(self) -> RunConfig:
        sampler, plain = self.training.sampler, Sampler()
        if sampler != plain and self.how != "joint":
            what = f"a sampler mixes the tasks of `how: joint`, and `how` is '{self.how}'"
            raise _conflict("training.sampler", what, "how")
        for key, users in SAMPLER_KEYS.items():
            if getattr(sampler, key) != getattr(plain, key) and sampler.name not in users:
                what = f"the sampler '{sampler.name}' has no use for it; leave it out, or use '{users[0]}'"
                raise _conflict(f"training.sampler.{key}", what, "training.sampler.name")
        for key, name in (("cap", "capped"), ("weights", "fixed")):
            if sampler.name == name and not getattr(sampler, key):
                needed = f"training.sampler.{key}"
                raise _conflict("training.sampler.name", f"'{name}' needs {needed}", needed)
        return self


def _conflict(key: str, message: str, other: str) -> PydanticCustomError:
    """Two keys that do not go together; load.py reports it at `key`, unless either is wrong by itself."""
    return PydanticCustomError("conflict", "{message}", {"key": key, "other": other, "message": message})


def our_name(key: str) -> str:
    """A dotted key in our words: "training.max_grad_norm" is "training.clip"; any other key as it is."""
    section, _, name = key.rpartition(".")
    return f"{section}.{OTHER_NAMES.get(name, name)}" if section.rpartition(".")[2] == "training" else key


def keys(model: type[BaseModel] = RunConfig, prefix: str = "") -> Iterator[str]:
    """Every dotted key a user may set, sections included: "trunk", "trunk.name", ..."""
    for name, field in model.model_fields.items():
        yield prefix + name
        inner: Any = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{prefix}{name}.")

"""Our heads as the heads of transformers' own classes, where the arithmetic is the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.encoder.trunk.loading import MODELS
from adapter_stilts.errors import UsageError
from adapter_stilts.formats.base import formats
from adapter_stilts.sharing.bundle import Part

LINEAR = ("weight", "bias")


@dataclass(frozen=True)
class TheirHead:
    """A head of transformers.

    model      AutoModelFor...: the class that has it
    task_type  peft's word for it; "" where it has none
    modules    as peft's modules_to_save names them
    places     of our linear layers in that class
    format     a format of ours that has such a head
    outputs    how many it has whatever the labels; None: one a label
    """

    model: str
    task_type: str
    modules: tuple[str, ...]
    places: Mapping[str, str]
    format: str
    outputs: int | None = None

    def named(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Our tensors under their names."""
        return {f"{self.places[name.partition('.')[0]]}.{name.partition('.')[2]}": tensors[name] for name in tensors}

    def ours(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Their tensors under our names; KeyError where one is missing."""
        return {f"{own}.{leaf}": tensors[f"{place}.{leaf}"] for own, place in self.places.items() for leaf in LINEAR}


def heads_of(config: TrunkConfig) -> dict[str, TheirHead]:
    """By our head's name (heads.py), those that a family of trunks has in transformers."""
    base = MODELS[config.model_type].stored
    pooled = {"dense": f"{base}pooler.dense", "out": "classifier"}
    table = {
        "tags": TheirHead("TokenClassification", "TOKEN_CLS", ("classifier",), {"out": "classifier"}, "tags"),
        "span": TheirHead("QuestionAnswering", "QUESTION_ANS", ("qa_outputs",), {"out": "qa_outputs"}, "span", 2),
        "choice": TheirHead("MultipleChoice", "", ("classifier", "pooler"), pooled, "choice", 1),
    }
    if config.model_type == "xlm-roberta":
        places = {"dense": "classifier.dense", "out": "classifier.out_proj"}
        table["sentence"] = TheirHead("SequenceClassification", "SEQ_CLS", ("classifier",), places, "single")
    elif config.model_type == "bert":
        modules = ("classifier", "pooler")
        table["sentence"] = TheirHead("SequenceClassification", "SEQ_CLS", modules, pooled, "single")
    else:
        table = {}  # ModernBERT's classes have a layer and a norm more before their last
    return table


def their_head(part: Part, config: TrunkConfig) -> TheirHead:
    """What a head of ours is there; UsageError where transformers has none like it."""
    head, table = formats[part.facts["format"]].head, heads_of(config)
    if head not in table:
        what = f"the head '{part.name}' ({part.facts['format']}) has no equal in transformers for {config.model_type}"
        raise UsageError(what, do="leave it out with --no-head")
    return table[head]

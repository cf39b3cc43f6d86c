"""Token states to sentence vectors: pooling, and what may be done to the vectors after it.

A sentence is `<s> pieces </s>`. "mean" averages over all its tokens, the two marks included, as XTREME and jiant do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from adapter_stilts.config.schema import DENSE
from adapter_stilts.encoder.trunk.sentence_pooling import SentencePooling
from adapter_stilts.errors import StiltsError, UsageError
from adapter_stilts.registry import Registry
from adapter_stilts.retrieval.compared import Numbers, Scores, Vectors

Pool: TypeAlias = Callable[[Tensor, Tensor], Tensor]

AT_ONCE = 1 << 12  # vectors that are held in float64 at once
CLOSEST = 1e-6  # that a unit vector may lie to the mean of all and still have a direction from there

poolings: Registry[Pool] = Registry("pooling")


@poolings.register("mean")
def mean(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean over all tokens, `<s>` and `</s>` included: [B, T, H], [B, T] to [B, H]."""
    weights = attention_mask.to(hidden.dtype).unsqueeze(-1)
    return (hidden * weights).sum(1) / weights.sum(1)


@poolings.register("mean_words")
def mean_words(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean over the pieces between `<s>` and `</s>`; a sentence without any is the mean of its two marks."""
    inside = attention_mask.clone()
    inside[:, 0] = 0
    inside.scatter_(1, attention_mask.sum(1, keepdim=True) - 1, 0)
    empty = inside.sum(1, keepdim=True) == 0
    return mean(hidden, torch.where(empty, attention_mask, inside))


@poolings.register("first")
def first(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The state of `<s>`."""
    return hidden[:, 0]


@poolings.register("max")
def maximum(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The largest value of every dimension over all tokens."""
    return hidden.masked_fill(attention_mask.unsqueeze(-1) == 0, float("-inf")).amax(1)


def pooled(name: str, hidden: Tensor, attention_mask: Tensor, trunk: SentencePooling | None) -> Tensor:
    """Sentence vectors [B, H], float32 on the CPU, by a pooling of the registry or by the trunk's own dense layers too.

    Raises UsageError where the name asks for dense layers that the trunk does not have.
    """
    plain, dense, _ = name.partition(DENSE)
    vectors = poolings[plain](hidden.float(), attention_mask).cpu()
    if not dense:
        return vectors
    if trunk is None or trunk.pool != name:
        what = f"'{name}' asks for the dense layers of another trunk"
        raise UsageError(what, where="retrieval.pool", do="name the trunk that has them, or a pooling without them")
    for layer in trunk.dense:
        vectors = layer(vectors)
    return vectors


def check_pooling(name: str) -> None:
    """UnknownName for a pooling that is none."""
    poolings.check(name.partition(DENSE)[0])


def unit(vectors: Vectors) -> Vectors:
    """Vectors [N, H] at length 1; StiltsError names the line of one that is zero or not finite."""
    units = np.array(vectors, dtype=np.float32)
    to_unit(units, np.arange(len(units)))
    return units


def to_unit(vectors: Vectors, rows: Numbers) -> None:
    """The same in place; `rows` [N] says which row of the file each vector is of."""
    for start in range(0, len(vectors), AT_ONCE):
        some = vectors[start : start + AT_ONCE]
        lengths = np.linalg.norm(some.astype(np.float64), axis=1, keepdims=True)
        wrong = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] == 0))
        if len(wrong):
            kind = "zero" if lengths[wrong[0], 0] == 0 else "not finite"
            do = "try another layer, or precision fp32; the adapter may have diverged"
            where = f"line {rows[start + wrong[0]] + 1}"
            raise StiltsError(f"the vector of a sentence is {kind}", where=where, do=do)
        some[:] = some / lengths


def centred(vectors: Vectors) -> Vectors:
    """One language's vectors less their mean, at length 1 again: what they share is often the language itself.

    An ablation, never a headline. Libovický et al. (2020), https://arxiv.org/abs/2004.05160
    """
    return less(vectors, vectors.mean(axis=0, dtype=np.float64))


def less(vectors: Vectors, mean: Scores) -> Vectors:
    """Unit vectors less a mean [H], at length 1 again.

    Raises StiltsError where one of them is the mean itself, as when all are the same.
    """
    moved = np.asarray(vectors - mean, dtype=np.float32)
    if not all(stays_apart(vectors[start : start + AT_ONCE], mean) for start in range(0, len(vectors), AT_ONCE)):
        do = "leave centring out, or read another layer or pooling (`<s>` is the same in every sentence at layer 0)"
        what = "the vector of a sentence is the mean of them all: less the mean, nothing is left of it"
        raise StiltsError(what, do=do)
    return unit(moved)


def stays_apart(vectors: Vectors, mean: Scores) -> bool:
    """Whether every unit vector is farther from the mean than rounding reaches."""
    return not len(vectors) or bool(np.linalg.norm(vectors - mean, axis=1).min() > CLOSEST)

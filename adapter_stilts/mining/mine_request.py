"""What a mining was asked for, checked before any file is read, and the protocol with it put over."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from adapter_stilts.errors import UsageError
from adapter_stilts.mining.mine_search import AUTO
from adapter_stilts.registry import unknown_name
from adapter_stilts.retrieval.indexes.base import IndexSettings, indexes
from adapter_stilts.retrieval.margin import margins
from adapter_stilts.retrieval.mining import retrievals
from adapter_stilts.retrieval.pooling import poolings
from adapter_stilts.retrieval.protocols import Protocol, protocol

Duplicates: TypeAlias = Literal["once", "expand", "drop"]
DUPLICATES: tuple[Duplicates, ...] = ("once", "expand", "drop")
OF_PROTOCOL: dict[str, Duplicates] = {"xtreme": "drop", "jiant": "expand"}


@dataclass(frozen=True)
class Request:
    """What to mine, with what, and what is kept; None leaves a setting as the protocol says.

    source, target        files of sentences; with vectors given they are what is written instead of line numbers
    *_vectors             folders of `encode`, or .npy files
    duplicates            a text that occurs several times: "once": found, and written once; "expand": every line of it; "drop": not found
    threshold             the lowest score that is kept; or tuned on `dev` (source, target and gold files), or on `gold`
    target_precision      tune for as many pairs as this precision allows, in place of F1
    score_only            a file of pairs to score, in place of mining
    engine, ray_address   "ray": sentences are read and searched by the workers of a Ray cluster
    """

    source: Path | None = None
    target: Path | None = None
    source_vectors: Path | None = None
    target_vectors: Path | None = None
    run: Path | None = None
    trunk: str | None = None
    revision: str | None = None
    precision: str = "auto"
    layer: int | None = None
    pool: str | None = None
    layout: str | None = None
    column: str | None = None
    protocol: str = "own"
    k: int | None = None
    margin: str | None = None
    retrieval: str | None = None
    centring: bool | None = None
    duplicates: Duplicates | None = None
    threshold: float | None = None
    target_precision: float | None = None
    gold: Path | None = None
    dev: tuple[Path, Path, Path] | None = None
    score_only: Path | None = None
    index: str = "exact"
    lists: int | None = None
    probes: int | None = None
    limit_gb: float | None = None
    json_lines: bool = False
    seed: int = 13
    engine: str = "local"
    ray_address: str | None = None

    @property
    def reads(self) -> list[Path]:
        """Everything that is only read."""
        named = (self.source, self.target, self.source_vectors, self.target_vectors, self.run, self.gold, *(self.dev or ()), self.score_only)
        return [path for path in named if path is not None]

    @property
    def decides(self) -> list[object]:
        """What the outcome depends on beside rules and content of files."""
        return [self.threshold, self.target_precision, self.index, self.lists, self.probes, self.json_lines, self.seed]


@dataclass(frozen=True)
class Rules:
    """The protocol with what was asked for put over it."""

    protocol: Protocol
    duplicates: Duplicates
    index: str
    settings: IndexSettings

    def told(self) -> dict[str, Any]:
        rules = self.protocol
        used = {"protocol": rules.name, "k": rules.k, "margin": rules.margin, "retrieval": rules.retrieval, "centring": rules.centring}
        return used | {"minimum": rules.least, "duplicates": self.duplicates, "threshold_rule": rules.threshold}


def rules_of(request: Request) -> Rules:
    """The rules of a request. Raises UnknownName and UsageError for what was typed wrong."""
    given: list[tuple[str, str | None, Collection[str]]] = [
        ("pooling", request.pool, list(poolings)),
        ("margin", request.margin, list(margins)),
        ("retrieval mode", request.retrieval, list(retrievals)),
        ("index", request.index, [AUTO, *indexes]),
        ("way with duplicates", request.duplicates, DUPLICATES),
    ]
    for noun, name, known in given:
        if name is not None and name not in known:
            raise unknown_name(noun, name, known)
    _check(request)
    named = protocol(request.protocol, "bucc2018")
    rules = replace(
        named,
        pool=request.pool or named.pool,
        k=request.k if request.k is not None else named.k,
        margin=request.margin or named.margin,
        retrieval=request.retrieval or named.retrieval,
        centring=named.centring if request.centring is None else request.centring,
    )
    settings = IndexSettings(request.lists, request.probes, seed=request.seed)
    return Rules(rules, request.duplicates or OF_PROTOCOL.get(named.name, "once"), request.index, settings)


def _check(request: Request) -> None:
    vectors, cells = (request.source_vectors, request.target_vectors), (request.lists, request.probes)
    wrong = [
        (request.score_only is not None and request.engine != "local", "pairs to score on a cluster", "leave --engine out: they are searched for alone"),
        (request.k is not None and request.k < 1, f"{request.k} neighbours", "ask for at least 1 with -k"),
        (any(number is not None and number < 1 for number in cells), "fewer than one cell or probe", "give --lists and --probes of at least 1"),
        (
            cells != (None, None) and not (request.index == AUTO or request.index.startswith("ivf")),
            f"cells of the index '{request.index}', which has none",
            "leave --lists and --probes out, or use --index ivf, ivf-sq or ivf-pq",
        ),
        (request.limit_gb is not None and not request.limit_gb > 0, f"a limit of {request.limit_gb} GB", "give a number above 0"),
        ((request.source is None) != (request.target is None), "one file of sentences", "name two: the source and the target"),
        ((vectors[0] is None) != (vectors[1] is None), "the vectors of one side", "give --source-vectors and --target-vectors"),
        (request.source is None and vectors[0] is None, "nothing to mine", "name two files of sentences, or --source-vectors and --target-vectors"),
        (vectors[0] is not None and bool(request.run or request.trunk), "vectors and an encoder", "leave --run and --trunk out: the vectors are made already"),
        (request.threshold is not None and request.target_precision is not None, "a threshold and a target precision", "give one of them"),
        (request.threshold is not None and request.dev is not None, "a threshold and dev files to find one on", "give one of them"),
        (request.threshold is not None and not math.isfinite(request.threshold), "a threshold that is no number", "give a number"),
        (
            request.target_precision is not None and not 0 < request.target_precision <= 1,
            f"a target precision of {request.target_precision}",
            "give a fraction above 0, up to 1, for example 0.95",
        ),
        (request.target_precision is not None and not (request.gold or request.dev), "a target precision without gold", "give --gold or --dev"),
        (request.dev is not None and vectors[0] is not None, "dev files of sentences with vectors", "mine dev first, and give its threshold with --threshold"),
        (request.score_only is not None and bool(request.gold or request.dev), "pairs to score, and gold", "leave --gold and --dev out with --score-only"),
    ]
    for is_wrong, what, do in wrong:
        if is_wrong:
            raise UsageError(what, do=do)

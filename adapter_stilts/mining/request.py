"""What a mining was asked for, checked before any file is read, and the protocol with it put over."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.errors import refuse
from adapter_stilts.registry import unknown_name
from adapter_stilts.retrieval.distinct import duplicates
from adapter_stilts.retrieval.gold import check_precision
from adapter_stilts.retrieval.indexes import indexes
from adapter_stilts.retrieval.plan import AUTO
from adapter_stilts.retrieval.protocols import Protocol, protocol
from adapter_stilts.retrieval.reading import Overrides
from adapter_stilts.runs.material import TRUNKS
from adapter_stilts.runs.subject import trunk_of


@dataclass(frozen=True)
class Mining:
    """What to mine, with what, and what is kept; None leaves a setting as the protocol says.

    source, target        files of sentences; with vectors given they are what is written instead of line numbers
    *_vectors             folders of `encode`, or .npy files
    duplicates            what becomes of a text that occurs several times, of `distinct.duplicates`
    threshold             the lowest score that is kept; or tuned on `dev` (source, target and gold files), or on `gold`
    target_precision      tune for as many pairs as this precision allows, in place of F1
    layout, column        how files of sentences are read; target_column: of the target's, where it is another
    score_only            a file of pairs to score, in place of mining: of source and target, or by itself
    aligned               score row i of the source with row i of the target, in place of mining
    columns               write a header, line numbers and cosines
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
    protocol: str = "own"
    wanted: Overrides = field(default_factory=Overrides)
    layout: str | None = None
    column: str | None = None
    target_column: str | None = None
    duplicates: str | None = None
    threshold: float | None = None
    target_precision: float | None = None
    gold: Path | None = None
    dev: tuple[Path, Path, Path] | None = None
    score_only: Path | None = None
    aligned: bool = False
    index: str = "exact"
    lists: int | None = None
    probes: int | None = None
    limit_gb: float | None = None
    json_lines: bool = False
    columns: bool = False
    seed: int = 13
    engine: str = "local"
    ray_address: str | None = None

    @classmethod
    def from_config(cls, config: RunConfig, *, run: Path | None = None, reads: bool = True, **given: Any) -> Mining:
        """The mining of a configuration.

        reads  whether sentences are read; False: vectors are given, and the configuration's trunk is nothing to them
        given  the fields that no configuration has, and `retrieval`, as `Overrides` have it
        """
        trunk: Any = {"revision": config.trunk.revision, "precision": config.trunk.precision}
        wanted = replace(Overrides.from_config(config), retrieval=given.pop("retrieval", None))
        how: Any = {"wanted": wanted, "protocol": config.evaluation.protocol, "seed": config.training.seed}
        return cls(run=run, trunk=trunk_of(config) if reads else None, **trunk, **how, **given)

    @property
    def reads(self) -> list[Path]:
        """Everything that is only read."""
        sides = (self.source, self.target, self.source_vectors, self.target_vectors)
        named = (*sides, self.run, self.gold, *(self.dev or ()), self.score_only)
        return [path for path in named if path is not None]

    @property
    def decides(self) -> list[object]:
        """What the outcome depends on beside rules and content of files."""
        search = (self.index, self.lists, self.probes)
        more = {name: True for name in ("columns", "aligned") if getattr(self, name)}
        return [self.threshold, self.target_precision, *search, self.json_lines, self.seed, *more]

    @property
    def alone(self) -> bool:
        """Whether the pairs to score are all that is given: both sides are their columns."""
        sides = (self.source, self.target, self.source_vectors, self.target_vectors)
        return self.score_only is not None and sides == (None, None, None, None)

    @property
    def scores(self) -> bool:
        """Whether given pairs are scored, and no others found."""
        return self.aligned or self.score_only is not None

    def rules(self) -> Protocol:
        """The protocol with what was asked for. Raises UnknownName and UsageError for what was typed wrong."""
        rules = self.wanted.over(protocol(self.protocol, "bucc2018"))
        if self.duplicates is not None:
            duplicates[self.duplicates]
        if self.index not in (AUTO, *indexes):
            raise unknown_name("index", self.index, [AUTO, *indexes])
        _check(self)
        return replace(rules, written=self.duplicates or rules.written or rules.duplicates)


def settings_of(rules: Protocol) -> dict[str, Any]:
    """The rules, for a report."""
    used = {"protocol": rules.name, "k": rules.k, "margin": rules.margin, "retrieval": rules.retrieval}
    used |= {"centring": rules.centring, "minimum": rules.least}
    return used | {"duplicates": rules.written, "threshold_rule": rules.threshold}


def _check(request: Mining) -> None:
    request.wanted.one_layer()
    texts, vectors = (request.source, request.target), (request.source_vectors, request.target_vectors)
    threshold, precision, limit, k = request.threshold, request.target_precision, request.limit_gb, request.wanted.k
    cells, celled = (request.lists, request.probes), request.index == AUTO or request.index.startswith("ivf")
    known, given, made = bool(request.gold or request.dev), request.scores, vectors != (None, None)
    on_cluster, encoder = request.engine != "local", bool(request.run or request.trunk)
    nothing = "name two files of sentences, or --source-vectors and --target-vectors; or pairs with --score-only"
    no_cells = "leave --lists and --probes out, or use --index ivf, ivf-sq or ivf-pq"
    few = any(size is not None and size < 1 for size in cells)
    refuse(given and on_cluster, "pairs to score on a cluster", "leave --engine out: they are searched for alone")
    refuse(k is not None and k < 1, f"{k} neighbours", "ask for at least 1 with -k")
    refuse(few, "fewer than one cell or probe", "give --lists and --probes of at least 1")
    refuse(cells != (None, None) and not celled, f"cells of the index '{request.index}', which has none", no_cells)
    refuse(limit is not None and not limit > 0, f"a limit of {limit} GB", "give a number above 0")
    lines = "; two files whose lines are pairs are SRC TGT --aligned" if request.score_only is not None else ""
    refuse(texts.count(None) == 1, "one file of sentences", f"name two: the source and the target{lines}")
    refuse(vectors.count(None) == 1, "the vectors of one side", "give --source-vectors and --target-vectors")
    refuse(texts == (None, None) and not made and not request.alone, "nothing to mine", nothing)
    twice = "a file of pairs to score, and files whose rows are pairs"
    refuse(request.aligned and request.score_only is not None, twice, "give --score-only PAIRS or --aligned")
    refuse(made and encoder, "vectors and an encoder", "leave --run and --trunk out: the vectors are made already")
    if threshold is not None:
        refuse(precision is not None, "a threshold and a target precision", "give one of them")
        refuse(request.dev is not None, "a threshold and dev files to find one on", "give one of them")
        refuse(not math.isfinite(threshold), "a threshold that is no number", "give a number")
    if precision is not None:
        check_precision(precision)
        refuse(not known, "a target precision without gold", "give --gold or --dev")
    before = "mine dev first, and give its threshold with --threshold"
    refuse(made and request.dev is not None, "dev files of sentences with vectors", before)
    refuse(given and known, "pairs to score, and gold", "leave --gold and --dev out with --score-only and --aligned")
    unread = "nothing to read the sentences with: no run is named, and no trunk"
    refuse(not made and not encoder, unread, f"add --run RUN, or {TRUNKS}")

"""Where the vectors of a mining lie: given by the user, or encoded now, all files with one encoder, in folders that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adapter_stilts.mining.cluster import Cluster
from adapter_stilts.mining.encode import Request as Encoding
from adapter_stilts.mining.encode import encode_with
from adapter_stilts.mining.mine_request import Request
from adapter_stilts.mining.mine_sides import TextFile
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.protocols import Protocol
from adapter_stilts.runs.sentence_reader import SentenceReader, sentence_reader

DEFAULT_TRUNK = "miniature"


@dataclass(frozen=True)
class Files:
    """The files of sentences, surveyed; None where vectors are given or there is no dev."""

    source: TextFile | None
    target: TextFile | None
    dev_source: TextFile | None
    dev_target: TextFile | None


@dataclass(frozen=True)
class VectorPaths:
    """The folders or .npy files of every side."""

    source: Path
    target: Path
    dev_source: Path | None = None
    dev_target: Path | None = None


def encoded(request: Request, rules: Protocol, files: Files, *, runs: Path, report: Reporter, hands: Cluster | None) -> VectorPaths:
    """The vectors that were given, or those of the files; what was encoded before is found again."""
    if request.source_vectors is not None and request.target_vectors is not None:
        return VectorPaths(request.source_vectors, request.target_vectors)
    assert files.source is not None
    assert files.target is not None
    trunk = request.trunk or (None if request.run else DEFAULT_TRUNK)
    reader = sentence_reader(request.run, trunk, layer=request.layer, usual=rules.layer, revision=request.revision, precision=request.precision)
    dev = [_encoded(reader, request, rules, file, runs, report, hands) if file else None for file in (files.dev_source, files.dev_target)]
    return VectorPaths(*(_encoded(reader, request, rules, file, runs, report, hands) for file in (files.source, files.target)), *dev)


def _encoded(reader: SentenceReader, request: Request, rules: Protocol, file: TextFile, runs: Path, report: Reporter, hands: Cluster | None) -> Path:
    how = {"pool": rules.pool, "max_length": rules.max_length, "layout": request.layout, "column": request.column, "limit_gb": request.limit_gb}
    asked = Encoding(file.path, request.run, request.trunk, **how)  # type: ignore[arg-type]
    found = encode_with(reader, asked, file.source, file.survey, out=None, runs=runs, overwrite=False, dry_run=False, report=report, hands=hands)
    return Path(found["folder"])

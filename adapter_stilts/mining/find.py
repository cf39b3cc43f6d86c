"""`search`: the sentences of a file, or of vectors, that are nearest to what is asked; everything is loaded once.

    with Finder.open(Encoding(Path("news.en"), trunk="miniature"), runs=Path("runs"), report=report) as finder:
        finder.nearest(["Der Zug nach Rom"], k=5)      [[Found(0.83, 12, "The train to Rome ..."), ...]]
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapter_stilts.errors import UsageError, refuse
from adapter_stilts.mining.encode import Encoder, Encoding
from adapter_stilts.mining.sides import MUST_AGREE, Side, open_side, surveyed
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.blocks import Held
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.reading import Reading
from adapter_stilts.retrieval.search import search
from adapter_stilts.runs.subject import SentenceReader, sentence_reader


@dataclass(frozen=True)
class Found:
    """A sentence that is near: its cosine, its line in the file (from 1), and its text, "" where only vectors are
    known."""

    similarity: float
    line: int
    text: str


class Finder:
    """Sentences that wait to be found."""

    def __init__(self, side: Side, reader: SentenceReader, reading: Reading) -> None:
        self._side, self._encoder, self._reading = side, reader.encoder, reading

    @classmethod
    @contextmanager
    def open(cls, request: Encoding, *, runs: Path, report: Reporter) -> Iterator[Finder]:
        """Encode what is not encoded yet (kept under <runs>/vectors), and load it; the request's file may also be a
        folder of `encode` or a .npy file, whose texts are not known.

        Raises UsageError for vectors of another encoder, and what `encode` raises.
        """
        wanted = request.wanted
        how: Any = {"layer": wanted.one_layer(), "revision": request.revision, "precision": request.precision}
        how["prefix"] = wanted.prefix
        vectors, given = request.file, request.file.is_dir() or request.file.suffix == ".npy"
        file = None if given else surveyed(request.file, request.layout, request.column, report)
        reader = sentence_reader(request.run, request.trunk, pool=request.wanted.pool, **how)
        asked = replace(request, wanted=replace(request.wanted, centring=None))
        reader.tell(asked.reading(reader), request.wanted, report.say)
        if file is not None:
            vectors = Path(Encoder(reader, runs, report, None).vectors(asked, file)["folder"])
        with ExitStack() as stack:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            side = open_side("searched", file, vectors, work)
            if side.texts is not None:
                stack.enter_context(side.texts)
            reading = asked.reading(reader)
            _check_agree(side, {**reader.made, "pool": reading.pool}, reader.encoder.trunk.config.hidden_size)
            yield cls(side, reader, reading)

    def nearest(self, sentences: Sequence[str], k: int) -> list[list[Found]]:
        """The k nearest to each of some sentences, nearest first; sentences that occur several times are found once."""
        refuse(k < 1, f"{k} neighbours", "ask for at least 1 with -k")
        (layer,) = self._reading.layers
        vectors = embed(self._encoder, [sentence.strip() for sentence in sentences], self._reading)[layer]
        neighbours = search(Held(vectors), self._side.searched, k)
        rows = self._side.distinct.rows[neighbours.index]
        return [
            [self._found(float(cosine), int(row)) for cosine, row in zip(cosines, own, strict=True)]
            for cosines, own in zip(neighbours.similarity, rows, strict=True)
        ]

    def _found(self, cosine: float, row: int) -> Found:
        side = self._side
        return Found(cosine, side.line(row), "" if side.texts is None else side.text(row))


def _check_agree(side: Side, reader: dict[str, Any], width: int) -> None:
    made, where = side.vectors.made, str(side.vectors.path)
    if side.vectors.dimension != width:
        what = f"vectors of {side.vectors.dimension} dimensions, and an encoder of {width}"
        raise UsageError(what, where=where, do="name the encoder that made them")
    refuse(side.is_centred, "vectors less their mean, which a single sentence has not", "search plain vectors")
    unlike = [name for name in MUST_AGREE if name in made and name in reader and made[name] != reader[name]]
    if unlike:
        what = f"the vectors were made otherwise: {', '.join(f'{name} {made[name]!s:.40}' for name in unlike)}"
        do = "name the run, trunk and layer that made them: --run, --trunk, --layer, --pool"
        raise UsageError(what, where=where, do=do)

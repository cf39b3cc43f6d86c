"""`mine`: two files of sentences, or their vectors, to the translations between them, best first.

    mine(Mining(Path("news.de"), Path("news.en"), trunk="miniature"), out=Path("pairs.tsv"), ...)

Sentences are encoded into folders that are kept (`encode.py`), each side's nearest neighbours are searched in shards
that fit in memory, going on where a search was stopped, and pairs are made of them by margin.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, TypeAlias

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.environment import peak_memory
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import sha256
from adapter_stilts.mining import pair_files
from adapter_stilts.mining.cluster import Cluster, cluster_of
from adapter_stilts.mining.encode import Encoder, Encoding
from adapter_stilts.mining.known_pairs import aligned_rows, pair_sources, read_given, read_gold
from adapter_stilts.mining.request import Mining, settings_of
from adapter_stilts.mining.search import Search
from adapter_stilts.mining.sides import (
    Side,
    TextFile,
    check_together,
    content_hash,
    facts,
    open_side,
    surveyed,
    surveyed_source,
)
from adapter_stilts.mining.threshold import Kept, advice, decide
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.gold import drawn, tuner
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.plan import SearchPlan
from adapter_stilts.retrieval.pools import candidates
from adapter_stilts.retrieval.protocols import Protocol
from adapter_stilts.retrieval.reading import Overrides
from adapter_stilts.runs.folder import locked, remove_remains
from adapter_stilts.runs.subject import sentence_reader

PAIRS = "pairs"  # in the folder of the work, until they are whole

Inputs: TypeAlias = Sequence[tuple[TextFile | None, Path]]  # of both sides: sentences, if given, and vectors


@dataclass(frozen=True)
class Mined:
    """What a mining found before any threshold: pairs of rows as they are written, and as they are scored.

    left_out   candidates that the rules do not let through, by reason
    """

    written: Pairs
    scored: Pairs
    search: SearchPlan
    recall: float = 1.0
    left_out: Mapping[str, int] = field(default_factory=dict)


def mine(request: Mining, *, out: Path, runs: Path, overwrite: bool, dry_run: bool, report: Reporter) -> dict[str, Any]:
    """Mine, or score given pairs, and write them with a report beside; returns the report.

    runs  where encoded sentences are kept: <runs>/vectors/...

    Raises UsageError for settings or files that do not go together, TaskDataError for mistakes in a file, before
    anything is searched; DoesNotFit where the limit on memory cannot be met.
    """
    rules = request.rules()
    pair_files.refuse_occupied(out, overwrite=overwrite, read=request.reads)
    files = _files(request, report)
    if dry_run:
        sides = [f"{file.survey.rows} sentences of {file.path}" for file in files[:2] if file]
        sides = sides or [f"the vectors of {path}" for path in (request.source_vectors, request.target_vectors)]
        report.say(f"would {'score pairs of' if request.scores else 'mine'} {sides[0]} and {sides[1]}")
        return {"results": [], "planned": sides, "settings": settings_of(rules)}
    work = out.with_name(f"{out.name}.work")
    with locked(work), cluster_of(request.engine, request.ray_address) as cluster:
        remove_remains(work)
        job = _Job(request, rules, work, report, cluster)
        inputs = job.encoded(files, runs)
        gc.collect()  # the encoder's memory is free for the search
        document = job.document(*inputs, out=out, overwrite=overwrite)
    shutil.rmtree(work, ignore_errors=True)
    return document


class _Job:
    """One mining at work in its folder."""

    def __init__(self, request: Mining, rules: Protocol, work: Path, report: Reporter, cluster: Cluster | None) -> None:
        self._request, self._rules, self._work, self._report, self._cluster = request, rules, work, report, cluster

    def encoded(self, files: Sequence[TextFile | None], runs: Path) -> list[Inputs]:
        """Both sides, and those of dev, with the vectors that are given, or that one encoder makes or has made."""
        request, rules = self._request, self._rules
        if request.source_vectors is not None and request.target_vectors is not None:
            return [list(zip(files, (request.source_vectors, request.target_vectors), strict=True))]
        wanted = request.wanted
        how: Any = {"layer": wanted.one_layer(), "revision": request.revision, "precision": request.precision}
        how["prefix"] = wanted.prefix
        how["pool"] = request.wanted.pool
        reader = sentence_reader(request.run, request.trunk, usual=rules, **how)
        encoder = Encoder(reader, runs, self._report, self._cluster)

        wanted = Overrides(wanted.layers, wanted.pool, prefix=wanted.prefix)
        reader.tell(Encoding(Path(), wanted=wanted).reading(reader), wanted, self._report.say)

        def vectors(file: TextFile, column: str | None) -> Path:
            asked = Encoding(file.path, request.run, wanted=Overrides(pool=wanted.pool))
            asked = replace(asked, layout=request.layout, column=column, limit_gb=request.limit_gb)
            return Path(encoder.vectors(asked, file)["folder"])

        columns = cycle((request.column, request.target_column or request.column))
        both = [(file, vectors(file, column)) for file, column in zip(files, columns, strict=False) if file is not None]
        return [both[start : start + 2] for start in range(0, len(both), 2)]

    def document(self, main: Inputs, dev: Inputs = (), *, out: Path, overwrite: bool) -> dict[str, Any]:
        """The report of what was mined from the two sides and published, or of the same mining before."""
        request = self._request
        with _opened(main, self._work, "") as (source, target):
            if source.is_centred:
                self._rules = replace(self._rules, centring=True)
            rules = self._rules
            given = [sha256(path) if path else "" for path in (request.gold, request.score_only)]
            files = [*(file for file, _ in (*main, *dev)), None, None][:4]
            # their texts, and their bytes, for ids and line numbers are no part of the texts
            shown = [(file.survey.sha256, sha256(file.path)) if file else ("", "") for file in files]
            hashes = (content_hash(source), content_hash(target))
            identity = fingerprint((request.decides, settings_of(rules), *hashes, given, shown))
            known = pair_files.finished(out, identity, overwrite=overwrite)
            if known is not None:
                self._report.say(f"{out} is the outcome of this very mining already")
                return known
            gold = read_gold(request.gold, source, target) if request.gold else None
            if request.scores:
                mined = self._given(source, target)
            else:
                if hashes[0] == hashes[1]:
                    self._report.say("source and target are the same: every sentence will find itself")
                mined = self._searched(source, target, self._work)
            threshold, chosen_on = request.threshold, "given"
            if dev:
                threshold, chosen_on = self._dev_threshold(dev), "dev"
            tune = tuner(request.target_precision, rules.threshold)
            kept = decide(mined.scored, gold, tune, rules, threshold, chosen_on, seed=request.seed)
            pairs = mined.written if kept.threshold is None else mined.written.above(kept.threshold)
            form = pair_files.form(out, json_lines=request.json_lines, columns=request.columns)
            how = {"columns": request.columns, "all_lines": rules.written == "once" and not request.scores}
            count = pair_files.write_pairs(self._work / PAIRS, pairs, source, target, form, **how)
            undecided = count and kept.threshold is None and not request.scores
            document: dict[str, Any] = pair_files.as_json(
                {
                    "pairs_file": str(out),
                    "report": str(pair_files.report_path(out)),
                    "pairs": count,
                    "candidates": len(mined.written),
                    "left_out": dict(mined.left_out),
                    "threshold": kept.threshold,
                    "threshold_from": kept.source,
                    "source": facts(source, files[0]),
                    "target": facts(target, files[1]),
                    "settings": {**settings_of(rules), **mined.search.facts(), "recall": mined.recall},
                    "results": [result.to_json() for result in kept.results],
                    "curve": list(kept.curve),
                    "histogram": kept.histogram,
                    "peak_memory_bytes": peak_memory("cpu"),
                    "notes": [*kept.notes, *_notes(count, mined, kept), *(advice(kept.histogram) if undecided else ())],
                }
            )
            pair_files.publish(self._work / PAIRS, out, identity, document)
        _say(document, kept, self._report)
        return document

    def _given(self, source: Side, target: Side) -> Mined:
        """Score the pairs that are given: of a file, or row by row."""
        request, left_out = self._request, dict[str, int]()
        search = Search(request, self._rules, source, target, self._report, None)
        if request.score_only is not None and not request.alone:
            rows = read_given(request.score_only, source, target)
        else:
            rows = aligned_rows(source, target)
            left_out = {"of a row that is blank on one side or both": max(source.rows, target.rows) - len(rows[0])}
        pairs = search.given(*rows)
        return Mined(pairs, pairs, search.plan, left_out={reason: count for reason, count in left_out.items() if count})

    def _searched(self, source: Side, target: Side, work: Path) -> Mined:
        """Search both ways and make pairs."""
        request, rules = self._request, self._rules
        search = Search(request, rules, source, target, self._report, self._cluster)
        neighbours = search.both_ways(work)
        recall = search.recall(neighbours)
        pairs = candidates(neighbours, rules)
        written, left_out = pairs.lines(rules.written), dict(pairs.left_out)
        if rules.written == "drop":
            left_out["of a sentence that occurs several times"] = len(pairs.texts) - len(written)
        every_line = rules.written == "once" and (request.gold or request.dev)  # gold may name any line of a text
        scored = pairs.lines("expand") if every_line else written
        return Mined(
            written, scored, search.plan, recall, {reason: count for reason, count in left_out.items() if count}
        )

    def _dev_threshold(self, dev: Inputs) -> float:
        """The threshold that is best on the dev files."""
        assert self._request.dev is not None
        with _opened(dev, self._work, "dev ") as (source, target):
            gold = read_gold(self._request.dev[2], source, target)
            pairs = self._searched(source, target, self._work / "dev").scored
        tune = tuner(self._request.target_precision, self._rules.threshold)
        cut = tune(gold.right(pairs), pairs.score, len(gold))
        kept = f"where it keeps {cut.kept} pairs of {len(gold)} gold at F1 {100 * cut.f1:.1f} (oracle)"
        self._report.say(f"threshold {cut.threshold:.4f} from dev, {kept}")
        return cut.threshold


@contextmanager
def _opened(sides: Inputs, work: Path, name: str) -> Iterator[tuple[Side, Side]]:
    """Both sides with their texts; what does not belong together is refused."""
    with ExitStack() as stack:
        opened = []
        for side, (file, path) in zip(("source", "target"), sides, strict=True):
            opened.append(open_side(f"{name}{side}", file, path, work))
            if opened[-1].texts is not None:
                stack.enter_context(opened[-1].texts)
        check_together(*opened)
        yield opened[0], opened[1]


def _say(document: dict[str, Any], kept: Kept, report: Reporter) -> None:
    columns = ("rows", "blank", "repeated", "searched")
    rows = [[side, *(document[side][name] for name in columns)] for side in ("source", "target")]
    report.table("rows", ("side", "in file", "blank", "repeated", "searched"), rows)
    if kept.results:
        measured = [(row, row.settings["threshold_chosen_on"]) for row in kept.results]
        percent = "{:.1f}".format
        intervals = [" to ".join(percent(100 * end) for end in row.interval or ()) for row, _ in measured]
        shown = zip(measured, intervals, strict=True)
        scores = [[row.metric, percent(100 * row.score), ends, row.n, chosen_on] for (row, chosen_on), ends in shown]
        named = ("metric", "%", "95 % interval", "gold pairs", "threshold chosen on")
        report.table("against gold", named, scores)
    for line in (*drawn(kept.histogram, kept.threshold), *document["notes"]):
        report.say(line)


def _notes(count: int, mined: Mined, kept: Kept) -> Iterator[str]:
    cut = "no threshold was given"
    if kept.threshold is not None:
        cut = f"at a threshold of {kept.threshold:.4f} ({kept.source})"
    for reason, number in mined.left_out.items():
        yield f"{number} candidate{'s' if number > 1 else ''} {reason} {'are' if number > 1 else 'is'} left out"
    if not len(mined.written):
        other, at_all = (" other", "") if mined.left_out else ("", " at all")
        yield f"no pair was found: there is no{other} candidate{at_all}, so the file is empty"
    elif not count:
        best = f"the best of {len(mined.written)} candidates scores {mined.written.score[0]:.4f}"
        yield f"no pair is kept {cut}: {best}, so the file is empty"
    else:
        yield f"{count} of {len(mined.written)} candidates are written, best first; {cut}"


def _files(request: Mining, report: Reporter) -> list[TextFile | None]:
    """The files of both sides and of dev, read once; None where vectors stand for them."""
    if request.alone:
        assert request.score_only is not None
        both = pair_sources(request.score_only, (request.column, request.target_column), layout=request.layout)
        return [_with_text(surveyed_source(partial(both.__getitem__, side), both[0].path, report)) for side in (0, 1)]
    paths = [request.source, request.target, *(request.dev[:2] if request.dev else ())]
    columns = [request.column, request.target_column or request.column] * 2
    how = zip(paths, columns, strict=False)
    return [_with_text(surveyed(path, request.layout, column, report)) if path else None for path, column in how]


def _with_text(file: TextFile) -> TextFile:
    if file.survey.blank == file.survey.rows:
        what = f"no sentence: all {file.survey.rows} rows are blank"
        raise TaskDataError(what, where=str(file.path), do="give a file with text")
    return file

"""`mine`: two files of sentences, or their vectors, to the translations between them, best first.

    mine(Request(Path("news.de"), Path("news.en"), trunk="miniature"), out=Path("pairs.tsv"), ...)

Sentences are encoded into folders that are kept (`encode.py`), each side's nearest neighbours are searched in shards that fit in
memory, and pairs are made of them by margin. The search goes on where it was stopped; the file of pairs appears whole or not at all.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from adapter_stilts.environment import peak_memory
from adapter_stilts.files import sha256
from adapter_stilts.mining.cluster import Cluster, hands_of
from adapter_stilts.mining.mine_given import score_given
from adapter_stilts.mining.mine_output import (
    as_json,
    finished,
    identity_of,
    publish,
    refuse_occupied,
    report_path,
    write_pairs,
)
from adapter_stilts.mining.mine_pairs import read_gold
from adapter_stilts.mining.mine_request import Request, Rules, rules_of
from adapter_stilts.mining.mine_score import Kept, decide, told, tuner
from adapter_stilts.mining.mine_search import AUTO, SearchPlan, both_directions, plan
from adapter_stilts.mining.mine_sides import Side, TextFile, check_together, content_hash, facts, open_side, surveyed
from adapter_stilts.mining.mine_vectors import Files, VectorPaths, encoded
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.distinct import expand, once, unique
from adapter_stilts.retrieval.gold import Gold
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.mining import mine as mined
from adapter_stilts.retrieval.thresholds import drawn
from adapter_stilts.runs.folder import locked, remove_remains

PAIRS = "pairs"  # in the folder of the work, until they are whole


@dataclass(frozen=True)
class Candidates:
    """What a mining found before any threshold: pairs of rows as they are written, and as they are scored.

    left_out   candidates that the rules do not let through, by reason
    """

    written: Pairs
    scored: Pairs
    search: SearchPlan | None
    recall: float
    left_out: Mapping[str, int] = field(default_factory=dict)


def mine(request: Request, *, out: Path, runs: Path, overwrite: bool, dry_run: bool, report: Reporter) -> dict[str, Any]:
    """Mine, or score given pairs, and write them with a report beside; returns the report.

    runs  where encoded sentences are kept: <runs>/vectors/...

    Raises UsageError for settings or files that do not go together, TaskDataError for mistakes in a file, before anything is searched;
    DoesNotFit where the limit on memory cannot be met.
    """
    rules = rules_of(request)
    refuse_occupied(out, overwrite=overwrite, read=request.reads)
    files = _surveyed(request, report)
    if dry_run:
        return _planned(request, rules, files, report)
    work = out.with_name(f"{out.name}.work")
    with locked(work), hands_of(request.engine, request.ray_address) as hands:
        remove_remains(work)
        vectors = encoded(request, rules.protocol, files, runs=runs, report=report, hands=hands)
        gc.collect()  # the encoder's memory is free for the search
        document = _with_sides(request, rules, files, vectors, out, work, overwrite, report, hands)
    shutil.rmtree(work, ignore_errors=True)
    return document


def _with_sides(
    request: Request,
    rules: Rules,
    files: Files,
    vectors: VectorPaths,
    out: Path,
    work: Path,
    overwrite: bool,
    report: Reporter,
    hands: Cluster | None,
) -> dict[str, Any]:
    with _sides(files.source, files.target, vectors.source, vectors.target, work, "") as (source, target):
        if source.is_centred:
            rules = replace(rules, protocol=replace(rules.protocol, centring=True))
        given = [sha256(path) if path else "" for path in (request.gold, request.score_only)]
        identity = identity_of(request.decides, rules.told(), content_hash(source), content_hash(target), given, _shown(files))
        known = finished(out, identity, overwrite=overwrite)
        if known is not None:
            report.say(f"{out} is the outcome of this very mining already")
            return known
        if request.score_only is not None:
            pairs, search = score_given(request.score_only, source, target, rules.protocol, _search_plan(request, rules, source, target), report)
            found, gold = Candidates(pairs, pairs, search, 1.0), None
        else:
            gold = read_gold(request.gold, source, target) if request.gold else None
            _warn_same(source, target, report)
            found = _candidates(request, rules, source, target, work, report, hands)
        threshold, origin = request.threshold, "given"
        if request.dev is not None:
            threshold, origin = _dev_threshold(request, rules, files, vectors, work, report, hands), "dev"
        tune = tuner(request.target_precision, rules.protocol.threshold)
        told = rules.told()
        kept = decide(found.scored, gold, tune, rule=rules.protocol.threshold, threshold=threshold, source=origin, seed=request.seed, settings=told)
        return _finish(request, rules, files, (source, target), found, kept, out, work, identity, report)


def _candidates(request: Request, rules: Rules, source: Side, target: Side, work: Path, report: Reporter, hands: Cluster | None) -> Candidates:
    """Search both ways and make pairs."""
    chosen = _search_plan(request, rules, source, target, hands)
    if request.index == AUTO:
        report.say(f"index {chosen.index}: {chosen.why}")
    sides = [(content_hash(side), side.searched_hash) for side in (source, target)]
    identity = identity_of(sides, chosen.index, asdict(chosen.settings), chosen.k, rules.protocol.centring)
    found = both_directions(source, target, chosen, rules.protocol.centring, work, identity, report, hands)
    pairs = mined(found.forward, found.backward, margin=rules.protocol.margin, retrieval=rules.protocol.retrieval)
    left_out, every, least = dict[str, int](), pairs, rules.protocol.least
    if least is not None:
        pairs = every.over(least)
        left_out[f"of a score of {least:g} or less"] = len(every) - len(pairs)
    left, right = source.distinct, target.distinct
    if rules.duplicates == "drop":
        written = scored = unique(pairs, left, right)
        left_out["of a sentence that occurs several times"] = len(pairs) - len(written)
    else:
        scored = expand(pairs, left, right) if rules.duplicates == "expand" or request.gold or request.dev else once(pairs, left, right)
        written = scored if rules.duplicates == "expand" else once(pairs, left, right)
    return Candidates(written, scored, chosen, found.recall, {reason: count for reason, count in left_out.items() if count})


def _finish(
    request: Request,
    rules: Rules,
    files: Files,
    sides: tuple[Side, Side],
    found: Candidates,
    kept: Kept,
    out: Path,
    work: Path,
    identity: str,
    report: Reporter,
) -> dict[str, Any]:
    source, target = sides
    pairs = found.written if kept.threshold is None else found.written.above(kept.threshold)
    all_lines = rules.duplicates == "once" and request.score_only is None
    count = write_pairs(work / PAIRS, pairs, source, target, json_lines=request.json_lines, all_lines=all_lines)
    notes = [*kept.notes, *_notes(count, found, kept)]
    document: dict[str, Any] = {
        "pairs_file": str(out),
        "report": str(report_path(out)),
        "pairs": count,
        "candidates": len(found.written),
        "left_out": dict(found.left_out),
        "threshold": kept.threshold,
        "threshold_from": kept.source,
        "source": facts(source, files.source),
        "target": facts(target, files.target),
        "settings": {**rules.told(), **(found.search.facts() if found.search else {}), "recall": found.recall},
        "results": list(kept.results),
        "curve": list(kept.curve),
        "histogram": kept.histogram,
        "peak_memory_bytes": peak_memory("cpu"),
        "notes": notes,
    }
    document = as_json(document)
    publish(work / PAIRS, out, identity, document)
    _say(document, kept, report)
    return document


def _say(document: dict[str, Any], kept: Kept, report: Reporter) -> None:
    rows = [[side, *(document[side][name] for name in ("rows", "blank", "repeated", "searched"))] for side in ("source", "target")]
    report.table("rows", ("side", "in file", "blank", "repeated", "searched"), rows)
    if kept.results:
        report.table("against gold", ("metric", "%", "gold pairs", "threshold chosen on"), told(kept.results))
    for line in drawn(kept.histogram, kept.threshold):
        report.say(line)
    for note in document["notes"]:
        report.say(note)


def _notes(count: int, found: Candidates, kept: Kept) -> Iterator[str]:
    cut = f"at a threshold of {kept.threshold:.4f} ({kept.source})" if kept.threshold is not None else "no threshold was given"
    for reason, number in found.left_out.items():
        yield f"{number} candidate{'s' if number > 1 else ''} {reason} {'are' if number > 1 else 'is'} left out"
    if not len(found.written):
        yield f"no pair was found: there is no{' other' if found.left_out else ''} candidate{'' if found.left_out else ' at all'}, so the file is empty"
    elif not count:
        yield f"no pair is kept {cut}: the best of {len(found.written)} candidates scores {found.written.score[0]:.4f}, so the file is empty"
    else:
        yield f"{count} of {len(found.written)} candidates are written, best first; {cut}"


def _dev_threshold(
    request: Request, rules: Rules, files: Files, vectors: VectorPaths, work: Path, report: Reporter, hands: Cluster | None
) -> float:
    """The threshold that is best on the dev files."""
    assert request.dev is not None
    assert vectors.dev_source is not None
    assert vectors.dev_target is not None
    with _sides(files.dev_source, files.dev_target, vectors.dev_source, vectors.dev_target, work, "dev ") as (source, target):
        gold: Gold = read_gold(request.dev[2], source, target)
        found = _candidates(request, rules, source, target, work / "dev", report, hands)
    cut = tuner(request.target_precision, rules.protocol.threshold)(gold.right(found.scored), found.scored.score, len(gold))
    report.say(f"threshold {cut.threshold:.4f} from dev, where it keeps {cut.kept} pairs of {len(gold)} gold at F1 {100 * cut.f1:.1f} (oracle)")
    return cut.threshold


@contextmanager
def _sides(source: TextFile | None, target: TextFile | None, one: Path, other: Path, work: Path, name: str) -> Iterator[tuple[Side, Side]]:
    with ExitStack() as stack:
        sides = []
        for side, file, path in (("source", source, one), ("target", target, other)):
            opened = open_side(f"{name}{side}", file, path, work)
            if opened.texts is not None:
                stack.enter_context(opened.texts)
            sides.append(opened)
        check_together(*sides)
        yield sides[0], sides[1]


def _search_plan(request: Request, rules: Rules, source: Side, target: Side, hands: Cluster | None = None) -> SearchPlan:
    return plan(source, target, rules.protocol.k, rules.index, rules.settings, request.limit_gb, hands)


def _surveyed(request: Request, report: Reporter) -> Files:
    paths = [request.source, request.target, *(request.dev[:2] if request.dev else (None, None))]
    return Files(*(surveyed(path, request.layout, request.column, report) if path else None for path in paths))


def _planned(request: Request, rules: Rules, files: Files, report: Reporter) -> dict[str, Any]:
    sides = [f"{file.survey.rows} sentences of {file.path}" for file in (files.source, files.target) if file]
    sides = sides or [f"the vectors of {path}" for path in (request.source_vectors, request.target_vectors)]
    report.say(f"would mine {sides[0]} and {sides[1]}")
    return {"results": [], "planned": sides, "settings": rules.told()}


def _warn_same(source: Side, target: Side, report: Reporter) -> None:
    if content_hash(source) == content_hash(target):
        report.say("source and target are the same: every sentence will find itself")


def _shown(files: Files) -> list[tuple[str, str]]:
    """What is shown of every file: its texts, and its bytes, for ids and line numbers are no part of the texts."""
    every = (files.source, files.target, files.dev_source, files.dev_target)
    return [(file.survey.sha256, sha256(file.path)) if file else ("", "") for file in every]

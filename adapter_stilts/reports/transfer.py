"""Sections of a study's table: the transfer grid, means over targets, and gains by language, family and script."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from adapter_stilts.reports.page import (
    COUNT,
    PERCENT,
    POINTS,
    SIZE,
    Bars,
    Block,
    Cell,
    Column,
    Heat,
    HeatCell,
    P,
    Section,
    Table,
)
from adapter_stilts.reports.record import Entry, Scores, StudyRecord
from adapter_stilts.statistics.gains import ENOUGH
from adapter_stilts.statistics.verdicts import EQUAL, HELPED, HURT, UNCLEAR, UNLEARNED, between, points
from adapter_stilts.tasks.families import Language, language

MARKS = {HELPED: "▲", HURT: "▼", EQUAL: "≈", UNCLEAR: "○", UNLEARNED: "✕"}
MEANING = {
    HELPED: "the gain is above none (p below 0.05 after Holm's correction)",
    HURT: "it is below none (the same)",
    EQUAL: "surely smaller than the margin that was declared",
    UNCLEAR: "with the smallest effect that would have been seen eight times in ten",
    UNLEARNED: "a run that it is made of did not learn",
}
SHADES = 6
PALE = 2  # the most colour that a gain without a verdict has
DIRECT, ALONE = "direct", "trunk alone"
SCORE, GAIN = Column("score", PERCENT), Column("gain", POINTS)
ENDS = (Column("from", POINTS), Column("to", POINTS))
RESULT = (
    *(Column("n", COUNT), SCORE, GAIN, *ENDS, Column("p (Holm)", P), Column("verdict")),
    Column("smallest effect that would be seen", SIZE),
)


def transfer(study: StudyRecord) -> Section | None:
    """The grid as a heat map and as rows; None where nothing was scored."""
    if not study.entries:
        return None
    blocks: list[Block] = [*_heats(study.entries), _grid("transfer", "Every cell of the grid", study.entries)]
    source = [entry for entry in study.entries if entry.source]
    if source:
        caption = "In the language of the training rows, which is in none of the means above"
        blocks.append(_grid("source", caption, source, of=lambda entry: entry.source or entry))
    blocks += [*_over_control(study.entries), *_means(study)]
    lead = "Scores are percent, means over languages and seeds; gains over direct training of the target (retrieval: "
    lead += "over the trunk alone) are points, paired by seed, language and row."
    return Section("What transfers", blocks, [lead])


def by_language(study: StudyRecord) -> Section | None:
    """Gains by language, grouped by family, and their means by family and script; None where there are none."""
    interpreted = [entry for entry in study.entries if not entry.control and entry.verdict != UNLEARNED]
    gains = [entry for entry in interpreted if entry.gain_by_language]
    if not gains:
        return None
    blocks: list[Block] = []
    for target in dict.fromkeys(entry.target for entry in gains):
        arms = [entry for entry in gains if entry.target == target]
        direct = [entry for entry in study.entries if entry.target == target and entry.gain is None]
        blocks.append(_bars(target, arms, direct[0].by_language if direct else {}))
    blocks.append(_languages(interpreted))
    grouped = list(_grouped(gains))
    columns = [Column("group"), Column("target"), Column("source"), Column("how"), Column("languages", COUNT), GAIN]
    blocks.append(Table("families", "Mean gain by family and by script", columns, grouped, folded=len(grouped) > 12))
    lead = "A bar is one language's mean gain over seeds, without an interval of its own: read them together, not "
    lead += "one by one. What is not interpreted has no bars."
    return Section("By language, family and script", blocks, [lead])


def arm_name(intermediate: str, how: str, retrieval: bool = False) -> tuple[str, str]:
    """What an arm builds on, and how; of what nothing was learned before, what it is."""
    if intermediate:
        return intermediate, how
    return (ALONE, "read") if retrieval or how == "read" else ("none", DIRECT)


def _heats(entries: Sequence[Entry]) -> Iterator[Heat]:
    """The grid of trained targets, and that of targets that are read with each source as it is; one scale for both."""
    claimed = [abs(entry.gain) for entry in entries if entry.gain is not None and entry.verdict != UNLEARNED]
    widest = max((gain for gain in claimed if math.isfinite(gain)), default=0.0) or 1.0
    for retrieval, caption in ((False, "Trained targets"), (True, "Retrieval, read with each source as it is")):
        of_kind = [entry for entry in entries if entry.retrieval == retrieval]
        if of_kind:
            yield _heat(caption, of_kind, widest)


def _heat(caption: str, entries: Sequence[Entry], widest: float) -> Heat:
    targets = list(dict.fromkeys(entry.target for entry in entries))
    rows: dict[tuple[str, str], dict[str, Entry]] = {}
    for entry in entries:
        name, how = arm_name(*entry.arm, entry.retrieval)
        rows.setdefault((f"{name} (control)" if entry.control else name, how), {})[entry.target] = entry
    cells = [
        (names, [_cell(of_row[target], widest) if target in of_row else None for target in targets])
        for names, of_row in rows.items()
    ]
    words = [word for word in MARKS if any(entry.verdict == word for entry in entries)]
    legend = {MARKS[word]: f"{word}: {MEANING[word]}" for word in words}
    seeds = max(len(entry.compared) for entry in entries)
    notes = [f"Colour is the gain, at most {100 * widest:.1f} points; what no verdict says is pale at most."]
    notes += [] if seeds >= ENOUGH else [f"{ENOUGH} seeds would give verdicts; there are {seeds}."]
    notes += [f"* {leak}" for leak in dict.fromkeys(leak for entry in entries for leak in entry.leaks)]
    for entry in entries:
        if entry.dropped:
            named = " ".join(filter(None, (*entry.arm, entry.target)))
            notes.append(f"{named}: compared without {', '.join(entry.dropped)}, which only one side has.")
    head = [f"{target} (n {max(e.n for e in entries if e.target == target):,})" for target in targets]
    return Heat(caption, ("source", "how"), head, cells, legend, notes)


def _cell(entry: Entry, widest: float) -> HeatCell:
    score = f"{100 * entry.score:.1f}{' *' if entry.leaks else ''}"
    mark = MARKS.get(entry.verdict, "")
    if entry.gain is None:
        return HeatCell([score])
    if entry.verdict == UNLEARNED:
        return HeatCell([score, f"{mark} {UNLEARNED}"], 0, mark, UNLEARNED)
    lines = [score, f"{mark} {points(entry.gain)}".strip()]
    lines += [between(entry.interval)] if entry.interval else []
    lines += [f"seen from {100 * entry.detectable:.1f}"] if entry.verdict == UNCLEAR and entry.detectable else []
    most = SHADES if entry.verdict in (HELPED, HURT) and not entry.control else PALE
    size = min(abs(entry.gain) / widest, 1.0) if math.isfinite(entry.gain) else 0.0
    shade = min(math.ceil(SHADES * size), most)
    return HeatCell(lines, shade if entry.gain >= 0 else -shade, mark, entry.verdict)


def _grid(name: str, caption: str, entries: Sequence[Entry], of: Callable[[Entry], Scores] | None = None) -> Table:
    columns = [
        *(Column("source"), Column("how"), Column("target"), Column("metric")),
        *(Column("seeds", COUNT), Column("languages", COUNT), *RESULT, Column("did not learn")),
    ]
    rows = []
    for entry in entries:
        scores = of(entry) if of else entry
        low, high = scores.interval or (None, None)
        arm, how = arm_name(*entry.arm, entry.retrieval)
        named: tuple[Cell, ...] = (f"{arm} (control)" if entry.control else arm, how, entry.target, entry.metric)
        counted: tuple[Cell, ...] = (len(entry.compared) or len(entry.seeds), 1 if of else entry.languages, scores.n)
        said: tuple[Cell, ...] = (scores.score, scores.gain, low, high, scores.p_holm, scores.verdict)
        rows.append((*named, *counted, *said, scores.detectable, ", ".join(entry.unlearned)))
    return Table(name, caption, columns, rows, folded=of is None)


def _over_control(entries: Sequence[Entry]) -> Iterator[Table]:
    rows: list[Sequence[Cell]] = []
    for entry in entries:
        if over := entry.over_control:
            low, high = over.interval or (None, None)
            rows.append((*entry.arm, entry.target, over.control, over.gain, low, high, over.p))
    if rows:
        columns = [*map(Column, ("source", "how", "target", "control")), GAIN, *ENDS, Column("p (not corrected)", P)]
        yield Table("controls", "Gain over the better control", columns, rows)


def _means(study: StudyRecord) -> Iterator[Table]:
    unlearned = {entry.arm for entry in study.entries if entry.verdict == UNLEARNED}
    rows: list[Sequence[Cell]] = []
    for mean in study.document.means:
        name, how = arm_name(mean.intermediate, mean.how)
        for over, score, gain, inside in (
            ("all targets", mean.all, mean.all_gain, mean.all_interval),
            ("without retrieval", mean.trained, mean.trained_gain, mean.trained_interval),
        ):
            if score is None:
                continue
            said = "yes" if (mean.intermediate, mean.how) in unlearned else ""
            arm = f"{name} (control)" if mean.control else name
            rows.append((arm, how, over, score, gain, *(inside or (None, None)), said))
    if rows:
        columns = [*map(Column, ("source", "how", "over")), SCORE, GAIN, *ENDS, Column("has what is not interpreted")]
        notes = ["Intervals are t over seeds, of these targets."]
        yield Table("means", "Means over targets, with and without retrieval", columns, rows, notes)


def _bars(target: str, arms: Sequence[Entry], scores: Mapping[str, float]) -> Bars:
    """Languages down, grouped by family, and an arm a column."""
    codes = dict.fromkeys(code for entry in arms for code in entry.gain_by_language)
    families: dict[str, list[tuple[Language, str]]] = {}
    for code in codes:
        families.setdefault(language(code).family, []).append((language(code), code))
    groups = []
    for family, members in sorted(families.items()):
        rows = []
        for known, code in sorted(members):
            score = f"{100 * scores[code]:.1f}" if code in scores else ""
            names = (f"{known.name} ({code})", known.script, score)
            rows.append((names, [entry.gain_by_language.get(code) for entry in arms]))
        groups.append((family, rows))
    columns = [f"{entry.intermediate} {entry.how}".removesuffix(" read") for entry in arms]
    labels = ("language", "script", f"{ALONE if arms[0].retrieval else DIRECT} %")
    return Bars(f"{target}: gain by language, points", "family", labels, columns, groups)


def _languages(entries: Sequence[Entry]) -> Table:
    columns = [
        *map(Column, ("target", "source", "how", "language", "name", "family", "script")),
        *(SCORE, GAIN),
    ]
    rows: list[Sequence[Cell]] = []
    for entry in entries:
        for code in entry.by_language or entry.gain_by_language:
            known = language(code)
            named = (entry.target, *arm_name(*entry.arm, entry.retrieval), code, known.name, known.family, known.script)
            rows.append((*named, entry.by_language.get(code), entry.gain_by_language.get(code)))
    return Table("languages", "Score and gain by language", columns, rows, folded=True)


def _grouped(entries: Sequence[Entry]) -> Iterator[Sequence[Cell]]:
    """Mean gains over the languages of a family, and of a script."""
    for of in ("family", "script"):
        codes = {code for entry in entries for code in entry.gain_by_language}
        for group in sorted({getattr(language(code), of) for code in codes}):
            for entry in entries:
                by_language = entry.gain_by_language.items()
                gains = [gain for code, gain in by_language if getattr(language(code), of) == group]
                if gains:
                    arm = arm_name(*entry.arm, entry.retrieval)
                    yield (f"{of}: {group}", entry.target, *arm, len(gains), sum(gains) / len(gains))

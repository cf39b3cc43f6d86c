"""The paragraph a study's report opens with: what its table says and what it does not, in words that never go beyond
the intervals.

Only rows of the table speak: no gain is named that has no verdict, and none of what a run that did not learn was part
of. With too few seeds for verdicts the paragraph describes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapter_stilts.config.places import last_name
from adapter_stilts.reports.record import Entry, Interval, StudyRecord
from adapter_stilts.statistics.gains import ENOUGH
from adapter_stilts.statistics.result import Result
from adapter_stilts.statistics.verdicts import EQUAL, HELPED, HURT, UNCLEAR, UNLEARNED, between, points

MOST = 3  # transfers that are named one by one
FAMILIES = {"row": "each source and way", "target": "each target", "all": "the whole table"}
MINIATURE = (
    "The trunk is the embedded miniature and its rows are generated: this shows that everything works, and nothing "
    "about XLM-R."
)


def answer(study: StudyRecord) -> list[str]:
    """The paragraph, sentence by sentence."""
    gains = [entry for entry in study.entries if entry.gain is not None and not entry.control]
    sentences = _unfinished(study)
    if not study.entries:
        return [*sentences, "It has no table yet: that is made when all stages have had their turn."]
    if not gains:
        return [*sentences, "There is no gain to report: nothing has been scored both directly and after another task."]
    read = [entry for entry in gains if entry.verdict != UNLEARNED]
    sentences += [_scope(gains)]
    sentences += _unlearned([entry for entry in gains if entry.verdict == UNLEARNED])
    sentences += _verdicts(study, read) if read else ["So there is nothing to report."]
    sentences += _leaks(read)
    return [*sentences, *_limits(study, read)]


def run_answer(name: str, what: str, headlines: Sequence[Result], unlearned: Sequence[str]) -> list[str]:
    """The paragraph of one run: its scores as they are, since one run is compared with nothing."""
    sentences = [f"{name} is {what}."]
    sentences += [f"{sentence[:1].upper()}{sentence[1:]}." for sentence in unlearned]
    for task in dict.fromkeys(row.task for row in headlines):
        rows = [row for row in headlines if row.task == task]
        scores, n = [row.score for row in rows], sum(row.n for row in rows)
        named = f"{task} ({rows[0].metric})"
        if len(rows) == 1:
            inside = f", 95 % {_percents(rows[0].interval)}" if rows[0].interval else ""
            sentences += [f"{named} in {rows[0].language}: {100 * scores[0]:.1f} % (n {n:,}{inside})."]
        else:
            span = f"{100 * min(scores):.1f} to {100 * max(scores):.1f} by language"
            mean = sum(scores) / len(scores)
            sentences += [f"{named}: {100 * mean:.1f} % over {len(rows)} languages ({span}, n {n:,})."]
    if not headlines:
        sentences += ["It has no score on test rows yet."]
    return [*sentences, "Intervals are over rows; one run says nothing of another seed, and nothing of what helped it."]


def _unfinished(study: StudyRecord) -> list[str]:
    stages, done = study.document.stages, study.done
    if done == len(stages):
        return []
    states = {state: sum(stage.state == state for stage in stages) for state in dict.fromkeys(s.state for s in stages)}
    rest = ", ".join(f"{count} {state}" for state, count in states.items() if state != "done")
    return [f"This study is not complete: {done} of {len(stages)} stages are done ({rest})."]


def _scope(gains: Sequence[Entry]) -> str:
    intermediate = list(dict.fromkeys(entry.intermediate for entry in gains))
    targets = list(dict.fromkeys(entry.target for entry in gains))
    transfers = _count(len(gains), "transfer")
    what = f"{transfers} of {_count(len(intermediate), 'source')} to {_count(len(targets), 'target')}"
    seeds = _span(len(entry.compared) for entry in gains)
    rows, languages = _span(entry.n for entry in gains), _span(entry.languages for entry in gains)
    over = f"{_plural(seeds, 'seed')}, {_plural(languages, 'language')} and n {rows} rows each"
    against = "against direct training of the target"
    against += ", or for retrieval the trunk alone," if any(entry.retrieval for entry in gains) else ""
    return f"{what} {'was' if len(gains) == 1 else 'were'} measured {against} with {over}."


def _unlearned(entries: Sequence[Entry]) -> list[str]:
    if not entries:
        return []
    runs = dict.fromkeys(run for entry in entries for run in entry.unlearned)
    made = "is" if len(entries) == 1 else "are"
    names = _listed([f"“{run}”" for run in runs])
    return [f"{_count(len(entries), 'transfer')} {made} not interpreted, because {names} did not learn."]


def _verdicts(study: StudyRecord, entries: Sequence[Entry]) -> list[str]:
    """What verdicts there are; without any, a description."""
    by_word = {word: [entry for entry in entries if entry.verdict == word] for word in (HELPED, HURT, EQUAL, UNCLEAR)}
    sentences = []
    table = study.document.config.table
    for word in (HELPED, HURT):
        found = sorted(by_word[word], key=lambda entry: -abs(entry.gain or 0))
        if found:
            named = "; ".join(_gain(entry) for entry in found[:MOST])
            more = f"; and {len(found) - MOST} more in the table" if len(found) > MOST else ""
            sentences += [f"{_count(len(found), 'transfer')} {word}: {named}{more}."]
    if by_word[EQUAL]:
        count, within = len(by_word[EQUAL]), 100 * (table.equal_within or 0)
        equals = "equals" if count == 1 else "equal"
        sentences += [f"{_count(count, 'transfer')} {equals} direct training within a margin of {within:g}."]
    if by_word[UNCLEAR]:
        if not (by_word[HELPED] or by_word[HURT]):
            sentences += ["None is shown to help or to hurt."]
        count, sizes = len(by_word[UNCLEAR]), _sizes(by_word[UNCLEAR])
        shows = "shows" if count == 1 else "show"
        sentences += [f"{_count(count, 'transfer')} {shows} no clear difference ({_gains(by_word[UNCLEAR])}){sizes}."]
    if any(by_word.values()) and (family := FAMILIES.get(table.holm)):
        sentences += [f"Verdicts are corrected for having looked at several (Holm, over {family})."]
    described = [entry for entry in entries if not entry.verdict]
    return sentences + (_described(described) if described else [])


def _described(entries: Sequence[Entry]) -> list[str]:
    """Of transfers that no verdict may be said of."""
    said = f"{_count(len(entries), 'gain')} ({_gains(entries)})"
    seeds = max(len(entry.compared) for entry in entries)
    if seeds >= ENOUGH:
        return [f"{said}: too few rows for a verdict."]
    if seeds == 1:
        return [f"{said}: one seed tells these models apart and says nothing of another seed."]
    return [f"{said}: {seeds} seeds describe and decide nothing, {ENOUGH} would give verdicts{_sizes(entries)}."]


def _gains(entries: Sequence[Entry]) -> str:
    """-1.9 to +0.4 points, 95 % intervals between -3.7 and +2.1"""
    gains = [entry.gain for entry in entries if entry.gain is not None]
    inside = [entry.interval for entry in entries if entry.interval]
    lowest, highest = (points(end(gains)) for end in (min, max))
    said = f"{lowest} points" if len(gains) == 1 else f"{lowest} to {highest} points"
    if len(inside) == 1:
        return f"{said}, 95 % interval {between(inside[0])}"
    if not inside:
        return said
    lowest, highest = points(min(low for low, _ in inside)), points(max(high for _, high in inside))
    return f"{said}, 95 % intervals between {lowest} and {highest}"


def _leaks(entries: Sequence[Entry]) -> list[str]:
    count = sum(bool(entry.leaks) for entry in entries)
    said = f"In {_count(count, 'transfer')} the source's rows give away some of the target's (marked *)."
    return [said] if count else []


def _limits(study: StudyRecord, entries: Sequence[Entry]) -> list[str]:
    """What is not shown."""
    table, trunk = study.document.config.table, study.document.config.trunk.name
    name = last_name(trunk) if trunk else "this one"
    claimed = [entry for entry in entries if entry.verdict in (HELPED, HURT)]
    open_elsewhere = [entry for entry in claimed if entry.elsewhere and _holds_zero(entry.elsewhere.interval)]
    said = [f"Not shown: what other trunks than {name}, other settings, sizes of data or targets would give"]
    if any(entry.verdict == UNCLEAR for entry in entries):
        said += ["that there is no effect where none is seen"]
    languages = "" if table.nested else "; intervals hold for the languages scored"
    if not table.nested and open_elsewhere:
        languages += f", and in other languages {len(open_elsewhere)} of the {len(claimed)} verdicts may be different"
    tail = f"{_listed(said)}{languages}."
    return [tail, *([MINIATURE] if trunk == "miniature" else [])]


def _gain(entry: Entry) -> str:
    """nli, sequential, on xnli +9.1 (95 % over 5 seeds +4.1 to +14.0, p 0.012, n 15,030)"""
    arm = f"{entry.intermediate}, {entry.how}," if entry.how != "read" else entry.intermediate
    inside = f"95 % over {len(entry.compared)} seeds {between(entry.interval)}, " if entry.interval else ""
    p = "" if entry.p_holm is None else f"p {'below 0.001' if entry.p_holm < 0.001 else f'{entry.p_holm:.3f}'}, "
    return f"{arm} on {entry.target} {points(entry.gain or 0)} points ({inside}{p}n {entry.n:,})"


def _sizes(entries: Iterable[Entry]) -> str:
    sizes = [100 * entry.detectable for entry in entries if entry.detectable is not None]
    if not sizes:
        return ""
    low, high = f"{min(sizes):.1f}", f"{max(sizes):.1f}"
    span = f"{low} points" if low == high else f"{low} to {high} points"
    return f"; the smallest effect that would have been seen eight times in ten is {span}"


def _holds_zero(interval: Interval) -> bool:
    return interval[0] <= 0 <= interval[1]


def _percents(interval: Sequence[float]) -> str:
    return " to ".join(f"{100 * end:.1f}" for end in interval)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _plural(span: str, noun: str) -> str:
    return f"{span} {noun}{'' if span == '1' else 's'}"


def _span(numbers: Iterable[int]) -> str:
    values = list(numbers)
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

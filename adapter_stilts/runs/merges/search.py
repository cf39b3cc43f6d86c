"""`merge --search dev:TASK`: weights and density by the score on validation rows, one number at a time.

From the weights that would be used otherwise, each number is tried at a few values in turn, the best kept, until a
round brings nothing. Only validation rows are read, and what was tried is kept in the manifest with what the start had:
many tries on few rows find luck, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter_stilts.config.schema import Merge, RunConfig, Task
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import refuse
from adapter_stilts.merging.methods import methods
from adapter_stilts.planning.memory import VALIDATED
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.build import finished_models
from adapter_stilts.runs.material import first_rows, where_of
from adapter_stilts.runs.measure import validation_score
from adapter_stilts.runs.rows import Reading
from adapter_stilts.runs.subject import CPU_BUDGET, head_for, named_trunk, remembered
from adapter_stilts.sharing.bundle import Bundle
from adapter_stilts.tasks.base import under
from adapter_stilts.tasks.reading.place import Loaded
from adapter_stilts.tasks.sources import languages_of, load, nothing_found
from adapter_stilts.tasks.user import find_task
from adapter_stilts.training.devices import pick_device

DEV = "dev:"
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)  # of a weight
DENSITIES = (0.1, 0.2, 0.35, 0.5, 0.7, 1.0)
TRIES = 48
Build = Callable[[Merge], Bundle]


@dataclass
class Search:
    """What was tried, and the rows it was tried on."""

    chosen: Merge
    loaded: tuple[Loaded, ...]
    facts: dict[str, Any] = field(default_factory=dict)


def search(asked: str, parents: Sequence[Bundle], config: RunConfig, build: Build, report: Reporter) -> Search:
    """The merge with the best mean over languages of a task's headline metric on validation rows.

    asked   "dev:TASK"
    build   a merge to the bundle it makes, with its head

    Raises UsageError for a task without a head, or for a method that has nothing to search.
    """
    name = asked.removeprefix(DEV)
    refuse(name == asked or not name, f"--search {asked} names no validation rows", "say --search dev:TASK")
    bundle = build(config.merge)
    described = remembered(parents[0].folder, name, config.task if config.task.name else Task())
    task = under(find_task(*described), config.evaluation.protocol)
    refuse(task.retrieval, f"'{name}' has no validation rows that a merge is chosen on", "name a task with a head")
    _refuse_headless(bundle, parents)
    head = head_for(bundle, task, config.evaluation.head)
    named = named_trunk(parents[0])
    where = where_of(config.data.sources, named["name"], columns=config.task.columns, task=task.name)
    languages = config.evaluation.languages or languages_of(task, "validation", where)
    if not languages:
        raise nothing_found(task, "validation", where)
    labels = tuple(head.facts["labels"]) or None
    loaded = tuple(load(task, "validation", language, where, labels) for language in languages)
    if (most := config.training.validation_rows) is not None:
        loaded = tuple(first_rows(of_language, most) for of_language in loaded)
    trunk = load_trunk(**named, device=str(pick_device()))
    budget, protocol = VALIDATED * CPU_BUDGET, config.evaluation.protocol
    reading = Reading(labels, head.facts["max_length"], budget, protocol, config.training.seed, head.name)
    scores = [validation_score(task, rows.examples, reading, rows.origin.language, trunk) for rows in loaded]

    def score(merging: Merge) -> float:
        model = finished_models(trunk, build(merging))[head.name].to(str(pick_device()))
        return sum(of_language(model) for of_language in scores) / len(scores)

    rows = sum(len(of_language.examples) for of_language in loaded)
    with report.progress(f"searching on {rows} validation rows of {task.name}") as progress:
        tried = climb(_given(config.merge, len(parents)), score, lambda done: progress(done, TRIES, task.name))
    (default, begun), (chosen, best) = tried[0], max(tried, key=lambda pair: pair[1])
    if best == begun:
        chosen = default
    trials = [{**_numbers(merging), "score": round(value, 6)} for merging, value in tried]
    facts: dict[str, Any] = {"task": task.name, "split": "validation", "languages": list(languages), "rows": rows}
    facts |= {"metric": task.metric, "default": round(begun, 6), "chosen": round(best, 6), "trials": trials}
    report.say(
        f"{task.name}, {rows} validation rows of {', '.join(languages)}: {100 * best:.1f} with {_told(chosen)}, "
        f"{100 * begun:.1f} with {_told(default)}, which was the start; {len(tried)} tried, so the best is optimistic"
    )
    return Search(chosen, loaded, facts)


def _refuse_headless(bundle: Bundle, parents: Sequence[Bundle]) -> None:
    what, do = "--search chooses by what a head scores, and the merged run would have none", "name one: --head RUN"
    if not any(parent.of("head") for parent in parents):
        what = "--search chooses by what a head scores, and none of these runs has one"
        do = "give --weights, and compare such merges by `eval RUN --tasks tatoeba` or by what is built on them"
    refuse(not bundle.of("head"), what, do)


def climb(start: Merge, score: Callable[[Merge], float], tell: Callable[[int], None]) -> list[tuple[Merge, float]]:
    """Everything that was tried with its score, the start first."""
    tried: list[tuple[Merge, float]] = [(start, score(start))]
    best, value, better = start, tried[0][1], True
    while better and len(tried) < TRIES:
        better = False
        for place in range(len(start.weights) + 1):
            for option in _options(start, best, place):
                if len(tried) < TRIES and all(option != merging for merging, _ in tried):
                    tried.append((option, score(option)))
                    tell(len(tried))
            found, highest = max(tried, key=lambda pair: pair[1])
            if highest > value:
                best, value, better = found, highest, True
    return tried


def _given(merging: Merge, count: int) -> Merge:
    """With the numbers that would be used written out."""
    method = methods[merging.method]
    what = f"{merging.method} has neither weights nor a density to search"
    refuse(method.fixed or method.ordered, what, "leave --search out, or choose another --method")
    weights = merging.weights or (1.0 if method.ones else 1 / count,) * count
    density = (merging.density or method.density) if method.prune else None
    return merging.model_copy(update={"weights": weights, "density": density})


def _options(start: Merge, best: Merge, place: int) -> Iterator[Merge]:
    """The merges that differ from the best so far in one number: a weight, last the density. Signs stay."""
    if place == len(start.weights):
        if start.density is not None:
            yield from (best.model_copy(update={"density": density}) for density in DENSITIES)
        return
    for share in SHARES:
        whole = 1.0 if start.weights[place] >= 0 else -1.0
        weights = (*best.weights[:place], whole * share, *best.weights[place + 1 :])
        if any(weights) and not (start.method == "average" and sum(weights) == 0):
            yield best.model_copy(update={"weights": weights})


def _numbers(merging: Merge) -> dict[str, Any]:
    density = {} if merging.density is None else {"density": merging.density}
    return {"weights": [round(weight, 6) for weight in merging.weights], **density}


def _told(merging: Merge) -> str:
    density = "" if merging.density is None else f" at density {merging.density:g}"
    return f"weights {' '.join(f'{weight:g}' for weight in merging.weights)}{density}"

"""XTREME and XTREME-R as data: tasks, metrics, languages, groups, as their evaluate.py has them.

XTREME-R's own code has no languages, reader or metric for LAReQA, so it never completes; the paper's ten tasks are
here. XCOPA stands in two groups as in that code: `classification` and `multi_choice`. Its `retrieval` group lacks
LAReQA; `retrieval_with_lareqa` is the paper's. The average over groups, which circulates beside that over tasks, takes
each task once: `averaged`.

Hu et al. (2020), https://arxiv.org/abs/2003.11080; Ruder et al. (2021), https://arxiv.org/abs/2104.07412
"""

from __future__ import annotations

from dataclasses import dataclass

from adapter_stilts.tasks.base import tasks
from adapter_stilts.tasks.source import codes


@dataclass(frozen=True)
class Benchmark:
    """Tasks with their metric (scoring.py) and languages, by group.

    averaged   the groups that `all_group` is the mean of: every task is in one of them
    retrieval  the tasks that `without_retrieval` leaves out
    """

    metrics: dict[str, str]
    languages: dict[str, tuple[str, ...]]
    groups: dict[str, tuple[str, ...]]
    averaged: tuple[str, ...]
    retrieval: tuple[str, ...]


# Where the official script has a task's languages in another order than the task.
ORDER = {
    "xquad": "en es de el ru tr ar vi th zh hi",
    "mlqa": "en es de ar hi vi zh",
    "tydiqa": "en ar bn fi id ko ru sw te",
}
TAGGING, QA = ("udpos", "panx"), ("xquad", "mlqa", "tydiqa")


def _benchmark(
    groups: dict[str, tuple[str, ...]], averaged: tuple[str, ...], retrieval: tuple[str, ...], *, extra: bool
) -> Benchmark:
    """extra: with the languages that XTREME-R adds to XTREME's."""
    names = dict.fromkeys(task for group in averaged for task in groups[group])
    languages = {name: codes(ORDER[name]) if name in ORDER else tasks[name].languages for name in names}
    if extra:
        languages = {name: (*own, *tasks[name].extra_languages) for name, own in languages.items()}
    return Benchmark({name: tasks[name].metric for name in names}, languages, groups, averaged, retrieval)


BENCHMARKS = {
    "xtreme": _benchmark(
        {"classification": ("pawsx", "xnli"), "tagging": TAGGING, "qa": QA, "retrieval": ("bucc2018", "tatoeba")},
        ("classification", "tagging", "qa", "retrieval"),
        ("bucc2018", "tatoeba"),
        extra=False,
    ),
    "xtreme-r": _benchmark(
        {
            "classification": ("xnli", "xcopa"),
            "tagging": TAGGING,
            "qa": QA,
            "retrieval": ("tatoeba", "mewslix"),
            "multi_choice": ("xcopa",),
            "retrieval_with_lareqa": ("lareqa", "mewslix", "tatoeba"),
        },
        ("classification", "tagging", "qa", "retrieval_with_lareqa"),
        ("lareqa", "mewslix", "tatoeba"),
        extra=True,
    ),
}

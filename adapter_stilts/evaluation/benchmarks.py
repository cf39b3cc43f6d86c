"""XTREME and XTREME-R as data: tasks, metrics, languages, groups, as their evaluate.py has them.

XTREME-R's own code has no languages, reader or metric for LAReQA, so it never completes; the paper's ten tasks are
here. XCOPA stands in two groups as in that code: `classification` and `multi_choice`. Its `retrieval` group lacks
LAReQA; `retrieval_with_lareqa` is the paper's. The average over groups, which circulates beside that over tasks, takes
each task once: `averaged`.

Hu et al. (2020), https://arxiv.org/abs/2003.11080; Ruder et al. (2021), https://arxiv.org/abs/2104.07412
"""

from __future__ import annotations

from dataclasses import dataclass


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


def _codes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LANGUAGES = {
    "xnli": _codes("ar bg de el en es fr hi ru sw th tr ur vi zh"),
    "pawsx": _codes("de en es fr ja ko zh"),
    "udpos": _codes(
        "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
    ),
    "panx": _codes(
        "ar he vi id jv ms tl eu ml ta te af nl en de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw yo my zh kk tr "
        "et fi hu"
    ),
    "xquad": _codes("en es de el ru tr ar vi th zh hi"),
    "mlqa": _codes("en es de ar hi vi zh"),
    "tydiqa": _codes("en ar bn fi id ko ru sw te"),
    "bucc2018": _codes("de fr ru zh"),
    "tatoeba": _codes(
        "ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw zh kk tr et fi hu"
    ),
}
MORE = {  # XTREME-R's
    "udpos": _codes("lt pl uk wo ro"),
    "panx": _codes("qu pl uk az lt pa gu ro"),
    "xquad": _codes("ro"),
    "tatoeba": _codes("az lt pl uk ro"),
    "xcopa": _codes("et ht id it qu sw ta th tr vi zh"),
    "lareqa": _codes("ar de el en es hi ru th tr vi zh"),
    "mewslix": _codes("ar de en es fa ja pl ro ta tr uk"),
}
METRICS = {
    "pawsx": "accuracy",
    "xnli": "accuracy",
    "xcopa": "accuracy",
    "udpos": "chunk_f1",
    "panx": "chunk_f1",
    "xquad": "squad",
    "mlqa": "mlqa",
    "tydiqa": "squad",
    "bucc2018": "mining",
    "tatoeba": "retrieval",
    "lareqa": "map20",
    "mewslix": "mrr20",
}
TAGGING, QA = ("udpos", "panx"), ("xquad", "mlqa", "tydiqa")


def _benchmark(
    groups: dict[str, tuple[str, ...]],
    averaged: tuple[str, ...],
    retrieval: tuple[str, ...],
    more: dict[str, tuple[str, ...]],
) -> Benchmark:
    tasks = tuple(dict.fromkeys(task for group in averaged for task in groups[group]))
    languages = {task: (*LANGUAGES.get(task, ()), *more.get(task, ())) for task in tasks}
    return Benchmark({task: METRICS[task] for task in tasks}, languages, groups, averaged, retrieval)


BENCHMARKS = {
    "xtreme": _benchmark(
        {"classification": ("pawsx", "xnli"), "tagging": TAGGING, "qa": QA, "retrieval": ("bucc2018", "tatoeba")},
        ("classification", "tagging", "qa", "retrieval"),
        ("bucc2018", "tatoeba"),
        {},
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
        MORE,
    ),
}

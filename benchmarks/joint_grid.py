"""The grid of `real_transfer.py --grid joint`: one task at a time, several at once, and several with text in many languages.

Three English tasks are trained alone, together by two samplers, and together with masked language modelling on sentences of 47
languages, every arm for as many steps (the best of three by English validation); each is read on Tatoeba and continued (`sequential`)
by two targets that are scored zero-shot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import real_grid
from real_grid import Job, Reading, Set, readings

CHECKPOINTS, THINNED = "three", "paraphrase identification and QA's validation"
ALL_LAYERS = False
TASKS = ("nli", "qa", "ner")
TARGETS = ("pos", "paraphrase")
TOGETHER = {
    "joint-proportional": (",".join(TASKS), {"training.sampler.name": "proportional"}),
    "joint-uniform": (",".join(TASKS), {"training.sampler.name": "uniform"}),
    "joint-mlm": (",".join((*TASKS, "mlm")), {"training.sampler.name": "uniform"}),
}
# fmt: off
TEXT = (
    "af", "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr",
    "he", "hi", "hr", "hu", "id", "it", "ja", "ka", "kk", "ko", "lt", "mr", "nl", "pl", "pt", "ro",
    "ru", "sk", "sr", "sv", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "yo", "zh",
)
# fmt: on
PARAPHRASED = ("ara", "bul", "deu", "ell", "eng", "fin", "fra", "rus", "spa", "tur")
SETS = {
    **real_grid.SETS,
    "qa": replace(real_grid.SETS["qa"], validate_fewer=True),
    "ner": replace(real_grid.SETS["ner"], train=tuple(f"ner/btc.{part}.conll.gz" for part in "abefgh"), ignore=()),  # persons, places, organisations alone
    "paraphrase": replace(
        real_grid.SETS["paraphrase"], tests=readings("paraphrase", {code: f"nc/paraphrase_pivot/{code}.test.jsonl.gz" for code in PARAPHRASED})
    ),
    "mlm": Set("mlm", tuple(f"text/leipzig_sentences/{code}.txt.gz" for code in TEXT), (), ()),
}
ARMS = (*TASKS, *TOGETHER)


def jobs(seeds: Sequence[int]) -> list[Job]:
    """Everything of one seed, then of the next."""
    found = []
    for seed in seeds:
        found += [_job(f"{task}-s{seed}", task, "direct", seed, retrieval=("tatoeba",)) for task in TASKS]
        found += [_job(f"{name}-s{seed}", tasks, "joint", seed, retrieval=("tatoeba",), settings=more) for name, (tasks, more) in TOGETHER.items()]
        found += [_job(f"{target}-s{seed}", target, "direct", seed) for target in TARGETS]
        found += [_job(f"{target}-after-{arm}-s{seed}", target, "sequential", seed, (f"{arm}-s{seed}",)) for target in TARGETS for arm in ARMS]
    return found


def _job(
    name: str,
    task: str,
    how: str,
    seed: int,
    after: tuple[str, ...] = (),
    *,
    retrieval: tuple[str, ...] = (),
    settings: Mapping[str, object] = MappingProxyType({}),
) -> Job:
    """A run whose best step is chosen among three, on 500 validation rows."""
    return Job(name, task, how, seed, after, retrieval=retrieval, settings={"training.evaluate_steps": 50, "training.validation_rows": 500, **settings})


def readings_of(job: Job) -> tuple[Reading, ...]:
    """Targets are read on their test sets; intermediate runs on Tatoeba alone."""
    return SETS[job.task].tests if job.task in TARGETS else ()


def retrieval_arms() -> Iterator[tuple[str, str]]:
    yield from ((arm, f"{arm}-s{{seed}}") for arm in ARMS)


def target_arms(target: str) -> Iterator[tuple[str, str]]:
    yield from ((f"sequential after {arm}", f"{target}-after-{arm}-s{{seed}}") for arm in ARMS)

"""The grid of `real_transfer.py` as data: tasks on real English text, what they are read on, and the runs in the order they depend on each other.

A target's English training set is that of the intermediate task of the same name, so every intermediate run is at the same time the
`direct` arm of its target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SEEDS = (13, 17, 23)
BOTH = ("tatoeba", "mining")
RATE = 5e-4
CHECKPOINTS, THINNED = "five", "NLI, QA and multiple choice"  # that a run chooses among; whose test files have at most `--test-rows` rows
ALL_LAYERS = True  # Tatoeba at every layer, not only at the protocol's


@dataclass(frozen=True)
class Reading:
    """One language of one test set."""

    task: str
    language: str
    file: str
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Set:
    """A task's English training and validation files, and its zero-shot tests."""

    task: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    tests: tuple[Reading, ...]
    ignore: tuple[str, ...] = ()
    validate_fewer: bool = False  # of the validation file at most `--test-rows` rows too


@dataclass(frozen=True)
class Job:
    """One run: its name, what it trains, what it builds on, and what it is read on."""

    name: str
    task: str  # several of a joint run: "nli,qa"
    how: str
    seed: int
    after: tuple[str, ...] = ()
    control: str = "none"
    retrieval: tuple[str, ...] = ()  # of "tatoeba", "mining"
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.task.split(","))


def readings(task: str, files: dict[str, str], ignore: tuple[str, ...] = ()) -> tuple[Reading, ...]:
    return tuple(Reading(task, language, file, ignore) for language, file in files.items())


SETS = {
    "nli": Set(
        "nli",
        ("nli/taxinli.en.jsonl.gz", "nli/cad.en.train.jsonl.gz"),
        ("nli/cad.en.dev.jsonl.gz",),
        readings(
            "nli",
            {
                "en": "nc/xnli/xnli.en.test.jsonl.gz",
                "sw": "nc/xnli/xnli.sw.test.jsonl.gz",
                "ko": "nli/xnli.ko.test.jsonl.gz",
                "ja": "nli/jnli.ja.valid.jsonl.gz",
            },
        ),
    ),
    "qa": Set(
        "qa",
        ("qa/qamr.en.test.json.gz",),
        ("qa/qamr.en.dev.json.gz",),
        readings("qa", {code: f"qa/xquad.{code}.json.gz" for code in ["en", "de", "hi", "th", "tr", "zh"]}),
    ),
    "pos": Set(
        "pos",
        ("ud/en_ewt-ud-train.conllu.gz",),
        ("ud/en_ewt-ud-dev.conllu.gz",),
        readings(
            "pos",
            {"en": "ud/en_ewt-ud-test.conllu.gz", **{code: f"ud/{code}_pud-ud-test.conllu.gz" for code in ["ar", "de", "fi", "hi", "id", "tr", "zh"]}},
        ),
    ),
    "ner": Set(
        "ner",
        (*(f"ner/btc.{part}.conll.gz" for part in "abefgh"), "ner/wikigold.conll.gz"),
        ("ner/en_ewt-ud-dev.iob2.gz",),
        readings(
            "ner",
            {
                "en": "ner/en_ewt-ud-test.iob2.gz",
                **{code: f"ner/{code}_pud-ud-test.iob2.gz" for code in ["de", "sv", "zh"]},
                "sw": "nc/masakhaner/swa.test.conll.gz",
            },
            ("MISC", "DATE"),
        ),
        ("MISC", "DATE"),
    ),
    "choice": Set(
        "choice",
        ("mcq/ecare.en.train.jsonl.gz",),
        ("mcq/ecare.en.dev.jsonl.gz",),
        readings("choice", {code: f"mcq/xcopa.{code}.test.jsonl.gz" for code in ["et", "id", "sw", "ta", "th", "tr", "zh"]}),
    ),
    "paraphrase": Set(
        "paraphrase",
        ("nc/paraphrase_pivot/eng.train.jsonl.gz",),
        ("nc/paraphrase_pivot/eng.dev.jsonl.gz",),
        (),
    ),
}
TARGETS = ("nli", "pos", "ner", "choice", "qa")
SOURCES = {"nli": ("paraphrase",), "pos": ("nli",), "ner": ("pos",), "qa": ("nli",), "choice": ("nli",)}
SHUFFLED = ("nli", "paraphrase")


def jobs(seeds: Sequence[int]) -> list[Job]:
    """The whole grid: everything of the first seed, then the intermediate runs of the others, then their targets, the costliest one last."""
    first, others = seeds[:1], seeds[1:]
    later = sorted(targets(others), key=lambda job: job.task == TARGETS[-1])
    return [*intermediates(first), *targets(first), *intermediates(others), *later]


def intermediates(seeds: Sequence[int]) -> list[Job]:
    """Every task on its own, and the same with shuffled labels."""
    found = [Job(f"{task}-s{seed}", task, "direct", seed, retrieval=BOTH) for seed in seeds for task in SETS]
    return found + [
        Job(f"{task}-shuffled-s{seed}", task, "direct", seed, control="shuffled-labels", retrieval=("tatoeba",)) for seed in seeds for task in SHUFFLED
    ]


def targets(seeds: Sequence[int]) -> list[Job]:
    """Every target after intermediate tasks of the same seed, the fusion of all, and the random adapter."""
    jobs = [Job(f"random-s{seed}", "nli", "sequential", seed, (f"nli-s{seed}",), control="random-adapter", retrieval=("tatoeba",)) for seed in seeds]
    for seed in seeds:
        for target in TARGETS:
            for how in ("sequential", "stack"):
                jobs += [Job(f"{target}-{how}-{source}-s{seed}", target, how, seed, (f"{source}-s{seed}",)) for source in SOURCES[target]]
            jobs.append(Job(f"{target}-fuse-s{seed}", target, "fuse", seed, tuple(f"{task}-s{seed}" for task in SETS)))
    return jobs


def readings_of(job: Job) -> tuple[Reading, ...]:
    """The test sets that a trained run is read on."""
    return SETS[job.task].tests


def retrieval_arms() -> Iterator[tuple[str, str]]:
    """What is compared with the trunk alone: a label, and the pattern of its runs' names."""
    yield from ((task, f"{task}-s{{seed}}") for task in SETS)
    yield from ((f"{task}, shuffled labels", f"{task}-shuffled-s{{seed}}") for task in SHUFFLED)
    yield "nli, weights permuted", "random-s{seed}"


def target_arms(target: str) -> Iterator[tuple[str, str]]:
    """What is compared with direct training of a target."""
    for how in ("sequential", "stack"):
        yield from ((f"{how} after {source}", f"{target}-{how}-{source}-s{{seed}}") for source in SOURCES[target])
    yield "fuse of all six", f"{target}-fuse-s{{seed}}"
    yield "direct, shuffled labels (control)", f"{target}-shuffled-s{{seed}}"

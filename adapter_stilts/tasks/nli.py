"""English natural language inference: MNLI, SNLI and ANLI, and all of them together as ANLI+ of the intermediate tasks of Phang et al."""

from __future__ import annotations

from adapter_stilts.tasks.base import NLI_LABELS, UNVERIFIED, Hub, Task, register
from adapter_stilts.tasks.leaks import Leak

# The hub's class numbers; the files write words. XTREME's order of the labels differs.
HUB_LABELS = {"0": "entailment", "1": "neutral", "2": "contradiction", "-1": "-"}

register(
    Task(
        "mnli",
        "pair",
        "accuracy",
        "MultiNLI: English inference in ten genres",
        languages=("en",),
        labels=NLI_LABELS,
        label_names={"contradictory": "contradiction"},
        ignore_labels=("-",),
        files={
            "train": (
                *("multinli_1.0_train.jsonl", "MNLI/train.tsv", "mnli/train.tsv", "mnli.train.jsonl"),
                *("multinli/multinli.train.en.tsv", "xnli/train-en.tsv"),  # as XNLI's own archive and XTREME's download have it
            ),
            "validation": ("multinli_1.0_dev_matched.jsonl", "MNLI/dev_matched.tsv", "mnli/dev_matched.tsv", "mnli.dev.jsonl"),
            "test": ("multinli_1.0_dev_mismatched.jsonl", "MNLI/dev_mismatched.tsv", "mnli/dev_mismatched.tsv", "mnli.test.jsonl"),
        },
        hub=Hub(
            "nyu-mll/glue",
            "mnli",
            splits={"train": "train", "validation": "validation_matched", "test": "validation_mismatched"},
            label_names=HUB_LABELS,
            certainty=UNVERIFIED,
        ),
        sizes={"train": "392,702 [S]", "validation": "9,815 [M]", "test": "9,832 [M]"},
        miniature="nli",
        licence="OANC, CC BY 3.0, CC BY-SA 3.0",
        paper="https://arxiv.org/abs/1704.05426",
        leaks=(Leak("anli+", "in-task", "ANLI+ holds MNLI's training set"),),
        stand_ins={"test": "the test split is MNLI's mismatched development set: its test labels are not public"},
    )
)
register(
    Task(
        "snli",
        "pair",
        "accuracy",
        "Stanford NLI: English inference on image captions",
        languages=("en",),
        labels=NLI_LABELS,
        ignore_labels=("-",),
        files={"train": ("snli_1.0_train.jsonl",), "validation": ("snli_1.0_dev.jsonl",), "test": ("snli_1.0_test.jsonl",)},
        hub=Hub("stanfordnlp/snli", label_names=HUB_LABELS, certainty=UNVERIFIED),
        sizes={"train": "549,367 [M]", "validation": "9,842 [M]"},
        miniature="nli",
        licence="CC BY-SA 4.0",
        paper="https://arxiv.org/abs/1508.05326",
    )
)
register(
    Task(
        "anli",
        "pair",
        "accuracy",
        "Adversarial NLI, rounds 1 to 3 together",
        languages=("en",),
        labels=NLI_LABELS,
        label_names={"e": "entailment", "n": "neutral", "c": "contradiction"},
        files={"train": ("R*/train.jsonl",), "validation": ("R*/dev.jsonl",), "test": ("R*/test.jsonl",)},
        concatenate=True,
        hub=Hub(
            "facebook/anli",
            splits={"train": "train_r1+train_r2+train_r3", "validation": "dev_r1+dev_r2+dev_r3", "test": "test_r1+test_r2+test_r3"},
            label_names=HUB_LABELS,
            certainty=UNVERIFIED,
        ),
        sizes={"train": "162,865 [D]", "validation": "3,200 [M]", "test": "3,200 [M]"},
        miniature="nli",
        licence="CC BY-NC 4.0",
        paper="https://arxiv.org/abs/1910.14599",
    )
)
register(
    Task(
        "anli+",
        "pair",
        "accuracy",
        "ANLI rounds 1 to 3 with MNLI and SNLI, under one head",
        languages=("en",),
        labels=NLI_LABELS,
        label_names={"e": "entailment", "n": "neutral", "c": "contradiction"},
        ignore_labels=("-",),
        parts=("anli", "mnli", "snli"),
        sizes={"train": "1,104,934 [D]", "validation": "22,857 [D]"},
        miniature="nli",
        licence="CC BY-NC 4.0 (ANLI), OANC and CC BY (MNLI), CC BY-SA 4.0 (SNLI)",
        paper="https://arxiv.org/abs/2005.13013",
    )
)

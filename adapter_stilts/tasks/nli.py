"""Natural language inference: MNLI, SNLI and ANLI in English, all together as ANLI+, and XNLI with MNLI's translations.

ANLI+ is the intermediate task of Phang et al. XNLI is 7,500 pairs written in English as MultiNLI's were, and translated
by people into fourteen languages. It trains on English MNLI.
"""

from __future__ import annotations

from adapter_stilts.tasks.base import NLI_LABELS, Leak, Task, register
from adapter_stilts.tasks.source import UNVERIFIED, Hub, Source, codes

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
        leaks=(Leak("anli+", "in-task", "ANLI+ holds MNLI's training set"),),
        source=Source(
            label_names={"contradictory": "contradiction"},
            ignore_labels=("-",),
            files={
                "train": (
                    *("multinli_1.0_train.jsonl", "MNLI/train.tsv", "mnli/train.tsv", "mnli.train.jsonl"),
                    *(
                        "multinli/multinli.train.en.tsv",
                        "xnli/train-en.tsv",
                    ),  # as XNLI's own archive and XTREME's download have it
                ),
                "validation": (
                    "multinli_1.0_dev_matched.jsonl",
                    "MNLI/dev_matched.tsv",
                    "mnli/dev_matched.tsv",
                    "mnli.dev.jsonl",
                ),
                "test": (
                    "multinli_1.0_dev_mismatched.jsonl",
                    "MNLI/dev_mismatched.tsv",
                    "mnli/dev_mismatched.tsv",
                    "mnli.test.jsonl",
                ),
            },
            hubs=(
                Hub(
                    "nyu-mll/glue",
                    "mnli",
                    splits={"train": "train", "validation": "validation_matched", "test": "validation_mismatched"},
                    label_names=HUB_LABELS,
                    certainty=UNVERIFIED,
                ),
            ),
            sizes={"train": "392,702 [S]", "validation": "9,815 [M]", "test": "9,832 [M]"},
            miniature="nli",
            licence="OANC, CC BY 3.0, CC BY-SA 3.0",
            paper="https://arxiv.org/abs/1704.05426",
            stand_ins={"test": "the test split is MNLI's mismatched development set: its test labels are not public"},
        ),
    ),
    Task(
        "snli",
        "pair",
        "accuracy",
        "Stanford NLI: English inference on image captions",
        languages=("en",),
        labels=NLI_LABELS,
        source=Source(
            ignore_labels=("-",),
            files={
                "train": ("snli_1.0_train.jsonl",),
                "validation": ("snli_1.0_dev.jsonl",),
                "test": ("snli_1.0_test.jsonl",),
            },
            hubs=(Hub("stanfordnlp/snli", label_names=HUB_LABELS, certainty=UNVERIFIED),),
            sizes={"train": "549,367 [M]", "validation": "9,842 [M]"},
            miniature="nli",
            licence="CC BY-SA 4.0",
            paper="https://arxiv.org/abs/1508.05326",
        ),
    ),
    Task(
        "anli",
        "pair",
        "accuracy",
        "Adversarial NLI, rounds 1 to 3 together",
        languages=("en",),
        labels=NLI_LABELS,
        source=Source(
            label_names={"e": "entailment", "n": "neutral", "c": "contradiction"},
            files={"train": ("R*/train.jsonl",), "validation": ("R*/dev.jsonl",), "test": ("R*/test.jsonl",)},
            hubs=(
                Hub(
                    "facebook/anli",
                    splits={
                        "train": "train_r1+train_r2+train_r3",
                        "validation": "dev_r1+dev_r2+dev_r3",
                        "test": "test_r1+test_r2+test_r3",
                    },
                    label_names=HUB_LABELS,
                    certainty=UNVERIFIED,
                ),
            ),
            concatenate=True,
            sizes={"train": "162,865 [D]", "validation": "3,200 [M]", "test": "3,200 [M]"},
            miniature="nli",
            licence="CC BY-NC 4.0",
            paper="https://arxiv.org/abs/1910.14599",
        ),
    ),
    Task(
        "anli+",
        "pair",
        "accuracy",
        "ANLI rounds 1 to 3 with MNLI and SNLI, under one head",
        languages=("en",),
        labels=NLI_LABELS,
        parts=("anli", "mnli", "snli"),
        source=Source(
            label_names={"e": "entailment", "n": "neutral", "c": "contradiction"},
            ignore_labels=("-",),
            sizes={"train": "1,104,934 [D]", "validation": "22,857 [D]"},
            miniature="nli",
            licence="CC BY-NC 4.0 (ANLI), OANC and CC BY (MNLI), CC BY-SA 4.0 (SNLI)",
            paper="https://arxiv.org/abs/2005.13013",
        ),
    ),
    Task(
        "xnli",
        "pair",
        "accuracy",
        "natural language inference in 15 languages",
        languages=codes("ar bg de el en es fr hi ru sw th tr ur vi zh"),
        labels=NLI_LABELS,
        train_task="mnli",
        leaks=(
            Leak("mnli", "in-task", "MNLI is its training set"),
            Leak("snli", "in-task", "SNLI is the same task on other texts"),
            Leak("anli", "in-task", "ANLI is the same task on other texts"),
            Leak("anli+", "in-task", "ANLI+ holds its training set"),
        ),
        source=Source(
            files={
                "validation": (
                    "xnli.dev.tsv",
                    "xnli.dev.jsonl",
                    "xnli.{l}.dev.jsonl",
                    "xnli.{l}.dev.tsv",
                    "xnli/dev-{l}.tsv",
                ),
                "test": (
                    "xnli.test.tsv",
                    "xnli.test.jsonl",
                    "xnli.{l}.test.jsonl",
                    "xnli.{l}.test.tsv",
                    "xnli/test-{l}.tsv",
                ),
            },
            hubs=(
                Hub("google/xtreme", "XNLI", splits={"validation": "validation", "test": "test"}),
                Hub("facebook/xnli", "{l}", splits={"validation": "validation", "test": "test"}, certainty=UNVERIFIED),
            ),
            label_names={"contradictory": "contradiction"},
            language_column="language",
            sizes={"train": "392,702 [S]", "validation": "2,490 [S]", "test": "5,010 [S]"},
            miniature="nli-target",
            licence="CC BY-NC 4.0",
            paper="https://arxiv.org/abs/1809.05053",
        ),
    ),
    Task(
        "mnli-mt",
        "pair",
        "accuracy",
        "MultiNLI in 15 languages, translated by machine: the same items in another language (--set data.language=sw)",
        languages=codes("ar bg de el en es fr hi ru sw th tr ur vi zh"),
        labels=NLI_LABELS,
        leaks=(Leak("xnli", "in-task", "its validation and test splits are those of XNLI"),),
        source=Source(
            ignore_labels=("-",),
            files={
                "train": ("multinli/multinli.train.{l}.tsv", "multinli.train.{l}.tsv"),
                "validation": (
                    "xnli.dev.tsv",
                    "xnli.dev.jsonl",
                    "xnli.{l}.dev.jsonl",
                    "xnli.{l}.dev.tsv",
                    "xnli/dev-{l}.tsv",
                ),
                "test": (
                    "xnli.test.tsv",
                    "xnli.test.jsonl",
                    "xnli.{l}.test.jsonl",
                    "xnli.{l}.test.tsv",
                    "xnli/test-{l}.tsv",
                ),
            },
            hubs=(Hub("facebook/xnli", "{l}", certainty=UNVERIFIED),),
            label_names={"contradictory": "contradiction"},
            language_column="language",
            sizes={"train": "392,702 [S]", "validation": "2,490 [S]", "test": "5,010 [S]"},
            miniature="nli",
            licence="CC BY-NC 4.0",
            paper="https://arxiv.org/abs/1809.05053",
            substitutions=("its training rows are machine translations of MultiNLI's, of XNLI's archive",),
        ),
    ),
)

"""XNLI: 7,500 pairs written in English as MultiNLI's were, and translated by people into fourteen languages. It trains on English MNLI."""

from __future__ import annotations

from adapter_stilts.tasks.base import NLI_LABELS, UNVERIFIED, Hub, Task, codes, register
from adapter_stilts.tasks.leaks import Leak

register(
    Task(
        "xnli",
        "pair",
        "accuracy",
        "natural language inference in 15 languages",
        languages=codes("ar bg de el en es fr hi ru sw th tr ur vi zh"),
        labels=NLI_LABELS,
        train_task="mnli",
        files={
            "validation": ("xnli.dev.tsv", "xnli.dev.jsonl", "xnli.{l}.dev.jsonl", "xnli.{l}.dev.tsv", "xnli/dev-{l}.tsv"),
            "test": ("xnli.test.tsv", "xnli.test.jsonl", "xnli.{l}.test.jsonl", "xnli.{l}.test.tsv", "xnli/test-{l}.tsv"),
        },
        label_names={"contradictory": "contradiction"},
        language_column="language",
        hub=Hub("google/xtreme", "XNLI", splits={"validation": "validation", "test": "test"}),
        more_hubs=(Hub("facebook/xnli", "{l}", splits={"validation": "validation", "test": "test"}, certainty=UNVERIFIED),),
        sizes={"train": "392,702 [S]", "validation": "2,490 [S]", "test": "5,010 [S]"},
        miniature="nli-target",
        licence="CC BY-NC 4.0",
        paper="https://arxiv.org/abs/1809.05053",
        leaks=(
            Leak("mnli", "in-task", "MNLI is its training set"),
            Leak("snli", "in-task", "SNLI is the same task on other texts"),
            Leak("anli", "in-task", "ANLI is the same task on other texts"),
            Leak("anli+", "in-task", "ANLI+ holds its training set"),
        ),
    )
)
register(
    Task(
        "mnli-mt",
        "pair",
        "accuracy",
        "MultiNLI in 15 languages, translated by machine: the same items in another language (--set data.language=sw)",
        languages=codes("ar bg de el en es fr hi ru sw th tr ur vi zh"),
        labels=NLI_LABELS,
        ignore_labels=("-",),
        files={
            "train": ("multinli/multinli.train.{l}.tsv", "multinli.train.{l}.tsv"),
            "validation": ("xnli.dev.tsv", "xnli.dev.jsonl", "xnli.{l}.dev.jsonl", "xnli.{l}.dev.tsv", "xnli/dev-{l}.tsv"),
            "test": ("xnli.test.tsv", "xnli.test.jsonl", "xnli.{l}.test.jsonl", "xnli.{l}.test.tsv", "xnli/test-{l}.tsv"),
        },
        label_names={"contradictory": "contradiction"},
        language_column="language",
        hub=Hub("facebook/xnli", "{l}", certainty=UNVERIFIED),
        sizes={"train": "392,702 [S]", "validation": "2,490 [S]", "test": "5,010 [S]"},
        miniature="nli",
        licence="CC BY-NC 4.0",
        paper="https://arxiv.org/abs/1809.05053",
        leaks=(Leak("xnli", "in-task", "its validation and test splits are those of XNLI"),),
        substitutions=("its training rows are machine translations of MultiNLI's, of XNLI's archive",),
    )
)

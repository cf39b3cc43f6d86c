"""XNLI: MultiNLI's development and test sets, translated by people into fourteen languages. It trains on English MNLI."""

from __future__ import annotations

from adapter_stilts.tasks.base import NLI_LABELS, Hub, Task, codes, register

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
        language_column="language",
        hub=Hub("google/xtreme", "XNLI", splits={"validation": "validation", "test": "test"}),
        miniature="nli-target",
        licence="CC BY-NC 4.0",
        paper="https://arxiv.org/abs/1809.05053",
        leaks="its training set is MNLI",
    )
)

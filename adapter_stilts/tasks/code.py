"""Programs: code search and the two CodeXGLUE tasks that question 2 of intermediate training asks about."""

from __future__ import annotations

from adapter_stilts.tasks.base import BINARY_LABELS, Hub, Task, register

LICENCE = "C-UDA 1.0"

register(
    Task(
        "cosqa",
        "pair",
        "accuracy",
        "CoSQA: does a Python function answer a web query (English)",
        languages=("en",),
        labels=BINARY_LABELS,
        files={
            "train": ("cosqa.train.jsonl", "cosqa-train.json"),
            "validation": ("cosqa.dev.jsonl", "cosqa-dev.json"),
            "test": ("cosqa.dev.jsonl", "cosqa-dev.json"),
        },
        substitutions=("the test split is the development set: CoSQA's test labels are not public",),
        columns={"text": "query", "pair": "code"},
        miniature="code-search",
        max_length=256,
        licence=LICENCE,
        paper="https://arxiv.org/abs/2105.13239",
    )
)
register(
    Task(
        "clones",
        "pair",
        "accuracy_f1",
        "BigCloneBench: do two Java methods do the same",
        labels=BINARY_LABELS,
        languages=("en",),
        hub=Hub("google/code_x_glue_cc_clone_detection_big_clone_bench", label_names={"False": "0", "True": "1"}),
        miniature="clones",
        max_length=400,
        licence=LICENCE,
        paper="https://arxiv.org/abs/2102.04664",
    )
)
register(
    Task(
        "defects",
        "single",
        "accuracy",
        "Devign: is a C function vulnerable",
        labels=BINARY_LABELS,
        languages=("en",),
        hub=Hub("google/code_x_glue_cc_defect_detection", columns={"text": "func", "label": "target"}, label_names={"False": "0", "True": "1"}),
        max_length=400,
        licence=LICENCE,
        paper="https://arxiv.org/abs/1909.03496",
    )
)

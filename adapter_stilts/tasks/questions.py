"""Questions answered by a span of a context: SQuAD in English, and XQuAD, MLQA and TyDiQA across languages.

XQuAD and MLQA learn on SQuAD 1.1. XQuAD is translated from SQuAD's development set, so its validation rows are held out of the training
set instead.
"""

from __future__ import annotations

from adapter_stilts.tasks.base import Hub, Task, codes, register

register(
    Task(
        "squad",
        "span",
        "squad",
        "SQuAD 1.1: English questions about Wikipedia paragraphs",
        languages=("en",),
        files={"train": ("train-v1.1.json",), "validation": ("dev-v1.1.json",), "test": ("dev-v1.1.json",)},
        hub=Hub("rajpurkar/squad", splits={"train": "train", "validation": "validation", "test": "validation"}),
        miniature="qa",
        max_length=384,
        licence="CC BY-SA 4.0",
        paper="https://arxiv.org/abs/1606.05250",
        leaks="its development set is the source of XQuAD",
        substitutions=("the test split is the development set: SQuAD's test set is not public",),
    )
)
register(
    Task(
        "squad_v2",
        "span",
        "squad_v2",
        "SQuAD 2.0: the same with questions that have no answer",
        languages=("en",),
        files={"train": ("train-v2.0.json",), "validation": ("dev-v2.0.json",), "test": ("dev-v2.0.json",)},
        hub=Hub("rajpurkar/squad_v2", splits={"train": "train", "validation": "validation", "test": "validation"}),
        miniature="qa2",
        max_length=384,
        unanswerable=True,
        licence="CC BY-SA 4.0",
        paper="https://arxiv.org/abs/1806.03822",
        leaks="its development set is the source of XQuAD",
        substitutions=("the test split is the development set: SQuAD's test set is not public",),
    )
)
register(
    Task(
        "xquad",
        "span",
        "squad",
        "XQuAD: 1,190 questions of SQuAD in 11 languages",
        languages=codes("ar de el en es hi ru th tr vi zh"),
        train_task="squad",
        held_out=50,
        files={"test": ("xquad.{l}.json",)},
        hub=Hub("google/xquad", "xquad.{l}", splits={"test": "validation"}),
        miniature="qa",
        max_length=384,
        licence="CC BY-SA 4.0",
        paper="https://arxiv.org/abs/1910.11856",
        leaks="it is translated from SQuAD's development set",
    )
)
register(
    Task(
        "mlqa",
        "span",
        "mlqa",
        "MLQA: questions in 7 languages, question and context in the same one",
        languages=codes("ar de en es hi vi zh"),
        train_task="squad",
        held_out=50,
        files={"test": ("test-context-{l}-question-{l}.json",)},
        hub=Hub("google/xtreme", "MLQA.{l}.{l}", splits={"test": "test"}),
        miniature="qa",
        max_length=384,
        licence="CC BY-SA 3.0",
        paper="https://arxiv.org/abs/1910.07475",
    )
)
register(
    Task(
        "tydiqa",
        "span",
        "squad",
        "TyDiQA, gold passages: questions asked in 9 languages by people who did not know the answer",
        languages=codes("ar bn en fi id ko ru sw te"),
        held_out=20,
        files={
            "train": ("tydiqa-goldp-v1.1-train.json", "tydiqa.{l}.train.json"),
            "test": ("tydiqa-goldp-v1.1-dev.json", "tydiqa.{l}.dev.json"),
        },
        id_prefixes={
            "ar": "arabic-",
            "bn": "bengali-",
            "en": "english-",
            "fi": "finnish-",
            "id": "indonesian-",
            "ko": "korean-",
            "ru": "russian-",
            "sw": "swahili-",
            "te": "telugu-",
        },
        hub=Hub("google/xtreme", "tydiqa", splits={"train": "train", "test": "validation"}),
        miniature="qa",
        max_length=384,
        licence="Apache-2.0",
        paper="https://arxiv.org/abs/2003.05002",
        leaks="its training file holds all nine languages; only the rows of the language asked for are read",
    )
)

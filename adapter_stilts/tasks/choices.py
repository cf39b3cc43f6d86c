"""Multiple choice: XCOPA across languages, and the English tasks it may learn from or after."""

from __future__ import annotations

from adapter_stilts.tasks.base import Hub, Task, codes, register

CONVERTED = "refs/convert/parquet"  # these data sets are loading scripts, which are not run
COUNTED_FROM_1 = {"1": "0", "2": "1", "3": "2"}

register(
    Task(
        "xcopa",
        "choice",
        "accuracy",
        "XCOPA: which of two sentences is the cause or the effect, in 11 languages",
        languages=codes("et ht id it qu sw ta th tr vi zh"),
        train_task="copa",
        files={
            "validation": ("val.{l}.jsonl", "xcopa.{l}.val.jsonl", "xcopa/{l}/val.{l}.jsonl"),
            "test": ("test.{l}.jsonl", "xcopa.{l}.test.jsonl", "xcopa/{l}/test.{l}.jsonl"),
        },
        hub=Hub("cambridgeltl/xcopa", "{l}", splits={"validation": "validation", "test": "test"}),
        miniature="choice",
        licence="CC BY 4.0",
        paper="https://arxiv.org/abs/2005.00333",
        leaks="it is translated from COPA",
    )
)
register(
    Task(
        "copa",
        "choice",
        "accuracy",
        "COPA: which of two sentences is the cause or the effect, in English",
        languages=("en",),
        files={"train": ("COPA/train.jsonl", "copa/train.jsonl"), "validation": ("COPA/val.jsonl", "copa/val.jsonl")},
        hub=Hub("aps/super_glue", "copa", splits={"train": "train", "validation": "validation"}),
        miniature="choice",
        licence="BSD 2-Clause",
        paper="https://aclanthology.org/S12-1052",
        leaks="XCOPA is translated from it",
    )
)
register(
    Task(
        "siqa",
        "choice",
        "accuracy",
        "Social IQa: what people do next, want or feel, of three answers",
        languages=("en",),
        hub=Hub("allenai/social_i_qa", revision=CONVERTED, splits={"train": "train", "validation": "validation"}, label_names=COUNTED_FROM_1),
        miniature="choice",
        licence="CC BY 4.0",
        paper="https://arxiv.org/abs/1904.09728",
    )
)
register(
    Task(
        "hellaswag",
        "choice",
        "accuracy",
        "HellaSwag: how a description goes on, of four endings",
        languages=("en",),
        files={"train": ("hellaswag_train.jsonl",), "validation": ("hellaswag_val.jsonl",)},
        hub=Hub("Rowan/hellaswag", revision=CONVERTED, splits={"train": "train", "validation": "validation"}),
        miniature="choice4",
        licence="MIT",
        paper="https://arxiv.org/abs/1905.07830",
    )
)
register(
    Task(
        "cosmosqa",
        "choice",
        "accuracy",
        "Cosmos QA: causes and effects in everyday stories, of four answers",
        languages=("en",),
        hub=Hub("allenai/cosmos_qa", revision=CONVERTED, splits={"train": "train", "validation": "validation"}),
        miniature="choice4",
        licence="CC BY 4.0",
        paper="https://arxiv.org/abs/1909.00277",
    )
)
register(
    Task(
        "csqa",
        "choice",
        "accuracy",
        "CommonsenseQA: a question and five words",
        languages=("en",),
        hub=Hub("tau/commonsense_qa", splits={"train": "train", "validation": "validation"}),
        miniature="choice4",
        licence="MIT",
        paper="https://arxiv.org/abs/1811.00937",
    )
)

"""Multiple choice: XCOPA across languages, and the English tasks it may learn from or after."""

from __future__ import annotations

from adapter_stilts.tasks.base import SCRIPT, UNVERIFIED, Hub, Task, codes, register
from adapter_stilts.tasks.leaks import Leak

CONVERTED = "refs/convert/parquet"  # for data sets that are loading scripts, which are not run
COUNTED_FROM_1 = {"1": "0", "2": "1", "3": "2"}
TWO = {"train": "train", "validation": "validation"}

register(
    Task(
        "xcopa",
        "choice",
        "accuracy",
        "XCOPA: which of two sentences is the cause or the effect, in 11 languages",
        languages=codes("et ht id it qu sw ta th tr vi zh"),
        train_task="copa",
        files={
            "validation": ("val.{l}.jsonl", "xcopa.{l}.val.jsonl"),
            "test": ("test.{l}.jsonl", "xcopa.{l}.test.jsonl"),
        },
        hub=Hub("cambridgeltl/xcopa", "{l}", splits={"validation": "validation", "test": "test"}),
        miniature="choice",
        licence="CC BY 4.0",
        paper="https://arxiv.org/abs/2005.00333",
        sizes={"validation": "100 [S]", "test": "500 [S]"},
        leaks=(Leak("copa", "in-task", "it is translated from COPA, which it trains on"),),
    )
)
register(
    Task(
        "copa",
        "choice",
        "accuracy",
        "COPA: which of two sentences is the cause or the effect, in English",
        languages=("en",),
        files={
            "train": ("COPA/train.jsonl", "copa/train.jsonl", "xcopa/train.en.jsonl"),
            "validation": ("COPA/val.jsonl", "copa/val.jsonl", "xcopa/val.en.jsonl"),
        },
        hub=Hub("aps/super_glue", "copa", splits=TWO, certainty=UNVERIFIED),
        miniature="choice",
        licence="BSD 2-Clause",
        paper="https://aclanthology.org/S12-1052",
    )
)
register(
    Task(
        "siqa",
        "choice",
        "accuracy",
        "Social IQa: what people do next, want or feel, of three answers",
        languages=("en",),
        label_names=COUNTED_FROM_1,
        joined="labels",
        files={
            "train": ("train.jsonl train-labels.lst", "socialIQa_v1.4_trn.jsonl"),
            "validation": ("dev.jsonl dev-labels.lst", "socialIQa_v1.4_dev.jsonl"),
            "test": ("socialIQa_v1.4_tst.jsonl",),
        },
        hub=Hub("allenai/social_i_qa", revision=CONVERTED, splits=TWO, certainty=f"{UNVERIFIED}, likely a {SCRIPT}"),
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
        hub=Hub("Rowan/hellaswag", revision=CONVERTED, splits=TWO, certainty=SCRIPT),
        sizes={"train": "39,905 [M]", "validation": "10,042 [S]"},
        miniature="endings",
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
        files={"train": ("cosmosqa/train.csv", "cosmosqa.train.jsonl", "train.csv"), "validation": ("cosmosqa/valid.csv", "cosmosqa.valid.jsonl", "valid.csv")},
        any_name=True,
        hub=Hub("allenai/cosmos_qa", revision=CONVERTED, splits=TWO, certainty=f"{UNVERIFIED}, likely a {SCRIPT}"),
        more_hubs=(Hub("Samsoup/cosmos_qa", splits=TWO),),
        sizes={"train": "25,262 [S]", "validation": "2,985 [M]"},
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
        files={"train": ("train_rand_split.jsonl",), "validation": ("dev_rand_split.jsonl",)},
        hub=Hub("tau/commonsense_qa", splits=TWO, certainty=UNVERIFIED),
        sizes={"train": "9,741 [M]", "validation": "1,221 [M]"},
        miniature="choice4",
        licence="MIT",
        paper="https://arxiv.org/abs/1811.00937",
    )
)

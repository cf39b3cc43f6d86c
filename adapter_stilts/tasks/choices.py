"""Multiple choice: XCOPA across languages, and the English tasks it may learn from or after."""

from __future__ import annotations

from adapter_stilts.data.columns import words
from adapter_stilts.tasks.base import Leak, register
from adapter_stilts.tasks.source import CONVERTED, SCRIPT, UNVERIFIED, Hub, only

LIKELY_SCRIPT = f"{UNVERIFIED}, likely a {SCRIPT}"
TWO = only("train", "validation")

# fmt: off
register(
    "xcopa", "choice", "XCOPA: which of two sentences is the cause or the effect, in 11 languages",
    languages=words("et ht id it qu sw ta th tr vi zh"), train_task="copa",
    leaks=(Leak("copa", "in-task", "it is translated from COPA, which it trains on"),),
    validation="val.{l}.jsonl | xcopa.{l}.val.jsonl", test="test.{l}.jsonl | xcopa.{l}.test.jsonl",
    hubs=(Hub("cambridgeltl/xcopa", "{l}", splits=only("validation", "test")),), miniature="choice",
    licence="CC BY 4.0", paper="https://arxiv.org/abs/2005.00333", sizes={"validation": "100 [S]", "test": "500 [S]"},
)
register(
    "copa", "choice", "COPA: which of two sentences is the cause or the effect, in English",
    train="COPA/train.jsonl | copa/train.jsonl | xcopa/train.en.jsonl",
    validation="COPA/val.jsonl | copa/val.jsonl | xcopa/val.en.jsonl",
    hubs=(Hub("aps/super_glue", "copa", splits=TWO, certainty=UNVERIFIED),), miniature="choice", licence="BSD 2-Clause",
    paper="https://aclanthology.org/S12-1052",
)
register(
    "siqa", "choice", "Social IQa: what people do next, want or feel, of three answers",
    label_names={"1": "0", "2": "1", "3": "2"}, joined="labels",
    train="train.jsonl train-labels.lst | socialIQa_v1.4_trn.jsonl",
    validation="dev.jsonl dev-labels.lst | socialIQa_v1.4_dev.jsonl", test="socialIQa_v1.4_tst.jsonl",
    hubs=(Hub("allenai/social_i_qa", revision=CONVERTED, splits=TWO, certainty=LIKELY_SCRIPT),), miniature="choice",
    licence="CC BY 4.0", paper="https://arxiv.org/abs/1904.09728",
)
register(
    "hellaswag", "choice", "HellaSwag: how a description goes on, of four endings",
    train="hellaswag_train.jsonl", validation="hellaswag_val.jsonl",
    hubs=(Hub("Rowan/hellaswag", revision=CONVERTED, splits=TWO, certainty=SCRIPT),),
    sizes={"train": "39,905 [M]", "validation": "10,042 [S]"}, miniature="endings", licence="MIT",
    paper="https://arxiv.org/abs/1905.07830",
)
register(
    "cosmosqa", "choice", "Cosmos QA: causes and effects in everyday stories, of four answers",
    train="cosmosqa/train.csv | cosmosqa.train.jsonl | train.csv",
    validation="cosmosqa/valid.csv | cosmosqa.valid.jsonl | valid.csv",
    hubs=(
        Hub("allenai/cosmos_qa", revision=CONVERTED, splits=TWO, certainty=LIKELY_SCRIPT),
        Hub("Samsoup/cosmos_qa", splits=TWO),
    ),
    any_name=True, sizes={"train": "25,262 [S]", "validation": "2,985 [M]"}, miniature="choice4", licence="CC BY 4.0",
    paper="https://arxiv.org/abs/1909.00277",
)
register(
    "csqa", "choice", "CommonsenseQA: a question and five words",
    train="train_rand_split.jsonl", validation="dev_rand_split.jsonl",
    hubs=(Hub("tau/commonsense_qa", splits=TWO, certainty=UNVERIFIED),),
    sizes={"train": "9,741 [M]", "validation": "1,221 [M]"}, miniature="choice4", licence="MIT",
    paper="https://arxiv.org/abs/1811.00937",
)

"""Questions answered by a span of a context: SQuAD in English, and XQuAD, MLQA and TyDiQA across languages.

XQuAD and MLQA learn on SQuAD 1.1. XQuAD is translated from SQuAD's development set, so its validation rows are held out
of the training set instead. MLQA has development rows in all its languages, which can be scored; a run that learns it
is still selected on rows held out of SQuAD, since no protocol selects on rows of MLQA.
"""

from __future__ import annotations

from typing import Any

from adapter_stilts.data.columns import words
from adapter_stilts.tasks.base import Leak, register
from adapter_stilts.tasks.source import UNVERIFIED, Hub, only, pairs

PUBLIC_TEST = {"test": "the test split is SQuAD's development set: its test set is not public"}
TWO = only("train", "validation", test="validation")
TRANSLATED = "it is translated from SQuAD's development set"
SQUAD = Leak("squad", "in-task", "SQuAD 1.1 is its training set")
SQUAD_DEV = Leak("squad", "selection", TRANSLATED, ("validation",))
SQUAD_2 = Leak("squad_v2", "in-task", "SQuAD 2.0 holds its training set")
SQUAD_2_DEV = Leak("squad_v2", "selection", f"{TRANSLATED}, whose paragraphs SQuAD 2.0 shares", ("validation",))
SQUAD_1: dict[str, Any] = {
    "train": "train-v1.1.json",
    "validation": "dev-v1.1.json",
    "test": "dev-v1.1.json",
    "sizes": {"train": "87,599 [S]", "validation": "10,570 [M]"},
    "licence": "CC BY-SA 4.0",
    "paper": "https://arxiv.org/abs/1606.05250",
    "stand_ins": PUBLIC_TEST,
}
XQUAD = words("ar de el en es hi ru th tr vi zh")
TYDIQA = pairs("""
    ar arabic  bn bengali  en english  fi finnish  id indonesian  ko korean  ru russian  sw swahili  te telugu
""")

# fmt: off
register(
    "squad", "span", "SQuAD 1.1: English questions about Wikipedia paragraphs",
    leaks=(Leak("squad_v2", "in-task", "SQuAD 2.0 repeats its questions"),),
    hubs=(Hub("rajpurkar/squad", splits=TWO, certainty=UNVERIFIED), Hub("google/xtreme", "SQuAD", splits=TWO)),
    miniature="qa", **SQUAD_1,
)
register(
    "squad_v2", "span", "SQuAD 2.0: the same with questions that have no answer", metric="squad_v2",
    leaks=(Leak("squad", "in-task", "SQuAD 1.1 holds its questions that have an answer"),),
    train="train-v2.0.json", validation="dev-v2.0.json", test="dev-v2.0.json",
    hubs=(Hub("rajpurkar/squad_v2", splits=TWO, certainty=UNVERIFIED),),
    sizes={"train": "130,319 [M]", "validation": "11,873 [M]"}, miniature="qa2", licence="CC BY-SA 4.0",
    paper="https://arxiv.org/abs/1806.03822", stand_ins=PUBLIC_TEST,
)
register(
    "xquad", "span", "XQuAD: 1,190 questions of SQuAD in 11 languages", languages=XQUAD, extra_languages=("ro",),
    train_task="squad", held_out=50, leaks=(SQUAD, SQUAD_DEV, SQUAD_2, SQUAD_2_DEV),
    test="xquad.{l}.json",
    hubs=(
        Hub("google/xquad", "xquad.{l}", splits=only(test="validation"), languages=(*XQUAD, "ro")),
        Hub("google/xtreme", "XQuAD.{l}", splits=only(test="validation"), languages=XQUAD),
    ),
    sizes={"test": "1,190 [S]"}, miniature="qa", licence="CC BY-SA 4.0", paper="https://arxiv.org/abs/1910.11856",
)
register(
    "mlqa", "span", "MLQA: questions in 7 languages, question and context in the same one", metric="mlqa",
    languages=words("ar de en es hi vi zh"), train_task="squad", held_out=50, leaks=(SQUAD, SQUAD_2),
    validation="dev-context-{l}-question-{l}.json", test="test-context-{l}-question-{l}.json",
    hubs=(
        Hub("google/xtreme", "MLQA.{l}.{l}", splits=only("validation", "test")),
        Hub("facebook/mlqa", "mlqa.{l}.{l}", splits=only("validation", "test"), certainty=UNVERIFIED),
    ),
    sizes={"validation": "500 to 1,148 by language [S]", "test": "4,517 to 11,590 by language [S]"}, miniature="qa",
    licence="CC BY-SA 3.0", paper="https://arxiv.org/abs/1910.07475",
)
TRAIN_AND_DEV = only("train", test="validation")
OTHER_LANGUAGES = "the other languages' training rows are of the same set as their test rows"
register(
    "tydiqa", "span", "TyDiQA, gold passages: questions asked in 9 languages by people who did not know the answer",
    languages=tuple(TYDIQA), held_out=20, leaks=(Leak("tydiqa", "target", OTHER_LANGUAGES, languages="other"),),
    train="tydiqa-goldp-v1.1-train.json | tydiqa.goldp.{l}.train.json | tydiqa.{l}.train.json",
    test="tydiqa-goldp-v1.1-dev.json | tydiqa-goldp-dev-{name}.json | tydiqa.goldp.{l}.dev.json | tydiqa.{l}.dev.json",
    hubs=(
        Hub("google/xtreme", "tydiqa", splits=TRAIN_AND_DEV),
        Hub("google-research-datasets/tydiqa", "secondary_task", splits=TRAIN_AND_DEV, certainty=UNVERIFIED),
    ),
    unnumbered=("tydiqa.goldp.*.train.json",),  # XTREME cuts the ids of its training files down to a small number
    language_names=TYDIQA, id_prefixes={code: f"{name}-" for code, name in TYDIQA.items()},
    sizes={"train": "3,696 in English [S]", "test": "323 to 2,719 by language [S]"}, miniature="qa",
    licence="Apache-2.0", paper="https://arxiv.org/abs/2003.05002",
)

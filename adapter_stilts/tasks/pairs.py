"""Pairs of sentences. Inference: MNLI, SNLI and ANLI in English, all together as ANLI+, and XNLI with MNLI's
translations. Paraphrases: PAWS-X, and Quora's question pairs as an English intermediate task.

ANLI+ is the intermediate task of Phang et al. XNLI is 7,500 pairs written in English as MultiNLI's were, and translated
by people into fourteen languages. It trains on English MNLI.
"""

from __future__ import annotations

from typing import Any

from adapter_stilts.data.columns import words
from adapter_stilts.tasks.base import BINARY_LABELS, NLI_LABELS, Leak, register
from adapter_stilts.tasks.source import UNVERIFIED, Hub, only

# The hub's class numbers; the files write words. XTREME's order of the labels differs.
HUB_LABELS = {"0": "entailment", "1": "neutral", "2": "contradiction", "-1": "-"}
MATCHED = only("train", validation="validation_matched", test="validation_mismatched")
NUMBERS = {"0": "0", "1": "1"}
DUPLICATES = {**NUMBERS, "not_duplicate": "0", "duplicate": "1"}
LETTERS = {"e": "entailment", "n": "neutral", "c": "contradiction"}
XNLI: dict[str, Any] = {
    "languages": words("ar bg de el en es fr hi ru sw th tr ur vi zh"),
    "labels": NLI_LABELS,
    "validation": "xnli.dev.tsv | xnli.dev.jsonl | xnli.{l}.dev.jsonl | xnli.{l}.dev.tsv | xnli/dev-{l}.tsv",
    "test": "xnli.test.tsv | xnli.test.jsonl | xnli.{l}.test.jsonl | xnli.{l}.test.tsv | xnli/test-{l}.tsv",
    "label_names": {"contradictory": "contradiction"},
    "language_column": "language",
    "sizes": {"train": "392,702 [S]", "validation": "2,490 [S]", "test": "5,010 [S]"},
    "licence": "CC BY-NC 4.0",
    "paper": "https://arxiv.org/abs/1809.05053",
}

# fmt: off
register(
    "mnli", "pair", "MultiNLI: English inference in ten genres", labels=NLI_LABELS,
    leaks=(Leak("anli+", "in-task", "ANLI+ holds MNLI's training set"),),
    label_names={"contradictory": "contradiction"}, ignore_labels=("-",),
    train="multinli_1.0_train.jsonl | MNLI/train.tsv | mnli/train.tsv | mnli.train.jsonl"
    " | multinli/multinli.train.en.tsv | xnli/train-en.tsv",  # as XNLI's own archive and XTREME's download have it
    validation="multinli_1.0_dev_matched.jsonl | MNLI/dev_matched.tsv | mnli/dev_matched.tsv | mnli.dev.jsonl",
    test="multinli_1.0_dev_mismatched.jsonl | MNLI/dev_mismatched.tsv | mnli/dev_mismatched.tsv | mnli.test.jsonl",
    hubs=(Hub("nyu-mll/glue", "mnli", splits=MATCHED, label_names=HUB_LABELS, certainty=UNVERIFIED),),
    sizes={"train": "392,702 [S]", "validation": "9,815 [M]", "test": "9,832 [M]"}, miniature="nli",
    licence="OANC, CC BY 3.0, CC BY-SA 3.0", paper="https://arxiv.org/abs/1704.05426",
    stand_ins={"test": "the test split is MNLI's mismatched development set: its test labels are not public"},
)
register(
    "snli", "pair", "Stanford NLI: English inference on image captions", labels=NLI_LABELS, ignore_labels=("-",),
    train="snli_1.0_train.jsonl", validation="snli_1.0_dev.jsonl", test="snli_1.0_test.jsonl",
    hubs=(Hub("stanfordnlp/snli", label_names=HUB_LABELS, certainty=UNVERIFIED),),
    sizes={"train": "549,367 [M]", "validation": "9,842 [M]"}, miniature="nli", licence="CC BY-SA 4.0",
    paper="https://arxiv.org/abs/1508.05326",
)
ROUNDS = only(train="train_r1+train_r2+train_r3", validation="dev_r1+dev_r2+dev_r3", test="test_r1+test_r2+test_r3")
register(
    "anli", "pair", "Adversarial NLI, rounds 1 to 3 together", labels=NLI_LABELS, label_names=LETTERS,
    train="R*/train.jsonl", validation="R*/dev.jsonl", test="R*/test.jsonl",
    hubs=(Hub("facebook/anli", splits=ROUNDS, label_names=HUB_LABELS, certainty=UNVERIFIED),), concatenate=True,
    sizes={"train": "162,865 [D]", "validation": "3,200 [M]", "test": "3,200 [M]"}, miniature="nli",
    licence="CC BY-NC 4.0", paper="https://arxiv.org/abs/1910.14599",
)
register(
    "anli+", "pair", "ANLI rounds 1 to 3 with MNLI and SNLI, under one head", labels=NLI_LABELS,
    parts=("anli", "mnli", "snli"), label_names=LETTERS, ignore_labels=("-",),
    sizes={"train": "1,104,934 [D]", "validation": "22,857 [D]"}, miniature="nli",
    licence="CC BY-NC 4.0 (ANLI), OANC and CC BY (MNLI), CC BY-SA 4.0 (SNLI)", paper="https://arxiv.org/abs/2005.13013",
)
register(
    "xnli", "pair", "natural language inference in 15 languages", train_task="mnli",
    leaks=(
        Leak("mnli", "in-task", "MNLI is its training set"),
        Leak("snli", "in-task", "SNLI is the same task on other texts"),
        Leak("anli", "in-task", "ANLI is the same task on other texts"),
        Leak("anli+", "in-task", "ANLI+ holds its training set"),
    ),
    hubs=(
        Hub("google/xtreme", "XNLI", splits=only("validation", "test")),
        Hub("facebook/xnli", "{l}", splits=only("validation", "test"), certainty=UNVERIFIED),
    ),
    miniature="nli-target", **XNLI,
)
register(
    "mnli-mt", "pair",
    "MultiNLI in 15 languages, translated by machine: the same items in another language (--set data.language=sw)",
    leaks=(Leak("xnli", "in-task", "its validation and test splits are those of XNLI"),), ignore_labels=("-",),
    train="multinli/multinli.train.{l}.tsv | multinli.train.{l}.tsv",
    hubs=(Hub("facebook/xnli", "{l}", certainty=UNVERIFIED),), miniature="nli",
    substitutions=("its training rows are machine translations of MultiNLI's, of XNLI's archive",), **XNLI,
)
register(
    "pawsx", "pair", "PAWS-X: adversarial paraphrases in 7 languages; trained on English alone",
    languages=words("de en es fr ja ko zh"), labels=BINARY_LABELS,
    train="x-final/en/train.tsv | en/train.tsv | pawsx/train-{l}.tsv | pawsx.{l}.train.jsonl"
    " | x-final/{l}/translated_train.tsv | {l}/translated_train.tsv",  # by machine, for data.language
    validation="x-final/{l}/dev_2k.tsv | {l}/dev_2k.tsv | pawsx/dev-{l}.tsv | pawsx.{l}.dev.jsonl",
    test="x-final/{l}/test_2k.tsv | {l}/test_2k.tsv | pawsx/test-{l}.tsv | pawsx.{l}.test.jsonl",
    hubs=(
        Hub("google/xtreme", "PAWS-X.{l}"),
        Hub("google-research-datasets/paws-x", "{l}", label_names=NUMBERS, certainty=UNVERIFIED),
    ),
    sizes={"train": "49,401 [S]", "validation": "2,000 [S]", "test": "2,000 [S]"}, miniature="paraphrase",
    licence="may be used freely with acknowledgement of Google LLC", paper="https://arxiv.org/abs/1908.11828",
)
register(
    "qqp", "pair", "Quora question pairs: do two English questions ask the same", metric="accuracy_f1",
    labels=BINARY_LABELS,
    train="QQP/train.tsv | qqp/train.tsv", validation="QQP/dev.tsv | qqp/dev.tsv",
    hubs=(
        Hub("nyu-mll/glue", "qqp", splits=only("train", "validation"), label_names=DUPLICATES, certainty=UNVERIFIED),
    ),
    skip_short=True,  # GLUE's file has a few rows that break off
    sizes={"train": "363,846 [M]", "validation": "40,430 [M]"}, miniature="paraphrase",
    licence="Quora's terms of service",
)

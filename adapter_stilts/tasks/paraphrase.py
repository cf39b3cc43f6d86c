"""Paraphrase identification: PAWS-X, and Quora's question pairs as an English intermediate task."""

from __future__ import annotations

from adapter_stilts.tasks.base import BINARY_LABELS, register
from adapter_stilts.tasks.source import UNVERIFIED, Hub, codes, only

NUMBERS = {"0": "0", "1": "1"}  # as they are, whatever the hub calls the classes

# fmt: off
register(
    "pawsx", "pair", "PAWS-X: adversarial paraphrases in 7 languages; trained on English alone",
    languages=codes("de en es fr ja ko zh"), labels=BINARY_LABELS,
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
    hubs=(Hub("nyu-mll/glue", "qqp", splits=only("train", "validation"), label_names=NUMBERS, certainty=UNVERIFIED),),
    skip_short=True,  # GLUE's file has a few rows that break off
    sizes={"train": "363,846 [M]", "validation": "40,430 [M]"}, miniature="paraphrase",
    licence="Quora's terms of service",
)

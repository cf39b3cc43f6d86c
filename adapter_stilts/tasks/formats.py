"""Tasks named after a format: files of the user's own, no configuration needed.

    --data train=pairs.jsonl --data validation=more.tsv

or a folder in which the files are called by language and split: de.test.jsonl, xnli.de.test.jsonl, test-de.tsv,
test.de.jsonl.
"""

from __future__ import annotations

from typing import Any

from adapter_stilts.data.tag_schemes import ENTITIES
from adapter_stilts.tasks.base import BINARY_LABELS, NLI_LABELS, register
from adapter_stilts.tasks.source import Patterns, splits

TABLES = splits(
    *("{l}.{split}.jsonl", "*.{l}.{split}.jsonl", "{split}.{l}.jsonl", "{split}.jsonl"),
    *("{l}.{split}.tsv", "*.{l}.{split}.tsv", "{split}.{l}.tsv", "{split}-{l}.tsv", "{split}.tsv"),
    *("{l}.{split}.csv", "*.{l}.{split}.csv", "{split}.{l}.csv", "{split}-{l}.csv", "{split}.csv"),
)
TREES = splits("{l}_*-ud-{split}.conllu", "{split}-{l}.tsv", "{split}.conllu")
TAGGED = splits(
    *("{l}.{split}.conll", "*.{l}.{split}.conll", "{l}_*-ud-{split}.iob2", "{l}/{split}.txt", "{split}-{l}.tsv"),
    "{split}.conll",
)
QUESTIONS = splits("{l}.{split}.json", "*.{l}.{split}.json", "{split}.{l}.json", "{split}-{l}.json", "{split}.json")
TEXTS = {"train": ("train/{l}.txt", "{l}.train.txt", "{l}.txt", "{l}.jsonl"), "test": ("test/{l}.txt", "{l}.test.txt")}
BITEXTS = splits("{split}/{l}.txt {split}/eng.txt", "{l}-eng.tsv", "{l}-en.tsv", "{l}.txt eng.txt", "{l}.txt en.txt")
BITEXTS["test"] = ("{l}.devtest eng_Latn.devtest", *BITEXTS["test"])


def own(name: str, format_name: str, summary: str, files: Patterns, miniature: str = "", **facts: Any) -> None:
    """A task of the user's own files, whatever they are called; its rows in the miniature have its name, or are those
    of another."""
    named = {"languages": (), "any_name": True, "miniature": miniature or name, **facts}
    register(name, format_name, f"your own files: {summary}", files=files, **named)


NLI: dict[str, Any] = {"label_names": {"entailed": "entailment"}, "ignore_labels": ("-",)}
own("nli", "pair", "does a premise entail, contradict or leave open a hypothesis", TABLES, labels=NLI_LABELS, **NLI)
own("paraphrase", "pair", "do two texts mean the same (1) or not (0)", TABLES, labels=BINARY_LABELS)
own("pair", "pair", "two texts and a label of any set", TABLES, "nli")
own("single", "single", "a text and a label of any set", TABLES)
own("pos", "tags", "part-of-speech tags of words", TREES, concatenate=True, tag_column="upos")
own("ner", "tags", "entities, as IOB tags of words", TAGGED, tag_column=ENTITIES)
own("qa", "span", "questions answered by a span of a context", QUESTIONS)
own("qa2", "span", "questions answered by a span of a context, or not at all", QUESTIONS, metric="squad_v2")
own("choice", "choice", "several endings of a prompt, one of them right", TABLES)
own("mlm", "text", "text for masked language modelling", TEXTS, held_out=50, any_name=False, concatenate=True)
own("bitext", "aligned", "two files that are translations of each other, line by line", BITEXTS, any_name=False)
# fmt: off
own(
    "ranking", "ranking", "queries and what each should find (query, positive; or gold ids and a file of candidates)",
    TABLES, "answers", query_length=96,
    candidates=("candidates.jsonl", "{l}.candidates.jsonl", "candidates.{l}.jsonl", "candidates.tsv"),
)

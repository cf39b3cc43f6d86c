"""Tasks named after a format: files of the user's own, no configuration needed.

    --data train=pairs.jsonl --data validation=more.tsv

or a folder in which the files are called by language and split: de.test.jsonl, xnli.de.test.jsonl, test-de.tsv,
test.de.jsonl.
"""

from __future__ import annotations

from adapter_stilts.tasks.base import BINARY_LABELS, NLI_LABELS, Task, register
from adapter_stilts.tasks.source import Source, splits

OWN = "your own files: "
TABLES = (
    *("{l}.{split}.jsonl", "*.{l}.{split}.jsonl", "{split}.{l}.jsonl", "{split}.jsonl"),
    *("{l}.{split}.tsv", "*.{l}.{split}.tsv", "{split}.{l}.tsv", "{split}-{l}.tsv", "{split}.tsv"),
)
TAGGED = (
    "{l}.{split}.conll",
    "*.{l}.{split}.conll",
    "{l}_*-ud-{split}.iob2",
    "{l}/{split}.txt",
    "{split}-{l}.tsv",
    "{split}.conll",
)
TREES = ("{l}_*-ud-{split}.conllu", "{split}-{l}.tsv", "{split}.conllu")
QUESTIONS = ("{l}.{split}.json", "*.{l}.{split}.json", "{split}.{l}.json", "{split}-{l}.json", "{split}.json")
BITEXTS = splits("{split}/{l}.txt {split}/eng.txt", "{l}-eng.tsv", "{l}-en.tsv", "{l}.txt eng.txt", "{l}.txt en.txt")

register(
    Task(
        "nli",
        "pair",
        "accuracy",
        OWN + "does a premise entail, contradict or leave open a hypothesis",
        labels=NLI_LABELS,
        source=Source(
            label_names={"entailed": "entailment"},
            ignore_labels=("-",),
            files=splits(*TABLES),
            any_name=True,
            miniature="nli",
        ),
    ),
    Task(
        "paraphrase",
        "pair",
        "accuracy",
        OWN + "do two texts mean the same (1) or not (0)",
        labels=BINARY_LABELS,
        source=Source(files=splits(*TABLES), any_name=True, miniature="paraphrase"),
    ),
    Task(
        "pair",
        "pair",
        "accuracy",
        OWN + "two texts and a label of any set",
        source=Source(files=splits(*TABLES), any_name=True, miniature="nli"),
    ),
    Task(
        "single",
        "single",
        "accuracy",
        OWN + "a text and a label of any set",
        source=Source(files=splits(*TABLES), any_name=True, miniature="single"),
    ),
    Task(
        "pos",
        "tags",
        "chunk_f1",
        OWN + "part-of-speech tags of words",
        source=Source(files=splits(*TREES), any_name=True, concatenate=True, miniature="pos"),
    ),
    Task(
        "ner",
        "tags",
        "chunk_f1",
        OWN + "entities, as IOB tags of words",
        source=Source(files=splits(*TAGGED), any_name=True, miniature="ner"),
    ),
    Task(
        "qa",
        "span",
        "squad",
        OWN + "questions answered by a span of a context",
        max_length=384,
        source=Source(files=splits(*QUESTIONS), any_name=True, miniature="qa"),
    ),
    Task(
        "qa2",
        "span",
        "squad_v2",
        OWN + "questions answered by a span of a context, or not at all",
        max_length=384,
        unanswerable=True,
        source=Source(files=splits(*QUESTIONS), any_name=True, miniature="qa2"),
    ),
    Task(
        "choice",
        "choice",
        "accuracy",
        OWN + "several endings of a prompt, one of them right",
        source=Source(files=splits(*TABLES), any_name=True, miniature="choice"),
    ),
    Task(
        "mlm",
        "text",
        "masked_accuracy",
        OWN + "text for masked language modelling",
        held_out=50,
        max_length=256,
        source=Source(
            files={
                "train": ("train/{l}.txt", "{l}.train.txt", "{l}.txt", "{l}.jsonl"),
                "test": ("test/{l}.txt", "{l}.test.txt"),
            },
            concatenate=True,
            miniature="mlm",
        ),
    ),
    Task(
        "bitext",
        "aligned",
        "retrieval",
        OWN + "two files that are translations of each other, line by line",
        max_length=512,
        source=Source(files=BITEXTS | {"test": ("{l}.devtest eng_Latn.devtest", *BITEXTS["test"])}, miniature="bitext"),
    ),
)

"""Tasks named after a format: files of the user's own, no configuration needed.

    --data train=pairs.jsonl --data validation=more.tsv

or a folder in which the files are called by language and split: de.test.jsonl, xnli.de.test.jsonl, test-de.tsv, test.de.jsonl.
"""

from __future__ import annotations

from adapter_stilts.tasks.base import BINARY_LABELS, NLI_LABELS, Task, register, splits

OWN = "your own files: "
TABLES = (
    *("{l}.{split}.jsonl", "*.{l}.{split}.jsonl", "{split}.{l}.jsonl", "{split}.jsonl"),
    *("{l}.{split}.tsv", "*.{l}.{split}.tsv", "{split}.{l}.tsv", "{split}-{l}.tsv", "{split}.tsv"),
)
TAGGED = ("{l}.{split}.conll", "*.{l}.{split}.conll", "{l}_*-ud-{split}.iob2", "{l}/{split}.txt", "{split}-{l}.tsv", "{split}.conll")
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
        label_names={"entailed": "entailment"},
        ignore_labels=("-",),
        files=splits(*TABLES),
        any_name=True,
        miniature="nli",
    )
)
register(
    Task(
        "paraphrase",
        "pair",
        "accuracy",
        OWN + "do two texts mean the same (1) or not (0)",
        labels=BINARY_LABELS,
        files=splits(*TABLES),
        any_name=True,
        miniature="paraphrase",
    )
)
register(Task("pair", "pair", "accuracy", OWN + "two texts and a label of any set", files=splits(*TABLES), any_name=True, miniature="nli"))
register(Task("single", "single", "accuracy", OWN + "a text and a label of any set", files=splits(*TABLES), any_name=True, miniature="single"))
register(Task("pos", "tags", "chunk_f1", OWN + "part-of-speech tags of words", files=splits(*TREES), any_name=True, concatenate=True, miniature="pos"))
register(Task("ner", "tags", "chunk_f1", OWN + "entities, as IOB tags of words", files=splits(*TAGGED), any_name=True, miniature="ner"))
register(
    Task("qa", "span", "squad", OWN + "questions answered by a span of a context", files=splits(*QUESTIONS), any_name=True, max_length=384, miniature="qa")
)
register(
    Task(
        "qa2",
        "span",
        "squad_v2",
        OWN + "questions answered by a span of a context, or not at all",
        files=splits(*QUESTIONS),
        any_name=True,
        max_length=384,
        unanswerable=True,
        miniature="qa2",
    )
)
register(Task("choice", "choice", "accuracy", OWN + "several endings of a prompt, one of them right", files=splits(*TABLES), any_name=True, miniature="choice"))
register(
    Task(
        "mlm",
        "text",
        "masked_accuracy",
        OWN + "text for masked language modelling",
        files={"train": ("train/{l}.txt", "{l}.train.txt", "{l}.txt", "{l}.jsonl"), "test": ("test/{l}.txt", "{l}.test.txt")},
        concatenate=True,
        held_out=50,
        max_length=256,
        miniature="mlm",
    )
)
register(
    Task(
        "bitext",
        "aligned",
        "retrieval",
        OWN + "two files that are translations of each other, line by line",
        files=BITEXTS | {"test": ("{l}.devtest eng_Latn.devtest", *BITEXTS["test"])},
        max_length=512,
        miniature="bitext",
    )
)

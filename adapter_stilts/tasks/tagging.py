"""Tagging as an intermediate task: CCG supertags where the corpus is at hand, and what is used in its place where it is not.

CCGbank is licensed by the LDC, so `ccg` reads a copy of the user's own. `chunking`, `ud-xpos` and `ud-deprel` are free; they stand in for
it, and every manifest and table says so.
"""

from __future__ import annotations

from adapter_stilts.tasks.base import UNVERIFIED, Hub, Task, codes, register
from adapter_stilts.tasks.leaks import Leak

CCG = "CCG supertagging"
TREEBANK = {"train": ("{l}_*-ud-train.conllu",), "validation": ("{l}_*-ud-dev.conllu",), "test": ("{l}_*-ud-test.conllu",)}

register(
    Task(
        "ccg",
        "tags",
        "token_accuracy",
        "CCG supertags of words, from a copy of CCGbank of your own (licensed, LDC2005T13), its sections joined to a file a split",
        languages=("en",),
        open_labels=True,
        files={
            "train": ("ccg.train.auto", "ccg.train.pipe", "ccg/train.tsv", "ccg.train"),
            "validation": ("ccg.dev.auto", "ccg.dev.pipe", "ccg/val.tsv", "ccg.dev"),
            "test": ("ccg.test.auto", "ccg.test.pipe", "ccg/test.tsv", "ccg.test"),
        },
        sizes={"train": "38,015 [M]", "validation": "5,484 [M]"},
        licence="LDC User Agreement",
        paper="https://aclanthology.org/J07-3004",
    )
)
register(
    Task(
        "chunking",
        "tags",
        "chunk_f1",
        "CoNLL-2000: base phrases of English",
        languages=("en",),
        open_labels=True,
        files={"train": ("conll2000/train.txt", "conll2000.train.txt"), "test": ("conll2000/test.txt", "conll2000.test.txt")},
        held_out=20,
        hub=Hub("eriktks/conll2000", splits={"train": "train", "test": "test"}, columns={"words": "tokens", "tags": "chunk_tags"}, certainty=UNVERIFIED),
        stands_for=CCG,
        licence="Penn Treebank text; see https://www.clips.uantwerpen.be/conll2000/chunking/",
        paper="https://aclanthology.org/W00-0726",
    )
)
for column, what in (("xpos", "the treebank's own part-of-speech tags"), ("deprel", "each word's relation to its head")):
    register(
        Task(
            f"ud-{column}",
            "tags",
            "token_accuracy",
            f"Universal Dependencies: {what}",
            languages=codes("en"),
            open_labels=True,
            tag_column=column,
            files=TREEBANK,
            concatenate=True,
            stands_for=CCG,
            licence="by treebank; mostly CC BY-SA",
            paper="https://universaldependencies.org",
            leaks=(Leak("udpos", "same-text", "UD-POS has the same sentences under other tags"),),
        )
    )

"""Retrieval that is learned: a query and the one thing it should find, from pairs in English, then among candidates of
many languages.

LAReQA looks for the sentence (with its paragraph) that answers a question, in any of eleven languages; Mewsli-X for the
description of the entity that a mention names, in any of fifty. Both sides go through one encoder; what is learned is
the in-batch softmax.
"""

from __future__ import annotations

from adapter_stilts.tasks.base import Leak, Task, register
from adapter_stilts.tasks.formats import OWN, TABLES
from adapter_stilts.tasks.questions import PUBLIC_TEST, TRANSLATED
from adapter_stilts.tasks.source import PLAIN, UNVERIFIED, Hub, Source, codes, splits

BY_RULE = (
    "SQuAD's paragraphs are cut into sentences by a rule (data/sentence_breaks.py); XTREME-R's scripts use another one"
)
WITHOUT_BREAKS = (
    "the hub's rows leave out where the release breaks paragraphs into sentences: the rule does, so the candidates are "
    "not the 13,014 published"
)
LAREQA = codes("ar de el en es hi ru th tr vi zh")
MEWSLIX = codes("ar de en es fa ja pl ro ta tr uk")
READ_BY_ITS_AUTHOR = (
    f"{PLAIN}; columns mention, entity, entity_id and description as its author's scripts write and read them, "
    "others not known"
)

register(
    Task(
        "ranking",
        "ranking",
        "map20",
        OWN + "queries and what each should find (query, positive; or gold ids and a file of candidates)",
        max_length=256,
        query_length=96,
        source=Source(
            files=splits(*TABLES),
            candidates=("candidates.jsonl", "{l}.candidates.jsonl", "candidates.{l}.jsonl", "candidates.tsv"),
            any_name=True,
            miniature="answers",
        ),
    ),
    Task(
        "squad-r",
        "ranking",
        "map20",
        "SQuAD 1.1 as retrieval: find the sentence that answers a question; what LAReQA learns from",
        languages=("en",),
        max_length=256,
        query_length=96,
        source=Source(
            files={"train": ("train-v1.1.json",), "validation": ("dev-v1.1.json",), "test": ("dev-v1.1.json",)},
            hubs=(
                Hub(
                    "rajpurkar/squad",
                    splits={"train": "train", "validation": "validation", "test": "validation"},
                    certainty=UNVERIFIED,
                ),
            ),
            miniature="answers",
            licence="CC BY-SA 4.0",
            paper="https://arxiv.org/abs/1606.05250",
            sizes={"train": "87,599 [S]", "validation": "10,570 [M]"},
            substitutions=(BY_RULE,),
            stand_ins=PUBLIC_TEST,
        ),
    ),
    Task(
        "lareqa",
        "ranking",
        "map20",
        "LAReQA (XQuAD-R): find the sentences that answer a question, one in each of 11 languages, among those of all "
        "of them",
        languages=LAREQA,
        train_task="squad-r",
        held_out=50,
        max_length=256,
        query_length=96,
        leaks=(
            Leak("squad", "in-task", "SQuAD 1.1 is its training set"),
            Leak("squad", "selection", TRANSLATED, ("validation",)),
            Leak("squad-r", "in-task", "SQuAD 1.1 is its training set"),
            Leak("squad-r", "selection", TRANSLATED, ("validation",)),
            Leak("squad_v2", "in-task", "SQuAD 2.0 holds its training set"),
            Leak("squad_v2", "selection", f"{TRANSLATED}, whose paragraphs SQuAD 2.0 shares", ("validation",)),
        ),
        source=Source(
            files={"test": ("xquad-r/{l}.json", "xquad-r.{l}.json")},
            hubs=(
                Hub(
                    "google-research-datasets/xquad_r",
                    "{l}",
                    splits={"test": "validation"},
                    languages=LAREQA,
                    note=WITHOUT_BREAKS,
                ),
            ),
            miniature="answers",
            licence="CC BY-SA 4.0",
            paper="https://arxiv.org/abs/2004.05484",
            sizes={"test": "1,190 questions, 11 answers each [S]; 13,014 candidates [S]"},
            substitutions=(BY_RULE,),
        ),
    ),
    Task(
        "mewslix",
        "ranking",
        "mrr20",
        "Mewsli-X: find the entity that a mention in the news names, among the descriptions of a million in "
        "50 languages",
        languages=MEWSLIX,
        max_length=64,
        query_length=64,
        source=Source(
            files={
                "train": ("wikipedia_pairs-train.jsonl", "wikipedia_pairs/train.jsonl"),
                "validation": ("wikipedia_pairs-dev.jsonl", "wikipedia_pairs/dev.jsonl"),
                "test": ("wikinews_mentions-test.jsonl", "wikinews_mentions/{l}/test.jsonl"),
            },
            hubs=(
                Hub(
                    "izhx/mewsli-x",
                    "{l}",
                    splits={"test": "test"},
                    languages=MEWSLIX,
                    candidates="candidate_entities",
                    certainty=READ_BY_ITS_AUTHOR,
                ),
                Hub(
                    "izhx/mewsli-x",
                    "wikipedia_pairs",
                    splits={"train": "train", "validation": "validation"},
                    languages=("en",),
                    certainty=READ_BY_ITS_AUTHOR,
                ),
            ),
            candidates=("candidate_set_entities.jsonl", "candidate_entities.jsonl"),
            language_column="language",
            miniature="mentions",
            sizes={
                "train": "167,719 [S]",
                "validation": "14,051 [S]",
                "test": "14,624 mentions [S]; 1,003,893 candidates [S]",
            },
            licence="Apache-2.0",
            paper="https://arxiv.org/abs/2104.07412",
            substitutions=("validation ranks the entities of its own rows alone, not the million of the test",),
        ),
    ),
)

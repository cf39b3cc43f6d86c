"""Retrieval that is learned: a query and the one thing it should find, from pairs in English, then among candidates of
many languages.

LAReQA looks for the sentence (with its paragraph) that answers a question, in any of eleven languages; Mewsli-X for the
description of the entity that a mention names, in any of fifty. Both sides go through one encoder; what is learned is
the in-batch softmax.
"""

from __future__ import annotations

from dataclasses import replace

from adapter_stilts.data.columns import words
from adapter_stilts.tasks.base import register
from adapter_stilts.tasks.questions import SQUAD, SQUAD_1, SQUAD_2, SQUAD_2_DEV, SQUAD_DEV, TWO, XQUAD
from adapter_stilts.tasks.source import PLAIN, UNVERIFIED, Hub, only

BY_RULE = (
    "SQuAD's paragraphs are cut into sentences by a rule (data/sentence_breaks.py); XTREME-R's scripts use another one"
)
WITHOUT_BREAKS = (
    "the hub's rows leave out where the release breaks paragraphs into sentences: the rule does, so the candidates are "
    "not the 13,014 published"
)
MEWSLIX = words("ar de en es fa ja pl ro ta tr uk")
READ_BY_ITS_AUTHOR = (
    f"{PLAIN}; columns mention, entity, entity_id and description as its author's scripts write and read them, "
    "others not known"
)
ENTITIES = Hub("izhx/mewsli-x", certainty=READ_BY_ITS_AUTHOR)
TEST = only(test="validation")

# fmt: off
register(
    "squad-r", "ranking", "SQuAD 1.1 as retrieval: find the sentence that answers a question; what LAReQA learns from",
    query_length=96,
    hubs=(Hub("rajpurkar/squad", splits=TWO, certainty=UNVERIFIED),), miniature="answers", substitutions=(BY_RULE,),
    **SQUAD_1,
)
register(
    "lareqa", "ranking",
    "LAReQA (XQuAD-R): find the sentences that answer a question, one in each of 11 languages, among those of all "
    "of them",
    languages=XQUAD, train_task="squad-r", held_out=50, query_length=96,
    leaks=(
        *(SQUAD, SQUAD_DEV, replace(SQUAD, source="squad-r"), replace(SQUAD_DEV, source="squad-r")),
        *(SQUAD_2, SQUAD_2_DEV),
    ),
    test="xquad-r/{l}.json | xquad-r.{l}.json",
    hubs=(Hub("google-research-datasets/xquad_r", "{l}", splits=TEST, languages=XQUAD, note=WITHOUT_BREAKS),),
    miniature="answers", licence="CC BY-SA 4.0", paper="https://arxiv.org/abs/2004.05484",
    sizes={"test": "1,190 questions, 11 answers each [S]; 13,014 candidates [S]"}, substitutions=(BY_RULE,),
)
register(
    "mewslix", "ranking",
    "Mewsli-X: find the entity that a mention in the news names, among the descriptions of a million in 50 languages",
    metric="mrr20", languages=MEWSLIX, max_length=64,
    train="wikipedia_pairs-train.jsonl | wikipedia_pairs/train.jsonl",
    validation="wikipedia_pairs-dev.jsonl | wikipedia_pairs/dev.jsonl",
    test="wikinews_mentions-test.jsonl | wikinews_mentions/{l}/test.jsonl",
    hubs=(
        replace(ENTITIES, config="{l}", splits=only("test"), languages=MEWSLIX, candidates="candidate_entities"),
        replace(ENTITIES, config="wikipedia_pairs", splits=only("train", "validation"), languages=("en",)),
    ),
    candidates=("candidate_set_entities.jsonl", "candidate_entities.jsonl"), language_column="language",
    miniature="mentions",
    sizes={"train": "167,719 [S]", "validation": "14,051 [S]", "test": "14,624 mentions [S]; 1,003,893 candidates [S]"},
    licence="Apache-2.0", paper="https://arxiv.org/abs/2104.07412",
    substitutions=("validation ranks the entities of its own rows alone, not the million of the test",),
)

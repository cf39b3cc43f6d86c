"""Pools of candidates in all languages: LAReQA's and Mewsli-X's files as released (rows of our own), the miniature, and
what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.miniature.datasets import LANGUAGES
from adapter_stilts.tasks.base import tasks
from adapter_stilts.tasks.pools import checked, gold_of, joined, load_pool
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import languages_of, load

PARAGRAPHS = {
    "en": ("Anna bought a boat. She paid ten euros.", [[0, 19], [20, 39]], "Anna", "ten"),
    "de": ("Anna kaufte ein Boot. Sie zahlte zehn Euro.", [[0, 21], [22, 43]], "Anna", "zehn"),
    "th": ("แอนนาซื้อเรือ เธอจ่ายสิบยูโร", [[0, 13], [14, 28]], "แอนนา", "สิบ"),
}
ENTITIES = [("Q1", "en", "Rome is a city."), ("Q2", "fi", "Anna on laulaja."), ("Q3", "sw", "Mto ni mrefu.")]


def xquad_r(language: str) -> dict[str, object]:
    context, breaks, who, much = PARAGRAPHS[language]
    questions = [
        {"id": "q1", "question": f"{language}: who?", "answers": [{"text": who, "answer_start": context.index(who)}]},
        {
            "id": "q2",
            "question": f"{language}: how much?",
            "answers": [{"text": much, "answer_start": context.index(much)}],
        },
    ]
    sentences = [context[start:end] for start, end in breaks]
    return {
        "data": [
            {
                "paragraphs": [
                    {"context": context, "qas": questions, "sentence_breaks": breaks, "sentences": sentences}
                ],
                "title": "t",
            }
        ]
    }


@pytest.fixture
def lareqa(write):
    """The release's folder in three languages, and SQuAD's training file."""
    for language in PARAGRAPHS:
        path = write(f"data/lareqa/xquad-r/{language}.json", json.dumps(xquad_r(language)))
    write(
        "data/squad/train-v1.1.json",
        json.dumps({"version": "1.1", "data": [stripped(xquad_r("en"), number) for number in range(200)]}),
    )
    return Where("files", folder=path.parents[2])


def stripped(document, number):
    """One article of SQuAD: no sentence breaks, ids and a text of its own."""
    (paragraph,) = document["data"][0]["paragraphs"]
    qas = [{**qa, "id": f"{qa['id']}-{number}"} for qa in paragraph["qas"]]
    return {"title": "t", "paragraphs": [{"context": f"{paragraph['context']} Number {number}.", "qas": qas}]}


@pytest.fixture
def mewslix(write):
    """Mewsli-X's release with two articles in two languages, three entities and two pairs."""

    def mention(id, entity, text, name):
        start = text.index(name)
        return {
            "example_id": id,
            "entity_id": entity,
            "mention_span": {"start": start, "end": start + len(name), "text": name},
        }

    def article(language, text, *mentions):
        context = {"language": language, "text": text, "sentence_spans": [{"start": 0, "end": len(text)}]}
        return {"context": context, "mentions": [mention(id, entity, text, name) for id, entity, name in mentions]}

    def entity(id, language, text):
        return {
            "entity_id": id,
            "description": text,
            "description_language": language,
            "sentence_spans": [{"start": 0, "end": len(text)}],
        }

    def lines(name, *rows):
        return write(f"mewsli/{name}", "".join(json.dumps(row) + "\n" for row in rows))

    german, turkish = (
        article("de", "Anna war in Rom.", ("m1", "Q2", "Anna"), ("m2", "Q1", "Rom")),
        article("tr", "Roma güzel.", ("m3", "Q1", "Roma")),
    )
    lines("wikinews_mentions-test.jsonl", german, turkish)
    pairs = [article("en", f"Anna saw Rome {number}.", (f"p{number}", "Q1", "Rome")) for number in range(4)]
    rows = [
        {
            "contextual_mention": {"context": one["context"], "mention": one["mentions"][0]},
            "entity": entity(*ENTITIES[0]),
        }
        for one in pairs
    ]
    lines("wikipedia_pairs-train.jsonl", *rows[:3])
    lines("wikipedia_pairs-dev.jsonl", rows[3])
    return Where("files", folder=lines("candidate_set_entities.jsonl", *(entity(*one) for one in ENTITIES)).parent)


def test_joins_the_sentences_of_all_of_lareqas_languages(lareqa):
    task = tasks["lareqa"]
    loaded = load_pool(task, "test", lareqa)
    pool = joined(loaded)
    assert [(one.origin.language, one.origin.rows, len(one.origin.files)) for one in loaded] == [
        ("de", 2, 1),
        ("en", 2, 1),
        ("th", 2, 1),
    ]
    assert [candidate.id for candidate in pool] == ["de_1_0", "de_1_1", "en_1_0", "en_1_1", "th_1_0", "th_1_1"]
    questions = load(task, "test", "de", lareqa).examples
    assert [(query.id, query.text) for query in questions] == [("q1", "de: who?"), ("q2", "de: how much?")]
    assert gold_of(questions, pool) == {"q1": ("de_1_0", "en_1_0", "th_1_0"), "q2": ("de_1_1", "en_1_1", "th_1_1")}


def test_trains_lareqa_on_squads_sentences_and_holds_paragraphs_out(lareqa):
    task = tasks["lareqa"]
    train, validation = (load(task, split, "en", lareqa).examples for split in ("train", "validation"))
    assert len(train) + len(validation) == 400
    assert validation
    assert not {query.positive.context for query in train} & {query.positive.context for query in validation}
    assert {query.positive.text for query in train} == {"Anna bought a boat.", "She paid ten euros."}


def test_finds_mewslis_entities_in_any_language(mewslix):
    task = tasks["mewslix"]
    assert languages_of(task, "test", mewslix) == ("de", "tr")
    pool = joined(load_pool(task, "test", mewslix))
    assert pool == [Candidate(id, text, None, language) for id, language, text in ENTITIES]
    german = load(task, "test", "de", mewslix).examples
    assert [query.text for query in german] == ["Anna: { Anna } war in Rom.", "Rom: Anna war in { Rom } ."]
    assert gold_of(german, pool) == {"m1": ("Q2",), "m2": ("Q1",)}
    assert [len(load(task, split, "en", mewslix).examples) for split in ("train", "validation")] == [3, 1]


def test_reads_candidates_given_beside_the_queries(write):
    queries = write("mine.jsonl", '{"id": "a", "query": "x", "gold": "c1"}\n')
    pool = write("pool.jsonl", '{"id": "c1", "text": "one"}\n{"id": "c2", "text": "two"}\n')
    where = Where("files", files={"test": (queries,), "candidates": (pool,)})
    assert [one.id for one in joined(load_pool(tasks["ranking"], "test", where))] == ["c1", "c2"]


def test_searches_the_positives_where_no_candidates_are_given(write):
    queries = write(
        "mine.jsonl", '{"id": "a", "query": "x", "positive": "one"}\n{"id": "b", "query": "y", "positive": "one"}\n'
    )
    where = Where("files", files={"test": (queries,)})
    pool = joined(load_pool(tasks["ranking"], "test", where))
    assert [(one.text, one.answers) for one in pool] == [("one", ("a", "b"))]
    assert gold_of(load(tasks["ranking"], "test", "en", where).examples, pool) == {
        "a": (pool[0].id,),
        "b": (pool[0].id,),
    }


def test_has_an_answer_in_every_language_in_the_miniature():
    task, where = tasks["lareqa"], Where("miniature")
    pool = joined(load_pool(task, "test", where))
    assert len(pool) == 80 * 3 * len(LANGUAGES)
    gold = gold_of(load(task, "test", "sw", where).examples, pool)
    spoken = {candidate.id: candidate.language for candidate in pool}
    assert all(sorted(spoken[id] for id in right) == sorted(LANGUAGES) for right in gold.values())


def test_describes_every_person_in_one_language_in_the_miniature():
    task, where = tasks["mewslix"], Where("miniature")
    pool = joined(load_pool(task, "test", where))
    assert len(pool) == 200
    assert {candidate.language for candidate in pool} == set(LANGUAGES)
    gold = gold_of(load(task, "test", "ja", where).examples, pool)
    assert sorted(id for right in gold.values() for id in right) == sorted(candidate.id for candidate in pool)


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ([], "there are no candidates to search"),
        ([Candidate("a", "one"), Candidate("a", "two")], "candidate id 'a' occurs twice: 'one' and 'two'"),
    ],
)
def test_refuses_a_pool_that_cannot_be_searched(pool, message):
    with pytest.raises(TaskDataError, match=message):
        checked(pool)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (Query("q", "?", None, ("c", "d")), r"1 of its gold ids are not among the 1 candidates: d(.|\n)*query 'q'"),
        (Query("q", "?"), r"no candidate is right for this query(.|\n)*query 'q'"),
    ],
)
def test_refuses_a_query_without_its_answer_in_the_pool(query, message):
    with pytest.raises(TaskDataError, match=message):
        gold_of([query], [Candidate("c", "one")])


def test_says_where_candidates_should_come_from(write, tmp_path):
    path = write("mine.jsonl", '{"query": "x", "gold": "c1"}\n')
    with pytest.raises(TaskDataError, match=r"no candidates for the validation split(.|\n)*--data candidates=FILE"):
        load_pool(tasks["ranking"], "validation", Where("files", files={"test": (path,)}))
    with pytest.raises(UsageError, match=r"2 files of the test split and no candidates(.|\n)*name the folder"):
        load_pool(tasks["lareqa"], "test", Where("files", files={"test": (path, path)}))
    with pytest.raises(TaskDataError, match=r"looked for candidate_set_entities\.jsonl"):
        load_pool(tasks["mewslix"], "test", Where("files", folder=Path(tmp_path)))
    with pytest.raises(TaskDataError, match=r"not on the hub(.|\n)*--data DIR"):
        load_pool(tasks["ranking"], "test", Where("hub"))

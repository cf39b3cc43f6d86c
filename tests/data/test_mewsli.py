"""Mewsli-X's lines, in the release's keys, to the texts XTREME-R's baseline makes of them (worked out by hand)."""

from __future__ import annotations

import copy
import json

import pytest

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.formats.reading import read

TEXT = "Es regnete.\nAnna {Silva} traf Berg in Rom. Sie lachte."
ARTICLE = {
    "context": {
        "document_title": "t",
        "document_url": "u",
        "document_id": "d",
        "language": "de",
        "text": TEXT,
        "sentence_spans": [{"start": 0, "end": 11}, {"start": 12, "end": 42}, {"start": 43, "end": 54}],
    },
    "mentions": [
        {"example_id": "m1", "entity_id": "Q1", "mention_span": {"start": 30, "end": 34, "text": "Berg"}},
        {"example_id": "m2", "entity_id": "Q2", "mention_span": {"start": 38, "end": 41, "text": "Rom"}},
    ],
}
ENTITY = {
    "entity_id": "Q2",
    "title": "Rome",
    "description": "Rome is a city.  It is old.",
    "description_language": "en",
    "description_url": "u",
    "sentence_spans": [{"start": 0, "end": 15}, {"start": 17, "end": 27}],
}


def lines(tmp_path, *rows: object, name: str = "rows.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_marks_every_mention_of_an_article_in_its_sentence(tmp_path):
    found = read(lines(tmp_path, ARTICLE), Layout("ranking", labelled=False))
    assert found == [
        Query("m1", "Berg: Anna (Silva) traf { Berg } in Rom.", None, ("Q1",)),
        Query("m2", "Rom: Anna (Silva) traf Berg in { Rom } .", None, ("Q2",)),
    ]


def test_reads_pairs_of_a_mention_and_its_entity(tmp_path):
    pair = {"contextual_mention": {"context": ARTICLE["context"], "mention": ARTICLE["mentions"][1]}, "entity": ENTITY}
    (found,) = read(lines(tmp_path, pair), Layout("ranking"))
    assert found == Query(
        "m2", "Rom: Anna (Silva) traf Berg in { Rom } .", Candidate("Q2", "Rome is a city. It is old."), ("Q2",)
    )


def test_reads_entities_as_candidates(tmp_path):
    assert read(lines(tmp_path, ENTITY), Layout("ranking", candidates=True)) == [
        Candidate("Q2", "Rome is a city. It is old.", None, "en")
    ]


def test_keeps_the_language_asked_for(tmp_path):
    other = copy.deepcopy(ARTICLE)
    other["context"]["language"] = "ja"
    for number, mention in enumerate(other["mentions"]):
        mention["example_id"] = f"j{number}"
    found = read(lines(tmp_path, ARTICLE, other), Layout("ranking", keep={"language": ["ja"]}, labelled=False))
    assert [query.id for query in found] == ["j0", "j1"]


def test_reads_the_flat_copy_of_the_hub(tmp_path):
    pair = {"mention": "Rom: in { Rom } .", "entity": "Rome is a city."}
    (found,) = read(lines(tmp_path, pair), Layout("ranking"))
    assert (found.text, found.positive.text) == (pair["mention"], pair["entity"])


def without_text(article):
    article["context"]["text"] = ""


def with_other_text(article):
    article["context"]["text"] = TEXT.replace("Berg", "Bern")


def without_spans(article):
    article["context"]["sentence_spans"] = []


def without_mention_text(article):
    del article["mentions"][0]["mention_span"]["text"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_text, r"the articles' text is missing(.|\n)*get-mewsli-x\.sh"),
        (with_other_text, "the mention is 'Berg', but its place holds 'Bern'"),
        (without_spans, "no sentence holds the whole mention"),
        (without_mention_text, "not as Mewsli-X has them: KeyError"),
    ],
)
def test_refuses_a_line_of_another_build(tmp_path, change, message):
    article = copy.deepcopy(ARTICLE)
    change(article)
    with pytest.raises(TaskDataError, match=message):
        read(lines(tmp_path, article), Layout("ranking", labelled=False))

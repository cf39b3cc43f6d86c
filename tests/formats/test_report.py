"""The report of each format, of a few examples counted by hand."""

import pytest

from adapter_stilts.formats.base import formats
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.metrics.base import Options

OWN = Options(rule="own", intervals=False)


def report(name, metric, rows, predictions, options=OWN, **more):
    format = formats[name]
    scored = format.score(metric, rows, predictions, options)
    return format.report(format.gold(rows), predictions, scored, options, **more)


def test_tells_pairs_that_were_answered_wrong_with_both_texts():
    rows = [Classified(str(number), f"a {number}", f"b {number}", label) for number, label in enumerate("yny")]
    said = [("y", 0.9), ("y", 0.7), ("n", 0.8)]
    answers = [
        {"id": row.id, "text": row.text, "pair": row.pair, "label": label, "probability": share}
        for row, (label, share) in zip(rows, said, strict=True)
    ]
    made = report("pair", "accuracy", rows, [label for label, _ in said], answers=answers, lengths=[4, 4, 9])
    assert made["mistakes"] == [
        {"id": "2", "text": "a 2", "pair": "b 2", "gold": "y", "predicted": "n", "probability": 0.8},
        {"id": "1", "text": "a 1", "pair": "b 1", "gold": "n", "predicted": "y", "probability": 0.7},
    ]
    assert made["lengths"]["bins"] == [
        {"from": 4, "to": 4, "n": 2, "score": 0.5, "interval": None},
        {"from": 9, "to": 9, "n": 1, "score": 0.0, "interval": None},
    ]
    assert made["counted"] == "rows"


ENTITIES = [
    Tagged("0", ("Anna", "Lee", "saw", "Rome"), ("B-PER", "I-PER", "O", "B-LOC")),
    Tagged("1", ("Oslo", "sleeps"), ("B-LOC", "O")),
]
SAID = [("B-PER", "O", "O", "B-LOC"), ("B-PER", "O")]


def test_counts_entities_by_type_and_types_of_words_for_each_other():
    made = report("tags", "chunk_f1", ENTITIES, SAID)
    assert made["counted"] == "entities"
    counts = {row["class"]: (row["correct"], row["predicted"], row["support"]) for row in made["classes"]}
    assert counts == {"LOC": (1, 1, 2), "PER": (0, 2, 1)}
    assert made["confusion"] == {
        "counted": "words",
        "labels": ["LOC", "O", "PER"],
        "counts": [[1, 0, 1], [0, 2, 0], [0, 1, 1]],
    }


@pytest.mark.parametrize("rule", ["0.0", "1.2", "own"])
def test_counts_as_many_entities_as_the_score_does(rule):
    options = Options(rule=rule, intervals=False)
    made = report("tags", "chunk_f1", ENTITIES, SAID, options)
    sums = [sum(row[name] for row in made["classes"]) for name in ("correct", "predicted", "support")]
    units = formats["tags"].score("chunk_f1", ENTITIES, SAID, options).units.sum(axis=0)
    assert sums == units.tolist()


def test_counts_words_where_tags_mark_no_entities():
    rows = [Tagged("0", ("she", "sings", "well"), ("PRON", "VERB", "ADV"))]
    made = report("tags", "chunk_f1", rows, [("PRON", "NOUN", "ADV")], Options(rule="0.0", intervals=False))
    assert made["counted"] == "words"
    assert {row["class"]: row["f1"] for row in made["classes"]} == {"PRON": 1, "VERB": 0, "NOUN": 0, "ADV": 1}


def test_names_entities_without_a_type():
    rows = [Tagged("0", ("Anna", "sang"), ("B", "O"))]
    made = report("tags", "chunk_f1", rows, [("B", "B")])
    assert [row["class"] for row in made["classes"]] == ["entity"]
    assert made["confusion"]["labels"] == ["O", "entity"]


def test_shows_the_surest_wrong_word_of_a_sentence_among_its_neighbours():
    answers = [
        {"id": row.id, "words": list(row.words), "tags": list(tags), "probabilities": [0.6, 0.9, 0.8, 0.7][: len(tags)]}
        for row, tags in zip(ENTITIES, SAID, strict=True)
    ]
    first, second = report("tags", "chunk_f1", ENTITIES, SAID, answers=answers)["mistakes"]
    assert first == {
        "id": "0",
        "word": "Lee",
        "words": "Anna [Lee] saw Rome",
        "gold": "I-PER",
        "predicted": "O",
        "probability": 0.9,
    }
    assert (second["words"], second["gold"]) == ("[Oslo] sleeps", "B-LOC")


def test_tells_exact_partial_and_missed_answers_by_their_length():
    texts = ["Oslo", "in May", "two old boats", "red"]
    rows = [SpanQuestion(f"q{n}", f"what {n}?", text, (Answer(text, 0),)) for n, text in enumerate(texts)]
    said = {"q0": "Oslo", "q1": "May", "q2": "two old boats", "q3": "blue"}
    answers = [
        {"id": row.id, "question": row.question, "answer": said[row.id], "probability": 0.5 + n / 10}
        for n, row in enumerate(rows)
    ]
    made = report("span", "squad", rows, said, answers=answers, lengths=[1, 2, 3, 4])
    every, *parts = made["outcomes"]["parts"]
    assert made["outcomes"]["metric"] == "f1"
    assert (every["n"], every["exact"], every["partial"], every["missed"]) == (4, 2, 1, 1)
    assert every["score"] == pytest.approx((1 + 2 / 3 + 1 + 0) / 4)
    assert {part["answers"]: (part["exact"], part["partial"], part["missed"]) for part in parts} == {
        "1 word": (1, 0, 1),
        "2 words": (0, 1, 0),
        "3 words": (1, 0, 0),
    }
    assert [mistake["question"] for mistake in made["mistakes"]] == ["what 3?", "what 1?"]
    assert made["mistakes"][0]["gold"] == "red"
    assert "classes" not in made
    assert "lengths" not in made


def test_counts_characters_of_answers_where_words_are_not_told_apart():
    rows = [SpanQuestion("q", "?", "北京大学", (Answer("北京", 0),))]
    (_, part) = report("span", "squad", rows, {"q": "北京大学"}, Options(language="zh"))["outcomes"]["parts"]
    assert (part["answers"], part["partial"]) == ("2 characters", 1)


def test_tells_whether_questions_without_an_answer_were_known():
    rows = [
        SpanQuestion("a", "?", "x", (Answer("x", 0),)),
        SpanQuestion("b", "?", "x", ()),
        SpanQuestion("c", "?", "x", ()),
    ]
    made = report("span", "squad_v2", rows, {"a": "x", "b": "", "c": "x"})
    assert {row["class"]: (row["correct"], row["support"]) for row in made["classes"]} == {
        "an answer": (1, 1),
        "no answer": (1, 2),
    }
    assert made["outcomes"]["parts"][-1]["answers"] == "no answer"
    assert (made["outcomes"]["parts"][-1]["exact"], made["outcomes"]["parts"][-1]["missed"]) == (1, 1)


def test_tells_choices_by_position_and_mistakes_by_their_text():
    rows = [MultipleChoice(str(n), f"p {n}", ("red", "blue"), label) for n, label in enumerate((0, 1, 1))]
    said = [0, 0, 1]
    answers = [
        {
            "id": row.id,
            "prompt": row.prompt,
            "choices": list(row.choices),
            "label": label,
            "answer": row.choices[label],
            "probability": 0.8,
        }
        for row, label in zip(rows, said, strict=True)
    ]
    made = report("choice", "accuracy", rows, said, answers=answers)
    assert made["confusion"]["labels"] == ["choice 0", "choice 1"]
    assert made["confusion"]["counts"] == [[1, 0], [1, 1]]
    assert made["mistakes"] == [{"id": "1", "prompt": "p 1", "gold": "blue", "predicted": "red", "probability": 0.8}]


def test_is_had_by_what_has_classes_or_answers_alone():
    assert {format.name for format in formats.values() if format.reports} == {
        "pair",
        "single",
        "tags",
        "span",
        "choice",
    }

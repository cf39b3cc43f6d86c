"""Files of anybody's: read in every form they come in, and refused where a number would mean nothing."""

import json

import pytest
from small_files import read_rows

from adapter_stilts.errors import TaskDataError, UnknownName
from adapter_stilts.evaluation import given
from adapter_stilts.metrics.base import Options
from adapter_stilts.metrics.forms import read_choices, read_odds, read_ranked, write_choices, write_ranked, write_tags
from adapter_stilts.tasks.user import find_task

FEW = Options(intervals=False)
LABELS = ["neutral", "entailment", "contradiction", "neutral"] * 4


@pytest.fixture
def put(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def score_file(*asked, **named):
    return given.score_file(*asked, **named).score


def lines(labels):
    return "".join(f"{label}\n" for label in labels)


def squad(answers, **more):
    qas = [
        {"id": question, "question": "?", "answers": [{"text": text, "answer_start": 0}], **more}
        for question, text in answers.items()
    ]
    return {"data": [{"paragraphs": [{"context": "Anna und Bert", "qas": qas}]}]}


@pytest.mark.parametrize("gold", ["lines", "release", "jsonl"])
def test_reads_gold_labels_alone_or_in_a_file_of_the_task(put, gold):
    forms = {
        "lines": ("g.tsv", lines(["neutral", "entailment"])),
        "release": ("g.tsv", "sentence1\tsentence2\tgold_label\na\tb\tneutral\nc\td\tentailment\n"),
        "jsonl": (
            "g.jsonl",
            (
                '{"premise": "a", "hypothesis": "b", "label": "neutral"}\n{"premise": "c", "hypothesis": "d", '
                '"label": "entailment"}\n'
            ),
        ),
    }
    found = score_file("accuracy", put(*forms[gold]), put("p.tsv", "neutral\nneutral\n"), FEW, find_task("xnli"))
    assert (found.value, found.n) == (0.5, 2)


def test_reads_choices_as_xtreme_r_writes_them_and_as_the_release_does(put):
    release = '{"premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "label": %d, "idx": %d}\n'
    gold, predicted = (
        put("test.sw.jsonl", release % (1, 0) + release % (0, 1)),
        put("test-sw.jsonl", '{"label": 1}\n{"label": 1}\n'),
    )
    assert score_file("accuracy", gold, predicted, FEW, find_task("xcopa")).value == 0.5
    assert score_file("accuracy", put("g.jsonl", '{"label": 1}\n{"label": 0}\n'), predicted, FEW).value == 0.5
    assert score_file("accuracy", gold, put("p.tsv", "1\n1\n"), FEW, find_task("xcopa")).value == 0.5


def test_writes_choices_and_ranked_ids_so_that_they_read_back(tmp_path):
    write_choices(tmp_path / "c.jsonl", [1, 0])
    assert (tmp_path / "c.jsonl").read_text() == '{"label": 1}\n{"label": 0}\n'
    assert read_choices(tmp_path / "c.jsonl") == ["1", "0"]
    write_ranked(tmp_path / "r.jsonl", {"q\u2028": ["a", "ü"], "r": []})
    assert read_ranked(tmp_path / "r.jsonl") == {"q\u2028": ("a", "ü"), "r": ()}


def test_reads_tags_with_their_words_or_alone(put):
    gold = put("g.conllu", "1\tHunde\tHund\tNOUN\t_\t_\t0\troot\t_\t_\n2\tbellen\tbellen\tVERB\t_\t_\t1\tx\t_\t_\n\n")
    for content in ("NOUN\nNOUN\n\n", "Hunde\tNOUN\nbellen\tNOUN\n"):
        found = score_file("chunk_f1", gold, put("p.tsv", content), FEW, find_task("udpos"))
        assert (found.metrics["token_accuracy"], found.metrics["f1"]) == (
            0.5,
            0.0,
        )  # NOUN NOUN is one chunk of two words
    assert score_file("token_accuracy", gold, put("p.tsv", "NOUN\nNOUN\n"), FEW).headline == "token_accuracy"


def test_reads_mewslix_as_xtreme_r_has_it(put):
    gold, predicted = put("g.json", {"m1": ["Q1"], "m2": ["Q2"]}), put("p.json", {"m1": ["Q9", "Q1"]})
    found = score_file("mrr20", gold, predicted, FEW)
    assert (found.value, found.unanswered) == (0.25, 1)


def test_counts_a_missing_answer_and_says_so(put):
    found = score_file("squad", put("g.json", squad({"q": "Anna", "r": "Bert"})), put("p.json", {"q": "anna"}), FEW)
    assert (found.metrics["exact_match"], found.unanswered) == (0.5, 1)


def test_silences_answers_by_their_odds(put):
    document = squad({"q": "Anna"})
    document["data"][0]["paragraphs"][0]["qas"].append(
        {"id": "r", "question": "?", "answers": [], "is_impossible": True}
    )
    gold, predicted = put("g.json", document), put("p.json", {"q": "Anna", "r": "Bert"})
    odds = read_odds(put("o.json", {"q": -1.5, "r": -0.5}))
    at_zero = score_file("squad_v2", gold, predicted, Options(null_odds=odds, intervals=False)).metrics
    assert (at_zero["exact_match"], at_zero["exact_match-oracle"], at_zero["f1-oracle"]) == (0.5, 1.0, 1.0)
    assert (
        score_file("squad_v2", gold, predicted, Options(null_odds=odds, null_threshold=-1, intervals=False)).metrics[
            "exact_match"
        ]
        == 1.0
    )


@pytest.mark.parametrize(
    ("metric", "gold", "predicted", "what"),
    [
        ("accuracy", lines(["0"] * 20), lines(["0", "1"] * 10), "all 20 gold labels are '0': these are placeholders"),
        ("accuracy", lines(["?"] * 2), lines(["0", "1"]), "all 2 gold labels are '?': these are placeholders"),
        ("accuracy", lines(["a", "-", "b"]), lines(["a", "a", "a"]), "gold label '-' stands for no label"),
        ("accuracy", lines(LABELS), lines(LABELS[1:]), "15 predictions for 16 examples"),
        (
            "accuracy",
            lines(LABELS),
            lines(["0", "1", "2", "1"] * 4),
            "no prediction is a label of the gold file: '0', '1', '2' against",
        ),
        ("accuracy", lines(LABELS), lines([*LABELS[:3], "", *LABELS[4:]]), "an empty line where a label was expected"),
        ("accuracy", lines(LABELS), "", "the file is empty"),
        ("retrieval", lines(["0", "1"]), lines(["0", "one"]), "'one' is no line number"),
        ("chunk_f1", lines(["_"] * 3), lines(["X"] * 3), "all 3 gold labels are '_'"),
        ("chunk_f1", "O\n\nO\n", "O\n\nO\nO\n", "2 predicted tags for 1 words"),
        ("chunk_f1", "O\n\nO\n", "O\n", "1 predicted sentences for 2 gold ones"),
        ("chunk_f1", "Anna\tB-PER\n", "Bert\tB-PER\n", "the word 'Bert' where"),
        ("mining", "d1\te1\n", "e1\td1\n", "the columns are swapped"),
        ("mining", "d1\te1\n", "".join(f"x{n}\ty{n}\n" for n in range(12)), "no id is one of the gold pairs"),
    ],
)
def test_refuses_files_whose_score_would_mean_nothing(put, metric, gold, predicted, what):
    with pytest.raises(TaskDataError) as caught:
        score_file(metric, put("g.tsv", gold), put("p.tsv", predicted), FEW)
    assert what in caught.value.what
    assert caught.value.where.split(",")[0].endswith(("g.tsv", "p.tsv"))
    assert caught.value.do


@pytest.mark.parametrize(
    ("metric", "gold", "predicted", "what"),
    [
        ("squad", squad({"q": "", "r": ""}), {"q": "Anna"}, "all 2 gold answers are empty: they are withheld"),
        (
            "squad",
            squad({"q": "Anna"}),
            {"q": "Anna", "z": "Bert"},
            "1 of 2 predicted ids are not in the gold file: 'z'",
        ),
        ("squad", squad({"q": "Anna"}), '{"q": "Anna", "q": "Bert"}', "id 'q' occurs twice"),
        ("squad", squad({"q": "Anna"}), {"q": ["Anna"]}, "not an object of question ids and answer texts"),
        ("squad", squad({"q": "Anna"}), '{"q": "An', "not valid JSON"),
        ("map20", {"q": ["a"]}, {"r": ["a"]}, "predicted ids are not in the gold file: 'r'"),
        ("mrr20", {"q": ["a", "b"]}, {"q": ["a"]}, "mention 'q' has 2 gold ids"),
        ("map20", {"q": "a"}, {"q": ["a"]}, "no list of ids"),
    ],
)
def test_refuses_answers_to_other_questions(put, metric, gold, predicted, what):
    with pytest.raises(TaskDataError) as caught:
        score_file(metric, put("g.json", gold), put("p.json", predicted), FEW)
    assert what in caught.value.what


def test_refuses_odds_that_leave_out_a_prediction(put):
    gold, predicted = put("g.json", squad({"q": "Anna", "r": "Bert"})), put("p.json", {"q": "Anna", "r": "Bert"})
    with pytest.raises(TaskDataError, match="1 of 2 predictions have no odds of \"no answer\": 'r'"):
        score_file("squad_v2", gold, predicted, Options(null_odds={"q": 1.0}, intervals=False))


@pytest.mark.parametrize("key", ["id", "idx"])
def test_refuses_labels_whose_ids_are_of_other_examples(put, key):
    def rows(ids, more=""):
        return "".join(f'{{"{key}": {one}, "label": {one % 2}{more}}}\n' for one in ids)

    release = put(
        "test.sw.jsonl", rows([3, 4, 5], ', "premise": "a", "choice1": "b", "choice2": "c", "question": "cause"')
    )
    assert score_file("accuracy", release, put("p.jsonl", rows([3, 4, 5])), FEW, find_task("xcopa")).value == 1.0
    for gold in (release, put("g.jsonl", rows([3, 4, 5]))):
        with pytest.raises(TaskDataError, match="row 2 is of example '5', where .* has '4'"):
            score_file("accuracy", gold, put("p.jsonl", rows([3, 5, 4])), FEW, find_task("xcopa"))
        with pytest.raises(TaskDataError, match="row 2 is of example '3'"):
            score_file("accuracy", gold, put("p.jsonl", rows([3, 3, 5])), FEW, find_task("xcopa"))


def test_takes_an_unbalanced_but_labelled_file(put):
    gold = ["1"] * 30 + ["0"]
    assert score_file(
        "accuracy", put("g.tsv", lines(gold)), put("p.tsv", lines(["1"] * 31)), FEW
    ).value == pytest.approx(30 / 31)


def test_suggests_the_nearest_metric(put):
    with pytest.raises(UnknownName, match="did you mean 'accuracy'"):
        score_file("acuracy", put("g.tsv", ""), put("p.tsv", ""))


@pytest.mark.real
@pytest.mark.parametrize("language", ["de", "en", "hi", "th", "tr", "zh"])
def test_gives_xquad_against_itself_the_full_score(shared_path, tmp_path, language):
    gold = shared_path(f"data/qa/xquad.{language}.json.gz")
    answers = {row.id: row.answers[0].text for row in read_rows(gold, "span")}
    (tmp_path / "p.json").write_text(json.dumps(answers))
    for metric in ("squad", *(["mlqa"] if language not in ("th", "tr") else [])):
        found = score_file(metric, gold, tmp_path / "p.json", Options(language=language, intervals=False))
        assert set(found.metrics.values()) == {1.0}
        assert found.n == 1190


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        "ud/ar_pud-ud-test.conllu.gz",
        "ud/zh_pud-ud-test.conllu.gz",
        "ner/de_pud-ud-test.iob2.gz",
        "ner/wnut17.test.conll.gz",
    ],
)
def test_gives_tags_against_themselves_the_full_score(shared_path, tmp_path, name):
    gold = shared_path(f"data/{name}")
    write_tags(tmp_path / "p.tsv", [row.tags for row in read_rows(gold, "tags")])
    assert set(score_file("chunk_f1", gold, tmp_path / "p.tsv", FEW).metrics.values()) == {1.0}


XNLI = "language\tgold_label\tsentence1\tsentence2\n" + "".join(
    f"{code}\t{label}\ta {number}\tb\n"
    for code, labels in {"ar": "neutral entailment", "de": "neutral contradiction", "zh": "entailment neutral"}.items()
    for number, label in enumerate(labels.split())
)


@pytest.mark.parametrize(("language", "score"), [("de", 1.0), ("deu", 1.0), ("ar", 0.5), ("zh-Hans", 0.0)])
def test_scores_the_language_asked_for_of_a_table_of_several(put, language, score):
    gold, predicted = put("xnli.test.tsv", XNLI), put("p.tsv", "neutral\ncontradiction\n")
    for task in ("xnli", "nli"):
        scored = score_file("accuracy", gold, predicted, FEW, find_task(task), language)
        assert (scored.value, scored.n) == (score, 2)


@pytest.mark.parametrize(
    ("language", "message"),
    [("", "the file holds 3 languages: ar, de, zh"), ("sw", "no row of the file is in 'sw'; it has: ar, de, zh")],
)
def test_refuses_several_languages_as_one(put, language, message):
    gold, predicted = put("xnli.test.tsv", XNLI), put("p.tsv", "neutral\n" * 6)
    for task in ("xnli", "nli"):
        with pytest.raises(TaskDataError, match=message):
            score_file("accuracy", gold, predicted, FEW, find_task(task), language)


def tydiqa(answers):
    return squad({f"{language}-{number}": "Anna" for language, numbers in answers.items() for number in range(numbers)})


def test_scores_the_language_asked_for_of_tydiqas_release(put):
    gold = put("tydiqa-goldp-v1.1-dev.json", tydiqa({"finnish": 3, "english": 4, "swahili": 2}))
    right, wrong = ({f"finnish-{number}": text for number in range(3)} for text in ("Anna", "Bert"))
    for answers, score in ((right, 1.0), (wrong, 0.0), (right | {"english-0": "Bert"}, 1.0)):
        scored = score_file("squad", gold, put("p.json", answers), FEW, find_task("tydiqa"), "fi")
        assert (scored.metrics["exact_match"], scored.n, scored.unanswered) == (score, 3, 0)
    with pytest.raises(TaskDataError, match="no row of the file is in 'ko'; it has: en, fi, sw"):
        score_file("squad", gold, put("p.json", right), FEW, find_task("tydiqa"), "ko")
    with pytest.raises(TaskDataError, match="the file holds 3 languages: en, fi, sw(.|\n)*--language CODE"):
        score_file("squad", gold, put("p.json", right), FEW, find_task("tydiqa"))
    one = put("test-fi.json", tydiqa({"finnish": 3}))
    assert score_file("squad", one, put("p.json", right), FEW, find_task("tydiqa")).value == 1.0


def test_scores_labels_of_several_languages_by_their_own_column(put):
    rows = "".join(
        json.dumps({"label": label, "language": code}) + "\n"
        for code, label in (("zh-Hans", 1), ("zh-Hant", 0), ("zh-Hant", 1))
    )
    gold, predicted = put("g.jsonl", rows), put("p.jsonl", rows.replace('"label": 0', '"label": 1'))
    assert score_file("accuracy", gold, predicted, FEW, language="zh-Hant").value == 0.5
    assert score_file("accuracy", gold, predicted, FEW, language="zh-Hans").value == 1.0
    assert score_file("accuracy", gold, put("l.tsv", "1\n"), FEW, language="zh").value == 1.0


@pytest.mark.parametrize("bad", ["NaN", "null", '""', "Infinity", "[1]", '{"a": 1}', '"a\\nb"'])
def test_refuses_a_row_whose_label_is_none_on_either_side(put, bad):
    right = '{"label": 0}\n{"label": 1}\n{"label": 1}\n'
    wrong = right.replace("1", bad, 1)
    for gold, predicted, name in ((wrong, right, "g"), (right, wrong, "p")):
        with pytest.raises(TaskDataError, match=rf"(.|\n)*{name}.jsonl, line 2, column 'label'"):
            score_file("accuracy", put("g.jsonl", gold), put("p.jsonl", predicted), FEW)


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        ('{"label": true}\n{"label": false}\n', '{"label": true}\n{"label": true}\n'),
        ('{"label": true}\n{"label": false}\n', '{"label": 1}\n{"label": 1.0}\n'),
        ('{"label": "True"}\n{"label": "False"}\n', '{"label": true}\n{"label": "true"}\n'),
        ('{"label": 1}\n{"label": 0}\n', '{"label": "1.0"}\n{"label": "1"}\n'),
        ('{"label": "True"}\n{"label": "False"}\n', '{"label": "true"}\n{"label": "TRUE"}\n'),
    ],
)
def test_takes_truth_and_numbers_alike_however_they_are_written(put, gold, predicted):
    assert score_file("accuracy", put("g.jsonl", gold), put("p.jsonl", predicted), FEW).value == 0.5


CSV = 'premise,hypothesis,label\n"a, b",c,neutral\nd,e,entailment\n'


@pytest.mark.parametrize(
    ("name", "gold"),
    [
        ("g.csv", CSV),
        ("g.csv", CSV.replace("a, b", "a b").replace(",", ";")),
        ("g.csv", ",label\n0,neutral\n1,entailment\n"),
        ("g.csv", "label\nneutral\nentailment\n"),
        ("g.csv", "neutral\nentailment\n"),
        ("g.tsv", "label\nneutral\nentailment\n"),
        ("g.tsv", "id\tlabel\n7\tneutral\n8\tentailment\n"),
        ("g.json", '[{"label": "neutral"}, {"label": "entailment"}]'),
    ],
)
@pytest.mark.parametrize(
    ("other", "predicted"), [("p.txt", "neutral\nneutral\n"), ("p.csv", "prediction\nneutral\nneutral\n")]
)
def test_reads_labels_of_tables_on_either_side(put, name, gold, other, predicted):
    scored = score_file("accuracy", put(name, gold), put(other, predicted), FEW, find_task("nli"))
    assert (scored.value, scored.n) == (0.5, 2)


@pytest.mark.parametrize(
    ("metric", "gold", "predicted", "expected"),
    [
        ("accuracy", "a\nb\nb\nb\n", "a\na\nb\nb\n", ("accuracy", 0.75)),
        ("accuracy", "b\nb\n", "b\nb\n", ("accuracy", None)),
        ("chunk_f1", "B-PER\nO\nO\n\nO\n", "O\nO\nO\n\nO\n", ("token_accuracy", 0.75)),
        ("retrieval", "0\n1\n", "0\n0\n", ("", None)),
    ],
)
def test_tells_what_the_commonest_answer_alone_gives(put, metric, gold, predicted, expected):
    made = given.score_file(metric, put("g.tsv", gold), put("p.tsv", predicted), Options(rule="own", intervals=False))
    assert made.majority == expected


def test_tells_what_no_answer_at_all_gives(put):
    document = squad({"q": "Anna", "r": "Bert"})
    document["data"][0]["paragraphs"][0]["qas"].append({"id": "s", "question": "?", "is_impossible": True})
    files = put("g.json", document), put("p.json", {"q": "Anna", "r": "Anna", "s": ""})
    made = given.score_file("squad_v2", *files, FEW)
    assert made.majority == ("f1", pytest.approx(1 / 3))
    assert [row["answers"] for row in made.report["outcomes"]["parts"]] == ["all", "1 word", "no answer"]


TAGS = "Anna B-PER\nin O\nRome B-LOC\n\nBen B-PER\nsleeps O\n"
WORD_ROWS = "id,position,word,tag\n0,1,Anna,B-PER\n0,2,in,O\n0,3,Rome,B-LOC\n1,1,Ben,B-PER\n1,2,sleeps,O\n"
LISTS = """words,tags
"[""Anna"",""in"",""Rome""]","[""B-PER"",""O"",""B-LOC""]"
"[""Ben"",""sleeps""]","[""B-PER"",""O""]"
"""
OBJECTS = """{"words": ["Anna", "in", "Rome"], "tags": ["B-PER", "O", "B-LOC"]}
{"words": ["Ben", "sleeps"], "tags": ["B-PER", "O"]}
"""


@pytest.mark.parametrize(("name", "text"), [("w.csv", WORD_ROWS), ("l.csv", LISTS), ("gold", OBJECTS)])
def test_reads_tags_in_tables_with_a_word_or_a_sentence_a_row_and_json_lines_of_any_name(put, name, text):
    conll, table = put("g.conll", TAGS), put(name, text)
    for gold, predicted in ((conll, table), (table, conll)):
        assert score_file("chunk_f1", gold, predicted, Options(rule="own", intervals=False)).value == 1.0


def test_names_the_row_of_a_word_without_a_tag(put):
    broken = put("w.csv", WORD_ROWS.replace("Rome,B-LOC", "Rome,"))
    with pytest.raises(TaskDataError, match=r"without a word or a tag(.|\n)*w.csv, line 4"):
        score_file("chunk_f1", put("g.conll", TAGS), broken, FEW)


def test_reads_labels_in_json_lines_of_any_name(put):
    gold = put("gold", '{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n')
    assert score_file("accuracy", gold, put("p.txt", "x\ny\n"), FEW, find_task("single")).value == 1.0


@pytest.mark.parametrize(
    ("metric", "gold", "predicted"),
    [("chunk_f1", TAGS, TAGS.replace("PER", "per")), ("accuracy", "yes\nno\n", "Yes\nno\n")],
)
def test_refuses_labels_that_differ_in_case_alone(put, metric, gold, predicted):
    with pytest.raises(TaskDataError, match="differ from the gold file's in case alone"):
        score_file(metric, put("g.txt", gold), put("p.txt", predicted), FEW)

"""XTREME-R and the averages that circulate; every mean is worked out by hand."""

import json

import pytest

from adapter_stilts.errors import TaskDataError
from adapter_stilts.evaluation.benchmark import BENCHMARKS, score_benchmark
from adapter_stilts.metrics.base import Options

FEW = Options(intervals=False)


def answer(text):
    question = {"id": "q", "question": "?", "answers": [{"text": text, "answer_start": 0}]}
    return json.dumps({"data": [{"paragraphs": [{"context": "Anna und Bert", "qas": [question]}]}]})


def ranked(field, rows):
    return "".join(json.dumps({"id": question, field: ids}) + "\n" for question, ids in rows.items())


HALF = {  # task -> labels and predictions of one language, and the score
    "xnli": ("tsv", "a\nb\n", "a\na\n", 0.5),
    "pawsx": ("tsv", "1\n0\n1\n0\n", "1\n1\n1\n1\n", 0.5),
    "xcopa": (
        "jsonl",
        '{"label": 1}\n{"label": 0}\n{"label": 0}\n{"label": 0}\n',
        '{"label": 1}\n{"label": 1}\n{"label": 1}\n{"label": 1}\n',
        0.25,
    ),
    "udpos": ("tsv", "NOUN\nVERB\n\n", "NOUN\nDET\n\n", 0.5),
    "panx": ("tsv", "B-PER\nO\n\n", "B-PER\nO\n\n", 1.0),
    "xquad": ("json", answer("Anna"), '{"q": "Anna Bert"}', (0 + 2 / 3) / 2),
    "mlqa": ("json", answer("Anna"), '{"q": "Anna."}', 1.0),
    "tydiqa": ("json", answer("Anna"), "{}", 0.0),
    "tatoeba": ("tsv", "0\n1\n", "0\n0\n", 0.5),
    "bucc2018": ("tsv", "a\tb\nc\td\n", "a\tb\n", 2 / 3),
    "mewslix": ("json", '{"m": ["Q1"]}', '{"m": ["Q2", "Q1"]}', 0.5),
}
LAREQA = {  # two questions in Arabic, one in German: the mean is over questions
    "ar": ({"a1": ["x", "y"], "a2": ["x"]}, {"a1": ["x", "z", "y"], "a2": ["z", "x"]}),
    "de": ({"d1": ["x"]}, {}),
}
LAREQA_SCORE = ((1 + 2 / 3) / 2 + 1 / 2 + 0) / 3


@pytest.fixture
def folders(tmp_path):
    """Labels and predictions of a benchmark, whole: every language of every task scores alike."""

    def make(name):
        for task, languages in BENCHMARKS[name].languages.items():
            for side in ("labels", "predictions"):
                (tmp_path / side / task).mkdir(parents=True)
            for language in languages if task != "lareqa" else LAREQA:
                if task == "lareqa":
                    gold, found = LAREQA[language]
                    ending, labels, predictions = "jsonl", ranked("gold", gold), ranked("candidates", found)
                else:
                    ending, labels, predictions, _ = HALF[task]
                (tmp_path / "labels" / task / f"test-{language}.{ending}").write_text(labels)
                (tmp_path / "predictions" / task / f"test-{language}.{ending}").write_text(predictions)
        return tmp_path / "predictions", tmp_path / "labels"

    return make


def test_has_the_tasks_and_languages_of_both_releases():
    sizes = {
        name: {task: len(languages) for task, languages in one.languages.items()} for name, one in BENCHMARKS.items()
    }
    nine = {
        "pawsx": 7,
        "xnli": 15,
        "udpos": 33,
        "panx": 40,
        "xquad": 11,
        "mlqa": 7,
        "tydiqa": 9,
        "bucc2018": 4,
        "tatoeba": 36,
    }
    ten = {
        "xnli": 15,
        "xcopa": 11,
        "udpos": 38,
        "panx": 48,
        "xquad": 12,
        "mlqa": 7,
        "tydiqa": 9,
        "lareqa": 11,
        "mewslix": 11,
        "tatoeba": 41,
    }
    assert sizes == {"xtreme": nine, "xtreme-r": ten}


def test_gives_both_averages_of_xtreme_with_and_without_retrieval(folders):
    found = score_benchmark("xtreme", *folders("xtreme"), FEW)
    means, by_hand = found.means, {task: HALF[task][3] for task in BENCHMARKS["xtreme"].metrics}
    assert found.complete
    assert {task: means[task] for task in by_hand} == pytest.approx(by_hand)
    groups = {"classification": 0.5, "tagging": 0.75, "qa": (1 / 3 + 1 + 0) / 3, "retrieval": (2 / 3 + 0.5) / 2}
    assert {group: means[group] for group in groups} == pytest.approx(groups)
    assert means["all_task"] == pytest.approx(sum(by_hand.values()) / 9)
    assert means["all_group"] == pytest.approx(sum(groups.values()) / 4)
    assert means["without_retrieval"] == pytest.approx((sum(by_hand.values()) - 2 / 3 - 0.5) / 7)
    assert means["all_group_without_retrieval"] == pytest.approx((0.5 + 0.75 + 4 / 9) / 3)


def test_takes_ten_tasks_for_xtreme_r_and_xcopa_in_two_groups(folders):
    found = score_benchmark("xtreme-r", *folders("xtreme-r"), FEW)
    means, by_hand = found.means, {task: HALF[task][3] for task in BENCHMARKS["xtreme-r"].metrics if task != "lareqa"}
    assert found.missing_tasks == ()
    assert means["lareqa"] == pytest.approx(LAREQA_SCORE)
    assert means["all_task"] == pytest.approx((sum(by_hand.values()) + LAREQA_SCORE) / 10)
    assert means["classification"] == pytest.approx((0.5 + 0.25) / 2)
    assert means["multi_choice"] == 0.25
    assert means["retrieval"] == pytest.approx((0.5 + 0.5) / 2)
    assert means["retrieval_with_lareqa"] == pytest.approx((0.5 + 0.5 + LAREQA_SCORE) / 3)
    assert means["all_group"] == pytest.approx((0.375 + 0.75 + 4 / 9 + (1 + LAREQA_SCORE) / 3) / 4)
    assert means["without_retrieval"] == pytest.approx((0.5 + 0.25 + 0.5 + 1 + 1 / 3 + 1 + 0) / 7)


def test_names_missing_tasks_and_gives_no_mean_that_needs_them(folders):
    predictions, labels = folders("xtreme")
    for path in (predictions / "bucc2018").iterdir():
        path.unlink()
    (predictions / "bucc2018").rmdir()
    found = score_benchmark("xtreme", predictions, labels, FEW)
    assert found.missing_tasks == ("bucc2018",)
    assert not {"all_task", "all_group", "retrieval", "bucc2018"} & set(found.means)
    assert {"without_retrieval", "all_group_without_retrieval", "qa"} <= set(found.means)
    assert found.not_scored == (str(labels / "bucc2018"),)


def test_names_published_languages_without_labels(folders):
    predictions, labels = folders("xtreme")
    (labels / "xnli" / "test-sw.tsv").unlink()
    found = score_benchmark("xtreme", predictions, labels, FEW)
    assert (found.missing_languages, found.complete) == ({"xnli": ("sw",)}, False)
    assert found.not_scored == (f"{predictions / 'xnli'}: sw",)


def test_leaves_languages_out_that_the_benchmark_does_not_have(folders):
    predictions, labels = folders("xtreme")
    (labels / "xquad" / "test-ro.json").write_text(answer("Anna"))
    found = score_benchmark("xtreme", predictions, labels, FEW)
    assert found.means["xquad"] == pytest.approx(1 / 3)
    assert found.not_scored == (f"{labels / 'xquad'}: ro",)


def test_refuses_a_language_that_has_labels_and_no_predictions(folders):
    predictions, labels = folders("xtreme-r")
    (predictions / "mewslix" / "test-pl.json").unlink()
    with pytest.raises(TaskDataError, match=r"no such file\n  where: .*mewslix/test-pl.jsonl"):
        score_benchmark("xtreme-r", predictions, labels, FEW)


def test_refuses_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(TaskDataError, match=r"no such folder\n  where: .*nowhere"):
        score_benchmark("xtreme", tmp_path / "nowhere", tmp_path)

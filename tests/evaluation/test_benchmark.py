"""A benchmark of a few lines per task; every mean is worked out by hand."""

import json

import pytest

from adapter_stilts.errors import TaskDataError, UnknownName
from adapter_stilts.evaluation.benchmark import score_benchmark
from adapter_stilts.evaluation.given import score_file
from adapter_stilts.metrics.base import Options


def put(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def squad(answer):
    return {
        "version": "1.1",
        "data": [
            {"paragraphs": [{"context": "Das Haus steht.", "qas": [{"id": "q", "question": "?", "answers": [answer]}]}]}
        ],
    }


HOUSE = {"text": "Das Haus", "answer_start": 0}
LABELS = {
    "pawsx/test-de.tsv": "1\n0\n",
    "pawsx/test-en.tsv": "1\n0\n",
    "xnli/test-de.tsv": "neutral\nneutral\n",
    "udpos/test-de.tsv": "NOUN\nVERB\n\nDET\n\n",
    "panx/test-de.tsv": "B-PER\nI-PER\n\n",
    "xquad/test-de.json": squad(HOUSE),
    "mlqa/test-de.json": squad(HOUSE),
    "tydiqa/test-de.json": squad(HOUSE),
    "bucc2018/test-de.tsv": "d1\te1\nd2\te2\n",
    "tatoeba/test-de.tsv": "0\n1\n2\n3\n",
}
PREDICTIONS = {
    "pawsx/test-de.tsv": "1\n1\n",
    "pawsx/test-en.tsv": "1\n0\n",
    "xnli/test-de.tsv": "neutral\ncontradiction\n",
    "udpos/test-de.tsv": "NOUN\nNOUN\n\nDET\n\n",
    "panx/test-de.tsv": "B-PER\nI-PER\n",
    "xquad/test-de.json": {"q": "ein Haus"},
    "mlqa/test-de.json": {"q": "ein Haus"},
    "tydiqa/test-de.json": {},
    "bucc2018/test-de.tsv": "d1\te1\n",
    "tatoeba/test-de.tsv": "0\n1\n2\n0\n",
}


@pytest.fixture
def both(tmp_path):
    put(tmp_path / "labels", LABELS)
    put(tmp_path / "predictions", PREDICTIONS)
    return tmp_path / "predictions", tmp_path / "labels"


def test_gives_the_means_of_tasks_groups_and_all(both):
    means = score_benchmark("xtreme", *both).means
    by_hand = {
        "pawsx": (0.5 + 1) / 2,
        "xnli": 0.5,
        "udpos": 2 * 1 / (2 + 3),  # gold NOUN VERB DET, predicted NOUN NOUN merged into one, DET
        "panx": 1.0,
        "xquad": (0 + 0.5) / 2,
        "mlqa": 1.0,
        "tydiqa": 0.0,
        "bucc2018": 2 / 3,
        "tatoeba": 0.75,
    }
    assert {task: means[task] for task in by_hand} == pytest.approx(by_hand)
    assert means["classification"] == pytest.approx((0.75 + 0.5) / 2)
    assert means["qa"] == pytest.approx((0.25 + 1 + 0) / 3)
    assert means["retrieval"] == pytest.approx((2 / 3 + 0.75) / 2)
    assert means["all_task"] == pytest.approx(sum(by_hand.values()) / 9)
    assert means["without_retrieval"] == pytest.approx((sum(by_hand.values()) - 2 / 3 - 0.75) / 7)


def test_gives_a_row_for_every_language_and_metric(both):
    rows = score_benchmark("xtreme", *both).rows
    assert {(row.language, row.score, row.n) for row in rows if row.task == "pawsx"} == {("de", 0.5, 2), ("en", 1.0, 2)}
    assert {row.metric for row in rows if row.task == "udpos"} == {"f1", "precision", "recall", "token_accuracy"}
    assert all(row.protocol == "xtreme" and row.interval is None for row in rows)  # two rows each


def test_leaves_out_the_means_whose_tasks_are_not_all_there(both, tmp_path):
    put(
        tmp_path / "some",
        {name: content for name, content in PREDICTIONS.items() if name.startswith(("pawsx", "udpos"))},
    )
    means = score_benchmark("xtreme", tmp_path / "some", both[1]).means
    assert set(means) == {"pawsx", "udpos"}


def test_refuses_a_labelled_language_without_predictions(both):
    predictions, labels = both
    (predictions / "pawsx" / "test-en.tsv").unlink()
    with pytest.raises(TaskDataError, match=r"no such file\n.*pawsx/test-en.tsv"):
        score_benchmark("xtreme", predictions, labels)


def test_names_the_file_whose_predictions_do_not_match(both):
    predictions, labels = both
    (predictions / "xnli" / "test-de.tsv").write_text("neutral\n")
    with pytest.raises(TaskDataError, match=r"1 predictions for 2 examples\n  where: .*xnli/test-de.tsv"):
        score_benchmark("xtreme", predictions, labels)


def test_refuses_folders_that_share_no_task(both, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(TaskDataError, match="no task of xtreme in both folders"):
        score_benchmark("xtreme", tmp_path / "empty", both[1])


def test_suggests_the_nearest_benchmark(tmp_path):
    with pytest.raises(UnknownName, match="did you mean 'xtreme'"):
        score_benchmark("extreme", tmp_path, tmp_path)


def test_scores_one_file(both):
    predictions, labels = both
    scored = score_file("mlqa", labels / "mlqa/test-de.json", predictions / "mlqa/test-de.json", Options(language="de"))
    assert scored.score.metrics == {"f1": 1.0, "exact_match": 1.0}

"""What `list runs` says of scores in a line."""

from __future__ import annotations

from adapter_stilts_cli.info import _score
from adapter_stilts_cli.inspect import _scores


def test_says_the_scores_of_a_run_in_a_line():
    def one(task, low, high, languages, readings=1, split="test"):
        return {
            "task": task,
            "split": split,
            "languages": languages,
            "readings": readings,
            "lowest": low,
            "highest": high,
        }

    given = [
        one("xcopa", 0.607, 0.607, ["de", "en"]),
        one("tatoeba", 0.11, 0.182, ["de"], readings=5),
        one("nli", 0.37, 0.37, ["en"], split="validation"),
    ]
    assert (
        _scores(given) == "xcopa 60.7 (2 languages), tatoeba 11.0 to 18.2 (de, 5 readings), nli 37.0 (en, validation)"
    )
    assert _scores([]) == ""


def test_marks_a_score_of_the_first_rows_alone_in_info():
    row = {"task": "nli", "language": "sw", "split": "test", "metric": "accuracy", "score": 0.61, "n": 50}
    assert _score(row) == "nli sw test accuracy 61.0 (n 50)"
    partial = row | {"settings": {"limit": 50}, "interval": [0.5, 0.7]}
    assert _score(partial) == "nli sw test accuracy 61.0 (50.0 to 70.0, of the first rows alone, n 50)"

"""What `list runs` says of scores in a line."""

from __future__ import annotations

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

"""Does `score` give the numbers that XTREME's own test expects of its mock files?

    git clone https://github.com/google-research/xtreme
    python benchmarks/xtreme_constants.py xtreme/mock_test_data

Scores the folders `predictions` and `labels` there (Apache-2.0; no file of them is here) and compares each task's
mean over languages with the constants of XTREME's evaluate_test.py, in per cent (of the tasks that XTREME-R adds only
Mewsli-X has one), and with what seqeval 1.2.2 makes of the tags. Ends with exit code 1 where a mean is off by more
than 1e-9; a task whose files are not all there is named and not compared.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from record import options, record

from adapter_stilts.evaluation.benchmark import score_benchmark
from adapter_stilts.metrics.base import Options

TOLERANCE = 1e-9  # of a score in per cent
NEW = "1.2"
EXPECTED = {
    ("pawsx", "accuracy"): 51.42857142857143,
    ("xnli", "accuracy"): 30.666666666666668,
    ("panx", "f1"): 57.50793650793652,
    ("udpos", "f1"): 70.21746048354693,
    ("bucc2018", "f1"): 55.0,
    ("bucc2018", "precision"): 55.0,
    ("bucc2018", "recall"): 55.0,
    ("tatoeba", "accuracy"): 53.611111111111114,
    ("xquad", "exact_match"): 77.27272727272727,
    ("xquad", "f1"): 79.9586776859504,
    ("mlqa", "exact_match"): 57.142857142857146,
    ("mlqa", "f1"): 81.76870748299321,
    ("tydiqa", "exact_match"): 88.88888888888889,
    ("tydiqa", "f1"): 97.22222222222223,
}
EXPECTED_OF_R = {("mewslix", "mrr20"): 14.39025156130419}  # called map@20 there
EXPECTED_OF_NEW = {("udpos", "f1"): 70.39805810699043, ("panx", "f1"): 57.50793650793652}


def main() -> None:
    mock = options(__doc__, "mock").mock
    of_r = compared("xtreme-r", mock, "0.0", EXPECTED_OF_R)
    rows = [*compared("xtreme", mock, "0.0", EXPECTED), *of_r, *compared("xtreme", mock, NEW, EXPECTED_OF_NEW)]
    lacking = sorted({task for task, _ in [*EXPECTED, *EXPECTED_OF_R]} - {row["task"] for row in rows})
    record("xtreme_constants", {"rows": rows, "not_compared": lacking})
    if any(row["off"] > TOLERANCE for row in rows):
        sys.exit(1)


def compared(benchmark: str, mock: Path, rule: str, expected: dict[tuple[str, str], float]) -> list[dict[str, Any]]:
    """Each task's mean of a metric beside what is expected; without the tasks that lack files."""
    scored = score_benchmark(benchmark, mock / "predictions", mock / "labels", Options(rule=rule, intervals=False))
    rows = []
    for (task, metric), wanted in expected.items():
        scores = [100 * row.score for row in scored.rows if (row.task, row.metric) == (task, metric)]
        if task not in {*scored.missing_tasks, *scored.missing_languages}:
            mean = sum(scores) / len(scores)
            row = {"seqeval": rule, "task": task, "metric": metric, "score": mean, "expected": wanted}
            rows.append(row | {"off": abs(mean - wanted), "languages": len(scores)})
    return rows


if __name__ == "__main__":
    main()

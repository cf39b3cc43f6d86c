"""Whether a file's first row can be a row of a task."""

import pytest

from adapter_stilts.tasks.base import tasks
from adapter_stilts.tasks.reading.files import fits

QUESTION = '{"id": "q", "question": "?", "answers": [{"text": "c", "answer_start": 0}]}'
NLI = '{"premise": "a", "hypothesis": "b", "label": "Neutral"}\n'


@pytest.mark.parametrize(
    ("name", "text", "fitting"),
    [
        ("a.jsonl", NLI, {"nli", "pair"}),
        ("a.jsonl", '{"sentence1": "a", "sentence2": "b", "label": 1}\n', {"paraphrase", "pair"}),
        ("a.tsv", "text\tlabel\nx\ty\n", {"single"}),
        ("a.json", f'{{"data": [{{"paragraphs": [{{"context": "c", "qas": [{QUESTION}]}}]}}]}}', {"qa"}),
        ("a.jsonl", '{"premise": "a", "choice1": "b", "choice2": "c", "label": 0}\n', {"choice"}),
    ],
)
def test_tells_tasks_apart_by_columns_and_labels(write, name, text, fitting):
    path = write(name, text)
    asked = ("nli", "paraphrase", "pair", "single", "qa", "choice")
    assert {task for task in asked if fits(tasks[task], path)} == fitting


def test_reads_no_further_than_the_first_row(write):
    assert fits(tasks["nli"], write("a.jsonl", NLI + "{broken"))
    assert not fits(tasks["nli"], write("b.jsonl", "{broken"))

"""What is said, and what is tried next, where the hub does not give a data set."""

import json
from collections import Counter

import pytest
from datasets import Dataset

from adapter_stilts.errors import TaskDataError, Unreachable
from adapter_stilts.formats.pair import Classified
from adapter_stilts.tasks.base import BINARY_LABELS, Task, tasks
from adapter_stilts.tasks.reading import hub
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.source import CONVERTED, Hub, Source
from adapter_stilts.tasks.sources import load

SCRIPT = "Dataset scripts are no longer supported, but found snli.py"
ROWS = {"premise": ["p"], "hypothesis": ["h"], "label": [1]}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def answers(monkeypatch):
    """Stand in for the hub: what each revision gives, an error or a table; the revisions asked for are listed."""

    def put(content):
        asked = []

        def load_dataset(id, config=None, *, split, revision, **more):
            asked.append(revision or "")
            found = content[revision or ""]
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr("datasets.load_dataset", load_dataset)
        monkeypatch.setattr(hub, "_unreachable", lambda offline: "")
        return asked

    return put


def test_reads_the_conversion_where_the_newest_is_a_script_and_says_so(answers):
    table = Dataset.from_dict(ROWS)
    table.info.download_checksums = {f"hf://datasets/stanfordnlp/snli@{COMMIT}/plain_text/train/0000.parquet": {}}
    asked = answers({"": RuntimeError(SCRIPT), CONVERTED: table})
    loaded = load(tasks["snli"], "train", "en", Where("hub"))
    assert asked == ["", CONVERTED]
    assert loaded.examples == [Classified("0", "p", "h", "neutral")]
    assert loaded.origin.revision == f"{CONVERTED}@{COMMIT}"


def test_asks_for_nothing_but_the_newest_where_that_can_be_read(answers):
    asked = answers({"": Dataset.from_dict(ROWS)})
    assert load(tasks["snli"], "train", "en", Where("hub")).origin.revision == ""
    assert asked == [""]


def test_asks_for_nothing_but_the_revision_a_task_names(answers):
    asked = answers({CONVERTED: RuntimeError(SCRIPT)})
    with pytest.raises(
        TaskDataError,
        match=r"its conversion \(revision refs/convert/parquet\) is none that can be read either(.|\n)*--data DIR",
    ):
        load(tasks["hellaswag"], "train", "en", Where("hub"))
    assert asked == [CONVERTED]


@pytest.mark.parametrize(
    "second", [ValueError("Couldn't find any data file"), FileNotFoundError("no such revision"), RuntimeError(SCRIPT)]
)
def test_names_the_fallback_and_the_way_to_files_where_both_fail(answers, second):
    answers({"": RuntimeError(SCRIPT), CONVERTED: second})
    with pytest.raises(
        TaskDataError,
        match=(
            r"loading script, which is not run(.|\n)*refs/convert/parquet(.|\n)*stanfordnlp/snli train(.|\n)*list "
            r"tasks --files"
        ),
    ):
        load(tasks["snli"], "train", "en", Where("hub"))


def test_tells_a_split_that_is_not_there_from_other_faults(answers):
    answers({"": ValueError("Unknown split \"validation\". Should be one of ['train'].")})
    with pytest.raises(TaskDataError, match=r"no such split(.|\n)*stanfordnlp/snli validation(.|\n)*--data DIR"):
        load(tasks["snli"], "validation", "en", Where("hub"))
    answers({"": ConnectionError("no route")})
    with pytest.raises(Unreachable, match=r"does not answer(.|\n)*--data DIR"):
        load(tasks["snli"], "validation", "en", Where("hub"))


@pytest.fixture
def copy(write, tmp_path):
    """A folder that stands in for the hub, with one data set of JSON lines; gives the place."""

    def put(id, split, rows):
        write(f"{id}/{split}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        write(
            f"{id}/README.md",
            f"---\nconfigs:\n- config_name: plain\n  data_files:\n  - split: {split}\n    path: {split}.jsonl\n---\n",
        )
        return Where("hub", folder=tmp_path, cache=tmp_path / "cache")

    return put


def own(**more):
    return Task("own", "pair", "accuracy", "x", labels=BINARY_LABELS, source=Source(hubs=(Hub("own/rows", **more),)))


def test_refuses_columns_it_does_not_know(copy):
    where = copy("own/rows", "train", [{"premis": "a", "hypothesis": "b", "label": 1}])
    with pytest.raises(
        TaskDataError,
        match=r"no column for 'text'(.|\n)*the columns are: premis, hypothesis, label(.|\n)*did you mean 'premis'",
    ):
        load(own(), "train", "en", where)
    with pytest.raises(TaskDataError, match=r"no column 'first'; the columns are: premis, hypothesis, label"):
        load(own(columns={"text": "first"}), "train", "en", where)


def test_refuses_an_id_that_occurs_twice(copy):
    where = copy("own/rows", "train", [{"id": "a", "premise": "a", "hypothesis": "b", "label": 1}] * 2)
    with pytest.raises(TaskDataError, match=r"id 'a' occurs twice(.|\n)*own/rows, examples 1 and 2 of 2"):
        load(own(), "train", "en", where)


def test_refuses_placeholder_labels(copy):
    where = copy("own/rows", "test", [{"premise": "a", "hypothesis": "b", "label": -1}])
    with pytest.raises(TaskDataError, match=r"label '-1' is not one of: 0, 1(.|\n)*a placeholder"):
        load(own(), "test", "en", where)


def test_refuses_one_label_for_all_rows(copy):
    where = copy(
        "own/rows",
        "test",
        [{"id": str(number), "premise": "a", "hypothesis": "b", "label": 1} for number in range(200)],
    )
    with pytest.raises(TaskDataError, match=r"all 200 rows are labelled '1'(.|\n)*test split of 'own'"):
        load(own(), "test", "en", where)


def test_says_that_every_row_was_left_out(copy):
    where = copy("stanfordnlp/snli", "test", [{"premise": "a", "hypothesis": "b", "label": -1}] * 3)
    with pytest.raises(TaskDataError, match=r"no row of the test split of 'snli' in 'en'; 3 left out: label '-'"):
        load(tasks["snli"], "test", "en", where)


def test_refuses_a_row_of_another_language(copy):
    rows = [{"tokens": ["a"], "ner_tags": [0], "langs": [code]} for code in ("sw", "de")]
    where = copy("google/xtreme", "test", rows)
    (where.folder / "google/xtreme/README.md").write_text(
        "---\nconfigs:\n- config_name: PAN-X.sw\n  data_files:\n  - split: test\n    path: test.jsonl\n---\n"
    )
    with pytest.raises(
        TaskDataError, match=r"a row in 'de' among those of 'sw' \(column 'langs'\)(.|\n)*PAN-X.sw, test, row 1"
    ):
        load(tasks["panx"], "test", "sw", where)


def test_refuses_gold_pairs_whose_ids_stand_for_two_sentences(copy):
    pair = {"source_sentence": "eins", "target_sentence": "one", "source_lang": "de-1", "target_lang": "en-1"}
    where = copy("google/xtreme", "test", [pair, {**pair, "source_sentence": "zwei"}])
    (where.folder / "google/xtreme/README.md").write_text(
        "---\nconfigs:\n- config_name: bucc18.de\n  data_files:\n  - split: test\n    path: test.jsonl\n---\n"
    )
    with pytest.raises(TaskDataError, match=r"id 'de-1' stands for two sentences(.|\n)*row 1"):
        load(tasks["bucc2018-goldpool"], "test", "de", where)


def test_names_a_language_that_is_on_no_data_set():
    with pytest.raises(
        TaskDataError,
        match=(
            r"'tatoeba' in 'uk' is on none of its data sets of the hub(.|\n)*the hub has it in: ar, he(.|\n)*--data "
            r"DIR"
        ),
    ):
        hub.hub_examples(tasks["tatoeba"], "test", "uk", Where("hub", offline=True), Counter())

"""Copies of data sets in a folder: what is read is what lies there now, and class numbers mean what the copy says."""

import hashlib
import os

import pytest
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from adapter_stilts.errors import TaskDataError
from adapter_stilts.tasks.base import tasks
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import load
from adapter_stilts.tasks.user import task_from_yaml

pytestmark = pytest.mark.usefixtures("no_network")

CARD = "---\nconfigs:\n- config_name: {config}\n  data_files:\n  - split: {split}\n    path: {path}\n---\n"
NLI = ("entailment", "neutral", "contradiction")


@pytest.fixture
def copy(tmp_path):
    """Write one split of a data set as the hub's conversion lays it out; returns where it is read from."""

    def put(folder, id, config, split, columns, names=(), label="label"):
        place = tmp_path / folder / id
        features = {name: Value("string") for name in columns if name != label}
        kind = ClassLabel(names=list(names)) if names else Value("int64")
        features[label] = Sequence(kind) if columns[label] and isinstance(columns[label][0], list) else kind
        (place / config).mkdir(parents=True, exist_ok=True)
        if label == "tags":
            features["tokens"] = Sequence(Value("string"))
        Dataset.from_dict(columns, features=Features(features)).to_parquet(place / config / f"{split}-0.parquet")
        card = CARD.format(config=config, split=split, path=f"{config}/{split}-*.parquet")
        (place / "README.md").write_text(card)
        return Where("hub", folder=tmp_path / folder, cache=tmp_path / "cache")

    return put


def nli(rows):
    premises, labels = [f"p{n}" for n in range(rows)], [n % 3 for n in range(rows)]
    return {"premise": premises, "hypothesis": ["h"] * rows, "label": labels}


def labels(task, where, split="train"):
    return [row.label for row in load(tasks[task], split, "en", where).examples]


def test_reads_each_folder_and_each_state_of_it_whatever_was_read_before(copy):
    small = copy("small", "nyu-mll/glue", "mnli", "train", nli(4))
    full = copy("full", "nyu-mll/glue", "mnli", "train", nli(9))
    assert [len(labels("mnli", where)) for where in (small, full, small)] == [4, 9, 4]
    assert len(labels("mnli", copy("small", "nyu-mll/glue", "mnli", "train", nli(5)))) == 5  # corrected in its place
    assert len(labels("mnli", small)) == 5


def test_lists_the_files_of_a_copy_with_their_hashes(copy):
    where = copy("a", "nyu-mll/glue", "mnli", "train", nli(4))
    (file,) = load(tasks["mnli"], "train", "en", where).origin.files
    assert file.path == where.folder / "nyu-mll/glue/mnli/train-0.parquet"
    assert (file.sha256, file.rows) == (hashlib.sha256(file.path.read_bytes()).hexdigest(), 4)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (NLI, ["entailment", "neutral", "contradiction"]),
        (("contradiction", "neutral", "entailment"), ["contradiction", "neutral", "entailment"]),
        (("Neutral", "ENTAILMENT", "contradictory"), ["neutral", "entailment", "contradiction"]),
        (("2", "1", "0"), ["contradiction", "neutral", "entailment"]),  # numbers mean what they do in the release
        ((), ["entailment", "neutral", "contradiction"]),
    ],
)
def test_takes_class_numbers_for_what_the_data_set_calls_them(copy, names, expected):
    assert labels("mnli", copy("a", "nyu-mll/glue", "mnli", "train", nli(3), names)) == expected


@pytest.mark.parametrize("names", [("not_entailment", "entailment"), ("yes", "no", "maybe"), ("LABEL_0", "LABEL_1")])
def test_refuses_class_names_that_are_none_of_the_tasks(copy, names):
    where = copy("a", "nyu-mll/glue", "mnli", "train", {**nli(2), "label": [0, 1]}, names)
    with pytest.raises(TaskDataError, match=r"the data set calls class 0 '.*no label of 'mnli'(.|\n)*mnli(.|\n)*YAML"):
        labels("mnli", where)


def test_reads_duplicates_by_their_names(copy):
    rows = {"question1": ["a", "b"], "question2": ["c", "d"], "label": [0, 1]}
    assert labels("qqp", copy("a", "nyu-mll/glue", "qqp", "train", rows, ("not_duplicate", "duplicate"))) == ["0", "1"]
    assert labels("qqp", copy("b", "nyu-mll/glue", "qqp", "train", rows, ("duplicate", "not_duplicate"))) == ["1", "0"]


def test_reads_tags_by_their_names(copy):
    names = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER", "B-ORG", "I-ORG"]
    rows = {"tokens": [["Ada", "in", "Ulm"]], "tags": [[3, 0, 1]]}
    where = copy("a", "unimelb-nlp/wikiann", "de", "test", rows, names, label="tags")
    assert load(tasks["panx"], "test", "de", where).examples[0].tags == ("B-PER", "O", "B-LOC")


def test_takes_the_names_of_a_task_of_ones_own_for_those_of_the_data_set(copy, write, tmp_path):
    rows = {"text": ["bad", "good"], "label": [0, 1]}
    where = copy("a", "me/reviews", "default", "train", rows, ("neg", "pos"))
    described = "name: reviews\nformat: single\nhub: {id: me/reviews, config: default, label_names: {%s}}\n"
    renamed = task_from_yaml(write("a.yaml", described % "neg: negative, pos: positive"))
    assert [row.label for row in load(renamed, "train", "en", where).examples] == ["negative", "positive"]
    numbered = task_from_yaml(write("b.yaml", described % "0: positive, 1: negative"))
    with pytest.raises(TaskDataError, match="the data set calls class 0 'neg', which is no label of 'reviews'"):
        load(numbered, "train", "en", where)


def test_says_what_a_folder_of_save_to_disk_is(tmp_path):
    Dataset.from_dict(nli(3)).save_to_disk(tmp_path / "nyu-mll/glue")
    Dataset.from_dict(nli(3)).save_to_disk(tmp_path / "facebook/xnli/sw")
    where = Where("hub", folder=tmp_path, cache=tmp_path / "cache")
    for task, language in (("mnli", "en"), ("mnli-mt", "sw")):
        with pytest.raises(TaskDataError, match=r"written by save_to_disk(.|\n)*to_json\('train.jsonl'\)"):
            load(tasks[task], "train", language, where)


@pytest.mark.parametrize("path", ["../../../secret.jsonl", "{root}/secret.jsonl", "http://local/x", "zip::y", "~/x"])
@pytest.mark.parametrize("card", [CARD, "---\nconfigs:\n- config_name: {config}\n  data_dir: {path}\n---\n"])
def test_names_no_file_outside_the_copy(copy, tmp_path, path, card):
    where = copy("a", "nyu-mll/glue", "mnli", "train", nli(4))
    (tmp_path / "secret.jsonl").write_text('{"premise": "hunter2", "hypothesis": "h", "label": 0}\n' * 4)
    header = card.format(config="mnli", split="train", path=path.format(root=tmp_path))
    (where.folder / "nyu-mll/glue/README.md").write_text(header)
    with pytest.raises(TaskDataError, match="the header names what is outside the copy"):
        labels("mnli", where)


def test_follows_no_link_out_of_the_copy(copy, tmp_path):
    where = copy("a", "nyu-mll/glue", "mnli", "train", nli(4))
    (file,) = (where.folder / "nyu-mll/glue/mnli").glob("*.parquet")
    file.rename(tmp_path / "secret.parquet")
    file.symlink_to(tmp_path / "secret.parquet")
    with pytest.raises(TaskDataError, match="a link leads out of the copy"):
        labels("mnli", where)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(TaskDataError):
        labels("mnli", where)


@pytest.mark.parametrize("header", ["a: " + "[" * 5000, "a: [", "configs: 7", "a: !!python/name:os.system"])
def test_refuses_a_header_that_is_none(copy, header):
    where = copy("a", "nyu-mll/glue", "mnli", "train", nli(4))
    (where.folder / "nyu-mll/glue/README.md").write_text(f"---\n{header}\n---\n")
    with pytest.raises(TaskDataError):
        labels("mnli", where)

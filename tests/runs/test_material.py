"""What was typed after --data becomes a place to read from, or a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.formats.text import PlainText
from adapter_stilts.runs.material import origin_facts, parse_sources, subset, where_of
from adapter_stilts.seeding import Seeds
from adapter_stilts.tasks.reading.place import FileFact, Origin, Where


def test_reads_the_miniature_for_the_miniature_trunk_and_the_hub_for_any_other():
    assert where_of((), "miniature", columns={}).kind == "miniature"
    assert where_of((), "FacebookAI/xlm-roberta-base", columns={}).kind == "hub"
    assert where_of(("miniature",), "FacebookAI/xlm-roberta-base", columns={}).kind == "miniature"


def test_reads_a_folder_or_files_whatever_the_trunk(tmp_path):
    place = where_of((str(tmp_path),), "miniature", columns={"label": "gold"})
    assert (place.kind, place.folder, place.columns) == ("files", tmp_path, {"label": "gold"})
    place = where_of(("train=a.tsv", "train=b=c.tsv", "dev=d.tsv"), "miniature", columns={})
    assert place.files == {"train": (Path("a.tsv"), Path("b=c.tsv")), "validation": (Path("d.tsv"),)}


def test_reads_the_hub_or_copies_of_it_whatever_the_trunk(tmp_path):
    assert where_of(("hub",), "miniature", columns={}) == Where("hub")
    assert where_of((f"hub={tmp_path}",), "miniature", columns={"text": "a"}) == Where(
        "hub", folder=tmp_path, columns={"text": "a"}
    )
    with pytest.raises(TaskDataError, match="no such folder"):
        where_of((f"hub={tmp_path / 'nowhere'}",), "miniature", columns={})
    with pytest.raises(UsageError, match="--data takes the hub alone"):
        where_of(("hub", str(tmp_path)), "miniature", columns={})


def test_takes_a_folder_with_an_equals_sign_for_a_folder(tmp_path):
    folder = tmp_path / "train=x"
    folder.mkdir()
    assert parse_sources((str(folder),)) == (str(folder), {})


@pytest.mark.parametrize(
    ("sources", "error", "message"),
    [
        (("a", "b"), UsageError, "one folder, or files as split=FILE; got: a, b"),
        (("a", "train=b.tsv"), UsageError, "one folder, or files"),
        (("trane=b.tsv",), UsageError, "'trane' is no split(.|\n)*use train=, validation= or test="),
        (("nowhere",), TaskDataError, "no such folder"),
    ],
)
def test_refuses_sources_that_have_no_meaning(sources, error, message):
    with pytest.raises(error, match=message):
        where_of(sources, "miniature", columns={})


def test_says_how_a_file_is_named(tmp_path):
    path = tmp_path / "rows.tsv"
    path.touch()
    with pytest.raises(TaskDataError, match=r"a file where a folder was expected(.|\n)*--data train=.*rows\.tsv"):
        where_of((str(path),), "miniature", columns={})


def test_draws_some_rows_without_replacement_in_file_order():
    texts = [PlainText(str(number), "x") for number in range(50)]
    some = [int(row.id) for row in subset(texts, 10, Seeds(1))]
    assert some == sorted(set(some))
    assert len(some) == 10
    assert some == [int(row.id) for row in subset(texts, 10, Seeds(1))]
    assert some != [int(row.id) for row in subset(texts, 10, Seeds(2))]
    assert subset(texts, None, Seeds(1)) == subset(texts, 50, Seeds(1)) == subset(texts, 51, Seeds(1)) == texts


def test_tells_where_rows_came_from_as_json_values():
    files = (FileFact(Path("a/b.tsv"), "00", 3),)
    assert origin_facts(Origin("nli", "train", "en", "files", files, rows=3)) == {
        "task": "nli",
        "split": "train",
        "language": "en",
        "kind": "files",
        "files": [{"path": "a/b.tsv", "sha256": "00", "rows": 3}],
        "rows": 3,
    }
    assert origin_facts(Origin("nli", "train", "en", "miniature"))["files"] == []

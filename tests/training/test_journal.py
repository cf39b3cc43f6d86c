from pathlib import Path

import pytest

from adapter_stilts.errors import ArtefactError, DoesNotFit
from adapter_stilts.training.loop import Journal


def test_appends_and_cuts_back(tmp_path):
    journal = Journal(tmp_path / "deep/metrics.jsonl")
    journal.cut(0)
    journal.append({"step": 1, "loss": 0.5})
    length = journal.length()
    journal.append({"step": 2, "loss": 0.25})
    journal.cut(length)
    assert (tmp_path / "deep/metrics.jsonl").read_text() == '{"step": 1, "loss": 0.5}\n'


def test_refuses_a_file_shorter_than_it_was(tmp_path):
    journal = Journal(tmp_path / "metrics.jsonl")
    with pytest.raises(ArtefactError, match="shorter than its checkpoint says"):
        journal.cut(10)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
def test_says_that_the_disk_is_full():
    with pytest.raises(DoesNotFit, match="the disk is full"):
        Journal(Path("/dev/full")).append({"step": 1})


def test_writes_nothing_without_a_path():
    journal = Journal(None)
    journal.cut(5)
    journal.append({"step": 1})
    assert journal.length() == 0

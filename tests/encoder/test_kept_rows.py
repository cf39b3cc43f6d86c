"""Rows of bytes on disk: what one process has made, others read; and whatever happens to the disk, nothing fails."""

import os
import resource
import shutil
import signal
import time

import numpy as np
import pytest

from adapter_stilts.encoder import kept_rows
from adapter_stilts.encoder.kept_rows import KeptRows

SIZE = 1000
AGO = 3600


def key(number):
    return number.to_bytes(16, "big")[::-1]  # ends in zeros


def row(number, size=SIZE):
    return np.random.default_rng(number).integers(0, 256, size, dtype=np.uint8)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """`place(limit, folder)` is a KeptRows as another process would have it; `place.said` what all were told."""
    monkeypatch.setattr(kept_rows, "SPARE", 0)
    monkeypatch.setattr(kept_rows, "LISTED", 0.0)
    said = []

    def make(limit=10**8, folder="made-by-one"):
        return KeptRows(tmp_path / "states" / folder, limit, said.append)

    make.said, make.root = said, tmp_path / "states"
    return make


def add(kept, *numbers):
    kept.add([key(number) for number in numbers], [row(number).data for number in numbers])


def there(kept, *numbers):
    """Which of these rows are there, each of them what it was."""
    buffers = [np.zeros(SIZE, np.uint8) for _ in numbers]
    missing = kept.read([key(number) for number in numbers], [buffer.data for buffer in buffers])
    found = [number for place, number in enumerate(numbers) if place not in missing]
    assert all((buffers[numbers.index(number)] == row(number)).all() for number in found)
    return found


def files(root, suffix=".rows"):
    return sorted(root.glob(f"*/*{suffix}"))


def test_gives_back_what_was_added_to_whoever_asks(place):
    first, second = place(), place()
    assert there(first, 1, 2, 3) == []
    add(first, 1, 2)
    add(first, 3)
    assert there(first, 3, 4, 1, 2) == [3, 1, 2]
    assert there(second, 2, 5, 3) == [2, 3]  # written after it was opened
    add(second, 5)
    assert there(first, 5, 6) == [5]
    assert there(place(folder="made-by-another"), 1, 2) == []
    assert (first.found, first.made) == (4, 5)
    assert place.said == []


def test_writes_nothing_before_there_is_something_to_keep(place):
    kept = place()
    there(kept, 1)
    add(kept)
    assert not place.root.exists()


def test_computes_again_what_is_damaged_and_says_so(place, flip):
    add(place(), 1, 2, 3)
    (path,) = files(place.root)
    flip(path, SIZE + 7, 1)
    kept = place()
    assert there(kept, 1, 2, 3) == [1]
    assert place.said == [f"{path} is damaged: what it holds is computed again"]
    assert not path.exists()
    add(kept, 2, 3)
    assert there(kept, 2, 3) == there(place(), 2, 3) == [2, 3]


def test_computes_again_what_was_cut_off(place):
    add(place(), 1, 2, 3)
    (path,) = files(place.root)
    os.truncate(path, 2 * SIZE + 10)
    assert there(place(), 1, 2, 3) == [1, 2]
    assert "is damaged" in place.said[0]


def test_does_not_take_a_row_of_another_size(place):
    add(place(), 1)
    assert place().read([key(1)], [bytearray(SIZE - 1)]) == [0]


def test_a_writer_that_is_killed_leaves_whole_rows(place):
    add(place(), 1, 2)
    (rows,), (index,) = files(place.root), files(place.root, ".index")
    for cut in (1, 31):  # in the middle of an entry
        with rows.open("ab") as stream:
            stream.write(row(9)[:700])
        with index.open("ab") as stream:
            stream.write(b"x" * cut)
    assert there(place(), 1, 2, 9) == [1, 2]
    rows.unlink()  # or removed by hand: an index alone
    assert there(place(), 1, 2) == []
    assert place.said == []


def test_begins_another_file_where_one_is_large_enough(place):
    kept = place(limit=16 * 3 * (SIZE + 32))  # an entry has 32 bytes
    for number in range(10):
        add(kept, number)
    assert [path.stat().st_size for path in files(place.root)].count(3 * SIZE) == 3
    assert there(kept, *range(10)) == there(place(), *range(10)) == [*range(10)]


def test_removes_what_was_used_longest_ago(place):
    limit = 16 * 2 * (SIZE + 32)
    for number in range(0, 30, 2):
        add(place(limit, f"run-{number % 4}"), number, number + 1)  # two rows a file
    for age, path in enumerate(sorted(files(place.root), key=lambda path: path.stat().st_mtime_ns)):
        for each in (path, path.with_suffix(".index")):
            os.utime(each, (time.time() - AGO + age,) * 2)
    assert there(place(limit, "run-0"), 0) == [0]  # the oldest, and now the one used last
    new = place(limit, "run-new")
    for number in range(100, 108, 2):
        add(new, number, number + 1)
    assert there(new, *range(100, 108)) == [*range(100, 108)]
    assert there(place(limit, "run-0"), 0, 4) == [0]
    assert there(place(limit, "run-2"), 2, 26) == [26]
    assert sum(path.stat().st_size for path in place.root.glob("*/*")) <= limit
    assert place.said == []


def test_keeps_what_is_in_use_and_says_that_there_is_no_room(place):
    kept, limit = place(4 * SIZE), 4 * SIZE  # three rows with their entries
    for number in range(8):
        add(kept, number)
    held = there(kept, *range(8))
    assert held == [0, 1, 2]
    add(place(limit, "another"), 50)
    assert there(place(), *range(8)) == held
    full = f"{place.root} is full: what does not fit is computed each time it is needed (training.cache_gb)"
    assert place.said == [full, full]  # once each


def test_a_limit_below_one_row_keeps_nothing(place):
    kept = place(10)
    add(kept, 1)
    assert there(kept, 1) == []
    assert len(place.said) == 1


def test_leaves_room_on_the_disk(place, monkeypatch):
    monkeypatch.setattr(kept_rows, "SPARE", shutil.disk_usage(place.root.parent).free + 2**40)
    add(place(None), 1)
    assert files(place.root) == []
    assert "is full" in place.said[0]


def test_a_folder_that_cannot_be_written_to_is_said_once(place):
    place.root.write_text("a file", encoding="utf-8")
    kept = place()
    for number in range(3):
        assert there(kept, number) == []
        add(kept, number)
    (sentence,) = place.said
    assert sentence.startswith("cannot write: ")
    assert str(place.root) in sentence


def test_a_full_disk_is_said_once_and_its_space_given_back(place):
    kept = place()
    add(kept, 1, 2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * SIZE + 500, before[0][1]))  # EFBIG, as of a full disk
    try:
        for number in range(3, 9):
            add(kept, number)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
        signal.signal(signal.SIGXFSZ, before[1])
    assert place.said == [f"the disk is full; {place.root} is not written to any more"]
    assert files(place.root) == []
    assert there(kept, *range(9)) == []


def test_may_be_deleted_at_any_moment(place):
    writer, reader = place(), place()
    add(writer, 1, 2)
    assert there(reader, 1) == [1]
    shutil.rmtree(place.root)
    assert there(place(), 1, 2) == []
    add(writer, 3)
    assert there(place(), 3) == [3]
    shutil.rmtree(place.root)
    there(reader, 1, 2, 3)  # whatever is still open may be read
    add(reader, 4)
    assert there(place(), 4) == [4]
    assert place.said == []


def test_opens_no_file_for_each_file_there_is(place, monkeypatch):
    monkeypatch.setattr(kept_rows, "OPEN", 3)
    for number in range(9):
        add(place(), number)
    kept = place()
    for _ in range(2):
        assert there(kept, *range(9)) == [*range(9)]
    assert len(kept._open) == 3

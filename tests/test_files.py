"""What is read of a file, whatever it holds and is."""

import os

import pytest

from adapter_stilts.errors import StiltsError, TaskDataError
from adapter_stilts.files import first_line, from_json, numbered_lines, place_folder, read_bytes, read_json, sha256


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "", "[1,", "{'a': 1}"])
def test_tells_json_that_is_none_by_one_error(tmp_path, text):
    with pytest.raises(ValueError):
        from_json(text)
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(TaskDataError, match="not valid JSON"):
        read_json(tmp_path / "a.json")


def test_gives_a_folder_its_name_or_leaves_what_was_there(tmp_path):
    place, made = tmp_path / "place", tmp_path / ".made.partial"
    for text in ("first", "second"):
        made.mkdir()
        (made / "file").write_text(text)
        place_folder(made, place)
        assert (place / "file").read_text() == text
    with pytest.raises(StiltsError, match="cannot write: No such file"):
        place_folder(made, place)
    assert (place / "file").read_text() == "second"
    (tmp_path / "link").symlink_to(place)
    made.mkdir()
    place_folder(made, tmp_path / "link")
    assert (place / "file").read_text() == "second"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "place"]
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["pipe", "pipe.gz", "pipe.zst"])
def test_waits_for_no_pipe(tmp_path, name):
    path = tmp_path / name
    os.mkfifo(path)
    for read in (read_bytes, sha256):
        with pytest.raises(OSError, match="a pipe or a device where a file was expected"):
            read(path)
    with pytest.raises(TaskDataError, match="a pipe or a device.*\n.*\n.*write what it gives to a file"):
        list(numbered_lines(path))
    assert first_line(path) == b""

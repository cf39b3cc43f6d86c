"""What comes from others does nothing to a terminal, and what a terminal or a launcher does ends in a defined exit."""

import json
import os
import subprocess
import sys

import pytest
from adapter_stilts_cli import app as cli
from adapter_stilts_cli import render, tables
from adapter_stilts_cli.progress import Plain

from adapter_stilts.errors import StiltsError, shown

HOSTILE = "a\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\x7f\udcff\r"
PLAIN = r"a\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\x7f\udcff\r"
PROGRAM = (sys.executable, "-m", "adapter_stilts_cli")


def test_writes_control_characters_and_leaves_languages_alone():
    assert shown(HOSTILE) == PLAIN
    for text in ("שלום\u200f", "سلام\u200c", "é\n\tü 中文 👍🏽", "100 % [bold]x[/] {y}"):
        assert shown(text) == text


def test_shows_them_in_errors_tables_facts_progress_and_json(capsys):
    error = StiltsError(HOSTILE, where=f"{HOSTILE}\n  do: run this", do=HOSTILE)
    assert str(error) == f"StiltsError: {PLAIN}\n  where: {PLAIN}\\n  do: run this\n  do:    {PLAIN}"
    render.table(HOSTILE, ("x", HOSTILE), [(1, HOSTILE)])
    render.facts({HOSTILE: HOSTILE})
    render.say(HOSTILE)
    Plain(sys.stdout).say(HOSTILE)
    printed = capsys.readouterr().out
    assert printed.count(PLAIN) == 7
    assert shown(printed) == printed
    render.document({HOSTILE: HOSTILE})
    document = capsys.readouterr().out
    assert shown(document) == document
    assert json.loads(document) == {HOSTILE: HOSTILE}


def test_keeps_a_table_whole_where_a_cell_has_line_breaks(capsys):
    tables.show("t", ("a", "b"), [("x\ny", "z")], sys.stdout)
    assert capsys.readouterr().out.count("\n") == 3


@pytest.mark.parametrize("name", ["WORLD_SIZE", "RANK", "LOCAL_RANK"])
@pytest.mark.parametrize("value", ["x", "", "-1", "2.5", "9" * 99])
def test_refuses_what_no_launcher_sets(run, name, value):
    ended = run("list", "kinds", env={name: value})
    assert ended.exit_code == 2
    assert f"UsageError: {name} is no number" in ended.stderr


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (MemoryError(), 5, "out of memory"),
        (RuntimeError("[enforce fail at x] DefaultCPUAllocator: can't allocate memory"), 5, "out of memory"),
        (RuntimeError("std::bad_alloc"), 5, "out of memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), 5, "out of memory"),
        (OSError(12, "Cannot allocate memory"), 5, "out of memory"),
        (RecursionError(), 3, "nested too deeply"),
        (OSError(28, "No space left on device"), 5, "stdout is full"),
        (OSError(28, "No space left on device", "a.txt"), 5, "the disk is full"),
        (IsADirectoryError(21, "Is a directory", "a"), 1, "cannot read: Is a directory"),
        (BrokenPipeError(32, "Broken pipe"), 1, "stdout was closed before all was printed"),
    ],
)
def test_ends_in_a_defined_exit_whoever_failed(run, monkeypatch, error, code, said):
    def fail(*_):
        raise error

    monkeypatch.setattr(cli, "check_launch", fail)
    ended = run("list", "kinds")
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert said in ended.stderr


def test_says_so_where_stdout_is_full_or_closed_and_lives_without_stderr():
    def ended(words, **streams):
        made = subprocess.run([*PROGRAM, *words], stderr=subprocess.PIPE, text=True, check=False, **streams)
        return made.returncode, made.stderr

    with open("/dev/full", "w") as full:
        code, said = ended(["list", "kinds"], stdout=full)
        assert (code, said.partition("\n")[0]) == (5, "DoesNotFit: stdout is full")
    reading, writing = os.pipe()
    os.close(reading)
    code, said = ended(["list", "kinds"], stdout=writing)
    os.close(writing)
    assert (code, said.partition("\n")[0]) == (1, "StiltsError: stdout was closed before all was printed")
    shell = "{} -m adapter_stilts_cli info nothing {}; test $? = 3"
    for streams in (">&-", "2>&-", "2>/dev/full", ">&- 2>&- <&-"):
        subprocess.run(shell.format(sys.executable, streams), shell=True, check=True, capture_output=True)

"""Tables in a pipe and on terminals of any width."""

from __future__ import annotations

import io

import pytest
from adapter_stilts_cli import tables

NAMES = ("task", "summary", "n")
ROWS = [["xnli", "the same claim in fifteen languages", "5 010"], ["tatoeba", "find the translation", "1"]]


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def drawn(monkeypatch, width, columns, rows, title="", **environment):
    for name, value in {"COLUMNS": str(width), "NO_COLOR": "1", **environment}.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    tables.show(title, columns, rows, stream)
    return stream.getvalue().rstrip("\n").split("\n")


def piped(columns, rows, title=""):
    stream = io.StringIO()
    tables.show(title, columns, rows, stream)
    return stream.getvalue()


def test_aligns_names_to_the_left_and_numbers_to_the_right():
    text = piped(("task", "n"), [["xnli", "5 010"], ["tatoeba", "1"]], "scores")
    assert text == "scores\ntask         n\nxnli     5 010\ntatoeba      1\n"


def test_shortens_nothing_in_a_pipe():
    assert f"{'x' * 500}  [red]" in piped(("a", "b"), [("x" * 500, "[red]")])


def test_wraps_between_words_and_keeps_numbers_and_intervals_whole(monkeypatch):
    assert drawn(monkeypatch, 80, NAMES, ROWS)[1] == "xnli     the same claim in fifteen languages  5 010"
    for width in (30, 32, 40):
        lines = drawn(monkeypatch, width, NAMES, ROWS)
        assert max(map(len, lines)) <= width
        words = " ".join(lines).replace("5 010", "5_010").split()
        assert sorted(words) == sorted(
            [*NAMES, *" ".join(" ".join(row) for row in ROWS).replace("5 010", "5_010").split()]
        )
    interval = drawn(monkeypatch, 22, ("metric", "interval"), [["token accuracy", "24.6 to 57.7"]])
    assert interval == ["metric    interval", "token     24.6 to 57.7", "accuracy"]


def test_cuts_no_name_however_narrow_the_terminal(monkeypatch):
    rows = [["runs/nli-1a2b3c4d", "finished", "seq_bn"], ["runs/nli-5e6f7a8b", "finished", "lora"]]
    lines = drawn(monkeypatch, 28, ("run", "state", "kind"), rows)
    assert lines == [
        "run                kind",
        "runs/nli-1a2b3c4d  seq_bn",
        "runs/nli-5e6f7a8b  lora",
        "every row: state finished",
    ]
    lines = drawn(monkeypatch, 20, ("run", "state", "kind"), rows)
    assert lines[1] == "runs/nli-1a2b3c4d"
    assert lines[-1] == "left out for want of width, and in --json: kind"
    assert drawn(monkeypatch, 10, ("run",), [["runs/nli-1a2b3c4d"]]) == ["run", "runs/nli-1a2b3c4d"]
    assert drawn(monkeypatch, 20, ("run", "state"), [["runs/nli-1a2b3c4d", "finished"]])[-1] == "state finished"


def test_counts_the_cells_of_wide_characters(monkeypatch):
    lines = drawn(monkeypatch, 80, ("text", "n"), [["猫が寝る", "a"], ["abc", "b"]])
    assert lines[1:] == ["猫が寝る  a", "abc       b"]


def test_reads_no_markup_and_colours_only_a_terminal_that_wants_it(monkeypatch):
    rows = [("[red]not a colour[/red]", "3")]
    assert "[red]not a colour[/red]" in "".join(drawn(monkeypatch, 80, ("a", "n"), rows, "title"))
    assert "\x1b" not in "".join(drawn(monkeypatch, 80, ("a", "n"), rows, "title"))
    assert "\x1b" in "".join(drawn(monkeypatch, 80, ("a", "n"), rows, NO_COLOR="", TERM="xterm"))
    assert "\x1b" not in "".join(drawn(monkeypatch, 80, ("a", "n"), rows, NO_COLOR="", TERM="dumb"))
    assert "\x1b" not in piped(("a", "n"), rows)


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_puts_facts_beside_their_names(monkeypatch, stream):
    monkeypatch.setenv("COLUMNS", "40")
    written = stream()
    facts = {"run": "runs/a", "licence": "", "advice": "raise the rate, and take more steps than before"}
    tables.show_facts(facts, written)
    lines = written.getvalue().split("\n")
    assert lines[:2] == ["run      runs/a", "licence"]
    if stream is Terminal:
        assert lines[2:] == ["advice   raise the rate, and take more", "         steps than before", ""]
    else:
        assert lines[2:] == ["advice   raise the rate, and take more steps than before", ""]

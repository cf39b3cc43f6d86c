"""Progress: plain lines at their pace, bars on a terminal, nothing from the second process."""

from __future__ import annotations

import io
import sys

import pytest
from adapter_stilts_cli.progress import Drawn, Plain, line, reporter, span

from adapter_stilts.reporting import Silent


class Clock:
    """Seconds that pass when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_shows_a_step_every_few_seconds_and_the_last_one():
    stream, clock = io.StringIO(), Clock()
    with Plain(stream, clock, seconds=5).progress("training nli") as progress:
        for step in range(1, 13):
            clock.now += 1
            progress(step, 12, f"loss {step}")
    assert stream.getvalue().split("\n") == [
        "training nli 5/12 (41 %) in 5 s, 7 s left, loss 5",
        "training nli 10/12 (83 %) in 10 s, 2 s left, loss 10",
        "training nli 12/12 (100 %) in 12 s, loss 12",
        "",
    ]


def test_does_not_count_what_was_done_before_as_speed():
    stream, clock = io.StringIO(), Clock()
    with Plain(stream, clock, seconds=5).progress("encoding a") as progress:
        clock.now = 20  # a trunk is loaded
        for step in range(90, 96):
            progress(step, 100)
            clock.now += 1
    assert stream.getvalue().split("\n")[:2] == [
        "encoding a 90/100 (90 %) in 20 s",
        "encoding a 95/100 (95 %) in 25 s, 5 s left",
    ]


def test_says_nothing_of_work_that_never_began():
    stream = io.StringIO()
    with Plain(stream).progress("training nli"):
        pass
    assert not stream.getvalue()


def test_leaves_out_what_it_does_not_know():
    assert line("mining", 3, 0, "", 7) == "mining 3 in 7 s"


@pytest.mark.parametrize(("seconds", "said"), [(0.2, "0 s"), (99, "99 s"), (150, "2 min"), (7200, "2.0 h")])
def test_says_seconds_as_people_do(seconds, said):
    assert span(seconds) == said


def test_draws_bars_inside_bars_and_sentences_above_them(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    report = Drawn(stream)
    with report.progress("outer") as outer:
        outer(1, 2, "[b]half")
        with report.progress("inner") as inner:
            inner(3, 3)
            report.say("a [sentence]")
        report.table("", ("a",), [("cell",)])
    text = stream.getvalue()
    assert "[b]half" in text
    assert "inner" in text
    assert "a [sentence]" in text
    assert "cell" in text
    assert "\x1b[3" not in text


@pytest.mark.parametrize("width", [80, 200])
def test_cuts_names_rather_than_numbers(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    with Drawn(stream).progress("encoding " + "long-name" * 20) as progress:
        progress(0, 30000)
        progress(10000, 30000, "104 sentences/s")
    drawn = stream.getvalue().split("\n")[-2]
    assert "10000/30000" in drawn
    assert drawn.endswith("104 sentences/s")
    assert ("0:00:00" in drawn) == (width == 200)


def test_can_open_a_bar_again_after_one_that_failed():
    report = Drawn(Terminal())
    with pytest.raises(ZeroDivisionError), report.progress("first"):
        raise ZeroDivisionError
    with report.progress("second") as progress:
        progress(1, 1)


def test_draws_only_on_a_terminal_that_can_draw(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(reporter(), Drawn)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(reporter(), Plain)


def test_is_silent_in_every_process_but_the_first(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert isinstance(reporter(), Silent)


def test_leaves_no_bar_where_there_was_nothing_to_do():
    stream = Terminal()
    with Drawn(stream).progress("scoring"):
        pass
    assert "scoring" not in stream.getvalue().split("\x1b[2K")[-1]

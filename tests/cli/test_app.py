"""Verbs, help and exit codes; errors are three lines on stderr and nothing on stdout."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import typer
from adapter_stilts_cli.app import StiltsGroup, quiet_libraries, say
from typer.testing import CliRunner

from adapter_stilts import __version__, errors

VERBS = (
    "demo",
    "train",
    "fuse",
    "eval",
    "info",
    "doctor",
    "list tasks",
    "list kinds",
    "list recipes",
    "list runs",
    "list languages",
)
HEAVY = {
    "torch",
    "transformers",
    "adapters",
    "peft",
    "datasets",
    "faiss",
    "accelerate",
    "numpy",
    "rich",
    "yaml",
    "jinja2",
    "safetensors",
    "tokenizers",
}


def python(*words: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, **more)


def raising(error: BaseException) -> typer.Typer:
    """A program whose only verb fails."""
    program = typer.Typer(cls=StiltsGroup, rich_markup_mode=None)

    @program.callback()
    def start() -> None:
        """Two levels, as in ours."""

    @program.command()
    def fail() -> None:
        typer.echo("working", err=True)
        raise error

    return program


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["--version"]])
def test_answers_help_without_importing_anything_heavy(words):
    script = (
        f"import sys; from adapter_stilts_cli.app import app; app({words}, standalone_mode=False); "
        "print(*sys.modules, file=sys.stderr)"
    )
    done = python("-c", script)
    assert done.returncode == 0
    assert "adapter-stilts" in done.stdout
    assert not HEAVY & set(done.stderr.split())


def test_runs_as_a_module_too():
    done = python("-m", "adapter_stilts_cli", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"adapter-stilts {__version__}\n", "")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("list",)])
def test_shows_help_where_nothing_else_was_asked(run, words):
    result = run(*words)
    assert result.exit_code == 0
    assert "Commands:" in result.stdout
    assert not result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_ends_the_help_of_each_verb_with_an_example(run, verb):
    result = run(*verb.split(), "--help")
    assert result.exit_code == 0
    assert f"adapter-stilts {verb}" in result.stdout.rsplit("Example", 1)[1].split("\n", 1)[1]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("demo", "train", "fuse", "eval")])
def test_offers_json_on_every_verb(run, verb):
    assert "--json" in run(*verb.split(), "--help").stdout


@pytest.mark.parametrize("verb", ["demo", "train", "fuse", "eval"])
def test_offers_a_dry_run_where_something_is_written(run, verb):
    assert "--dry-run" in run(verb, "--help").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("trian", "nli"), "Did you mean 'train'?"),
        (("list", "task"), "Did you mean 'tasks'?"),
        (("train", "nli", "--sed", "3"), "--seed"),
        (("train",), "Missing argument"),
        (("train", "nli", "--seed", "many"), "--seed"),
        (("eval",), "--tasks"),
        (("--nonsense",), "No such option"),
    ],
)
def test_answers_a_mistyped_command_line_with_advice(run, words, told):
    result = run(*words)
    assert result.exit_code == 2
    assert not result.stdout
    assert result.stderr.startswith("UsageError: ")
    assert told in result.stderr
    assert "--help`" in result.stderr.rstrip().split("\n")[-1]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.StiltsError("it broke"), 1),
        (errors.ConfigError("mistake"), 2),
        (errors.UnknownName("no task called 'x'"), 2),
        (errors.TaskDataError("a hole", where="a.tsv, line 3", do="mend it"), 3),
        (errors.ArtefactError("damaged"), 4),
        (errors.DoesNotFit("too small"), 5),
        (errors.Interrupted("saved"), 130),
    ],
)
def test_ends_in_the_exit_code_of_the_error(error, code):
    result = CliRunner().invoke(raising(error), ["fail"], catch_exceptions=False)
    assert result.exit_code == code
    assert result.stderr == f"working\n{error}\n"
    assert not result.stdout


def test_says_interrupted_without_a_traceback():
    result = CliRunner().invoke(raising(KeyboardInterrupt()), ["fail"], catch_exceptions=False)
    assert result.exit_code == 130
    assert "Interrupted: stopped" in result.stderr


def test_says_which_folder_may_not_be_read():
    result = CliRunner().invoke(
        raising(PermissionError(13, "Permission denied", "closed/run")), ["fail"], catch_exceptions=False
    )
    assert result.exit_code == 1
    assert "StiltsError: cannot read: Permission denied\n  where: closed/run\n  do:    check" in result.stderr


def test_says_what_to_do_when_memory_runs_out():
    result = CliRunner().invoke(raising(MemoryError("tried to allocate 9 GB")), ["fail"], catch_exceptions=False)
    assert result.exit_code == 5
    assert "where: tried to allocate 9 GB" in result.stderr
    assert "training.token_budget" in result.stderr


def test_hides_no_fault_of_its_own():
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(raising(ZeroDivisionError()), ["fail"], catch_exceptions=False)


def test_treats_sigterm_like_an_interrupt_and_gives_the_signal_back():
    before = signal.getsignal(signal.SIGTERM)

    class Kill(Exception):
        def __init__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    program = typer.Typer(cls=StiltsGroup, rich_markup_mode=None)
    program.command()(lambda: Kill() and None)
    program.command("other")(lambda: None)
    result = CliRunner().invoke(program, ["<lambda>"], catch_exceptions=False)
    assert (result.exit_code, result.stderr.split("\n")[0]) == (130, "Interrupted: stopped")
    assert signal.getsignal(signal.SIGTERM) is before


def test_switches_telemetry_off_and_leaves_what_the_user_set():
    environment = {"TOKENIZERS_PARALLELISM": "true"}
    quiet_libraries(environment)
    assert environment["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert environment["TOKENIZERS_PARALLELISM"] == "true"


class Screen(io.StringIO):
    """An stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colours_errors_on_a_terminal_unless_the_user_minds(monkeypatch):
    error = errors.UsageError("no such thing: x", where="here", do="look there")
    said = {}
    for mind in ("", "1"):
        monkeypatch.setenv("NO_COLOR", mind)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("sys.stderr", Screen())
        say(error)
        said[mind] = sys.stderr.getvalue()
    assert said["1"] == f"{error}\n"
    assert said[""].startswith("\x1b[31m\x1b[1mUsageError\x1b[0m: no such thing: x\n")
    assert re.sub(r"\x1b\[\d+m", "", said[""]) == f"{error}\n"


def test_helps_in_the_width_of_the_terminal():
    code = "from adapter_stilts_cli.app import main; main()"
    for width in (80, 200):
        command = [sys.executable, "-c", code, "train", "--help"]
        said = subprocess.run(command, env={**os.environ, "COLUMNS": str(width)}, capture_output=True, text=True)
        text = said.stdout.partition("Example")[0]
        assert width - 25 < max(map(len, text.split("\n"))) <= width

"""`adapter-stilts`: the verbs, and the one place where errors become three lines and an exit code.

Command bodies import the library when they run, so that `--help` answers without waiting for torch. Everything a verb
prints for programs goes to stdout, everything for people to stderr.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from inspect import cleandoc
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from adapter_stilts import __version__
from adapter_stilts.environment import check_launch, patient_threads
from adapter_stilts.errors import ArtefactError, DoesNotFit, Interrupted, StiltsError, TaskDataError, UsageError
from adapter_stilts.files import NO_SPACE

from . import (
    convert,
    encode,
    evaluate,
    info,
    inspect,
    merge,
    mine,
    plan,
    predict,
    recommend,
    reports,
    score,
    search,
    share,
    study,
    sweep,
    train,
)
from .options import StiltsCommand, option
from .tables import coloured

PROGRAM = "adapter-stilts"
# of the system, of torch, FAISS and C++, in errors of any type but MemoryError
NO_MEMORY = re.compile(
    "out of memory|allocate memory|not enough memory|bad_alloc|unpacking long|size calculation over"
    "|failed to map segment|without exception set|start new thread"
)
WIDEST = 1000  # columns of help, which has as many as the terminal


class StiltsGroup(TyperGroup):
    """Prints a StiltsError, a mistyped command line or an interrupt as what, where, do; no traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            code = super().main(args, prog_name or PROGRAM, complete_var, False, windows_expand_args, **extra)
            sys.stdout.flush()
        except typer.TyperException as error:
            context = getattr(error, "ctx", None)
            path = context.command_path if context is not None else PROGRAM
            say(UsageError(error.format_message().rstrip("."), do=f"see `{path} --help`"))
            code = UsageError.exit_code
        except OSError as error:  # of stdout
            code = say_of(error).exit_code
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: Any) -> Any:
        try:
            with terminated_like_interrupted():
                return super().invoke(ctx)
        except typer.Exit:
            raise
        except BaseException as error:
            raise typer.Exit(say_of(error).exit_code) from error


def say(error: StiltsError) -> None:
    """Print an error on stderr; on a terminal what it is is red, and the names of its lines are bold."""
    name, _, rest = str(error).partition(":")
    if coloured(sys.stderr):
        name = typer.style(name, fg="red", bold=True)
        rest = re.sub(r"(?m)^  (where|do):", lambda line: typer.style(line[0], bold=True), rest)
    with suppress(OSError):  # stderr may be closed or full; the exit says it as well
        typer.echo(f"{name}:{rest}", err=True)


def say_of(error: BaseException) -> StiltsError:
    """Print what a command was ended by, and give it; a mistake of ours is raised, for its traceback."""
    known = _known(error)
    if known is None:
        raise error
    if isinstance(error, OSError) and error.filename is None and sys.stdout is sys.__stdout__:  # try nothing more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    say(known)
    return known


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does; training puts its own handler above this one."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread, which is where signals arrive
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def quiet_libraries(environment: MutableMapping[str, str]) -> None:
    """No telemetry, and no advice from the libraries underneath; what the user has set stays."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "TRANSFORMERS_NO_ADVISORY_WARNINGS"):
        environment.setdefault(name, "1")
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")


def _known(error: BaseException) -> StiltsError | None:
    """What a command was ended by, as an error that says what to do; None for a mistake of ours, shown with its
    traceback."""
    if isinstance(error, StiltsError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("stopped", do="run the same command again; what was finished is kept")
    of_others = isinstance(error, RuntimeError | OSError | ImportError | SystemError)
    if isinstance(error, MemoryError) or (of_others and NO_MEMORY.search(str(error))):
        do = "lower training.token_budget or training.batch_rows (and raise training.accumulation), "
        do += "or use a smaller trunk"
        return DoesNotFit("out of memory", where=str(error).split("\n")[0], do=do)
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, RecursionError):
        return TaskDataError("what was read is nested too deeply", do="look for brackets in brackets; take them out")
    if type(error).__name__ == "PanicException":  # of the tokenizer's library
        do = "fetch the trunk again, all of its files; a text may also hold what it cannot read"
        return ArtefactError(f"the tokenizer failed: {error}", do=do)
    return None


def _of_system(error: OSError) -> StiltsError:
    """A file's, or where there is none that of stdout, which may be full, or closed by who has read enough."""
    said, where = error.strerror or str(error), str(error.filename or "")
    if error.errno in NO_SPACE:
        what = "the disk is full; what was written before is kept" if where else "stdout is full"
        return DoesNotFit(what, where=where, do="free some space and run the command again")
    if not where and error.errno in (errno.EPIPE, errno.EBADF):
        return StiltsError("stdout was closed before all was printed", do="read all of it, or write to a file")
    what = "cannot read" if where else "the system refused what was asked of it"
    return StiltsError(f"{what}: {said}", where=where, do="check the folder and its permissions")


def group() -> typer.Typer:
    return typer.Typer(
        cls=StiltsGroup,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    )


def verb(under: typer.Typer, name: str, command: Callable[..., None]) -> None:
    """Register a command; the example at the end of its docstring goes to the end of its help, below the options."""
    text = cleandoc(command.__doc__ or "")
    start = text.index("\b\nExample")
    under.command(name, cls=StiltsCommand, help=text[:start], epilog=text[start:])(command)


app, lists = group(), group()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    ctx: typer.Context,
    version: Annotated[
        bool, option("--version", None, "Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Intermediate-task training with adapters over a frozen XLM-R, scored
    zero-shot across languages.

    \b
    Start here, offline and without options:
      adapter-stilts demo
    """
    quiet_libraries(os.environ)
    patient_threads(os.environ)
    check_launch(os.environ)
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


@lists.callback(invoke_without_command=True)
def start_list(ctx: typer.Context) -> None:
    """List tasks, kinds, recipes, runs, languages or settings.

    \b
    Example:
      adapter-stilts list runs
    """
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


verb(app, "demo", study.demo)
verb(app, "plan", plan.plan)
verb(app, "train", train.train)
verb(app, "fuse", train.fuse)
verb(app, "merge", merge.merge)
verb(app, "eval", evaluate.evaluate)
verb(app, "predict", predict.predict)
verb(app, "score", score.score)
verb(app, "encode", encode.encode)
verb(app, "mine", mine.mine)
verb(app, "search", search.search)
verb(app, "sweep", sweep.sweep)
verb(app, "recommend", recommend.recommend)
verb(app, "study", study.study)
verb(app, "report", reports.report)
verb(app, "replay", reports.replay)
verb(app, "push", share.push)
verb(app, "pull", share.pull)
verb(app, "convert", convert.convert)
app.add_typer(lists, name="list")
verb(app, "info", info.info)
verb(app, "compare", info.compare)
verb(app, "doctor", inspect.doctor)
for _list in inspect.LISTS:
    verb(lists, _list.__name__, _list)


def main() -> None:
    """The console script. What is closed is nowhere: what is printed there is lost, and nothing else."""
    for name in ("stdin", "stdout", "stderr"):  # each takes the lowest number that is free: its own
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
    app()

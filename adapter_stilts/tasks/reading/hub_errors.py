"""What went wrong at the hub, in a sentence that says what to do: what was tried, the fallback, and how to give the
files instead."""

from __future__ import annotations

from collections.abc import Sequence

from adapter_stilts.errors import StiltsError, TaskDataError, Unreachable

CONVERTED = "refs/convert/parquet"  # the hub's own conversion of a loading script to plain files
FILES = (
    "give the files of its original release with --data DIR (`adapter-stilts list tasks --files` prints their names)"
)


def is_script(error: Exception) -> bool:
    """Whether a data set was refused because it is a program."""
    return "script" in _said(error).lower()


def translated(error: Exception, where: str, reason: str, tried: Sequence[str] = ()) -> StiltsError:
    """The error for one that `datasets` raised.

    reason  why the hub cannot be asked, "" where it can
    tried   the revisions asked for, "" the newest
    """
    said = _said(error) if error.__cause__ is None else f"{_said(error)} ({_said(error.__cause__)})"
    conversion = f"its conversion (revision {CONVERTED})"
    if is_script(error):
        what, do = f"the data set is a loading script, which is not run: {said}", FILES
        if CONVERTED in tried:
            what += f"; {conversion} is none that can be read either"
        else:
            do = (
                f"take its conversion (huggingface-cli download --repo-type dataset --revision {CONVERTED}), or {FILES}"
            )
    elif reason or isinstance(error, ConnectionError):
        what = f"{reason or 'the hub does not answer'} and the data set is not cached: {said}"
        do = "unset HF_HUB_OFFLINE, connect, or give the task's files with --data DIR"
        return Unreachable(what, where=where, do=do)
    elif CONVERTED in tried and len(tried) > 1:
        what = f"the data set is a loading script, which is not run, and {conversion} cannot be read: {said}"
        do = FILES
    elif "unknown split" in said.lower() or "bad split" in said.lower():
        what = f"this configuration has no such split: {said}"
        do = "choose another split or language, or give files with --data DIR"
    else:
        what, do = f"cannot be read: {said}", f"try revision {CONVERTED} in a task file of your own, or {FILES}"
    return TaskDataError(what, where=where, do=do)


def _said(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

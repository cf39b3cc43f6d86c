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
    if is_script(error):
        what = f"the data set is a loading script, which is not run: {said}"
        if CONVERTED in tried:
            return TaskDataError(
                f"{what}; its conversion (revision {CONVERTED}) is none that can be read either", where=where, do=FILES
            )
        return TaskDataError(
            what,
            where=where,
            do=f"take its conversion (huggingface-cli download --repo-type dataset --revision {CONVERTED}), or {FILES}",
        )
    if reason or isinstance(error, ConnectionError):
        what = f"{reason or 'the hub does not answer'} and the data set is not cached: {said}"
        return Unreachable(
            what, where=where, do="unset HF_HUB_OFFLINE, connect, or give the task's files with --data DIR"
        )
    if CONVERTED in tried and len(tried) > 1:
        what = "the data set is a loading script, which is not run, and its conversion"
        what += f" (revision {CONVERTED}) cannot be read: {said}"
        return TaskDataError(what, where=where, do=FILES)
    if "unknown split" in said.lower() or "bad split" in said.lower():
        return TaskDataError(
            f"this configuration has no such split: {said}",
            where=where,
            do="choose another split or language, or give files with --data DIR",
        )
    return TaskDataError(
        f"cannot be read: {said}", where=where, do=f"try revision {CONVERTED} in a task file of your own, or {FILES}"
    )


def _said(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

"""Every error a user can meet, with the exit code it ends in.

    StiltsError                  1   failed while running
    ├── UsageError               2   a command line or configuration that cannot be
    │   ├── UnknownName          2   a name that is not registered; the nearest right one is suggested
    │   ├── ConfigError          2   mistakes in a configuration file, all of them at once
    │   └── CompositionError     2   an adapter composition that has no meaning here
    ├── MissingError             3   something that should be there is not, or cannot be reached
    │   ├── TaskDataError        3   a data file that is missing, truncated, empty or wrong
    │   └── Unreachable          3   the network was needed and is off, or did not answer
    ├── ArtefactError            4   a trunk, bundle or run that is corrupt or does not fit
    ├── DoesNotFit               5   memory or disk is too small for the settings
    ├── StudyFailed              6   a study has finished, and some of its stages have failed or differ
    └── Interrupted            130   stopped by the user; progress is saved

Each says what is wrong, where, and what to do:

    raise TaskDataError("label 'neutal' is not one of: contradiction, entailment, neutral",
                        where="data/xnli/test.sw.tsv, line 4012", do="correct the row")
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# What a terminal obeys: C0 but for tab and line feed, DEL, C1, what turns the direction of text; and half characters
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str) -> str:
    """A text that may come from others as people are shown it: control characters are written, not obeyed."""
    return CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    """The same with its line breaks written, too."""
    return shown(text).replace("\n", "\\n")


class StiltsError(Exception):
    """What went wrong, where, and what to do about it."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        self.what = what
        self.where = where
        self.do = do
        super().__init__(self.__str__())

    def __str__(self) -> str:
        lines = [f"{type(self).__name__}: {self.what}"]
        if self.where:
            lines.append(f"  where: {one_line(self.where)}")
        if self.do:
            lines.append(f"  do:    {self.do}")
        return shown("\n".join(lines))


class UsageError(StiltsError):
    exit_code = 2


def refuse(wrong: bool, what: str, do: str) -> None:
    """Raise UsageError where what was asked for does not go together."""
    if wrong:
        raise UsageError(what, do=do)


def few(names: Sequence[str], most: int = 3) -> str:
    """The first of the names, in a line for a message."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


class UnknownName(UsageError):
    """A name nobody registered."""


class ConfigError(UsageError):
    """One or more mistakes in a configuration."""


class CompositionError(UsageError):
    """A composition of adapters that cannot be built."""


class MissingError(StiltsError):
    exit_code = 3


class TaskDataError(MissingError):
    """A data file that is missing, truncated, empty or wrong; `where` names the file and line."""


class Unreachable(MissingError):
    """The network was needed and is off, or did not answer."""


class ArtefactError(StiltsError):
    exit_code = 4


class DoesNotFit(StiltsError):
    exit_code = 5


class StudyFailed(StiltsError):
    exit_code = 6


class Interrupted(StiltsError):
    exit_code = 130

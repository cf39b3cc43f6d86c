"""What does the command line do with what others made to break it?

Every case is a folder of broken or hostile files and one command over it, run in a forked child that has 8 GB of
addresses and a time limit. Measured: that it ends in a defined exit, without a traceback, within its time, and that no
control character reaches the terminal. Not measured: bundles (`tests/sharing`), and anything about scores.

    python benchmarks/hostile_input.py --cases 300     # a few minutes; what breaks a promise is printed
    python benchmarks/hostile_input.py --kind vectors --keep
"""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from hostile import KINDS, Case, stage
from record import options, record

EXITS = (0, 1, 2, 3, 4, 5, 6, 130)
ADDRESSES = 8_000_000 << 10
SECONDS = 60
RAW = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]")


@dataclass(frozen=True)
class Outcome:
    """How a case ended. problem: the promise it broke, "" where it kept all."""

    exit: int | None
    seconds: float
    peak: int
    stdout: bytes
    stderr: bytes

    @property
    def problem(self) -> str:
        if self.exit is None:
            return "hung"
        if b"Traceback (most" in self.stderr:
            return "traceback"
        if self.exit not in EXITS:
            return f"exit {self.exit}"
        if RAW.search(self.stdout + self.stderr):
            return "raw control character"
        return "" if self.exit == 0 or self.stderr.strip() else "silent"


def outcome(case: Case, base: Path, folder: Path, seconds: float = SECONDS) -> Outcome:
    """Run a case in a child of its own; base: what `stage` made."""
    stdout, stderr = folder.with_suffix(".out"), folder.with_suffix(".err")
    started, child = time.monotonic(), os.fork()
    if child == 0:
        _in_child(case, base, folder, stdout, stderr)
    status, used = None, None
    while time.monotonic() - started < seconds and status is None:
        done, code, used = os.wait4(child, os.WNOHANG)
        status = code if done else None
        time.sleep(0.002)
    if status is None:
        os.kill(child, 9)
        _, _, used = os.wait4(child, 0)
    code = None if status is None else os.waitstatus_to_exitcode(status)
    peak = used.ru_maxrss if used else 0
    return Outcome(code, time.monotonic() - started, peak, stdout.read_bytes(), stderr.read_bytes())


def _in_child(case: Case, base: Path, folder: Path, stdout: Path, stderr: Path) -> None:
    code = 99
    try:
        folder.mkdir()
        for path, number in ((stdout, 1), (stderr, 2)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        os.environ.update(case.env)
        case.make(base, folder)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        from adapter_stilts_cli.app import app

        code = app(list(case.words), standalone_mode=False) or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001  what a terminal would show
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    asked = options(__doc__, cases=300, seed=13, kind="", keep=False, verbose=False, seconds=SECONDS)
    for name in ("datasets", "faiss", "torch", "transformers"):
        import_module(name)  # once, before there are children

    work = Path(tempfile.mkdtemp(prefix="hostile-"))
    stage(work / "base")
    draw, kinds = random.Random(asked.seed), [asked.kind] if asked.kind else list(KINDS)
    listed = {kind: KINDS[kind](draw) for kind in kinds}
    ended, broken, slowest, number = Counter(), [], (0.0, ""), 0
    while listed and number < asked.cases:
        for kind in list(listed):
            case = next(listed[kind], None)
            if case is None:
                del listed[kind]
                continue
            number += 1
            folder = work / f"case-{number}"
            made = outcome(case, work / "base", folder, asked.seconds)
            ended[f"{kind}: {made.problem or f'exit {made.exit}'}"] += 1
            slowest = max(slowest, (round(made.seconds, 1), f"{kind}: {case.name}"))
            if made.problem or asked.verbose:
                broken += [f"{kind}: {case.name}: {made.problem}"] if made.problem else []
                print(
                    f"--- {kind}: {case.name}: {made.problem or made.exit} ({made.seconds:.1f} s, {made.peak >> 10} MB)"
                )
                shown = made.stderr[-1500:] if made.problem else made.stderr[:400]
                print(shown.decode(errors="replace").encode("unicode_escape").decode().replace("\\n", "\n"))
            if not asked.keep:
                shutil.rmtree(folder, ignore_errors=True)
    for line, count in sorted(ended.items()):
        print(f"{count:6}  {line}")
    record(
        "hostile_input",
        {
            "cases": number,
            "seed": asked.seed,
            "ended": dict(sorted(ended.items())),
            "broken": broken,
            "slowest": slowest,
        },
    )
    if not asked.keep:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()

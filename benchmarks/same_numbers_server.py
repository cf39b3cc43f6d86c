"""Runs the commands of `same_numbers.py` by the library that PYTHONPATH names: it is imported once, and every command has a fork of its own.

Starting Python and importing torch for each of two hundred commands would take longer than the commands.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from adapter_stilts_cli.app import app

import adapter_stilts

BELOW = ("torch", "transformers", "adapters", "faiss")  # imported before the library, which imports some of them only when they are needed


def serve() -> None:
    """Read jobs from stdin and run their commands one after another, each in a fork that has the library's modules loaded already."""
    for name in (*BELOW, *(module.name for module in pkgutil.walk_packages(adapter_stilts.__path__, "adapter_stilts."))):
        importlib.import_module(name)
    for job in json.load(sys.stdin):
        assert Path(adapter_stilts.__path__[0]).resolve().is_relative_to(job["checkout"])
        folder, codes, seconds = Path(job["folder"]), [], []
        given = [str(path.relative_to(folder / "work")) for path in sorted((folder / "work").rglob("*"))]
        (folder / "said").mkdir()
        for number, command in enumerate(job["commands"]):
            child = os.fork()
            if not child:
                _command(folder / "work", shlex.split(command), folder / "said" / f"{number:02d}")
            _, status, used = os.wait4(child, 0)
            codes.append(os.waitstatus_to_exitcode(status))
            seconds.append(round(used.ru_utime + used.ru_stime, 2))
        done = {**job, "given": given, "codes": codes, "seconds": seconds}
        (folder / "done.json").write_text(json.dumps(done, indent=1), encoding="utf-8")
        print(f"{folder.name:<24} {sum(seconds):6.1f} s of processor  exit codes {' '.join(map(str, codes))}", file=sys.stderr, flush=True)


def _command(work: Path, words: Sequence[str], said: Path) -> None:
    """One command line in this process, which ends with it."""
    code = 1
    try:
        for stream, suffix in ((1, ".out"), (2, ".err")):
            os.dup2(os.open(said.with_suffix(suffix), os.O_WRONLY | os.O_CREAT), stream)
        os.chdir(work)
        app(list(words))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 a crash is one side's result, and the next command has its turn
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()

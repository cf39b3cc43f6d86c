"""Does a rebuild of the inside leave every number as it was?

Two checkouts of this repository do the same command lines (the cases of `same_numbers.yaml`), each in a fresh folder
with one thread, and everything they leave behind is compared: weights tensor by tensor and whole files byte by byte,
predictions, pairs, vectors, the units of intervals, scores, configurations, manifests, cards, what a command prints,
exit codes, and what a refused command says. Not compared: times, memory, versions, and names and checksums that follow
from the fingerprint of a configuration (`#` stands for eight hexadecimal digits). Not run: a hub, a GPU, a cluster.

    python benchmarks/same_numbers.py --old REV [--keep DIR] [--only CASE ...]
    python benchmarks/same_numbers.py --reuse-old DIR [--new-tree CHECKOUT]

The old side is computed once with --keep and read again with --reuse-old; a case that is new or was changed since is
computed there again. Each side has one process that imports the library (`--serve`), and every command runs in a
fork of it: starting Python and importing torch two hundred times would take longer than the commands.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from pkgutil import walk_packages
from string import Template
from typing import Any

import yaml
from mining_data import planted
from record import record
from same_numbers_facts import facts

ROOT = Path(__file__).resolve().parents[1]
CASES = Path(__file__).with_suffix(".yaml")
PACKAGES = {"adapter_stilts": "adapter_stilts", "adapter_stilts_cli": "cli", "adapter_stilts_configs": "configs"}
# imported before the library, which imports some of them only when they are needed
BELOW = ("torch", "transformers", "faiss")
COUNTED = ("commands", "values", "differences", "excused")

# Differences that are meant: a pattern of what --verbose prints ("case: file key"), and why they are.
EXCUSED = {
    "*/config.yaml training.limit_gb": "a memory limit of training, which nothing ever kept to, is gone",
    "nli: 11 info runs/nli stdout line 13": "the size of a folder whose config.yaml is a line shorter for that",
    "refused: 11 train nli *": "which was refused for that limit, and is for a wrong key now",
    "refused: 09 train nli stderr line 3": "`merge` is no longer offered for `how`, where it was always refused",
    "*: ?? list kinds stdout *composes.*": "`parallel` is gone, which no command could reach",
    "*: ?? list kinds stdout line *": "the same in the table",
    "*: ?? list recipes stdout *": "recipes are rows of one table in another order; some sentences were mended",
    "*: ?? * --help stdout line *": "choices stand in brackets, and some sentences were mended",
    "*study*config.after": "a key that studies have now",
    "*study*config.targets.*.after": "a key that studies have now",
    "*study*config.targets.*.name": "a key that studies have now",
    "*study*config.table.*": "a key that studies have now",
    "study: *.by_seed.*": "the score under each seed, which is told now",
    "study: * study joint.yaml stdout line *": "as in its study.json, which the next two excuse",
    "study: studies/joint/study.json entries.[145].*": "bucc2018 showed the oracle F1 of validation under test",
    "study: studies/joint/study.json means.*": "bucc2018 is in these means",
}


@dataclass(frozen=True)
class Case:
    name: str
    commands: tuple[str, ...]
    files: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps([self.commands, self.files]).encode()).hexdigest()


def read_cases(names: Sequence[str]) -> list[Case]:
    """The cases by these names (* and ? stand for letters), or all that are not optional."""
    document = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    cases = []
    for name, lines in document["cases"].items():
        if not any(fnmatchcase(name, pattern) for pattern in names) if names else name in document["optional"]:
            continue
        commands = tuple(Template(lines).substitute(document["shorthand"]).splitlines())
        named = lines + "".join(text for file, text in document["files"].items() if file in lines)
        files = {file: text for file, text in document["files"].items() if file in named}
        cases.append(Case(name, commands, files))
    return cases or sys.exit(f"no case called {', '.join(names)}; there are {', '.join(document['cases'])}")


def run_cases(cases: Sequence[Case], checkout: Path, out: Path) -> None:
    """Every case in a folder of its own, by the command line of a checkout."""
    with tempfile.TemporaryDirectory() as links:
        for package, folder in PACKAGES.items():
            Path(links, package).symlink_to(checkout / folder)
        fixed = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0", "COLUMNS": "200"}
        for case in cases:
            shutil.rmtree(out / case.name, ignore_errors=True)
            shutil.copytree(ROOT / "tests" / "fixtures", out / case.name / "work" / "fixtures")
            for name, text in case.files.items():
                (out / case.name / "work" / name).write_text(text, encoding="utf-8")
            if "-vectors source-1500x64" in " ".join(case.commands):
                planted(out / case.name / "work", 1500, 64, share=0.5)
        known = {case.name: {"commands": case.commands, "fingerprint": case.fingerprint} for case in cases}
        jobs = [{"folder": str(out / name), "checkout": str(checkout), **of_case} for name, of_case in known.items()]
        environment = {**os.environ, "PYTHONPATH": links, **fixed}
        server = [sys.executable, __file__, "--serve"]
        subprocess.run(server, input=json.dumps(jobs), text=True, env=environment, check=True)


def serve() -> None:
    """Run the commands of the jobs on stdin by the library that PYTHONPATH names, each in a fork that imported it."""
    import adapter_stilts

    for name in (*BELOW, *(module.name for module in walk_packages(adapter_stilts.__path__, "adapter_stilts."))):
        importlib.import_module(name)
    app = importlib.import_module("adapter_stilts_cli.app").app
    for job in json.load(sys.stdin):
        assert Path(adapter_stilts.__path__[0]).resolve().is_relative_to(job["checkout"])
        folder, codes, seconds = Path(job["folder"]), [], []
        given = [str(path.relative_to(folder / "work")) for path in sorted((folder / "work").rglob("*"))]
        (folder / "said").mkdir()
        for number, command in enumerate(job["commands"]):
            child = os.fork()
            if not child:
                _command(app, folder / "work", shlex.split(command), folder / "said" / f"{number:02d}")
            _, status, used = os.wait4(child, 0)
            codes.append(os.waitstatus_to_exitcode(status))
            seconds.append(round(used.ru_utime + used.ru_stime, 2))
        done = {**job, "given": given, "codes": codes, "seconds": seconds}
        (folder / "done.json").write_text(json.dumps(done, indent=1), encoding="utf-8")
        said = f"{sum(seconds):6.1f} s of processor  exit codes {' '.join(map(str, codes))}"
        print(f"{folder.name:<24} {said}", file=sys.stderr, flush=True)


def _command(app: Callable[[list[str]], object], work: Path, words: list[str], said: Path) -> None:
    """One command line in this process, which ends with it."""
    code = 1
    try:
        for stream, suffix in ((1, ".out"), (2, ".err")):
            os.dup2(os.open(said.with_suffix(suffix), os.O_WRONLY | os.O_CREAT), stream)
        os.chdir(work)
        app(words)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 a crash is one side's result, and the next command has its turn
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _short(values: list[str] | None) -> str:
    text = "nothing" if values is None else ", ".join(values)
    return text if len(text) <= 70 else f"{text[:50]}... ({len(text)} letters)"


def old_side(revision: str | None, out: Path, cases: Sequence[Case]) -> str:
    """Compute the cases that `out` does not hold yet, and give the commit of the old side."""
    note = out / "old.json"
    kept = json.loads(note.read_text(encoding="utf-8"))["commit"] if note.is_file() else None
    if not revision and not kept:
        sys.exit(f"no old side: name a revision with --old, or a folder that holds outputs ({note} is not there)")
    commit = _git(ROOT, "rev-parse", f"{revision or kept}^{{commit}}")
    if kept not in (None, commit):
        sys.exit(f"{out} holds the outputs of {kept}, and {revision} is {commit}; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"commit": commit}), encoding="utf-8")
    known = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in out.glob("*/done.json")}
    missing = [case for case in cases if known.get(case.name, {}).get("fingerprint") != case.fingerprint]
    if missing:
        with checkout_of(commit) as checkout:
            run_cases(missing, checkout, out)
    return commit


@contextmanager
def checkout_of(commit: str) -> Iterator[Path]:
    """A worktree of a commit, in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder, "checkout")
        _git(ROOT, "worktree", "add", "--detach", str(checkout), commit)
        try:
            yield checkout
        finally:
            _git(ROOT, "worktree", "remove", "--force", str(checkout))


def _git(checkout: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=checkout, check=True, capture_output=True, text=True).stdout.strip()


def compare(case: Case, old: Path, new: Path, most: int) -> dict[str, Any]:
    """Print a case's line and its first differences; what the record says of it."""
    before, after = facts(old / case.name), facts(new / case.name)
    unequal = [key for key in dict.fromkeys((*before, *after)) if before.get(key) != after.get(key)]
    excused = [key for key in unequal if any(fnmatchcase(f"{case.name}: {key}", pattern) for pattern in EXCUSED)]
    faults = [key for key in unequal if key not in excused]
    verdict = f"{len(faults)} DIFFERENCES" if faults else "equal"
    verdict += f", {len(excused)} excused" if excused else ""
    print(f"{case.name:<24} {len(case.commands):>3} commands {len(before):>7} values  {verdict}")
    for key in faults[:most]:
        print(f"    {key}: {_short(before.get(key))} -> {_short(after.get(key))}")
    counts = (len(case.commands), len(before), len(faults), len(excused))
    return {"case": case.name, **dict(zip(COUNTED, counts, strict=True))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", metavar="REV", help="the revision whose numbers are the right ones")
    reuse = "the old side's outputs: left here, and read where they are here already"
    parser.add_argument("--keep", "--reuse-old", type=Path, metavar="DIR", help=reuse)
    new = parser.add_mutually_exclusive_group()
    tree = "the checkout that is compared, as it lies there; by default this one"
    new.add_argument("--new-tree", type=Path, default=ROOT, metavar="DIR", help=tree)
    new.add_argument("--new", metavar="REV", help="or a revision")
    parser.add_argument("--keep-new", type=Path, metavar="DIR", help="leave the new side's outputs here")
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help="optional ones too; * stands for letters")
    parser.add_argument("--verbose", action="store_true", help="show every difference, not the first five of a case")
    asked = parser.parse_args()
    cases = read_cases(asked.only)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        old = asked.keep.resolve() if asked.keep else Path(folder, "old")
        new_out = asked.keep_new.resolve() if asked.keep_new else Path(folder, "new")
        commit = old_side(asked.old, old, cases)
        checkout = stack.enter_context(checkout_of(asked.new)) if asked.new else asked.new_tree.resolve()
        started = time.perf_counter()
        run_cases(cases, checkout, new_out)
        seconds = round(time.perf_counter() - started, 1)
        rows = [compare(case, old, new_out, sys.maxsize if asked.verbose else 5) for case in cases]
        described = _git(checkout, "describe", "--always", "--dirty")
    total = {name: sum(row[name] for row in rows) for name in COUNTED}
    print(f"{len(rows)} cases:", ", ".join(f"{count} {name}" for name, count in total.items()))
    versions = {name: version(name) for name in ("torch", "transformers")}
    unequal = [row for row in rows if row["differences"] or row["excused"]]
    sides = {"old": commit[:7], "new": described, "seconds": seconds, "cases": len(rows)}
    record("same_numbers", {**versions, **sides, **total, "rows": unequal})
    sys.exit(1 if total["differences"] else 0)


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["--serve"] else main()

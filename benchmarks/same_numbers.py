"""Does a rebuild of the inside leave every number as it was?

Two checkouts of this repository do the same command lines (the cases of `same_numbers.yaml`), each in a fresh folder with one thread, and everything
they leave behind is compared: weights tensor by tensor and whole files byte by byte, predictions, pairs, vectors, the units of intervals,
scores, configurations, manifests, cards, what a command prints, exit codes, and what a refused command says. Not compared: times, memory,
versions, and names and checksums that follow from the fingerprint of a configuration (`#` stands for eight hexadecimal digits). Not run:
a hub, a GPU, a cluster, several processes.

    python benchmarks/same_numbers.py --old REV [--keep DIR] [--only CASE ...]
    python benchmarks/same_numbers.py --reuse-old DIR [--new-tree CHECKOUT]

The old side is computed once with --keep and read again with --reuse-old; a case that is new or was changed since is computed there again.
Each side has one process that imports the library, and every command runs in a fork of it (`same_numbers_server.py`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import yaml
from mining_data import planted
from record import record
from same_numbers_facts import Facts, facts

ROOT = Path(__file__).resolve().parents[1]
CASES = Path(__file__).with_suffix(".yaml")
PACKAGES = {"adapter_stilts": "adapter_stilts", "adapter_stilts_cli": "cli", "adapter_stilts_configs": "configs"}  # as in pyproject.toml
SERVER = Path(__file__).with_name("same_numbers_server.py")

# Differences that are meant: a pattern of what --verbose prints ("case: file key") and why numbers are nevertheless the same.
EXCUSED: dict[str, str] = {}


@dataclass(frozen=True)
class Case:
    name: str
    commands: tuple[str, ...]
    files: Mapping[str, str]
    optional: bool = False

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps([self.commands, self.files]).encode()).hexdigest()


def read_cases(names: Sequence[str]) -> list[Case]:
    """The cases by these names (* and ? stand for letters), or all that are not optional."""
    document = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    cases = []
    for name, lines in document["cases"].items():
        commands = tuple(Template(lines).substitute(document["shorthand"]).splitlines())
        named = lines + "".join(text for file, text in document["files"].items() if file in lines)
        files = {file: text for file, text in document["files"].items() if file in named}
        cases.append(Case(name, commands, files, name in document["optional"]))
    chosen = [case for case in cases if any(fnmatchcase(case.name, name) for name in names) or (not names and not case.optional)]
    return chosen or sys.exit(f"no case called {', '.join(names)}; there are {', '.join(case.name for case in cases)}")


def run_cases(cases: Sequence[Case], checkout: Path, out: Path) -> None:
    """Every case in a folder of its own, by the command line of a checkout."""
    with tempfile.TemporaryDirectory() as links:
        for package, folder in PACKAGES.items():
            Path(links, package).symlink_to(checkout / folder)
        environment = {**os.environ, "PYTHONPATH": links, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0", "COLUMNS": "200"}
        for case in cases:
            shutil.rmtree(out / case.name, ignore_errors=True)
            shutil.copytree(ROOT / "tests" / "fixtures", out / case.name / "work" / "fixtures")
            for name, text in case.files.items():
                (out / case.name / "work" / name).write_text(text, encoding="utf-8")
            if "-vectors source-1500x64" in " ".join(case.commands):
                planted(out / case.name / "work", 1500, 64, share=0.5)
        jobs = [{"folder": str(out / case.name), "checkout": str(checkout), "commands": case.commands, "fingerprint": case.fingerprint} for case in cases]
        subprocess.run([sys.executable, str(SERVER)], input=json.dumps(jobs), text=True, env=environment, check=True)


def differences(old: Facts, new: Facts) -> list[tuple[str, str]]:
    """("file key", "old -> new") wherever the two sides differ."""
    keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
    return [(key, f"{_short(old.get(key))} -> {_short(new.get(key))}") for key in keys]


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
    missing = [case for case in cases if not _is_done(out / case.name, case)]
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


def _is_done(folder: Path, case: Case) -> bool:
    done = folder / "done.json"
    return done.is_file() and json.loads(done.read_text(encoding="utf-8"))["fingerprint"] == case.fingerprint


def _git(checkout: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=checkout, check=True, capture_output=True, text=True).stdout.strip()


def report(case: Case, unequal: Sequence[tuple[str, str]], values: int, most: int) -> dict[str, Any]:
    """Print a case's line and its first differences; what the record says of it."""
    excused = [key for key, _ in unequal if any(fnmatchcase(f"{case.name}: {key}", pattern) for pattern in EXCUSED)]
    meant = [(key, text) for key, text in unequal if key not in excused]
    print(f"{case.name:<24} {len(case.commands):>3} commands {values:>7} values  {f'{len(meant)} DIFFERENCES' if meant else 'equal'}"
          f"{f', {len(excused)} excused' if excused else ''}")  # fmt: skip
    for key, text in meant[:most]:
        print(f"    {key}: {text}")
    return {"case": case.name, "commands": len(case.commands), "values": values, "differences": len(meant), "excused": len(excused)}


def compare(cases: Sequence[Case], old: Path, new: Path, most: int) -> list[dict[str, Any]]:
    rows = []
    for case in cases:
        before, after = facts(old / case.name), facts(new / case.name)
        rows.append(report(case, differences(before, after), len(before), most))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", metavar="REV", help="the revision whose numbers are the right ones")
    parser.add_argument("--keep", "--reuse-old", type=Path, metavar="DIR", help="the old side's outputs: left here, and read where they are here already")
    new = parser.add_mutually_exclusive_group()
    new.add_argument("--new-tree", type=Path, default=ROOT, metavar="DIR", help="the checkout that is compared, as it lies there; by default this one")
    new.add_argument("--new", metavar="REV", help="or a revision")
    parser.add_argument("--keep-new", type=Path, metavar="DIR", help="leave the new side's outputs here")
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help="some cases, optional ones among them; * stands for letters")
    parser.add_argument("--verbose", action="store_true", help="show every difference, not the first five of a case")
    asked = parser.parse_args()
    cases = read_cases(asked.only)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        old, new_out = (path.resolve() if path else Path(folder, name) for path, name in ((asked.keep, "old"), (asked.keep_new, "new")))
        commit = old_side(asked.old, old, cases)
        tree = stack.enter_context(checkout_of(asked.new)) if asked.new else asked.new_tree.resolve()
        started = time.perf_counter()
        run_cases(cases, tree, new_out)
        seconds = time.perf_counter() - started
        rows = compare(cases, old, new_out, sys.maxsize if asked.verbose else 5)
        described = _git(tree, "describe", "--always", "--dirty")
    total = {name: sum(row[name] for row in rows) for name in ("commands", "values", "differences", "excused")}
    print(f"{len(rows)} cases, {total['commands']} commands, {total['values']} values: {total['differences']} differences, {total['excused']} excused")
    versions = {name: version(name) for name in ("torch", "adapters", "transformers")}
    unequal = [row for row in rows if row["differences"] or row["excused"]]
    record("same_numbers", {**versions, "old": commit[:7], "new": described, "seconds": round(seconds, 1), "cases": len(rows), **total, "rows": unequal})
    sys.exit(1 if total["differences"] else 0)


if __name__ == "__main__":
    main()

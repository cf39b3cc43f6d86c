"""Does a rebuild of the inside leave every number as it was?

Two checkouts of this repository do the same command lines (the cases of `same_numbers.yaml`), each in a fresh folder with one thread, and everything
they leave behind is compared: weights tensor by tensor and whole files byte by byte, predictions, pairs, vectors, the units of intervals,
scores, configurations, manifests, cards, what a command prints, exit codes, and what a refused command says. Not compared: times, memory,
versions, and names and checksums that follow from the fingerprint of a configuration (`#` stands for eight hexadecimal digits). Not run:
a hub, a GPU, a cluster, several processes.

    python benchmarks/same_numbers.py --old REV [--keep DIR] [--only CASE ...]
    python benchmarks/same_numbers.py --reuse-old DIR [--new-tree CHECKOUT]

The old side is computed once with --keep and read again with --reuse-old; a case that is new or was changed since is computed there again.
Each side has one process that imports the library, and every command runs in a fork of it.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import pkgutil
import platform
import re
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
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
CASES = Path(__file__).with_suffix(".yaml")
RESULTS = ROOT / "benchmarks" / "results" / "same_numbers.jsonl"
PACKAGES = {"adapter_stilts": "adapter_stilts", "adapter_stilts_cli": "cli", "adapter_stilts_configs": "configs"}  # as in pyproject.toml
SERVE = "--serve"  # this script, run inside a checkout

# Differences that are meant: a pattern of what --verbose prints ("case: file key") and why numbers are nevertheless the same.
EXCUSED: dict[str, str] = {}

# What differs between two runs of one checkout, or follows from the fingerprint of a configuration: a pattern of "file key", and why.
IGNORED = {
    "*seconds": "time",
    "*sentences_per_second": "time",
    "*peak_memory*": "memory",
    "*planned_peak_bytes": "memory",
    "*limit_bytes": "the memory of this machine",
    "*metrics_bytes": "the length of a file with times in it",
    "* versions.*": "versions of packages",
    "* device": "the machine",
    "*checksum": "of a text with times or names in it",
    "*.json sha256": "of the document itself",
    "*vectors_sha256": "of a ledger with a path in it",
    "*ledger.jsonl *.sha256": "of lines with a path in them",
    "* files.*.json": "hash of a document that is compared itself",
    "* files.*.jsonl": "hash of a document that is compared itself",
    "* files.*.yaml": "hash of a document that is compared itself",
}
NAMES = (  # (pattern, replacement) in texts and in the names of files
    (re.compile(r"\b[0-9a-f]{8}\b"), "#"),
    (re.compile(r"took .* on .* threads?, .* at most"), "took TIME and MEMORY"),
    (re.compile(r"^(seconds|sentences_per_second|peak_memory|limit_bytes)\b.*", re.MULTILINE), r"\1"),
)
ROW = ("task", "protocol", "language", "split", "metric")  # what a score is of; its settings come with it

Plain = Callable[[str], str]  # a text without what differs between two folders
Facts = dict[str, list[str]]  # "file key" -> its values, sorted: files whose names differ by a fingerprint share a key


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
            _write_vectors(out / case.name / "work")
        jobs = [{"folder": str(out / case.name), "commands": case.commands, "fingerprint": case.fingerprint} for case in cases]
        subprocess.run([sys.executable, __file__, SERVE], input=json.dumps(jobs), text=True, env=environment, check=True)


def _write_vectors(folder: Path) -> None:
    """Two sides of vectors with translations hidden among strangers: every other row of the target is near one of the source."""
    draw = np.random.default_rng(13)
    source, target = draw.standard_normal((2, 1500, 64), dtype=np.float32)
    target[::2] = source[: len(target[::2])] + 0.7 * target[::2]
    for name, rows in (("source", source), ("target", target)):
        np.save(folder / f"{name}.npy", rows / np.linalg.norm(rows, axis=1, keepdims=True))


def serve() -> None:
    """Read jobs from stdin and run their commands one after another, each in a fork that has the library's modules loaded already."""
    jobs = json.load(sys.stdin)
    import adapter_stilts

    for module in ("torch", "transformers", "adapters", "faiss"):
        importlib.import_module(module)
    for found in pkgutil.walk_packages(adapter_stilts.__path__, "adapter_stilts."):
        importlib.import_module(found.name)
    for job in jobs:
        folder, codes, seconds = Path(job["folder"]), [], []
        given = [str(path.relative_to(folder / "work")) for path in _files(folder / "work")]
        (folder / "said").mkdir()
        for number, command in enumerate(job["commands"]):
            child = os.fork()
            if not child:
                _command(folder / "work", shlex.split(command), folder / "said" / f"{number:02d}")
            _, status, used = os.wait4(child, 0)
            codes.append(os.waitstatus_to_exitcode(status))
            seconds.append(round(used.ru_utime + used.ru_stime, 2))
        done = {**job, "given": given, "codes": codes, "seconds": seconds, "checkout": str(Path(adapter_stilts.__path__[0]).resolve().parent)}
        (folder / "done.json").write_text(json.dumps(done, indent=1), encoding="utf-8")
        print(f"{folder.name:<24} {sum(seconds):6.1f} s of processor  exit codes {' '.join(map(str, codes))}", file=sys.stderr, flush=True)


def _command(work: Path, words: Sequence[str], said: Path) -> None:
    """One command line in this process, which ends with it."""
    code = 1
    try:
        for stream, suffix in ((1, ".out"), (2, ".err")):
            os.dup2(os.open(said.with_suffix(suffix), os.O_WRONLY | os.O_CREAT), stream)
        os.chdir(work)
        from adapter_stilts_cli.app import app

        app(list(words))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 a crash is one side's result, and the next command has its turn
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def facts(folder: Path) -> Facts:
    """All that a case has left, as values under "file key"."""
    done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
    places = ((f"{done['folder']}/work", "."), (done["checkout"], "CHECKOUT"))

    def plain(text: str) -> str:
        for place, name in places:
            text = text.replace(place, name)
        for pattern, name in NAMES:
            text = pattern.sub(name, text)
        return text

    found: Facts = {}

    def add(name: str, values: Iterator[tuple[str, str]]) -> None:
        for key, value in values:
            key = plain(f"{name} {key}")
            if not any(fnmatchcase(key, pattern) for pattern in IGNORED):
                found.setdefault(key, []).append(value)

    for number, (command, code) in enumerate(zip(done["commands"], done["codes"], strict=True)):
        name = f"{number:02d} {' '.join(command.split()[:2])}"
        add(name, iter([("exit code", str(code))]))
        said = [(folder / "said" / f"{number:02d}{suffix}").read_text(encoding="utf-8") for suffix in (".out", ".err")]
        add(f"{name} stdout", _document(said[0], plain))
        if code:
            add(f"{name} stderr", _lines(plain(said[1])))
    for path in _files(folder / "work"):
        name = str(path.relative_to(folder / "work"))
        if name not in done["given"] and "logs" not in path.parts and path.name != ".lock":
            add(name, _contents(path, plain))
    return {key: sorted(values) for key, values in found.items()}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _contents(path: Path, plain: Plain) -> Iterator[tuple[str, str]]:
    """The values in a file. Predictions and tables are compared as they are, documents by what they say."""
    content = path.read_bytes()
    text = content.decode(errors="replace")
    if path.suffix == ".tsv" or "predictions" in path.parts:
        yield "bytes", _digest(content)
        yield from _lines(text)
    elif path.suffix in (".json", ".md", ".txt"):
        yield from _document(text, plain)
    elif path.suffix == ".jsonl":
        for number, line in enumerate(text.splitlines()):
            yield from _document(line, plain, f"{number}.")
    elif path.suffix in (".yaml", ".yml"):
        yield from _leaves(yaml.safe_load(text), plain, "")
    elif path.suffix == ".safetensors":
        yield "bytes", _digest(content)
        yield from _tensors(content)
    else:
        yield "bytes", _digest(content)


def _tensors(content: bytes) -> Iterator[tuple[str, str]]:
    """Type, shape and hash of every tensor of a safetensors file: eight bytes of length, a JSON header, the data."""
    start = 8 + int.from_bytes(content[:8], "little")
    for name, entry in json.loads(content[8:start]).items():
        first, last = entry.pop("data_offsets", (0, 0))
        yield name, f"{json.dumps(entry)} {_digest(content[start + first : start + last])}"


def _document(text: str, plain: Plain, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The values of a JSON document, or the lines of any other text."""
    try:
        return _leaves(json.loads(text), plain, prefix)
    except ValueError:
        return _lines(plain(text))


def _leaves(value: Any, plain: Plain, prefix: str) -> Iterator[tuple[str, str]]:
    """ "a.b.0" and the value there, for every value of a document; a score's place in a list is told by what it is of."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, plain, f"{prefix}{key}.")
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, plain, f"{prefix}{_label(inner, plain) or number}.")
    else:
        yield prefix[:-1], plain(value) if isinstance(value, str) else json.dumps(value)


def _label(row: Any, plain: Plain) -> str:
    if not isinstance(row, dict) or not {"task", "metric", "score"} <= row.keys():
        return ""
    settings = plain(json.dumps(row.get("settings"), sort_keys=True))
    return " ".join((*(str(row[name]) for name in ROW if name in row), _digest(settings.encode())[:4]))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    return ((f"line {number}", line) for number, line in enumerate(text.split("\n"), 1))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def differences(old: Facts, new: Facts) -> list[tuple[str, str]]:
    """("file key", "old -> new") wherever the two sides differ."""
    keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
    return [(key, f"{_short(old.get(key))} -> {_short(new.get(key))}") for key in keys]


def _short(values: list[str] | None) -> str:
    text = "nothing" if values is None else ", ".join(values)
    return text if len(text) <= 70 else f"{text[:50]}... ({len(text)} letters)"


def old_side(revision: str | None, out: Path, cases: Sequence[Case]) -> str:
    """Compute the cases that `out` does not hold yet, and give the commit of the old side."""
    record = out / "old.json"
    kept = json.loads(record.read_text(encoding="utf-8"))["commit"] if record.is_file() else None
    if not revision and not kept:
        sys.exit(f"no old side: name a revision with --old, or a folder that holds outputs ({record} is not there)")
    commit = _git(ROOT, "rev-parse", f"{revision or kept}^{{commit}}")
    if kept not in (None, commit):
        sys.exit(f"{out} holds the outputs of {kept}, and {revision} is {commit}; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"commit": commit}), encoding="utf-8")
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


def report(case: Case, found: Sequence[tuple[str, str]], values: int, most: int) -> dict[str, Any]:
    """Print a case's line and its first differences; what the record says of it."""
    excused = [key for key, _ in found if any(fnmatchcase(f"{case.name}: {key}", pattern) for pattern in EXCUSED)]
    meant = [(key, text) for key, text in found if key not in excused]
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
    versions = {name: version(name) for name in ("adapter-stilts", "torch", "adapters", "transformers", "faiss-cpu", "numpy")}
    document: dict[str, Any] = {
        "question": "same_numbers",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "system": platform.system(),
    }
    document |= {"python": platform.python_version(), "versions": versions, "old": commit[:7], "commit": described, "seconds": round(seconds, 1)}
    document |= {"cases": len(rows), **total, "rows": [row for row in rows if row["differences"] or row["excused"]]}
    document["command"] = "python benchmarks/same_numbers.py" + "".join(f" --only {' '.join(asked.only)}" for _ in asked.only[:1])
    print(json.dumps(document))
    with RESULTS.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(document) + "\n")
    sys.exit(1 if total["differences"] else 0)


if __name__ == "__main__":
    serve() if sys.argv[1:] == [SERVE] else main()

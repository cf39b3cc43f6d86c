"""`convert`: a run in the form of another library, and an adapter of another library as a run.

convert(Path("runs/nli-1a2b3c4d"), "peft", Path("nli-peft"), Wanted())
convert_from(Path("nli-peft"), "", Path("runs/nli"), Taken(trunk="xlm-roberta-base"))
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapter_stilts import environment
from adapter_stilts.convert.base import Foreign, Source, read_config, readers, recognised, writers
from adapter_stilts.convert.run_folder import write_run
from adapter_stilts.encoder.trunk.loading import empty_model, load_trunk, trunk_facts
from adapter_stilts.errors import MissingError, UsageError
from adapter_stilts.files import disk_errors, place_folder, write_json
from adapter_stilts.formats.base import formats
from adapter_stilts.registry import unknown_name
from adapter_stilts.runs.subject import named_trunk
from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.tasks.user import find_task

MADE = "converted.json"  # by which a folder is known as one of these, which may be replaced


@dataclass(frozen=True)
class Wanted:
    """How a run is converted.

    trunk    where its own trunk lies elsewhere now
    head     of several, the one that goes along; None: the only one; "": none
    adapter  of a composition, the one that is meant; "": all of it
    reading  layer, pool and centre of sentence vectors, where the form has them
    """

    trunk: str | None = None
    head: str | None = None
    adapter: str = ""
    layer: int | str | None = None
    pool: str | None = None
    centre: Path | None = None


@dataclass(frozen=True)
class Taken:
    """How an adapter of another library becomes a run.

    trunk     that it was trained on; None: the one it names
    task      whose head it has; "": that of a generic task of the head's form
    labels    of the head, in its order; (): the task's
    language  of what it learned
    """

    trunk: str | None = None
    task: str = ""
    labels: tuple[str, ...] = ()
    language: str = ""


def convert(
    run: Path, to: str, out: Path, wanted: Wanted, *, overwrite: bool = False, say: Callable[[str], None]
) -> dict[str, Any]:
    """Write a run in another library's form into the folder `out`; returns what was written."""
    write, bundle = writers[to], load_bundle(run)
    reading = {"layer": wanted.layer, "pool": wanted.pool, "centre": wanted.centre}
    trunk, head = named_trunk(bundle, wanted.trunk), _head(bundle.of("head"), wanted, to)
    source = Source(bundle, trunk, head, wanted.adapter, reading)
    with _folder(out, overwrite) as folder:
        for sentence in write(source, folder):
            say(sentence)
        made = {
            "run": bundle.manifest.name,
            "composition": str(source.composition),
            "form": to,
            "versions": environment.versions(),
        }
        write_json(folder / MADE, made)
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    return {"out": str(out), **made, "head": source.head, "bytes": sum(files.values()), "files": files}


def convert_from(
    folder: Path, form: str, out: Path, taken: Taken, *, overwrite: bool = False, say: Callable[[str], None]
) -> dict[str, Any]:
    """Write a run that holds the adapter of a folder; form: "" finds it by the folder's files."""
    form = form or recognised(folder)
    read = readers[form]
    name = taken.trunk or _trunk_of(folder)
    config, _ = trunk_facts(name)
    foreign = read(folder, empty_model(config), config)
    if foreign.head is not None:
        foreign = replace(foreign, head=_told(foreign, taken))
    for sentence in foreign.notes:
        say(sentence)
    trunk = load_trunk(name, precision="fp32")
    manifest = write_run(foreign, trunk, out, form=form, language=taken.language, overwrite=overwrite)
    adapter = {"kind": foreign.kind, "composition": manifest.composition, "head": manifest.format}
    return {"run": str(out), "form": form, "trunk": name, **adapter}


def _head(heads: Any, wanted: Wanted, form: str) -> str:
    """The name of the head that goes along, "" for none."""
    names = [part.name for part in heads]
    if wanted.head:
        if wanted.head not in names:
            raise unknown_name("head of the run", wanted.head, names or ["(none)"])
        return wanted.head
    if wanted.head == "" or not names or form == "sentence-transformers" or wanted.adapter:
        return ""
    if len(names) > 1:
        what = f"the run has {len(names)} heads: {', '.join(names)}"
        raise UsageError(what, do=f"choose one, for example --head {names[0]}, or leave them out with --no-head")
    return str(names[0])


def _trunk_of(folder: Path) -> str:
    config = read_config(folder)
    name = config.get("base_model_name_or_path") or config.get("model_name")
    if not isinstance(name, str) or not name:
        what = "the adapter does not say which trunk it is for"
        raise MissingError(what, where=str(folder), do="name it: --trunk NAME")
    return name


def _told(foreign: Foreign, taken: Taken) -> Any:
    """The head with the task and the labels that are asked for."""
    head = foreign.head
    assert head is not None
    facts = dict(head.facts)
    if taken.task:
        task = find_task(taken.task, {})
        if task.format.head != formats[facts["format"]].head:
            what = f"'{taken.task}' is a {task.format.name} task, and the head is one of {facts['format']}"
            raise UsageError(what, do="name a task of that format, or leave --task out")
        facts |= {"task": task.name, "format": task.format.name, "max_length": task.max_length}
        if not taken.labels and task.labels and facts["labels"]:
            facts["labels"] = list(task.labels)
    if taken.labels:
        facts["labels"] = list(taken.labels)
    if len(facts["labels"]) != len(head.facts["labels"]):
        what = f"labels {', '.join(facts['labels'])}, and the head has {len(head.facts['labels'])} outputs"
        raise UsageError(what, do="give them in the head's order: --labels a,b,c")
    return replace(head, facts=facts)


@contextmanager
def _folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """A folder that appears under `out` whole, or not at all; what is there is replaced if it is one of these."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        ours = (out / MADE).is_file() and not out.is_symlink()
        if not (overwrite and ours):
            what = "the folder is not empty" if out.is_dir() else "a file where the folder should be"
            do = "name another with -o" + (", or add --overwrite to replace it" if ours else "")
            raise UsageError(what, where=str(out), do=do)
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    try:
        with disk_errors(out):
            yield made
            made.chmod(0o755)
            place_folder(made, out)
    finally:
        shutil.rmtree(made, ignore_errors=True)

"""What queries are searched among: the candidates of a task in all its languages together, and which of them are right.

    loaded = load_pool(find_task("lareqa"), "test", Where("files", folder=Path("data")))      one Loaded per file
    pool = joined(loaded)
    gold_of(queries, pool)                                                                    {"question id": ("ar_1_0", "de_1_0", ...)}

The pool is the same whatever language is asked for: a German question may find its answer in Thai.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.files import sha256
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.formats.reading import read
from adapter_stilts.miniature.datasets import candidates as miniature_candidates
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.finding import Found, every_match, language_in_name, no_files
from adapter_stilts.tasks.fitting import layout_of
from adapter_stilts.tasks.hub import HubRows, hub_candidates
from adapter_stilts.tasks.languages import iso1, spelled_in
from adapter_stilts.tasks.miniature import VERSION, miniature_of
from adapter_stilts.tasks.reading import FileFact
from adapter_stilts.tasks.sources import Loaded, Origin, Where

CANDIDATES = "candidates"
SHOWN = 3  # ids in a message

Gold = Mapping[str, tuple[str, ...]]


def load_pool(task: Task, split: str, where: Where) -> list[Loaded]:
    """The candidates of a split, file by file (or language by language): from files of candidates where there are any, or the hub's
    configuration of them, else from the split's own. Raises TaskDataError for files that are missing or wrong, UsageError for a place
    that cannot hold a pool, Unreachable where the hub is needed and off."""
    if where.kind == "miniature":
        name = miniature_of(task).name
        made = {language: list(miniature_candidates(name, split, language)) for language in miniature_of(task).languages}
        return [Loaded([*rows], Origin(task.name, CANDIDATES, code, "miniature", revision=VERSION, rows=len(rows))) for code, rows in made.items()]
    if where.kind == "hub":
        return [_of_hub(task, found) for found in hub_candidates(task, split, where.columns, where.folder, where.cache, where.offline)]
    return [_read(task, found, where) for found in _files(task, split, where)]


def joined(loaded: Iterable[Loaded]) -> list[Candidate]:
    """All candidates together. Raises TaskDataError for none, and for an id that two of them have."""
    return checked([cast(Candidate, candidate) for one in loaded for candidate in one.examples])


def checked(pool: list[Candidate]) -> list[Candidate]:
    """The same candidates, once it is known that there are some and that each has an id of its own."""
    if not pool:
        raise TaskDataError("there are no candidates to search", do="check the file of candidates")
    seen: dict[str, Candidate] = {}
    for candidate in pool:
        if (other := seen.setdefault(candidate.id, candidate)) is not candidate:
            what = f"candidate id '{candidate.id}' occurs twice: {other.text[:40]!r} and {candidate.text[:40]!r}"
            raise TaskDataError(what, do="give every candidate an id of its own; predictions are lists of ids")
    return pool


def gold_of(queries: Sequence[Query], pool: Sequence[Candidate]) -> dict[str, tuple[str, ...]]:
    """The ids of the right candidates of every query: those it names, and those that name it; in the order of the pool.

    Raises TaskDataError for a named id that is not in the pool, and for a query without any.
    """
    place = {candidate.id: number for number, candidate in enumerate(pool)}
    answered: dict[str, set[str]] = {}
    for candidate in pool:
        for asked in candidate.answers:
            answered.setdefault(asked, set()).add(candidate.id)
    found = {}
    for query in queries:
        unknown = [id for id in query.gold if id not in place]
        if unknown:
            what = f"{len(unknown)} of its gold ids are not among the {len(pool)} candidates: {', '.join(unknown[:SHOWN])}"
            raise TaskDataError(what, where=f"query '{query.id}'", do="give the candidates that belong to these queries")
        right = answered.get(query.id, set()) | set(query.gold)
        if not right:
            where = f"query '{query.id}'"
            raise TaskDataError("no candidate is right for this query", where=where, do="give its gold ids, or leave the query out")
        found[query.id] = tuple(sorted(right, key=place.__getitem__))
    return found


def _files(task: Task, split: str, where: Where) -> list[Found]:
    if where.files:
        own = where.files.get(split, ())
        given = where.files.get(CANDIDATES) or own
        if not given:
            raise TaskDataError(f"no candidates for the {split} split of '{task.name}'", do=f"add --data {CANDIDATES}=FILE")
        if given is own and len(own) > 1:
            what = f"{len(own)} files of the {split} split and no candidates"
            raise UsageError(what, do=f"add --data {CANDIDATES}=FILE, or name the folder in which they lie")
        return [Found((path,), language_in_name(path, task)) for path in given]
    if where.folder is None:
        raise UsageError(f"'{task.name}' needs its candidates", do="name a folder with --data DIR")
    found = every_match(task.candidates, where.folder) or every_match(task.files.get(split, ()), where.folder)
    if not found:
        raise no_files(replace(task, files={split: (*task.candidates, *task.files.get(split, ()))}), split, where.folder)
    return found


def _read(task: Task, found: Found, where: Where) -> Loaded:
    (path,) = found.paths
    language = (spelled_in(found.language, task.languages) or iso1(found.language)) if found.language else ""
    layout = layout_of(task, columns={**task.columns, **where.columns}, labelled=False, candidates=True, language=language)
    rows = read(path, layout)
    return Loaded(rows, Origin(task.name, CANDIDATES, language, "files", files=(FileFact(path, sha256(path), len(rows)),), rows=len(rows)))


def _of_hub(task: Task, found: HubRows) -> Loaded:
    language = (spelled_in(found.language, task.languages) or iso1(found.language)) if found.language else ""
    rows = len(found.examples)
    return Loaded(found.examples, Origin(task.name, CANDIDATES, language, "hub", hub=found.hub.id, config=found.config, revision=found.revision, rows=rows))

"""What queries are searched among: the candidates of a task in all its languages together, and which of them are right.

    loaded = load_pool(find_task("lareqa"), "test", Where("files", folder=Path("data")))      one Loaded per file
    pool = joined(loaded)
    gold_of(queries, pool)                                            {"question id": ("ar_1_0", "de_1_0", ...)}

The pool is the same whatever language is asked for: a German question may find its answer in Thai.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.files import sha256
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.formats.reading import read
from adapter_stilts.miniature.datasets import VERSION
from adapter_stilts.miniature.datasets import candidates as miniature_candidates
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import spelled
from adapter_stilts.tasks.reading.files import Group, every_match, language_in_name, no_files
from adapter_stilts.tasks.reading.hub import hub_candidates
from adapter_stilts.tasks.reading.place import CANDIDATES, FileFact, Loaded, Origin, Where
from adapter_stilts.tasks.sources import miniature_of

SHOWN = 3  # ids in a message


def load_pool(task: Task, split: str, where: Where) -> list[Loaded]:
    """The candidates of a split, file by file (or language by language): from files of candidates where there are any,
    or the hub's configuration of them, else from the split's own. Raises TaskDataError for files that are missing or
    wrong, UsageError for a place that cannot hold a pool, Unreachable where the hub is needed and off."""
    if where.kind == "hub":
        return hub_candidates(task, split, where)
    if where.kind == "files":
        return [_read(task, group, where) for group in _files(task, split, where)]
    made, loaded = miniature_of(task), []
    for code in made.languages:
        rows = miniature_candidates(made.name, split, code)
        origin = Origin(task.name, CANDIDATES, code, "miniature", revision=VERSION, rows=len(rows))
        loaded.append(Loaded([*rows], origin, task.format))
    return loaded


def joined(loaded: Iterable[Loaded]) -> list[Candidate]:
    """All candidates together. Raises TaskDataError for none, and for an id that two of them have."""
    return checked([cast(Candidate, candidate) for each in loaded for candidate in each.examples])


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
    gold = {}
    for query in queries:
        where = f"query '{query.id}'"
        if unknown := [id for id in query.gold if id not in place]:
            what = f"{len(unknown)} of its gold ids are not among the {len(pool)} candidates"
            do = "give the candidates that belong to these queries"
            raise TaskDataError(f"{what}: {', '.join(unknown[:SHOWN])}", where=where, do=do)
        right = answered.get(query.id, set()) | set(query.gold)
        if not right:
            do = "give its gold ids, or leave the query out"
            raise TaskDataError("no candidate is right for this query", where=where, do=do)
        gold[query.id] = tuple(sorted(right, key=place.__getitem__))
    return gold


def _files(task: Task, split: str, where: Where) -> list[Group]:
    if where.files:
        own = where.files.get(split, ())
        paths = where.files.get(CANDIDATES) or own
        if not paths:
            what = f"no candidates for the {split} split of '{task.name}'"
            raise TaskDataError(what, do=f"add --data {CANDIDATES}=FILE")
        if paths is own and len(own) > 1:
            what = f"{len(own)} files of the {split} split and no candidates"
            raise UsageError(what, do=f"add --data {CANDIDATES}=FILE, or name the folder in which they lie")
        return [Group((path,), language_in_name(path, task)) for path in paths]
    if where.folder is None:
        raise UsageError(f"'{task.name}' needs its candidates", do="name a folder with --data DIR")
    patterns = task.source.files.get(split, ())
    groups = every_match(task.source.candidates, where.folder) or every_match(patterns, where.folder)
    if not groups:
        raise no_files(task.reading(files={split: (*task.source.candidates, *patterns)}), split, where.folder)
    return groups


def _read(task: Task, group: Group, where: Where) -> Loaded:
    (path,) = group.paths
    language = spelled(group.language, task.languages)
    columns = {**task.source.columns, **where.columns}
    rows = read(path, task.layout(columns=columns, labelled=False, candidates=True, language=language))
    file = FileFact(path, sha256(path), len(rows))
    return Loaded(rows, Origin(task.name, CANDIDATES, language, "files", (file,), rows=len(rows)), task.format)

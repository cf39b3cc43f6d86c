"""Where a task's rows come from (the miniature, plain files, or the hub), and what was read, with hashes.

    load(find_task("xnli"), "test", "sw", Where("files", folder=Path("data"))).examples

The train split of a task that has none of its own is that of its training task: XNLI trains on MNLI, XQuAD on SQuAD.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

from adapter_stilts.data.tables import suffix
from adapter_stilts.errors import StiltsError, TaskDataError, UsageError
from adapter_stilts.formats.base import Example, refuse_placeholders, withheld
from adapter_stilts.formats.pair import Classified, with_mismatches
from adapter_stilts.registry import unknown_name
from adapter_stilts.tasks.base import SPLITS, Task, tasks
from adapter_stilts.tasks.finding import Found, find, language_in_name, languages_in, no_files
from adapter_stilts.tasks.holding import kept_for
from adapter_stilts.tasks.hub import hub_examples
from adapter_stilts.tasks.hub_choice import languages_at
from adapter_stilts.tasks.languages import is_known, iso1, spelled_in
from adapter_stilts.tasks.miniature import VERSION, miniature_examples, miniature_language, miniature_of
from adapter_stilts.tasks.reading import FileFact, count, read_found, values_of
from adapter_stilts.tasks.substitutions import multiword_of, substitutions_of

UNDETERMINED = "und"  # ISO 639's code for a language nobody has told

Kind = Literal["miniature", "files", "hub"]


@dataclass(frozen=True)
class Where:
    """Where to read from.

    folder   files: searched for release names; hub: a folder that holds copies of the data sets as <owner>/<name>
    files    split -> files of the user's own; they are read whatever they are called
    columns  our field -> the files' column, over those of the task
    offline  hub: only what is cached
    cache    hub: the folder of the cache, None for the usual one
    """

    kind: Kind = "files"
    folder: Path | None = None
    files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    offline: bool = False
    cache: Path | None = None


@dataclass(frozen=True)
class Origin:
    """What was read, for the manifest.

    dropped        rows left out, by reason
    parts          the tasks whose rows these are, where the task is made of several
    multiword      how a treebank's multi-word tokens were read, "" for anything else
    substitutions  where these rows differ from the published set-up, in words
    """

    task: str
    split: str
    language: str
    kind: Kind
    files: tuple[FileFact, ...] = ()
    hub: str = ""
    config: str = ""
    revision: str = ""
    rows: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    multiword: str = ""
    substitutions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """The examples of one split and language, and where they came from; a mining task gives one Pools."""

    examples: list[Example]
    origin: Origin


def load(task: Task, split: str, language: str, where: Where, labels: Sequence[str] | None = None, *, unscored: bool = False) -> Loaded:
    """The rows of one split and language.

    labels    the classes a head knows, where the task leaves them open: a label outside them is refused with file and line
    unscored  rows whose labels are withheld will do, to be predicted and not scored

    Raises TaskDataError for files that are missing or wrong, Unreachable where the hub is needed and off, UnknownName for a language
    that a closed source does not have.
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if labels is not None and task.labels is None and not task.open_labels:
        task = replace(task, labels=tuple(labels))
    if where.kind == "miniature":
        examples, language = miniature_examples(task, split, language)
        return Loaded(examples, Origin(task.name, split, language, "miniature", revision=VERSION, rows=count(task, examples)))
    language = spelled_in(language, task.languages) or iso1(language)
    source, stored = _source(task, split, where)
    examples, origin = _rows(source, stored, language, where)
    found = len(examples)
    if task.held_out and (split, stored) in (("train", "train"), ("validation", "train")):
        examples = kept_for(task, split, examples)
    if not examples:
        raise _no_rows(task, split, language, found, origin.dropped)
    if split != "train" and not task.any_name and not (unscored and withheld(task.format, examples)):
        refuse_placeholders(task.format, examples, task.labels, f"{split} split of '{task.name}' in '{language}'")
    parts = () if stored in where.files else source.parts
    return Loaded(examples, replace(origin, task=task.name, split=split, parts=parts, rows=count(task, examples)))


def _rows(task: Task, split: str, language: str, where: Where) -> tuple[list[Example], Origin]:
    """A task's own rows, or those of its parts one after another."""
    if task.parts and split not in where.files:
        return _together(task, [(part, *_rows(*_source(tasks[part], split, where), language, where)) for part in task.parts], split, language, where)
    dropped: Counter[str] = Counter()
    if where.kind == "hub":
        found = hub_examples(task, split, language, where.columns, where.folder, where.cache, where.offline, dropped)
        examples = found.examples
        notes = substitutions_of(task, split, hub=found.hub.id)
        origin = Origin(task.name, split, language, "hub", hub=found.hub.id, config=found.config, revision=found.revision, substitutions=notes)
    else:
        examples, facts = read_found(task, _found(task, split, language, where), split, language, where.columns, dropped)
        notes = substitutions_of(task, split, files=facts, given=split in where.files)
        origin = Origin(task.name, split, language, "files", files=facts, multiword=multiword_of(task, facts), substitutions=notes)
    if task.mismatches:
        examples = [*with_mismatches(cast(list[Classified], examples), f"{split} split of '{task.name}'")]
    return examples, replace(origin, dropped=dict(dropped))


def _together(task: Task, parts: Sequence[tuple[str, list[Example], Origin]], split: str, language: str, where: Where) -> tuple[list[Example], Origin]:
    """The rows of several tasks as those of one; each id says which task it is from."""
    examples = [replace(row, id=f"{name}:{row.id}") for name, rows, _ in parts for row in rows]
    dropped = {f"{name}: {reason}": number for name, _, origin in parts for reason, number in origin.dropped.items()}
    places = [(origin.hub, origin.config, origin.revision) for _, _, origin in parts if where.kind == "hub"]
    hub, config, revision = (" + ".join(facts) for facts in zip(*places, strict=True)) if places else ("", "", "")
    files = tuple(fact for _, _, origin in parts for fact in origin.files)
    notes = tuple(dict.fromkeys(note for name, _, origin in parts for note in origin.substitutions))
    origin = Origin(task.name, split, language, where.kind, files, hub, config, revision, dropped=dropped, substitutions=notes)
    return examples, origin


def has_split(task: Task, split: str, where: Where) -> bool:
    """Whether the split can be had from there, as far as names tell; nothing is read."""
    if where.kind == "miniature":
        return split in miniature_of(task).sizes
    source, stored = _source(task, split, where)
    if source.parts and stored not in where.files:
        return all(has_split(tasks[part], stored, where) for part in source.parts)
    if where.kind == "hub":
        return any(stored in hub.splits for hub in source.hubs)
    if where.files or where.folder is None:
        return stored in where.files
    return bool(languages_in(source, stored, where.folder))


def check_language(task: Task, split: str, language: str, where: Where) -> None:
    """Refuse a language that is not there, as far as names tell; nothing is read, and the hub is not asked."""
    if where.kind == "miniature":
        miniature_language(task, language)
    elif where.kind == "files":
        source, stored = _source(task, split, where)
        if source.parts and stored not in where.files:
            for part in source.parts:
                check_language(tasks[part], stored, language, where)
        else:
            _found(source, stored, spelled_in(language, task.languages) or iso1(language), where)


def languages_of(task: Task, split: str, where: Where) -> tuple[str, ...]:
    """The languages to be had, as the task spells them, or in ISO 639-1; () where there is none: `nothing_found` says what was looked for."""
    if where.kind == "miniature":
        return miniature_of(task).languages
    if where.kind == "hub":
        wanted = (*task.languages, *task.extra_languages)
        known = dict.fromkeys(code for hub in task.hubs if split in hub.splits for code in languages_at(hub, task))
        return tuple(code for code in known if code in wanted or not wanted) or task.languages or (task.train_language,)
    if task.parts and split not in where.files:
        return languages_of(tasks[task.parts[0]], split, where)
    if split in where.files:
        return _languages_of_files(task, where.files[split])
    if where.folder is None:
        return ()
    found = languages_in(task, split, where.folder)
    if "" in found and task.language_column:
        matches = find(task, split, task.train_language, where.folder)
        return values_of(task, [path for match in matches for path in match.paths], task.language_column)
    if "" in found and task.id_prefixes:
        return tuple(task.id_prefixes)
    return tuple(code or task.train_language for code in found)


def nothing_found(task: Task, split: str, where: Where) -> StiltsError:
    """The error for a place that holds a split in no language at all."""
    return _not_given(task, split, where) if where.folder is None else no_files(task, split, where.folder)


def _source(task: Task, split: str, where: Where) -> tuple[Task, str]:
    """The task and split whose rows are read for this one."""
    given = split in where.files
    if split == "train" and task.train_task and not given and split not in task.files:
        return tasks[task.train_task], "train"
    own = given or split in task.files or bool(task.parts) or any(split in hub.splits for hub in task.hubs)
    if split == "validation" and task.held_out and (where.files or not own) and not given:
        return _source(task, "train", where)
    return task, split


def _found(task: Task, split: str, language: str, where: Where) -> list[Found]:
    if where.files:
        if split not in where.files:
            raise _not_given(task, split, where)
        return _given(task, where.files[split])
    if where.folder is None:
        raise _not_given(task, split, where)
    return find(task, split, language, where.folder)


def _no_rows(task: Task, split: str, language: str, found: int, dropped: Mapping[str, int]) -> TaskDataError:
    """The error for a split without a row, though `found` rows were read that it is held out of."""
    what = f"no row of the {split} split of '{task.name}' in '{language}'" + "".join(f"; {number:,} left out: {reason}" for reason, number in dropped.items())
    if not found:
        return TaskDataError(what, do="check the language, the labels and the files")
    share = "none" if split == "validation" else "all"
    what += f": validation is one in {task.held_out} contexts of the training rows, chosen by their text, and of these {found:,} rows that is {share}"
    return TaskDataError(what, do="give both splits, --data train=FILE --data validation=FILE, or more rows")


def _not_given(task: Task, split: str, where: Where) -> StiltsError:
    if where.files:
        given = ", ".join(sorted(where.files))
        return TaskDataError(f"no file for the {split} split of '{task.name}'; given: {given}", do=f"add --data {split}=FILE")
    return UsageError(f"'{task.name}' needs its files", do=f"name a folder with --data DIR, or files with --data {split}=FILE")


def _given(task: Task, paths: Sequence[Path]) -> list[Found]:
    """Files named one by one: each for itself, but for the two or three that make a bitext or a mining set."""
    joined = 2 if task.joined and len(paths) > 1 and suffix(paths[0]) != suffix(paths[1]) else 1
    together = max(joined, task.format.together(paths))
    return [Found(tuple(paths[start : start + together]), "") for start in range(0, len(paths), together)]


def _languages_of_files(task: Task, paths: Sequence[Path]) -> tuple[str, ...]:
    if task.language_column and (values := values_of(task, paths, task.language_column)):
        return values
    named = next((code for path in paths if (code := language_in_name(path, task))), "")
    return (named or _language_of_suffix(paths[0]) or (UNDETERMINED if task.retrieval else task.train_language),)


def _language_of_suffix(path: Path) -> str:
    """ "de" of "news.de.gz", as both sides of a bitext are often called."""
    code = suffix(path).removeprefix(".")
    return iso1(code) if is_known(code) else ""

"""Where a task's rows come from (the miniature, plain files, or the hub), and what was read, with hashes.

    load(find_task("xnli"), "test", "sw", Where("files", folder=Path("data"))).examples

The train split of a task that has none of its own is that of its training task: XNLI trains on MNLI, XQuAD on SQuAD.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from adapter_stilts.data.tables import suffix
from adapter_stilts.errors import StiltsError, TaskDataError, UsageError
from adapter_stilts.formats.base import Example, refuse_placeholders, withheld
from adapter_stilts.formats.pair import Classified, with_mismatches
from adapter_stilts.miniature.datasets import DATASETS, VERSION, Dataset
from adapter_stilts.miniature.datasets import examples as miniature_examples
from adapter_stilts.registry import unknown_name
from adapter_stilts.tasks.base import Task, tasks
from adapter_stilts.tasks.languages import is_known, iso1, spelled, spelled_in
from adapter_stilts.tasks.reading.files import Group, find, language_in_name, languages_in, no_files
from adapter_stilts.tasks.reading.holding import kept_for
from adapter_stilts.tasks.reading.hub import hub_examples, languages_at
from adapter_stilts.tasks.reading.place import FileFact, Loaded, Origin, Where
from adapter_stilts.tasks.reading.rows import count, read_files, values_of
from adapter_stilts.tasks.source import SPLITS

TREEBANK = ".conllu"
SPLIT_WORDS = "CoNLL-U is read by syntactic words; XTREME fuses multi-word tokens"
UNDETERMINED = "und"  # ISO 639's code for a language nobody has told
Rows = tuple[list[Example], Origin]


def load(
    task: Task, split: str, language: str, where: Where, labels: Sequence[str] | None = None, *, unscored: bool = False
) -> Loaded:
    """The rows of one split and language.

    labels    the classes a head knows, where the task leaves them open: a label outside them is refused with file and
              line
    unscored  rows whose labels are withheld will do, to be predicted and not scored

    Raises TaskDataError for files that are missing or wrong, Unreachable where the hub is needed and off, UnknownName
    for a language that a closed source does not have.
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if labels is not None and task.labels is None and not task.open_labels:
        task = replace(task, labels=tuple(labels))
    if where.kind == "miniature":
        language = _miniature_language(task, language)
        examples = miniature_examples(task.source.miniature, split, language)
        origin = Origin(task.name, split, language, "miniature", revision=VERSION, rows=count(task, examples))
        return Loaded(examples, origin, task.format)
    language = spelled(language, task.languages)
    owner, stored = _owner(task, split, where)
    examples, origin = _rows(owner, stored, language, where)
    read = len(examples)
    if task.held_out and stored == "train" and split in ("train", "validation"):
        examples = kept_for(task, split, examples)
    if not examples:
        raise _no_rows(task, split, language, read, origin.dropped)
    if split != "train" and not task.source.any_name and not (unscored and withheld(task.format, examples)):
        refuse_placeholders(task.format, examples, task.labels, f"{split} split of '{task.name}' in '{language}'")
    parts = () if stored in where.files else owner.parts
    origin = replace(origin, task=task.name, split=split, parts=parts, rows=count(task, examples))
    return Loaded(examples, origin, task.format)


def has_split(task: Task, split: str, where: Where) -> bool:
    """Whether the split can be had from there, as far as names tell; nothing is read."""
    if where.kind == "miniature":
        return split in miniature_of(task).sizes
    owner, stored = _owner(task, split, where)
    if owner.parts and stored not in where.files:
        return all(has_split(tasks[part], stored, where) for part in owner.parts)
    if where.kind == "hub":
        return any(stored in hub.splits for hub in owner.source.hubs)
    if where.files or where.folder is None:
        return stored in where.files
    return bool(languages_in(owner, stored, where.folder))


def check_language(task: Task, split: str, language: str, where: Where) -> None:
    """Refuse a language that is not there, as far as names tell; nothing is read, and the hub is not asked."""
    if where.kind == "miniature":
        _miniature_language(task, language)
    elif where.kind == "files":
        owner, stored = _owner(task, split, where)
        if owner.parts and stored not in where.files:
            for part in owner.parts:
                check_language(tasks[part], stored, language, where)
        else:
            _groups(owner, stored, spelled(language, task.languages), where)


def languages_of(task: Task, split: str, where: Where) -> tuple[str, ...]:
    """The languages to be had, as the task spells them, or in ISO 639-1; () where there is none: `nothing_found` says
    what was looked for."""
    if where.kind == "miniature":
        return miniature_of(task).languages
    if where.kind == "hub":
        return _languages_of_hub(task, split)
    if task.parts and split not in where.files:
        return languages_of(tasks[task.parts[0]], split, where)
    if split in where.files:
        return _languages_of_files(task, where.files[split])
    if where.folder is None:
        return ()
    codes = languages_in(task, split, where.folder)
    if "" in codes and task.source.language_column:
        groups = find(task, split, task.train_language, where.folder)
        return values_of(task, [path for group in groups for path in group.paths])
    if "" in codes and task.source.id_prefixes:
        return tuple(task.source.id_prefixes)
    return tuple(code or task.train_language for code in codes)


def miniature_of(task: Task) -> Dataset:
    """The miniature's data set that stands for the task. Raises TaskDataError where there is none."""
    if not task.source.miniature:
        do = "name a folder with its files: --data DIR"
        raise TaskDataError(f"the miniature has nothing for '{task.name}'", do=do)
    return DATASETS[task.source.miniature]


def nothing_found(task: Task, split: str, where: Where) -> StiltsError:
    """The error for a place that holds a split in no language at all."""
    return _not_given(task, split, where) if where.folder is None else no_files(task, split, where.folder)


def _miniature_language(task: Task, language: str) -> str:
    """A language as the miniature spells it; UnknownName for one it does not have."""
    known = miniature_of(task).languages
    code = spelled_in(language, known)
    if code is None:
        raise unknown_name(f"language of '{task.name}' in the miniature", language, known)
    return code


def _owner(task: Task, split: str, where: Where) -> tuple[Task, str]:
    """The task and split whose rows are read for this one."""
    given = split in where.files
    if split == "train" and task.train_task and not given and split not in task.source.files:
        return tasks[task.train_task], "train"
    own = given or bool(task.parts) or task.source.has(split)
    if split == "validation" and task.held_out and (where.files or not own) and not given:
        return _owner(task, "train", where)
    return task, split


def _rows(task: Task, split: str, language: str, where: Where) -> Rows:
    """A task's own rows, or those of its parts one after another."""
    if task.parts and split not in where.files:
        parts = {part: _rows(*_owner(tasks[part], split, where), language, where) for part in task.parts}
        return _together(task, parts, split, language, where)
    dropped: Counter[str] = Counter()
    origin = Origin(task.name, split, language, where.kind)
    if where.kind == "hub":
        read = hub_examples(task, split, language, where, dropped)
        examples, notes = read.examples, substitutions_of(task, split, hub=read.hub.id)
        origin = replace(origin, hub=read.hub.id, config=read.config, revision=read.revision, substitutions=notes)
    else:
        examples, facts = read_files(task, _groups(task, split, language, where), split, language, where, dropped)
        notes = substitutions_of(task, split, files=facts, given=split in where.files)
        origin = replace(origin, files=facts, multiword=_multiword(task, facts), substitutions=notes)
    if task.source.mismatches:
        examples = [*with_mismatches(cast(list[Classified], examples), f"{split} split of '{task.name}'")]
    return examples, replace(origin, dropped=dict(dropped))


def substitutions_of(
    task: Task, split: str, *, files: Sequence[FileFact] = (), hub: str = "", given: bool = False
) -> tuple[str, ...]:
    """Where rows differ from the published set-up, in words, for the manifest and tables.

    split  of the task whose rows they are
    files  those read, none for the hub
    hub    the data set read, "" for files
    given  the files were named one by one, so that what a release lacks is not known to be missing here
    """
    source = task.source
    notes = list(source.substitutions)
    if source.stands_for:
        notes.append(f"{task.name} stands in for {source.stands_for}, whose corpus is licensed")
    if split in source.stand_ins and not given:
        notes.append(source.stand_ins[split])
    if _multiword(task, files) == "split" and source.tag_column == "upos":
        notes.append(SPLIT_WORDS)
    notes += [known.note for known in source.hubs if known.id == hub and known.note]
    return tuple(dict.fromkeys(notes))


def _multiword(task: Task, files: Sequence[FileFact]) -> str:
    """How multi-word tokens were read: "split" or "fuse" where treebanks were, "" for anything else."""
    treebanks = task.format.classes and any(suffix(file.path) == TREEBANK for file in files)
    return (task.source.multiword or "split") if treebanks else ""


def _together(task: Task, parts: Mapping[str, Rows], split: str, language: str, where: Where) -> Rows:
    """The rows of several tasks as those of one; each id says which task it is from."""
    examples = [replace(row, id=f"{name}:{row.id}") for name, (rows, _) in parts.items() for row in rows]
    origins = {name: origin for name, (_, origin) in parts.items()}
    dropped = {f"{name}: {why}": number for name, origin in origins.items() for why, number in origin.dropped.items()}
    places = [(origin.hub, origin.config, origin.revision) for origin in origins.values() if where.kind == "hub"]
    hub, config, revision = (" + ".join(facts) for facts in zip(*places, strict=True)) if places else ("", "", "")
    files = tuple(fact for origin in origins.values() for fact in origin.files)
    notes = tuple(dict.fromkeys(note for origin in origins.values() for note in origin.substitutions))
    origin = Origin(task.name, split, language, where.kind, files, hub, config, revision, dropped=dropped)
    return examples, replace(origin, substitutions=notes)


def _groups(task: Task, split: str, language: str, where: Where) -> list[Group]:
    if split in where.files:
        return _given(task, where.files[split])
    if where.files or where.folder is None:
        raise _not_given(task, split, where)
    return find(task, split, language, where.folder)


def _no_rows(task: Task, split: str, language: str, read: int, dropped: Mapping[str, int]) -> TaskDataError:
    """The error for a split without a row, though `read` rows were read that it is held out of."""
    left_out = "".join(f"; {number:,} left out: {reason}" for reason, number in dropped.items())
    what = f"no row of the {split} split of '{task.name}' in '{language}'{left_out}"
    if not read:
        return TaskDataError(what, do="check the language, the labels and the files")
    what += f": validation is one in {task.held_out} contexts of the training rows, chosen by their text, and of these"
    what += f" {read:,} rows that is {'none' if split == 'validation' else 'all'}"
    return TaskDataError(what, do="give both splits, --data train=FILE --data validation=FILE, or more rows")


def _not_given(task: Task, split: str, where: Where) -> StiltsError:
    if where.files:
        what = f"no file for the {split} split of '{task.name}'; given: {', '.join(sorted(where.files))}"
        return TaskDataError(what, do=f"add --data {split}=FILE")
    advice = f"name a folder with --data DIR, or files with --data {split}=FILE"
    return UsageError(f"'{task.name}' needs its files", do=advice)


def _given(task: Task, paths: Sequence[Path]) -> list[Group]:
    """Files named one by one: each for itself, but for the two or three that make a bitext or a mining set."""
    joined = 2 if task.source.joined and len({suffix(path) for path in paths[:2]}) > 1 else 1
    together = max(joined, task.format.together(paths))
    return [Group(tuple(paths[start : start + together]), "") for start in range(0, len(paths), together)]


def _languages_of_hub(task: Task, split: str) -> tuple[str, ...]:
    wanted = (*task.languages, *task.extra_languages)
    hubs = [hub for hub in task.source.hubs if split in hub.splits]
    there = dict.fromkeys(code for hub in hubs for code in languages_at(hub, task))
    return tuple(code for code in there if code in wanted or not wanted) or task.languages or (task.train_language,)


def _languages_of_files(task: Task, paths: Sequence[Path]) -> tuple[str, ...]:
    if task.source.language_column and (values := values_of(task, paths)):
        return values
    named = next((code for path in paths if (code := language_in_name(path, task))), "")
    return (named or _language_of_suffix(paths[0]) or (UNDETERMINED if task.retrieval else task.train_language),)


def _language_of_suffix(path: Path) -> str:
    """ "de" of "news.de.gz", as both sides of a bitext are often called."""
    code = suffix(path).removeprefix(".")
    return iso1(code) if is_known(code) else ""

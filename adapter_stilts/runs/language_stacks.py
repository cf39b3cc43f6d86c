"""MAD-X: a run that was trained over one language's adapter, read over each other language's own.

    stacks = language_stacks(encoder, bundle, ["de=runs/mlm-de-1a2b3c4d", "sw=runs/mlm-sw-5e6f7a8b"])
    stacks.reading("de")       stack(mlm-en@de, nli), and which adapter that is

The run's composition holds one language adapter: an adapter trained by masked language modelling on text of one
language, under the task's. At test its weights are replaced by those of the language read; everything above stays. A
language without an adapter is refused, unless "sw=source" or "others=source" says that it is read under the source
language's, which its score then says as well. Pfeiffer et al. (2020), https://arxiv.org/abs/2005.00052
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapter_stilts.encoder.composition import Composition, fusion_name, fusions, names, parse
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.errors import UsageError, refuse
from adapter_stilts.retrieval.reading import LanguageStack as Stack
from adapter_stilts.runs.build import check_trunk
from adapter_stilts.runs.lineage import renamed
from adapter_stilts.sharing.bundle import Bundle, Part, load_bundle
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.languages import iso1, same_language

SOURCE, OTHERS = "source", "others"
FLAG = "--language-adapter"
OWN = "own"  # as a setting of a score: each language was read under its own language adapter
ENGLISH = "en"  # the language of a pair's second side
TEXT_TASK = "mlm"  # what a language adapter learns
NOTE = "the source language's"
BOTH = f"{NOTE}, on both sides"


@dataclass(frozen=True)
class Stacks:
    """The stacks of a run by language, in ISO 639-1.

    source   the run's own
    own      the languages that have an adapter of their own; {} where none was asked for
    spared   languages read under the source language's, because that was asked for
    rest     whether every other language is
    """

    source: Stack
    own: Mapping[str, Stack] = field(default_factory=dict)
    spared: frozenset[str] = frozenset()
    rest: bool = False

    @property
    def swapped(self) -> bool:
        """Whether languages are read under adapters of their own."""
        return bool(self.own)

    def reading(self, language: str) -> Stack:
        """The stack of a language; the source language's comes with a note."""
        code, source = iso1(language), self.source
        if code in self.own:
            return self.own[code]
        if not source.adapter or code == source.adapter["language"]:
            return source
        return Stack(source.composition, {**source.adapter, "note": NOTE})

    def facts(self, row: Result) -> dict[str, Any]:
        """The adapter reading a row, {} for none: of a pair's foreign side, under "target" of its English one."""
        if not self.source.adapter:
            return {}
        if row.retrieval and row.settings.get("language_adapters") != OWN:
            return {**self.source.adapter, "note": BOTH}
        target = {"target": dict(self.reading(ENGLISH).adapter)} if row.retrieval else {}
        return {**self.reading(row.language).adapter, **target}

    def check(self, languages: Sequence[str]) -> None:
        """Refuse languages that have no adapter and were not said to be read under the source language's."""
        asked = {code: None for code in map(iso1, languages) if code not in self.own and code not in self.spared}
        missing = [code for code in asked if code != self.source.adapter.get("language")]
        if missing and self.swapped and not self.rest:
            own, source = f"{FLAG} {missing[0]}=RUN", f"{FLAG} {missing[0]}=source"
            advice = f"give {own}, leave the language out with --languages, or read it as the source language: {source}"
            what = f"no language adapter for {', '.join(missing)}"
            raise UsageError(what, do=f"{advice} (others=source for all of them)")


BARE = Stacks(Stack(None, {}))  # of a trunk alone


def with_facts(rows: Sequence[Result], seen: Mapping[str, Sequence[str]], stacks: Stacks = BARE) -> list[Result]:
    """The rows with "seen", the tasks learned in the row's language, and "language_adapter", where there are any."""
    noted = []
    for row in rows:
        adapter = stacks.facts(row)
        tasks = {task for language, names in seen.items() if same_language(language, row.language) for task in names}
        if "note" not in adapter and adapter.get("language") == iso1(row.language):
            tasks.add(adapter["task"])
        noted.append(row.with_notes(seen=sorted(tasks), language_adapter=adapter))
    return noted


def language_stacks(encoder: AdapterEncoder, bundle: Bundle, asked: Sequence[str]) -> Stacks:
    """Load the adapters that were given as LANGUAGE=RUN into a run's encoder, beside its own.

    Raises UsageError for a run without a language adapter, or with several, and for what is no language adapter of the
    language it is given for.
    """
    composition = parse(bundle.manifest.composition)
    parts = [part for part in bundle.of("adapter") if part.facts["language"] and part.name in names(composition)]
    if not asked:
        return Stacks(Stack(composition, _described(parts[0], bundle) if len(parts) == 1 else {}))
    if len(parts) != 1:
        has = f"has {len(parts)}: {', '.join(part.name for part in parts)}" if parts else f"has none: {composition}"
        what = f"{FLAG} takes the place of the run's language adapter, and this run {has}"
        first = "`adapter-stilts train mlm --kind seq_bn_inv --set data.language=en`"
        advice = f"train the task over one: {first}, then --how stack --after that run"
        raise UsageError(what, where=str(bundle.folder), do=advice)
    (old,), wanted = parts, _wanted(asked)
    own = {code: _load(encoder, old, composition, code, run) for code, run in wanted.items() if run != SOURCE}
    source = Stack(composition, _described(old, bundle))
    own.setdefault(iso1(old.facts["language"]), source)
    spared = frozenset(code for code, run in wanted.items() if run == SOURCE and code != OTHERS)
    return Stacks(source, own, spared, OTHERS in wanted)


@contextmanager
def active(encoder: AdapterEncoder, composition: Composition | None) -> Iterator[None]:
    """Another composition inside the block; None leaves the one that is active."""
    before = encoder.composition
    if composition is not None:
        encoder.activate(composition)
    try:
        yield
    finally:
        encoder.activate(before)


def _wanted(asked: Sequence[str]) -> dict[str, str]:
    """Language -> run, as typed."""
    wanted: dict[str, str] = {}
    for entry in asked:
        language, equals, run = entry.partition("=")
        code = language if language == OTHERS else iso1(language)
        example = f"for example {FLAG} de=runs/mlm-de-1a2b3c4d, or de=source"
        empty = not equals or not language.strip() or not run.strip()
        refuse(empty, f"{FLAG} {entry}: write it as LANGUAGE=RUN", example)
        what = f"{FLAG} {entry}: all other languages can only be read as the source language is"
        refuse(code == OTHERS and run != SOURCE, what, f"write {FLAG} others=source")
        refuse(code in wanted, f"{FLAG} names '{language}' twice", "keep one of them")
        wanted[code] = run
    return wanted


def _load(encoder: AdapterEncoder, old: Part, composition: Composition, code: str, run: str) -> Stack:
    """Another language's adapter in the place of the run's own."""
    other = load_bundle(Path(run))
    check_trunk(encoder.trunk, other)
    parts = other.of("adapter")
    if len(parts) != 1 or not parts[0].facts["language"]:
        what = f"not a language adapter: {other.manifest.composition}, trained on {other.manifest.task}"
        advice = f"train one: `adapter-stilts train mlm --kind {old.facts['kind']} --set data.language={code}`"
        raise UsageError(what, where=run, do=advice)
    facts, name = parts[0].facts, f"{old.name}@{code}"
    if iso1(facts["language"]) != code:
        what = f"the adapter was trained on text in '{facts['language']}', and is given for '{code}'"
        raise UsageError(what, where=run, do=f"write {FLAG} {iso1(facts['language'])}={run}")
    encoder.load(name, facts["kind"], facts["settings"], parts[0].tensors)
    swapped = renamed(composition, {old.name: name})
    for before, after in zip(fusions(composition), fusions(swapped), strict=True):
        if fusion_name(after) not in encoder.fusions:
            encoder.load_fusion(after, encoder.fusion_tensors(before))
    encoder.activate(swapped)  # refuses a kind that cannot lie there
    encoder.activate(composition)
    encoder.eval()
    return Stack(swapped, _described(parts[0], other))


def _described(part: Part, bundle: Bundle) -> dict[str, Any]:
    """An adapter by its language, its own name, and the run that its weights were read from."""
    facts = {"language": iso1(part.facts["language"]), "adapter": part.name, "task": TEXT_TASK}
    return {**facts, "run": bundle.manifest.name, "checksum": bundle.manifest.checksum}

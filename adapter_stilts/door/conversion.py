"""`convert` as a function: a run in the form of another library, and back; and a run as a model of mteb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapter_stilts.convert import verb
from adapter_stilts.door.run import Run
from adapter_stilts.door.words import AnyPath, AnyRun, path_of, run_or_trunk, text_of
from adapter_stilts.errors import refuse
from adapter_stilts.reporting import Logged, Reporter


def convert(
    run: AnyRun,
    *,
    out: AnyPath,
    to: str | None = None,
    from_: str | None = None,
    trunk: AnyPath | None = None,
    head: str | None = None,
    no_head: bool = False,
    adapter: str = "",
    layer: int | str | None = None,
    pool: str | None = None,
    centre: AnyPath | None = None,
    task: str = "",
    labels: str | list[str] | tuple[str, ...] = (),
    language: str = "",
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Any:
    """Write a run for another library (`to`) and return what was written; or make a Run of an adapter of another.

    run     a finished run; without `to`, a folder that peft or AdapterHub has written
    layer, pool, centre   of sentence vectors; centre: a file of sentences whose mean is subtracted
    task, labels, language   of an adapter that becomes a run

    Raises UsageError where the other library would not give the same numbers, ArtefactError for a foreign adapter that
    says what has no equal here.
    """
    refuse(to is not None and from_ is not None, "to= and from_= are two directions", "give one of them")
    say = (reporter or Logged()).say
    if to is not None:
        wanted = verb.Wanted(text_of(trunk), "" if no_head else head, adapter, layer, pool, path_of(centre))
        return verb.convert(Path(run), to, Path(out), wanted, overwrite=overwrite, say=say)
    given = tuple(labels.split(",")) if isinstance(labels, str) and labels else tuple(labels)
    taken = verb.Taken(text_of(trunk), task, given, language)
    verb.convert_from(Path(run), from_ or "", Path(out), taken, overwrite=overwrite, say=say)
    return Run(Path(out))


def mteb_model(
    run: AnyRun | None = None,
    *,
    trunk: AnyPath | None = None,
    layer: int | str | None = None,
    pool: str | None = None,
    precision: str = "auto",
    prefix: str = "",
) -> Any:
    """A run, or a bare trunk, as mteb takes a model: `mteb.evaluate(mteb_model(run, layer=8), tasks)`.

    Its vectors are those of `encode`. It needs the library mteb.
    """
    from adapter_stilts.convert.libraries.mteb_encoder import Encoder  # only now: mteb may be absent

    folder, name = run_or_trunk(run, trunk)
    return Encoder(folder, text_of(name), layer=layer, pool=pool, precision=precision, prefix=prefix)

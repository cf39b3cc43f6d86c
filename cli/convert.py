"""`convert`: a run in the form of another library, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapter_stilts.errors import refuse

from . import options, progress, render
from .options import named, option

SUBJECT = "A finished run; of --from, a folder that peft or AdapterHub has written."
OUT = "The folder that is written; of --from, the run."
HEAD = "Of several heads, the one that goes along (of onnx: whose logits the graph gives)."
CENTRE = "sentence-transformers, onnx: sentences whose mean vector is subtracted from every vector."
LABELS = "--from: the head's labels, in its order."


def convert(
    run: Annotated[Path, typer.Argument(metavar="RUN|FOLDER", help=SUBJECT)],
    out: Annotated[Path, option("-o --out", "DIR", OUT)],
    to: Annotated[str | None, named("--to", "convert:writers", "The form that is written.")] = None,
    origin: Annotated[str | None, named("--from", "convert:readers", "The form that is read; found by itself.")] = None,
    trunk: options.TrunkOption = None,
    head: Annotated[str | None, option("--head", "NAME", HEAD)] = None,
    no_head: Annotated[bool, option("--no-head", None, "Leave the head out.")] = False,
    adapter: Annotated[str, option("--adapter", "NAME", "Of a composition, this adapter alone.")] = "",
    layer: options.LayerOption = None,
    pool: options.PoolOption = None,
    centre: Annotated[Path | None, option("--centre", "FILE", CENTRE)] = None,
    task: Annotated[str, option("--task", "TASK", "--from: whose head it is.")] = "",
    labels: Annotated[str | None, option("--labels", "A,B", LABELS)] = None,
    language: Annotated[str, option("--language", "CODE", "--from: the language that it has learned.")] = "",
    overwrite: Annotated[bool, option("--overwrite", None, "Replace what an earlier conversion left in DIR.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Convert a run for another library, or an adapter of another library into a run.

    Refused with the reason where it would not give the same numbers there.

    \b
    Examples:
      adapter-stilts convert runs/nli-1a2b3c4d --to sentence-transformers --layer 8 -o nli-encoder
      adapter-stilts convert sw-adapter --from adapterhub --trunk FacebookAI/xlm-roberta-base -o runs/sw
    """
    from adapter_stilts.convert import verb

    refuse(to is not None and origin is not None, "--to and --from are two directions", "give one of them")
    say = progress.reporter().say
    if to is not None:
        number = int(layer) if layer is not None and layer.isdecimal() else layer
        wanted = verb.Wanted(trunk, "" if no_head else head, adapter, number, pool, centre)
        document = verb.convert(run, to, out, wanted, overwrite=overwrite, say=say)
    else:
        taken = verb.Taken(trunk, task, options.names(labels), language)
        document = verb.convert_from(run, origin or "", out, taken, overwrite=overwrite, say=say)
    if as_json:
        render.document(document)
    else:
        render.facts({name: value for name, value in document.items() if name != "files" and value != ""})

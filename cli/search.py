"""`search`: the sentences nearest to one that is asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, progress, render
from .options import option

if TYPE_CHECKING:
    from adapter_stilts.mining.find import Found

PLACE = "Where to look: a file of sentences, or a folder of `encode` or .npy of vectors."
ASKED = "What to look for; left out, a sentence a line is read from stdin until it ends."


def search(
    place: Annotated[Path, typer.Argument(metavar="FILE|VECTORS", help=PLACE)],
    sentence: Annotated[str | None, typer.Argument(metavar="[SENTENCE]", help=ASKED)] = None,
    count: Annotated[int, option("-k", "N", "How many are shown, nearest first.", min=1)] = 5,
    run: options.ReaderOption = None,
    trunk: options.TrunkOption = None,
    layer: options.LayerOption = None,
    pool: options.PoolOption = None,
    layout: options.LayoutOption = None,
    column: options.ColumnOption = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Find the sentences of a file that are nearest to one in any language.

    The file is encoded once, and its vectors are kept. Without SENTENCE it answers line after line, loaded once.

    \b
    Examples:
      adapter-stilts search news.en "Der Zug nach Rom" --run runs/nli-1a2b3c4d
      adapter-stilts search news.en --trunk FacebookAI/xlm-roberta-base < questions.txt
    """
    from adapter_stilts.mining.encode import Encoding
    from adapter_stilts.mining.find import Finder

    configured = options.configuration(config, settings, trunk=trunk, layer=layer, pool=pool)
    request = Encoding.from_config(configured, place, run=run, layout=layout, column=column)
    answers: list[dict[str, object]] = []
    with Finder.open(request, runs=options.RUNS, report=progress.reporter()) as finder:
        for asked in [sentence] if sentence is not None else _typed():
            (found,) = finder.nearest([asked], count)
            if as_json:
                answers.append({"sentence": asked, "found": [asdict(one) for one in found]})
            else:
                _show(asked, found)
    if as_json:
        render.document({"results": answers})


def _typed() -> Iterator[str]:
    """Lines of stdin that are not blank; on a terminal there is a prompt."""
    prompt = sys.stdin.isatty()
    while True:
        if prompt:
            typer.echo("search> ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


def _show(asked: str, found: Sequence[Found]) -> None:
    rows = [(f"{one.similarity:.3f}", one.line, one.text) for one in found]
    render.table(asked, ("cosine", "line", "sentence"), rows)

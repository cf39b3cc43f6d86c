"""`push` and `pull`: a run to other people and from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import progress, render
from .options import JsonOption, option

PUSHED = "A folder, a .zip, or a repository of the hub as hf:OWNER/NAME."
PULLED = "A folder or .zip that `push` made, or hf:OWNER/NAME[@REVISION]."
LICENCE = "Of the weights, as the hub names licences: apache-2.0, cc-by-4.0 ..."


def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")],
    where: Annotated[str, typer.Argument(metavar="WHERE", help=PUSHED)],
    licence: Annotated[str, option("--licence --license", "NAME", LICENCE)] = "",
    public: Annotated[bool, option("--public/--private", None, "Who sees a repository that is made for it.")] = False,
    revision: Annotated[str, option("--revision", "BRANCH", "The branch of the repository; by default main.")] = "",
    overwrite: Annotated[bool, option("--overwrite", None, "Take the place of another bundle.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send a run to others as a bundle: weights, labels, scores and a card.

    What is in it: every adapter of its composition, fusion, head, settings and scores. What is not: checkpoints,
    predictions, and anything that says where it was made. What everybody may see needs a licence and scores.

    \b
    Examples:
      adapter-stilts push runs/nli-1a2b3c4d nli.zip
      adapter-stilts push runs/nli-1a2b3c4d hf:juno/nli-sw --public --licence apache-2.0
    """
    from adapter_stilts.exchange import push as exchange

    wanted: dict[str, Any] = {"licence": licence, "public": public, "revision": revision, "overwrite": overwrite}
    made = exchange.push(run, where, **wanted, report=progress.reporter())
    if as_json:
        render.document(made)
        return
    size = f"{made['bytes'] / 1e6:.1f} MB"
    render.facts({"bundle": made["to"], "size": size, "take it with": f"adapter-stilts pull {made['pull']}"})


def pull(
    where: Annotated[str, typer.Argument(metavar="WHERE", help=PULLED)],
    out: Annotated[Path | None, option("-o --out", "DIR", "The folder it becomes; by default runs/NAME.")] = None,
    revision: Annotated[str, option("--revision", "NAME", "A commit, branch or tag of the repository.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Take a bundle that others made, and verify every byte of it.

    Nothing in it is run or unpickled. The same command again goes on where it stopped.

    \b
    Examples:
      adapter-stilts pull nli.zip -o runs/theirs
      adapter-stilts pull hf:juno/nli-sw@v1
    """
    from adapter_stilts.exchange import pull as exchange

    made = exchange.pull(where, out=out, revision=revision, report=progress.reporter())
    if as_json:
        render.document(made)
        return
    trunk = made["trunk"]
    named = trunk["name"] + (" (a folder: name it with --trunk DIR)" if trunk["source"] == "folder" else "")
    facts = {"run": made["run"], "from": made["from"], "composition": made["composition"], "trunk": named}
    render.facts({**facts, "size": f"{made['bytes'] / 1e6:.1f} MB"})

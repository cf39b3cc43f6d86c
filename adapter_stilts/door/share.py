"""`push` and `pull` as functions: a run to other people and from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapter_stilts.door.run import Run
from adapter_stilts.door.words import AnyPath, AnyRun, folder_of, path_of
from adapter_stilts.exchange import pull as pulling
from adapter_stilts.exchange import push as pushing
from adapter_stilts.reporting import Logged, Reporter


def push(
    run: AnyRun,
    where: AnyPath,
    *,
    licence: str = "",
    public: bool = False,
    revision: str = "",
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Send a run as a bundle; returns where it is, its checksum and its size, and of the hub the commit.

    where    a folder, a .zip, or "hf:OWNER/NAME"
    licence  of the weights; what everybody may see (`public`) needs one, and scores
    """
    wanted: dict[str, Any] = {"licence": licence, "public": public, "revision": revision, "overwrite": overwrite}
    return pushing.push(Path(folder_of(run)), str(where), **wanted, report=reporter or Logged())


def pull(where: AnyPath, *, out: AnyPath | None = None, revision: str = "", reporter: Reporter | None = None) -> Run:
    """Take a bundle, verify every byte of it, and return it as a run, by default in runs/NAME.

    where  a folder or a .zip that `push` made, or "hf:OWNER/NAME@REVISION"
    """
    made = pulling.pull(str(where), out=path_of(out), revision=revision, report=reporter or Logged())
    return Run(Path(made["run"]))

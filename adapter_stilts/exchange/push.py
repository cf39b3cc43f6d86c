"""`push`: a run as a bundle to a folder, a .zip or a repository of the hub, with its card.

    push(Path("runs/nli-1a2b3c4d"), "hf:juno/nli-sw", licence="apache-2.0")

A bundle holds what others need to use the run, score it and build on it, and nothing that says where it was made. What
everybody may see has a licence and scores.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from adapter_stilts.errors import UsageError
from adapter_stilts.exchange.archive import write_archive
from adapter_stilts.exchange.contents import stage
from adapter_stilts.exchange.places import Archive, Place, Repository, place
from adapter_stilts.files import disk_errors, place_folder
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.results import read_results
from adapter_stilts.sharing.card import CARD
from adapter_stilts.sharing.manifest import MANIFEST, Manifest, read_manifest
from adapter_stilts.sharing.metadata import LICENCE_NAME, read_licence


def push(
    run: Path, where: str, *, licence: str, public: bool, revision: str = "", overwrite: bool, report: Reporter
) -> dict[str, Any]:
    """Send a bundle; returns the document of `push --json`.

    licence    of the weights, as the hub names licences; "" takes the one that the run's card has
    public     everybody may see it: a repository of the hub is private otherwise
    overwrite  take the place of another bundle

    Raises what `load_bundle` raises; UsageError for a card with gaps that everybody would see, and for something else
    in the place.
    """
    target = place(where, revision)
    if not isinstance(target, Repository) and target.path.resolve() == run.resolve():
        raise UsageError("the bundle would take the place of the run", where=where, do="name another place")
    if licence and not LICENCE_NAME.fullmatch(licence):
        do = "write it as the hub does: apache-2.0, cc-by-4.0 ..."
        raise UsageError(f"'{licence}' is no name of a licence", do=do)
    licence = licence or read_licence(run / CARD)
    if public or (isinstance(target, Repository) and _seen_by_all(target, public)):
        _check_card(run, licence)
    beside = target.path.parent if not isinstance(target, Repository) else None
    with disk_errors(Path(where) if beside else run):
        if beside:
            beside.mkdir(parents=True, exist_ok=True)
        held = tempfile.mkdtemp(prefix=".push-", suffix=".partial", dir=beside)
    try:
        bundle = Path(held) / "bundle"
        bundle.mkdir()
        manifest = stage(run, bundle, licence=licence, where=str(target) if isinstance(target, Repository) else "")
        size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
        facts = {"run": str(run), "to": str(target), "checksum": manifest.checksum, "bytes": size, "licence": licence}
        return facts | _sent(bundle, target, manifest, public, overwrite, report)
    finally:
        shutil.rmtree(held, ignore_errors=True)


def _sent(
    bundle: Path, target: Place, manifest: Manifest, public: bool, overwrite: bool, report: Reporter
) -> dict[str, Any]:
    if isinstance(target, Repository):
        from adapter_stilts.exchange.hub import upload  # huggingface_hub takes a second to import

        commit = upload(bundle, target, public=public, title=f"{manifest.name}: {manifest.composition}"[:200])
        report.say(f"{target} holds the bundle at commit {commit}")
        return {"commit": commit, "public": public, "pull": f"hf:{target.id}@{commit}"}
    if isinstance(target, Archive):
        made = bundle.parent / "bundle.zip"
        write_archive(bundle, made)
        same = target.path.is_file() and filecmp.cmp(made, target.path, shallow=False)
        if not same:
            _check_free(target.path, overwrite or not target.path.exists())
            os.replace(made, target.path)
        return {"new": not same, "pull": str(target)}
    same = _same_folder(bundle, target.path)
    if not same:
        _check_free(target.path, not _occupied(target.path) or (overwrite and _is_bundle(target.path)))
        place_folder(bundle, target.path)
    return {"new": not same, "pull": str(target)}


def _seen_by_all(repository: Repository, public: bool) -> bool:
    """Whether what is sent there will be public. UsageError where it would be, and nobody asked for it."""
    from adapter_stilts.exchange.hub import is_public

    if is_public(repository) and not public:
        what = f"{repository} is public, and --public was not asked for"
        raise UsageError(what, do="add --public, name another repository, or make this one private on the hub")
    return public


def _check_card(run: Path, licence: str) -> None:
    """What everybody may see says what it may be used for and how good it is."""
    gaps: list[tuple[str, str]] = []
    if not licence:
        gaps.append(("no licence", "add --licence apache-2.0, for example"))
    if all(row.partial for row in read_results(run)):
        gaps.append(("no scores", f"score it first: adapter-stilts eval {run} --tasks {read_manifest(run).task}"))
    if gaps:
        what = f"the card has {' and '.join(gap for gap, _ in gaps)}, and everybody would see it"
        raise UsageError(what, where=str(run), do="; ".join(do for _, do in gaps))


def _same_folder(bundle: Path, folder: Path) -> bool:
    """Whether a folder holds these files and no others, byte for byte."""
    if not folder.is_dir():
        return False
    ours, theirs = (
        sorted(file.relative_to(top) for file in top.rglob("*") if file.is_file()) for top in (bundle, folder)
    )
    return ours == theirs and all(filecmp.cmp(bundle / name, folder / name, shallow=False) for name in ours)


def _occupied(folder: Path) -> bool:
    return folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))


def _is_bundle(folder: Path) -> bool:
    """Whether replacing a folder loses no more than a bundle: checkpoints and the like are a run's own."""
    return folder.is_dir() and (folder / MANIFEST).is_file() and not (folder / "checkpoints").exists()


def _check_free(path: Path, free: bool) -> None:
    if not free:
        what = "something else lies in the place of the bundle"
        raise UsageError(what, where=str(path), do="name another place, or replace a bundle with --overwrite")

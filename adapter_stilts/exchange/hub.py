"""Repositories of the Hugging Face hub, through huggingface_hub: what lies in one, its files, and a commit to it.

The hub is HF_ENDPOINT, the token HF_TOKEN or what `hf auth login` keeps; HF_HUB_OFFLINE is honoured. Files come at one
commit, whatever happens to the branch meanwhile, and a download that was cut off goes on where it stopped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, errors, hf_hub_download
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from adapter_stilts.encoder.trunk.hub import switched_off
from adapter_stilts.errors import ArtefactError, DoesNotFit, MissingError, StiltsError, Unreachable, UsageError
from adapter_stilts.exchange.contents import pieces_of
from adapter_stilts.exchange.places import FETCHED, Repository
from adapter_stilts.files import NO_SPACE
from adapter_stilts.sharing.manifest import CONFIG, MANIFEST, METRICS, RESULTS, ROLES, TASK_FILE

NETWORK: tuple[type[BaseException], ...] = (OSError, *errors.HfHubHTTPError.__bases__, ValueError, RuntimeError)
NOT_SHOWN = (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.GatedRepoError)
SECONDS = 10.0  # how long the hub may take to answer
OF_THE_HUB = (".gitattributes",)  # made by the hub itself
REPLACED = (*(f"{role}/*" for role in ROLES), MANIFEST, CONFIG, RESULTS, TASK_FILE, METRICS)


class Fetched:
    """The files of a repository at one commit."""

    def __init__(self, repository: Repository, into: Path) -> None:
        """Raises MissingError for a repository that is not there for us, Unreachable where the hub is not."""
        self._repository, self._into = repository, into / FETCHED
        with _asking(repository):
            info = _api().model_info(repository.id, revision=repository.revision or None, files_metadata=True)
        self.commit = str(info.sha)
        self.where = f"hf:{repository.id}@{self.commit}"
        self._sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}

    def names(self) -> list[str]:
        return [name for name in self._sizes if name not in OF_THE_HUB]

    def size(self, name: str) -> int:
        """Bytes that the hub says it is."""
        return self._sizes[name]

    def pieces(self, name: str) -> Iterator[bytes]:
        with _asking(self._repository), _quiet():
            options: dict[str, Any] = {"revision": self.commit, "local_dir": self._into, "etag_timeout": SECONDS}
            path = hf_hub_download(self._repository.id, name, endpoint=_endpoint(), **options)
        yield from pieces_of(Path(path))


def is_public(repository: Repository) -> bool | None:
    """Whether everybody sees a repository; None where there is none yet."""
    try:
        with _asking(repository):
            return not _api().model_info(repository.id).private
    except MissingError:
        return None


def upload(folder: Path, repository: Repository, *, public: bool, title: str) -> str:
    """Make the repository hold the files of a folder, as one commit; returns it. What the hub holds already is not sent
    again, so that a push that was cut off goes on."""
    api, branch = _api(), repository.revision or None
    with _asking(repository), _quiet():
        api.create_repo(repository.id, private=not public, exist_ok=True)
        if branch:
            api.create_branch(repository.id, branch=branch, exist_ok=True)
        options: dict[str, Any] = {"revision": branch, "commit_message": title, "delete_patterns": list(REPLACED)}
        send = partial(api.upload_folder, repo_id=repository.id, folder_path=folder, **options)
        try:
            made = send()
        except NETWORK as error:
            if "xet" not in str(error) or constants.HF_HUB_DISABLE_XET:
                raise
            with _without_xet():  # a hub of one's own that takes large files as Git does
                made = send()
    return str(made.oid)


def _api() -> HfApi:
    return HfApi(endpoint=_endpoint(), library_name="adapter-stilts")


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _without_xet() -> Iterator[None]:
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = False


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's own bars."""
    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


@contextmanager
def _asking(repository: Repository) -> Iterator[None]:
    """What the hub and the way to it can end in, in our words."""
    if switched_off():
        what = f"{repository} is on the hub, and the hub is switched off"
        raise Unreachable(what, do="unset HF_HUB_OFFLINE, or name a folder or a .zip")
    try:
        yield
    except StiltsError:
        raise
    except NOT_SHOWN as error:
        at = f" at revision {repository.revision}" if repository.revision else ""
        what = f"the hub has no repository '{repository.id}'{at} that it shows us"
        raise MissingError(what, do="check the name and revision; a private one needs HF_TOKEN") from error
    except errors.HFValidationError as error:
        raise UsageError(f"no repository of the hub: {error}", do="write hf:OWNER/NAME") from error
    except NETWORK as error:
        raise _translated(repository, error) from error


def _translated(repository: Repository, error: BaseException) -> StiltsError:
    code = getattr(getattr(error, "response", None), "status_code", None)
    reason = " ".join(str(error).split())[:200]
    if code in (401, 403):
        do = "log in with `hf auth login` or set HF_TOKEN to a token that may write there"
        return MissingError(f"the hub does not let us: {reason}", where=str(repository), do=do)
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        do = "free some space and run the same command again"
        return DoesNotFit("the disk is full; what came before is kept", where=str(error.filename or ""), do=do)
    if code is None and "onsistency" in reason:
        return ArtefactError(f"a file came incomplete: {reason}", where=str(repository), do="run the command again")
    do = "check the network and run the command again; what came is kept"
    return Unreachable(f"the hub did not answer as it should: {reason}", where=str(repository), do=do)

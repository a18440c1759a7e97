"""Repositories on Hugging Face, written `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION` (extra [hub])."""

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from seqnets.downloads import by_hand, is_offline
from seqnets.errors import UserError
from seqnets.places import cache_folder

PREFIX = "hf:"
_ADDRESS = re.compile(r"hf:(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
_SITE = "https://huggingface.co"
_NO_ACCESS = (401, 403)


def _site() -> str:
    return (os.environ.get("HF_ENDPOINT") or _SITE).rstrip("/")


class Repository(NamedTuple):
    """A repository: `OWNER/NAME`, and a branch, tag or commit; None for the main branch."""

    name: str
    revision: str | None = None

    @classmethod
    def of(cls, address: str) -> "Repository":
        """Return the repository of an address.

        Raises:
            UserError: the address has another form.

        Example:
            >>> Repository.of("hf:timm/resnet50.a1_in1k"), Repository.of("hf:ann/plays@v2").revision
            (Repository(name='timm/resnet50.a1_in1k', revision=None), 'v2')
        """
        found = _ADDRESS.fullmatch(address)
        if not found:
            raise UserError(f"{address!r} is not a repository on Hugging Face; write hf:OWNER/NAME or hf:OWNER/NAME@REVISION")
        return cls(found["name"], found["revision"])

    @property
    def page(self) -> str:
        """Its address in a browser."""
        return f"{_site()}/{self.name}"


def is_repository(name: str | os.PathLike[str]) -> bool:
    """Return whether a name is written as a repository, and no file or folder has that name.

    Example:
        >>> is_repository("hf:ann/plays"), is_repository("runs/plays")
        (True, False)
    """
    text = os.fspath(name)
    return text.startswith(PREFIX) and not os.path.lexists(text)


def pull(address: str, files: Sequence[str]) -> Path:
    """Return a folder with files of a repository, downloaded if the cache does not hold this revision of them.

    A folder OWNER/NAME or OWNER/NAME@REVISION that someone put into the cache by hand is used as it is.

    Args:
        address: `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION`.
        files: names or patterns of the files wanted; names that the repository lacks are left out.

    Raises:
        UserError: the repository or revision does not exist, is not public, or cannot be reached, or huggingface_hub is not
            installed.
    """
    wanted, cache = Repository.of(address), cache_folder("hub")
    own = cache / address.removeprefix(PREFIX)
    if own.is_dir():
        return own
    library = _library()
    with _explained(wanted, own, files):
        folder = library.snapshot_download(
            wanted.name,
            revision=wanted.revision,
            cache_dir=cache,
            allow_patterns=list(files),
            local_files_only=is_offline(),
            endpoint=_site(),
            tqdm_class=_bar(library),
        )
    return Path(folder)


def push(address: str, files: Mapping[str, bytes], *, private: bool, message: str) -> str:
    """Write files into a repository in one commit, which makes the repository if needed.

    Args:
        address: `hf:OWNER/NAME`, or with a branch that exists.
        files: content by name.
        private: whether a new repository is visible only to its owner.
        message: the title of the commit.

    Returns:
        The address of the repository's page.

    Raises:
        UserError: nobody is logged in, the owner is another one, the network fails, or huggingface_hub is not installed.
    """
    wanted, library = Repository.of(address), _library()
    if is_offline():
        raise UserError(f"cannot write to {wanted.page} without the network; leave out --offline and SEQNETS_OFFLINE")
    api = library.HfApi(endpoint=_site(), library_name="seqnets")
    operations = [library.CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in files.items()]
    with _explained(wanted, None, list(files)):
        api.create_repo(wanted.name, private=private or None, exist_ok=True)
        api.create_commit(wanted.name, operations, commit_message=message, revision=wanted.revision)
    return wanted.page


def _library() -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
    except ImportError:
        raise UserError("repositories on Hugging Face need huggingface_hub; install it: pip install 'seqnets[hub]'") from None
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it logs what `_explained` says
    return huggingface_hub


def _bar(library: Any) -> Any:
    """Return huggingface_hub's progress bar, which shows only on a terminal."""

    class Bar(library.utils.tqdm):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **{**options, "disable": not sys.stderr.isatty()})

    return Bar


@contextmanager
def _explained(wanted: Repository, own: Path | None, files: Sequence[str]) -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except errors.RevisionNotFoundError:
        raise UserError(f"{wanted.page} has no branch, tag or commit {wanted.revision!r}; see its page") from None
    except errors.HFValidationError as error:
        raise UserError(f"'{wanted.name}' cannot be the name of a repository: {_first_line(error)}") from None
    except errors.LocalTokenNotFoundError:
        raise UserError("nobody is logged in to Hugging Face; type `hf auth login`, or set HF_TOKEN") from None
    except errors.LocalEntryNotFoundError:
        raise _out_of_reach(wanted, own, files) from None
    except errors.HfHubHTTPError as error:
        raise UserError(_refusal(wanted, error, writing=own is None)) from None
    except Exception as error:  # of the network, as the HTTP library of the installed version reports it
        if isinstance(error, OSError) and error.errno is not None and type(error).__module__ == "builtins":
            raise  # of the disk
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "requests", "builtins"):
            raise
        raise _out_of_reach(wanted, own, files) from error


def _out_of_reach(wanted: Repository, own: Path | None, files: Sequence[str]) -> UserError:
    if own is None:
        return UserError(f"{wanted.page} cannot be reached; check the network, and HTTPS_PROXY where there is a proxy")
    page = f"{wanted.page}/tree/{wanted.revision or 'main'}"
    return UserError(by_hand(page, f"put its files ({', '.join(files)}) into '{own}'"))


def _refusal(wanted: Repository, error: Any, *, writing: bool) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if writing and status in _NO_ACCESS:
        return f"Hugging Face does not let you write to {wanted.page}; type `hf auth login`, and check the name of the owner"
    if status in (*_NO_ACCESS, 404):
        return f"there is no public repository {wanted.page}; check its name, or type `hf auth login` if it is a private one"
    return f"{wanted.page} answered: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:200]

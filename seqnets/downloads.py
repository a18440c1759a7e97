"""Downloads of public files: resumed after a cut, checked before use, once for all processes that want the same file."""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqnets.errors import UserError

TIMEOUT_S, ATTEMPTS, PAUSE_S = 30.0, 4, 0.5  # of silence; tries after a cut; before the second try, and twice as long each time
_BLOCK = 1 << 16  # bytes: the most that a cut loses
_SPARE = 16 << 20  # bytes of the disk that stay free
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)  # replies of servers that are busy
_NO_ANSWER = "there is no answer within {:g} s"
_OFF = ("", "0", "off", "no", "false")


def is_offline() -> bool:
    """Return whether SEQNETS_OFFLINE, which --offline sets, forbids the network."""
    return os.environ.get("SEQNETS_OFFLINE", "").lower() not in _OFF


def fetch(address: str, digest: str, path: Path) -> Path:
    """Return a file that is downloaded unless it is there already, undamaged.

    An interrupted download continues where it stopped; of several processes, one downloads and the others wait. Proxies come
    from the environment: HTTPS_PROXY, HTTP_PROXY, NO_PROXY.

    Args:
        address: where the file is published.
        digest: `sha256:` or `md5:` with the hexadecimal digest of the file, or its beginning.
        path: where the file is kept; its folder is made if needed.

    Raises:
        UserError: the network or the server fails, or the file is another one; the message says where to put it by hand.
        OSError: the disk is full or cannot be written to.

    Example:
        >>> import hashlib, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_text("whole")
        >>> fetch("https://example.org/a.txt", f"sha256:{hashlib.sha256(b'whole').hexdigest()}", path).name
        'a.txt'
    """
    if path.is_file() and matches(path, digest):
        return path
    if is_offline():
        raise UserError(by_hand(address, f"save it as '{path}'", _wrong(path)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(path):
        if not (path.is_file() and matches(path, digest)):
            _download(address, digest, path)
    return path


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let one process at a time make a file or folder; the others wait, and say so."""
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _tell(f"another process downloads {path.name}; waiting for it")
        lock.acquire()
    with lock:
        lock.release()  # it counts; the block holds it once
        yield


def matches(path: Path, digest: str) -> bool:
    """Return whether a file has a digest, or one that begins so.

    Args:
        path: the file.
        digest: `sha256:` or `md5:` and hexadecimal digits.
    """
    kind, _, digits = digest.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest().startswith(digits)


def by_hand(address: str, what: str, reason: str = "") -> str:
    """Return the sentence for a file that cannot be downloaded: why, and where to put it by hand.

    Args:
        address: where it is published.
        what: what to do with it, such as "save it as 'a.txt'".
        reason: why; by default that the network is switched off, or does not answer.
    """
    off = "--offline or SEQNETS_OFFLINE forbids the network" if is_offline() else ""
    reasons = "; ".join(filter(None, [reason, off])) or "there is no answer"
    return f"cannot download {address}: {reasons}; get it by other means and {what}"


def _download(address: str, digest: str, path: Path) -> None:
    partial = path.with_name(f"{path.name}.part")
    resumed = partial.exists()
    _receive(address, path, partial)
    if resumed and not matches(partial, digest):  # the server may have changed the file since
        partial.unlink()
        _receive(address, path, partial)
    if not matches(partial, digest):
        partial.unlink()
        raise UserError(by_hand(address, f"save it as '{path}'", f"what came is another file than the one with {digest}"))
    os.replace(partial, path)


class _CutError(Exception):
    """The reply ended too early."""


def _receive(address: str, path: Path, partial: Path) -> None:
    import requests

    pause = PAUSE_S
    for left in reversed(range(ATTEMPTS)):
        try:
            _receive_rest(address, path, partial)
            return
        except (_CutError, requests.RequestException) as error:
            if not left or not (isinstance(error, _CutError) or _is_busy(error)):
                raise UserError(by_hand(address, f"save it as '{path}'", _reason(error, partial))) from None
        time.sleep(pause)
        pause *= 2


def _receive_rest(address: str, path: Path, partial: Path) -> None:
    import requests

    have = _size(partial)
    headers = {"Accept-Encoding": "identity", "User-Agent": "seqnets"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(address, headers=headers, stream=True, timeout=TIMEOUT_S) as reply:
        if have and reply.status_code == requests.codes.requested_range_not_satisfiable:
            return  # it is whole, which its digest shows
        reply.raise_for_status()
        start = have if reply.headers.get("Content-Range", "").startswith(f"bytes {have}-") else 0
        rest = int(reply.headers.get("Content-Length", 0))
        _check_room(path, rest)
        with open(partial, "ab" if start else "wb") as file, _shown(path.name, start, start + rest) as progress:
            for block in _blocks(reply):
                file.write(block)
                progress(len(block))
            file.flush()
            os.fsync(file.fileno())
    if rest and _size(partial) < start + rest:
        raise _CutError("the connection was cut")


def _blocks(reply: Any) -> Iterator[bytes]:
    import requests

    try:
        yield from reply.iter_content(_BLOCK)
    except requests.RequestException as error:
        raise _CutError(_NO_ANSWER.format(TIMEOUT_S) if "timed out" in str(error) else "the connection was cut") from None


def _check_room(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if size + _SPARE > free:
        raise UserError(
            f"{path.name} needs {size / 1e6:,.0f} MB, but the disk of '{path.parent}' has {free / 1e6:,.0f} MB left; make room, "
            "or choose another disk with SEQNETS_CACHE"
        )


def _is_busy(error: Any) -> bool:
    return error.response is not None and error.response.status_code in _TRY_AGAIN


def _reason(error: Exception, partial: Path) -> str:
    kept = f" ({_size(partial) / 1e6:,.1f} MB are kept, and the same command continues)" if _size(partial) else ""
    return f"{error if isinstance(error, _CutError) else _why(error)}{kept}"


def _why(error: Any) -> str:
    import requests

    if error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not answer; check HTTPS_PROXY and HTTP_PROXY"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    return _NO_ANSWER.format(TIMEOUT_S) if isinstance(error, requests.Timeout) else "the server cannot be reached"


def _wrong(path: Path) -> str:
    return f"the file '{path}' is damaged or another one" if path.is_file() else ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _shown(name: str, start: int, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, else a line; yields the function to call with the number of bytes that came."""
    if not sys.stderr.isatty():
        _tell(f"downloading {name}" + (f" ({total / 1e6:,.1f} MB)" if total > start else ""))
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total if total > start else None, completed=start)
        yield lambda size: bar.advance(task, size)


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)

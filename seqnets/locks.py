"""Locks that keep several processes from writing into one folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqnets.errors import UserError

_A_MOMENT_S = 0.2  # longer than `is_held` holds a lock


@contextmanager
def only_process(path: Path, refusal: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock while the block runs; the system releases it when the process ends, however it ends.

    Where the system or the disk has no such locks, the file itself is the lock, and one of a dead process is removed.

    Args:
        path: the file of the lock; its folder must exist.
        refusal: the error where another process holds it.
        wait: wait for the other process instead.

    Raises:
        UserError: another process holds it.
        OSError: the file cannot be made.

    Example:
        >>> import tempfile
        >>> with only_process(Path(tempfile.mkdtemp()) / ".lock", "the folder is in use"):
        ...     pass
    """
    from filelock import FileLock, Timeout  # imported here, because most verbs need no lock

    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=-1 if wait else _A_MOMENT_S)
    except Timeout:
        raise UserError(refusal) from None
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Return whether another process holds a lock; False where that cannot be found out, as in a folder that is read-only.

    Example:
        >>> is_held(Path("no/such/file"))
        False
    """
    from filelock import FileLock, Timeout

    if not path.is_file():
        return False
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=_A_MOMENT_S)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False

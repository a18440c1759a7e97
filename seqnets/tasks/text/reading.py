"""Progress while a long text is read: a live bar on a terminal, occasional lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from seqnets.data.text.sources import Progress

_PATIENCE_S, _INTERVAL_S = 1.0, 10.0


@contextmanager
def reading() -> Iterator[Progress]:
    """Return a function to call with the bytes read so far and in total; nothing shows in the first second."""
    if not sys.stderr.isatty():
        yield _Lines().update
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("reading"), BarColumn(20), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task, begin = bar.add_task("reading", total=None), time.monotonic()

    def update(done: int, total: int) -> None:
        if time.monotonic() - begin > _PATIENCE_S:
            bar.start()
            bar.update(task, completed=done, total=total or None)

    try:
        yield update
    finally:
        bar.stop()


class _Lines:
    def __init__(self) -> None:
        self._shown_at = time.monotonic()

    def update(self, done: int, total: int) -> None:
        if time.monotonic() - self._shown_at > _INTERVAL_S:
            self._shown_at = time.monotonic()
            of = f" of {total / 1e6:,.0f}" if total else ""
            print(f"reading: {done / 1e6:,.0f}{of} MB", file=sys.stderr, flush=True)

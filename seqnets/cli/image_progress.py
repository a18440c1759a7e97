"""Progress of a pass over images: a live bar on a terminal, occasional lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_INTERVAL_S = 5.0


@contextmanager
def image_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Return a function to call with the number of finished images and the total."""
    if not sys.stderr.isatty():
        yield _Lines(title).update
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    speed = TextColumn("{task.fields[rate]}")
    columns = (TextColumn(title), BarColumn(20), MofNCompleteColumn(), speed, TimeRemainingColumn())
    begin = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")
        yield lambda done, total: bar.update(task, completed=done, total=total, rate=_rate(done, begin))


class _Lines:
    def __init__(self, title: str) -> None:
        self._title, self._begin = title, time.monotonic()
        self._shown_at = self._begin

    def update(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._shown_at < _INTERVAL_S and done < total:
            return
        self._shown_at = now
        left = (now - self._begin) / max(done, 1) * (total - done)
        rate = _rate(done, self._begin)
        print(f"{self._title}: {done:,} of {total:,} images, {rate}, {left:,.0f} s left", file=sys.stderr, flush=True)


def _rate(done: int, begin: float) -> str:
    return f"{done / max(time.monotonic() - begin, 1e-9):,.1f} images/s"

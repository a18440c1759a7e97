"""The time and memory of training."""

import contextlib
import sys
import time


class Clock:
    """Counts the seconds of training, without pauses for evaluation and saving."""

    def __init__(self, step: int) -> None:
        self._begin = self._marked_at = time.perf_counter()
        self._away = 0.0
        self._marked_step = step

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return time.perf_counter() - self._begin - self._away

    def rate(self, step: int) -> float:
        """Return the steps per second since the last call."""
        steps, seconds = step - self._marked_step, self.seconds - (self._marked_at - self._begin)
        self._marked_step, self._marked_at = step, self._begin + self.seconds
        return steps / max(seconds, 1e-9)

    @contextlib.contextmanager
    def paused(self):
        """Leave out the seconds of this block."""
        left = time.perf_counter()
        yield
        self._away += time.perf_counter() - left


def peak_memory() -> dict[str, int]:
    """Return this process's peak memory in megabytes as a figure of timing.jsonl; empty if it is not available."""
    try:
        import resource
    except ImportError:  # Windows
        return {}
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return {"peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit}

"""The logs of a run: metrics.jsonl (equal in every run of a seed) and timing.jsonl."""

import json
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class JsonLines:
    r"""A file of one JSON object per line, flushed after each.

    Numbers that are not finite become null, since JSON does not have them.

    Args:
        path: the file; created if missing.
        size: cut the file to this many bytes first; None keeps the content.

    Example:
        >>> import tempfile
        >>> lines = JsonLines(Path(tempfile.mkdtemp()) / "metrics.jsonl")
        >>> lines.append({"step": 1, "loss": float("nan")})
        >>> lines.path.read_text()
        '{"step": 1, "loss": null}\n'
        >>> lines.close()
    """

    def __init__(self, path: Path, size: int | None = None) -> None:
        self.path = path
        self._file = path.open("ab")
        if size is not None:
            self._file.truncate(min(size, self.size))
        self._crc = zlib.crc32(path.read_bytes())

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def figures(self) -> str:
        """The result of `manifest.figures` for the file."""
        return f"{self.size} {self._crc:08x}"

    def append(self, line: Mapping[str, Any]) -> None:
        """Write one object."""
        content = json.dumps({name: _plain(value) for name, value in line.items()}).encode() + b"\n"
        self._file.write(content)
        self._file.flush()
        self._crc = zlib.crc32(content, self._crc)

    def sync(self) -> None:
        """Flush the file to the disk, so that it survives a power failure."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Meter:
    """Means over the steps of an interval, without bad steps.

    The sums go into the checkpoint, so that an interruption does not change the means of an interval.

    Example:
        >>> meter = Meter()
        >>> for loss in (2.0, 4.0, math.nan): meter.add({"loss": loss}, good=math.isfinite(loss))
        >>> meter.means(), meter.bad_steps
        ({'loss': 3.0}, 1)
    """

    def __init__(self, sums: Mapping[str, float] = {}, count: int = 0, bad_steps: int = 0) -> None:
        self.sums, self.count, self.bad_steps = dict(sums), count, bad_steps

    def add(self, figures: Mapping[str, float], *, good: bool = True) -> None:
        """Add one step, or count a bad one."""
        if not good:
            self.bad_steps += 1
            return
        self.count += 1
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """Return the means so far and begin a new interval; the count of bad steps continues."""
        means = {name: total / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return means

    def to_json(self) -> Line:
        """Return the arguments that make an equal meter."""
        return {"sums": dict(self.sums), "count": self.count, "bad_steps": self.bad_steps}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value

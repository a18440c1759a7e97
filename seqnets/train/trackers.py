"""Trackers: programs that receive the figures of a run, such as TensorBoard; other packages add theirs by an entry point."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from seqnets.errors import UserError
from seqnets.suggestion import nearest

GROUP = "seqnets.trackers"
_OWN = {"tensorboard": "seqnets.train.trackers:TensorBoard"}


class TrackedRun(NamedTuple):
    """What a tracker knows about a run when it begins or continues.

    Args:
        directory: the run folder; its path identifies the run.
        step: the last step whose figures are kept; a tracker may have figures of later steps, which come again.
        config: the content of config.json: `task`, `model`, `train`, `data`.
    """

    directory: Path
    step: int
    config: Mapping[str, Any]


class Tracker(Protocol):
    """A receiver of figures. The entry point names a function `TrackedRun -> Tracker`, such as the class itself.

    A tracker that raises an error is reported once and gets no more figures; training continues.
    """

    def append(self, line: Mapping[str, Any]) -> None:
        """Receive a line of metrics.jsonl: `step`, and figures by name, which may be NaN."""
        ...

    def close(self) -> None:
        """Send everything that is left; the run ends or is interrupted."""
        ...


Make = Callable[[TrackedRun], Tracker]


class TensorBoard:
    """TensorBoard's files in the run folder, written by tensorboardX.

    Raises:
        UserError: tensorboardX is not installed.
    """

    def __init__(self, run: TrackedRun) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise UserError("the tracker tensorboard needs tensorboardX: pip install 'seqnets[viz]'") from None
        self._writer = SummaryWriter(str(run.directory / "tensorboard"), purge_step=run.step + 1)

    def append(self, line: Mapping[str, Any]) -> None:
        """Write the figures of one line."""
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float):
                self._writer.add_scalar(name, value, line["step"])

    def close(self) -> None:
        """Flush and close the files."""
        self._writer.close()


def makers(names: Iterable[str]) -> dict[str, Make]:
    """Return what makes each of some trackers.

    Raises:
        UserError: no package has a tracker of that name, or it cannot be imported.

    Example:
        >>> list(makers(["tensorboard"]))
        ['tensorboard']
        >>> makers(["tensorbord"])
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: train.trackers: there is no tracker 'tensorbord'; did you mean 'tensorboard'?
    """
    return {name: _maker(name) for name in dict.fromkeys(names)}


def _maker(name: str) -> Make:
    found = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    if name not in found and name not in _OWN:
        raise UserError(f"train.trackers: there is no tracker {name!r}{nearest(name, [*_OWN, *found])}")
    try:
        if name in found:
            return found[name].load()
        module, _, attribute = _OWN[name].partition(":")
        return getattr(import_module(module), attribute)
    except Exception as error:  # the code of another package
        raise UserError(f"train.trackers: {name!r} cannot be imported: {_first_line(error)}; repair it or leave it out") from None


class Guarded:
    """A tracker that cannot harm training: after its first error it is reported and left out.

    Args:
        name: its name.
        make: makes it.
        run: the run.
        tell: called with the sentence about an error.

    Raises:
        UserError: it cannot begin, for a reason that it states itself.
    """

    def __init__(self, name: str, make: Make, run: TrackedRun, tell: Callable[[str], None]) -> None:
        self._name, self._tell = name, tell
        self._tracker: Tracker | None = None
        self._step = run.step
        try:
            self._tracker = make(run)
        except UserError:
            raise
        except Exception as error:
            self._report(error)

    def append(self, line: Mapping[str, Any]) -> None:
        """Pass on a line."""
        self._step = line["step"]
        self._try("append", line)

    def close(self) -> None:
        """Close the tracker."""
        self._try("close")

    def _try(self, method: str, *words: Any) -> None:
        if self._tracker is None:
            return
        try:
            getattr(self._tracker, method)(*words)
        except Exception as error:
            self._tracker = None
            self._report(error)

    def _report(self, error: Exception) -> None:
        self._tell(
            f"the tracker {self._name!r} failed at step {self._step:,} and gets no more figures: {_first_line(error)}; "
            "training continues"
        )


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"

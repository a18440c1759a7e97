"""Progress reports of training: one live line on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import IO, Any, NamedTuple, Protocol


class Status(NamedTuple):
    """The status of training.

    Args:
        step: steps taken.
        steps: steps to take.
        figures: the latest means: loss, bits per character, gradient norm, learning rate, ...
        rate: units (characters, images) per second.
        units: the name of the units.
        seconds_left: expected time to the end.
    """

    step: int
    steps: int
    figures: Mapping[str, float]
    rate: float
    units: str
    seconds_left: float


class Progress(Protocol):
    """The receiver of `fit`'s reports."""

    def update(self, status: Status) -> None:
        """Show the status of training; called at every line of metrics."""
        ...

    def validated(self, step: int, figures: Mapping[str, float], best: bool) -> None:
        """Show the figures of a validation pass."""
        ...

    def preview(self, text: str) -> None:
        """Show sample output of the model."""
        ...

    def tell(self, sentence: str) -> None:
        """Show a sentence."""
        ...

    def close(self) -> None:
        """Remove the live line."""
        ...


class Silent:
    """Shows nothing."""

    wants_preview = False

    def update(self, status: Status) -> None: ...  # noqa: D102
    def validated(self, step: int, figures: Mapping[str, float], best: bool) -> None: ...  # noqa: D102
    def preview(self, text: str) -> None: ...  # noqa: D102
    def tell(self, sentence: str) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class PlainLines:
    """One line of text at a time, at most one status every `interval` seconds."""

    wants_preview = True

    def __init__(self, stream: IO[str] | None = None, interval: float = 2.0) -> None:
        self._stream, self._interval, self._last = stream or sys.stderr, interval, -1e9

    def update(self, status: Status) -> None:
        """Write a status line, unless the last one is too recent."""
        if time.monotonic() - self._last >= self._interval or status.step == status.steps:
            self._last = time.monotonic()
            self.tell(status_line(status))

    def validated(self, step: int, figures: Mapping[str, float], best: bool) -> None:
        """Write the figures of a validation pass."""
        self.tell(validation_line(step, figures, best))

    def preview(self, text: str) -> None:
        """Write the preview, indented."""
        self.tell("\n".join(f"  | {line}" for line in text.splitlines()))

    def tell(self, sentence: str) -> None:
        """Write a sentence."""
        print(sentence, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing to remove."""


class LiveLine:
    """A bar with figures, which rich keeps at the bottom of the terminal; other lines scroll above it."""

    wants_preview = True

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(BarColumn(), TextColumn("{task.description}"), console=self._console)
        self._task = self._bar.add_task("compiling the training step", total=None)
        self._live = Live(self._bar, console=self._console, transient=True, refresh_per_second=8)
        self._live.start()

    def update(self, status: Status) -> None:
        """Move the bar and show the figures; the learning rate is left out because it would not fit in 80 columns."""
        from rich.console import Group
        from rich.text import Text

        place = f"{status.step:,} of {status.steps:,} steps, {_clock(status.seconds_left)} left"
        self._bar.update(self._task, completed=status.step, total=status.steps, description=place)
        figures = {name: value for name, value in status.figures.items() if name != "learning_rate"}
        line = Text(_figures(status._replace(figures=figures)), no_wrap=True, overflow="ellipsis")
        self._live.update(Group(self._bar, line))

    def validated(self, step: int, figures: Mapping[str, float], best: bool) -> None:
        """Print the figures of a validation pass."""
        self.tell(validation_line(step, figures, best))

    def preview(self, text: str) -> None:
        """Print the preview, indented."""
        self.tell("\n".join(f"  | {line}" for line in text.splitlines()))

    def tell(self, sentence: str) -> None:
        """Print a sentence above the bar."""
        self._console.print(sentence, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Remove the bar."""
        self._live.stop()


def default_progress() -> Any:
    """Return a live line on a terminal and plain lines elsewhere."""
    return LiveLine() if sys.stderr.isatty() else PlainLines()


def status_line(status: Status) -> str:
    """Return a status as one line.

    Example:
        >>> status_line(Status(50, 200, {"loss": 2.5, "learning_rate": 0.002}, 12_345.6, "characters", 75))
        'step 50/200  loss 2.500  learning rate 0.002  12,346 characters/s  1:15 left'
    """
    return f"step {status.step:,}/{status.steps:,}  {_figures(status)}  {_clock(status.seconds_left)} left"


def validation_line(step: int, figures: Mapping[str, float], best: bool) -> str:
    """Return the figures of a validation pass as one line.

    Example:
        >>> validation_line(500, {"nats": 1.5, "bits_per_char": 2.164}, best=True)
        'step 500  validation: nats 1.5000  bits per char 2.1640  (best so far)'
    """
    shown = "  ".join(f"{_words(name)} {_number(value, 4)}" for name, value in figures.items())
    return f"step {step:,}  validation: {shown}{'  (best so far)' if best else ''}"


def _figures(status: Status) -> str:
    loss = status.figures.get("loss")
    different = {name: value for name, value in status.figures.items() if name == "loss" or value != loss}
    shown = [f"{_words(name)} {_number(value, 3)}" for name, value in different.items()]
    return "  ".join([*shown, f"{status.rate:,.0f} {status.units}/s"])


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: float, digits: int) -> str:
    if float(value).is_integer() and abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}" if 0.1 <= abs(value) < 1e4 else f"{value:.3g}"

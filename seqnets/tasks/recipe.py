"""What the tasks that read files share: their default settings, names of runs, and last words."""

import shlex
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from seqnets import places, settings

if TYPE_CHECKING:
    from seqnets.run import Run

Config = TypeVar("Config")


def packaged(task: str, config: Config) -> Config:
    """Return the default settings of a task, from the TOML file in its folder.

    Example:
        >>> from seqnets.tasks.text_classifier.config import TextClassifierRunConfig
        >>> packaged("text_classifier", TextClassifierRunConfig()).task
        'text-classifier'
    """
    return settings.loads(files(f"seqnets.tasks.{task}").joinpath("default.toml").read_text("utf-8"), config, f"{task}.toml")


def named_after(sources: Sequence[str], default: str) -> str:
    """Return what to call a run that learns from some files.

    Example:
        >>> named_after([], "dates"), named_after(["a/reviews.csv.gz"], ""), named_after(["a.txt", "b.txt"], "")
        ('dates', 'reviews', 'a-and-1-more')
    """
    names = [Path(source).absolute().name.partition(".")[0] or "data" for source in sources]
    return default if not names else names[0] if len(names) == 1 else f"{names[0]}-and-{len(names) - 1}-more"


def absolute(paths: Sequence[str]) -> list[str]:
    """Return paths as they mean the same from any folder."""
    return [places.absolute(path) for path in paths]


def last_words(run: "Run", figures: str, commands: Sequence[str], *, choose: Callable[..., Any] = max) -> str:
    """Return the figures of the best validation, where the run is, and what to try next.

    Args:
        run: of training.
        figures: names of validation figures to show, separated by spaces; the first chose the model.
        commands: with {run} for the folder; other braces are what they are.
        choose: `max` or `min`, whichever is best.
    """
    shown = figures.split()
    lines = [line for line in run.metrics if line.get(f"validation_{shown[0]}") is not None]
    words = [f"the run is in {run.directory}; now try"]
    if lines:
        best = choose(lines, key=lambda line: line[f"validation_{shown[0]}"])
        told = ", ".join(f"{name.replace('_', ' ')} {_shown(best.get(f'validation_{name}'))}" for name in shown)
        words.insert(0, f"validation: {told} at step {best['step']:,}")
    folder = shlex.quote(str(run.directory))
    return "\n".join([*words, *(f"  {command.replace('{run}', folder)}" for command in commands)])


def _shown(figure: float | None) -> str:
    return "not finite" if figure is None else f"{figure:.4f}"


def counted(splits: Any, what: str) -> str:
    """Say how many examples each split has.

    Example:
        >>> counted({"train": [1, 2], "validation": [3]}, "texts")
        '3 texts (2 for train, 1 for validation)'
    """
    parts = ", ".join(f"{len(examples):,} for {name}" for name, examples in splits.items())
    return f"{sum(map(len, splits.values())):,} {what} ({parts})"

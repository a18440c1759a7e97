"""The run that a verb works with: its argument, and loading it; for a run of another task, the error names the right verb."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from seqnets import places
from seqnets.cli import runtime
from seqnets.cli.parser import Parser
from seqnets.errors import UserError
from seqnets.shipped import shipped_runs
from seqnets.tasks import TASKS


def add_run(parser: Parser, words: str = "a run") -> None:
    """Add the argument RUN, and --offline.

    Args:
        parser: the parser of the verb.
        words: what the run must be, for the help.
    """
    own = ", ".join(shipped_runs())
    parser.add_argument(
        "run", metavar="RUN", help=f"{words}: its folder, hf:OWNER/NAME on Hugging Face, or a part of seqnets ({own})"
    )
    add_offline(parser)


def add_offline(parser: Parser) -> None:
    """Add --offline, which forbids the network for this process and those that it starts."""
    parser.add_argument("--offline", action=_Offline, nargs=0, help="use only files that are on this machine")


class _Offline(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        os.environ["SEQNETS_OFFLINE"] = "1"
        setattr(namespace, self.dest, True)


def compile_nothing() -> None:
    """Let this process use native kernels only if they are compiled already, for work that is shorter than compiling them."""
    if "jax" in sys.modules:  # the process is not ours
        return
    runtime.start()
    from seqnets.ops.native.build import is_compiled

    if not is_compiled():
        os.environ.setdefault("SEQNETS_NATIVE", "0")


def load_trained(
    directory: str | os.PathLike[str],
    *wanted: str,
    fits: Callable[[Any], bool] | None = None,
    check: Callable[[str], None] = lambda task: None,
) -> Any:
    """Load a run of one of some tasks, and refuse other runs before their weights are read.

    Args:
        directory: the run's folder or name, as for `seqnets.run.run_folder`.
        *wanted: the tasks whose runs the verb takes.
        fits: `model -> whether the verb can use it`, for runs of tasks outside `seqnets train`. By default such runs are
            refused.
        check: called with the task before the weights are read, to refuse options that do not apply to it.

    Raises:
        UserError: the folder is not a run, or a run of another task.
    """
    runtime.start()
    from seqnets.run import load, read_config, run_folder

    folder = run_folder(directory)
    task = read_config(folder)["task"]
    if task not in wanted and (task in TASKS or fits is None):
        raise wrong_run(directory, task, *wanted)
    check(task)
    run = load(folder)
    if fits and not fits(run.model):
        raise wrong_run(directory, task, *wanted)
    return run


def wrong_run(directory: str | os.PathLike[str], task: str, *wanted: str) -> UserError:
    """Return the error for a run folder of another task than a verb needs.

    Args:
        directory: the run folder.
        task: its task, from config.json.
        *wanted: the tasks whose runs the verb takes.

    Example:
        >>> print(wrong_run("runs/a", "text", "vqa"))
        'runs/a' is a run of `seqnets train text`; try `seqnets sample runs/a`, or give a run of `seqnets train vqa`
    """
    trained = f"a run of `seqnets train {task}`" if task in TASKS else f"a run of another task, {task!r}"
    fits = task in TASKS and task not in wanted
    try_this = f"try `seqnets {TASKS[task].use.format(run=places.quoted(str(directory)))}`, or " if fits else ""
    return UserError(f"'{directory}' is {trained}; {try_this}give a run of `seqnets train {'|'.join(wanted)}`")

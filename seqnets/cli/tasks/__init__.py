"""The tasks of `seqnets train TASK`, one module each.

Such a module says what the loop, which knows no task, cannot:

    default() -> config                     the settings when nothing is said, a frozen dataclass with a section `train`
    USAGE                                   those words in the usage line
    add_arguments(parser)                   the words that name the data, such as CORPUS...
    given(found) -> mapping                 those words as settings
    completed(config) -> config             (if it has it) the settings with what follows from others
    run_name(config) -> str                 what to call the run's folder
    make_task(config, tell) -> Task         the model and its data
    resolved(config) -> config              the settings as they mean the same from any folder
    closing(run, config) -> str             what to show at the end: a figure, a sample, the next commands
    prefers_mesh(config) -> bool            (if it has it) whether a CPU device for each core is faster than one for all
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class TaskEntry:
    """One task: its module, what it learns in a line, and how its runs are used, with {run} for the folder."""

    module: str
    summary: str
    use: str

    def load(self) -> Any:
        """Import the module."""
        return import_module(self.module)


TASKS = {
    "text": TaskEntry("seqnets.cli.tasks.text", "a character model of any text (the default)", "sample {run}"),
    "classifier": TaskEntry("seqnets.cli.tasks.classifier", "the class of an image", "classify {run} IMAGES"),
    "text-classifier": TaskEntry("seqnets.cli.tasks.text_classifier", "the class of a text", "predict {run} --text TEXT"),
    "labeller": TaskEntry("seqnets.cli.tasks.labeller", "a label for every step of a sequence", "predict {run} --text TEXT"),
    "captioner": TaskEntry(
        "seqnets.cli.tasks.captioner",
        "sentences for images, with attention; without images, for drawings",
        "caption {run} IMAGES",
    ),
    "translator": TaskEntry("seqnets.cli.tasks.translator", "a text out of a text, with attention", "predict {run} --text TEXT"),
    "vqa": TaskEntry("seqnets.cli.tasks.vqa", "answers to questions about pictures", "answer {run} IMAGE QUESTION"),
}

"""Floor 4: the tasks of `seqnets train TASK`, one folder each: its settings, its `Task`, its recipe, its default TOML.

They say what the loop, which knows no task, cannot. config.py, which needs no JAX:

    default() -> config                     the settings when nothing is said, a frozen dataclass with a section `train`
    USAGE                                   those words in the usage line
    add_arguments(parser)                   the words that name the data, such as CORPUS...
    given(found) -> mapping                 those words as settings
    completed(config) -> config             (if it has it) the settings with what follows from others
    run_name(config) -> str                 what to call the run's folder
    resolved(config) -> config              the settings as they mean the same from any folder

recipe.py:

    make_task(config, tell) -> Task         the model and its data
    closing(run, config) -> str             what to show at the end: a figure, a sample, the next commands
    prefers_mesh(config) -> bool            (if it has it) whether a CPU device for each core is faster than one for all
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.tasks.captioner.learning import CaptionLearning as CaptionLearning
    from seqnets.tasks.captioner.task import CaptionerTask as CaptionerTask
    from seqnets.tasks.classifier.task import ClassifierTask as ClassifierTask
    from seqnets.tasks.tagger.task import TaggerTask as TaggerTask
    from seqnets.tasks.text.task import CharLMTask as CharLMTask
    from seqnets.tasks.text_classifier.task import TextClassifierTask as TextClassifierTask
    from seqnets.tasks.translator.task import TranslatorTask as TranslatorTask
    from seqnets.tasks.vqa.task import VQATask as VQATask


@dataclass(frozen=True)
class TaskEntry:
    """One task: its package, what it learns in a line, and how its runs are used, with {run} for the folder."""

    package: str
    summary: str
    use: str

    def settings(self) -> Any:
        """Import what is known of the task without JAX."""
        return import_module(f"{self.package}.config")

    def recipe(self) -> Any:
        """Import what trains it."""
        return import_module(f"{self.package}.recipe")


TASKS = {
    "text": TaskEntry("seqnets.tasks.text", "a character model of any text (the default)", "sample {run}"),
    "classifier": TaskEntry("seqnets.tasks.classifier", "the class of an image", "classify {run} IMAGES"),
    "text-classifier": TaskEntry("seqnets.tasks.text_classifier", "the class of a text", "predict {run} --text TEXT"),
    "tagger": TaskEntry("seqnets.tasks.tagger", "a label for every step of a sequence", "predict {run} --text TEXT"),
    "captioner": TaskEntry(
        "seqnets.tasks.captioner",
        "sentences for images, with attention; without images, for drawings",
        "caption {run} IMAGES",
    ),
    "translator": TaskEntry("seqnets.tasks.translator", "a text out of a text, with attention", "predict {run} --text TEXT"),
    "vqa": TaskEntry("seqnets.tasks.vqa", "answers to questions about pictures", "answer {run} IMAGE QUESTION"),
}

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "captioner.learning": ["CaptionLearning"],
            "captioner.task": ["CaptionerTask"],
            "classifier.task": ["ClassifierTask"],
            "tagger.task": ["TaggerTask"],
            "text.task": ["CharLMTask"],
            "text_classifier.task": ["TextClassifierTask"],
            "translator.task": ["TranslatorTask"],
            "vqa.task": ["VQATask"],
        },
        own=["TASKS", "TaskEntry"],
    )

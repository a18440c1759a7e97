"""The tasks of `seqnets train TASK`, one folder each; the loop itself knows no task.

__init__.py     the settings of a run and the `Recipe`, which need no JAX
task.py         the `Task`: batches, loss, figures
default.toml    the default settings
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.tasks.captioner.learning import CaptionLearning as CaptionLearning
    from seqnets.tasks.captioner.task import CaptionerTask as CaptionerTask
    from seqnets.tasks.classifier.task import ClassifierTask as ClassifierTask
    from seqnets.tasks.detector.task import DetectorTask as DetectorTask
    from seqnets.tasks.drawer.task import DrawerTask as DrawerTask
    from seqnets.tasks.glancer.task import GlancerTask as GlancerTask
    from seqnets.tasks.localizer.task import LocalizerTask as LocalizerTask
    from seqnets.tasks.recipe import Recipe
    from seqnets.tasks.segmenter.task import SegmenterTask as SegmenterTask
    from seqnets.tasks.stylizer.task import StylizerTask as StylizerTask
    from seqnets.tasks.tagger.task import TaggerTask as TaggerTask
    from seqnets.tasks.text.task import CharLMTask as CharLMTask
    from seqnets.tasks.text_classifier.task import TextClassifierTask as TextClassifierTask
    from seqnets.tasks.translator.task import TranslatorTask as TranslatorTask
    from seqnets.tasks.tree_classifier.task import TreeClassifierTask as TreeClassifierTask
    from seqnets.tasks.vqa.task import VQATask as VQATask


@dataclass(frozen=True)
class TaskEntry:
    """One task.

    Args:
        folder: its package, below this one.
        task: the class that the loop trains, in its task.py.
        summary: what it learns, in one line.
        use: how its runs are used, with {run} for the folder.
    """

    folder: str
    task: str
    summary: str
    use: str

    def recipe(self) -> "Recipe":
        """Import the task's recipe, which does not need JAX."""
        return import_module(f"{__name__}.{self.folder}").RECIPE


TASKS = {
    "text": TaskEntry("text", "CharLMTask", "a character model of any text (the default)", "sample {run}"),
    "classifier": TaskEntry("classifier", "ClassifierTask", "the class of an image", "classify {run} IMAGES"),
    "text-classifier": TaskEntry("text_classifier", "TextClassifierTask", "the class of a text", "predict {run} --text TEXT"),
    "tagger": TaskEntry("tagger", "TaggerTask", "a label for every step of a sequence", "predict {run} --text TEXT"),
    "tree-classifier": TaskEntry(
        "tree_classifier", "TreeClassifierTask", "a label for every phrase of a tree", "predict {run} --text TREE"
    ),
    "captioner": TaskEntry(
        "captioner",
        "CaptionerTask",
        "sentences for images, with attention; without images, for drawings",
        "caption {run} IMAGES",
    ),
    "detector": TaskEntry("detector", "DetectorTask", "all things of a picture, with their boxes", "detect {run} IMAGES"),
    "segmenter": TaskEntry("segmenter", "SegmenterTask", "the class of every pixel", "segment {run} IMAGES"),
    "localizer": TaskEntry("localizer", "LocalizerTask", "a thing and its box, or a person's joints", "locate {run} IMAGES"),
    "glancer": TaskEntry("glancer", "GlancerTask", "the class of an image, from glimpses of it", "classify {run} IMAGES"),
    "drawer": TaskEntry("drawer", "DrawerTask", "pictures of its own, drawn in steps", "sample {run}"),
    "translator": TaskEntry("translator", "TranslatorTask", "a text from a text, with attention", "predict {run} --text TEXT"),
    "stylizer": TaskEntry("stylizer", "StylizerTask", "pictures painted in the style of a painting", "stylize {run} PHOTO"),
    "vqa": TaskEntry("vqa", "VQATask", "answers to questions about pictures", "answer {run} IMAGE QUESTION"),
}
"""The tasks that `seqnets train` knows, by name."""

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {"captioner.learning": ["CaptionLearning"], **{f"{entry.folder}.task": [entry.task] for entry in TASKS.values()}},
        own=["TASKS", "TaskEntry"],
    )

"""What a training run of visual question answering is made of."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seqnets import settings
from seqnets.data.examples.config import QuestionConfig
from seqnets.data.examples.questions import forms
from seqnets.models.sequence.config import VQAConfig
from seqnets.tasks import recipe
from seqnets.train.config import TrainConfig

USAGE = "--images DIR --questions FILE"
_OPTIONS = {
    "images": ("DIR", "the folder of pictures"),
    "questions": ("FILE", forms()),
    "annotations": ("FILE", "VQA v2's answers"),
    "test_images": ("DIR", "the folder of the pictures to test on [that of --images]"),
    "test_questions": ("FILE", "questions to test on, once, at the end"),
    "test_annotations": ("FILE", "VQA v2's answers to those"),
}


@dataclass(frozen=True)
class VQARunConfig:
    """A model that answers questions about pictures, and what it learns from.

    Example:
        >>> VQARunConfig(images="pictures", questions="questions.csv").model.attention
        'none'
    """

    task: Literal["vqa"] = "vqa"
    """What is learned."""
    images: str = ""
    """The folder of pictures."""
    questions: str = ""
    """The file of questions and answers."""
    annotations: str = ""
    """VQA v2's answers."""
    test_images: str = ""
    """The folder of the pictures to test on; empty for `images`."""
    test_questions: str = ""
    """The questions to test on, once, at the end; empty for no test."""
    test_annotations: str = ""
    """VQA v2's answers to those."""
    data: QuestionConfig = field(default_factory=QuestionConfig)
    """How questions are encoded and split."""
    model: VQAConfig = field(default_factory=VQAConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""


def default() -> VQARunConfig:
    """Return the settings when nothing is said.

    Example:
        >>> default().data.vocabulary
        'words'
    """
    return recipe.packaged("vqa", VQARunConfig())


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options that name the questions and the pictures."""
    for name, (metavar, words) in _OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=words)


def given(found: Any) -> Mapping[str, Any]:
    """Return the options that name the questions and the pictures as settings."""
    return {name: getattr(found, name) for name in _OPTIONS if getattr(found, name)}


def run_name(config: VQARunConfig) -> str:
    """Return what to call the run's folder.

    Example:
        >>> run_name(VQARunConfig(questions="easy_vqa/train/questions.json"))
        'questions-vqa'
    """
    return f"{recipe.named_after([config.questions] if config.questions else [], 'pictures')}-vqa"


def resolved(config: VQARunConfig) -> VQARunConfig:
    """Return the settings as they mean the same from any folder."""
    named = {name: getattr(config, name) for name in _OPTIONS}
    return settings.replaced(config, {name: recipe.absolute([path])[0] for name, path in named.items() if path})

"""What a training run of visual question answering is made of."""

from dataclasses import dataclass, field
from typing import Literal

from seqnets.data.examples.question_examples import QuestionConfig
from seqnets.models.sequence.vqa import VQAConfig
from seqnets.train.config import TrainConfig


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
    """The questions: easy_vqa's or VQA v2's JSON, or a table with image, question and answer."""
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

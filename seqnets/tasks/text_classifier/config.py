"""What a text classifier's training run is made of."""

from dataclasses import dataclass, field
from typing import Literal

from seqnets.data.examples.labelled_texts import LabelledTextConfig
from seqnets.models.sequence.text_classifier import TextClassifierConfig
from seqnets.train.config import TrainConfig


@dataclass(frozen=True)
class TextClassifierRunConfig:
    """A text classifier and the labelled texts it learns from.

    Example:
        >>> TextClassifierRunConfig(texts=("reviews.csv",)).model.pooling
        'max'
    """

    task: Literal["text-classifier"] = "text-classifier"
    """What is learned."""
    texts: tuple[str, ...] = ()
    """Tables, folders or files with a class each; none for lines of Python's standard library."""
    data: LabelledTextConfig = field(default_factory=LabelledTextConfig)
    """How the texts are read, encoded and split."""
    model: TextClassifierConfig = field(default_factory=TextClassifierConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""

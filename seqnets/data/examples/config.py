"""The settings of labeled sequences, pairs and questions: the section [data] of their runs."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings
from seqnets.data.token_kinds import CaptionUnit


@dataclass(frozen=True)
class SequenceConfig:
    """How sequences are read and split: the settings that `[data]` of all sequence tasks shares.

    Raises:
        UserError: a setting is out of its range; the message names it.

    Example:
        >>> SequenceConfig(vocabulary="words").max_length
        128
    """

    vocabulary: CaptionUnit = "chars"
    """What a token is: a character, a byte, or a word (in lower case)."""
    max_length: Annotated[int, settings.POSITIVE] = 128
    """The most tokens in a sequence; longer ones are cut for training."""
    min_count: Annotated[int, settings.POSITIVE] = 1
    """Words or characters that occur less often are read as unknown."""
    validation_fraction: Annotated[float, settings.RATE] = 0.1
    """Share of the different examples that is held out, chosen by the hash of their content; 0 for none."""

    def __post_init__(self) -> None:
        settings.settle(self, "data")


@dataclass(frozen=True)
class LabeledTextConfig(SequenceConfig):
    """How labeled texts are read and split."""

    text_column: str = "text"
    """The column or key of tables that holds the text."""
    label_column: str = "label"
    """The column or key of tables that holds its label."""


@dataclass(frozen=True)
class QuestionConfig(SequenceConfig):
    """How questions are read and split; pictures, not questions, are held out."""

    vocabulary: CaptionUnit = "words"
    """What a token of a question is."""
    max_length: Annotated[int, settings.POSITIVE] = 32
    """The most tokens in a question; longer ones are cut for training."""
    answers: Annotated[int, settings.Range(least=2)] = 1000
    """How many answers are learned, the most frequent first; questions with other answers are not trained on."""


@dataclass(frozen=True)
class TreeDataConfig:
    """How labeled trees are read and split: the section `[data]` of a classifier of trees.

    Raises:
        UserError: a setting is out of its range; the message names it.

    Example:
        >>> TreeDataConfig(labels="binary").min_count
        1
    """

    labels: Literal["all", "binary"] = "all"
    """The labels as they are, or of 0 (worst) to 4 (best) only negative and positive: trees with the root 2 are left out."""
    min_count: Annotated[int, settings.POSITIVE] = 1
    """Words that occur less often are read as unknown."""
    validation_fraction: Annotated[float, settings.RATE] = 0.1
    """Share of the different trees that is held out where no file to validate on is given; 0 for none."""
    drawn: Annotated[int, settings.POSITIVE] = 4000
    """How many trees of arithmetic are drawn where no file is given."""

    def __post_init__(self) -> None:
        settings.settle(self, "data")

"""What a character model's training run is made of."""

from dataclasses import dataclass, field
from typing import Literal

from seqnets.data.text.config import TextConfig
from seqnets.models.char_lm import CharLMConfig
from seqnets.train.config import TrainConfig


@dataclass(frozen=True)
class TextRunConfig:
    r"""A character model and the text it learns from.

    Example:
        >>> from seqnets import settings
        >>> text = '''
        ... corpus = ["hamlet.txt"]
        ... [model]
        ... cell = "gru"
        ... '''
        >>> config = settings.loads(text, TextRunConfig(), "hamlet.toml")
        >>> config.corpus, config.model.cell
        (('hamlet.txt',), 'gru')
        >>> settings.loads(settings.dumps(config), TextRunConfig()) == config
        True
        >>> settings.loads("[model]\nlayer = 2", TextRunConfig(), "hamlet.toml")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: hamlet.toml: unknown key 'layer' in [model]; did you mean 'layers'?
    """

    task: Literal["text"] = "text"
    """What is learned."""
    corpus: tuple[str, ...] = ()
    """Files, folders, globs, or "-" for standard input; none for the source of Python's standard library."""
    data: TextConfig = field(default_factory=TextConfig)
    """How the text is read, encoded and split."""
    model: CharLMConfig = field(default_factory=CharLMConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""

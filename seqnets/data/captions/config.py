"""The settings of captioned images: the section [data] of a captioner's run."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings
from seqnets.data.fractions import check_fractions
from seqnets.data.token_kinds import CaptionUnit


@dataclass(frozen=True)
class CaptionDataConfig:
    """How captions are read and split.

    Raises:
        UserError: a setting is out of its range, or nothing is left to train on; the message names it.

    Example:
        >>> CaptionDataConfig(unit="chars").min_count
        1
    """

    unit: CaptionUnit | Literal["auto"] = "auto"
    """What a token is: a word, a character or a byte; auto takes characters for scripts without spaces and words otherwise."""
    min_count: Annotated[int, settings.POSITIVE] = 1
    """Words (or characters) that occur less often in training captions become unknown."""
    punctuation: bool = False
    """Whether punctuation is read and written."""
    split_lists: str = ""
    """Folder with lists of the images of each split, such as Flickr8k's; if empty, the captions file decides, or else a hash."""
    validation_fraction: Annotated[float, settings.RATE] = 0.1
    """Share of the images to validate on, where neither the captions file nor lists define splits."""
    test_fraction: Annotated[float, settings.RATE] = 0.1
    """Share of the images to test on, where neither the captions file nor lists define splits."""
    word_vectors: str = ""
    """File of word vectors in the text format of word2vec or GloVe, of size model.embedding_features; empty for none."""
    scenes: Annotated[int, settings.POSITIVE] = 6000
    """Drawn scenes to train on, where no images are given."""
    cache_directory: str = ""
    """Where features of a frozen encoder are kept; empty for $SEQNETS_CACHE or ~/.cache/seqnets."""

    def __post_init__(self) -> None:
        settings.settle(self, "data")
        check_fractions(self.validation_fraction, self.test_fraction)

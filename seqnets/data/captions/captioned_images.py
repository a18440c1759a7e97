"""Images with reference captions: what a captioner learns from."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqnets.data.examples.examples import Column, Examples, Ragged
from seqnets.data.words.vocabulary import TokenVocabulary
from seqnets.errors import UserError


@dataclass(frozen=True)
class CaptionedImages:
    """One split: images, or stored features of them, each with one or more captions.

    Args:
        images: uint8 or float `(N, H, W, C)`, or features `(N, L, D)`; or an object that reads them from files (`ImageFiles`).
        captions: one or more for each image.
        names: a different name for each image; numbers if empty.
        claims: what is true of each image and where it is (`seqnets.data.demo.scenes.Scene`), where that is known.

    Raises:
        UserError: the numbers of images, captions and names differ, two names are equal, or an image has no caption.

    Example:
        >>> pictures = CaptionedImages(np.zeros((2, 8, 8, 3), np.uint8), [["a dog", "the dog"], ["a cat"]])
        >>> len(pictures), pictures.pairs.tolist(), pictures.references
        (2, [0, 0, 1], {'0': ('a dog', 'the dog'), '1': ('a cat',)})
    """

    images: Any
    captions: Sequence[Sequence[str]]
    names: Sequence[str] = ()
    claims: Sequence[Any] = ()

    def __post_init__(self) -> None:
        counts = {"images": len(self.images), "captions": len(self.captions)} | {
            name: len(value) for name, value in (("names", self.names), ("claims", self.claims)) if len(value)
        }
        if len(set(counts.values())) != 1:
            raise UserError(f"images, captions and names must have the same length, not {counts}")
        twice = next((name for name, count in Counter(self.names).items() if count > 1), None)
        if twice is not None:
            raise UserError(f"two images are called {twice!r}; give them different names, such as their paths")
        bare = next((name for name, captions in zip(self.names_shown, self.captions) if not captions), None)
        if bare is not None:
            raise UserError(f"image {bare!r} has no caption; give it one, or leave the image out")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def pairs(self) -> np.ndarray:
        """The image of every caption, int32 `(number of captions,)`."""
        return np.repeat(np.arange(len(self), dtype=np.int32), [len(captions) for captions in self.captions])

    @property
    def references(self) -> dict[str, tuple[str, ...]]:
        """The captions by the image's name."""
        return {name: tuple(captions) for name, captions in zip(self.names_shown, self.captions)}

    def first(self, count: int) -> "CaptionedImages":
        """Return the first images; all of them for 0."""
        if not count or count >= len(self):
            return self
        return CaptionedImages(self.images[:count], self.captions[:count], self.names[:count], self.claims[:count])

    def examples(self, vocabulary: TokenVocabulary, max_words: int, *, shift: int = 0) -> Examples:
        """Return an example for every caption: `targets`, its words and the end; `image`; `row`, the image's number.

        Args:
            vocabulary: turns words into tokens.
            max_words: longer captions are cut there, and then have no end.
            shift: pair each caption with the image that stands this many places later, to measure how much images help.
        """
        targets = Ragged.of((self._target(caption, vocabulary) for caption in self._texts()), np.int32)
        width = min(max_words, int(targets.lengths.max()) - 1) + 1
        rows = (self.pairs + shift) % len(self)
        columns = {"targets": Column(targets, width, vocabulary.pad), "image": rows, "row": rows}
        return Examples(columns, shared={"image": self.images})

    @property
    def names_shown(self) -> Sequence[str]:
        """The name of each image, or its number where none was given."""
        return self.names or [str(number) for number in range(len(self.images))]

    def _texts(self) -> Iterator[str]:
        return (caption for captions in self.captions for caption in captions)

    def _target(self, caption: str, vocabulary: TokenVocabulary) -> np.ndarray:
        return np.append(vocabulary.encode(caption), np.int32(vocabulary.end))

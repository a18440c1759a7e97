"""All metrics of a set of captions at once: BLEU-1 to BLEU-4, ROUGE-L and CIDEr."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqnets.errors import UserError
from seqnets.metrics.bleu_score import bleu
from seqnets.metrics.cider_score import cider
from seqnets.metrics.ngrams import LONGEST, Words
from seqnets.metrics.references import References
from seqnets.metrics.rouge import rouge_l
from seqnets.metrics.tokenizer import caption_words

ImageId = int | str

METRICS = (*(f"BLEU-{n}" for n in range(1, LONGEST + 1)), "ROUGE-L", "CIDEr")
"""The names of the figures of captions, in the order of `CaptionScores`."""


@dataclass(frozen=True)
class CaptionScores:
    """The metrics of some captions.

    Args:
        corpus: each metric over all images.
        images: the images, in the order of the captions.
        per_image: each metric by image, float64 of shape (number of images,).
    """

    corpus: dict[str, float]
    images: tuple[ImageId, ...]
    per_image: dict[str, np.ndarray]

    def of(self, image: ImageId) -> dict[str, float]:
        """Return each metric of one image."""
        place = self.images.index(image)
        return {name: float(values[place]) for name, values in self.per_image.items()}

    def to_json(self, *, per_image: bool = False) -> dict[str, Any]:
        """Return the figures by name, for `json.dump`; those of every image are under "per_image"."""
        figures: dict[str, Any] = {**self.corpus, "images": len(self.images)}
        if not per_image:
            return figures
        rows = zip(self.images, *(values.tolist() for values in self.per_image.values()))
        return {**figures, "per_image": [dict(zip(("image_id", *self.per_image), row)) for row in rows]}


class Scorer:
    """Scores captions against the references of their images; the references are read once.

    An image whose references contain no word scores 0 and is counted; `wordless` names such images.
    CIDEr's document frequencies come from all references given here, no matter which images are scored.

    Args:
        references: the captions of each image.
        words: splits a caption into words; by default Penn Treebank tokens without punctuation, where mixed numbers
            such as 22 3/4 count as two, as in the reference code.

    Raises:
        UserError: there are no images, or an image has no reference.

    Example:
        >>> score = Scorer({"a.jpg": ["A dog runs.", "The dog is running!"], "b.jpg": ["A cat sleeps on a sofa."]})
        >>> scores = score({"a.jpg": "a dog is running", "b.jpg": "a cat"})
        >>> {name: round(value, 4) for name, value in scores.corpus.items() if name in ("BLEU-1", "ROUGE-L", "CIDEr")}
        {'BLEU-1': 0.5134, 'ROUGE-L': 0.6043, 'CIDEr': 2.7218}
        >>> scores.of("b.jpg")["BLEU-1"] < scores.of("a.jpg")["BLEU-1"]
        True
    """

    def __init__(self, references: Mapping[ImageId, Sequence[str]], *, words: Callable[[str], Words] = caption_words) -> None:
        self._words = _counted if words is caption_words else words
        self._places = {image: place for place, image in enumerate(references)}
        captions = [[self._words(caption) for caption in captions] for captions in references.values()]
        bare = next((image for image, words in zip(references, captions) if not words), None)
        if bare is not None:
            raise UserError(f"image {bare!r} has no reference caption; give it one, or leave the image out")
        self.wordless = tuple(image for image, words in zip(references, captions) if not any(words))
        self.references = References(captions)

    def __call__(self, captions: Mapping[ImageId, str]) -> CaptionScores:
        """Score one caption per image; a caption without a word scores 0.

        Raises:
            UserError: there are no captions, or an image has no references.
        """
        if not captions:
            raise UserError("there are no captions to score; give at least one")
        unknown = next((image for image in captions if image not in self._places), None)
        if unknown is not None:
            raise UserError(f"image {unknown!r} has no reference captions; give it some, or leave its caption out")
        return self._score(tuple(captions), list(map(self._words, captions.values())))

    def _score(self, images: tuple[ImageId, ...], hypotheses: list[Words]) -> CaptionScores:
        comparison = self.references.compare(hypotheses, [self._places[image] for image in images])
        together, each = bleu(comparison)
        others = {"ROUGE-L": rouge_l(comparison), "CIDEr": cider(comparison)}
        names = METRICS[:LONGEST]
        corpus = dict(zip(names, together.tolist())) | {name: float(values.mean()) for name, values in others.items()}
        return CaptionScores(corpus, images, dict(zip(names, each.T)) | others)


def _counted(caption: str) -> list[str]:
    words = caption_words(caption)
    return " ".join(words).split() if "/" in caption else words

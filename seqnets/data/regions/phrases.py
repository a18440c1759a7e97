"""Phrases of regions: things of one class, each with words."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from seqnets.data.regions.examples import RegionExample, RegionSet
from seqnets.errors import UserError

THING = "thing"
MOST_WORDS = 20


def phrased(regions: RegionSet) -> RegionSet:
    """Return the things that have phrases, as things of one class.

    Raises:
        UserError: no thing to train on has any.

    Example:
        >>> from seqnets.data.regions.reading import draw_scenes
        >>> scenes = phrased(draw_scenes(3))
        >>> scenes.classes, scenes.splits["train"][0].phrases[0]
        (('thing',), ('a ...',))
    """
    found = regions.mapped(lambda examples: map(_of_one_class, examples))
    if not any(example.phrases for example in found.splits["train"]):
        raise UserError(
            "no region to train on has a phrase; give COCO's files with a caption in each annotation, or choose another preset"
        )
    return RegionSet(found.kind, found.splits, (THING,), remarks=found.remarks)


def all_phrases(examples: tuple[RegionExample, ...]) -> Iterator[str]:
    """Yield all phrases of some pictures."""
    return (phrase for example in examples for phrases in example.phrases for phrase in phrases)


def _of_one_class(example: RegionExample) -> RegionExample:
    said = np.array([bool(phrases) for phrases in example.phrases] or [False] * len(example.labels), bool)
    some = example.taken(said)
    return replace(some, labels=np.zeros_like(some.labels))

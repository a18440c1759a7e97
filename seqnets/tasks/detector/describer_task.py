"""Detection of regions and their phrases as a task."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar

from seqnets.data.regions.loader import Part
from seqnets.data.regions.phrases import MOST_WORDS, all_phrases
from seqnets.decode.detection import phrases_of
from seqnets.metrics.phrases import PhrasedDetections, PhrasedTruths, phrase_figures
from seqnets.tasks.detector.figures import Seen, in_original
from seqnets.tasks.detector.task import DetectorTask

_SURE, _PREVIEWED, _TOGETHER = 0.5, 4, 50  # score of a previewed phrase; pictures of a preview; of a batch for the captioner


class DescriberTask(DetectorTask):
    """A detector that describes its regions, and pictures whose regions have phrases.

    The loss adds the mean of -ln p(word) over the phrases of the positive regions to the losses of the detector. The best model
    has the highest average precision of box and phrase together.

    Args:
        model: a `RegionDescriber`.
        regions: the pictures, as `seqnets.data.regions.phrases.phrased` returns them.
        config: how they are varied and loaded.
        loss: the weights of the losses.
        tell: called with a sentence when pictures cannot be read.
    """

    objective = "phrase_AP"
    parts: ClassVar[tuple[Part, ...]] = ("boxes", "phrases")

    def __init__(self, model: Any, regions: Any, *rest: Any, **options: Any) -> None:
        super().__init__(model, regions, *rest, **options)
        lengths = [len(model.vocabulary.encode(phrase)) for phrase in all_phrases(regions.splits["train"])]
        self.longest = min(max(lengths), MOST_WORDS) + 1  # pyright: ignore[reportAttributeAccessIssue]

    def seen(self, model: Any, split: str) -> Iterator[Seen]:
        """Yield what is detected in the pictures of a split that can be read, with a phrase for each detection."""
        found = super().seen(model, split)
        while some := list(islice(found, _TOGETHER)):
            for one, phrases in zip(some, phrases_of(model, [one.detected for one in some])):
                yield one._replace(detected=one.detected._replace(locations=None), phrases=phrases)

    def figures(self, model: Any, seen: Sequence[Seen]) -> dict[str, float]:
        """Return the figures of phrases and those of the detections."""
        truths = [PhrasedTruths(one.example.boxes, one.example.phrases) for one in seen]
        boxes = [in_original(one) for one in seen]
        found = [PhrasedDetections(some.boxes, some.scores, one.phrases) for some, one in zip(boxes, seen)]
        return {**phrase_figures(truths, found), **super().figures(model, seen)}

    def preview(self, model: Any, seed: int) -> str:
        """Return the phrases of the surest regions of some pictures, and the true ones."""
        split = next(split for split in ("validation", "train") if split in self.regions.splits)
        return "\n".join(map(_line, islice(self.seen(model, split), _PREVIEWED)))

    def artifacts(self) -> dict[str, Any]:
        """Return the model's settings, its preprocessing, the labels and the vocabulary."""
        return {**super().artifacts(), "vocabulary": self.model.vocabulary.to_json()}


def _line(seen: Seen) -> str:
    said = [phrase for phrase, score in zip(seen.phrases, seen.detected.scores) if score >= _SURE]
    known = [phrases[0] for phrases in seen.example.phrases]
    return f"{seen.example.name}: {'; '.join(said) or 'nothing'}   (truth: {'; '.join(known) or 'nothing'})"

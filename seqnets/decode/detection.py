"""All things in each picture: their classes and boxes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.images.preprocessing import Picture, Preprocessing
from seqnets.data.read_ahead import read_ahead
from seqnets.data.regions.selective_search import propose
from seqnets.decode.captions.decoding import decode_captions
from seqnets.decode.pictures import by_batches
from seqnets.decode.region_maps import pasted, strongest_places
from seqnets.decode.segmentation import shown_and_read
from seqnets.errors import UserError
from seqnets.models.dense.encoder import size_of
from seqnets.models.detector.detections import Detected
from seqnets.models.detector.region_detector import given

_BEAM = 3


class Thing(NamedTuple):
    """A detection: its class, its score, and left, top, right, bottom in pixels.

    Attributes:
        label: the class.
        score: in [0, 1].
        box: left, top, right, bottom.
        mask: bool `(H, W)`; None where masks are not found.
        joints: x and y of each joint by name; None where joints are not found.
        phrase: what a captioner says of it; empty where there is none.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    mask: np.ndarray | None = None
    joints: dict[str, tuple[float, float]] | None = None
    phrase: str = ""

    @property
    def name(self) -> str:
        """The phrase, or the class where there is none."""
        return self.phrase or self.label


@dataclass(frozen=True)
class Found:
    """What was detected in a picture.

    Args:
        image: the picture, uint8 `(H, W, 3)`.
        things: the detections, the surest first.

    Example:
        >>> found = Found(np.zeros((8, 8, 3), np.uint8), [Thing("cat", 0.9, (1, 1, 5, 5)), Thing("dog", 0.2, (0, 0, 2, 2))])
        >>> [thing.label for thing in found.above(0.5).things]
        ['cat']
    """

    image: np.ndarray
    things: list[Thing]

    def above(self, score: float) -> "Found":
        """Return the detections of at least a score."""
        return Found(self.image, [thing for thing in self.things if thing.score >= score])

    def figure(self) -> Any:
        """Return a matplotlib figure: the picture with the boxes, masks and joints."""
        from seqnets.viz.regions import boxes_figure

        named = [(f"{thing.name} {thing.score:.0%}", thing.box) for thing in self.things]
        masks, joints = ([getattr(thing, name) for thing in self.things] for name in ("mask", "joints"))
        return boxes_figure(self.image, named, masks=masks, joints=joints)


def detect(model: Any, images: Iterable[Picture], *, batch: int = 16) -> Iterator[Found | UserError]:
    """Yield the detections of each picture, in order, in its own pixels.

    Args:
        model: a `Detector` or a `RegionDetector`, which is given proposals by graph segmentation if it does not make its own.
        images: paths, pictures, uint8 arrays or the bytes of files; read ahead by threads.
        batch: pictures at a time, at least 1.

    Yields:
        The detections of a picture, or the error of one that cannot be read.

    Example:
        >>> from seqnets.data.images.preprocessing import Preprocessing
        >>> from seqnets.models.detector.detector import Detector, DetectorConfig
        >>> rule = Preprocessing(resize=(32, 32), crop=None)
        >>> model = Detector(DetectorConfig(width=2, keep=3), ("cat", "dog"), rule, rngs=nnx.Rngs(0))
        >>> [found] = detect(model, [np.zeros((20, 30, 3), np.uint8)])
        >>> len(found.things) <= 3
        True
    """
    graphdef, state = nnx.split(model)
    height, width = size_of(model.preprocessing)
    rule, count = model.preprocessing, model.config.proposed
    read = partial(_read_and_proposed, rule, count) if model.config.takes_proposals else partial(shown_and_read, rule)

    def run(number: int, pictures: list[tuple[np.ndarray, ...]]) -> Iterator[Found]:
        images, *arrays = zip(*pictures)
        found = jax.device_get(_detected(graphdef, state, *map(np.stack, arrays)))
        of_pictures = [found.of_picture(row) for row in range(len(images))]
        said = phrases_of(model, of_pictures)
        for one, image, phrases in zip(of_pictures, images, said):
            scale = np.array([image.shape[1] / width, image.shape[0] / height] * 2)
            yield Found(image, _things(model, one, image.shape[:2], scale, phrases))

    yield from by_batches(read_ahead(read, images, ahead=2 * batch), batch, run)


def _read_and_proposed(rule: Preprocessing, count: int, image: Picture) -> tuple[np.ndarray, ...] | UserError:
    found = shown_and_read(rule, image)
    if isinstance(found, UserError):
        return found
    whole, pixels = found
    (height, width), boxes = size_of(rule), np.zeros((count, 4), np.float32)
    some = propose(whole, count) * np.array([width / whole.shape[1], height / whole.shape[0]] * 2, np.float32)
    boxes[: len(some)] = some
    return whole, pixels, boxes


def _things(model: Any, found: Detected, size: tuple[int, int], scale: np.ndarray, phrases: Sequence[str]) -> list[Thing]:
    boxes = np.asarray(found.boxes) * scale
    masks: Any = [None] * len(boxes)
    joints: Any = masks
    if found.masks is not None:
        masks = pasted(np.asarray(found.masks), boxes, size, rounded=not model.config.aligned) >= 0.5
    if found.joints is not None:
        places = strongest_places(np.asarray(found.joints), boxes)[..., :2].tolist()
        joints = [{name: (x, y) for name, (x, y) in zip(model.joints, own)} for own in places]
    parts = [model.labels[label] for label in found.labels], np.asarray(found.scores).tolist(), map(tuple, boxes.tolist())
    return [Thing(*one) for one in zip(*parts, masks, joints, phrases)]


def phrases_of(model: Any, found: Sequence[Detected]) -> list[Sequence[str]]:
    """Return the likeliest phrase of each detection of some pictures; empty ones where the model has no captioner.

    Args:
        model: the model.
        found: the detections of each picture, without padding.
    """
    counts = [len(one.scores) for one in found]
    if found[0].locations is None or not sum(counts):
        return [("",) * count for count in counts]
    locations = np.concatenate([np.asarray(one.locations) for one in found])
    said = iter(decode_captions(model.captioner, locations, beam=_BEAM, attention=False))
    return [[next(said)[0].text for _ in range(count)] for count in counts]


@partial(jax.jit, static_argnums=0)
def _detected(graphdef: Any, state: Any, pixels: jax.Array, *proposals: jax.Array) -> Any:
    model = nnx.merge(graphdef, state)
    return model.detect(model(model.preprocessing.normalize(jnp.asarray(pixels))), *map(given, proposals))

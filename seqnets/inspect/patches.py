"""What a channel looks for: the patches of pictures that activate it most, cut to its receptive field."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np

from seqnets import settings
from seqnets.data.images.preprocessing import Picture, Preprocessing
from seqnets.errors import UserError
from seqnets.inspect.targets import picture_batches, shown
from seqnets.models.cnn.network import ConvNet
from seqnets.models.extractor import Extractor, known_preprocessing
from seqnets.models.taps import Taps
from seqnets.models.tracing import Sight, sights_of

Box = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels; bottom and right are outside."""


class Patch(NamedTuple):
    """A place in a picture that activates a channel.

    Args:
        picture: number of the picture.
        value: the activation.
        place: row and column in the layer's map.
        box: what the unit sees: its receptive field, clipped to the picture.
        pixels: [h, w, 3] of uint8, RGB: the picture in the box.
    """

    picture: int
    value: float
    place: tuple[int, int]
    box: Box
    pixels: np.ndarray


def receptive_field(model: ConvNet, layer: str, height: int, width: int) -> Sight:
    """Return the receptive field of the first unit of a layer and the step to the next, in pixels.

    Args:
        model: the network.
        layer: name or path.
        height: of the picture.
        width: of the picture.

    Example:
        >>> from seqnets.models import abstract_model
        >>> receptive_field(abstract_model("resnet50"), "stem", 224, 224)
        Sight(field=(11.0, 11.0), jump=(4.0, 4.0), start=(-5.0, -5.0))
    """
    taps = Taps(model, layer)
    image = jax.ShapeDtypeStruct((1, height, width, model.in_channels), np.float32)
    program = jax.make_jaxpr(lambda state, x: taps.compute(state, x)[layer])(_shapes(taps.state), image)
    return sights_of(program.jaxpr, program.jaxpr.invars[-1:])[0]


def strongest_patches(
    model: ConvNet,
    pictures: Iterable[Picture],
    layer: str,
    channels: Sequence[int] | None = None,
    *,
    top: int = 9,
    batch_size: int = 32,
) -> dict[int, list[Patch]]:
    """Find the pictures that activate channels of a layer most, and cut the patches that the strongest units see.

    A picture counts once for each channel, with its strongest place.

    Args:
        model: the network, with its `preprocessing`.
        pictures: paths, Pillow images, arrays or bytes; those that cannot be read are left out.
        layer: name or path of a layer with a map.
        channels: their numbers; all of them when None.
        top: patches for each channel.
        batch_size: pictures at once; their pixels are kept only while they are among the strongest.

    Returns:
        By channel, its patches, the strongest first.

    Raises:
        UserError: the network has no such layer or channel, or no picture can be read.

    Example:
        >>> from seqnets.models import create_model
        >>> model = create_model("lenet5_relu")
        >>> model.preprocessing = Preprocessing(resize=(28, 28), crop=None, channels="gray", mean=(0.0,), std=(1.0,))
        >>> digits = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
        >>> [[first, second]] = strongest_patches(model, digits, "stage1.0", [2], top=2).values()
        >>> first.value >= second.value, first.pixels.shape[2]
        (True, 3)

    References:
        Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.
    """
    rule, top = known_preprocessing(model), settings.whole("top", top, settings.POSITIVE)
    extractor = Extractor(model, [layer], batch_size=batch_size)
    best: dict[int, list[tuple[float, int, tuple[int, int], np.ndarray]]] = {}
    for numbers, pixels in picture_batches(rule, pictures, batch_size):
        values, places = _strongest(layer, extractor(pixels)[layer])
        for channel in _channels(channels, layer, values.shape[1]):
            found = [
                (float(value), number, place, image)
                for value, number, place, image in zip(values[:, channel], numbers, places[:, channel], pixels)
            ]
            best[channel] = sorted(best.get(channel, []) + found, key=lambda one: (-one[0], one[1]))[:top]
    if not best:
        raise UserError("none of the pictures can be read; give pictures that activate the channels")
    sight = cache(partial(receptive_field, model, layer))  # one for each size of pictures
    return {channel: [_patch(rule, sight, *one) for one in found] for channel, found in best.items()}


def box_of(sight: Sight, place: Sequence[int], height: int, width: int) -> Box:
    """Return what the unit at a place sees, clipped to the picture.

    Example:
        >>> box_of(Sight((11, 11), (4, 4), (-5, -5)), (0, 2), 224, 224)
        (0, 3, 6, 14)
    """
    edges = []
    for at, jump, start, field, side in zip(place, sight.jump, sight.start, sight.field, (height, width)):
        first = 0 if math.isinf(field) else start + at * jump
        last = side if math.isinf(field) else first + field
        edges.append((max(0, math.floor(first)), min(side, math.ceil(last))))
    (top, bottom), (left, right) = edges
    return top, left, bottom, right


def _patch(rule: Preprocessing, sight: Callable[..., Sight], value: float, number: int, place: Any, pixels: np.ndarray) -> Patch:
    height, width = pixels.shape[:2]
    at = (int(place[0]), int(place[1]))
    top, left, bottom, right = box = box_of(sight(height, width), at, height, width)
    return Patch(number, value, at, box, shown(rule, pixels[None])[0, top:bottom, left:right])


def _strongest(layer: str, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if maps.ndim != 4:
        raise UserError(f"layer {layer!r} has no map but {maps.shape[-1]:,} numbers; choose a layer before the pooling")
    flat = maps.reshape(len(maps), -1, maps.shape[-1]).astype(np.float32)
    best = flat.argmax(1)
    return flat.max(1), np.stack(np.unravel_index(best, maps.shape[1:3]), -1)


def _channels(channels: Sequence[int] | None, layer: str, count: int) -> Sequence[int]:
    for channel in channels or ():
        if not 0 <= channel < count:
            raise UserError(f"layer {layer!r} has no channel {channel}; its channels are numbered from 0 to {count - 1}")
    return range(count) if channels is None else channels


def _shapes(state: Any) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state)

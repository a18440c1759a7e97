"""What a network's attention is asked about: a class, or a unit of any layer, on given pictures."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqnets.data.images.files import ImageError
from seqnets.data.images.preprocessing import Picture, Preprocessing
from seqnets.data.read_ahead import read_ahead
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.models.extractor import known_preprocessing
from seqnets.models.taps import Taps
from seqnets.suggestion import nearest


class Unit(NamedTuple):
    """A unit of a layer: a channel, and a place (row, column) in its map; the place where it is strongest when None."""

    layer: str
    channel: int
    place: tuple[int, int] | None = None


Target = int | str | Unit | None
"""A class by number or name, a unit, or None for the likeliest class of each picture."""


class Seen(NamedTuple):
    """Pictures as a network sees them, and the number that is asked about on each.

    Args:
        model: the network.
        rule: its preprocessing.
        pixels: [B, H, W, C] of uint8, resized and cropped, channels in the order of the network.
        layer: the layer of the number.
        index: [B] of int32, its place in the flattened output of the layer.
    """

    model: ConvNet
    rule: Preprocessing
    pixels: np.ndarray
    layer: str
    index: np.ndarray

    @property
    def shown(self) -> np.ndarray:
        """The pictures for the eye: [B, H, W, 3] of uint8 in the order RGB."""
        return shown(self.rule, self.pixels)


def see(model: ConvNet, pictures: Sequence[Picture], target: Target = None) -> Seen:
    """Read pictures for a network and find what is asked about.

    Args:
        model: the network, with its `preprocessing`.
        pictures: of any kind; they must have one size after the preprocessing.
        target: the class or unit.

    Raises:
        UserError: the pictures have different sizes, or the network has no such class, layer or unit.
    """
    rule = known_preprocessing(model)
    pixels = stacked_pixels(rule, pictures)
    layer, index = _numbers(model, rule, pixels, target)
    return Seen(model, rule, pixels, layer, index)


def stacked_pixels(rule: Preprocessing, pictures: Sequence[Picture]) -> np.ndarray:
    """Read pictures into one array [B, H, W, C] of uint8.

    Raises:
        UserError: there are none, one cannot be read, or they have different sizes.
    """
    arrays = [rule.pixels(picture) for picture in pictures]
    if not arrays:
        raise UserError("there is no picture to look at; give one or more")
    found = list(dict.fromkeys(array.shape[:2] for array in arrays))
    if len(found) > 1:
        sizes = " and ".join(" x ".join(map(str, shape)) for shape in found[:2])
        raise ImageError(f"the pictures have different sizes ({sizes}) and the network does not crop them; give them one by one")
    return np.stack(arrays)


def picture_batches(rule: Preprocessing, pictures: Iterable[Picture], size: int) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield pictures in batches of one shape, while threads read ahead; those that cannot be read are left out.

    Args:
        rule: the preprocessing.
        pictures: of any kind.
        size: pictures in a batch, but for the last of each shape.

    Yields:
        The numbers of the pictures, and their pixels [B, H, W, C].
    """

    def read(picture: Picture) -> np.ndarray | None:
        try:
            return rule.pixels(picture)
        except ImageError:
            return None

    waiting: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}
    for number, pixels in enumerate(read_ahead(read, pictures, ahead=2 * size)):
        if pixels is None:
            continue
        same = waiting.setdefault(pixels.shape, [])
        same.append((number, pixels))
        if len(same) == size:
            yield _stacked(waiting.pop(pixels.shape))
    for same in waiting.values():
        yield _stacked(same)


def _stacked(batch: Sequence[tuple[int, np.ndarray]]) -> tuple[list[int], np.ndarray]:
    return [number for number, _ in batch], np.stack([pixels for _, pixels in batch])


def shown(rule: Preprocessing, pixels: np.ndarray) -> np.ndarray:
    """Return a network's pixels in the order RGB.

    Example:
        >>> shown(Preprocessing(channels="bgr"), np.array([[[[1, 2, 3]]]], np.uint8)).tolist()
        [[[[3, 2, 1]]]]
    """
    if rule.channels == "gray":
        return np.repeat(pixels, 3, axis=-1)
    return pixels[..., ::-1] if rule.channels == "bgr" else pixels


def class_number(labels: Sequence[str] | None, classes: int, wanted: int | str) -> int:
    """Return the number of a class that is given by number or name.

    Raises:
        UserError: there is no such class; the message names a similar one.

    Example:
        >>> class_number(("cat", "dog"), 2, "dog"), class_number(None, 2, "1")
        (1, 1)
        >>> class_number(("cat", "dog"), 2, "dot")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: the network has no class 'dot'; did you mean 'dog'?
    """
    labels = list(labels or ())
    if isinstance(wanted, str) and wanted in labels:
        return labels.index(wanted)
    if isinstance(wanted, int) or wanted.isdecimal():
        if 0 <= int(wanted) < classes:
            return int(wanted)
        raise UserError(f"the network has no class {int(wanted)}; its {classes:,} classes are numbered from 0 to {classes - 1}")
    folded = [number for number, label in enumerate(labels) if wanted.casefold() == label.casefold()]
    if folded:
        return folded[0]
    if not labels:
        raise UserError(f"the names of the classes are not known; give a number from 0 to {classes - 1}, not {wanted!r}")
    alike = nearest(wanted, labels)
    raise UserError(f"the network has no class {wanted!r}{alike if 'mean' in alike else '; give its name or number'}")


def _numbers(model: ConvNet, rule: Preprocessing, pixels: np.ndarray, target: Target) -> tuple[str, np.ndarray]:
    x = rule.normalize(pixels)
    if target is None:
        return "logits", np.asarray(Taps(model, "logits")(x)["logits"].argmax(-1), np.int32)
    if not isinstance(target, Unit):
        classes = _shape(model, "logits", x)[-1]
        return "logits", np.full(len(pixels), class_number(model.labels, classes, target), np.int32)
    shape = _shape(model, target.layer, x)[1:]
    _check(target, shape)
    if target.place is not None:
        return target.layer, np.full(len(pixels), np.ravel_multi_index((*target.place, target.channel), shape), np.int32)
    channel = Taps(model, target.layer)(x)[target.layer][..., target.channel].reshape(len(pixels), -1)
    return target.layer, np.asarray(channel.argmax(-1) * shape[-1] + target.channel, np.int32)


def _shape(model: ConvNet, layer: str, x: Any) -> tuple[int, ...]:
    taps = Taps(model, layer)
    return jax.eval_shape(taps.compute, taps.state, jnp.asarray(x))[layer].shape


def _check(unit: Unit, shape: tuple[int, ...]) -> None:
    if not 0 <= unit.channel < shape[-1]:
        last = shape[-1] - 1
        raise UserError(f"layer {unit.layer!r} has no channel {unit.channel}; its channels are numbered from 0 to {last}")
    if unit.place is not None and (len(shape) != 3 or any(not 0 <= at < side for at, side in zip(unit.place, shape))):
        size = " x ".join(map(str, shape[:-1])) or "a single place"
        raise UserError(f"layer {unit.layer!r} has no unit at {unit.place}; its map is {size}")

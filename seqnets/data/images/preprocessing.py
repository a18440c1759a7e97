"""How an image becomes the array that a network was trained on. It is saved with the weights, so that both always match."""

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from PIL import Image

from seqnets.data.images.files import MAX_PIXELS, ImageError, as_mode, open_image
from seqnets.data.images.published import IMAGENET_MEAN, IMAGENET_STD, huggingface, timm
from seqnets.errors import UserError

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
Channels = Literal["rgb", "bgr", "gray"]
Rounding = Literal["down", "nearest"]
Picture = Image.Image | np.ndarray | str | os.PathLike[str] | bytes
Array = TypeVar("Array")

# a very thin picture, which would be resized to more, is resized only inside the crop
_MOST_RESIZED = 1 << 24  # pixels


@dataclass(frozen=True)
class Preprocessing:
    r"""Resize, crop the center, order the channels, and normalize: $y = (\text{scale} \cdot x - \text{mean}) / \text{std}$.

    The defaults are the evaluation rule of most ImageNet networks. All values are given in the order of `channels`.

    Args:
        resize: the length the shorter side gets (the other follows in proportion), or the exact (height, width), or
            None to leave the size.
        crop: (height, width) of the window cut from the center, or None for all; black fills what the image lacks.
        interpolation: Pillow's filter for the resizing (all but "nearest" smooth when shrinking).
        side_rounding: how the longer side is rounded.
        crop_rounding: how the upper left corner of the crop is rounded; "nearest" is torchvision's, halves to even.
        channels: "rgb", "bgr", or "gray".
        scale: multiplies the values 0 .. 255 first.
        mean: subtracted, one number per channel.
        std: divided by, one number per channel.

    Raises:
        UserError: a value is out of range, or mean and std do not have one number per channel.

    Example:
        >>> Preprocessing()(Image.new("RGB", (640, 480), "white")).shape
        (224, 224, 3)
        >>> digits = Preprocessing(resize=None, crop=None, channels="gray", mean=(0.0,), std=(1.0,))
        >>> digits(np.full((28, 28), 255, np.uint8)).max()
        np.float32(1.0)
    """

    resize: int | tuple[int, int] | None = 256
    crop: tuple[int, int] | None = (224, 224)
    interpolation: Interpolation = "bilinear"
    side_rounding: Rounding = "down"
    crop_rounding: Rounding = "nearest"
    channels: Channels = "rgb"
    scale: float = 1 / 255
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def __post_init__(self) -> None:
        for name in ("resize", "crop", "mean", "std"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)
        _check_choice("interpolation", self.interpolation, get_args(Interpolation))
        _check_choice("channels", self.channels, get_args(Channels))
        _check_choice("side_rounding", self.side_rounding, get_args(Rounding))
        _check_choice("crop_rounding", self.crop_rounding, get_args(Rounding))
        _check_size("resize", self.resize, (int, tuple, type(None)))
        _check_size("crop", self.crop, (tuple, type(None)))
        for name in ("mean", "std"):
            _check_numbers(name, getattr(self, name), self.channel_count)
        if 0 in self.std:
            raise UserError(f"preprocessing: std must not be 0 in any channel: {self.std}")

    @property
    def channel_count(self) -> int:
        """C: 1 for gray, else 3."""
        return 1 if self.channels == "gray" else 3

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(H, W) of every result; None where it depends on the image."""
        return self.crop or (self.resize if isinstance(self.resize, tuple) else None)

    def __call__(self, image: Picture) -> np.ndarray:
        """Return an image in the form that the network takes.

        Args:
            image: of Pillow in any mode, an array [H, W], [H, W, 1] or [H, W, 3] of uint8 in the order RGB, a path, or
                the bytes of a file.

        Returns:
            [H, W, C] of float32.

        Raises:
            ImageError: the image cannot be read, or would fill the memory, such as a very thin one without a crop.
            UserError: the array has another shape or type.
        """
        return self.normalize(self.pixels(image))

    def pixels(self, image: Picture) -> np.ndarray:
        """Return an image resized, cropped and with its channels in order, still uint8: [H, W, C].

        Args:
            image: as for a call.

        Example:
            >>> Preprocessing(resize=None, crop=(1, 1), channels="bgr").pixels(np.array([[[1, 2, 3]]], np.uint8)).tolist()
            [[[3, 2, 1]]]
        """
        name = f"'{os.fspath(image)}'" if isinstance(image, str | os.PathLike) else "the image"
        try:
            array = np.asarray(self._cut(_picture(image, "L" if self.channels == "gray" else "RGB"), name))
        except (MemoryError, OverflowError, Image.DecompressionBombError):
            raise ImageError(f"{name} needs too much memory; shrink it, or resize and crop to fewer pixels") from None
        array = array if array.ndim == 3 else array[:, :, None]
        return np.ascontiguousarray(array[:, :, ::-1] if self.channels == "bgr" else array)

    def normalize(self, pixels: Array) -> Array:
        """Return pixels in the form that the network takes; can run inside `jax.jit`.

        Args:
            pixels: [..., C] of uint8, an array of NumPy or JAX.

        Returns:
            The same shape of float32.

        Example:
            >>> Preprocessing(scale=1.0, mean=(1.0,) * 3, std=(2.0,) * 3).normalize(np.array([[5, 3, 1]], np.uint8))
            array([[2., 1., 0.]], dtype=float32)
        """
        x: Any = pixels
        shape = (1,) * (x.ndim - 1) + (-1,)
        mean, std = (np.asarray(values, np.float32).reshape(shape) for values in (self.mean, self.std))
        return (x.astype(np.float32) * np.float32(self.scale) - mean) / std

    def to_json(self) -> dict[str, Any]:
        """Return the fields from which `from_json` makes an equal object.

        Example:
            >>> Preprocessing.from_json(Preprocessing(channels="bgr").to_json()) == Preprocessing(channels="bgr")
            True
        """
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Preprocessing":
        """Return the rule that `to_json` described.

        Raises:
            UserError: the fields do not describe a rule.
        """
        if not isinstance(value, Mapping):
            raise UserError(f"preprocessing must be an object, not {value!r}")
        unknown = value.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise UserError(f"preprocessing has no setting {min(unknown)!r}; it has {', '.join(f.name for f in fields(cls))}")
        return cls(**value)

    @classmethod
    def from_huggingface(cls, config: Mapping[str, Any]) -> "Preprocessing":
        """Return the rule in a Hugging Face `preprocessor_config.json`.

        Args:
            config: the parsed file, of an image processor that resizes, crops, rescales and normalizes.

        Raises:
            UserError: it has an unknown step.

        Example:
            >>> Preprocessing.from_huggingface({"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3}).resize
            256
        """
        return cls(**huggingface(config))

    @classmethod
    def from_timm(cls, config: Mapping[str, Any]) -> "Preprocessing":
        """Return the rule in timm's `pretrained_cfg` (or a `config.json` that holds one).

        Raises:
            UserError: it has an unknown step.

        Example:
            >>> Preprocessing.from_timm({"input_size": [3, 224, 224], "crop_pct": 0.95, "interpolation": "bicubic"}).resize
            235
        """
        return cls(**timm(config))

    def _cut(self, image: Image.Image, name: str) -> Image.Image:
        width, height = self._resized_size(image.size)
        if width * height <= _MOST_RESIZED or not isinstance(self.resize, int):
            return self._cropped(self._resized(image, (width, height)))
        if self.crop is None:
            return self._whole(image, (width, height), name)
        return self._cropped_first(image, (width, height))

    def _resized_size(self, size: tuple[int, int]) -> tuple[int, int]:
        if self.resize is None:
            return size
        return (self.resize[1], self.resize[0]) if isinstance(self.resize, tuple) else self._proportional(size, self.resize)

    def _resized(
        self, image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
    ) -> Image.Image:
        return image if self.resize is None else image.resize(size, Image.Resampling[self.interpolation.upper()], box)

    def _proportional(self, size: tuple[int, int], shorter: int) -> tuple[int, int]:
        whole = {"down": int, "nearest": round}[self.side_rounding]
        width, height = (shorter if side == min(size) else whole(shorter * side / min(size)) for side in size)
        return width, height

    def _whole(self, image: Image.Image, size: tuple[int, int], name: str) -> Image.Image:
        if size[0] * size[1] > 16 * min(size) ** 2:
            now, then = (f"{width:,} x {height:,} pixels" for width, height in (image.size, size))
            raise ImageError(f"{name} is too thin: it has {now} and would be resized to {then}; crop it first")
        return self._resized(image, size)

    def _cropped(self, image: Image.Image) -> Image.Image:
        if self.crop is None:
            return image
        left, top, right, bottom = self._window(image.size)
        return image.crop((left, top, right, bottom))

    def _cropped_first(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        window = self._window(size)
        seen = [min(max(place, 0), side) for place, side in zip(window, size * 2)]
        scales = [side / resized for side, resized in zip(image.size, size)] * 2
        left, top, right, bottom = (place * scale for place, scale in zip(seen, scales))
        part = self._resized(image, (seen[2] - seen[0], seen[3] - seen[1]), (left, top, right, bottom))
        return part.crop([place - corner for place, corner in zip(window, seen[:2] * 2)])  # pyright: ignore[reportArgumentType]

    def _window(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        height, width = self.crop or size[::-1]
        left, top = self._corner(size[0], width), self._corner(size[1], height)
        return left, top, left + width, top + height

    def _corner(self, size: int, window: int) -> int:
        if self.crop_rounding == "nearest":
            return round((size - window) / 2) if size >= window else -((window - size) // 2)
        return (size - window) // 2


def _picture(image: Picture, mode: Literal["RGB", "L"]) -> Image.Image:
    if isinstance(image, Image.Image):
        return as_mode(image, mode)
    if not isinstance(image, np.ndarray):
        return open_image(image, mode)
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)):
        raise UserError(f"the image is an array {image.shape} of {image.dtype}; give [H, W], [H, W, 1] or [H, W, 3] of uint8")
    flat = image[:, :, 0] if image.shape[2:] == (1,) else image
    return as_mode(Image.fromarray(np.ascontiguousarray(flat)), mode)


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"preprocessing: {name} must be one of {', '.join(choices)}, not {value!r}")


def _check_size(name: str, value: Any, kinds: tuple[type, ...]) -> None:
    sizes = value if isinstance(value, tuple) else () if value is None else (value,)
    if not isinstance(value, kinds) or any(type(size) is not int or size < 1 for size in sizes) or len(sizes) > 2:
        raise UserError(f"preprocessing: {name} must be pixels such as 224 or (224, 224), not {value!r}")
    if sizes and sizes[0] * sizes[-1] > MAX_PIXELS:
        raise UserError(f"preprocessing: {name} {value!r} makes more than {MAX_PIXELS:,} pixels; give a smaller one")


def _check_numbers(name: str, values: Any, count: int) -> None:
    if not isinstance(values, tuple) or len(values) != count or not all(map(_is_number, values)):
        raise UserError(f"preprocessing: {name} must have {count} number{'s' * (count > 1)}, one per channel, not {values!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)

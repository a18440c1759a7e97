"""The weights and the outputs of convolutions, to be looked at."""

from collections.abc import Iterable, Sequence

import numpy as np
from flax import nnx

from seqnets.data.images.preprocessing import Picture
from seqnets.errors import UserError
from seqnets.inspect.gradients import last_map
from seqnets.inspect.targets import picture_batches, stacked_pixels
from seqnets.models.cnn.network import ConvNet
from seqnets.models.extractor import Extractor, known_preprocessing
from seqnets.models.taps import known_layers
from seqnets.nn.conv import Conv


def filters(model: ConvNet, layer: str | None = None) -> tuple[str, np.ndarray]:
    """Return the path and the filters of a convolution.

    Filters of the first convolution have the colors of pictures: red, green, blue, also where the network takes another order.

    Args:
        model: the network.
        layer: the convolution, or a layer around it, whose first one by name is taken; the first of the network when None.

    Returns:
        The path, and [kernel height, kernel width, in, out] of float32.

    Raises:
        UserError: the layer is unknown or holds no convolution.

    Example:
        >>> from seqnets.models import create_model
        >>> path, kernel = filters(create_model("lenet5"))
        >>> path, kernel.shape
        ('stage1.0', (5, 5, 1, 6))
    """
    convolutions = {path: module for path, module in _named(model) if isinstance(module, Conv)}
    first = next(iter(_in_order(model, convolutions)), None)
    path = first
    if layer is not None:
        (layer,) = known_layers(model, layer)
        path = next((path for path in _in_order(model, convolutions) if f"{path}.".startswith(f"{layer}.")), None)
    if path is None:
        raise UserError(
            f"layer {layer!r} holds no convolution; choose one that does" if layer else "the network has no convolution"
        )
    kernel = np.asarray(convolutions[path].kernel[...], np.float32)
    bgr = path == first and model.preprocessing is not None and model.preprocessing.channels == "bgr"
    return path, kernel[:, :, ::-1] if bgr else kernel


def activations(model: ConvNet, pictures: Sequence[Picture], layer: str) -> np.ndarray:
    """Return the outputs of a layer for pictures.

    Args:
        model: the network, with its `preprocessing`.
        pictures: paths, Pillow images, arrays or bytes.
        layer: name or path.

    Returns:
        [B, h, w, C], or [B, C] after the pooling.

    Raises:
        UserError: the layer is unknown, or a picture cannot be read.
    """
    pixels = stacked_pixels(known_preprocessing(model), pictures)
    return Extractor(model, [layer], batch_size=len(pixels))(pixels)[layer]


def features(
    model: ConvNet, pictures: Iterable[Picture], layer: str | None = None, *, batch_size: int = 32
) -> tuple[np.ndarray, np.ndarray]:
    """Return one vector for each picture: a layer's output, averaged over the places of a map.

    Args:
        model: the network, with its `preprocessing`.
        pictures: paths, Pillow images, arrays or bytes; those that cannot be read are left out.
        layer: name or path; the last stage with a map when None.
        batch_size: pictures at once.

    Returns:
        The numbers of the pictures [N], and the vectors [N, D] of float32.

    Raises:
        UserError: the layer is unknown, or no picture can be read.
    """
    layer = layer or last_map(model)
    extractor, found = Extractor(model, [layer], batch_size=batch_size), {}
    for numbers, pixels in picture_batches(known_preprocessing(model), pictures, batch_size):
        output = extractor(pixels)[layer].astype(np.float32)
        found |= zip(numbers, output.mean(tuple(range(1, output.ndim - 1))))
    if not found:
        raise UserError("none of the pictures can be read; give others")
    numbers = sorted(found)
    return np.array(numbers), np.stack([found[number] for number in numbers])


def _named(model: ConvNet) -> list[tuple[str, nnx.Module]]:
    return [(".".join(map(str, path)), module) for path, module in nnx.iter_modules(model)]


def _in_order(model: ConvNet, paths: Sequence[str] | dict[str, Conv]) -> list[str]:
    return [path for stage in model.feature_names for path in paths if f"{path}.".startswith(f"{stage}.")]

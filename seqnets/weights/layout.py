"""The layouts of an array in a file and in a network: a permutation of axes between two reshapes, in either direction."""

from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The conversion from our array to theirs and back.

    Args:
        ours: the shape of the network's array.
        view: our array with its axes separated: a dense kernel after a flattened image is [H, W, C, out].
        axes: the order of those axes in the file.
        theirs: the shape of the file's array.
        shift: what is added to their array: a batch norm's variance makes up for another epsilon.

    Example:
        >>> layout = torch_layout((3, 3, 16, 32))
        >>> layout.theirs, layout.export(np.zeros((3, 3, 16, 32))).shape
        ((32, 16, 3, 3), (32, 16, 3, 3))
    """

    ours: Shape
    view: Shape
    axes: Shape
    theirs: Shape
    shift: float = 0.0

    def export(self, array: np.ndarray) -> np.ndarray:
        """Convert our array to their layout."""
        return _shifted(np.ascontiguousarray(array.reshape(self.view).transpose(self.axes)).reshape(self.theirs), -self.shift)

    def take(self, array: np.ndarray) -> np.ndarray:
        """Convert their array to our layout."""
        permuted = array.reshape([self.view[axis] for axis in self.axes])
        return _shifted(np.ascontiguousarray(permuted.transpose(np.argsort(self.axes))).reshape(self.ours), self.shift)


def _shifted(array: np.ndarray, shift: float) -> np.ndarray:
    return (array + np.float64(shift)).astype(array.dtype) if shift else array


def same_layout(shape: Shape, grid: Shape = (), convolution: bool = False) -> Layout:
    """Keep arrays as they are.

    Example:
        >>> same_layout((3, 3, 16, 32)).theirs
        (3, 3, 16, 32)
    """
    return Layout(shape, shape, tuple(range(len(shape))), shape)


def torch_layout(shape: Shape, grid: Shape = (), convolution: bool = False) -> Layout:
    """Turn kernels into torch's: [out, in, KH, KW] for convolutions, including grouped ones, and [out, in] for dense layers.

    Args:
        shape: shape of our array: [KH, KW, in / groups, out], [in, out], or [features].
        grid: (H, W) of the image that is flattened before a dense layer. Torch orders its pixels (C, H, W), we (H, W, C).
        convolution: whether the file stores the dense kernel as a convolution kernel, [out, C, H, W].

    Example:
        >>> torch_layout((7 * 7 * 512, 4096), grid=(7, 7)).theirs
        (4096, 25088)
        >>> torch_layout((7 * 7 * 512, 4096), grid=(7, 7), convolution=True).theirs
        (4096, 512, 7, 7)
    """
    if len(shape) == 1:
        return same_layout(shape)
    *image, features, out = shape
    height, width = image or grid or (1, 1)
    view = (height, width, features if image else features // (height * width), out)
    spread = (view[3], view[2], height, width)
    return Layout(shape, view, (3, 2, 0, 1), spread if image or convolution else (out, features))


def depthwise_layout(shape: Shape, grid: Shape = (), convolution: bool = False) -> Layout:
    """Keep arrays as they are, but for depthwise kernels [KH, KW, 1, C], which Keras keeps as [KH, KW, C, 1].

    Args:
        shape: shape of our array.
        grid: unused.
        convolution: whether the file stores this dense kernel as one of a 1 x 1 convolution.

    Example:
        >>> depthwise_layout((3, 3, 1, 32)).theirs, depthwise_layout((1, 1, 32, 64)).theirs
        ((3, 3, 32, 1), (1, 1, 32, 64))
    """
    if len(shape) == 2 and convolution:
        return Layout(shape, shape, (0, 1), (1, 1, *shape))
    if len(shape) != 4 or shape[2] != 1:
        return same_layout(shape)
    return Layout(shape, shape, (0, 1, 3, 2), (*shape[:2], shape[3], 1))

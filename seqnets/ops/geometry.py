"""The output size of a window, its receptive field, and its padding."""

import math
from collections.abc import Iterable, Sequence
from operator import index
from typing import Literal, SupportsIndex

from seqnets import settings
from seqnets.errors import UserError

Pair = int | tuple[int, int]
"""One number for both axes, or (height, width)."""

Padding = int | str | Sequence[int] | Sequence[tuple[int, int]]
"""`"SAME"`, `"VALID"`, one number for all sides, (height, width), or ((top, bottom), (left, right))."""

Rounding = Literal["floor", "ceil", "exact"]


def pair(value: Pair) -> tuple[int, int]:
    """Return (height, width); one number stands for both.

    Example:
        >>> pair(3), pair((1, 7))
        ((3, 3), (1, 7))
    """
    try:
        first, second = (value, value) if isinstance(value, SupportsIndex) else value
        return index(first), index(second)
    except (TypeError, ValueError):
        raise UserError(f"give a whole number, or two of them for (height, width), not {value!r}") from None


def check_positive(**sizes: Iterable[int]) -> None:
    """Refuse windows, strides and dilations below 1.

    Example:
        >>> check_positive(stride=(2, 0))
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: stride must be at least 1, not 0
    """
    for name, values in sizes.items():
        for value in values:
            settings.POSITIVE.check(name, value)


def output_size(
    size: int,
    window: int,
    *,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int = 1,
    rounding: Rounding = "floor",
) -> int:
    r"""Count the positions of a window along one axis.

    $$ O = (W - F + P_{before} + P_{after}) / S + 1, \qquad F = D (K - 1) + 1 $$

    Args:
        size: W, pixels of the input along the axis.
        window: K, taps of the window.
        stride: S, pixels from one position to the next.
        padding: P on either side, or (before, after).
        dilation: D, pixels between two taps.
        rounding: what to do when the division leaves a remainder: `"floor"` drops the last pixels, `"ceil"` adds a window
            that hangs over the edge (but starts inside, as torch has it), `"exact"` refuses.

    Raises:
        UserError: no window fits, or `rounding="exact"` and the division leaves a remainder. The message shows the
            arithmetic.

    Example:
        >>> output_size(227, 11, stride=4), output_size(224, 7, stride=2, padding=3)
        (55, 112)
        >>> output_size(10, 3, stride=2, rounding="exact")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: output size (10 - 3 + 0 + 0)/2 + 1 = 4.5 is not a whole number; change the stride or
        the padding, or round with floor or ceil
    """
    check_positive(window=[window], stride=[stride], dilation=[dilation])
    before, after = pair(padding)
    extent = dilation * (window - 1) + 1
    steps = size - extent + before + after
    arithmetic = f"({size} - {extent} + {before} + {after})/{stride} + 1"
    positions = -(-steps // stride) + 1 if rounding == "ceil" else steps // stride + 1
    if positions < 1 or (steps < 0 and rounding != "ceil"):
        raise UserError(
            f"output size {arithmetic} = {steps / stride + 1:g} is impossible: a window of {extent} does not fit into "
            f"{size} + {before} + {after} = {size + before + after} pixels; give a larger image or more padding"
        )
    if rounding == "exact" and steps % stride:
        raise UserError(
            f"output size {arithmetic} = {steps / stride + 1:g} is not a whole number; "
            "change the stride or the padding, or round with floor or ceil"
        )
    overhangs = rounding == "ceil" and positions > 1 and (positions - 1) * stride >= size + before
    return positions - 1 if overhangs else positions


def receptive_field(layers: Iterable[tuple[int, ...]]) -> int:
    r"""Return how many input pixels one output of a stack of windows sees along one axis.

    $$ R = 1 + \sum_l D_l (K_l - 1) \prod_{m < l} S_m $$

    Args:
        layers: (window, stride) or (window, stride, dilation) of each layer, first layer first.

    Example:
        >>> receptive_field([(3, 1), (3, 1), (3, 1)])
        7
        >>> receptive_field([(7, 2), (3, 2)])
        11

    References:
        Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", Distill 2019.
    """
    field, jump = 1, 1
    for window, stride, *dilation in layers:
        field += (dilation[0] if dilation else 1) * (window - 1) * jump
        jump *= stride
    return field


def resolve_padding(
    padding: Padding,
    *,
    size: Sequence[int],
    window: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int] = (1, 1),
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return any form of padding as ((top, bottom), (left, right)).

    Args:
        padding: as described at `Padding`; `"SAME"` gives ceil(size / stride) outputs, the odd pixel at the end.
        size: height and width of the input in pixels.
        window: taps of the window.
        stride: pixels from one position to the next.
        dilation: pixels between two taps.

    Raises:
        UserError: the padding has another form.

    Example:
        >>> resolve_padding("SAME", size=(224, 224), window=(7, 7), stride=(2, 2))
        ((2, 3), (2, 3))
    """
    check_positive(window=window, stride=stride, dilation=dilation)
    match padding:
        case "VALID":
            return (0, 0), (0, 0)
        case "SAME":
            rows, columns = map(_same, size, window, stride, dilation)
            return rows, columns
        case int():
            return (padding, padding), (padding, padding)
        case (int() as height, int() as width):
            return (height, height), (width, width)
        case ((int() as top, int() as bottom), (int() as left, int() as right)):
            return (top, bottom), (left, right)
    raise UserError(
        f"padding {padding!r} is not understood; "
        "give 'SAME', 'VALID', a number, (height, width) or ((top, bottom), (left, right))"
    )


def _same(size: int, window: int, stride: int, dilation: int) -> tuple[int, int]:
    extent = dilation * (window - 1) + 1
    total = max((math.ceil(size / stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2

import itertools

import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.ops.geometry import output_size, receptive_field, resolve_padding

torch = pytest.importorskip("torch")


def test_sizes_are_torchs_under_both_roundings():
    for size, window, stride, padding in itertools.product(range(3, 12), (1, 2, 3), (1, 2, 3), (0, 1)):
        if 2 * padding > window:
            continue
        for rounding in ("floor", "ceil"):
            pooled = torch.nn.functional.max_pool2d(
                torch.zeros(1, 1, size, size), window, stride, padding, ceil_mode=rounding == "ceil"
            )
            assert output_size(size, window, stride=stride, padding=padding, rounding=rounding) == pooled.shape[-1]


def test_dilated_sizes_are_torchs():
    for size, window, stride, dilation in itertools.product((9, 10, 11), (2, 3), (1, 2), (1, 2, 3)):
        y = torch.nn.functional.conv1d(torch.zeros(1, 1, size), torch.zeros(1, 1, window), stride=stride, dilation=dilation)
        assert output_size(size, window, stride=stride, dilation=dilation) == y.shape[-1]


def test_an_impossible_size_shows_the_arithmetic():
    with pytest.raises(UserError, match=r"\(5 - 7 \+ 0 \+ 0\)/1 \+ 1 = -1 is impossible: a window of 7 does not fit"):
        output_size(5, 7)


@pytest.mark.parametrize("size", [13, 14, 15])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_gives_the_size_divided_by_the_stride(size, stride):
    (before, after), _ = resolve_padding("SAME", size=(size, size), window=(3, 5), stride=(stride, stride))
    assert output_size(size, 3, stride=stride, padding=(before, after)) == -(-size // stride)
    assert 0 <= after - before <= 1


@pytest.mark.parametrize("padding", ["same", 1.5, (1, 2, 3), ((1, 2), 3)])
def test_unknown_padding_is_refused(padding):
    with pytest.raises(UserError, match="padding"):
        resolve_padding(padding, size=(4, 4), window=(2, 2), stride=(1, 1))


def test_receptive_field_is_what_a_change_of_one_pixel_reaches():
    layers = [(3, 1), (2, 2), (3, 1, 2), (3, 2)]
    signal = np.zeros(64)
    seen = [_depends(layers, signal, pixel) for pixel in range(64)]
    assert sum(seen) == receptive_field(layers)


def _depends(layers, signal, pixel):
    changed = signal.copy()
    changed[pixel] = 1.0
    return _run(layers, changed)[5] != 0


def _run(layers, signal):
    for window, stride, *dilation in layers:
        d = dilation[0] if dilation else 1
        count = output_size(len(signal), window, stride=stride, dilation=d)
        signal = np.array([signal[i * stride : i * stride + d * (window - 1) + 1 : d].sum() for i in range(count)])
    return signal

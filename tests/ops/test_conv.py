import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from seqnets.errors import UserError
from seqnets.ops.columns import conv2d_im2col, im2col
from seqnets.ops.conv import conv2d, conv_transpose2d, locally_connected2d
from seqnets.ops.geometry import output_size

CASES = [
    {"stride": 1, "padding": 0, "dilation": 1, "groups": 1},
    {"stride": 2, "padding": 1, "dilation": 1, "groups": 1},
    {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 1},
    {"stride": 3, "padding": 2, "dilation": 2, "groups": 2},
    {"stride": 1, "padding": 1, "dilation": 1, "groups": 4},
]


def both(value):
    return (value, value) if isinstance(value, int) else value


def naive_conv(x, kernel, stride, padding, dilation, groups):
    (sh, sw), (ph, pw), (dh, dw) = both(stride), both(padding), both(dilation)
    kh, kw, per_group, out = kernel.shape
    x = np.pad(x.astype(np.float64), ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    height = (x.shape[1] - dh * (kh - 1) - 1) // sh + 1
    width = (x.shape[2] - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((x.shape[0], height, width, out))
    for i, j, o in itertools.product(range(height), range(width), range(out)):
        first = o // (out // groups) * per_group
        for a, b, c in itertools.product(range(kh), range(kw), range(per_group)):
            y[:, i, j, o] += x[:, i * sh + a * dh, j * sw + b * dw, first + c] * kernel[a, b, c, o]
    return y


def naive_transposed(x, kernel, stride, padding, extra, dilation):
    (sh, sw), (ph, pw), (eh, ew), (dh, dw) = both(stride), both(padding), both(extra), both(dilation)
    kh, kw, _, out = kernel.shape
    height = sh * (x.shape[1] - 1) + dh * (kh - 1) + 1
    width = sw * (x.shape[2] - 1) + dw * (kw - 1) + 1
    y = np.zeros((x.shape[0], height + eh, width + ew, out))
    for i, j, a, b in itertools.product(range(x.shape[1]), range(x.shape[2]), range(kh), range(kw)):
        y[:, i * sh + a * dh, j * sw + b * dw] += x[:, i, j].astype(np.float64) @ kernel[a, b]
    return y[:, ph : height + eh - ph, pw : width + ew - pw]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_conv2d_is_the_naive_loop(case):
    x, kernel, bias = normal(2, 9, 8, 4), normal(3, 2, 4 // case["groups"], 4, seed=1), normal(4, seed=2)
    np.testing.assert_allclose(conv2d(x, kernel, bias, **case), naive_conv(x, kernel, **case) + bias, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("padding", [0, 2, "SAME", "VALID", ((0, 1), (2, 0))])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_conv2d_is_im2col_and_a_matrix_product(padding, stride, dilation):
    x, kernel = normal(2, 9, 8, 3), normal(3, 3, 3, 5, seed=1)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    np.testing.assert_allclose(conv2d(x, kernel, **options), conv2d_im2col(x, kernel, **options), rtol=1e-5, atol=1e-5)


def test_one_by_one_convolution_is_a_matrix_product():
    x, kernel = normal(2, 4, 5, 3), normal(1, 1, 3, 7, seed=1)
    np.testing.assert_allclose(conv2d(x, kernel), x @ kernel[0, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("stride", "padding", "extra", "dilation"), [(1, 0, 0, 1), (2, 1, 1, 1), ((3, 2), (0, 1), 0, 2)])
def test_conv_transpose2d_is_the_naive_loop(stride, padding, extra, dilation):
    x, kernel = normal(2, 4, 5, 3), normal(3, 3, 3, 2, seed=1)
    y = conv_transpose2d(x, kernel, stride=stride, padding=padding, output_padding=extra, dilation=dilation)
    np.testing.assert_allclose(y, naive_transposed(x, kernel, stride, padding, extra, dilation), rtol=1e-5, atol=1e-5)


def test_conv_transpose2d_is_torchs_with_groups():
    torch = pytest.importorskip("torch")
    x, kernel = normal(2, 4, 5, 4), normal(3, 3, 2, 6, seed=1)
    weight = kernel.reshape(3, 3, 2, 2, 3).transpose(3, 2, 4, 0, 1).reshape(4, 3, 3, 3)
    theirs = torch.nn.functional.conv_transpose2d(
        torch.tensor(x.transpose(0, 3, 1, 2)), torch.tensor(weight), stride=2, padding=1, output_padding=1, groups=2
    )
    ours = conv_transpose2d(x, kernel, stride=2, padding=1, output_padding=1, groups=2)
    np.testing.assert_allclose(ours, theirs.permute(0, 2, 3, 1), rtol=1e-5, atol=1e-5)


def test_conv_transpose2d_is_the_adjoint_of_conv2d():
    x, kernel, y = normal(1, 7, 7, 3), normal(3, 3, 3, 2, seed=1), normal(1, 4, 4, 2, seed=2)
    forward = np.vdot(conv2d(x, kernel, stride=2, padding=1), y)
    back = np.vdot(x, conv_transpose2d(y, kernel.transpose(0, 1, 3, 2), stride=2, padding=1))
    np.testing.assert_allclose(forward, back, rtol=1e-4)


def test_locally_connected_is_its_own_kernel_at_each_place():
    x, kernel, bias = normal(2, 5, 6, 2), normal(3, 3, 18, 4, seed=1), normal(3, 3, 4, seed=2)
    y = locally_connected2d(x, kernel, bias, window=3, stride=(1, 2), padding=((0, 0), (1, 0)))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 0))).astype(np.float64)
    for i, j in itertools.product(range(3), range(3)):
        patch = padded[:, i : i + 3, 2 * j : 2 * j + 3].reshape(2, -1)
        np.testing.assert_allclose(y[:, i, j], patch @ kernel[i, j] + bias[i, j], rtol=1e-5, atol=1e-5)


def test_locally_connected_with_one_kernel_everywhere_is_a_convolution():
    x, kernel = normal(2, 6, 6, 3), normal(3, 3, 3, 4, seed=1)
    spread = np.broadcast_to(kernel.reshape(27, 4), (4, 4, 27, 4))
    np.testing.assert_allclose(locally_connected2d(x, spread, window=3), conv2d(x, kernel), rtol=1e-5, atol=1e-5)


def test_gradients():
    x, kernel, bias = normal(1, 4, 4, 2), normal(3, 3, 1, 2, seed=1), normal(2, seed=2)
    check_grads(lambda *a: conv2d(*a, stride=2, padding=1, groups=2), (x, kernel, bias), 1, modes=["rev"], rtol=1e-2)
    check_grads(lambda *a: conv_transpose2d(*a, stride=2), (x, normal(2, 2, 2, 2)), 1, modes=["rev"], rtol=1e-2)
    check_grads(lambda *a: locally_connected2d(*a, window=3), (x, normal(2, 2, 18, 2)), 1, modes=["rev"], rtol=1e-2)


def test_the_result_has_the_dtype_of_the_images():
    assert conv2d(jnp.ones((1, 3, 3, 1), jnp.bfloat16), jnp.ones((3, 3, 1, 1)), jnp.ones(1)).dtype == jnp.bfloat16


def test_im2col_holds_the_patches():
    x = normal(1, 5, 4, 2)
    rows = im2col(x, (2, 3), stride=(2, 1))
    assert rows.shape == (1, 2, 2, 12)
    np.testing.assert_array_equal(rows[0, 1, 1], x[0, 2:4, 1:4].reshape(-1))


@pytest.mark.parametrize(
    ("x", "kernel", "message"),
    [
        ((1, 4, 4, 3), (3, 3, 2, 5), r"has 3 features but the kernel \(3, 3, 2, 5\) in 1 group\(s\) takes 2"),
        ((1, 4, 4, 3), (5, 5, 3, 5), r"\(4 - 5 \+ 0 \+ 0\)/1 \+ 1 = 0 is impossible"),
        ((4, 4, 3), (3, 3, 3, 5), r"give images \[B, H, W, features\]"),
    ],
)
def test_what_does_not_fit_is_refused(x, kernel, message):
    with pytest.raises(UserError, match=message):
        conv2d(jnp.zeros(x), jnp.zeros(kernel))


def test_integer_images_are_refused():
    with pytest.raises(UserError, match="uint8"):
        conv2d(jnp.zeros((1, 4, 4, 1), jnp.uint8), jnp.zeros((1, 1, 1, 1)))


def test_an_impossible_transposed_size_is_refused():
    with pytest.raises(UserError, match=r"2\*\(1 - 1\) \+ 1 \+ 1 - 2\*1 \+ 0 = 0 is impossible"):
        conv_transpose2d(jnp.zeros((1, 1, 1, 1)), jnp.zeros((2, 2, 1, 1)), stride=2, padding=1)


def test_a_locally_connected_layer_of_another_image_size_is_refused():
    with pytest.raises(UserError, match="one image size only"):
        locally_connected2d(jnp.zeros((1, 5, 5, 1)), jnp.zeros((2, 2, 9, 1)), window=3)


def test_conv2d_has_the_size_the_formula_gives():
    for stride, padding, dilation in itertools.product((1, 2, 3), (0, 1, 2), (1, 2)):
        y = jax.eval_shape(
            lambda x, k: conv2d(x, k, stride=stride, padding=padding, dilation=dilation),  # noqa: B023
            jnp.zeros((1, 11, 11, 1)),
            jnp.zeros((3, 3, 1, 1)),
        )
        assert y.shape[1] == output_size(11, 3, stride=stride, padding=padding, dilation=dilation)

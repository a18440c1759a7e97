import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from seqnets.errors import UserError
from seqnets.ops import glimpses
from tests.numerics import assert_close


@pytest.fixture(scope="module")
def golden(shared_data):
    with np.load(shared_data / "glimpses" / "golden.npz") as stored:
        return dict(stored)


def test_filters_reading_and_writing_are_those_of_the_paper(golden):
    parameters, patch = jnp.asarray(golden["draw_parameters"][None]), jnp.asarray(golden["draw_patch"][None, ..., None])
    window = glimpses.gaussian_window(parameters, 5, (28, 24))
    read = glimpses.read_window(jnp.asarray(golden["image"][None, ..., None]), window)
    written = glimpses.write_window(patch, window)
    found = window.rows[0], window.columns[0], read[0, ..., 0], written[0, ..., 0]
    assert_close(list(found), [golden[f"draw_{name}"] for name in ("fy", "fx", "read", "write")])


def test_the_retina_is_that_of_loops(golden):
    places, image = jnp.asarray(golden["ram_locations"]), jnp.asarray(golden["image"])
    pictures = jnp.broadcast_to(image[..., None], (len(places), *image.shape, 1))
    assert_close(np.asarray(glimpses.retina(pictures, places, 8, 3)[..., 0]), golden["ram_glimpses"])


def test_the_divergence_is_known(golden):
    found = glimpses.divergence_from_normal(golden["latent_mean"], golden["latent_log_std"])
    assert abs(found - 6.8292433347517205) < 1e-5


def looked(picture, place, side, scales):
    # pixel by pixel: zeros outside, each square averaged to side x side
    height, width, channels = picture.shape
    found = np.zeros((scales, side, side, channels))
    for scale in range(scales):
        size, factor = side << scale, 1 << scale
        first = [round((p + 1) / 2 * (n - 1)) - size // 2 for p, n in zip(place, (height, width))]
        for row in range(size):
            for column in range(size):
                y, x = first[0] + row, first[1] + column
                if 0 <= y < height and 0 <= x < width:
                    found[scale, row // factor, column // factor] += picture[y, x] / factor**2
    return found


def test_the_retina_of_odd_sides_colors_and_borders_is_that_of_a_loop():
    draw = np.random.default_rng(0)
    pictures, places = draw.normal(size=(4, 9, 13, 3)), np.array([[0.1, -0.3], [-1.0, 1.0], [1.0, -1.0], [0.55, 0.9]])
    expected = [looked(picture, place, 3, 3) for picture, place in zip(pictures, places)]
    found = glimpses.retina(jnp.asarray(pictures, jnp.float32), jnp.asarray(places, jnp.float32), 3, 3)
    assert_close(np.asarray(found), np.stack(expected))


def test_a_window_as_large_as_the_picture_with_stride_one_reads_and_writes_it_unchanged():
    side = 6
    picture = jnp.asarray(np.random.default_rng(1).normal(size=(1, side, side, 2)), jnp.float32)
    middle = (side - 1) / (side + 1) - 1  # whose center is between the two pixels in the middle
    window = glimpses.gaussian_window(jnp.array([[middle, middle, -6.0, 0.0, 0.7]]), side, (side, side))
    assert_close(np.asarray(glimpses.read_window(picture, window)), np.exp(0.7) * np.asarray(picture))
    assert_close(np.asarray(glimpses.write_window(picture, window)), np.exp(-0.7) * np.asarray(picture))
    np.testing.assert_allclose(window.box[0], [0, 0, side, side], atol=1e-5)


def test_gradients_of_reading_and_writing_are_finite_differences():
    draw = np.random.default_rng(2)
    picture, weights = draw.normal(size=(1, 5, 7, 1)), draw.normal(size=(1, 5, 7, 1))
    with jax.enable_x64(True):

        def reread(parameters, picture):
            window = glimpses.gaussian_window(parameters, 3, (5, 7))
            return jnp.sum(weights * glimpses.write_window(jnp.tanh(glimpses.read_window(picture, window)), window))

        parameters = jnp.array([[0.2, -0.1, 0.3, -0.8, 0.1]])
        check_grads(reread, (parameters, jnp.asarray(picture)), order=1, modes=["rev"], atol=1e-6, rtol=1e-6)


def test_a_window_far_outside_reads_nothing_and_has_finite_gradients():
    def far(parameters):
        window = glimpses.gaussian_window(parameters, 3, (5, 7))
        return jnp.sum(glimpses.read_window(jnp.ones((1, 5, 7, 1)), window))

    value, gradient = jax.value_and_grad(far)(jnp.array([[99.0, 99.0, -3.0, -3.0, 0.0]]))
    assert value == 0
    assert bool(jnp.isfinite(gradient).all())


@pytest.mark.parametrize(
    "call",
    [
        lambda: glimpses.gaussian_window(jnp.zeros((2, 4)), 3, (5, 7)),
        lambda: glimpses.gaussian_window(jnp.zeros((2, 5)), 0, (5, 7)),
        lambda: glimpses.retina(jnp.zeros((2, 5, 5, 1)), jnp.zeros((3, 2)), 4, 2),
        lambda: glimpses.retina(jnp.zeros((2, 5, 5, 1)), jnp.zeros((2, 2)), 0, 2),
    ],
)
def test_wrong_shapes_are_refused(call):
    with pytest.raises(UserError, match="give"):
        call()

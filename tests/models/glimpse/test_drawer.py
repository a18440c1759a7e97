"""A drawer against a plain loop of float64, and its samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.data.images.gray import gray_rule
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.glimpse.drawer import Drawer, DrawerConfig

SMALL = {"cell": "vanilla", "hidden_features": 5, "latent_features": 3, "steps": 3, "read_points": 2, "write_points": 3}
KEY, SIDE = jax.random.key(5), 6


def drawer(**settings):
    model = Drawer(DrawerConfig(**{**SMALL, **settings}), gray_rule((SIDE, SIDE)), rngs=nnx.Rngs(0))
    model.blank[...] = jnp.asarray(np.random.default_rng(0).normal(size=(SIDE, SIDE, 1)), jnp.float32)
    return model


def pictures(count=2):
    return np.random.default_rng(1).integers(0, 2, (count, SIDE, SIDE, 1)).astype(np.float32)


def dense(layer, x):
    return x @ np.asarray(layer.kernel[...], float) + np.asarray(layer.bias[...], float)


def tanh_step(cell, state, x):
    return np.tanh(dense(cell, x) + state @ np.asarray(cell.recurrent_kernel[...], float))


def filters(parameters, points):
    x, y, log_variance, log_stride, log_intensity = parameters
    found = []
    for center in ((SIDE + 1) / 2 * (y + 1), (SIDE + 1) / 2 * (x + 1)):
        means = [center + (i - points / 2 - 0.5) * (SIDE - 1) / (points - 1) * np.exp(log_stride) for i in range(1, points + 1)]
        rows = np.exp(-((np.arange(SIDE) - np.array(means)[:, None]) ** 2) / 2 / np.exp(log_variance))
        found.append(rows / np.maximum(rows.sum(1, keepdims=True), 1e-8))  # a window may lie outside
    return *found, np.exp(log_intensity)


def drawn_by_a_loop(model, picture, noise):
    # one picture: Gregor et al. 2015, equations 3 to 8, with windows of 2 x 2 and 3 x 3 points
    canvas, encoded, decoded = np.asarray(model.blank[..., 0], float), np.zeros(5), np.zeros(5)
    canvases, divergences = [], []
    for eps in noise:
        rows, columns, intensity = filters(dense(model.aim, decoded), 2)
        error = picture - 1 / (1 + np.exp(-canvas))
        seen = np.stack([intensity * rows @ x @ columns.T for x in (picture, error)], -1).reshape(-1)
        encoded = tanh_step(model.encoder.cells[0], encoded, np.concatenate([seen, decoded]))
        mean, log_std = np.split(dense(model.latent, encoded), 2)
        divergences.append(0.5 * (mean**2 + np.exp(2 * log_std) - 2 * log_std - 1).sum())
        decoded = tanh_step(model.decoder.cells[0], decoded, mean + np.exp(log_std) * eps)
        rows, columns, intensity = filters(dense(model.place, decoded), 3)
        canvas = canvas + rows.T @ dense(model.stroke, decoded).reshape(3, 3) @ columns / intensity
        canvases.append(canvas)
    return np.stack(canvases), np.array(divergences)


def test_drawing_again_is_that_of_a_loop():
    model, given = drawer(), pictures()
    drawing = jax.jit(lambda x: model.redraw(x, KEY))(given)
    noise = [jax.random.normal(jax.random.fold_in(jax.random.fold_in(KEY, 0), time), (2, 3)) for time in range(3)]
    for row in range(2):
        canvas, divergence = drawn_by_a_loop(model, given[row, ..., 0], [np.asarray(eps[row], float) for eps in noise])
        np.testing.assert_allclose(drawing.canvas[row, ..., 0], canvas, atol=1e-4)
        np.testing.assert_allclose(drawing.divergence[row], divergence, rtol=1e-4)


def test_without_points_the_whole_picture_is_read_and_written():
    model = drawer(read_points=0, write_points=0)
    drawing = model.draw(4, KEY)
    assert drawing.canvas.shape == (4, 3, SIDE, SIDE, 1)
    assert drawing.boxes[1, 2].tolist() == [0, 0, SIDE, SIDE]
    assert model.encoder.cells[0].in_features == 2 * SIDE**2 + 5
    assert np.abs(np.diff(drawing.canvas[:, -1], axis=0)).max() > 0
    np.testing.assert_array_equal(drawing.canvas, model.draw(4, KEY).canvas)


def test_color_and_pictures_of_any_size_are_refused():
    for rule in (
        Preprocessing(resize=(8, 8), crop=None),
        Preprocessing(resize=8, crop=None, channels="gray", mean=(0,), std=(1,)),
    ):
        with pytest.raises(UserError, match="gray pictures of one size"):
            Drawer(DrawerConfig(**SMALL), rule, rngs=nnx.Rngs(0))

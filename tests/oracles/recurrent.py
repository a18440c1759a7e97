"""Each recurrence as a naive loop over rows and steps, in float64, written from the papers and not from the package."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normalize(x, scale, bias=0.0):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * scale + bias


def vanilla(w, x, state):
    a = w.into(x) + w.around(0, state["h"])
    return {"h": np.tanh(a) if w.activation == "tanh" else np.maximum(a, 0)}


def lstm(w, x, state):
    a = w.into(x) + w.around(0, state["h"])
    n = len(a) // 4
    i, f, g, o = sigmoid(a[:n]), sigmoid(a[n : 2 * n]), np.tanh(a[2 * n : 3 * n]), sigmoid(a[3 * n :])
    c = f * state["c"] + i * g
    seen = normalize(c, w.cell_scale, w.cell_bias) if w.layer_norm else c
    return {"c": c, "h": o * np.tanh(seen)}


def gru_after(w, x, state):
    a, b, h = w.into(x), w.around(0, state["h"]), state["h"]
    n = len(h)
    r, z = sigmoid(a[:n] + b[:n]), sigmoid(a[n : 2 * n] + b[n : 2 * n])
    candidate = np.tanh(a[2 * n :] + r * (b[2 * n :] + w.recurrent_bias))
    return {"h": z * h + (1 - z) * candidate}


def gru_before(w, x, state):
    a, b, h = w.into(x), w.around(0, state["h"]), state["h"]
    n = len(h)
    r, z = sigmoid(a[:n] + b[:n]), sigmoid(a[n : 2 * n] + b[n : 2 * n])
    candidate = np.tanh(a[2 * n :] + w.around(1, r * h))
    return {"h": z * h + (1 - z) * candidate}


def highway(w, x, state):
    s = state["h"]
    for layer in range(w.depth):
        outside = w.into(x) if layer == 0 else w.depth_bias[layer - 1]
        a = outside + w.around(layer, s)
        h, t = np.tanh(a[: len(s)]), sigmoid(a[len(s) :])
        s = h * t + s * (1 - t)
    return {"h": s}


def candidate_of(w, x):
    if w.candidate == "positive":
        return np.where(x >= 0, x + 0.5, sigmoid(x))
    return np.tanh(x) if w.candidate == "tanh" else x


def mingru(w, x, state):
    a, n = w.into(x), len(state["h"])
    z = sigmoid(a[:n])
    return {"h": (1 - z) * state["h"] + z * candidate_of(w, a[n:])}


def minlstm(w, x, state):
    a, n = w.into(x), len(state["h"])
    f, i = sigmoid(a[:n]), sigmoid(a[n : 2 * n])
    return {"h": (f * state["h"] + i * candidate_of(w, a[2 * n :])) / (f + i)}


class Weights:
    """A cell's weights in float64, with the two affine maps that every recurrence uses."""

    def __init__(self, cell):
        def read(name):
            return np.asarray(getattr(cell, name)[...], np.float64) if hasattr(cell, name) else None

        for name in ("kernel", "bias", "recurrent_bias", "depth_bias", "cell_scale", "cell_bias", "input_scale"):
            setattr(self, name, read(name))
        recurrent = read("recurrent_kernel")
        h = cell.hidden_features
        if getattr(cell, "reset", "") == "before":
            self.kernels = [recurrent[:, : 2 * h], recurrent[:, 2 * h :]]
        elif recurrent is not None:
            self.kernels = list(recurrent) if recurrent.ndim == 3 else [recurrent]
        self.layer_norm = cell.layer_norm
        self.scales = [np.asarray(s[...], np.float64) for s in cell.recurrent_scale] if cell.layer_norm else None
        self.candidate = getattr(cell, "candidate", None)
        self.activation = getattr(cell, "activation", None)
        self.depth = getattr(cell, "depth", None)

    def into(self, x):
        product = x @ self.kernel
        return normalize(product, self.input_scale, self.bias) if self.layer_norm else product + self.bias

    def around(self, k, a):
        product = a @ self.kernels[k]
        return normalize(product, self.scales[k]) if self.layer_norm else product


def run(step, cell, x, state, *, lengths=None, resets=None, reverse=False, zoneout=None):
    """Run `step` over x (B, T, F) from state {name: (B, H)}; returns outputs (B, T, H) and the last state."""
    weights, (rows, steps, _) = Weights(cell), x.shape
    outputs = np.zeros((rows, steps, cell.hidden_features))
    last = {name: np.array(value, np.float64) for name, value in state.items()}
    for row in range(rows):
        now = {name: value[row] for name, value in last.items()}
        for t in reversed(range(steps)) if reverse else range(steps):
            if lengths is not None and t >= lengths[row]:
                continue
            if resets is not None and resets[row, t]:
                now = {name: np.zeros_like(value) for name, value in now.items()}
            new = step(weights, x[row, t], now)
            if zoneout:
                new = {name: zoneout[name] * now[name] + (1 - zoneout[name]) * new[name] for name in new}
            now = new
            outputs[row, t] = now["h"]
        for name in last:
            last[name][row] = now[name]
    return outputs, last

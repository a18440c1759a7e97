"""A NumPy loop, as min-char-rnn has it: one step after the other, forward and back, then Adam."""

import numpy as np

from recurrent_peers.sizes import EMBEDDING, VOCABULARY, Size


def work(size: Size, cell: str, name: str, backend: str):
    """Return a function without arguments that takes one training step."""
    del cell, name, backend
    rng = np.random.default_rng(0)
    tokens = rng.integers(VOCABULARY, size=(2, size.steps, size.batch))
    weights = _weights(size, rng)
    moments = {name: (np.zeros_like(array), np.zeros_like(array)) for name, array in weights.items()}
    hidden, count = np.zeros((size.batch, size.hidden), np.float32), 0

    def run():
        nonlocal hidden, count
        loss, gradients, hidden = _gradients(weights, tokens, hidden)
        count += 1
        _adam(weights, gradients, moments, count)
        return loss

    return run


def _weights(size: Size, rng) -> dict[str, np.ndarray]:
    if size.layers != 1:
        raise SystemExit("the NumPy loop has one layer; choose size d")

    def matrix(rows, columns):
        return (rng.uniform(-1, 1, (rows, columns)) / rows**0.5).astype(np.float32)

    return {
        "embedding": matrix(VOCABULARY, EMBEDDING),
        "kernel": matrix(EMBEDDING, size.hidden),
        "recurrent": matrix(size.hidden, size.hidden),
        "bias": np.zeros(size.hidden, np.float32),
        "output": matrix(size.hidden, VOCABULARY),
        "output_bias": np.zeros(VOCABULARY, np.float32),
    }


def _gradients(w, tokens, first):
    steps, batch = tokens[0].shape
    inputs = [w["embedding"][step] for step in tokens[0]]
    hiddens, shares, loss = [first], [], 0.0
    for x, target in zip(inputs, tokens[1]):
        hiddens.append(np.tanh(x @ w["kernel"] + hiddens[-1] @ w["recurrent"] + w["bias"]))
        scores = hiddens[-1] @ w["output"] + w["output_bias"]
        share = np.exp(scores - scores.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        loss -= np.log(share[np.arange(batch), target]).sum()
        shares.append(share)
    g = {name: np.zeros_like(array) for name, array in w.items()}
    d_next = np.zeros_like(first)
    for t in reversed(range(steps)):
        d_scores = shares[t]
        d_scores[np.arange(batch), tokens[1][t]] -= 1
        d_scores /= steps * batch
        g["output"] += hiddens[t + 1].T @ d_scores
        g["output_bias"] += d_scores.sum(0)
        d_raw = (d_scores @ w["output"].T + d_next) * (1 - hiddens[t + 1] ** 2)
        g["kernel"] += inputs[t].T @ d_raw
        g["recurrent"] += hiddens[t].T @ d_raw
        g["bias"] += d_raw.sum(0)
        np.add.at(g["embedding"], tokens[0][t], d_raw @ w["kernel"].T)
        d_next = d_raw @ w["recurrent"].T
    return loss / (steps * batch), g, hiddens[-1]


def _adam(weights, gradients, moments, count, rate=2e-3):
    norm = np.sqrt(sum(float(np.vdot(g, g)) for g in gradients.values()))
    scale = min(1.0, 5.0 / norm)
    for name, g in gradients.items():
        m, v = moments[name]
        g = g * scale
        m += 0.1 * (g - m)
        v += 0.001 * (g * g - v)
        weights[name] -= rate * (m / (1 - 0.9**count)) / (np.sqrt(v / (1 - 0.999**count)) + 1e-8)

"""Show, Attend and Tell in float64, word by word and location by location, from the equations of the paper.

Nothing is shared with the package: the weights come in as a dict of NumPy arrays.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def attend(weights, features, hidden):
    scores = np.zeros(len(features))
    for place, feature in enumerate(features):
        scores[place] = weights["u"] @ np.tanh(feature @ weights["W_a"] + hidden @ weights["W_d"] + weights["b_a"])
    shares = np.exp(scores - scores.max())
    return shares / shares.sum()


def lstm(weights, word, context, hidden, cell):
    pre = word @ weights["W"] + hidden @ weights["U"] + context @ weights["W_z"] + weights["b"]
    i, f, g, o = np.split(pre, 4)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def read_one(weights, features, tokens, begin):
    """Return logits [T, V] and attention [T, L] of one image [L, D] and one caption [T]."""
    mean = features.mean(axis=0)
    cell = np.tanh(mean @ weights["W_c"] + weights["b_c"])
    hidden = np.tanh(mean @ weights["W_h"] + weights["b_h"])
    logits, attention = [], []
    for token in tokens:
        word = np.zeros(weights["E"].shape[1]) if token == begin else weights["E"][token]
        alpha = attend(weights, features, hidden)
        beta = sigmoid(hidden @ weights["w_beta"] + weights["b_beta"])
        context = beta * sum(share * feature for share, feature in zip(alpha, features))
        hidden, cell = lstm(weights, word, context, hidden, cell)
        deep = np.tanh(word + hidden @ weights["L_h"] + weights["b_l"] + context @ weights["L_z"])
        logits.append(deep @ weights["L_o"] + weights["b_o"])
        attention.append(alpha)
    return np.array(logits), np.array(attention)


def loss(weights, features, tokens, targets, lengths, begin, regularizer):
    """Return the sum over captions of -ln p and the penalty, divided by the number of words."""
    total = 0.0
    for row, length in enumerate(lengths):
        logits, attention = read_one(weights, features[row], tokens[row, :length], begin)
        for t in range(length):
            total -= logits[t, targets[row, t]] - np.log(np.exp(logits[t]).sum())
        for place in range(features.shape[1]):
            total += regularizer * (1 - sum(attention[t, place] for t in range(length))) ** 2
    return total / sum(lengths)


def weights_of(model):
    """Read the weights of a one-layer LSTM captioner under the names of the paper."""
    decoder, cell = model.decoder, model.decoder.rnn.layers[0].cell
    sight, output = decoder.sight, decoder.output
    named = {
        "E": decoder.embedding, "W": cell.kernel, "U": cell.recurrent_kernel, "b": cell.bias, "W_z": decoder.context_kernel,
        "W_c": decoder.initial[0].kernel, "b_c": decoder.initial[0].bias,
        "W_h": decoder.initial[1].kernel, "b_h": decoder.initial[1].bias,
        "W_a": sight.attention.annotation_kernel, "W_d": sight.attention.query_kernel,
        "b_a": sight.attention.annotation_bias, "u": sight.attention.score_kernel,
        "w_beta": sight.gate_kernel, "b_beta": sight.gate_bias,
        "L_h": output.hidden_kernel, "b_l": output.hidden_bias, "L_z": output.context_kernel,
        "L_o": output.kernel, "b_o": output.bias,
    }  # fmt: skip
    return {name: np.asarray(variable[...], np.float64) for name, variable in named.items()}

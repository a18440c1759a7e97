"""Recursive networks: a forest in blocks gives the numbers of plain recursion, in few programs."""

import json
import os
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from seqnets.data.examples.trees import forest_of, parse_trees
from seqnets.data.forest import Forest, Node, Room, on_ladder
from seqnets.data.words.token_table import TokenTable
from seqnets.decode import trees as decoding
from seqnets.decode.trees import node_log_probabilities
from seqnets.errors import UserError
from seqnets.models.sequence.tree_classifier import TreeClassifier, TreeClassifierConfig
from seqnets.named_arrays import named_arrays
from seqnets.nn.cells.tree import TREE_CELLS

SST = Path(os.environ.get("SEQNETS_SHARED_DATA", "")) / "sst_trees"
needs_sst = pytest.mark.skipif(not (SST / "golden.json").exists(), reason="needs $SEQNETS_SHARED_DATA/sst_trees")
CELLS = list(TREE_CELLS)


def random_tree(draw, leaves):
    nodes = [Node(0, int(draw.integers(2, 9)), label=int(draw.integers(0, 3))) for _ in range(leaves)]
    waiting = list(range(leaves))
    while len(waiting) > 1:
        left, right = (waiting.pop(int(draw.integers(len(waiting)))) for _ in range(2))
        waiting.append(len(nodes))
        nodes.append(Node(1, 0, left, right, int(draw.integers(-1, 3))))
    return nodes


def chain(leaves):
    nodes = [Node(0, 2 + n % 7, label=1) for n in range(leaves)]
    for n in range(1, leaves):
        nodes.append(Node(1, 0, 0 if n == 1 else leaves + n - 2, n, 0))
    return nodes


DRAW = np.random.default_rng(0)
MIXTURE = Forest.of([random_tree(DRAW, int(n)) for n in DRAW.integers(1, 40, 70)] + [chain(200), chain(1)])


def classifier(cell, features=5):
    return TreeClassifier(
        TokenTable(tuple("abcdefg")), ("x", "y", "z"), TreeClassifierConfig(cell=cell, hidden_features=features), rngs=nnx.Rngs(1)
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def recursion(weights, cell, forest):
    """The logits of all nodes, one by one, in float64."""
    w = {name: np.asarray(array, np.float64) for name, array in named_arrays(nnx.state(weights)).items()}

    def lstm(gates, kept):
        i, g, o = gates
        c = sigmoid(i) * np.tanh(g) + kept
        return np.concatenate([sigmoid(o) * np.tanh(c), c])

    def leaf(x):
        if cell != "tree-lstm":
            return np.tanh(x)
        return lstm(np.split(x @ w["cell.input_kernel"] + w["cell.bias"][[0, 2, 3]].ravel(), 3), 0)

    def node(left, right):
        if cell != "tree-lstm":
            z = np.concatenate([left, right])
            products = [z @ slice @ z for slice in w["cell.tensor"].swapaxes(0, 1)] if cell == "rntn" else 0
            return np.tanh(z @ w["cell.kernel"] + w["cell.bias"] + products)
        (hl, cl), (hr, cr) = np.split(left, 2), np.split(right, 2)
        gates = np.concatenate([hl, hr]) @ w["cell.kernel"] + w["cell.bias"][[0, 1, 1, 2, 3]].ravel()
        i, fl, fr, g, o = np.split(gates, 5)
        return lstm((i, g, o), sigmoid(fl) * cl + sigmoid(fr) * cr)

    logits = []
    for start, stop in zip(forest.bounds, forest.bounds[1:]):
        states = []
        for kind, word, left, right, _ in forest.nodes[start:stop]:
            states.append(leaf(w["embedding"][word]) if kind == 0 else node(states[left], states[right]))
            hidden = states[-1][: w["output.kernel"].shape[0]]
            logits.append(hidden @ w["output.kernel"] + w["output.bias"])
    return np.array(logits)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


@pytest.mark.parametrize("cell", CELLS)
def test_a_forest_gives_the_numbers_of_recursion(cell):
    model = classifier(cell)
    expected = log_softmax(recursion(model, cell, MIXTURE))
    np.testing.assert_allclose(node_log_probabilities(model, MIXTURE), expected, atol=1e-5)


def golden_model(cell, arrays):
    words = [str(word) for word in arrays["words"]]
    model = TreeClassifier(
        TokenTable(tuple(words)), tuple("01234"), TreeClassifierConfig(cell=cell, hidden_features=6), rngs=nnx.Rngs(0)
    )
    model.embedding[...] = np.concatenate([np.zeros((2, 6)), arrays["embedding"]])
    model.output.kernel[...], model.output.bias[...] = arrays["softmax_W"].T, arrays["softmax_b"]
    if cell == "tree-lstm":
        of = {name: arrays[f"tree_lstm_{name}"] for name in ("W_i", "W_u", "W_o", "U_i", "U_fl", "U_fr", "U_u", "U_o")}
        model.cell.input_kernel[...] = np.concatenate([of[name].T for name in ("W_i", "W_u", "W_o")], 1)
        model.cell.kernel[...] = np.concatenate([of[name].T for name in ("U_i", "U_fl", "U_fr", "U_u", "U_o")], 1)
        model.cell.bias[...] = np.stack([arrays[f"tree_lstm_b_{name}"] for name in "ifuo"])
        return model
    model.cell.kernel[...], model.cell.bias[...] = arrays["W"].T, arrays["b"]
    if cell == "rntn":
        model.cell.tensor[...] = arrays["V"].swapaxes(0, 1)
    return model


@needs_sst
@pytest.mark.parametrize("cell", CELLS)
def test_the_treebank_has_the_numbers_of_another_program(cell):
    golden, name = json.loads((SST / "golden.json").read_text()), cell.replace("-", "_")
    with np.load(SST / "golden_weights.npz") as arrays:
        model = golden_model(cell, dict(arrays))
    forest = forest_of([parse_trees(one["tree"], "a tree")[0] for one in golden["trees"]], model.vocabulary, model.labels)
    found = node_log_probabilities(model, forest)
    roots = np.array([one["root_logits"][name] for one in golden["trees"]])
    np.testing.assert_allclose(found[forest.roots], log_softmax(roots), atol=1e-5)
    nats = np.split(-found[np.arange(len(found)), forest.labels], forest.bounds[1:-1])
    expected = [one["mean_cross_entropy_over_nodes"][name] for one in golden["trees"]]
    np.testing.assert_allclose([part.mean() for part in nats], expected, atol=1e-5)


def test_few_programs_serve_all_trees():
    # at most one program for each step of the ladder that some batch of trees needs
    rooms = {schedule["left"].shape for schedule, _ in on_ladder(MIXTURE, decoding.TREES, 32)}
    assert all(blocks in (8, 16, 32, 64, 128, 256) for blocks, _ in rooms)
    count = 0

    @jax.jit
    def run(schedule):
        nonlocal count
        count += 1
        return classifier_of_all(schedule)

    classifier_of_all = classifier("simple")
    for seed in range(12):
        draw = np.random.default_rng(seed)
        some = Forest.of([random_tree(draw, int(n)) for n in draw.integers(1, 30, 9)])
        for schedule, _ in on_ladder(some, 8, 8):
            run(schedule)
    assert count <= 4  # 8, 16, 32, 64 blocks


def test_a_training_run_has_one_shape():
    forest = MIXTURE.first(70)
    room = forest.room_for_any(9, 8)
    for seed in range(20):
        rows = np.random.default_rng(seed).integers(0, 70, 9)
        rows = np.array(list(dict.fromkeys(rows.tolist())))
        needed = forest.room(rows, 8)
        assert (needed.leaves, needed.blocks) <= (room.leaves, room.blocks)
        assert forest.scheduled(rows, room)[0]["labels"].shape == (room.rows,)


def test_gradients_are_those_of_recursion():
    model = classifier("tree-lstm", features=3)
    forest = MIXTURE.first(4)
    schedule, rows = forest.scheduled(np.arange(4), forest.room(np.arange(4), 8))
    graphdef, params = nnx.split(model)

    def total(params):
        return (nnx.merge(graphdef, params)(schedule)[rows] * np.float32(np.sin(np.arange(len(rows) * 3)).reshape(-1, 3))).sum()

    grads = jax.grad(total)(params)
    weights = np.sin(np.arange(len(rows) * 3)).reshape(-1, 3)
    for path in ("kernel", "bias"):
        variable = getattr(model.cell, path)
        kept, step = np.asarray(variable[...]), np.zeros_like(variable[...])
        step.flat[1] = 1e-3
        ends = []
        for sign in (1, -1):
            variable[...] = kept + sign * step
            ends.append((recursion(model, "tree-lstm", forest) * weights).sum())
        variable[...] = kept
        found = np.asarray(getattr(grads["cell"], path)[...] if hasattr(grads["cell"], path) else grads["cell"][path][...]).flat[
            1
        ]
        np.testing.assert_allclose(found, (ends[0] - ends[1]) / 2e-3, rtol=1e-3)


def test_what_does_not_fit():
    with pytest.raises(UserError, match="do not fit into Room"):
        MIXTURE.scheduled(np.arange(3), Room(1, 1, 1))
    with pytest.raises(UserError, match="every child must come before"):
        Forest.of([[Node(1, 0, 0, 0)]])

"""Measure recursive networks: trees a second of a batched gradient, of one tree at a time, and of torch's recursion.

python scripts/benchmark_trees.py --batch 25 --features 60

The trees are random, with as many words as the sentences of the Stanford Sentiment Treebank; all three compute the same loss and
the gradients of a binary tree-LSTM and its classifier. Times are processor time, the least of some repetitions.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from seqnets.data.forest import Forest, Node, width_for
from seqnets.data.words.token_table import TokenTable
from seqnets.models.sequence.tree_classifier import TreeClassifier, TreeClassifierConfig

WORDS, CLASSES = 5_000, 5


def random_tree(draw):
    """Return a random binary tree of about 19 words."""
    words = int(np.clip(draw.normal(19, 9), 2, 52))
    nodes = [Node(0, int(draw.integers(2, WORDS)), label=int(draw.integers(CLASSES))) for _ in range(words)]
    waiting = list(range(words))
    while len(waiting) > 1:
        place = int(draw.integers(len(waiting) - 1))
        left, right = waiting[place : place + 2]
        waiting[place : place + 2] = [len(nodes)]
        nodes.append(Node(1, 0, left, right, int(draw.integers(CLASSES))))
    return nodes


def least_time(run, repetitions):
    """Return the least processor time of a call, in seconds."""
    run()
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def ours(model, forest, batch):
    """Return a function that computes the gradients of all trees, a batch at a time, and a list for its last loss."""
    room = forest.room_for_any(batch, width_for(batch))
    graphdef, params = nnx.split(model)

    @jax.jit
    def gradient(params, schedule):
        def total(params):
            labels = schedule["labels"]
            logits = nnx.merge(graphdef, params)(schedule)
            nats = optax.losses.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
            return jnp.sum(jnp.where(labels >= 0, nats, 0))

        return jax.value_and_grad(total)(params)

    losses = [0.0]

    def run():
        found = [
            gradient(params, forest.scheduled(np.arange(start, start + batch), room)[0]) for start in range(0, len(forest), batch)
        ]
        jax.block_until_ready(found)
        losses[0] = sum(float(loss) for loss, _ in found)

    return run, losses


def torch_recursion(model, forest):
    """Return a function that computes the same gradients by recursion in torch, node by node."""
    import torch

    torch.set_num_threads(1)
    arrays = {
        "embedding": model.embedding,
        "inputs": model.cell.input_kernel,
        "kernel": model.cell.kernel,
        "bias": model.cell.bias,
    }
    arrays |= {"out": model.output.kernel, "out_bias": model.output.bias}
    w = {name: torch.tensor(np.asarray(array[...]), requires_grad=True) for name, array in arrays.items()}

    def state(i, g, o, kept):
        cell = torch.sigmoid(i) * torch.tanh(g) + kept
        return torch.sigmoid(o) * torch.tanh(cell), cell

    def visit(nodes, place):
        kind, word, left, right, label = nodes[place]
        i, f, g, o = w["bias"]
        if kind == 0:
            parts = (w["embedding"][word] @ w["inputs"]).chunk(3)
            h, c = state(parts[0] + i, parts[1] + g, parts[2] + o, 0)
            below = 0
        else:
            (hl, cl, one), (hr, cr, other) = visit(nodes, left), visit(nodes, right)
            gi, fl, fr, gg, go = (torch.cat([hl, hr]) @ w["kernel"]).chunk(5)
            h, c = state(gi + i, gg + g, go + o, torch.sigmoid(fl + f) * cl + torch.sigmoid(fr + f) * cr)
            below = one + other
        logits = h @ w["out"] + w["out_bias"]
        return h, c, below + torch.nn.functional.cross_entropy(logits[None], torch.tensor([label]))

    losses = [0.0]

    def run():
        losses[0] = 0.0
        for start, stop in zip(forest.bounds, forest.bounds[1:]):
            nodes = forest.nodes[start:stop].tolist()
            loss = visit(nodes, len(nodes) - 1)[2]
            loss.backward()
            losses[0] += float(loss.detach())

    return run, losses


def main():
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--features", type=int, default=60)
    parser.add_argument("--repetitions", type=int, default=3)
    given = parser.parse_args()
    draw = np.random.default_rng(0)
    forest = Forest.of([random_tree(draw) for _ in range(given.trees)])
    config = TreeClassifierConfig(hidden_features=given.features)
    words = TokenTable(tuple(map(str, range(WORDS))))
    model = TreeClassifier(words, tuple("01234"), config, rngs=nnx.Rngs(0))
    ways = {f"batches of {given.batch}": ours(model, forest, given.batch), "one by one": ours(model, forest, 1)}
    try:
        ways["torch's recursion"] = torch_recursion(model, forest)
    except ImportError:
        print("torch is not installed, so its recursion is left out")
    for name, (run, losses) in ways.items():
        seconds = least_time(run, given.repetitions)
        print(f"{name:18} {len(forest) / seconds:8.0f} trees a second of processor time, loss {losses[0]:.3f}", flush=True)


if __name__ == "__main__":
    main()

"""Our side of the benchmark: recurrences by `seqnets.ops`, for each backend."""

import os
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import AxisType, Mesh

from recurrent_peers.jax_training import backward, forward, training
from recurrent_peers.sizes import EMBEDDING, GATES, VOCABULARY, Size
from seqnets.data import Vocabulary
from seqnets.decode import stream_many
from seqnets.models import CharLM
from seqnets.ops.backends import native
from seqnets.ops.backends.gpu import cudnn
from seqnets.ops.backends.gpu.cudnn import Direction
from seqnets.ops.linear import affine
from seqnets.ops.over_time import sequence
from seqnets.ops.recurrent import GRU, LSTM, VANILLA, LSTMState, RecurrentWeights, highway

RECURRENCES = {"lstm": LSTM, "gru": GRU["after"], "vanilla": VANILLA["tanh"], "highway": highway(1)}


def work(size: Size, cell: str, name: str, backend: str):
    """Return a function without arguments that does the work once and waits for it.

    The backend is one of `sequence`, or "cudnn" for an LSTM; "/2" behind it divides the batch over two CPU devices, "*16" takes
    16 steps a call.
    """
    if name == "sample":
        return _sampling(size, cell)
    backend, devices, steps = _plan(backend)
    if devices > 1:
        native.set_threads(max(1, (os.cpu_count() or 1) // devices))
    parameters, carry = _parameters(size, cell), _carry(size, cell)
    tokens = jax.random.randint(jax.random.key(1), (2, size.steps, size.batch), 0, VOCABULARY)
    logits = partial(_logits, cell, backend)
    if name != "train_step":
        return {"forward": forward, "backward": backward}[name](logits, parameters, carry, tokens)
    mesh = Mesh(np.array(jax.devices()[:devices]), ("data",), axis_types=(AxisType.Auto,)) if devices > 1 else None
    return training(logits, parameters, carry, tokens, steps=steps, mesh=mesh)


def _plan(backend: str) -> tuple[str, int, int]:
    backend, _, steps = backend.partition("*")
    backend, _, devices = backend.partition("/")
    if devices:
        jax.config.update("jax_num_cpu_devices", int(devices))
    return backend, int(devices or 1), int(steps or 1)


def _sampling(size: Size, cell: str):
    vocabulary = Vocabulary("chars", "".join(chr(32 + i) for i in range(VOCABULARY)))
    shape: Any = {"hidden_features": size.hidden, "layers": size.layers, "embedding_features": EMBEDDING, "depth": 1}
    model = CharLM(vocabulary, cell=cell, **shape, rngs=nnx.Rngs(0))
    texts: Any = {"samples": size.batch, "length": size.steps, "chunk": size.steps}
    return lambda: [None for _ in stream_many(model, "A", **texts)]


def _logits(cell, backend, parameters, carry, tokens):
    if backend == "cudnn":
        return _cudnn_logits(parameters, carry, tokens)
    below, last = parameters["embedding"][tokens], []
    for first, weights in zip(carry, parameters["layers"]):
        recurrent = RecurrentWeights((weights["recurrent_kernel"],), weights["vectors"])
        projected = affine(below, weights["kernel"], weights["bias"])
        below, after = sequence(RECURRENCES[cell], recurrent, first, projected, backend=backend)
        last.append(after)
    return affine(below, parameters["kernel"], parameters["bias"]), last


def _cudnn_logits(parameters, carry, tokens):
    layers = [Direction(weights["kernel"], weights["recurrent_kernel"], weights["bias"]) for weights in parameters["layers"]]
    outputs, last = cudnn.run(layers, carry, parameters["embedding"][tokens].swapaxes(0, 1))
    return affine(outputs.swapaxes(0, 1), parameters["kernel"], parameters["bias"]), list(last)


def _parameters(size: Size, cell: str):
    keys = iter(jax.random.split(jax.random.key(0), 100))
    gates, hidden = GATES[cell] * size.hidden, size.hidden

    def matrix(rows, columns):
        return jax.random.uniform(next(keys), (rows, columns), minval=-1, maxval=1) / rows**0.5

    def layer(index):
        return {
            "kernel": matrix(EMBEDDING if index == 0 else hidden, gates),
            "recurrent_kernel": matrix(hidden, gates),
            "bias": jnp.zeros(gates),
            "vectors": {"recurrent_bias": jnp.zeros(hidden)} if cell == "gru" else {},
        }

    return {
        "embedding": matrix(VOCABULARY, EMBEDDING),
        "layers": [layer(index) for index in range(size.layers)],
        "kernel": matrix(hidden, VOCABULARY),
        "bias": jnp.zeros(VOCABULARY),
    }


def _carry(size: Size, cell: str):
    def zeros():
        return jnp.zeros((size.batch, size.hidden))

    return [LSTMState(zeros(), zeros()) if cell == "lstm" else zeros() for _ in range(size.layers)]

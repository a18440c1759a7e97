"""An accelerated backend is checked the first time that it runs on a machine.

A small problem of the recurrence at hand is computed by the backend, forward and backward, and by NumPy in 64 bits; if they
differ, this backend is not used. The result is kept on disk under a fingerprint of everything that the numbers depend on:
the kernels, the device, the versions of JAX.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqnets.files import replace_file
from seqnets.ops.platform import CUDA_GRAPHS
from seqnets.ops.recurrent import LSTM, Carry, LSTMState, Recurrence, RecurrentWeights, hidden_of
from seqnets.ops.timestep import TimeInputs
from seqnets.places import cache_folder

STEPS, ROWS, UNITS = 3, 5, 19  # odd sizes, so that the tails of tiles are checked too
TOLERANCE = {"cudnn": 1e-2}  # which may multiply in lower precision
_CLOSE = 1e-3
_SMALL = 1e-6  # the step of the finite difference
_LENGTHS = np.array([STEPS, 1, 2, STEPS, STEPS])
_QUICKLY = {"xla_backend_optimization_level": 0}

OF_GPUS = ("pallas", "cudnn", "cuda_graphs")


@cache
def refusal(backend: str, recurrence: Recurrence = LSTM) -> str | None:
    """Describe how a backend's numbers differ from the reference's on this machine; None if they do not.

    The first call on a machine computes a small problem in a fraction of a second; the first call of a process reads a file.
    A difference is also reported once on standard error.

    Args:
        backend: "native", "pallas", "cudnn" or "cuda_graphs".
        recurrence: which one; the last two backends are checked only with the LSTM.

    Example:
        >>> refusal("scan") is None
        True
    """
    if recurrence.name not in _STEP_OF or (backend in OF_GPUS and _device(backend).platform != "gpu"):
        return None
    found = _remembered(backend, recurrence)
    if found is None:
        return None
    print(f"seqnets: {backend} is left out for {recurrence.name}: {found}", file=sys.stderr)
    return found


def check(backend: str, recurrence: Recurrence = LSTM) -> str | None:
    """Compute the small problem now, ignoring earlier results, and describe how the numbers differ; None if they do not.

    Args:
        backend: as for `refusal`.
        recurrence: as for `refusal`.

    Example:
        >>> check("scan") is None
        True
    """
    # in a separate thread, where the caller's trace, mesh and precision have no effect
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_difference, backend, recurrence).result()


def _remembered(backend: str, recurrence: Recurrence) -> str | None:
    name, known = f"check-{_fingerprint(backend, recurrence)}.json", {}
    with suppress(OSError, ValueError):
        known = json.loads((cache_folder("native") / name).read_text("utf-8"))
    if isinstance(known, dict) and "difference" in known:
        return known["difference"]
    found = check(backend, recurrence)
    with suppress(OSError):  # no place to write: the next process checks again
        record = {"backend": backend, "recurrence": recurrence.name, "difference": found}
        replace_file(cache_folder("native") / name, json.dumps(record))
    return found


def _fingerprint(backend: str, recurrence: Recurrence) -> str:
    device = _device(backend)
    digest = hashlib.sha256()
    facts = [
        backend,
        f"{recurrence.name} {recurrence.kernels}",
        device.device_kind,
        device.client.platform_version,
        jax.__version__,
        jax.lib.__version__,
    ]
    digest.update(
        "\n".join([*facts, str(jax.config.read("jax_enable_x64")), _library_name() if backend == "native" else ""]).encode()
    )
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:24]


def _device(backend: str) -> Any:
    return jax.local_devices(backend="cpu" if backend == "native" else None)[0]


def _library_name() -> str:
    from seqnets.ops.native.library import library

    return str(getattr(library(), "_name", ""))  # its name is a fingerprint of sources, compiler and processor


def _difference(backend: str, recurrence: Recurrence) -> str | None:
    pairs_of = {"cudnn": _cudnn, "cuda_graphs": _cuda_graphs}.get(backend, _recurrence)
    try:
        with jax.default_device(_device(backend)):
            offs = pairs_of(backend, recurrence)
    except Exception as failure:  # of any kind: kernels that fail are not used
        return f"its kernels failed on this machine ({(str(failure).splitlines() or [type(failure).__name__])[0][:200]})"
    worst = max(offs, key=lambda name: offs[name])
    if offs[worst] <= TOLERANCE.get(backend, _CLOSE):
        return None
    return f"its kernels differ from the reference on this machine, by {offs[worst]:.1g} in {worst}"


def _recurrence(backend: str, recurrence: Recurrence) -> dict[str, float]:
    run = import_module(f"seqnets.ops.backends.{'gpu.' if backend in OF_GPUS else ''}{backend}").run
    weights, carry, inputs = _problem(recurrence)
    arguments = (weights, carry, inputs.projected)

    def call(weights: RecurrentWeights, carry: Carry, projected: Any) -> Any:
        return run(recurrence, False, weights, carry, inputs._replace(projected=projected))

    def definition(weights: RecurrentWeights, carry: Carry, projected: Any) -> Any:
        return _by_numpy(recurrence, weights, carry, inputs._replace(projected=projected))

    offs = _offs(call, definition, arguments)
    if backend == "native":
        offs["a step"] = _distance(*_steps(recurrence, weights, carry, inputs.projected[0]))
    return offs


def _offs(call: Callable[..., Any], definition: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, float]:
    """Return the errors of results without and with gradients, and of gradients along one direction for each argument."""
    wanted, structure = jax.tree.flatten(definition(*arguments))
    cotangents = structure.unflatten([_normal(1, *leaf.shape)[0] for leaf in wanted])

    @partial(jax.jit, compiler_options=_QUICKLY if jax.local_devices()[0].platform == "cpu" else None)
    def computed(*arguments: Any) -> Any:
        results, pull_back = jax.vjp(call, *arguments)
        return call(*arguments), results, pull_back(cotangents)

    plain, results, gradients = computed(*arguments)
    offs = {"inference": _distance(plain, wanted), "outputs": _distance(results, wanted)}
    leaves, inside = jax.tree.flatten(arguments)
    for k, (leaf, gradient) in enumerate(zip(leaves, jax.tree.leaves(gradients), strict=True)):
        direction = _normal(2, *leaf.shape)[0].astype(np.float64)
        ends = [[*leaves[:k], leaf + step * direction, *leaves[k + 1 :]] for step in (-_SMALL, _SMALL)]
        low, high = (_product(definition(*inside.unflatten(end)), cotangents) for end in ends)
        slope, found = (high - low) / (2 * _SMALL), _product(gradient, direction)
        size = np.sqrt(max(1.0, np.square(np.asarray(gradient, np.float64)).sum()))
        offs[f"gradient {k + 1}"] = _finite(abs(found - slope) / size)
    return offs


def _product(tree: Any, other: Any) -> float:
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    return sum(float(np.sum(np.asarray(a, np.float64) * np.asarray(b, np.float64))) for a, b in pairs)


def _distance(found: Any, wanted: Any) -> float:
    """Return the largest difference, relative to the largest number of each array; infinity for NaN."""
    offs = [0.0]
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        offs.append(_finite(np.abs(a - b).max(initial=0.0) / max(1.0, np.abs(b).max(initial=0.0))))
    return max(offs)


def _finite(off: Any) -> float:
    return float(off) if np.isfinite(off) else float("inf")


def _steps(recurrence: Recurrence, weights: RecurrentWeights, carry: Carry, projected: Any) -> tuple[Any, Any]:
    """Return one step of two layers, by the kernels in one call and by NumPy."""
    from seqnets.ops import stack_step

    kernel, bias = _normal(UNITS, recurrence.gates * UNITS) / np.float32(UNITS**0.5), _normal(recurrence.gates * UNITS)

    @partial(jax.jit, compiler_options=_QUICKLY)
    def found(weights: RecurrentWeights, carry: Carry, kernel: Any, bias: Any, projected: Any) -> Any:
        layers = [stack_step.LayerWeights(None, None, weights), stack_step.LayerWeights(kernel, bias, weights)]
        return stack_step.step(recurrence, stack_step.pack(layers), (carry, carry), projected)

    outputs, first = _by_numpy(recurrence, weights, carry, TimeInputs(projected[None]))
    _, second = _by_numpy(recurrence, weights, carry, TimeInputs(outputs @ kernel + bias[None, None]))
    return found(weights, carry, kernel, bias, projected), (first, second)


def _cudnn(backend: str, recurrence: Recurrence) -> dict[str, float]:
    del backend
    from seqnets.ops.backends.gpu import cudnn

    weights, (cell, hidden), inputs = _problem(recurrence)
    kernel, bias = _normal(UNITS, 4 * UNITS) / np.float32(UNITS**0.5), _normal(4 * UNITS)
    arguments = (_normal(ROWS, STEPS, UNITS), hidden, cell, kernel, weights.kernels[0], bias)
    lengths, inside = jnp.asarray(_LENGTHS, jnp.int32), (np.arange(STEPS) < _LENGTHS[:, None])[..., None]

    def call(x: Any, hidden: Any, cell: Any, *part: Any) -> Any:
        parts = [cudnn.Direction(*part)]
        shape = cudnn.shape_of(parts, bidirectional=False)
        outputs, last, last_cell = cudnn.lstm(shape, x, hidden[None], cell[None], cudnn.pack(parts), lengths)
        return jnp.where(inside, outputs, 0), LSTMState(last_cell[0], last[0])

    def definition(x: Any, hidden: Any, cell: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
        times = TimeInputs((x @ kernel + bias[None, None]).swapaxes(0, 1), valid=inputs.valid)
        outputs, last = _by_numpy(recurrence, RecurrentWeights((recurrent_kernel,), {}), LSTMState(cell, hidden), times)
        return outputs.swapaxes(0, 1), last

    return _offs(call, definition, arguments)


def _cuda_graphs(backend: str, recurrence: Recurrence) -> dict[str, float]:
    del backend
    from seqnets.ops.backends import reference, scan

    def learned(run: Callable[..., Any], weights: RecurrentWeights, carry: Carry, inputs: TimeInputs) -> Any:
        def loss(weights: RecurrentWeights) -> jax.Array:
            return jnp.sum(jnp.square(run(recurrence, False, weights, carry, inputs)[0]))

        def body(_: Any, weights: RecurrentWeights) -> RecurrentWeights:
            return jax.tree.map(lambda w, g: w - 0.1 * g, weights, jax.grad(loss)(weights))

        return jax.lax.fori_loop(0, 3, body, weights)

    problem = _problem(recurrence)
    found = jax.jit(partial(learned, scan.run), compiler_options=CUDA_GRAPHS)(*problem)
    return {"three steps of training": _distance(found, jax.jit(partial(learned, reference.run))(*problem))}


def _problem(recurrence: Recurrence) -> tuple[RecurrentWeights, Carry, TimeInputs]:
    kernels = tuple(_normal(UNITS, width * UNITS) / np.float32(UNITS**0.5) for width in recurrence.kernels or ())
    vectors = {name: _normal(*shape[:-1], shape[-1] * UNITS) for name, shape in recurrence.vectors}
    carry = _normal(ROWS, UNITS)
    carry = LSTMState(_normal(1, ROWS, UNITS)[0], carry) if recurrence.state is LSTMState else carry
    resets = np.arange(STEPS * ROWS).reshape(STEPS, ROWS) % 4 == 2
    valid: Any = np.arange(STEPS)[:, None] < _LENGTHS
    projected = _normal(STEPS, ROWS, recurrence.gates * UNITS)
    return RecurrentWeights(kernels, vectors), carry, TimeInputs(projected, resets & valid, valid)


def _normal(*shape: int) -> Any:
    return np.random.default_rng(shape).standard_normal(shape, np.float32)


def _by_numpy(recurrence: Recurrence, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs) -> tuple[Any, Carry]:
    """Run a recurrence in NumPy with 64 bits, where no compiler can introduce an error."""
    kernels = [np.asarray(kernel, np.float64) for kernel in weights.kernels]
    vectors = {name: np.asarray(vector, np.float64) for name, vector in weights.vectors.items()}
    state, outputs = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), carry), []
    for t, x in enumerate(np.asarray(inputs.projected, np.float64)):
        before = state if inputs.resets is None else _where(~inputs.resets[t], state, jax.tree.map(np.zeros_like, state))
        after = _STEP_OF[recurrence.name](kernels, vectors, before, x)
        state = after if inputs.valid is None else _where(inputs.valid[t], after, before)
        hidden = hidden_of(state)
        outputs.append(hidden if inputs.valid is None else _where(inputs.valid[t], hidden, np.zeros_like(hidden)))
    return np.stack(outputs), state


def _where(rows: Any, if_true: Any, if_false: Any) -> Any:
    return jax.tree.map(lambda a, b: np.where(rows[:, None], a, b), if_true, if_false)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _lstm(kernels: Any, vectors: Any, state: LSTMState, x: Any) -> Any:
    i, f, g, o = np.split(x + state.hidden @ kernels[0], 4, axis=-1)
    cell = _sigmoid(f) * state.cell + _sigmoid(i) * np.tanh(g)
    return LSTMState(cell, _sigmoid(o) * np.tanh(cell))


def _gru(kernels: Any, vectors: Any, hidden: Any, x: Any) -> Any:
    after = len(kernels) == 1
    (x_r, x_z, x_n), (h_r, h_z, *h_n) = np.split(x, 3, axis=-1), np.split(hidden @ kernels[0], 3 if after else 2, axis=-1)
    r, z = _sigmoid(x_r + h_r), _sigmoid(x_z + h_z)
    added = r * (h_n[0] + vectors["recurrent_bias"][None]) if after else (r * hidden) @ kernels[1]
    return z * hidden + (1 - z) * np.tanh(x_n + added)


def _highway(kernels: Any, vectors: Any, hidden: Any, x: Any) -> Any:
    for kernel, outside in zip(kernels, (x, *vectors["depth_bias"][:, None])):
        h, t = np.split(outside + hidden @ kernel, 2, axis=-1)
        hidden = _sigmoid(t) * np.tanh(h) + (1 - _sigmoid(t)) * hidden
    return hidden


_STEP_OF: dict[str, Callable[..., Any]] = {
    "vanilla_tanh": lambda kernels, vectors, hidden, x: np.tanh(x + hidden @ kernels[0]),
    "vanilla_relu": lambda kernels, vectors, hidden, x: np.maximum(x + hidden @ kernels[0], 0),
    "lstm": _lstm,
    "gru_reset_after": _gru,
    "gru_reset_before": _gru,
    "highway": _highway,
}

"""A recurrence over time: one function, and several backends that differ in speed but not in result."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from typing import Any, get_args

import jax
from jax import Array

from seqnets.errors import UserError
from seqnets.ops import arguments
from seqnets.ops.across_devices import divided_by_rows, varying, varying_axes
from seqnets.ops.backends import native, parallel, reference, scan
from seqnets.ops.backends.gpu import pallas
from seqnets.ops.backends.names import Backend
from seqnets.ops.masking import steps_that_count, where_counted
from seqnets.ops.recurrent import Carry, Recurrence, RecurrentWeights, hidden_of
from seqnets.ops.timestep import TimeInputs

Run = Callable[[Recurrence, bool, RecurrentWeights, Carry, TimeInputs], tuple[Array, Carry]]
_replacement: ContextVar[Run | None] = ContextVar("run_by", default=None)


def sequence(
    recurrence: Recurrence,
    weights: RecurrentWeights,
    carry: Carry,
    projected: Array,
    *,
    resets: Array | None = None,
    lengths: Array | None = None,
    mask: Array | None = None,
    zoneout: Carry | None = None,
    reverse: bool = False,
    backend: Backend = "auto",
    finite_padding: bool = False,
) -> tuple[Array, Carry]:
    """Run a recurrence over a whole sequence.

    Args:
        recurrence: the recurrence, e.g. `LSTM`.
        weights: its kernels and vectors.
        carry: the state before the first step; each leaf `(B, H)`.
        projected: `(T, B, gates * H)`: W x + b for every step, time first.
        resets: `(T, B)` booleans, or `(T, 1)`: where True, the state is zeroed before this step reads its input.
        lengths: `(B,)` integers, or `(1,)`: steps from `lengths[b]` on leave the state of row b as it is and give zeros.
        mask: `(T, B)` booleans, or `(T, 1)`: steps where it is False leave the state as it is and give zeros.
        zoneout: the structure of `carry` with leaves that broadcast to `(T, B, H)`: the share of the old state that stays.
        reverse: run from the last step to the first; outputs stay where their inputs were.
        backend: "reference" (a plain scan that JAX differentiates: the definition), "scan" (hand-written backward pass: the same
            numbers, faster), "native" (kernels in C++ for the CPU, float32), "pallas" (one kernel for all steps on a Hopper
            GPU), "parallel" (minGRU and minLSTM: all steps at once), or "auto": parallel or native where possible, else scan,
            also when a traced program is lowered for another platform.
        finite_padding: inputs of steps that do not count are finite and need not be zeroed before they are multiplied by weights.

    Returns:
        The outputs `(T, B, H)` in the dtype of `projected`, and the carry after the last step.

    Raises:
        UserError: the backend does not exist or cannot run this call, or the arrays do not match.

    Example:
        >>> import jax.numpy as jnp
        >>> from seqnets.ops.recurrent import VANILLA
        >>> weights = RecurrentWeights(kernels=(0.5 * jnp.eye(1),), vectors={})
        >>> outputs, last = sequence(VANILLA["relu"], weights, jnp.zeros((1, 1)), jnp.ones((3, 1, 1)))
        >>> outputs[:, 0, 0].tolist(), last.item()
        ([1.0, 1.5, 1.75], 1.75)
    """
    masks = {"resets": resets, "lengths": lengths, "mask": mask, "zoneout": zoneout, "finite_padding": finite_padding}
    weights, carry, inputs = _checked(recurrence, weights, carry, projected, **masks)
    replacement = _replacement.get()
    if replacement is not None:
        return replacement(recurrence, reverse, weights, carry, inputs)
    run = _runner(_chosen(backend, recurrence, weights, carry, inputs), recurrence, reverse, backend == "auto")
    return divided_by_rows(lambda *held: run(*_varying_alike(held)), weights, carry, inputs)


@contextmanager
def run_by(run: Run) -> Iterator[None]:
    """Let another function run every recurrence over time in this block, whatever the backend, for programs to be exported.

    Args:
        run: `run(recurrence, reverse, weights, carry, inputs) -> (outputs, carry)`, such as `portable`.

    Example:
        >>> import jax.numpy as jnp
        >>> from seqnets.ops.recurrent import VANILLA
        >>> weights = RecurrentWeights(kernels=(jnp.eye(1),), vectors={})
        >>> with run_by(portable):
        ...     outputs, last = sequence(VANILLA["relu"], weights, jnp.zeros((1, 1)), jnp.ones((3, 1, 1)))
        >>> last.item()
        3.0
    """
    token = _replacement.set(run)
    try:
        yield
    finally:
        _replacement.reset(token)


def portable(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Array, Carry]:
    """Run a recurrence over time in operations that every platform has."""
    return _RUNS["parallel" if recurrence.linear else "scan"](recurrence, reverse, weights, carry, inputs)


def all_states(
    recurrence: Recurrence, weights: RecurrentWeights, carry: Carry, projected: Array, *, reverse: bool = False, **masks: Any
) -> tuple[Array, Carry, Carry]:
    """Run a recurrence over a whole sequence by a plain scan, and keep the state after every step.

    Args:
        recurrence: as for `sequence`.
        weights: as for `sequence`.
        carry: as for `sequence`.
        projected: as for `sequence`.
        reverse: as for `sequence`.
        **masks: `resets`, `lengths`, `mask`, `zoneout` and `finite_padding`, as for `sequence`.

    Returns:
        The outputs, the carry after the last step, and the states: the structure of the carry, leaves `(T, B, H)`.

    Raises:
        UserError: as for `sequence`.

    Example:
        >>> import jax.numpy as jnp
        >>> from seqnets.ops.recurrent import VANILLA
        >>> weights = RecurrentWeights(kernels=(0.5 * jnp.eye(1),), vectors={})
        >>> all_states(VANILLA["relu"], weights, jnp.zeros((1, 1)), jnp.ones((3, 1, 1)))[2].ravel().tolist()
        [1.0, 1.5, 1.75]
    """
    return reference.run_with_states(recurrence, reverse, *_checked(recurrence, weights, carry, projected, **masks))


def _checked(
    recurrence, weights, carry, projected, *, resets=None, lengths=None, mask=None, zoneout=None, finite_padding=False
) -> tuple[RecurrentWeights, Carry, TimeInputs]:
    projected = arguments.as_array("projected", projected)
    hidden = arguments.hidden_features(recurrence, projected)
    steps, rows = projected.shape[:2]
    lengths, resets = arguments.masks_of(projected.shape, lengths, resets, row_axis=1)
    carry = arguments.state(recurrence, carry, rows, hidden)
    weights = arguments.weights_of(recurrence, weights, hidden, hidden_of(carry).dtype)
    valid = steps_that_count((steps, rows), lengths, mask)
    projected = projected if finite_padding else where_counted(projected, valid)
    resets = resets if resets is None or valid is None else resets & valid  # a row's state stays beyond its length
    zoneout = arguments.zoneout_of(recurrence, zoneout, (steps, rows, hidden), hidden_of(carry).dtype)
    return weights, carry, TimeInputs(projected, resets, valid, zoneout)


_RUNS = {"parallel": parallel.run, "native": native.run, "pallas": pallas.run, "scan": scan.run, "reference": reference.run}
_AUTO = ("parallel", "native", "pallas", "scan")
_PLATFORM = {"native": "cpu", "pallas": "cuda"}  # the platform of backends that run on a single one


def _chosen(backend: Backend, *call) -> str:
    refusals = {
        "native": lambda: native.refusal(*call),
        "parallel": lambda: parallel.refusal(call[0]),
        "pallas": lambda: pallas.refusal(*call),
    }
    if backend == "auto":
        return next(name for name in _AUTO if name not in refusals or not refusals[name]())
    if backend == "cudnn":  # which takes raw inputs and whole stacks
        raise UserError('"cudnn" is not the backend of a layer; wrap LSTM layers instead: seqnets.nn.CuDNN(layer)')
    if backend not in _RUNS:
        raise UserError(f"backend {backend!r} does not exist; choose one of {', '.join(get_args(Backend))}")
    if backend in refusals and (reason := refusals[backend]()):
        raise UserError(f'backend "{backend}" cannot run this: {reason}; choose "auto" or "scan"')
    return backend


@cache  # JAX caches traces by the identity of functions
def _bound(name: str, recurrence: Recurrence, reverse: bool) -> Callable:
    return partial(_RUNS[name], recurrence, reverse)


def _runner(name: str, recurrence: Recurrence, reverse: bool, portable: bool) -> Callable:
    run = _bound(name, recurrence, reverse)
    if not portable or name not in _PLATFORM:
        return run
    # a program traced on one platform may be lowered for another, which does not have these kernels
    return partial(jax.lax.platform_dependent, default=_bound("scan", recurrence, reverse), **{_PLATFORM[name]: run})


def _varying_alike(tree):
    # Within shard_map, weights are the same on all devices and the batch is not. Marking here that the weights enter
    # products that differ by device makes JAX sum their gradients over devices, for any backend.
    axes = frozenset().union(*map(varying_axes, jax.tree.leaves(tree)))
    return jax.tree.map(lambda leaf: varying(leaf, axes), tree)

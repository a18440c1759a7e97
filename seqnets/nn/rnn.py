"""A cell over time."""

from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.errors import UserError
from seqnets.nn.cells import Cell
from seqnets.nn.cells.base import is_as_stated
from seqnets.nn.regularize import drop_weights
from seqnets.nn.remat import in_chunks
from seqnets.ops import arguments
from seqnets.ops.masking import without_padding
from seqnets.ops.over_time import Backend, sequence
from seqnets.ops.recurrent import Carry


class RNN(nnx.Module):
    """A recurrent layer: a cell run over every step of a sequence.

    For a seqnets cell the input projection of the whole sequence is one matrix product, and the loop runs on the fastest suitable
    backend. Any other `nnx.RNNCellBase` is scanned as it is: Flax's own, one that draws random keys, a subclass of a seqnets
    cell with another `__call__`, `step` or `stepper`.

    Args:
        cell: a cell.
        time_major: inputs and outputs are `(T, B, ...)` instead of `(B, T, ...)`.
        reverse: run from the last step to the first; outputs stay where their inputs were.
        return_carry: return `(outputs, carry)` instead of the outputs.
        weight_dropout: rate of DropConnect on the recurrent kernels while a key is given.
        remat: for the backward pass, keep the state only every this many steps, and compute the rest again: about a third
            more time, and memory for a few times the square root of T steps instead of T; 0 keeps everything.
        backend: see `seqnets.ops.over_time`.

    Raises:
        UserError: for weight dropout, zoneout or remat with a cell that is not of seqnets or has a step of its own, and for a
            negative remat.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> from seqnets.nn import GRUCell
        >>> layer = RNN(GRUCell(3, 5, rngs=nnx.Rngs(0)))
        >>> layer(jnp.ones((2, 7, 3))).shape
        (2, 7, 5)
    """

    def __init__(
        self,
        cell: nnx.RNNCellBase,
        *,
        time_major: bool = False,
        reverse: bool = False,
        return_carry: bool = False,
        weight_dropout: float = 0.0,
        remat: int = 0,
        backend: Backend = "auto",
    ):
        needed = {"weight_dropout": weight_dropout, "remat": remat, "zoneout": any(getattr(cell, "zoneout", ()))}
        for name, value in needed.items():
            if value and not is_as_stated(cell):
                raise UserError(f"{name} needs a seqnets cell with its own step, got {type(cell).__name__}; leave {name} at 0")
        if remat < 0:
            raise UserError(f"remat must be a number of steps, or 0 to keep everything, got {remat}")
        self.cell = cell
        self.time_major = time_major
        self.reverse = reverse
        self.return_carry = return_carry
        self.weight_dropout = weight_dropout
        self.remat = remat
        self.backend: Backend = backend

    def __call__(
        self,
        inputs: Array,
        *,
        initial_carry: Carry | None = None,
        lengths: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
        return_carry: bool | None = None,
        projected: bool = False,
    ) -> Any:
        """Run the layer.

        Args:
            inputs: `(B, T, F)`, or `(T, B, F)` when time-major.
            initial_carry: the state before the first step; zeros by default. An LSTM also takes a plain pair `(c, h)`.
            lengths: `(B,)` integers, or one for all rows; steps beyond a row's length have zero outputs and do not
                change the carry.
            resets: booleans `(B, T)`, or `(T, B)` when time-major, or of one row for all: zero the state before this step.
            key: a JAX key that turns on zoneout and weight dropout; None for inference.
            return_carry: overrides the layer's own setting.
            projected: the inputs already went through `cell.project`; their last axis is gates * H.

        Returns:
            The outputs `(B, T, H)` (or time-major), and with `return_carry` also the carry after the last step.

        Raises:
            UserError: when the inputs do not have three axes or not the number of features that the cell was built for, when
                carry, lengths or resets do not fit them, or for projected inputs where the cell has a step of its own.
        """
        inputs = arguments.as_array("inputs", inputs)
        _check_inputs(inputs, self.cell, projected)
        lengths, resets = arguments.masks_of(inputs.shape, lengths, resets, row_axis=1 if self.time_major else 0)
        if not self.time_major:
            inputs = inputs.swapaxes(0, 1)
            resets = None if resets is None else resets.T
        inputs = without_padding(inputs, lengths, time_axis=0)
        carry = _start(self.cell, inputs.shape[1:], initial_carry)
        if is_as_stated(self.cell):
            outputs, carry = self._run(inputs, carry, lengths, resets, key, projected)
        else:
            outputs, carry = _scan_any_cell(self.cell, inputs, carry, lengths, resets, self.reverse)
        outputs = outputs if self.time_major else outputs.swapaxes(0, 1)
        wants_carry = self.return_carry if return_carry is None else return_carry
        return (outputs, carry) if wants_carry else outputs

    def _run(self, inputs: Array, carry: Carry, lengths, resets, key: Array | None, projected: bool) -> tuple[Array, Carry]:
        cell = cast(Cell, self.cell)
        zoneout_key, drop_key = (None, None) if key is None else jax.random.split(key)
        shares = cell.zoneout_shares(zoneout_key, *inputs.shape[:2])
        weights = cell.weights()
        weights = weights._replace(kernels=drop_weights(weights.kernels, self.weight_dropout, drop_key))

        def run(chunk: Any, carry: Carry, first: Array | int) -> tuple[Carry, Array]:
            inputs, resets, shares = chunk
            outputs, carry = sequence(
                cell.recurrence,
                weights,
                carry,
                inputs if projected else cell.project(inputs),
                resets=resets,
                lengths=None if lengths is None else lengths - first,
                zoneout=shares,
                reverse=self.reverse,
                backend=self.backend,
                finite_padding=True,  # the inputs have zeros there
            )
            return carry, outputs

        if 0 < self.remat < inputs.shape[0]:
            shares = jax.tree.map(lambda share: jnp.broadcast_to(share, (inputs.shape[0], *share.shape[1:])), shares)
            carry, outputs = in_chunks(run, self.remat, carry, (inputs, resets, shares), reverse=self.reverse)
        else:
            carry, outputs = run((inputs, resets, shares), carry, 0)
        return outputs, carry


def initialize_carry(cell: nnx.RNNCellBase, input_shape: tuple[int, ...]) -> Carry:
    """Return the zero carry of any cell; Flax's own cells need a source of randomness even for zeros.

    Example:
        >>> from flax import nnx
        >>> initialize_carry(nnx.GRUCell(3, 5, rngs=nnx.Rngs(0)), (2, 3)).shape
        (2, 5)
    """
    return cell.initialize_carry(input_shape, rngs=nnx.Rngs(0))


def _start(cell: nnx.RNNCellBase, input_shape: tuple[int, ...], carry: Carry | None) -> Carry:
    if isinstance(cell, Cell) and carry is not None:
        return arguments.state(cell.recurrence, carry, input_shape[0], cell.hidden_features, name="initial_carry")
    zeros = initialize_carry(cell, input_shape)
    return zeros if carry is None else arguments.alike(zeros, carry, name="initial_carry")


def _scan_any_cell(cell, inputs, carry, lengths, resets, reverse: bool) -> tuple[Array, Carry]:
    start = jax.tree.map(jnp.zeros_like, initialize_carry(cell, inputs.shape[1:]))
    valid = None if lengths is None else jnp.arange(inputs.shape[0])[:, None] < lengths[None, :]
    resets = resets if resets is None or valid is None else resets & valid  # a row's state stays beyond its length
    graph, parameters, others = nnx.split(cell, nnx.Param, ...)
    changed: list[bool] = []

    def step(before, time):
        (before, others), (x, reset, is_valid) = before, time
        before = before if reset is None else _choose(reset, start, before)
        given, here = jax.tree.leaves(others), nnx.merge(graph, parameters, others)
        after, output = here(before, x)
        others = nnx.state(here, nnx.Not(nnx.Param))
        changed[:] = [a is not b for a, b in zip(jax.tree.leaves(others), given, strict=True)]
        if is_valid is None:
            return (after, others), output
        return (_choose(is_valid, after, before), others), _choose(is_valid, output, jnp.zeros_like(output))

    (last, others), outputs = jax.lax.scan(step, (carry, others), (inputs, resets, valid), reverse=reverse)
    if any(changed):  # counts of drawn keys, running means: the next call continues from here
        nnx.update(cell, others)
    return outputs, last


def _choose(rows: Array, if_true: Any, if_false: Any) -> Any:
    def choose(a, b):
        return jnp.where(rows.reshape(-1, *(1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(choose, if_true, if_false)


def _check_inputs(inputs: Array, cell: nnx.RNNCellBase, projected: bool) -> None:
    if projected and not is_as_stated(cell):
        raise UserError(f"projected inputs need a seqnets cell with its own step, got {type(cell).__name__}; give raw inputs")
    if not isinstance(cell, Cell):
        if inputs.ndim < 3:
            raise UserError(f"inputs must have the shape (batch, time, ...), got {inputs.shape}")
        return
    features = cell.recurrence.gates * cell.hidden_features if projected else cell.in_features
    if inputs.ndim != 3 or inputs.shape[-1] != features:
        raise UserError(
            f"inputs must have the shape (batch, time, {features}) that {type(cell).__name__} was built for, got {inputs.shape}"
        )

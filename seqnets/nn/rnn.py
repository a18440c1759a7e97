"""A cell over time."""

from collections.abc import Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx.filterlib import Filter
from jax import Array

from seqnets.errors import UserError
from seqnets.nn.any_cell import scan_any_cell
from seqnets.nn.cells import Cell
from seqnets.nn.cells.base import is_as_stated
from seqnets.nn.regularize import drop_weights
from seqnets.nn.remat import in_chunks
from seqnets.nn.rows import Rows
from seqnets.ops import arguments
from seqnets.ops.masking import flipped, repeated, steps_that_count, where_counted
from seqnets.ops.over_time import Backend, all_states, sequence
from seqnets.ops.recurrent import Carry

Randomness = nnx.Rngs | nnx.RngStream | bool


class RNN(nnx.Module):
    """A recurrent layer: a cell run over every step of a sequence. It takes the place of `flax.nnx.RNN`, keyword for keyword.

    For a seqnets cell the input projection of the whole sequence is one matrix product, and the loop runs on the fastest suitable
    backend. Any other `nnx.RNNCellBase` is scanned as it is: Flax's own, one that draws random keys, a subclass of a seqnets
    cell with another `__call__`, `step` or `stepper`.

    Args:
        cell: a cell.
        time_major: inputs and outputs are `(T, B, ...)` instead of `(B, T, ...)`.
        return_carry: return `(carry, outputs)` instead of the outputs.
        reverse: run from the last step of each row to its first.
        keep_order: outputs of a reversed layer stay where their inputs were; otherwise they come in the order of processing.
        unroll: steps per iteration of the loop over another library's cell; the backends of seqnets cells choose it themselves.
        state_axes: which variables of a cell are shared by all steps, carried from step to step, or separate for each step, as
            in Flax; seqnets cells with this argument are scanned like any other cell.
        broadcast_rngs: the random streams of a cell that give every step the same key.
        rngs: the source of a random first carry (`carry_init`) for calls that give none; True for a stream of seed 0, which is
            the same at every call, False for none.
        learned_carry: make the carry before the first step a parameter, shared by all rows; it starts as the cell's own.
        zero_output_for_mask: give zeros where a mask is False, instead of repeating the last output.
        weight_dropout: rate of DropConnect on the recurrent kernels while a key is given.
        remat: for the backward pass, keep the state only every this many steps, and compute the rest again: about a third
            more time, and memory for a few times the square root of T steps instead of T; 0 keeps everything.
        backend: see `seqnets.ops.over_time`.

    Raises:
        UserError: weight dropout, zoneout or remat with a cell that is not of seqnets or has its own step, or a negative remat.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> from seqnets.nn import GRUCell
        >>> layer = RNN(GRUCell(3, 5, rngs=nnx.Rngs(0)))
        >>> layer(jnp.ones((2, 7, 3))).shape
        (2, 7, 5)
        >>> carry, outputs = layer(jnp.ones((2, 7, 3)), seq_lengths=jnp.array([7, 2]), return_carry=True)
        >>> bool((carry[1] == outputs[1, 1]).all()), outputs[1, 2:].any().item()
        (True, False)
    """

    def __init__(
        self,
        cell: nnx.RNNCellBase,
        *,
        time_major: bool = False,
        return_carry: bool = False,
        reverse: bool = False,
        keep_order: bool = False,
        unroll: int = 1,
        state_axes: Mapping[Any, Any] | None = None,
        broadcast_rngs: Filter = None,
        rngs: Randomness = True,
        learned_carry: bool = False,
        zero_output_for_mask: bool = False,
        weight_dropout: float = 0.0,
        remat: int = 0,
        backend: Backend = "auto",
    ):
        needed = {"weight_dropout": weight_dropout, "remat": remat, "zoneout": any(getattr(cell, "zoneout", ()))}
        for name, value in needed.items():
            if value and not is_as_stated(cell):
                raise UserError(f"{name} needs a seqnets cell with its own step, not {type(cell).__name__}; leave {name} at 0")
        if remat < 0:
            raise UserError(f"remat must be a number of steps, or 0 to keep everything, not {remat}")
        self.cell = cell
        self.time_major = time_major
        self.return_carry = return_carry
        self.reverse = reverse
        self.keep_order = keep_order
        self.unroll = unroll
        self.state_axes = None if state_axes is None else nnx.StateAxes(state_axes)
        self.broadcast_rngs = broadcast_rngs
        self.rngs = rngs.carry.fork() if isinstance(rngs, nnx.Rngs) else rngs
        self.zero_output_for_mask = zero_output_for_mask
        self.weight_dropout = weight_dropout
        self.remat = remat
        self.backend: Backend = backend
        self.learned_carry = learned_carry
        if learned_carry:
            self.first_carry = nnx.List([nnx.Param(leaf[0]) for leaf in jax.tree.leaves(_of_one_row(cell, self.rngs))])

    @property
    def num_feature_axes(self) -> int:
        """How many axes of the inputs come after batch and time."""
        return self.cell.num_feature_axes

    def __call__(
        self,
        inputs: Array,
        *,
        initial_carry: Carry | None = None,
        seq_lengths: Array | None = None,
        lengths: Array | None = None,
        mask: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
        return_carry: bool | None = None,
        return_states: bool = False,
        time_major: bool | None = None,
        reverse: bool | None = None,
        keep_order: bool | None = None,
        rngs: nnx.Rngs | nnx.RngStream | None = None,
        projected: bool = False,
    ) -> Any:
        """Run the layer.

        Args:
            inputs: `(B, T, F)`, or `(T, B, F)` when time-major. In place of B there may be no batch axis or several; the other
                arguments and the results then have these axes, too.
            initial_carry: the state before the first step; by default the learned one, or the cell's own, which is zeros. An LSTM
                also takes a plain pair `(c, h)`.
            seq_lengths: `(B,)` integers, or one for all rows; steps beyond a row's length have zero outputs and do not
                change the carry.
            lengths: another name for `seq_lengths`.
            mask: booleans `(B, T)`, or `(T, B)` when time-major, with holes anywhere: a step where it is False leaves the state
                as it is and repeats the last output, or gives zeros with `zero_output_for_mask`.
            resets: booleans of the same shape, or of one row for all: zero the state before this step.
            key: a JAX key that turns on zoneout and weight dropout; None for inference.
            return_carry: overrides the layer's own setting.
            return_states: also return the state after every step, in the structure of the carry, leaves `(B, T, H)`; seqnets
                cells then run as a plain scan.
            time_major: overrides the layer's own setting.
            reverse: overrides the layer's own setting.
            keep_order: overrides the layer's own setting.
            rngs: the source of a random first carry.
            projected: the inputs already went through `cell.project`; their last axis is gates * H.

        Returns:
            The outputs `(B, T, H)` (or time-major). With `return_carry` the carry after the last step comes before them, with
            `return_states` the states come after them.

        Raises:
            UserError: when the inputs do not have the axes or the number of features that the cell was built for, when
                carry, lengths, masks or resets do not fit them, or for projected inputs where the cell has a step of its own.
        """
        time_major, reverse, keep_order, return_carry = (
            own if given is None else given
            for own, given in (
                (self.time_major, time_major),
                (self.reverse, reverse),
                (self.keep_order, keep_order),
                (self.return_carry, return_carry),
            )
        )
        inputs = arguments.as_array("inputs", inputs)
        _check_inputs(inputs, self.cell, projected)
        rows = Rows.of(inputs.shape, self.cell.num_feature_axes, time_major)
        lengths, resets, mask = rows.masks(arguments.one_of(lengths=lengths, seq_lengths=seq_lengths), resets, mask)
        if resets is not None and self.learned_carry:
            raise UserError("resets would zero the learned carry of this layer; give each sequence its own row, with lengths")
        valid = steps_that_count((rows.steps, rows.count), lengths, mask)
        inputs = where_counted(rows.merged(rows.time_first(inputs), 1), valid)
        if is_as_stated(self.cell) and self.state_axes is None:
            carry = self._start(rows, initial_carry, rngs)
            noise = {"key": key, "projected": projected, "reverse": reverse, "return_states": return_states}
            outputs, carry, states = self._run(inputs, carry, valid, resets, **noise)
            carry = rows.divided_carry(carry)
        else:
            carry = self._start_any(rows, inputs.shape[2:], initial_carry, rngs)
            masks = {"lengths": lengths, "valid": valid, "resets": resets}
            outputs, carry, states = self._scan(rows, inputs, carry, **masks, reverse=reverse, return_states=return_states)
        if mask is not None and not self.zero_output_for_mask:
            outputs = where_counted(
                repeated(outputs, cast(Array, valid), reverse=reverse), steps_that_count((rows.steps, rows.count), lengths, None)
            )

        def as_wanted(x: Array) -> Array:
            x = x if keep_order or not reverse else flipped(x, lengths)
            return rows.as_given(rows.divided(x, 1))

        found = [jax.tree.map(as_wanted, outputs)]
        found = [carry, *found] if return_carry else found
        found = [*found, jax.tree.map(as_wanted, states)] if return_states else found
        return tuple(found) if len(found) > 1 else found[0]

    def _start(self, rows: Rows, carry: Carry | None, rngs: Any) -> Carry:
        cell = cast(Cell, self.cell)
        carry = self._first_carry((*rows.batch, cell.in_features), rngs) if carry is None else carry
        return arguments.state(cell.recurrence, rows.merged_carry(carry), rows.count, cell.hidden_features, name="initial_carry")

    def _start_any(self, rows: Rows, features: tuple[int, ...], carry: Carry | None, rngs: Any) -> Carry:
        shape = (*rows.batch, *features)
        if carry is None:
            return self._first_carry(shape, rngs)
        if isinstance(self.cell, Cell) and len(rows.batch) == 1:
            return arguments.state(self.cell.recurrence, carry, rows.count, self.cell.hidden_features, name="initial_carry")
        return arguments.alike(initialize_carry(self.cell, shape), carry, name="initial_carry")

    def _first_carry(self, input_shape: tuple[int, ...], rngs: Any) -> Carry:
        if not self.learned_carry:
            return initialize_carry(self.cell, input_shape, self.rngs if rngs is None else rngs)
        own = jax.eval_shape(lambda: initialize_carry(self.cell, input_shape))
        leaves, structure = jax.tree.flatten(own)
        return structure.unflatten(
            [jnp.broadcast_to(p[...], leaf.shape) for p, leaf in zip(self.first_carry, leaves, strict=True)]
        )

    def _run(
        self, inputs: Array, carry: Carry, valid, resets, *, key, projected: bool, reverse: bool, return_states: bool
    ) -> tuple[Array, Carry, Carry | None]:
        cell = cast(Cell, self.cell)
        zoneout_key, drop_key = (None, None) if key is None else jax.random.split(key)
        shares = cell.zoneout_shares(zoneout_key, *inputs.shape[:2])
        weights = cell.weights()
        weights = weights._replace(kernels=drop_weights(weights.kernels, self.weight_dropout, drop_key))

        def run(chunk: Any, carry: Carry, over: Any = sequence, **options: Any) -> Any:
            inputs, valid, resets, shares = chunk
            masks = {"resets": resets, "mask": valid, "zoneout": shares, "finite_padding": True}  # the inputs have zeros there
            return over(
                cell.recurrence,
                weights,
                carry,
                inputs if projected else cell.project(inputs),
                reverse=reverse,
                **masks,
                **options,
            )

        whole = (inputs, valid, resets, shares)
        if return_states:
            return run(whole, carry, all_states)
        if 0 < self.remat < inputs.shape[0]:
            full = jax.tree.map(lambda share: jnp.broadcast_to(share, (inputs.shape[0], *share.shape[1:])), shares)
            run_chunk = lambda chunk, carry: run(chunk, carry, backend=self.backend)[::-1]  # noqa: E731
            carry, outputs = in_chunks(run_chunk, self.remat, carry, (inputs, valid, resets, full), reverse=reverse)
            return outputs, carry, None
        return *run(whole, carry, backend=self.backend), None

    def _scan(
        self, rows: Rows, inputs: Array, carry: Carry, *, lengths, valid, resets, reverse: bool, return_states: bool
    ) -> Any:
        def turned(x: Any) -> Any:  # steps are taken from the first on, as keys and states of each step are counted
            return x if x is None or not reverse else flipped(x, lengths)

        def unmerged(x: Any) -> Any:
            return None if x is None else rows.divided(turned(x), 1)

        zeros = carry if resets is None else jax.tree.map(jnp.zeros_like, carry)
        outputs, carry, states = scan_any_cell(
            self.cell,
            unmerged(inputs),
            carry,
            zeros,
            resets=unmerged(
                resets if resets is None or valid is None else resets & valid
            ),  # a row's state stays beyond its length
            valid=unmerged(valid),
            unroll=self.unroll,
            broadcast_rngs=self.broadcast_rngs,
            state_axes=self.state_axes,
            return_states=return_states,
        )
        outputs, states = jax.tree.map(lambda x: turned(rows.merged(x, 1)), (outputs, states))
        return outputs, carry, states


def initialize_carry(cell: nnx.RNNCellBase, input_shape: tuple[int, ...], rngs: Randomness = True) -> Carry:
    """Return the first carry of any cell; Flax's own cells need a source of randomness even for zeros.

    Args:
        cell: any cell.
        input_shape: shape of the inputs of one step, `(*batch, F)`.
        rngs: the source; True for a stream of seed 0, False for none.

    Example:
        >>> from flax import nnx
        >>> initialize_carry(nnx.GRUCell(3, 5, rngs=nnx.Rngs(0)), (2, 3)).shape
        (2, 5)
    """
    if type(cell).initialize_carry is Cell.initialize_carry and cast(Cell, cell).carry_init is None:
        return cell.initialize_carry(input_shape)  # a stream of keys would only take time
    if isinstance(rngs, bool):
        return cell.initialize_carry(input_shape, nnx.RngStream(0, tag="carry") if rngs else None)
    return cell.initialize_carry(input_shape, rngs.carry.fork() if isinstance(rngs, nnx.Rngs) else rngs)


def _of_one_row(cell: nnx.RNNCellBase, rngs: Randomness) -> Carry:
    features: int | None = getattr(cell, "in_features", None)
    if features is None or cell.num_feature_axes != 1:
        raise UserError(f"learned_carry needs a cell whose inputs are vectors of in_features numbers, not {type(cell).__name__}")
    return initialize_carry(cell, (1, features), rngs)


def _check_inputs(inputs: Array, cell: nnx.RNNCellBase, projected: bool) -> None:
    if projected and not is_as_stated(cell):
        raise UserError(f"projected inputs need a seqnets cell with its own step, not {type(cell).__name__}; give raw inputs")
    if not isinstance(cell, Cell):
        if inputs.ndim < 1 + cell.num_feature_axes:
            raise UserError(f"inputs must have the shape (batch, time, ...), not {inputs.shape}")
        return
    features = cell.recurrence.gates * cell.hidden_features if projected else cell.in_features
    if inputs.ndim < 2 or inputs.shape[-1] != features:
        raise UserError(
            f"inputs must have the shape (batch, time, {features}) that {type(cell).__name__} was built for, not {inputs.shape}"
        )

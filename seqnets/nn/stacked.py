"""Stacked and bidirectional recurrent layers."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.errors import UserError
from seqnets.nn.cells import Cell
from seqnets.nn.cells.base import choice, is_as_stated
from seqnets.nn.packed import pack_layers
from seqnets.nn.regularize import dropout, locked_dropout
from seqnets.nn.rnn import RNN, Randomness
from seqnets.nn.rows import Rows
from seqnets.ops import arguments, stack_step
from seqnets.ops.masking import steps_that_count, where_counted
from seqnets.ops.recurrent import Carry, Recurrence, hidden_of
from seqnets.ops.stack_step import PackedStack


class StackedRNN(nnx.Module):
    """A stack of recurrent layers; the carry is a tuple with one entry per layer.

    Args:
        layers: `RNN` or `BidirectionalRNN` layers, lowest first, all batch-major.
        residual: add each layer's input to its output, wherever the two have the same size.
        dropout: rate between layers (not after the last) while a key is given.
        locked: draw one dropout mask for all steps of a sequence (Gal & Ghahramani, 2016).
        return_carry: return `(carry, outputs)` instead of the outputs.

    Raises:
        UserError: there are no layers, or one is time-major.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> from seqnets.nn import LSTMCell, RNN
        >>> rngs = nnx.Rngs(0)
        >>> stack = StackedRNN([RNN(LSTMCell(3, 5, rngs=rngs)), RNN(LSTMCell(5, 5, rngs=rngs))], residual=True)
        >>> carry, outputs = stack(jnp.ones((2, 7, 3)), return_carry=True)
        >>> outputs.shape, len(carry)
        ((2, 7, 5), 2)
    """

    def __init__(
        self,
        layers: Sequence[Any],
        *,
        residual: bool = False,
        dropout: float = 0.0,
        locked: bool = False,
        return_carry: bool = False,
    ):
        if not layers or any(isinstance(layer, RNN) and layer.time_major for layer in layers):
            raise UserError("a stack needs at least one layer, each with time_major=False")
        self.layers = nnx.List(layers)
        self.residual = residual
        self.dropout = dropout
        self.locked = locked
        self.return_carry = return_carry

    @property
    def num_feature_axes(self) -> int:
        """How many axes of the inputs come after batch and time."""
        return self.layers[0].num_feature_axes

    def __call__(
        self,
        inputs: Array,
        *,
        initial_carry: Sequence[Carry] | None = None,
        seq_lengths: Array | None = None,
        lengths: Array | None = None,
        mask: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
        return_carry: bool | None = None,
        return_states: bool = False,
        rngs: nnx.Rngs | nnx.RngStream | None = None,
        projected: bool = False,
    ) -> Any:
        """Run all layers; arguments and result as for `RNN`, `initial_carry`, carry and states with one entry per layer."""
        starts: Sequence[Any] = (None,) * len(self.layers)
        if initial_carry is not None:
            starts = arguments.entries(initial_carry, len(self.layers), name="initial_carry")
        inputs = arguments.as_array("inputs", inputs)
        rows = _rows(inputs, self.num_feature_axes, time_major=False)
        lengths, resets, mask = rows.masks(arguments.one_of(lengths=lengths, seq_lengths=seq_lengths), resets, mask)
        x, starts = rows.merged(inputs), [rows.merged_carry(start) for start in starts]
        valid = steps_that_count((rows.steps, rows.count), lengths, mask)
        x = x if valid is None else where_counted(x, valid.T)
        given = {"lengths": lengths, "mask": _transposed(mask), "resets": _transposed(resets), "rngs": rngs}
        common = {name: value for name, value in given.items() if value is not None} | {"return_states": return_states}
        outputs, carry, states = self._run(x, starts, common, key, projected)
        wants_carry = self.return_carry if return_carry is None else return_carry
        found = [rows.divided_carry(carry)] if wants_carry else []
        found += [rows.divided(outputs)] + ([rows.divided_carry(states)] if return_states else [])
        return tuple(found) if len(found) > 1 else found[0]

    def _run(self, x: Array, starts, common: dict[str, Any], key, projected: bool) -> tuple[Array, tuple[Carry, ...], Any]:
        keys = [None] * len(self.layers) if key is None else jax.random.split(key, len(self.layers))
        carries, states = [], []
        for number, (layer, start, layer_key) in enumerate(zip(self.layers, starts, keys, strict=True)):
            x = self._between(x, layer_key) if number else x
            is_projected = projected and not number
            options = common | ({"projected": True} if is_projected else {})
            carry, outputs, *others = layer(x, initial_carry=start, key=layer_key, return_carry=True, **options)
            x = outputs if is_projected else self.join(x, outputs)
            carries.append(carry)
            states += others
        return x, tuple(carries), tuple(states)

    def join(self, inputs: Array, outputs: Array) -> Array:
        """Add the residual connection, if it is wanted and the sizes match."""
        return outputs + inputs if self.residual and inputs.shape == outputs.shape else outputs

    def pack(self) -> PackedStack | None:
        """Return the weights for the fastest `stepper`, or None if these layers cannot use it; not differentiable."""
        return None if self.residual else pack_layers(self.layers)

    def stepper(
        self, packed: PackedStack | None = None
    ) -> Callable[[Array, Sequence[Carry], Array | None], tuple[Array, tuple[Carry, ...]]]:
        """Return a function that takes one step in every layer, for loops that should not prepare weights at every step.

        Args:
            packed: the result of `pack`; without it the layers step one by one, in plain JAX.

        Returns:
            `(projected (B, gates * H), carries, inputs) -> (outputs (B, H), carries)`, where `projected` went through the lowest
            cell's `project`, and the inputs themselves, or None, serve the residual connection around it.

        Raises:
            UserError: a layer does not run forward over a seqnets cell; the function raises it for carries that do not match.
        """
        cells: list[Any] = [getattr(layer, "cell", None) for layer in self.layers]
        if any(layer.reverse for layer in self.layers if isinstance(layer, RNN)) or not all(hasattr(c, "stepper") for c in cells):
            raise UserError("single steps need layers that are RNN, run forward and have a seqnets cell")
        if packed is not None:
            return partial(_step_at_once, cells[0].recurrence, packed)
        if changed := [type(cell).__name__ for cell in cells if not is_as_stated(cell)]:
            raise UserError(f"a stepper needs seqnets cells with their own step, not {changed[0]}; call the stack with one step")
        steps = [cell.stepper() for cell in cells]

        def step(projected: Array, carries: Sequence[Carry], inputs: Array | None) -> tuple[Array, tuple[Carry, ...]]:
            carries = arguments.carries(cells, carries, projected.shape[0], of="inputs")
            first, x = steps[0](carries[0], projected)
            x, after = x if inputs is None else self.join(inputs, x), [first]
            for cell, cell_step, carry in zip(cells[1:], steps[1:], carries[1:], strict=True):
                carry, outputs = cell_step(carry, cell.project(x))
                x = self.join(x, outputs)
                after.append(carry)
            return x, tuple(after)

        return step

    def _between(self, x: Array, key: Array | None) -> Array:
        if self.dropout == 0 or key is None:
            return x
        return (locked_dropout if self.locked else dropout)(x, self.dropout, jax.random.fold_in(key, 1))


def _step_at_once(recurrence: Recurrence, packed: PackedStack, projected: Array, carries: Sequence[Carry], inputs: Any):
    del inputs
    carries = stack_step.step(recurrence, packed, carries, projected)
    return hidden_of(carries[-1]), carries


def _concatenated(ahead: Array, back: Array) -> Array:
    return jnp.concatenate([ahead, back], axis=-1)


def _averaged(ahead: Array, back: Array) -> Array:
    return (ahead + back) / 2


MERGES: dict[str | None, Callable[[Array, Array], Any]] = {
    "concat": _concatenated,
    "concatenate": _concatenated,
    "sum": jnp.add,
    "mul": jnp.multiply,
    "ave": _averaged,
    None: lambda ahead, back: (ahead, back),
}


class BidirectionalRNN(nnx.Module):
    """Two recurrent layers over the same sequence, one in each direction (Schuster & Paliwal, 1997).

    It takes the place of `flax.nnx.Bidirectional`, keyword for keyword: outputs stay where their inputs were, and whether the
    layers were built with `reverse` makes no difference.

    Args:
        forward_rnn: the layer that reads from the first step on: an `RNN`, or one of Flax.
        backward_rnn: the layer that reads from the last step on; the same object twice shares its weights.
        merge: how to combine both outputs: "concat" (or "concatenate") on the last axis, "sum", "mul", "ave" (their mean), or
            None (the pair of them).
        merge_fn: any other function `merge_fn(forward, backward)`, in place of `merge`.
        time_major: inputs and outputs are `(T, B, ...)` instead of `(B, T, ...)`.
        return_carry: return `(carry, outputs)`, the carry a pair, instead of the outputs.
        rngs: as for `RNN`.

    Raises:
        UserError: `merge` is unknown.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> from seqnets.nn import GRUCell, RNN
        >>> rngs = nnx.Rngs(0)
        >>> both = BidirectionalRNN(RNN(GRUCell(3, 5, rngs=rngs)), RNN(GRUCell(3, 5, rngs=rngs)))
        >>> both(jnp.ones((2, 7, 3))).shape
        (2, 7, 10)
    """

    def __init__(
        self,
        forward_rnn: Any,
        backward_rnn: Any,
        *,
        merge: Literal["concat", "concatenate", "sum", "mul", "ave"] | None = "concat",
        merge_fn: Callable[[Array, Array], Any] | None = None,
        time_major: bool = False,
        return_carry: bool = False,
        rngs: Randomness = True,
    ):
        self.merge = choice("merge", merge, MERGES)
        self.merge_fn = merge_fn
        self.forward = forward_rnn
        self.backward = backward_rnn
        self.time_major = time_major
        self.return_carry = return_carry
        self.rngs = rngs.carry.fork() if isinstance(rngs, nnx.Rngs) else rngs

    @property
    def forward_rnn(self) -> Any:
        """The layer that reads from the first step on; `forward` in the paths of weights."""
        return self.forward

    @property
    def backward_rnn(self) -> Any:
        """The layer that reads from the last step on; `backward` in the paths of weights."""
        return self.backward

    @property
    def num_feature_axes(self) -> int:
        """How many axes of the inputs come after batch and time."""
        return _layer_feature_axes(self.forward)

    def __call__(
        self,
        inputs: Array,
        *,
        initial_carry: tuple[Carry, Carry] | None = None,
        seq_lengths: Array | None = None,
        lengths: Array | None = None,
        mask: Array | None = None,
        resets: None = None,
        key: Array | None = None,
        return_carry: bool | None = None,
        return_states: bool = False,
        time_major: bool | None = None,
        reverse: bool | None = None,
        keep_order: bool | None = None,
        rngs: nnx.Rngs | nnx.RngStream | None = None,
        projected: bool = False,
    ) -> Any:
        """Run both layers; arguments and result as for `RNN`, the carry and the states a pair (forward, backward).

        As in Flax, `reverse` and `keep_order` change nothing.

        Raises:
            UserError: as for `RNN`; also for resets, which would begin a sequence for one direction and end it for the other, and
                for projected inputs, which only one direction could have.
        """
        del reverse, keep_order
        if resets is not None:
            raise UserError("a bidirectional layer has no resets; give each sequence its own row, with lengths")
        if projected:
            raise UserError("a bidirectional layer takes raw inputs, and these were projected for one direction")
        time_major = self.time_major if time_major is None else time_major
        inputs = arguments.as_array("inputs", inputs)
        _rows(inputs, self.num_feature_axes, time_major)
        lengths = arguments.one_of(lengths=lengths, seq_lengths=seq_lengths)
        call = {"seq_lengths": lengths, "time_major": time_major, "rngs": self._stream(rngs), "return_carry": True}
        call |= {} if mask is None else {"mask": mask}
        call |= {"return_states": True} if return_states else {}
        keys = (None, None) if key is None else jax.random.split(key)
        ways = zip((self.forward, self.backward), _pair(initial_carry), keys, (False, True), strict=True)
        results = [
            layer(inputs, initial_carry=start, reverse=back, keep_order=True, **call, **({} if own is None else {"key": own}))
            for layer, start, own, back in ways
        ]
        carry, outputs, *states = zip(*results, strict=True)
        merge: Any = self.merge_fn or MERGES[self.merge]
        wants_carry = self.return_carry if return_carry is None else return_carry
        found = [*([carry] if wants_carry else []), jax.tree.map(merge, *outputs), *states]
        return tuple(found) if len(found) > 1 else found[0]

    def _stream(self, rngs: Any) -> nnx.RngStream | None:
        rngs = self.rngs if rngs is None else rngs
        if isinstance(rngs, bool):  # one stream for both, so that they do not draw the same
            draws = rngs and any(_draws(layer) for layer in (self.forward, self.backward))
            return nnx.RngStream(0, tag="carry") if draws else None
        return rngs.carry if isinstance(rngs, nnx.Rngs) else rngs


def _draws(layer: Any) -> bool:
    cell = getattr(layer, "cell", None)
    return not isinstance(cell, Cell) or cell.carry_init is not None


def _layer_feature_axes(layer: Any) -> int:
    return getattr(layer, "num_feature_axes", None) or layer.cell.num_feature_axes


def _pair(carry: Any) -> tuple[Any, ...]:
    if carry is None:
        return (None, None)
    return arguments.entries(carry, 2, name="initial_carry", whole="the bidirectional layer", part="direction")


def _rows(inputs: Array, feature_axes: int, time_major: bool) -> Rows:
    if inputs.ndim < 1 + feature_axes:
        raise UserError(f"inputs must have the shape (batch, time, features), not {inputs.shape}")
    return Rows.of(inputs.shape, feature_axes, time_major)


def _transposed(mask: Array | None) -> Array | None:
    return None if mask is None else mask.T

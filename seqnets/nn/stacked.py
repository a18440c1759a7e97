"""Stacked and bidirectional recurrent layers."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.errors import UserError
from seqnets.nn.cells.base import is_as_stated
from seqnets.nn.packed import pack_layers
from seqnets.nn.regularize import dropout, locked_dropout
from seqnets.nn.rnn import RNN
from seqnets.ops import arguments, stack_step
from seqnets.ops.masking import without_padding
from seqnets.ops.recurrent import Carry, Recurrence, hidden_of
from seqnets.ops.stack_step import PackedStack


class StackedRNN(nnx.Module):
    """A stack of recurrent layers; the carry is a tuple with one entry per layer.

    Args:
        layers: `RNN` or `BidirectionalRNN` layers, lowest first, all batch-major.
        residual: add each layer's input to its output, wherever the two have the same size.
        dropout: rate between layers (not after the last) while a key is given.
        locked: draw one dropout mask for all steps of a sequence (Gal & Ghahramani, 2016).
        return_carry: return `(outputs, carry)` instead of the outputs.

    Raises:
        UserError: there are no layers, or one is time-major.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> from seqnets.nn import LSTMCell, RNN
        >>> rngs = nnx.Rngs(0)
        >>> stack = StackedRNN([RNN(LSTMCell(3, 5, rngs=rngs)), RNN(LSTMCell(5, 5, rngs=rngs))], residual=True)
        >>> outputs, carry = stack(jnp.ones((2, 7, 3)), return_carry=True)
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

    def __call__(
        self,
        inputs: Array,
        *,
        initial_carry: Sequence[Carry] | None = None,
        lengths: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
        return_carry: bool | None = None,
        projected: bool = False,
    ) -> Any:
        """Run all layers; arguments and result as for `RNN`, `initial_carry` with one entry per layer."""
        starts = (None,) * len(self.layers)
        if initial_carry is not None:
            starts = arguments.entries(initial_carry, len(self.layers), name="initial_carry")
        inputs, lengths, resets = _batch_major(inputs, lengths, resets)
        inputs = without_padding(inputs, lengths)
        outputs, carry = self._run(inputs, starts, lengths, resets, key, projected)
        wants_carry = self.return_carry if return_carry is None else return_carry
        return (outputs, carry) if wants_carry else outputs

    def _run(self, inputs: Array, starts, lengths, resets, key, projected: bool) -> tuple[Array, tuple[Carry, ...]]:
        keys = [None] * len(self.layers) if key is None else jax.random.split(key, len(self.layers))
        shared = {"lengths": lengths, "return_carry": True} | ({} if resets is None else {"resets": resets})
        only_first = {"projected": True} if projected else {}
        x, first = self.layers[0](inputs, initial_carry=starts[0], key=keys[0], **only_first, **shared)
        x, carry = x if projected else self.join(inputs, x), [first]
        for layer, start, layer_key in zip(self.layers[1:], starts[1:], keys[1:], strict=True):
            x = self._between(x, layer_key)
            outputs, last = layer(x, initial_carry=start, key=layer_key, **shared)
            x = self.join(x, outputs)
            carry.append(last)
        return x, tuple(carry)

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
            raise UserError(f"a stepper needs seqnets cells with their own step, got {changed[0]}; call the stack with one step")
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


class BidirectionalRNN(nnx.Module):
    """Two recurrent layers over the same sequence, one in each direction (Schuster & Paliwal, 1997).

    Args:
        forward: a layer.
        backward: a layer with `reverse=True`.
        merge: "concatenate" the outputs on the last axis, or "sum" them.
        return_carry: return `(outputs, carry)`, the carry a pair, instead of the outputs.

    Raises:
        UserError: `backward` does not run in reverse, or `merge` is unknown.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> from seqnets.nn import GRUCell, RNN
        >>> rngs = nnx.Rngs(0)
        >>> both = BidirectionalRNN(RNN(GRUCell(3, 5, rngs=rngs)), RNN(GRUCell(3, 5, rngs=rngs), reverse=True))
        >>> both(jnp.ones((2, 7, 3))).shape
        (2, 7, 10)
    """

    def __init__(
        self,
        forward: RNN,
        backward: RNN,
        *,
        merge: Literal["concatenate", "sum"] = "concatenate",
        return_carry: bool = False,
    ):
        if forward.reverse or not backward.reverse:
            raise UserError("`forward` must run forward and `backward` be built with reverse=True")
        if merge not in ("concatenate", "sum"):
            raise UserError(f"merge must be 'concatenate' or 'sum', got {merge!r}")
        self.forward = forward
        self.backward = backward
        self.merge = merge
        self.return_carry = return_carry

    def __call__(
        self,
        inputs: Array,
        *,
        initial_carry: tuple[Carry, Carry] | None = None,
        lengths: Array | None = None,
        resets: None = None,
        key: Array | None = None,
        return_carry: bool | None = None,
        projected: bool = False,
    ) -> Any:
        """Run both layers; arguments and result as for `RNN`, the carry a pair (forward, backward).

        Raises:
            UserError: as for `RNN`; also for resets, which would begin a sequence for one direction and end it for the other, and
                for projected inputs, which only one direction could have.
        """
        if resets is not None:
            raise UserError("a bidirectional layer has no resets; give each sequence its own row, with lengths")
        if projected:
            raise UserError("a bidirectional layer takes raw inputs, and these were projected for one direction")
        starts = _pair(initial_carry)
        inputs, lengths, _ = _batch_major(inputs, lengths, None)
        inputs = without_padding(inputs, lengths)
        outputs, carry = self._run(inputs, starts, lengths, key)
        wants_carry = self.return_carry if return_carry is None else return_carry
        return (outputs, carry) if wants_carry else outputs

    def _run(self, inputs: Array, starts, lengths, key: Array | None) -> tuple[Array, tuple[Carry, Carry]]:
        keys = (None, None) if key is None else jax.random.split(key)
        results = [
            layer(inputs, initial_carry=start, lengths=lengths, key=layer_key, return_carry=True)
            for layer, start, layer_key in zip((self.forward, self.backward), starts, keys, strict=True)
        ]
        (ahead, ahead_carry), (back, back_carry) = results
        outputs = jnp.concatenate([ahead, back], axis=-1) if self.merge == "concatenate" else ahead + back
        return outputs, (ahead_carry, back_carry)


def _pair(carry: Any) -> tuple[Any, ...]:
    if carry is None:
        return (None, None)
    return arguments.entries(carry, 2, name="initial_carry", whole="the bidirectional layer", part="direction")


def _batch_major(inputs: Any, lengths: Any, resets: Any) -> tuple[Array, Array | None, Array | None]:
    inputs = arguments.as_array("inputs", inputs)
    if inputs.ndim < 3:
        raise UserError(f"inputs must have the shape (batch, time, features), got {inputs.shape}")
    return inputs, *arguments.masks_of(inputs.shape, lengths, resets, row_axis=0)

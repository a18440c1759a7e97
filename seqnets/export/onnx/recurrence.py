"""Recurrences over time in ONNX: its own RNN, LSTM and GRU where they compute the same, else a Scan over our step."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Primitive

from seqnets.export.onnx.graph import Graph, Value
from seqnets.ops.linear import multiply
from seqnets.ops.recurrent import Carry, LSTMState, Recurrence, RecurrentWeights, hidden_of
from seqnets.ops.timestep import TimeInputs, advance

# a whole recurrence as one operation of a traced program: arrays of (weights, carry, inputs) to outputs and the last carry
OVER_TIME = Primitive("over_time")
OVER_TIME.multiple_results = True


@OVER_TIME.def_abstract_eval
def _shapes(*avals: Any, tree: Any, recurrence: Recurrence, reverse: bool) -> list[Any]:
    del recurrence, reverse
    _, carry, inputs = jax.tree.unflatten(tree, avals)
    steps, rows, _ = inputs.projected.shape
    outputs = inputs.projected.update(shape=(steps, rows, hidden_of(carry).shape[-1]))
    return [outputs, *jax.tree.leaves(carry)]


def as_one_operation(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Any, Carry]:
    """Run a recurrence as `OVER_TIME`, for `seqnets.ops.over_time.run_by`."""
    leaves, tree = jax.tree.flatten((weights, carry, inputs))
    outputs, *last = OVER_TIME.bind(*leaves, tree=tree, recurrence=recurrence, reverse=reverse)
    return outputs, jax.tree.unflatten(jax.tree.structure(carry), last)


class _Own(NamedTuple):
    """An operator of ONNX: its name, the places of our gates in its order, and its attributes."""

    operator: str
    gates: tuple[int, ...]
    attributes: dict[str, Any]


_OWN = {
    "vanilla_tanh": _Own("RNN", (0,), {"activations": ["Tanh"]}),
    "vanilla_relu": _Own("RNN", (0,), {"activations": ["Relu"]}),
    "lstm": _Own("LSTM", (0, 3, 1, 2), {}),  # i, o, f, c
    "gru_reset_after": _Own("GRU", (1, 0, 2), {"linear_before_reset": 1}),  # z, r, h
    "gru_reset_before": _Own("GRU", (1, 0, 2), {"linear_before_reset": 0}),
}


def over_time(graph: Graph, values: list[Value], eqn: Any, body: Any) -> list[Value]:
    """Write `OVER_TIME` into a graph.

    Args:
        graph: the graph.
        values: the arrays.
        eqn: the operation.
        body: `body(graph, function, values, avals) -> values` writes a function into a graph.
    """
    params = eqn.params
    avals = [var.aval for var in eqn.invars]
    values = [graph.full(value, aval.shape) for value, aval in zip(values, avals)]
    weights, carry, inputs = jax.tree.unflatten(params["tree"], values)
    recurrence: Recurrence = params["recurrence"]
    plain = not recurrence.layer_norm and inputs.resets is None and inputs.valid is None and inputs.zoneout is None
    constant = all(value.array is not None for value in jax.tree.leaves(weights))
    if recurrence.name in _OWN and plain and constant:
        return _own(graph, recurrence, weights, carry, inputs.projected, params["reverse"])
    return _scan(graph, params, values, avals, body)


def _own(graph: Graph, recurrence: Recurrence, weights: Any, carry: Any, projected: Value, reverse: bool) -> list[Value]:
    own = _OWN[recurrence.name]
    hidden, gates = hidden_of(carry).shape[-1], recurrence.gates
    x, kernel, bias = _inputs(graph, projected)
    recurrent = np.concatenate([value.array for value in weights.kernels], axis=1)
    second = np.zeros(gates * hidden, np.float32)
    if "recurrent_bias" in weights.vectors:
        second[-hidden:] = weights.vectors["recurrent_bias"].array

    def theirs(array: np.ndarray) -> np.ndarray:
        blocks = np.split(array, gates, axis=-1)
        return np.ascontiguousarray(np.concatenate([blocks[place] for place in own.gates], axis=-1).T)[None]

    both = np.concatenate([theirs(bias), theirs(second)], axis=-1)
    states: list[Any] = [carry.hidden, carry.cell] if isinstance(carry, LSTMState) else [carry]
    first = [graph.named(graph.reshaped(state, (1, *state.shape))) for state in states]
    constants = [graph.named(graph.constant(array)) for array in (theirs(kernel), theirs(recurrent), both)]
    direction = "reverse" if reverse else "forward"
    names = graph.node(
        own.operator,
        [graph.named(x), *constants, "", *first],
        1 + len(states),
        hidden_size=hidden,
        direction=direction,
        **own.attributes,
    )
    steps, rows, _ = projected.shape
    outputs = Value((steps, 1, rows, hidden), projected.dtype, names[0], order=(0, 1, 2, 3))
    ends = [Value((1, rows, hidden), projected.dtype, name, order=(0, 1, 2)) for name in names[1:]]
    found = [_without_axis(graph, outputs, 1), *(_without_axis(graph, end, 0) for end in ends)]
    return [found[0], *reversed(found[1:])]  # our state is (cell, hidden)


def _without_axis(graph: Graph, value: Value, axis: int) -> Value:
    place = graph.named(graph.constant(np.array([axis], np.int64)))
    shape = (*value.shape[:axis], *value.shape[axis + 1 :])
    return Value(shape, value.dtype, graph.node("Squeeze", [value.name, place])[0], order=tuple(range(len(shape))))


def _inputs(graph: Graph, projected: Value) -> tuple[Value, np.ndarray, np.ndarray]:
    """Return inputs, kernel and bias whose product and sum are the projected inputs: those that the graph has computed them from.

    Where it has not, the inputs are the projected ones and the kernel is the identity.
    """
    chain, name = [], projected.name
    bias = np.zeros(projected.shape[-1], np.float32)
    constants = graph.root.constants
    while (node := graph.root.made.get(name)) is not None:
        source, *others = node.input
        if node.op_type in ("Reshape", "Transpose"):
            chain.append(node)
        elif node.op_type == "Add" and others[0] in constants and constants[others[0]].size == bias.size:
            bias = bias + constants[others[0]].reshape(-1)
        elif node.op_type == "MatMul" and others[0] in constants:
            kernel = constants[others[0]]
            return _replayed(graph, source, chain[::-1], projected, kernel.shape[0]), kernel, bias
        elif node.op_type == "Gather" and constants.get(source, bias).ndim == 2 and len(constants[source]) < len(bias):
            table = constants[source]  # a product with one-hot tokens
            return _replayed(graph, _one_hot(graph, others[0], len(table)), chain[::-1], projected, len(table)), table, bias
        else:
            break
        name = source
    width = projected.shape[-1]
    return projected, np.eye(width, dtype=np.float32), np.zeros(width, np.float32)


def _one_hot(graph: Graph, tokens: str, size: int) -> str:
    from onnx import TensorProto

    wide = graph.node("Cast", [tokens], to=TensorProto.INT64)[0]
    depth, values = (graph.named(graph.constant(array)) for array in (np.array(size, np.int64), np.array([0, 1], np.float32)))
    return graph.node("OneHot", [wide, depth, values])[0]


def _replayed(graph: Graph, name: str, chain: list[Any], projected: Value, features: int) -> Value:
    """Move the rows of a product's input to the places of time and batch, as its result was moved."""
    shape = (*projected.shape[:2], features)
    for node in chain:
        if node.op_type == "Transpose":
            name = graph.node("Transpose", [name], perm=list(node.attribute[0].ints))[0]
        else:
            target = graph.root.constants.get(node.input[1])
            if target is None:  # computed from symbolic sizes; only the last is another
                sizes = graph.node("Slice", [node.input[1], *_span(graph, 0, -1)])[0]
                last = graph.named(graph.constant(np.array([features], np.int64)))
                dims = graph.node("Concat", [sizes, last], axis=0)[0]
            else:
                dims = graph.named(graph.constant(np.array([*target[:-1], features], np.int64)))
            name = graph.node("Reshape", [name, dims])[0]
    return Value(shape, projected.dtype, name, order=(0, 1, 2))


def _span(graph: Graph, start: int, stop: int) -> list[str]:
    return [graph.named(graph.constant(np.array([number], np.int64))) for number in (start, stop)]


def _scan(graph: Graph, params: Any, values: list[Value], avals: list[Any], body: Any) -> list[Value]:
    from onnx import helper

    weights, carry, inputs = jax.tree.unflatten(params["tree"], values)
    _, carry_avals, input_avals = jax.tree.unflatten(params["tree"], avals)
    recurrence: Recurrence = params["recurrence"]
    state_leaves, state_tree = jax.tree.flatten(carry)
    time_leaves, time_tree = jax.tree.flatten(inputs)
    step_avals = [
        *jax.tree.leaves(carry_avals),
        *(jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for a in jax.tree.leaves(input_avals)),
    ]
    weight_leaves, weight_tree = jax.tree.flatten(weights)
    weight_avals = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in weight_leaves]

    def step(*leaves: Any) -> Any:
        count, parts = len(weight_leaves), len(state_leaves)
        held = jax.tree.unflatten(weight_tree, leaves[:count])
        before = jax.tree.unflatten(state_tree, leaves[count : count + parts])
        now = jax.tree.unflatten(time_tree, leaves[count + parts :])
        after, output = advance(recurrence, held.vectors, lambda k, a: multiply(a, held.kernels[k]), before, now)
        return *jax.tree.leaves(after), output

    inner = Graph(graph)
    given = [inner.input(graph.fresh("in"), aval.shape, aval.dtype, sized=False) for aval in step_avals]
    results, result_avals = body(inner, step, [*weight_leaves, *given], [*weight_avals, *step_avals])
    for value, aval in zip(results, result_avals):
        inner.output(value, aval.shape)
    loop = helper.make_graph(inner.nodes, graph.fresh("step"), inner.inputs, inner.outputs)
    backward = int(params["reverse"])
    names = graph.node(
        "Scan",
        [graph.named(value) for value in (*state_leaves, *time_leaves)],
        len(state_leaves) + 1,
        body=loop,
        num_scan_inputs=len(time_leaves),
        scan_input_directions=[backward] * len(time_leaves),
        scan_output_directions=[backward],
    )
    steps = inputs.projected.shape[0]
    rows = hidden_of(carry).shape
    outputs = Value((steps, *rows), inputs.projected.dtype, names[-1], order=(0, 1, 2))
    ends = [
        Value(state.shape, state.dtype, name, order=tuple(range(len(state.shape)))) for state, name in zip(state_leaves, names)
    ]
    return [outputs, *ends]

"""A program as an ONNX model."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from seqnets.errors import UserError
from seqnets.export.onnx.graph import IR_VERSION, OPSET, Graph, Value
from seqnets.export.onnx.operators import OPERATORS
from seqnets.export.onnx.recurrence import OVER_TIME, as_one_operation, over_time
from seqnets.export.onnx.simplify import simplify
from seqnets.export.programs import Program
from seqnets.ops.over_time import run_by

_LAZY = {"broadcast_in_dim", "iota", "transpose"}  # which cost nothing as they are, and would be large as constants


def onnx_model(program: Program) -> bytes:
    """Return a program as an ONNX model; the weights are in it.

    Recurrences over time become ONNX's RNN, LSTM and GRU where they compute the same, else a Scan.

    Args:
        program: the program.

    Raises:
        UserError: onnx is not installed, or an operation of the program has no counterpart.
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError:
        raise UserError("ONNX files are written by the package onnx; `pip install 'seqnets[export]'`") from None
    graph = Graph()
    with run_by(as_one_operation):
        closed = jax.make_jaxpr(program.afresh())(*program.inputs.values())
    given = [graph.input(name, spec.shape, spec.dtype) for name, spec in program.inputs.items()]
    found = _written(graph, closed.jaxpr, [graph.constant(np.asarray(array)) for array in closed.consts], given)
    for name, value, aval in zip(program.outputs, found, closed.out_avals, strict=True):
        graph.output(value, aval.shape, name)
    simplify(graph)
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    made = helper.make_graph(graph.nodes, program.name, graph.inputs, graph.outputs, constants, doc_string=program.what)
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="seqnets"
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _written(graph: Graph, jaxpr: Jaxpr, constants: Sequence[Value], given: Sequence[Value]) -> list[Value]:
    known: dict[Any, Value] = dict(zip(jaxpr.constvars, constants)) | dict(zip(jaxpr.invars, given))

    def value_of(var: Any) -> Value:
        aval: Any = var.aval
        return graph.constant(np.asarray(var.val, aval.dtype)) if isinstance(var, Literal) else known[var]

    for eqn in jaxpr.eqns:
        results = _step(graph, eqn, [value_of(var) for var in eqn.invars])
        known |= dict(zip(eqn.outvars, results))
    return [value_of(var) for var in jaxpr.outvars]


def _step(graph: Graph, eqn: Any, values: list[Value]) -> list[Value]:
    name = eqn.primitive.name
    inner = next((eqn.params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in eqn.params), None)
    if isinstance(inner, ClosedJaxpr):
        return _written(graph, inner.jaxpr, [graph.constant(np.asarray(array)) for array in inner.consts], values)
    if isinstance(inner, Jaxpr):
        return _written(graph, inner, [], values)
    if eqn.primitive is OVER_TIME:
        return over_time(graph, values, eqn, _body)
    if name not in _LAZY and all(value.array is not None for value in values) and _is_small(eqn):
        return _computed(graph, eqn, values)
    if name not in OPERATORS:
        raise UserError(f"ONNX files of seqnets have no operator for {name!r}; export stablehlo")
    return OPERATORS[name](graph, values, eqn)


def _is_small(eqn: Any) -> bool:
    # what is computed from constants alone is a constant, of a size that is known
    return all(isinstance(size, int) for var in (*eqn.invars, *eqn.outvars) for size in var.aval.shape)


def _computed(graph: Graph, eqn: Any, values: list[Value]) -> list[Value]:
    arrays = [graph.full(value, var.aval.shape).array for value, var in zip(values, eqn.invars)]
    results = eqn.primitive.bind(*map(jax.numpy.asarray, arrays), **eqn.params)
    results = results if eqn.primitive.multiple_results else [results]
    return [graph.constant(np.asarray(result)) for result in results]


def _body(
    graph: Graph, function: Callable[..., Any], values: Sequence[Value], avals: Sequence[Any]
) -> tuple[list[Value], Sequence[Any]]:
    closed = jax.make_jaxpr(function)(*(jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals))
    constants = [graph.constant(np.asarray(array)) for array in closed.consts]
    return _written(graph, closed.jaxpr, constants, values), closed.out_avals

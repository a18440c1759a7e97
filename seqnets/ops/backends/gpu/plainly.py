"""Rewrites a function in the primitives that a GPU kernel may use.

JAX's reverse mode adds cotangents with a special primitive, and functions with custom derivatives are calls of another one.
Mosaic supports neither.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core
from jax.extend.core import primitives

_INNER = {primitives.jit_p: "jaxpr", primitives.custom_jvp_call_p: "call_jaxpr"}


def plainly(function: Callable, *arguments: Any) -> Any:
    """Call a function with all inner calls inlined, and every `add_any` replaced by `add`.

    Args:
        function: a function of trees of arrays.
        arguments: its arguments.

    Example:
        >>> slope = jax.grad(lambda x: x * x + x)
        >>> "add_any" in str(jax.make_jaxpr(slope)(1.0))
        True
        >>> "add_any" in str(jax.make_jaxpr(lambda x: plainly(slope, x))(1.0))
        False
        >>> plainly(slope, 1.0).item(), plainly(jax.nn.relu, 3.0).item()
        (3.0, 3.0)
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    results = _evaluate(closed.jaxpr, closed.consts, jax.tree.leaves(arguments))
    return jax.tree.unflatten(jax.tree.structure(shapes), results)


def _evaluate(jaxpr: core.Jaxpr, constants: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True))

    def value(variable: Any) -> Any:
        return variable.val if isinstance(variable, core.Literal) else known[variable]

    for equation in jaxpr.eqns:
        results = _results(equation, list(map(value, equation.invars)))
        known.update(zip(equation.outvars, results, strict=True))
    return list(map(value, jaxpr.outvars))


def _results(equation: core.JaxprEqn, inputs: list[Any]) -> Sequence[Any]:
    if equation.primitive is primitives.add_jaxvals_p:
        return [jax.lax.add(*inputs)]
    if equation.primitive in _INNER:
        inner = equation.params[_INNER[equation.primitive]]
        return _evaluate(inner.jaxpr, inner.consts, inputs)
    results: Any = equation.primitive.bind(*inputs, **equation.primitive.get_bind_params(equation.params))
    return results if equation.primitive.multiple_results else [results]

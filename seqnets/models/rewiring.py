"""Another backward pass for a network that stays as it is: the gradient of every ReLU follows another rule."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun

from seqnets.errors import UserError
from seqnets.suggestion import nearest

Rule = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""`rule(x, passes, gradient)`: the ReLU's input, whether its plain gradient passes there, and the gradient that arrives."""


def guided(x: jax.Array, passes: jax.Array, gradient: jax.Array) -> jax.Array:
    """Pass a positive gradient where the unit is active: $g [x > 0] [g > 0]$."""
    return jnp.where(passes & (gradient > 0), gradient, 0)


def deconvolution(x: jax.Array, passes: jax.Array, gradient: jax.Array) -> jax.Array:
    """Pass a positive gradient whether or not the unit is active: $g [g > 0]$."""
    return jnp.where(gradient > 0, gradient, 0)


def redirected(x: jax.Array, passes: jax.Array, gradient: jax.Array) -> jax.Array:
    """Pass the plain gradient; if it is 0 for a whole example, pass what raises inactive units, so that a dead start moves."""
    plain = jnp.where(passes, gradient, 0)
    dead = ~jnp.any(plain != 0, axis=tuple(range(1, x.ndim)), keepdims=True)
    return jnp.where(dead & ((x >= 0) | (gradient > 0)), gradient, plain)


RULES: dict[str, Rule] = {"guided": guided, "deconvolution": deconvolution, "redirected": redirected}


def rewired(function: Callable[..., Any], rule: str | Rule = "guided") -> Callable[..., Any]:
    r"""Return a function with the same values whose gradient follows another rule at every ReLU.

    The function is traced, and its program is evaluated with every `jax.nn.relu` and `jax.nn.relu6` replaced, so that the
    network needs no change. The rules, for a function that is to grow:

    $$ \text{guided: } g_{in} = g [x > 0] [g > 0], \qquad \text{deconvolution: } g_{in} = g [g > 0] $$

    and `redirected`: the plain gradient, or where that is 0 for a whole example, the gradient at the units that are active or
    would become so.

    Args:
        function: of arrays, or of trees of arrays.
        rule: "guided", "deconvolution", "redirected", or a `Rule`.

    Raises:
        UserError: the rule is unknown; or, when called, the function has no ReLU, or one inside a loop.

    Example:
        >>> def function(x):
        ...     return jnp.sum(jnp.array([1.0, -1.0, 1.0]) * jax.nn.relu(x))
        >>> x = jnp.array([2.0, 3.0, -1.0])
        >>> jax.grad(function)(x).tolist(), jax.grad(rewired(function, "guided"))(x).tolist()
        ([1.0, -1.0, 0.0], [1.0, 0.0, 0.0])
        >>> jax.grad(rewired(function, "deconvolution"))(x).tolist()
        [1.0, 0.0, 1.0]

    References:
        Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.
        Springenberg, Dosovitskiy, Brox and Riedmiller, "Striving for simplicity: the all convolutional net", 2015.
        Olah, Mordvintsev and Schubert, "Feature visualization", 2017 (redirected).
    """
    if isinstance(rule, str) and rule not in RULES:
        raise UserError(f"no rule of gradients is called {rule!r}{nearest(rule, RULES)}")
    chosen = RULES[rule] if isinstance(rule, str) else rule

    @wraps(function)
    def run(*args: Any) -> Any:
        program, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
        if not any(_is_relu(eqn) for eqn in _equations(program.jaxpr)):
            raise UserError("the network has no ReLU, and only ReLUs have other rules; take the plain gradient")
        outputs = _evaluate(program.jaxpr, program.consts, jax.tree.leaves(args), chosen)
        return jax.tree.unflatten(jax.tree.structure(shapes), outputs)

    return run


def _evaluate(jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any], rule: Rule) -> list[Any]:
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

    def read(var: Any) -> Any:
        return var.val if isinstance(var, Literal) else values[var]

    for eqn in jaxpr.eqns:
        values |= zip(eqn.outvars, _outputs(eqn, [read(var) for var in eqn.invars], rule), strict=True)
    return [read(var) for var in jaxpr.outvars]


def _outputs(eqn: Any, inputs: Sequence[Any], rule: Rule) -> Sequence[Any]:
    if _is_relu(eqn):
        return [_rectified(rule, eqn, inputs[0])]
    if eqn.primitive.name in ("jit", "pjit", "checkpoint", "remat2"):
        inner = eqn.params["jaxpr"]
        jaxpr, consts = (inner.jaxpr, inner.consts) if isinstance(inner, ClosedJaxpr) else (inner, [])
        return _evaluate(jaxpr, consts, inputs, rule)
    if any(_is_relu(inner) for jaxpr in _inside(eqn) for inner in _equations(jaxpr)):
        raise UserError(f"a ReLU inside a {eqn.primitive.name} keeps its gradient; write the layers of the loop out")
    outputs = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
    return outputs if eqn.primitive.multiple_results else [outputs]


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _rectified(rule: Rule, eqn: Any, x: jax.Array) -> jax.Array:
    return jaxpr_as_fun(eqn.params["call_jaxpr"])(x)[0]


def _forward(rule: Rule, eqn: Any, x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    y = jnp.asarray(_rectified(rule, eqn, x))
    return y, (x, jnp.equal(y, x))


def _backward(rule: Rule, eqn: Any, kept: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array]:
    x, same = kept
    return (rule(x, same & (x > 0), gradient),)


_rectified.defvjp(_forward, _backward)


def _is_relu(eqn: Any) -> bool:
    # in JAX 0.10 the parameters of a custom_jvp_call do not hold its name: the program inside shows what it is
    if eqn.primitive.name != "custom_jvp_call":
        return False
    steps = [inner for inner in _equations(eqn.params["call_jaxpr"].jaxpr) if inner.primitive.name not in ("jit", "pjit")]
    kinds = [(step.primitive.name, [float(var.val) for var in step.invars if isinstance(var, Literal)]) for step in steps]
    return kinds in ([("max", [0.0])], [("max", [0.0]), ("min", [6.0])])


def _equations(jaxpr: Jaxpr) -> Iterator[Any]:
    for eqn in jaxpr.eqns:
        yield eqn
        for inner in _inside(eqn):
            yield from _equations(inner)


def _inside(eqn: Any) -> list[Jaxpr]:
    found = [item for value in eqn.params.values() for item in (value if isinstance(value, tuple) else (value,))]
    return [item.jaxpr if isinstance(item, ClosedJaxpr) else item for item in found if isinstance(item, ClosedJaxpr | Jaxpr)]

"""Derivatives of every order and mode for a function with its own fast backward pass.

JAX's `custom_vjp` provides only the first derivative, in reverse mode. Here a function also has a plain definition, from which
all other derivatives come:

- the first derivative in reverse mode, used by training, runs the fast forward and backward passes, at no extra cost;
- forward mode differentiates the definition;
- so do all derivatives of the backward pass, in both modes.

The tangent of a result is a linear map of the tangents of the arguments, and the backward pass is that map transposed. Both
directions are one primitive, so that JAX can apply it, transpose it, batch it, and differentiate it by what determines it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import jax
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive, unmapped_aval
from jax.interpreters import ad, batching, mlir

Leaves = Sequence[Array]
Apply = Callable[[Leaves, Leaves], list[Array]]  # (what determines the map, vectors) -> vectors


def differentiable(
    definition: Callable[..., Any],
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[..., tuple[Any, ...]],
    primal: Callable[..., Any] | None = None,
    *,
    reads_results: bool = True,
) -> Callable[..., Any]:
    """Return a function with a fast backward pass and derivatives of every order and mode.

    Args:
        definition: the function, in operations that JAX differentiates.
        forward: `forward(*arguments) -> (results, kept)`, where `kept` is for the backward pass.
        backward: `backward(arguments, results, kept, d_results)`, the cotangents of the arguments; where a part
            of them is None, the definition is differentiated.
        primal: the function where nothing is differentiated; without it, `forward` without the kept values.
        reads_results: the backward pass reads `results`; if not, it gets None, and they need not be kept.

    Returns:
        A function of the same arguments, which are trees of arrays; its results are floating-point.

    Example:
        >>> import jax.numpy as jnp
        >>> cube = differentiable(lambda x: x**3, lambda x: (x**3, x * x), lambda arguments, y, square, d: (3 * d * square,))
        >>> jax.grad(cube)(2.0).item(), jax.grad(jax.grad(cube))(2.0).item(), jax.jvp(cube, (2.0,), (1.0,))[1].item()
        (12.0, 12.0, 12.0)
    """

    @jax.custom_jvp
    def run(*arguments: Any) -> Any:
        return forward(*arguments)[0] if primal is None else primal(*arguments)

    @jax.custom_jvp
    def run_and_keep(*arguments: Any) -> Any:
        return forward(*arguments)

    def derive(arguments: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[tuple[Any, Any], Any]:
        results, kept = run_and_keep(*arguments)
        known = (arguments, results if reads_results else None, kept)
        return (results, kept), _tangents(definition, backward, known, results, tangents)

    def run_jvp(arguments: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        (results, _), d_results = derive(arguments, tangents)
        return results, d_results

    def run_and_keep_jvp(arguments: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        (results, kept), d_results = derive(arguments, tangents)
        # only the fast backward pass uses the kept values; its own derivatives do not
        return (results, kept), (d_results, jax.tree.map(_no_tangent, kept))

    run.defjvp(run_jvp, symbolic_zeros=True)
    run_and_keep.defjvp(run_and_keep_jvp, symbolic_zeros=True)
    return run


def _tangents(
    definition: Callable, backward: Callable, known: tuple[tuple[Any, ...], Any, Any], results: Any, tangents: Any
) -> Any:
    leaves, structure = jax.tree.flatten(known)
    vectors = jax.tree.leaves(tangents)
    active = [i for i, vector in enumerate(vectors) if not _is_zero(vector)]
    results, outside = jax.tree.flatten(results)

    def at(known: Leaves, places: Sequence[int] = active) -> tuple[Callable, list[Array]]:
        arguments, inside = jax.tree.flatten(jax.tree.unflatten(structure, known)[0])

        def of_active(*moving: Array) -> list[Array]:
            moved = dict(zip(places, moving, strict=True))
            return jax.tree.leaves(definition(*inside.unflatten([moved.get(i, leaf) for i, leaf in enumerate(arguments)])))

        return of_active, [arguments[i] for i in places]

    def push(known: Leaves, vectors: Leaves) -> list[Array]:
        function, points = at(known)
        return jax.jvp(function, points, list(vectors))[1]

    def pull_definition(known: Leaves, d_results: Leaves, places: Sequence[int] = active) -> list[Array]:
        function, points = at(known, places)
        return list(jax.vjp(function, *points)[1](list(d_results)))

    def pull(known: Leaves, d_results: Leaves) -> list[Array]:
        arguments, results, kept = jax.tree.unflatten(structure, known)
        found = _spread(backward(arguments, results, kept, outside.unflatten(d_results)), arguments)
        left_out = [i for i in active if found[i] is _MISSING]
        rest: Any = dict(zip(left_out, pull_definition(known, d_results, left_out))) if left_out else {}
        return [rest.get(i, found[i]) for i in active]

    pair = _Map(push, push, pull, pull_definition)
    return outside.unflatten(_apply(pair, leaves, [vectors[i] for i in active], [jax.typeof(leaf) for leaf in results]))


_MISSING: Any = object()


def _spread(cotangents: Any, arguments: Any) -> list[Any]:
    """Return the cotangent of every leaf, `_MISSING` for those below a None."""
    return jax.tree.leaves(
        jax.tree.map(
            lambda d, part: jax.tree.map(lambda _: _MISSING if d is None else d, part),
            tuple(cotangents),
            arguments,
            is_leaf=lambda d: d is None,
        )
    )


def _no_tangent(leaf: Array) -> SymbolicZero:
    return SymbolicZero(jax.typeof(leaf).to_tangent_aval())


@dataclass(frozen=True)
class _Map:
    """A linear map and its transpose, each with its fast form and its definition."""

    run: Apply
    definition: Apply
    run_back: Apply
    definition_back: Apply

    def transposed(self) -> "_Map":
        return _Map(self.run_back, self.definition_back, self.run, self.definition)

    def batched(self, axes: Sequence[int | None]) -> "_Map":
        wide = partial(jax.vmap, in_axes=(list(axes), 0))
        return _Map(wide(self.run), wide(self.definition), wide(self.run_back), wide(self.definition_back))


_linear_map = Primitive("linear_map")
_linear_map.multiple_results = True


def _apply(pair: _Map, known: Leaves, vectors: Leaves, results: Sequence[Any]) -> list[Array]:
    return _linear_map.bind(*known, *vectors, pair=pair, count=len(known), results=tuple(results))


def _run(*arrays: Array, pair: _Map, count: int, results: Any) -> list[Array]:
    del results
    return list(pair.run(list(arrays[:count]), list(arrays[count:])))


def _derive(primals: Leaves, tangents: Sequence[Any], *, pair: _Map, count: int, results: Any) -> tuple[list[Array], list[Any]]:
    known, vectors = list(primals[:count]), list(primals[count:])
    parts: list[list[Any]] = []
    if not all(map(_is_zero, tangents[count:])):
        parts.append(_apply(pair, known, [ad.instantiate_zeros(tangent) for tangent in tangents[count:]], results))
    if moving := [i for i in range(count) if not _is_zero(tangents[i])]:

        def by_known(*moved: Array) -> list[Array]:
            at = dict(zip(moving, moved, strict=True))
            return pair.definition([at.get(i, leaf) for i, leaf in enumerate(known)], vectors)

        parts.append(jax.jvp(by_known, [known[i] for i in moving], [tangents[i] for i in moving])[1])
    return _apply(pair, known, vectors, results), [reduce(ad.add_tangents, both) for both in zip(*parts)]


def _is_zero(tangent: Any) -> bool:
    return type(tangent) in (ad.Zero, SymbolicZero) or getattr(tangent, "dtype", None) == jax.dtypes.float0


def _transpose(cotangents: Sequence[Any], *arrays: Any, pair: _Map, count: int, results: Any) -> list[Any]:
    del results
    known, vectors = arrays[:count], arrays[count:]
    kinds = [vector.aval if ad.is_undefined_primal(vector) else jax.typeof(vector) for vector in vectors]
    if all(type(d) is ad.Zero for d in cotangents):
        return [None] * count + [ad.Zero(kind) for kind in kinds]
    found = _apply(pair.transposed(), known, list(map(ad.instantiate_zeros, cotangents)), kinds)
    return [None] * count + [d if ad.is_undefined_primal(vector) else None for d, vector in zip(found, vectors)]


def _batch(arrays: Leaves, axes: Sequence[int | None], *, pair: _Map, count: int, results: Any) -> tuple[list[Array], list[int]]:
    size = next(array.shape[axis] for array, axis in zip(arrays, axes) if axis is not None)
    vectors = [batching.bdim_at_front(array, axis, size) for array, axis in zip(arrays[count:], axes[count:])]
    kinds = [unmapped_aval(size, 0, kind) for kind in results]
    return _apply(pair.batched(axes[:count]), arrays[:count], vectors, kinds), [0] * len(results)


_linear_map.def_impl(_run)
_linear_map.def_abstract_eval(lambda *_, results, **__: list(results))
ad.primitive_jvps[_linear_map] = _derive
ad.primitive_transposes[_linear_map] = _transpose
batching.primitive_batchers[_linear_map] = _batch
mlir.register_lowering(_linear_map, mlir.lower_fun(_run, multiple_results=True))

"""Reads each layer's cost and receptive field from a traced program."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from flax import nnx
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal


class Sight(NamedTuple):
    """The receptive field of a pixel of an array: its size, the distance from one pixel to the next, and where the first begins.

    All are in pixels of the image, rows and columns; padding makes the first field begin before the image.
    """

    field: tuple[float, float] = (1, 1)
    jump: tuple[float, float] = (1, 1)
    start: tuple[float, float] = (0, 0)


WHOLE = Sight((math.inf, math.inf), (0, 0), (-math.inf, -math.inf))


@dataclass
class Layer:
    """A traced call of a layer."""

    name: str
    module: nnx.Module
    output_shape: tuple[int, ...]
    multiply_adds: int = 0
    sight: Sight | None = None
    """Of its output; None if the layer computed nothing."""
    source: "Layer | None" = None
    """The layer whose output it was given, with nothing between them."""


@contextmanager
def recorded_layers(model: nnx.Module, calls: list[Layer]) -> Iterator[None]:
    """Let every layer of a model record its calls in a list, and name the operations that it traces.

    A layer is a module that contains no modules, or holds variables itself.

    Args:
        model: the model that will be called.
        calls: gets one entry per call.
    """
    names = {id(module): ".".join(map(str, path)) for path, module in nnx.iter_modules(model) if _is_layer(module)}
    owners = {_owner(type(module)) for _, module in nnx.iter_modules(model) if id(module) in names}
    originals = {owner: owner.__call__ for owner in owners}
    made: dict[int, tuple[Any, Layer]] = {}
    for owner, call in originals.items():
        owner.__call__ = _recording(call, names, calls, made)
    try:
        yield
    finally:
        for owner, call in originals.items():
            owner.__call__ = call


def measure(jaxpr: Jaxpr, images: Sequence[Any], layers: list[Layer]) -> None:
    """Fill in the multiply-adds and the receptive field of every layer, from the program they traced.

    Multiply-adds are those of convolutions and matrix products; batch norm, activations and pooling are not counted.

    Args:
        jaxpr: the program.
        images: its input variables that are images [B, H, W, C].
        layers: as `recorded_layers` made them.
    """
    by_name = {f"{layer.name}@{index}": layer for index, layer in enumerate(layers)}
    sights = dict.fromkeys(images, Sight())
    _walk(jaxpr, sights, None, by_name)


def sights_of(jaxpr: Jaxpr, images: Sequence[Any]) -> list[Sight]:
    """Return the receptive field of every output of a program.

    Args:
        jaxpr: the program.
        images: its input variables that are images [B, H, W, C].
    """
    sights = dict.fromkeys(images, Sight())
    _walk(jaxpr, sights, None, {})
    return [sights.get(var, WHOLE) for var in jaxpr.outvars]


def kept_for_backward(jaxpr: Jaxpr) -> int:
    """Count the bytes that a program returning residuals must keep: its computed values, not its inputs.

    Args:
        jaxpr: the program of a function that returns the leaves of a `jax.vjp`.
    """
    made = {id(var): eqn for eqn in jaxpr.eqns for var in eqn.outvars}
    kept = {id(var): var for var in jaxpr.outvars if id(var) in made and _inputs(made[id(var)])}
    return sum(_bytes(var) for var in kept.values())


def peak_bytes(jaxpr: Jaxpr) -> int:
    """Count the peak bytes of live intermediate results, without fusion of operations.

    Args:
        jaxpr: the program of the forward pass; its inputs are not counted.
    """
    last_use = {id(var): index for index, eqn in enumerate(jaxpr.eqns) for var in _inputs(eqn)}
    last_use |= {id(var): len(jaxpr.eqns) for var in jaxpr.outvars}
    live: dict[int, int] = {}
    peak = 0
    for index, eqn in enumerate(jaxpr.eqns):
        live |= {id(var): _bytes(var) for var in eqn.outvars if id(var) in last_use}
        peak = max(peak, sum(live.values()))
        live = {var: size for var, size in live.items() if last_use[var] > index}
    return peak


def _is_layer(module: nnx.Module) -> bool:
    inside = sum(1 for _ in nnx.iter_modules(module))
    return inside == 1 or any(isinstance(value, nnx.Variable) for value in vars(module).values())


def _owner(cls: type) -> type:
    return next(base for base in cls.__mro__ if "__call__" in vars(base))


def _recording(
    call: Callable[..., Any], names: dict[int, str], calls: list[Layer], made: dict[int, tuple[Any, Layer]]
) -> Callable[..., Any]:
    def recorded(self: nnx.Module, *args: Any, **kwargs: Any) -> Any:
        if id(self) not in names:
            return call(self, *args, **kwargs)
        layer = Layer(names[id(self)], self, (), source=made[id(args[0])][1] if args and id(args[0]) in made else None)
        calls.append(layer)
        with jax.named_scope(f"{layer.name}@{len(calls) - 1}"):
            output = call(self, *args, **kwargs)
        layer.output_shape = tuple(output.shape) if hasattr(output, "shape") else ()
        made[id(output)] = output, layer  # the output too, so that its identity is not given to another
        return output

    return recorded


def _walk(jaxpr: Jaxpr, sights: dict[Any, Sight], layer: Layer | None, layers: dict[str, Layer]) -> None:
    for eqn in jaxpr.eqns:
        scope = next((layers[part] for part in reversed(str(eqn.source_info.name_stack).split("/")) if part in layers), layer)
        inner = _inner(eqn)
        if inner is None:
            _step(eqn, sights, scope)
        else:
            seen = _handed(eqn.invars, inner.invars, sights)
            _walk(inner, seen, scope, layers)
            sights |= _handed(inner.outvars, eqn.outvars, seen)


def _step(eqn: Any, sights: dict[Any, Sight], layer: Layer | None) -> None:
    if layer is not None:
        layer.multiply_adds += _multiply_adds(eqn)
    inputs = [(var, sights[var]) for var in eqn.invars if _seen(var, sights)]
    if not inputs:
        return
    sight = _join([_look(eqn, var, sight) for var, sight in inputs])
    sights |= dict.fromkeys(eqn.outvars, sight)
    if layer is not None and eqn.primitive.name != "reshape":
        layer.sight = sight


def _look(eqn: Any, var: Any, sight: Sight) -> Sight:
    params, name = eqn.params, eqn.primitive.name
    if name == "conv_general_dilated":
        numbers = params["dimension_numbers"]
        taps = [eqn.invars[1].aval.shape[axis] for axis in numbers.rhs_spec[2:]]
        before = [pads[0] for pads in params["padding"]]
        return _window(sight, taps, params["window_strides"], params["rhs_dilation"], before, params["lhs_dilation"])
    if name.startswith("reduce_window"):
        options = (params["window_dimensions"], params["window_strides"], params["window_dilation"])
        taps, stride, dilation = (option[1:3] for option in options)
        return _window(sight, taps, stride, dilation, [pads[0] for pads in params["padding"][1:3]])
    if name == "slice" and var.aval.ndim == 4:
        sight = _moved(sight, params["start_indices"][1:3])
        return sight._replace(jump=tuple(j * s for j, s in zip(sight.jump, (params["strides"] or (1,) * 4)[1:3])))
    if name == "pad" and var.aval.ndim == 4:
        return _moved(sight, [-low for low, _, _ in params["padding_config"][1:3]])
    return WHOLE if _mixes_pixels(eqn, var) else sight


def _mixes_pixels(eqn: Any, var: Any) -> bool:
    if eqn.primitive.name == "dot_general":
        contracted = eqn.params["dimension_numbers"][0][0 if var is eqn.invars[0] else 1]
        return var.aval.ndim != 4 or bool({1, 2} & set(contracted))
    return eqn.outvars[0].aval.ndim != 4 and var.aval.ndim == 4


def _window(
    sight: Sight,
    taps: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    before: Sequence[int],
    spread: Sequence[int] = (1, 1),
) -> Sight:
    jump = [j / s for j, s in zip(sight.jump, spread)]
    field = [f + d * (k - 1) * j for f, k, d, j in zip(sight.field, taps, dilation, jump)]
    start = [first - pad * j for first, pad, j in zip(sight.start, before, jump)]
    return Sight((field[0], field[1]), (jump[0] * stride[0], jump[1] * stride[1]), (start[0], start[1]))


def _moved(sight: Sight, pixels: Sequence[int]) -> Sight:
    rows, columns = (first + j * count for first, j, count in zip(sight.start, sight.jump, pixels))
    return sight._replace(start=(rows, columns))


def _join(sights: Sequence[Sight]) -> Sight:
    fields, jumps, starts = zip(*sights)
    if any(math.isinf(field[0]) for field in fields):
        return WHOLE._replace(jump=max(jumps))
    start = [min(first) for first in zip(*starts)]
    ends = [max(ends) for ends in zip(*[[first + size for first, size in zip(*pair)] for pair in zip(starts, fields)])]
    return Sight((ends[0] - start[0], ends[1] - start[1]), max(jumps), (start[0], start[1]))


def _multiply_adds(eqn: Any) -> int:
    if eqn.primitive.name == "conv_general_dilated":
        kernel = eqn.invars[1].aval.shape
        features = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
        return eqn.outvars[0].aval.size * math.prod(kernel) // features // math.prod(eqn.params["lhs_dilation"])
    if eqn.primitive.name == "dot_general":
        contracted = eqn.params["dimension_numbers"][0][0]
        return eqn.outvars[0].aval.size * math.prod(eqn.invars[0].aval.shape[axis] for axis in contracted)
    return 0


def _inner(eqn: Any) -> Jaxpr | None:
    inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
    return inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner if isinstance(inner, Jaxpr) else None


def _inputs(eqn: Any) -> list[Any]:
    return [var for var in eqn.invars if not isinstance(var, Literal)]


def _handed(given: Sequence[Any], taken: Sequence[Any], sights: dict[Any, Sight]) -> dict[Any, Sight]:
    return {target: sights[source] for source, target in zip(given, taken) if _seen(source, sights)}


def _seen(var: Any, sights: dict[Any, Sight]) -> bool:
    return not isinstance(var, Literal) and var in sights


def _bytes(var: Any) -> int:
    return var.aval.size * var.aval.dtype.itemsize if hasattr(var.aval.dtype, "itemsize") else 0

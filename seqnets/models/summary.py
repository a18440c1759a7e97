"""The layer table of a network: outputs, parameters, multiply-adds and receptive field of each layer, and the memory of all.

Nothing is computed or stored: the network is traced, and the table is read from the program.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from seqnets.errors import UserError
from seqnets.models.tracing import Layer, Sight, kept_for_backward, measure, peak_bytes, recorded_layers
from seqnets.optimizers import OPTIMIZERS, parts


@dataclass(frozen=True)
class LayerRow:
    """One call of one layer."""

    name: str
    """Path of the layer in the network; its parameters begin with it."""
    kind: str
    """Class of the layer."""
    output_shape: tuple[int, ...]
    """Shape of the output without the batch axis."""
    activations: int
    """The number of outputs for one image."""
    parameters: int
    """The number of parameters; zero if the layer is already listed."""
    multiply_adds: int
    """Multiply-adds of convolutions and matrix products, for one image."""
    receptive_field: tuple[int, int] | None
    """Rows and columns of the image that one output sees; None for the whole image."""


@dataclass(frozen=True)
class Inference:
    """Memory in bytes while the network is applied to a batch."""

    parameter_bytes: int
    activation_bytes: int
    """The peak of live intermediate results, without fusion of operations."""
    total_bytes: int


@dataclass(frozen=True)
class Training:
    """Memory in bytes while the network is trained on a batch."""

    optimizer: str
    optimizer_slots: float
    """The values that the optimizer keeps for each parameter."""
    parameter_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    """Kept from the forward pass for JAX's backward pass."""
    total_bytes: int


@dataclass(frozen=True)
class Summary:
    """The layer table of a network and its totals."""

    name: str
    input_shape: tuple[int, int, int]
    batch: int
    layers: tuple[LayerRow, ...]
    parameters: int
    statistics: int
    """Running means and variances: stored, but not learned."""
    multiply_adds: int
    activations: int
    inference: Inference
    training: Training

    def to_json(self) -> dict[str, Any]:
        """Return the table as dictionaries, lists, strings and numbers.

        Example:
            >>> from seqnets.models.registry import abstract_model
            >>> table = summarize(abstract_model("lenet5"), (28, 28, 1), name="lenet5").to_json()
            >>> table["parameters"], table["layers"][0]["name"], table["layers"][0]["receptive_field"]
            (61706, 'stage1.0', [5, 5])
        """
        return _plain(asdict(self))


def summarize(
    model: nnx.Module, input_shape: tuple[int, int, int], *, name: str = "", batch: int = 1, optimizer: str = "sgd"
) -> Summary:
    """Trace a network and tabulate its layers.

    Args:
        model: called as `model(images, train=..., key=...)`, giving features that include `logits`; its parameters
            may be abstract, as `seqnets.models.registry.abstract_model` makes them.
        input_shape: (H, W, channels) of an image.
        name: the title of the table.
        batch: images per batch; affects only the bytes.
        optimizer: one of `seqnets.optimizers.OPTIMIZERS`; sgd has momentum.

    Raises:
        UserError: the optimizer is unknown, or the image does not match the network.

    Example:
        >>> from seqnets.models.registry import abstract_model
        >>> vgg16 = summarize(abstract_model("vgg16"), (224, 224, 3), optimizer="adam")
        >>> vgg16.parameters, vgg16.multiply_adds, vgg16.training.optimizer_slots
        (138357544, 15470264320, 2.0)
    """
    slots = _optimizer(optimizer)
    state = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), nnx.state(model))
    structure = nnx.graphdef(model)
    layers, forward = _trace_layers(structure, state, input_shape)
    parameters = nnx.filter_state(state, nnx.Param)
    rows = _rows(layers)
    return Summary(
        name=name,
        input_shape=input_shape,
        batch=batch,
        layers=rows,
        parameters=_size(parameters),
        statistics=_size(nnx.filter_state(state, nnx.BatchStat)),
        multiply_adds=sum(row.multiply_adds for row in rows),
        activations=sum(row.activations for row in rows),
        inference=_inference(_bytes(state), batch * forward),
        training=_training(structure, state, input_shape, batch, optimizer, slots),
    )


def _trace_layers(structure: Any, state: Any, input_shape: tuple[int, int, int]) -> tuple[list[Layer], int]:
    layers: list[Layer] = []

    def forward(state: Any, images: jax.Array) -> Any:
        model = nnx.merge(structure, state)
        with recorded_layers(model, layers):
            return model(images)["logits"]

    program = jax.make_jaxpr(forward)(state, _images(1, input_shape)).jaxpr
    measure(program, program.invars[-1:], layers)
    return layers, peak_bytes(program)


def _rows(layers: list[Layer]) -> tuple[LayerRow, ...]:
    rows, listed = [], set()
    for layer in layers:
        if layer.sight is not None:
            rows.append(_row(layer, layer.sight, 0 if layer.name in listed else _size(nnx.state(layer.module, nnx.Param))))
            listed.add(layer.name)
    return tuple(rows)


def _row(layer: Layer, sight: Sight, parameters: int) -> LayerRow:
    height, width = sight.field
    return LayerRow(
        name=layer.name,
        kind=type(layer.module).__name__,
        output_shape=layer.output_shape[1:],
        activations=math.prod(layer.output_shape[1:]),
        parameters=parameters,
        multiply_adds=layer.multiply_adds,
        receptive_field=None if math.isinf(height) else (round(height), round(width)),
    )


def _inference(parameter_bytes: int, activation_bytes: int) -> Inference:
    return Inference(parameter_bytes, activation_bytes, parameter_bytes + activation_bytes)


def _training(
    structure: Any,
    state: Any,
    input_shape: tuple[int, int, int],
    batch: int,
    optimizer: str,
    slots: optax.GradientTransformation,
) -> Training:
    parameters = nnx.filter_state(state, nnx.Param)
    kept = batch * _kept_bytes(structure, state, input_shape)
    moments = _bytes([leaf for leaf in jax.tree.leaves(jax.eval_shape(slots.init, parameters)) if leaf.ndim])
    held = _bytes(state)
    return Training(
        optimizer=optimizer,
        optimizer_slots=round(moments / max(_bytes(parameters), 1), 3),
        parameter_bytes=held,
        gradient_bytes=_bytes(parameters),
        optimizer_bytes=moments,
        activation_bytes=kept,
        total_bytes=held + _bytes(parameters) + moments + kept,
    )


def _kept_bytes(structure: Any, state: Any, input_shape: tuple[int, int, int]) -> int:
    parameters, rest = nnx.split_state(state, nnx.Param, ...)

    def residuals(parameters: Any, rest: Any, images: jax.Array) -> list[jax.Array]:
        def forward(parameters: Any) -> Any:
            own = jax.tree.map(lambda leaf: leaf, rest)  # variables of this trace, which batch norm may update
            features = nnx.merge(structure, parameters, own)(images, train=True, key=jax.random.key(0))
            return {name: logits for name, logits in features.items() if name == "logits" or name.startswith("aux")}

        return jax.tree.leaves(jax.vjp(forward, parameters)[1])

    return kept_for_backward(jax.make_jaxpr(residuals)(parameters, rest, _images(1, input_shape)).jaxpr)


def _images(batch: int, shape: tuple[int, int, int]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((batch, *shape), jnp.float32)


def _optimizer(name: str) -> optax.GradientTransformation:
    if name not in OPTIMIZERS:
        raise UserError(f"optimizer {name!r} is unknown; give one of {', '.join(OPTIMIZERS)}")
    return optax.chain(*parts(_UsualSettings(name)))


class _UsualSettings(NamedTuple):
    optimizer: str
    momentum: float = 0.9
    nesterov: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0


def _size(tree: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def _bytes(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

"""Taps: the outputs of any layers of any network, by name or by path."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import jax
from flax import nnx

from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.nn.chain import Chain

Hear = Callable[[Any], Any]


class Taps:
    """Compute the outputs of chosen layers of a network in one compiled function.

    A layer is named by its feature (`stage2`, `logits`) or by its path (`stage2.0.conv1`, `stage1.2` for the ReLU at
    place 2 of a chain). The network runs as in inference, and only as far as the last chosen layer: a network whose dense
    layers need images of one size gives the features before them for images of any size. A layer that is called several
    times gives its first output.

    Args:
        model: the network, called as `model(x)`; its weights are read now, and later changes have no effect.
        layers: names or paths, one or several.

    Raises:
        UserError: the network has no such layer; the message lists layers with similar names.

    Example:
        >>> import jax.numpy as jnp
        >>> from seqnets.models import create_model
        >>> taps = Taps(create_model("lenet5"), ["stage1.0", "stage2", "logits"])
        >>> {name: array.shape for name, array in taps(jnp.zeros((2, 28, 28, 1))).items()}
        {'stage1.0': (2, 28, 28, 6), 'stage2': (2, 10, 10, 16), 'logits': (2, 10)}

    Inside a function that is differentiated or compiled itself, pass the state on as an argument:
        >>> def energy(state, x):
        ...     return jnp.sum(taps.compute(state, x)["stage2"] ** 2)
        >>> jax.jit(jax.grad(energy, argnums=1))(taps.state, jnp.ones((1, 28, 28, 1))).shape
        (1, 28, 28, 1)
    """

    def __init__(self, model: nnx.Module, layers: str | Sequence[str]):
        self.layers = known_layers(model, layers)
        self.structure, self.state = nnx.split(model)

    def __call__(self, x: Any) -> dict[str, jax.Array]:
        """Return the outputs of the chosen layers, by name, for network input x [B, H, W, C]."""
        outputs = _compiled(self.structure, self.layers, self.state, x)
        return {layer: outputs[layer] for layer in self.layers}  # JAX sorts the keys of a compiled function's result

    def compute(self, state: Any, x: Any, added: Mapping[str, Any] | None = None) -> dict[str, jax.Array]:
        """Return the same as a call, with `taps.state` as an argument and without compiling.

        Args:
            state: `taps.state`.
            x: [B, H, W, C].
            added: by layer, an array that is added to its output where the network goes on. The gradient by a 0 that is
                added is the gradient by the layer's output.
        """
        return tapped(self.structure, self.layers, state, x, added)


def layer_names(model: nnx.Module) -> tuple[str, ...]:
    """List the layers of a network that can be tapped: its features first, then the paths of everything in it.

    Example:
        >>> from seqnets.models import abstract_model
        >>> layer_names(abstract_model("lenet5"))[:9]
        ('stage1', 'stage2', 'pool', 'fc5', 'fc6', 'logits', 'stage1.0', 'stage1.1', 'stage2.0')
    """
    features = model.feature_names if isinstance(model, ConvNet) else ()
    paths = [_joined(path) for path, _ in nnx.iter_modules(model) if path] + [path for path, *_ in _functions(model)]
    return tuple(dict.fromkeys([*features, *sorted(paths, key=partial(_order, features))]))


def known_layers(model: nnx.Module, layers: str | Sequence[str]) -> tuple[str, ...]:
    """Return the layers, each once; an error for one that the network does not have.

    Example:
        >>> from seqnets.models import abstract_model
        >>> known_layers(abstract_model("resnet50"), "stage1.0.conv9")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: the network has no layer 'stage1.0.conv9'; near it are stage1.0.conv3, stage1.0.conv2,
        stage1.0.conv1
    """
    layers = (layers,) if isinstance(layers, str) else tuple(dict.fromkeys(layers))
    known = layer_names(model)
    for layer in layers:
        if layer not in known:
            raise UserError(f"the network has no layer {layer!r}; {_near(layer, known)}")
    return layers


def tapped(
    structure: Any, layers: Sequence[str], state: Any, x: Any, added: Mapping[str, Any] | None = None
) -> dict[str, jax.Array]:
    """Run a network, given as the two parts of `nnx.split`, and return the outputs of layers by name.

    Raises:
        UserError: a layer has no output, such as an auxiliary head outside training.
    """
    model = nnx.merge(structure, state)
    whole = model.feature_names[-1:] if isinstance(model, ConvNet) else ()  # logits are widened after the last stage
    heard: dict[str, jax.Array] = {}
    _listen(model, set(layers) - set(whole), heard, added or {}, stop=not set(whole) & set(layers))
    try:
        output = model(x)
    except _HeardAll:
        output = {}
    heard |= {name: output[name] for name in whole if name in output}
    if silent := [layer for layer in layers if layer not in heard]:
        raise UserError(f"layer {silent[0]!r} computes nothing for an image outside training; choose another layer")
    return {layer: heard[layer] for layer in layers}


_compiled = jax.jit(tapped, static_argnums=(0, 1))


class _HeardAll(Exception):
    pass


def _listen(model: nnx.Module, wanted: set[str], heard: dict[str, jax.Array], added: Mapping[str, Any], *, stop: bool) -> None:
    def hear(path: str, output: Any) -> Any:
        output = output + added[path] if path in added else output
        if isinstance(output, jax.Array):
            heard.setdefault(path, output)
        if stop and heard.keys() >= wanted:
            raise _HeardAll
        return output

    for path, module in list(nnx.iter_modules(model)):
        if _joined(path) in wanted:
            module.__class__ = _heard_class(type(module), partial(hear, _joined(path)))
    for path, function, put in list(_functions(model)):
        if path in wanted:
            put(_heard_function(function, partial(hear, path)))


def _heard_class(cls: type, hear: Hear) -> type:
    class Heard(cls):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return hear(super().__call__(*args, **kwargs))

    return Heard


def _heard_function(function: Callable[..., Any], hear: Hear) -> Callable[..., Any]:
    return lambda *args, **kwargs: hear(function(*args, **kwargs))


def _functions(model: nnx.Module) -> Iterator[tuple[str, Callable[..., Any], Callable[[Any], None]]]:
    for path, module in nnx.iter_modules(model):
        if isinstance(module, Chain):
            children = [(index, layer, partial(module.__setitem__, index)) for index, layer in enumerate(module)]
        elif isinstance(module, ConvNet):
            children = [(name, getattr(module, name), partial(setattr, module, name)) for name in module.feature_names]
        else:
            children = []
        for key, layer, put in children:
            if not isinstance(layer, nnx.Module):
                yield _joined((*path, key)), layer, put


def _joined(path: Sequence[Any]) -> str:
    return ".".join(map(str, path))


def _order(features: Sequence[str], path: str) -> list[tuple[int, str]]:
    first, *rest = path.split(".")
    place = features.index(first) if first in features else len(features)
    return [(place, first), *((int(part), "") if part.isdigit() else (0, part) for part in rest)]


def _near(layer: str, known: Sequence[str]) -> str:
    last = layer.rpartition(".")[2]
    similar = get_close_matches(layer, known, n=3, cutoff=0.6) or [name for name in known if name.endswith(f".{last}")][:3]
    features = [name for name in known if "." not in name]
    return f"near it are {', '.join(similar)}" if similar else f"it has {', '.join(features)}, and the layers inside them"

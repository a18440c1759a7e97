"""What of a model is exported: its programs, as functions of named arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.export import symbolic_shape

from seqnets.errors import UserError
from seqnets.models.captioner.captioner import Captioner
from seqnets.models.char_lm import CharLM
from seqnets.models.cnn.network import ConvNet
from seqnets.named_arrays import named_arrays

Spec = jax.ShapeDtypeStruct


@dataclass(frozen=True)
class Program:
    """A function of a trained model, with names for its arrays.

    Args:
        name: step, window, network or encode.
        function: takes and returns arrays one by one; the weights are constants in it.
        inputs: names to shapes and dtypes; a size may be symbolic.
        outputs: the names of what it returns.
        what: one sentence for people.
    """

    name: str
    function: Callable[..., tuple[Array, ...]]
    inputs: Mapping[str, Spec]
    outputs: tuple[str, ...]
    what: str

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        """Compute the outputs."""
        return self.function(*arrays)

    def afresh(self) -> Callable[..., tuple[Array, ...]]:
        """Return the function as one that JAX has not traced: it keeps traces by the identity of functions."""
        return lambda *arrays: self.function(*arrays)


def programs_of(model: nnx.Module, *, window: int = 64, image_size: int | tuple[int, int] | None = None) -> list[Program]:
    """Return the programs of a model: a step and a window of a text model, the logits of a network, both halves of a captioner.

    The number of rows, `batch`, is symbolic in all of them.

    Args:
        model: a `CharLM`, a convolutional network, or a `Captioner`.
        window: T, tokens of a window.
        image_size: pixels of a network's images, one number or (height, width); those of its preprocessing when None.

    Raises:
        UserError: there are no programs for such a model, or the size of the images is unknown.

    Example:
        >>> from seqnets.data import Vocabulary
        >>> model = CharLM(Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> [(program.name, list(program.inputs)) for program in programs_of(model)]
        [('step', ['tokens', 'state.0.cell', 'state.0.hidden']), ('window', ['tokens', 'state.0.cell', 'state.0.hidden'])]
    """
    (batch,) = symbolic_shape("batch")
    if isinstance(model, CharLM):
        return _of_text(model, batch, window)
    if isinstance(model, Captioner):
        return _of_captioner(model, batch)
    if isinstance(model, ConvNet):
        return _of_network(model, batch, image_size)
    raise UserError(
        f"a {type(model).__name__} has no programs to export as stablehlo or onnx, which text models, captioners and "
        "convolutional networks have; its arrays can be exported: --format npz"
    )


def _of_text(model: CharLM, batch: Any, window: int) -> list[Program]:
    carry = _rows(model.initialize_carry(1), batch)
    names, after = _names("state", carry), _names("next", carry)

    def step(tokens: Array, *state: Array) -> tuple[Array, ...]:
        logits, last = model.step(tokens, _like(carry, state))
        return logits, *jax.tree.leaves(last)

    def read(tokens: Array, *state: Array) -> tuple[Array, ...]:
        logits, last = model(tokens, _like(carry, state))
        return logits, *jax.tree.leaves(last)

    state = dict(zip(names, jax.tree.leaves(carry)))
    return [
        Program(
            "step",
            step,
            {"tokens": Spec((batch,), jnp.int32), **state},
            ("logits", *after),
            "Reads one token per row. The state begins as zeros; next is the state of the next call.",
        ),
        Program(
            "window",
            read,
            {"tokens": Spec((batch, window), jnp.int32), **state},
            ("logits", *after),
            f"Reads {window} tokens per row; logits[:, t] are for the token after tokens[:, t].",
        ),
    ]


def _of_network(model: ConvNet, batch: Any, image_size: int | tuple[int, int] | None) -> list[Program]:
    size = image_size or (model.preprocessing.image_size if model.preprocessing else None)
    if size is None:
        raise UserError("the size of the network's images is unknown; give --image-size, such as 224")
    height, width = (size, size) if isinstance(size, int) else size
    images = Spec((batch, height, width, model.in_channels), jnp.float32)

    def network(images: Array) -> tuple[Array, ...]:
        return (model(images)["logits"],)

    return [Program("network", network, {"images": images}, ("logits",), "Reads preprocessed images [B, H, W, C].")]


def _of_captioner(model: Captioner, batch: Any) -> list[Program]:
    rows, columns, features = model.feature_map
    size = model.config.image_size
    given = Spec((batch, rows * columns, features) if model.encoder is None else (batch, size, size, 3), jnp.float32)
    annotations = _rows(jax.eval_shape(model.encode, _one(given)), batch)
    carry = _rows(jax.eval_shape(model.initialize_carry, jax.eval_shape(model.encode, _one(given))), batch)
    seen, states = _names("image", annotations), _names("state", carry)

    def encode(images: Array) -> tuple[Array, ...]:
        found = model.encode(images)
        return *jax.tree.leaves(found), *jax.tree.leaves(model.initialize_carry(found))

    def step(tokens: Array, *arrays: Array) -> tuple[Array, ...]:
        count = len(states)
        logits, after, attention = model.step(tokens, _like(carry, arrays[:count]), _like(annotations, arrays[count:]))
        return logits, *jax.tree.leaves(after), *(() if attention is None else (attention,))

    spaces = dict(zip(states, jax.tree.leaves(carry))) | dict(zip(seen, jax.tree.leaves(annotations)))
    looks = model.decoder.sight is not None
    return [
        Program(
            "encode",
            encode,
            {"images" if model.encoder is not None else "features": given},
            (*seen, *states),
            "Reads preprocessed images; the result and the first word, begin, are what step reads.",
        ),
        Program(
            "step",
            step,
            {"tokens": Spec((batch,), jnp.int32), **spaces},
            ("logits", *_names("next", carry), *(["attention"] if looks else [])),
            "Reads the previous word of every row; the words end with end.",
        ),
    ]


def _rows(tree: Any, batch: Any) -> Any:
    return jax.tree.map(lambda leaf: Spec((batch, *leaf.shape[1:]), leaf.dtype), tree)


def _one(spec: Spec) -> Spec:
    return Spec((1, *spec.shape[1:]), spec.dtype)


def _names(prefix: str, tree: Any) -> list[str]:
    return [f"{prefix}.{name}" for name in named_arrays(tree)]


def _like(tree: Any, leaves: Sequence[Array]) -> Any:
    return jax.tree.unflatten(jax.tree.structure(tree), leaves)

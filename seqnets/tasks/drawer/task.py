"""Drawing pictures in steps as a task."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from seqnets.data.examples.examples import Batch, Examples, in_order
from seqnets.data.images.gray import GraySet, binarized
from seqnets.errors import UserError
from seqnets.models.glimpse.drawer import Drawer, Drawing
from seqnets.tasks.example_task import ExampleTask
from seqnets.train.task import Metrics

_BATCH = 100  # pictures at a time in evaluation


class DrawerTask(ExampleTask):
    r"""A drawer and pictures, black and white once and for all; the loss is a bound of -ln p of a picture, in nats.

    $$ L = -\ln p(x | c_T) + \sum_t D(q_t \,\|\, N(0, 1)) $$

    The figures are `bound` and its two parts, `reconstruction` and `divergence`; `first_divergence` is that of the first step.
    Held-out pictures are drawn with the same random numbers at every evaluation.

    Args:
        model: a `Drawer`.
        pictures: the pictures by split.

    Raises:
        UserError: the model is for pictures of another size.

    References:
        Gregor et al., "DRAW: a recurrent neural network for image generation", 2015.
    """

    name, objective, maximize, units = "drawer", "bound", False, "pictures"

    def __init__(self, model: Drawer, pictures: GraySet) -> None:
        own = pictures.rule.image_size or (0, 0)
        if model.size != own:
            raise UserError(
                f"the model draws {model.size[0]} x {model.size[1]}, and the pictures are {own[0]} x {own[1]}; "
                f"set --data.size {model.size[0]}"
            )
        super().__init__(model, {name: Examples({"image": binarized(split.pixels)}) for name, split in pictures.splits.items()})

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the mean bound of a batch and its parts."""
        figures = {name: jnp.mean(value) for name, value in _parts(model, batch["image"], key, train=True).items()}
        return figures["bound"], figures

    def figures(self, model: Any, examples: Examples) -> dict[str, float]:
        """Return the mean bound of a split and its parts."""
        graphdef, state = nnx.split(model)
        sums = dict[str, float]()
        for number, (batch, count) in enumerate(in_order(examples, min(_BATCH, len(examples)))):
            for name, value in _measured(graphdef, state, batch["image"], number).items():
                sums[name] = sums.get(name, 0.0) + float(np.asarray(value[:count], np.float64).sum())
        return {name: total / len(examples) for name, total in sums.items()}


def bound(drawing: Drawing, pictures: jax.Array) -> dict[str, jax.Array]:
    """Return the bound of -ln p of each picture and its parts, `(B,)`.

    Args:
        drawing: from `Drawer.redraw`.
        pictures: `(B, H, W, 1)`, 0 or 1.

    Example:
        >>> nothing = Drawing(jnp.zeros((1, 3, 2, 2, 1)), jnp.zeros((1, 3, 4)), jnp.ones((1, 3)))
        >>> {name: round(value.item(), 2) for name, value in bound(nothing, jnp.ones((1, 2, 2, 1))).items()}
        {'bound': 5.77, 'reconstruction': 2.77, 'divergence': 3.0, 'first_divergence': 1.0}
    """
    nats = optax.losses.sigmoid_binary_cross_entropy(drawing.canvas[:, -1], pictures).sum((1, 2, 3))
    learned = drawing.divergence.sum(1)
    return {
        "bound": nats + learned,
        "reconstruction": nats,
        "divergence": learned,
        "first_divergence": drawing.divergence[:, 0],
    }


def _parts(model: Any, pixels: Any, key: jax.Array, *, train: bool = False) -> dict[str, jax.Array]:
    pictures = model.preprocessing.normalize(jnp.asarray(pixels))
    return bound(model.redraw(pictures, key, train=train), pictures)


@partial(jax.jit, static_argnums=0)
def _measured(graphdef: Any, state: Any, pixels: jax.Array, number: int) -> Mapping[str, jax.Array]:
    return _parts(nnx.merge(graphdef, state), pixels, jax.random.fold_in(jax.random.key(0), number))

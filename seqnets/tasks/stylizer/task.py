"""Painting in styles as a task."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.examples.examples import Batch, Examples, in_order
from seqnets.data.fingerprint import digest_of
from seqnets.dream.layers import content_layer, style_layers
from seqnets.dream.objectives import features_like
from seqnets.dream.optimize import watched
from seqnets.dream.recipes import smoothness, style_distance, style_targets
from seqnets.models.stylizer import Stylizer
from seqnets.tasks.example_task import ExampleTask
from seqnets.tasks.stylizer import StyleLossConfig
from seqnets.train.task import Metrics

_BATCH = 8


class StylizerTask(ExampleTask):
    r"""A stylizer, pictures to paint, and paintings; the loss is that of optimizing each picture.

    $$ L = \alpha \frac{|\phi(\hat y) - \phi(x)|^2}{|\phi(x)|^2} + \frac{\beta}{n} \sum_l \frac{|G_l(\hat y) - A_l|^2}{|A_l|^2}
       + \lambda\, TV_2(\hat y), \qquad \hat y = f_s(x) $$

    Args:
        model: a `Stylizer`.
        splits: examples with the columns `content`, uint8 pictures of one size, and `style`, the number of a painting.
        styles: the paintings, [H, W, 3] of uint8, of any sizes.
        config: the network that compares and the weights.

    Example:
        >>> from seqnets.data.demo.textures import draw_texture
        >>> from seqnets.models.stylizer import StylizerConfig
        >>> pictures = {"content": np.zeros((4, 16, 16, 3), np.uint8) + np.arange(16, dtype=np.uint8)[:, None] * 9}
        >>> examples = Examples({**pictures, "style": np.zeros(4, np.int32)})
        >>> small = StylizerConfig(widths=(2, 2, 2), residual_blocks=1, expansion=(2, 2))
        >>> task = StylizerTask(Stylizer(small, ["dots"], rngs=nnx.Rngs(0)), {"train": examples}, [draw_texture("dots", 16)])
        >>> task.content, task.model.styles
        ('size5', ('dots',))
    """

    name, objective, maximize, units = "stylizer", "loss", False, "pictures"

    def __init__(
        self, model: Stylizer, splits: Mapping[str, Examples], styles: Sequence[np.ndarray], config: StyleLossConfig | None = None
    ) -> None:
        super().__init__(model, splits)
        self.config, self._digest = config or StyleLossConfig(), digest_of({str(n): style for n, style in enumerate(styles)})
        self.network = loss_network(self.config)
        self.content = content_layer(self.network)
        self.targets = style_targets(self.network, styles)
        layers = dict.fromkeys([self.content, *style_layers(self.network)])
        self.features = watched(self.network, tuple(layers))

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the mean loss of a batch and its parts."""
        content, style, rough = self.parts(model, batch)
        loss = self.config.content * content + self.config.style * style + self.config.smoothness * rough
        return jnp.mean(loss), {"content_loss": jnp.mean(content), "style_loss": jnp.mean(style)}

    def parts(self, model: Any, batch: Batch) -> list[jax.Array]:
        """Return the distances of content and style and the total variation of every painted picture, [B] each."""
        pictures = jnp.asarray(batch["content"], jnp.float32)
        mix = jax.nn.one_hot(batch["style"], len(model.styles))
        painted = model(pictures, mix)
        wanted = jax.lax.stop_gradient(self.features(pictures)[self.content])
        total = features_like(self.content, wanted) + style_distance(self.targets, mix) + smoothness(pictures[0].shape)
        content, *style, rough = total.parts(painted, self.features(painted))
        return [content, sum(style, jnp.zeros_like(content)), rough]

    def figures(self, model: Any, examples: Examples) -> dict[str, float]:
        """Return the exact mean losses of a split."""
        structure, state = nnx.split(model)
        tally = partial(_tally, self, structure, state)
        rows = [np.stack(tally(batch), 1)[:count] for batch, count in in_order(examples, min(_BATCH, len(examples)))]
        content, style, rough = np.concatenate(rows).mean(0).astype(float)
        loss = self.config.content * content + self.config.style * style + self.config.smoothness * rough
        return {"loss": loss, "style_loss": style, "content_loss": content}

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return the hashes of all splits and of the paintings, and the loss."""
        loss = {name: getattr(self.config, name) for name in ("network", "weights", "content", "style", "smoothness")}
        return {**super().fingerprint(), "styles": self._digest, **loss}

    def artifacts(self) -> dict[str, Any]:
        """Return the network's settings and the names of its styles."""
        return {"model": self.model.describe()}


@partial(jax.jit, static_argnums=(0, 1))
def _tally(task: StylizerTask, structure: Any, state: Any, batch: Batch) -> list[jax.Array]:
    return task.parts(nnx.merge(structure, state), batch)


def loss_network(config: StyleLossConfig) -> Any:
    """Return the network that compares pictures.

    Raises:
        UserError: there is no such network or run.
    """
    from seqnets.dream.networks import network

    return network(config.network, config.weights or None)

"""A network that looks at places of a picture, one after the other, and names what is there.

References:
    Mnih et al., "Recurrent models of visual attention", 2014 (RAM).
    Ba, Mnih and Kavukcuoglu, "Multiple object recognition with visual attention", 2015 (DRAM).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.models.description import described, names, stated
from seqnets.models.glimpse.config import GlancerConfig as GlancerConfig
from seqnets.models.glimpse.layers import StepLayers
from seqnets.models.glimpse.places import Choice, chosen, score_size
from seqnets.nn.chain import subkey
from seqnets.nn.dense import Dense
from seqnets.nn.initializers import input_kernel
from seqnets.nn.remat import scan_in_chunks
from seqnets.ops.glimpses import retina
from seqnets.ops.pool import adaptive_average_pool
from seqnets.ops.recurrent import Carry

END = "(end)"


class Glances(NamedTuple):
    """What a glancer saw, for B pictures with up to K things and T = K N glimpses.

    Attributes:
        logits: `(B, T, C)`, after every glimpse; those after every N are the answers.
        choices: the places, `(B, T, 2)`, with their log-probabilities and entropies, `(B, T)`.
        expected: `(B, T)`, what the loss is expected to be before each glimpse.
    """

    logits: Array
    choices: Choice
    expected: Array


class Glancer(nnx.Module):
    r"""Look at a picture T times, and say after every N glimpses what the next thing is.

    $$ g_t = \mathrm{relu}(W \rho(x, l_t) + V l_t), \quad r_t = f(r_{t-1}, g_t), \quad l_{t+1} \sim \pi(u_t), \quad
       \text{logits} = A r_t + a $$

    with the retina $\rho$. Without a context picture, u is r (RAM). With one, u is a second recurrence that reads r and begins
    with what the context picture says (DRAM), which the answer never sees. Places are constants under differentiation, and no
    gradient goes from a choice into what was read before it.

    Args:
        config: the shape.
        labels: the names of the classes; with several things in a picture, the last one is `(end)`.
        preprocessing: the rule for pictures, which gives all of them one size.
        rngs: `params` is used.

    Example:
        >>> rule = Preprocessing(resize=(16, 16), crop=None, channels="gray", mean=(0.0,), std=(1.0,))
        >>> config = GlancerConfig(hidden_features=8, glimpse_features=4, glimpses=3)
        >>> model = Glancer(config, ("cat", "dog"), rule, rngs=nnx.Rngs(0))
        >>> glances = model.look(jnp.zeros((2, 16, 16, 1)), jax.random.key(0))
        >>> glances.logits.shape, glances.choices.place.shape
        ((2, 3, 2), (2, 3, 2))
    """

    vocabulary = None

    def __init__(self, config: GlancerConfig, labels: Sequence[str], preprocessing: Preprocessing, *, rngs: nnx.Rngs):
        self.config, self.labels, self.preprocessing = config, tuple(labels), preprocessing
        channels, width, hidden = preprocessing.channel_count, config.glimpse_features, config.hidden_features
        self.what = Dense(config.scales * config.glimpse_size**2 * channels, width, rngs=rngs)
        self.seen = Dense(width, width, kernel_init=input_kernel, rngs=rngs)
        self.where = Dense(2, width, kernel_init=input_kernel, rngs=rngs)
        self.reader = StepLayers(config, width, rngs=rngs)
        self.answer = Dense(hidden, len(self.labels), kernel_init=input_kernel, rngs=rngs)
        if config.context:
            self.looker = StepLayers(config, hidden, rngs=rngs)
            self.overview = Dense(config.context**2 * channels, width, rngs=rngs)
            sizes = [leaf.shape[-1] for leaf in jax.tree.leaves(jax.eval_shape(lambda: self.looker.start(1)))]
            self.begin = nnx.List([Dense(width, size, kernel_init=input_kernel, rngs=rngs) for size in sizes])
        self.aim = Dense(hidden, width, rngs=rngs)
        self.locate = Dense(width, score_size(config), kernel_init=nnx.initializers.zeros, rngs=rngs)  # first in the middle
        self.expect = Dense(hidden, 1, kernel_init=input_kernel, rngs=rngs)
        # about what guessing costs: with a baseline of 0, every place would seem bad at first, and the choice would run away
        self.expect.bias = nnx.Param(jnp.full(1, 0.5 * config.objects * math.log(len(self.labels))))

    def look(self, pictures: Array, key: Array | None = None, *, train: bool = False) -> Glances:
        """Look at normalized pictures.

        Args:
            pictures: `(B, H, W, C)`.
            key: a JAX key that draws the places; None takes the likeliest ones.
            train: whether the key also turns on the noise of training.
        """
        noise = key if train else None
        read, plan = self.reader.steps(subkey(noise, 1)), self._planner(subkey(noise, 2))

        def body(held: tuple[Carry, Carry], time: Array) -> Any:
            reader, looker = held
            aim = self._hidden(reader, looker)
            choice = chosen(self.config, self._scores(aim), subkey(subkey(key, 0), time))
            reader, hidden = read(reader, self._glimpse(pictures, choice.place), subkey(noise, 3 + 2 * time))
            looker = plan(looker, jax.lax.stop_gradient(hidden), subkey(noise, 4 + 2 * time))
            return (reader, looker), (hidden, choice, self.expect(jax.lax.stop_gradient(aim))[:, 0])

        start = (self.reader.start(len(pictures)), self._overlooked(pictures))
        _, seen = scan_in_chunks(body, start, jnp.arange(self.config.looks), self.config.remat)
        hidden, choices, expected = jax.tree.map(lambda array: array.swapaxes(0, 1), seen)
        return Glances(self.answer(hidden), choices, expected)

    def answers(self, pictures: Array) -> tuple[Array, Array]:
        """Return ln p of each thing, `(B, K, C)`, and the places of the first series of glimpses, `(B, T, 2)`.

        p is the mean over `samples` series, whose random numbers depend on the picture alone.
        """
        keys = jax.random.split(jax.random.key(0), self.config.samples)

        def of_one(picture: Array) -> tuple[Array, Array]:
            mark = jnp.sum(jnp.round(picture * 255)).astype(jnp.int32)
            seen = jax.vmap(lambda key: self.look(picture[None], jax.random.fold_in(key, mark)))(keys)
            logs = jax.nn.log_softmax(seen.logits[:, 0, self.config.glimpses - 1 :: self.config.glimpses])
            return jax.nn.logsumexp(logs, axis=0) - jnp.log(float(len(keys))), seen.choices.place[0, 0]

        return jax.vmap(of_one)(pictures)

    def describe(self) -> dict[str, Any]:
        """Return the section `model` of config.json."""
        rule = self.preprocessing.to_json()
        return {"kind": "Glancer", "config": asdict(self.config), "preprocessing": rule, "labels": list(self.labels)}

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of classes: by name, the list that the axis follows, and the axis."""
        return {f"answer.{part}": ("labels", -1) for part in ("kernel", "bias")}

    def _glimpse(self, pictures: Array, place: Array) -> Array:
        looks = retina(pictures, place, self.config.glimpse_size, self.config.scales)
        return jax.nn.relu(self.seen(jax.nn.relu(self.what(looks.reshape(len(place), -1)))) + self.where(place))

    def _overlooked(self, pictures: Array) -> Carry:
        if not self.config.context:
            return ()
        coarse = adaptive_average_pool(pictures, self.config.context).reshape(len(pictures), -1)
        features = jax.nn.relu(self.overview(coarse))
        return self.looker.started([jnp.tanh(dense(features)) for dense in self.begin])

    def _planner(self, key: Array | None) -> Any:
        if not self.config.context:
            return lambda carry, hidden, now: ()
        step = self.looker.steps(key)
        return lambda carry, hidden, now: step(carry, hidden, now)[0]

    def _hidden(self, reader: Carry, looker: Carry) -> Array:
        return self.looker.hidden(looker) if self.config.context else jax.lax.stop_gradient(self.reader.hidden(reader))

    def _scores(self, aim: Array) -> Array:
        return self.locate(jax.nn.relu(self.aim(aim)))


def from_description(description: Mapping[str, Any], vocabulary: Any = None) -> Glancer:
    """Make the network that a run folder's config.json describes, with arbitrary weights.

    Args:
        description: section `model` of config.json.
        vocabulary: unused, since glancers have none.

    Raises:
        UserError: the description belongs to another version.

    Example:
        >>> rule = Preprocessing(resize=(16, 16), crop=None)
        >>> model = Glancer(GlancerConfig(hidden_features=4, glimpse_features=4), ("a", "b"), rule, rngs=nnx.Rngs(0))
        >>> from_description(model.describe()).labels
        ('a', 'b')
    """
    with described("Glancer"):
        config = stated(description["config"], GlancerConfig())
        rule = Preprocessing.from_json(description["preprocessing"])
        return Glancer(config, names(description.get("labels"), "labels"), rule, rngs=nnx.Rngs(0))

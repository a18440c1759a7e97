"""Visual question answering by module networks whose layouts a policy learns to write."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqnets.data.examples.examples import Batch, Examples, ShuffledBatches
from seqnets.data.examples.layouts import forest_of_tokens, laid_rows, layout_tokens, room_of_layouts
from seqnets.data.fingerprint import digest_of
from seqnets.models.sequence.layout_policy import Written, write_layouts
from seqnets.models.sequence.translator import Source
from seqnets.tasks.reinforce import leave_one_out, score_term
from seqnets.tasks.vqa import LayoutLossConfig
from seqnets.tasks.vqa.modules import ModuleVQATask
from seqnets.train.task import Carry, Metrics


class LayoutPolicyTask(ModuleVQATask):
    r"""A model of modules with a policy, and questions some of which may have layouts.

    While the policy is cloned, the layout l of a question that has one is that of the data; any other is drawn:

    $$ L = -\ln p(\text{answer} \mid l) + \lambda \begin{cases} -\ln \pi(l) & \text{cloned} \\
       [-\ln p(\text{answer} \mid l) - b] \ln \pi(l) - \eta H(\pi) & \text{drawn} \end{cases} $$

    where the bracket is a constant under differentiation (REINFORCE), and b is the mean loss of the batch's other questions. A
    moving average would not do: a rise of the loss would count against all layouts that are drawn, also the right ones. The
    validation uses the likeliest layouts of the policy, and has the share of questions whose layout is that of the data,
    besides the figures of `ModuleVQATask`.

    Args:
        model: a `ModuleVQA` with `layouts="learned"`.
        splits: `LaidOut` questions, from `seqnets.data.examples.question_examples`.
        loss: the weights.

    Raises:
        UserError: a layout of the data has more modules than the policy writes.

    References:
        Hu et al., "Learning to Reason: End-to-End Module Networks for Visual Question Answering", 2017.
    """

    def __init__(self, model: Any, splits: Mapping[str, Any], loss: LayoutLossConfig | None = None) -> None:
        super().__init__(model, splits)
        self.loss_config = loss or LayoutLossConfig()
        self.layouts = {name: self._tokens(split) for name, split in self.splits.items()}

    def _tokens(self, split: Any) -> np.ndarray:
        return layout_tokens(split.forest, split.given, self.model.config.layout_modules)

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> ShuffledBatches:
        """Return the batches of the training split, with the layouts of the data as tokens."""
        super().batches(batch_size, seed, rows)  # refuses parts of a batch
        train: Any = self.splits["train"]
        columns = {**train.columns, "layout": self.layouts["train"]}
        return ShuffledBatches(Examples(columns, train.examples.shared), batch_size, seed, rows)

    def initial_carry(self, batch_size: int) -> Carry:
        """Return the count of good steps, zero, for every row."""
        return jnp.zeros(batch_size, jnp.int32)

    def loss(self, model: Any, batch: Batch, carry: Carry, key: jax.Array) -> tuple[jax.Array, tuple[Carry, Metrics]]:
        """Return the loss of a batch, the next carry and its figures."""
        cloned = (carry < self.loss_config.cloning_steps) & (batch["layout"][:, 0] > 0)

        def choose(log_prob: jax.Array, own: Any) -> jax.Array:
            drawn = jax.random.categorical(own[1], log_prob).astype(jnp.int32)
            return jnp.where(cloned, own[0], drawn)

        length = batch["layout"].shape[1]
        source, extra = Source(batch["tokens"], batch["tokens_lengths"]), (batch["layout"].T, jax.random.split(key, length))
        written = write_layouts(model.policy, source, length, choose, extra)
        logits, _ = model(batch["image"], schedule_of(written.tokens))
        nats = optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch["label"])
        loss = jnp.mean(layout_objective(nats, written, leave_one_out(nats, len(nats)), cloned, self.loss_config))
        figures = {"nats": jnp.mean(nats), "layout_nats": -jnp.mean(written.log_prob)}
        return loss, (carry + 1, {**figures, "accuracy": jnp.mean(logits.argmax(-1) == batch["label"])})

    def figures(self, model: Any, examples: Any) -> dict[str, float]:
        """Return the figures of a split with the policy's layouts, and the share of layouts that are those of the data."""
        from seqnets.decode.answers import with_own_layouts

        own, given = with_own_layouts(model, examples), np.asarray(examples.given)
        found = super().figures(model, own)
        if not given.any():
            return found
        same = (self._tokens(own) == self._tokens(examples)).all(-1)[given]
        return {**found, "layouts": float(same.mean()), **self.by_novelty("layouts", same, self.asked(examples)[given])}

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return the hashes of all splits and of the layouts to clone, and the weights of the loss."""
        loss = {f"loss.{name}": value for name, value in vars(self.loss_config).items()}
        return {**super().fingerprint(), "layouts": digest_of({"train": self.layouts["train"]}), **loss}


def layout_objective(
    nats: jax.Array, written: Written, baseline: jax.Array, cloned: jax.Array, config: LayoutLossConfig
) -> jax.Array:
    """Return the loss of every question as `LayoutPolicyTask` states it, all `(B,)`; nats are -ln p of the answers."""
    drawn = score_term(nats, baseline, written.log_prob) - config.entropy * written.entropy
    return nats + config.score_rate * jnp.where(cloned, -written.log_prob, drawn)


def schedule_of(tokens: jax.Array) -> dict[str, jax.Array]:
    """Return the schedule of layouts, `(B, T)` tokens, which the host makes in the room that holds any such layouts."""
    count, length = tokens.shape
    room = room_of_layouts(count, length)

    def on_host(tokens: Any) -> dict[str, np.ndarray]:
        return laid_rows(forest_of_tokens(tokens), np.arange(count), room, length)

    example = on_host(np.full((count, 1), 5))  # find, for its shapes
    shapes = jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), example)
    return jax.pure_callback(on_host, shapes, tokens)

"""Translation as a task."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from seqnets.data.examples.examples import Batch, Examples, column
from seqnets.models.sequence.translator import Source
from seqnets.ops.masking import masked_mean, valid_steps
from seqnets.tasks.example_task import ExampleTask
from seqnets.train.task import Metrics

WRITTEN = 500  # the number of held-out sources translated at an evaluation
SHOWN = 3


class TranslatorTask(ExampleTask):
    """A translator and its pairs; the loss is the mean of -ln p(token | source, previous tokens), including the end token.

    Validation also translates held-out sources greedily, from the source alone, up to 500 of them.

    Args:
        model: a `Translator`.
        splits: examples with the columns `source` and `target`, from `seqnets.data.examples.pairs`.

    Example:
        >>> import seqnets as sn
        >>> from flax import nnx
        >>> from seqnets.data.examples.pairs import pair_examples
        >>> from seqnets.data.examples.texts import SequenceConfig
        >>> from seqnets.models.sequence.translator import Translator, TranslatorConfig
        >>> vocabularies, splits, _ = pair_examples([("a" * n, "b" * n) for n in range(1, 9)], SequenceConfig())
        >>> model = Translator(*vocabularies, TranslatorConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> run = sn.fit(TranslatorTask(model, splits), sn.TrainConfig(steps=2, batch_size=4), progress=None)
        >>> sorted(run.metrics[-1])
        ['step', 'validation_bleu4', 'validation_exact_match', 'validation_nats']
    """

    name, objective, maximize, units = "translator", "nats", False, "pairs"

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the mean loss of a batch and its figures."""
        nats, right = _token_figures(model, batch, key)
        loss, accuracy = (masked_mean(part, batch["target_lengths"]) for part in (nats, right))
        return loss, {"nats": loss, "accuracy": accuracy}

    def figures(self, model: Any, examples: Examples) -> dict[str, float]:
        """Return nats per token over the split, and exact match and BLEU-4 of greedy translations.

        BLEU is over the vocabulary's tokens: words for words, characters for characters.
        """
        from seqnets.decode.rows import map_examples
        from seqnets.metrics.bleu_score import bleu
        from seqnets.metrics.references import References

        nats = map_examples(target_nats, model, examples)
        written, wanted = self._written(model, examples, WRITTEN)
        together, _ = bleu(References([[target] for target in wanted]).compare(written))
        exact = sum(found == target for found, target in zip(written, wanted)) / len(wanted)
        return {"nats": float(nats.sum() / column(examples, "target").sequences.lengths.sum()), "exact_match": exact,
                "bleu4": float(together[3])}  # fmt: skip

    def preview(self, model: Any, seed: int) -> str:
        """Return some translations."""
        if "validation" not in self.splits:
            return ""
        examples = self.splits["validation"]
        written, _ = self._written(model, examples, SHOWN)
        sources = column(examples, "source").sequences
        lines = [f"{model.source.decode(sources[row])} -> {model.vocabulary.decode(found)}" for row, found in enumerate(written)]
        return "\n".join(lines)

    def _written(self, model: Any, examples: Examples, count: int) -> tuple[list[list[int]], list[list[int]]]:
        from seqnets.decode.translation import translate_tokens

        rows = range(min(count, len(examples)))
        sources, targets = (column(examples, name).sequences for name in ("source", "target"))
        longest = max(1, column(examples, "target").width - 1)
        found = translate_tokens(model, [sources[row] for row in rows], method="greedy", max_length=longest, attention=False)
        return [best.tokens.tolist() for best, *_ in found], [targets[row][:-1].tolist() for row in rows]


def target_nats(model: Any, batch: Batch) -> jax.Array:
    """Return -ln p of every target, including its end token: `(B,)`."""
    nats, _ = _token_figures(model, batch, None)
    return jnp.sum(jnp.where(valid_steps(batch["target_lengths"], nats.shape[1]), nats, 0), axis=1)


def _token_figures(model: Any, batch: Batch, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    targets = batch["target"]
    begin = jnp.full_like(targets[:, :1], model.vocabulary.begin)
    source = Source(batch["source"], batch["source_lengths"])
    logits, _ = model(source, jnp.concatenate([begin, targets[:, :-1]], axis=1), key=key)
    nats = optax.losses.softmax_cross_entropy_with_integer_labels(logits, targets)
    return nats, logits.argmax(-1) == targets

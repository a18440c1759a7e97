"""Character language modeling as a task."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqnets.data.text.config import TextConfig
from seqnets.data.text.corpus import Corpus
from seqnets.data.text.pieces import PieceVocabulary
from seqnets.data.text.streams import TextBatch, Windows
from seqnets.errors import UserError
from seqnets.models.char_lm import CharLM
from seqnets.run import ITEMS
from seqnets.train.task import Carry, Metrics

PREVIEW_CHARACTERS = 240


class CharLMTask:
    """A character model and a corpus, trained by truncated back-propagation through time.

    The loss is the mean of -ln p(next token) over the batch, plus the model's penalty on its outputs; the carry
    flows from one window to the next. The figures are per character, also where a token is a word.
    Validation is the exact pass of `seqnets.score` over the whole split.

    Args:
        model: the model to train; its vocabulary is the corpus's.
        corpus: the text.
        window: T, the characters that the gradient flows back through.

    Raises:
        UserError: the vocabularies of model and corpus differ.

    Example:
        >>> import seqnets as sn
        >>> from flax import nnx
        >>> corpus = sn.read_text(__file__)
        >>> model = sn.CharLM(corpus.vocabulary, hidden_features=8, rngs=nnx.Rngs(0))
        >>> run = sn.fit(CharLMTask(model, corpus, window=8), sn.TrainConfig(steps=2, batch_size=2), progress=None)
        >>> [sorted(line) for line in run.metrics][-1]
        ['step', 'validation_bits_per_char', 'validation_nats']
    """

    name, objective, maximize = "text", "nats", False

    def __init__(self, model: CharLM, corpus: Corpus, *, window: int = TextConfig.window) -> None:
        difference = model.vocabulary.difference(corpus.vocabulary, ("the model's vocabulary", "the corpus's"))
        if difference:
            raise UserError(f"{difference}; read the corpus with vocabulary=model.vocabulary")
        self.model, self.corpus, self.window = model, corpus, window
        self.vocabulary = corpus.vocabulary

    @property
    def units(self) -> str:
        """What a batch is counted in."""
        return "tokens" if isinstance(self.vocabulary, PieceVocabulary) else "characters"

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> Windows:
        """Return the windows of some streams of the training split."""
        return Windows(self.corpus.train, batch_size=batch_size, window=self.window, seed=seed, rows=rows)

    def units_per_step(self, batch_size: int) -> int:
        """Return B T, the tokens in a step."""
        return batch_size * self.window

    def initial_carry(self, batch_size: int) -> Carry:
        """Return the model's initial carry."""
        return self.model.initialize_carry(batch_size)

    def loss(self, model: Any, batch: TextBatch, carry: Carry, key: jax.Array) -> tuple[jax.Array, tuple[Carry, Metrics]]:
        """Return the mean loss of a window, its carry and its figures."""
        outputs, carry = model.features(batch.inputs, carry, resets=batch.resets, key=key)
        logits = model.logits(outputs, key=key)
        loss = jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch.targets))
        nats = loss / self._units(batch.targets)
        return loss + model.penalty(outputs), (carry, {"nats": nats, "bits_per_char": nats / math.log(2)})

    def _units(self, targets: Any) -> Any:
        """Return how many characters a token has on average."""
        if isinstance(self.vocabulary, PieceVocabulary):
            return jnp.maximum(jnp.mean(jnp.asarray(self.vocabulary.units_in)[targets].astype(jnp.float32)), 1e-9)
        return 1.0

    def evaluate(self, model: Any, split: str) -> dict[str, float]:
        """Return nats and bits per character of a whole split; empty if the corpus has no such split."""
        from seqnets.decode.text.scoring import score

        if split not in self.corpus.splits:
            return {}
        found = score(model, self.corpus.splits[split])
        return {"nats": found.nats, "bits_per_char": found.bits_per_char}

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return the corpus's fingerprint and the window."""
        return {**self.corpus.fingerprint(), "window": self.window}

    def preview(self, model: Any, seed: int) -> str:
        """Return a sample."""
        from seqnets.decode.text.sampling import sample

        separator, key = self.corpus.separator, jax.random.key(seed)
        return sample(model, length=PREVIEW_CHARACTERS, temperature=0.8, key=key, separator=separator)

    def artifacts(self) -> dict[str, Any]:
        """Return the model's settings, the vocabulary, and the hashes of the items if the text has items."""
        files = {ITEMS: self.corpus.items.to_file()} if self.corpus.items else {}
        return {"model": self.model.describe(), "vocabulary": self.vocabulary.to_json(), "files": files}

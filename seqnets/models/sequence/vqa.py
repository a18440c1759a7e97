"""Answers to questions about pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.words.vocabulary import TokenVocabulary
from seqnets.errors import UserError
from seqnets.models.captioner.encoder import as_float, make_encoder
from seqnets.models.description import described, names, needed, stated
from seqnets.models.sequence.config import VQAConfig
from seqnets.models.sequence.recurrent import Embedding, RecurrentEncoder
from seqnets.nn.attention import ATTENTIONS
from seqnets.nn.chain import subkey
from seqnets.nn.dense import Dense
from seqnets.nn.initializers import input_kernel
from seqnets.nn.regularize import dropout
from seqnets.ops import arguments


class VQA(nnx.Module):
    r"""Answer a question about a picture from a fixed set of answers.

    The question is read by a recurrent network, $q = \tanh(W_q h_T)$, the picture by a convolutional one. Without attention
    the two are multiplied, $z = q \circ \tanh(W_v \bar v)$, with $\bar v$ the picture's features, pooled and normalized.
    With attention, the question looks at the locations repeatedly, $u_0 = q$,
    $u_k = u_{k-1} + \text{attend}(u_{k-1}, v)$, $z = u_K$. Then $p = \text{softmax}(W_a \tanh(W z))$.

    Args:
        vocabulary: the vocabulary of the questions.
        answers: the answers.
        config: its shape.
        preprocessing: the rule of the weights of the network that reads pictures; None for pixels scaled to -1 .. 1.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> from seqnets.data.words.vocabulary import token_vocabulary
        >>> vocabulary = token_vocabulary(["is it red?"])
        >>> config = VQAConfig(attention="additive", image_size=16, encoder_width=2, hidden_features=4)
        >>> model = VQA(vocabulary, ("no", "yes"), config, rngs=nnx.Rngs(0))
        >>> logits, seen = model(jnp.zeros((1, 16, 16, 3), jnp.uint8), jnp.array([vocabulary.encode("red?")]), jnp.array([2]))
        >>> logits.shape, seen.shape
        ((1, 2), (1, 2, 4))

    References:
        Antol et al., "VQA: Visual Question Answering", 2015 (product); its L2 norm is the root mean square here.
        Yang et al., "Stacked Attention Networks for Image Question Answering", 2016; it has no hidden layer after the last.
    """

    def __init__(
        self,
        vocabulary: TokenVocabulary,
        answers: Sequence[str],
        config: VQAConfig,
        *,
        preprocessing: Preprocessing | None = None,
        rngs: nnx.Rngs,
    ):
        self.vocabulary, self.answers, self.config = vocabulary, tuple(answers), config
        self.preprocessing = preprocessing
        self.embedding = Embedding(vocabulary, config, rngs=rngs)
        self.reader = RecurrentEncoder(config.embedding_features, config, rngs=rngs)
        self.eye = _eye(config, rngs)
        rows, columns, depth = self.eye.feature_map
        size, options = config.joint_features, {"kernel_init": input_kernel, "rngs": rngs}
        self.question = Dense(config.outputs, size, **options)
        flat = config.attention == "none" and config.pooling == "flatten"
        self.picture = Dense(rows * columns * depth if flat else depth, size, **options)
        if config.attention != "none":
            attend = ATTENTIONS[config.attention]
            self.glimpses = nnx.List([attend(size, size, features=size, rngs=rngs) for _ in range(config.glimpses)])
        self.hidden = Dense(size, size, **options)
        self.output = Dense(size, len(answers), **options)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the locations that attention chooses from."""
        return self.eye.feature_map[:2]

    def __call__(
        self, images: Array, tokens: Array, lengths: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, Array | None]:
        """Score every answer.

        Args:
            images: `(B, H, W, 3)`, uint8, or float32 as the network that reads pictures takes them.
            tokens: `(B, T)` int32, the questions.
            lengths: `(B,)`; inputs beyond them have no effect.
            train: use and update the statistics of the batch in the picture's network.
            key: a JAX key that turns on dropout; None for inference.

        Returns:
            Logits `(B, answers)` float32, and the attention of each glimpse, `(B, glimpses, L)`; None without attention.
        """
        tokens = arguments.tokens_of(tokens, ("batch", "time"))
        _, last = self.reader(self.embedding(tokens, subkey(key, 1)), lengths=lengths, key=subkey(key, 2))
        question = jnp.tanh(self.question(last))
        if self.preprocessing is not None and images.dtype == jnp.uint8:
            images = self.preprocessing.normalize(images)
        seen = self.eye(as_float(images), train=train, key=subkey(key, 3)).astype(jnp.float32)
        seen = arguments.rows_of(seen, tokens.shape[0], name="images", of="tokens")
        joined, weights = self._multiply(question, seen) if self.config.attention == "none" else self._look(question, seen)
        hidden = jnp.tanh(self.hidden(dropout(joined, self.config.dropout, subkey(key, 4))))
        return self.output(dropout(hidden, self.config.dropout, subkey(key, 5))), weights

    def _multiply(self, question: Array, seen: Array) -> tuple[Array, None]:
        whole = _WHOLE[self.config.pooling](seen)
        size = jnp.sqrt(jnp.mean(jnp.square(whole), axis=-1, keepdims=True) + 1e-6)
        return question * jnp.tanh(self.picture(whole / size)), None

    def _look(self, question: Array, seen: Array) -> tuple[Array, Array]:
        locations = jnp.tanh(self.picture(seen.reshape(len(seen), -1, seen.shape[-1])))
        weights = []
        for glimpse in self.glimpses:
            context, looked = glimpse(question, glimpse.project(locations), locations)
            question = question + context
            weights.append(looked)
        return question, jnp.stack(weights, axis=1)

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of tokens or answers: by name, the list that the axis follows, and the axis."""
        return {"embedding.table": ("vocabulary", 0), "output.kernel": ("answers", 1), "output.bias": ("answers", 0)}

    def describe(self) -> dict[str, Any]:
        """Return the description that `from_description` reads."""
        rule = {} if self.preprocessing is None else {"preprocessing": self.preprocessing.to_json()}
        return {"kind": "VQA", "config": asdict(self.config), "answers": list(self.answers), **rule}


_WHOLE = {
    "max": lambda seen: seen.max(axis=(1, 2)),
    "mean": lambda seen: seen.mean(axis=(1, 2)),
    "flatten": lambda seen: seen.reshape(len(seen), -1),
}


def _eye(config: VQAConfig, rngs: nnx.Rngs) -> Any:
    eye = make_encoder(config, rngs=rngs)  # pyright: ignore[reportArgumentType]  it reads only the picture's four settings
    if eye is None:
        raise UserError(f"model.encoder must be 'small' or a network's name, not {config.encoder!r}")
    return eye


def from_description(description: Mapping[str, Any], vocabulary: Any) -> VQA:
    """Make the model that a run folder's config.json describes, with arbitrary weights.

    Raises:
        UserError: there is no vocabulary, or the description belongs to another version.
    """
    with described("VQA"):
        config, answers = stated(description.get("config"), VQAConfig()), names(description.get("answers"), "answers")
        rule = description.get("preprocessing")
        preprocessing = None if rule is None else Preprocessing.from_json(rule)
        return VQA(needed(vocabulary, TokenVocabulary), answers, config, preprocessing=preprocessing, rngs=nnx.Rngs(0))

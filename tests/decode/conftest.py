import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from seqnets.data import Vocabulary, bytes_vocabulary
from seqnets.decode.text.scoring import token_losses
from seqnets.models.char_lm import CharLM

TEXT = "the cat sat on the mat. a dog ran to the cat!\nno mat is at the dog; "


def sharpened(model: CharLM, factor: float = 4.0) -> CharLM:
    """Scale all weights up, so that an untrained model has opinions and a memory."""
    graph, state = nnx.split(model)
    return nnx.merge(graph, jax.tree.map(lambda x: factor * x, state))


@pytest.fixture(scope="session")
def model() -> CharLM:
    vocabulary = Vocabulary.from_text("abcdefgh\n ")
    return sharpened(CharLM(vocabulary, hidden_features=12, layers=2, embedding_features=5, rngs=nnx.Rngs(3)))


@pytest.fixture(scope="session")
def byte_model() -> CharLM:
    return sharpened(CharLM(bytes_vocabulary(), hidden_features=12, embedding_features=5, rngs=nnx.Rngs(4)), 2.0)


@pytest.fixture(scope="session")
def words() -> np.ndarray:
    """A text of random words: 6,000 tokens of the trained model's vocabulary."""
    drawn = np.random.default_rng(0).choice(TEXT.split(" "), 2_000)
    return Vocabulary.from_text(TEXT).encode(" ".join(drawn))[:6_000]


@pytest.fixture(scope="session")
def trained(words) -> CharLM:
    """An LSTM that has learned the words."""
    model = CharLM(Vocabulary.from_text(TEXT), hidden_features=32, embedding_features=8, rngs=nnx.Rngs(0))
    graph, params = nnx.split(model)
    optimizer = optax.adam(2e-2)
    text = jnp.asarray(words[: 16 * 250].reshape(16, 250))

    def loss(params, start):
        window = jax.lax.dynamic_slice_in_dim(text, start, 41, axis=1)
        merged = nnx.merge(graph, params)
        return token_losses(merged, window[:, :-1], window[:, 1:], jnp.zeros((16, 40), bool), merged.initialize_carry(16))[
            0
        ].mean()

    def step(state, start):
        params, memory = state
        updates, memory = optimizer.update(jax.grad(loss)(params, start), memory)
        return (optax.apply_updates(params, updates), memory), None

    starts = jax.random.randint(jax.random.key(0), (150,), 0, 200)
    (params, _), _ = jax.jit(lambda state: jax.lax.scan(step, state, starts))((params, optimizer.init(params)))
    return nnx.merge(graph, params)


@pytest.fixture(scope="session")
def tiny() -> CharLM:
    """Three characters, so that every text of a few of them can be tried."""
    return sharpened(CharLM(Vocabulary.from_text("abc"), hidden_features=8, embedding_features=3, rngs=nnx.Rngs(5)), 3.0)

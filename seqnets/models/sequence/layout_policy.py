"""A policy that writes the layout of modules for a question: a translator whose tokens are modules."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.data.examples.layouts import AND_TOKEN, UNKNOWN
from seqnets.data.words.vocabulary import TokenVocabulary, WordVocabulary
from seqnets.models.sequence.config import RecurrentConfig, TranslatorConfig, VQAConfig
from seqnets.models.sequence.translator import Source, Translator

Choose = Callable[[Array, Any], Array]  # of ln p `(B, V)` and what a step brings, the tokens `(B,)`


class Written(NamedTuple):
    """Layouts: tokens `(B, T)` with zeros after the end, ln p of each `(B,)`, and the sum of the choices' entropies `(B,)`."""

    tokens: Array
    log_prob: Array
    entropy: Array


def module_names(vocabulary: TokenVocabulary) -> WordVocabulary:
    """Return the tokens of layouts: `and`, and `find` and `transform` with each word.

    Example:
        >>> module_names(WordVocabulary(("red",))).words
        ('and', 'find <unknown>', 'transform <unknown>', 'find red', 'transform red')
    """
    words = vocabulary.entries[UNKNOWN:]
    return WordVocabulary(("and", *(f"{name} {word}" for word in words for name in ("find", "transform"))))


def make_policy(vocabulary: TokenVocabulary, config: VQAConfig, *, rngs: nnx.Rngs) -> Translator:
    """Return a policy with random weights, whose layers are those that the settings of questions describe."""
    shape = {each.name: getattr(config, each.name) for each in fields(RecurrentConfig)}
    own = TranslatorConfig(**shape, attention="additive", attention_features=config.hidden_features)
    return Translator(vocabulary, module_names(vocabulary), own, rngs=rngs)


def write_layouts(policy: Translator, questions: Source, length: int, choose: Choose, extra: Any = None) -> Written:
    r"""Write a layout for every question, each module before what it reads.

    A layout is whole as soon as nothing is left to read, so it needs no end. What would need more modules than there is room for
    has the probability 0: all layouts are valid, and their probabilities sum to 1.

    Args:
        policy: from `make_policy`.
        questions: B of them.
        length: T, the most modules.
        choose: returns the tokens of a step from ln p of all and the step's row of `extra`.
        extra: a pytree of arrays with the leading axis T.

    Example:
        >>> policy = make_policy(WordVocabulary(("red",)), VQAConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> write_layouts(policy, Source(jnp.array([[4]]), jnp.array([1])), 1, likeliest).tokens.shape
        (1, 1)

    References:
        Hu et al., "Learning to Reason: End-to-End Module Networks for Visual Question Answering", 2017.
    """
    annotations, batch = policy.encode(questions), questions.tokens.shape[0]
    tokens = len(policy.vocabulary)
    more = jnp.tile(jnp.array([0, -1], jnp.int32), tokens)[:tokens]  # layouts to write after transform, after find
    more = more.at[:AND_TOKEN].set(2 * length).at[AND_TOKEN].set(1)  # never a special token

    def body(held: Any, time: Any) -> Any:
        carry, token, needed = held
        room, own = time
        logits, carry, _ = policy.step(token, carry, annotations)
        fits = needed[:, None] + more[None] <= room
        log_prob = jax.nn.log_softmax(jnp.where(fits, logits, -jnp.inf))
        is_open = needed > 0
        token = jnp.where(is_open, choose(jax.lax.stop_gradient(log_prob), own), policy.vocabulary.pad)
        of_token = jnp.take_along_axis(log_prob, token[:, None], axis=-1)[:, 0]
        finite = jnp.where(fits, log_prob, 0)
        entropy = -jnp.sum(jnp.where(fits, jnp.exp(finite) * finite, 0), axis=-1)
        said = token, *(jnp.where(is_open, part, 0) for part in (of_token, entropy))
        return (carry, token, jnp.where(is_open, needed + more[token], 0)), said

    begin = jnp.full(batch, policy.vocabulary.begin, jnp.int32)
    start = (policy.initialize_carry(annotations), begin, jnp.ones(batch, jnp.int32))
    _, (tokens, log_prob, entropy) = jax.lax.scan(body, start, (jnp.arange(length)[::-1], extra))
    return Written(tokens.T, jnp.sum(log_prob, axis=0), jnp.sum(entropy, axis=0))


def likeliest(log_prob: Array, extra: Any) -> Array:
    """Choose the likeliest token of every row."""
    return log_prob.argmax(-1).astype(jnp.int32)

"""The objectives of a captioner: teacher forcing, scheduled sampling, or a reward for whole captions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from seqnets.models.captioner.decoder import Reading
from seqnets.ops.caption_loss import attention_entropy, doubly_stochastic_penalty, location_log_prob, word_nats
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.reinforce import leave_one_out, score_term
from seqnets.train.task import Metrics

Reward = Callable[[list[list[int]], np.ndarray], np.ndarray]


def reading_objective(
    reading: Reading, targets: Array, lengths: Array, baseline: Array, learning: CaptionLearning
) -> tuple[Array, Array, Metrics]:
    r"""Return the loss of given captions: the mean of -ln p(word), and the terms of attention.

    Soft attention adds $\lambda \sum_l (1 - \sum_t \alpha_{tl})^2$. Hard attention, with the caption's loss $\ell$, the
    locations s that were drawn and a baseline b, adds $\lambda_r [\ell - b] \ln p(s) - \lambda_e H(\alpha)$, where
    the bracket is a constant under differentiation: its gradient is an unbiased estimate for the expected loss (REINFORCE). Rows
    that read the mean over all locations have drawn nothing, and add only the entropy.

    Args:
        reading: the result of `Captioner.read`.
        targets: `(B, T)` int32.
        lengths: `(B,)`.
        baseline: b, a scalar.
        learning: the weights.

    Returns:
        The sum over captions divided by the number of words; the mean loss of a caption; figures.

    References:
        Xu et al., "Show, Attend and Tell", 2015.
        Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", 1992.
    """
    words = jnp.maximum(jnp.sum(lengths), 1)
    nats = jnp.sum(word_nats(reading.logits, targets, lengths), axis=-1)
    figures = {"nats": jnp.sum(nats) / words}
    total = nats
    if reading.location is not None and reading.expected is not None and reading.attention is not None:
        drawn = location_log_prob(reading.attention, reading.location, lengths) * ~reading.expected
        entropy = attention_entropy(reading.attention, lengths)
        total = nats + learning.score_rate * score_term(nats, baseline, drawn) - learning.entropy * entropy
        figures["attention_entropy"] = jnp.sum(entropy) / words
    elif reading.attention is not None and learning.regularizer:
        penalty = doubly_stochastic_penalty(reading.attention, lengths)
        total = nats + learning.regularizer * penalty
        figures["attention_penalty"] = jnp.mean(penalty)
    return jnp.sum(total) / words, jnp.mean(nats), figures


def read_with_own_words(model: Any, annotations: Any, tokens: Array, rate: Array, key: Array) -> Reading:
    """Read captions, where each previous word is the given one with probability 1 - rate, else drawn by the model.

    The draw is a constant under differentiation, and never a special token. The decoder runs without dropout.

    Args:
        model: a `Captioner`.
        annotations: from `model.encode`.
        tokens: `(B, T)` int32; begin, then the words.
        rate: the rate at which the model reads its own word.
        key: a JAX key.

    References:
        Bengio et al., "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks", 2015.
    """

    def body(held: Any, time: Any) -> Any:
        carry, own = held
        given, draws_own, step_key = time
        read = jnp.where(draws_own, own, given)
        logits, carry, attention = model.step(read, carry, annotations)
        own = jax.random.categorical(step_key, logits.at[:, signs].set(-jnp.inf))
        return (carry, own.astype(given.dtype)), (logits, attention)

    vocabulary = model.vocabulary
    signs = jnp.array([vocabulary.pad, vocabulary.begin, vocabulary.end, vocabulary.unknown])
    which_key, draw_key = jax.random.split(key)
    draws_own = jax.random.bernoulli(which_key, rate, tokens.shape).at[:, 0].set(False)
    times = (tokens.T, draws_own.T, jax.random.split(draw_key, tokens.shape[1]))
    _, seen = jax.lax.scan(body, (model.initialize_carry(annotations), tokens[:, 0]), times)
    logits, attention = jax.tree.map(lambda array: array.swapaxes(0, 1), seen)
    return Reading(logits, attention)


def draw_captions(model: Any, annotations: Any, length: int, key: Array) -> tuple[Array, Array, Array]:
    """Draw one caption per row from the model.

    Args:
        model: a `Captioner`.
        annotations: from `model.encode`, B rows.
        length: T, the most words, including the end.
        key: a JAX key.

    Returns:
        Tokens `(B, T)` with the end and padding after it; lengths `(B,)`; ln p(tokens) `(B,)`, which has a gradient.
    """
    vocabulary = model.vocabulary
    batch = jax.tree.leaves(annotations)[0].shape[0]
    signs = jnp.array([vocabulary.pad, vocabulary.begin, vocabulary.unknown])

    def body(held: Any, step_key: Array) -> Any:
        carry, token, open_ = held
        logits, carry, _ = model.step(token, carry, annotations)
        log_prob = jax.nn.log_softmax(logits.at[:, signs].set(-jnp.inf), axis=-1)
        token = jax.random.categorical(step_key, log_prob).astype(token.dtype)
        chosen = jnp.take_along_axis(log_prob, token[:, None], axis=-1)[:, 0]
        said = (jnp.where(open_, token, vocabulary.pad), jnp.where(open_, chosen, 0), open_)
        return (carry, token, open_ & (token != vocabulary.end)), said

    start = (model.initialize_carry(annotations), jnp.full(batch, vocabulary.begin, jnp.int32), jnp.ones(batch, bool))
    _, (tokens, log_prob, counted) = jax.lax.scan(body, start, jax.random.split(key, length))
    return tokens.T, jnp.sum(counted, axis=0, dtype=jnp.int32), jnp.sum(log_prob, axis=0)


def self_critical_objective(
    model: Any, annotations: Any, rows: Array, reward: Reward, learning: CaptionLearning, length: int, key: Array
) -> tuple[Array, Metrics]:
    r"""Return the loss whose gradient raises the expected reward of drawn captions.

    With K captions drawn for each image, $-\sum_k (r_k - \frac{1}{K-1} \sum_{j \ne k} r_j) \ln p(caption_k)$: each
    caption's baseline is the mean reward of the others, so that the estimate is unbiased. The sum is divided by the number of
    drawn words.

    Args:
        model: a `Captioner`.
        annotations: from `model.encode`, B rows.
        rows: `(B,)` int32, the image of each row.
        reward: `(captions as lists of tokens, image of each) -> (N,)`, on the host.
        learning: `self_critical_samples` is K.
        length: the most words, including the end.
        key: a JAX key.

    References:
        Rennie et al., "Self-critical Sequence Training for Image Captioning", 2017.
        Kool, van Hoof, Welling, "Buy 4 REINFORCE Samples, Get a Baseline for Free!", 2019 (the baseline).
    """
    samples = learning.self_critical_samples
    repeated = jax.tree.map(lambda array: jnp.repeat(array, samples, axis=0), annotations)
    tokens, lengths, log_prob = draw_captions(model, repeated, length, key)

    def on_host(tokens: Any, lengths: Any, rows: Any) -> np.ndarray:
        captions = [row[:size].tolist() for row, size in zip(np.asarray(tokens), np.asarray(lengths))]
        return np.asarray(reward(captions, np.asarray(rows)), np.float32)

    shape = jax.ShapeDtypeStruct(lengths.shape, jnp.float32)
    rewards = jax.pure_callback(on_host, shape, jax.lax.stop_gradient(tokens), lengths, jnp.repeat(rows, samples))
    advantage = rewards - leave_one_out(rewards, samples)
    loss = -jnp.sum(jax.lax.stop_gradient(advantage) * log_prob) / jnp.maximum(jnp.sum(lengths), 1)
    return loss, {"reward": jnp.mean(rewards)}

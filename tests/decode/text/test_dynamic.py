import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.decode import DynamicConfig, dynamic_score, score
from seqnets.decode.text.scoring import token_losses
from seqnets.errors import UserError


def naive(model, tokens, config: DynamicConfig, first: int = 1) -> float:
    """Segment after segment in Python, with the update rule written out in NumPy."""
    graph, trained = nnx.split(model)
    shape = jax.tree.structure(trained)
    start = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(trained)]
    theta, squares = list(start), [np.zeros_like(leaf) for leaf in start]

    def loss(params, inputs, targets, carry):
        losses, carry = token_losses(nnx.merge(graph, params), inputs, targets, jnp.zeros(inputs.shape, bool), carry)
        return losses.mean(), (losses, carry)

    gradient = jax.jit(jax.grad(loss, has_aux=True))
    carry, total = model.initialize_carry(1), 0.0
    for n, at in enumerate(range(0, len(tokens) - 1, config.segment), start=1):
        piece = tokens[at : at + config.segment + 1]
        params = jax.tree.unflatten(shape, [jnp.asarray(leaf, jnp.float32) for leaf in theta])
        g, (losses, carry) = gradient(params, jnp.asarray(piece[None, :-1]), jnp.asarray(piece[None, 1:]), carry)
        total += float(np.asarray(losses)[0, max(0, first - 1 - at) :].sum())
        g = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(g)]
        squares = [s + x * x for s, x in zip(squares, g)]
        roots = [np.sqrt(s / n) if config.rule == "rms" else np.ones_like(s) for s in squares]
        mean = np.concatenate([r.ravel() for r in roots]).mean()
        for i, (x, r) in enumerate(zip(g, roots)):
            step = config.learning_rate * (x / (r + config.epsilon) if config.rule == "rms" else x)
            theta[i] = theta[i] - step + np.minimum(config.decay * r / mean, 1) * (start[i] - theta[i])
    return total / (len(tokens) - first)


@pytest.mark.parametrize("rule", ["rms", "sgd"])
def test_equals_the_update_rule_written_out(trained, words, rule):
    config = DynamicConfig(rule=rule, learning_rate=2e-3 if rule == "rms" else 0.1, decay=0.02, segment=50)
    assert dynamic_score(trained, words[:420], config=config, chunk=4).nats == pytest.approx(
        naive(trained, words[:420], config), abs=2e-5
    )


def test_context_is_learned_from_and_not_counted(trained, words):
    config = DynamicConfig(segment=50)
    result = dynamic_score(trained, words[130:420], config=config, context=words[:130])
    assert result.characters == 290
    assert result.nats == pytest.approx(naive(trained, words[:420], config, first=130), abs=2e-5)


def test_without_learning_it_is_the_static_score(trained, words):
    still = DynamicConfig(learning_rate=0.0)
    assert dynamic_score(trained, words[:1_000], config=still).nats == pytest.approx(score(trained, words[:1_000]).nats, abs=1e-6)


def test_a_model_learns_new_words_and_stays_as_it_was(trained):
    before = jax.tree.map(np.asarray, nnx.state(trained))
    text = trained.vocabulary.encode("tac eht no tam ton! " * 60)
    assert dynamic_score(trained, text, config=DynamicConfig(learning_rate=5e-3)).nats < 0.8 * score(trained, text).nats
    jax.tree.map(np.testing.assert_array_equal, before, jax.tree.map(np.asarray, nnx.state(trained)))


def test_a_segment_is_scored_before_it_is_learned_from(trained, words):
    one_segment = DynamicConfig(segment=500, learning_rate=1.0)
    assert dynamic_score(trained, words[:400], config=one_segment).nats == pytest.approx(
        score(trained, words[:400]).nats, abs=1e-6
    )


@pytest.mark.parametrize("wrong", [{"learning_rate": -1.0}, {"segment": 0}, {"decay": float("nan")}, {"rule": "adam"}])
def test_impossible_settings_are_named(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        DynamicConfig(**wrong)

"""Models whose tokens are pieces of text: figures per character, stop strings inside tokens, and no broken characters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from seqnets.data import TextWords
from seqnets.decode.text.automata import search_states

TEXT = "the cat, the dog\n\nthe été été; the cat\n" * 6


@pytest.fixture(scope="module")
def model():
    return sn.CharLM(TextWords.from_texts([TEXT], 270), hidden_features=8, embedding_features=4, rngs=nnx.Rngs(0))


def test_bits_per_character_against_a_computation_by_hand(model):
    tokens = model.vocabulary.encode(TEXT)
    logits, _ = model(jnp.asarray(tokens[None, :-1]), model.initialize_carry(1))
    losses = -np.asarray(jax.nn.log_softmax(logits.astype(jnp.float32)), np.float64)[0, np.arange(len(tokens) - 1), tokens[1:]]
    characters = len(TEXT) - len(model.vocabulary.decode(tokens[:1]))
    found = sn.score(model, tokens, streams=3, warmup=8)
    assert (found.characters, found.unit) == (characters, "character")
    assert found.nats == pytest.approx(losses.sum() / characters, rel=1e-5)
    assert len(tokens) < 0.6 * len(TEXT)


def test_samples_hold_whole_characters_and_end_before_a_stop_string(model):
    text = sn.sample(model, "the", length=120, temperature=3.0, key=jax.random.key(2))
    assert len(text) == 120
    assert "\ufffd" not in text
    whole = sn.sample(model, "the", length=400, key=jax.random.key(2))
    stop = whole[200:203]
    assert sn.sample(model, "the", length=400, stop=[stop], key=jax.random.key(2)) == whole.partition(stop)[0]


def test_a_beam_ends_at_a_stop_string_in_the_middle_of_a_token(model):
    likely = nnx.clone(model)
    likely.output_bias[...] = likely.output_bias[...].at[model.vocabulary.encode(" cat")[0]].add(5.0)
    best = sn.beam_search(likely, "the", length=12, width=40, stop="a")
    ended = [found for found in best if found.stopped]
    assert " c" in [found.text for found in ended]
    assert not any("a" in found.text for found in ended)


@pytest.mark.parametrize("wanted", [b"ab", b"aab", b"abab", b"aaaa"])
def test_a_search_finds_what_find_finds(wanted):
    rng = np.random.default_rng(0)
    pieces = (b"a", b"b", b"ab", b"ba", b"aab", b"x")
    states = search_states(wanted, pieces)
    for _ in range(200):
        state, text = 0, b""
        for token in rng.integers(0, 6, 12):
            state, text = states[state, token], text + pieces[token]
            assert (state == len(wanted)) == (wanted in text)

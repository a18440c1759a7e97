import itertools
from functools import partial

import jax
import numpy as np
import pytest
from flax import nnx

from seqnets.decode import beam_search, score
from seqnets.decode.text.beam import _search
from seqnets.errors import UserError


@partial(jax.jit, static_argnums=0)
def _logits(graph, values, tokens, resets):
    model = nnx.merge(graph, values)
    return model(tokens, model.initialize_carry(len(tokens)), resets=resets)[0]


def log_probs(model, prompt: str, texts: list[str], separator: tuple[int, ...] = ()) -> np.ndarray:
    """ln p(text | prompt) of texts of one length, by one plain pass over all of them."""
    tokens = np.array([model.vocabulary.encode(prompt + text) for text in texts])
    resets = np.zeros(tokens.shape, bool) if not separator else tokens == separator[0]
    padded = np.zeros((2, 81, 16), np.int32)  # of one shape, to compile once
    padded[:, : len(texts), : tokens.shape[1]] = tokens, resets
    logits = np.asarray(_logits(*nnx.split(model), padded[0], padded[1].astype(bool)), np.float64)
    logits = logits[: len(texts), : tokens.shape[1] - 1]
    each = np.take_along_axis(logits, tokens[:, 1:, None], -1)[..., 0] - np.logaddexp.reduce(logits, axis=-1)
    return each[:, len(prompt) - 1 :].sum(axis=1)


def every(length: int) -> list[str]:
    return ["".join(text) for text in itertools.product("abc", repeat=length)]


def test_a_beam_wide_enough_finds_every_text_in_order(tiny):
    found = beam_search(tiny, "ab", length=4, width=81)
    expected = dict(zip(every(4), log_probs(tiny, "ab", every(4))))
    assert [c.text for c in found] == sorted(expected, key=expected.__getitem__, reverse=True)
    np.testing.assert_allclose([c.log_prob for c in found], [expected[c.text] for c in found], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_every_stopped_and_unstopped_text(tiny, penalty):
    """Brute force over all texts of 4 that end at the first "ca"."""
    ends = {text[: text.index("ca") + 2] if "ca" in text else text for text in every(4)}
    expected = {text: log_probs(tiny, "ab", [text])[0] / ((5 + len(text)) / 6) ** penalty for text in ends}
    found = beam_search(tiny, "ab", length=4, width=81, stop="ca", length_penalty=penalty)
    whole = [c.text + ("ca" if c.stopped else "") for c in found]
    assert whole == sorted(expected, key=expected.__getitem__, reverse=True)
    np.testing.assert_allclose([c.score for c in found], [expected[text] for text in whole], rtol=1e-5, atol=1e-5)


def naive_beam(model, prompt: str, length: int, width: int, separator=()) -> list[str]:
    beams = [""]
    for _ in range(length):
        longer = [text + c for text in beams for c in "abc"]
        scores = dict(zip(longer, log_probs(model, prompt, longer, separator)))
        beams = sorted(longer, key=scores.__getitem__, reverse=True)[:width]
    return beams


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_narrow_beam_equals_a_naive_one(tiny, width):
    assert [c.text for c in beam_search(tiny, "cab", length=7, width=width)] == naive_beam(tiny, "cab", 7, width)


def test_carry_is_reset_after_a_separator(tiny):
    found = [c.text for c in beam_search(tiny, "cba", length=6, width=4, separator=(2,))]
    assert found == naive_beam(tiny, "cba", 6, 4, separator=(2,))
    assert found != naive_beam(tiny, "cba", 6, 4)


def test_prompts_are_searched_side_by_side(tiny):
    together = beam_search(tiny, ["ab", "c", "bbbac"], length=5, width=3)
    for found, prompt in zip(together, ["ab", "c", "bbbac"]):
        alone = beam_search(tiny, prompt, length=5, width=3)
        assert [c.text for c in found] == [c.text for c in alone]
        np.testing.assert_allclose([c.log_prob for c in found], [c.log_prob for c in alone], rtol=1e-5)


def test_log_prob_is_that_of_scoring(tiny):
    best = beam_search(tiny, "ab", length=20, width=4)[0]
    result = score(tiny, tiny.vocabulary.encode(best.text), context=tiny.vocabulary.encode("ab"))
    assert best.log_prob == pytest.approx(-result.nats * 20, rel=1e-5)


def test_bytes_end_in_whole_characters(byte_model):
    for found in beam_search(byte_model, "né", length=9, width=6):
        assert "\ufffd" not in found.text


def test_all_lengths_up_to_a_power_of_two_share_a_program(tiny):
    beam_search(tiny, "a", length=33, width=2)
    compiled = _search._cache_size()
    found = [beam_search(tiny, "a", length=length, width=2)[0].text for length in (34, 50, 64)]
    assert [len(text) for text in found] == [34, 50, 64]
    assert _search._cache_size() == compiled


def test_no_prompts_find_nothing(tiny):
    assert beam_search(tiny, []) == []


@pytest.mark.parametrize("wrong", [{"width": 0}, {"length": 0}, {"stop": "x"}])
def test_impossible_settings_are_named(tiny, wrong):
    with pytest.raises(UserError, match="stop string" if "stop" in wrong else next(iter(wrong))):
        beam_search(tiny, "ab", **wrong)

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oracles.table_captioner import END, TableCaptioner, every_caption, naive_beam, penalized
from seqnets.decode import CaptionConfig, decode_captions
from seqnets.decode.captions import decoding as captions_module
from seqnets.decode.captions.beam import beam_tokens
from seqnets.decode.captions.rules import CaptionRules
from seqnets.errors import UserError

KINDS = np.array([0, 1, 2, 1, 0])


@pytest.fixture(scope="module")
def model():
    return TableCaptioner()


def found_of(captions):
    return [(tuple(c.tokens.tolist()), c.log_prob, c.ended) for c in captions]


def check_equal(found, expected):
    assert [(words, ended) for words, _, ended in found] == [(tuple(words), ended) for words, _, ended in expected]
    np.testing.assert_allclose([f[1] for f in found], [e[1] for e in expected], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("power", [0.0, 0.7, 2.0])
def test_a_beam_wide_enough_finds_every_caption_in_order(model, power):
    """All 3 + 9 + 27 captions of up to 3 words, by brute force."""
    found = decode_captions(model, np.arange(3), beam=120, n_best=39, max_length=3, length_penalty=power)
    for kind in range(3):
        every = {c: model.log_prob(kind, c) for c in every_caption(3, 3)}
        order = sorted(every, key=lambda c: -penalized(every[c], len(c) + 1, power))
        check_equal(found_of(found[kind]), [(c, every[c], True) for c in order])
        scores = [penalized(every[c], len(c) + 1, power) for c in order]
        np.testing.assert_allclose([c.score for c in found[kind]], scores, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"beam": 1, "n_best": 1, "max_length": 6},
        {"beam": 2, "n_best": 2, "max_length": 7, "length_penalty": 0.0},
        {"beam": 3, "n_best": 2, "max_length": 7, "length_penalty": 1.0, "min_length": 4},
        {"beam": 5, "n_best": 5, "max_length": 6, "length_penalty": 2.0, "min_length": 0},
        {"beam": 4, "n_best": 4, "max_length": 5, "min_length": 5},
        {"beam": 7, "n_best": 3, "max_length": 1},
    ],
    ids=str,
)
def test_equals_the_naive_search(settings):
    model = TableCaptioner(words=settings["beam"] if settings["beam"] < 4 else 5, seed=1)
    rules = {"width": settings["beam"], "power": settings.get("length_penalty", 0.7), "min_length": settings.get("min_length", 1)}
    found = decode_captions(model, KINDS, **settings)
    for kind, captions in zip(KINDS, found):
        best = naive_beam(model, kind, n_best=settings["n_best"], max_length=settings["max_length"], **rules)
        check_equal(found_of(captions), best)


@pytest.mark.parametrize("method", ["beam", "sample", "greedy"])
def test_attention_follows_each_caption_through_its_ancestors(method):
    model = TableCaptioner(words=6, seed=3, sharpness=0.7)
    n_best = 1 if method == "greedy" else 8
    found = decode_captions(model, KINDS, method=method, beam=8, n_best=n_best, max_length=6, length_penalty=2.0)
    assert max(len(c.tokens) for captions in found for c in captions) >= 3
    for kind, captions in zip(KINDS, found):
        for caption in captions:
            np.testing.assert_array_equal(caption.attention, model.attention(kind, caption.tokens.tolist()))
            assert caption.maps.shape == (len(caption.tokens), 2, 3)
            assert caption.words == tuple(caption.text.split())
            assert caption.log_prob == pytest.approx(model.log_prob(kind, caption.tokens, ended=caption.ended), rel=1e-5)


@pytest.mark.parametrize("method", ["beam", "sample", "greedy"])
@pytest.mark.parametrize("bias", [-np.inf, pytest.param(-1e9, marks=pytest.mark.slow)])
def test_a_model_that_never_ends_still_gives_whole_length_captions(method, bias):
    model = TableCaptioner(end_bias=bias)
    for captions in decode_captions(model, KINDS, method=method, beam=3, n_best=1, max_length=4):
        (caption,) = captions
        assert len(caption.tokens) == 4
        assert caption.text
        assert np.isfinite(caption.log_prob)
        assert not caption.ended


def certain(*rows):
    """A table of log-probabilities: of every token, what follows it, `{token: probability}`."""
    table = np.zeros((len(rows), len(rows)))
    for token, following in enumerate(rows):
        table[token, list(following)] = list(following.values())
    with np.errstate(divide="ignore"):
        return jnp.log(jnp.asarray(table, jnp.float32))


def search(table, **rules):
    rules = CaptionRules(begin=0, end=1, forbidden=(0,), attention=False, **rules)
    return beam_tokens(lambda tokens, carry, _: (table[tokens], carry, None), jnp.zeros(1), (), rules, 2.0)


def test_a_short_caption_does_not_end_the_search_for_a_longer_one_that_is_better():
    """ln 0.4 / 2^2 of six certain words is above ln 0.6, at once, though ln 0.4 / (7/6)^2 is below."""
    table = certain({1: 0.6, 2: 0.4}, {1: 1}, {3: 1}, {4: 1}, {5: 1}, {6: 1}, {7: 1}, {1: 1})
    for width in (2, 3):
        found = search(table, max_length=6, min_length=0, width=width)
        assert found.tokens[0, 0].tolist() == [2, 3, 4, 5, 6, 7]
        assert found.score[0, 0] == pytest.approx(np.log(0.4) / 4, rel=1e-6)


@pytest.mark.parametrize("end", [1e-9, 0.2, 0.49])
@pytest.mark.parametrize("width", [1, 2])
def test_a_caption_that_would_rather_go_on_has_not_ended(end, width):
    table = certain({2: 1}, {1: 1}, {2: 1 - end - 0.01, 3: 0.01, 1: end}, {2: 1})
    found = search(table, max_length=3, width=width)
    if width == 1 or end < 0.01:
        assert not found.ended[0, 0]
        assert found.log_prob[0, 0] == pytest.approx(2 * np.log(1 - end - 0.01), rel=1e-5)
    else:  # the end is the second best of all that could follow
        assert found.ended[0, 0]


def test_captions_that_ended_come_before_those_cut_off():
    model = TableCaptioner(words=2, seed=5)
    model.table[...] = model.table[...].at[:, :, 5, END].set(-jnp.inf)  # after `b` nothing ends
    (captions,) = decode_captions(model, np.array([0]), beam=8, n_best=8, max_length=2)
    assert [c.ended for c in captions] == sorted((c.ended for c in captions), reverse=True)
    assert {c.text for c in captions if not c.ended} == {"a b", "b b"}
    assert {c.text for c in captions if c.ended} == {"a", "a a", "b a"}


@pytest.mark.parametrize("method", ["beam", "sample", "greedy"])
def test_a_model_that_would_say_nothing_says_a_word(method):
    model = TableCaptioner(end_bias=50.0)
    for captions in decode_captions(model, KINDS, method=method):
        assert [len(c.tokens) for c in captions] == [1]
    (empty,) = decode_captions(model, KINDS[:1], method=method, min_length=0)[0]
    assert (empty.text, len(empty.tokens), empty.ended) == ("", 0, True)
    assert empty.attention.shape == (0, 6)


def test_greedy_takes_the_likeliest_word_each_time(model):
    for kind, (caption,) in zip(KINDS, decode_captions(model, KINDS, method="greedy", max_length=9)):
        words = []
        while len(words) < 9:
            log_probs = model.log_probs(kind, words).copy()
            log_probs[[0, 1, 3] + [END] * (not words)] = -np.inf
            if np.argmax(log_probs) == END:
                break
            words.append(int(np.argmax(log_probs)))
        assert caption.tokens.tolist() == words


def test_samples_come_as_often_as_they_are_likely(model):
    """2,000 captions of one image: frequencies within 5 standard deviations of the exact probabilities."""
    n, kind, temperature = 2000, 1, 1.7
    (captions,) = decode_captions(
        model, np.array([kind]), method="sample", n_best=n, max_length=3, temperature=temperature, allow_unknown=True
    )
    first = np.zeros(len(model.vocabulary))
    for caption in captions:
        first[caption.tokens[0]] += 1 / n
    logits = model.log_probs(kind, ()) / temperature
    logits[[0, 1, END]] = -np.inf
    expected = np.exp(logits - np.logaddexp.reduce(logits))
    np.testing.assert_array_less(np.abs(first - expected), 5 * np.sqrt(expected * (1 - expected) / n) + 1e-9)
    assert captions[0].log_prob == pytest.approx(model.log_prob(kind, captions[0].tokens, ended=captions[0].ended), rel=1e-5)


@pytest.mark.parametrize("filters", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}, {"temperature": 0.0}], ids=str)
def test_filters_that_leave_one_word_are_greedy(model, filters):
    drawn = decode_captions(model, KINDS, method="sample", n_best=2, **filters)
    greedy = decode_captions(model, KINDS, method="greedy")
    assert [[c.text for c in row] for row in drawn] == [[row[0].text] * 2 for row in greedy]


def test_a_sample_depends_on_its_key_and_place_and_not_on_the_batch(model):
    settings = {"method": "sample", "n_best": 3, "key": jax.random.key(7), "temperature": 1.5}
    whole = decode_captions(model, KINDS, **settings)
    pieces = decode_captions(model, KINDS, batch=2, **settings)
    assert [[c.text for c in row] for row in whole] == [[c.text for c in row] for row in pieces]
    assert len({c.text for row in whole for c in row}) > 3
    other = decode_captions(model, KINDS, **{**settings, "key": jax.random.key(8)})
    assert [[c.text for c in row] for row in whole] != [[c.text for c in row] for row in other]


def test_unknown_is_written_only_if_allowed():
    model = TableCaptioner(seed=2)
    model.table[...] = model.table[...].at[..., 3].add(20.0)
    for method in ("beam", "greedy", "sample"):
        assert "<unknown>" not in decode_captions(model, KINDS, method=method)[0][0].text
        assert "<unknown>" in decode_captions(model, KINDS, method=method, allow_unknown=True)[0][0].text


def test_batches_change_nothing_and_compile_once():
    model = TableCaptioner(words=4, seed=9)
    images = np.random.default_rng(0).integers(0, 3, 21)
    before = captions_module._decoded._cache_size()
    pieces = decode_captions(model, images, batch=8, max_length=11)
    assert captions_module._decoded._cache_size() == before + 1
    decode_captions(model, images[:13], batch=8, max_length=11, length_penalty=0.1)
    assert captions_module._decoded._cache_size() == before + 1
    whole = decode_captions(model, images, max_length=11)
    assert captions_module._decoded._cache_size() == before + 2
    for (a,), (b,) in zip(pieces, whole):
        assert a.text == b.text
        np.testing.assert_array_equal(a.attention, b.attention)
    assert decode_captions(model, images[:0], batch=8) == []


def test_without_attention(model):
    blind = TableCaptioner(looks=False)
    for method in ("beam", "greedy", "sample"):
        (caption,) = decode_captions(blind, KINDS[:1], method=method)[0]
        assert caption.attention is None
        with pytest.raises(UserError, match="without attention"):
            caption.attention_figure()
    (caption,) = decode_captions(model, KINDS[:1], attention=False)[0]
    assert caption.attention is None


REFUSALS = {
    "method": ({"method": "guess"}, "method must be 'beam', 'greedy' or 'sample', not 'guess'"),
    "beam": ({"beam": 0}, "beam must be at least 1"),
    "n_best": ({"beam": 2, "n_best": 3}, "a beam of 2 finds 2 captions at most, fewer than n_best 3"),
    "greedy": ({"method": "greedy", "n_best": 2}, "greedy decoding gives one caption"),
    "lengths": ({"min_length": 5, "max_length": 4}, "min_length 5 is beyond max_length 4"),
    "penalty": ({"length_penalty": -1.0}, "length_penalty must be at least 0"),
    "nan": ({"temperature": float("nan")}, "temperature must be a finite number, not nan"),
    "top_k": ({"top_k": 0}, "top_k must be at least 1"),
    "top_p": ({"top_p": 1.5}, "top_p must be above 0 and at most 1"),
    "unknown": ({"width": 3}, "captioning: unknown key 'width'; did you mean 'beam'"),
    "batch": ({"batch": 0}, "batch must be at least 1"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(model, case):
    settings, message = REFUSALS[case]
    with pytest.raises(UserError, match=message):
        decode_captions(model, KINDS, **settings)


def test_weights_that_are_not_finite_are_reported():
    model = TableCaptioner()
    model.table[...] = model.table[...] * jnp.nan
    for method in ("beam", "greedy", "sample"):
        with pytest.raises(UserError, match="no word a finite probability"):
            decode_captions(model, KINDS, method=method)


def test_images_of_different_numbers(model):
    with pytest.raises(UserError, match="same leading axis"):
        decode_captions(model, {"a": np.zeros(2), "b": np.zeros(3)})


def test_long_enough_for_a_least_length(model):
    assert CaptionConfig(min_length=40).rules(model.vocabulary).max_length == 40
    assert CaptionConfig().rules(model.vocabulary).max_length == 20


@pytest.mark.parametrize("window", [1, 3])
def test_a_repetition_penalty_sees_the_last_words(window):
    model = TableCaptioner(words=5, seed=1)
    rules = CaptionConfig(min_length=6, max_length=6).rules(model.vocabulary)
    how = {"method": "sample", "temperature": 0.0, "max_length": 6, "min_length": 6}
    found = decode_captions(model, KINDS[:3], repetition_penalty=5.0, repetition_window=window, **how)
    plain = decode_captions(model, KINDS[:3], **how)
    assert [one[0].tokens.tolist() for one in found] != [one[0].tokens.tolist() for one in plain]
    for kind, (caption,) in zip(KINDS[:3], found):
        annotations, words, token = model.encode(np.array([kind])), [], rules.begin
        carry = model.initialize_carry(annotations)
        for _ in range(6):
            logits, carry, _ = model.step(jnp.array([token]), carry, annotations)
            row = np.array(logits[0], np.float64)
            row[[*rules.forbidden, rules.end]] = -np.inf
            for word in set(words[-window:]):
                row[word] *= 0.2 if row[word] > 0 else 5
            token = int(row.argmax())
            words.append(token)
        assert caption.tokens.tolist() == words

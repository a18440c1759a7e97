from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.data import Vocabulary
from seqnets.data.text.pieces import TextSubwords, TextWords
from seqnets.decode import sample, sample_many, stream, stream_many
from seqnets.decode.text import prompt as prompts
from seqnets.decode.text.sampling import _chunk, _run
from seqnets.errors import UserError
from seqnets.models.char_lm import CharLM
from seqnets.run import Run

KEY = jax.random.key(7)


@partial(jax.jit, static_argnums=0)
def _all_logits(graph, values, tokens, resets):
    model = nnx.merge(graph, values)
    return model(tokens, model.initialize_carry(1), resets=resets)[0][0]


def next_logits(model, tokens, resets=None) -> np.ndarray:
    """The whole text again for every character, from the zero carry; what follows is padding that it cannot see."""
    padded = np.zeros((2, 1, 64), np.int32)
    padded[0, 0, : len(tokens)] = tokens
    padded[1, 0, : len(tokens)] = 0 if resets is None else resets
    logits = _all_logits(*nnx.split(model), padded[0], padded[1].astype(bool))
    return np.asarray(logits[len(tokens) - 1], np.float64)


def naive(model, prompt, length, temperature, *, index=0, penalty=None, window=16, separator=()) -> str:
    tokens = model.vocabulary.encode(prompt).tolist()
    for t in range(length):
        resets = [tuple(tokens[: i + 1][-len(separator) :]) == separator if separator else False for i in range(len(tokens))]
        logits = next_logits(model, tokens, resets)
        if penalty:
            for token in set(tokens[-window:]):
                logits[token] = logits[token] / penalty if logits[token] > 0 else logits[token] * penalty
        noise = jax.random.gumbel(jax.random.fold_in(jax.random.fold_in(KEY, index), t), (len(logits),))
        tokens.append(int(np.argmax(logits / temperature + np.asarray(noise) if temperature else logits)))
    return model.vocabulary.decode(tokens)[len(prompt) :]


def test_greedy_equals_a_naive_loop(model):
    assert sample(model, "bad cab", length=30, temperature=0) == naive(model, "bad cab", 30, 0)


def test_drawing_equals_a_naive_loop_with_the_documented_keys(model):
    texts = sample_many(model, "bad", samples=3, length=20, temperature=0.7, key=KEY)
    assert texts == [naive(model, "bad", 20, 0.7, index=i) for i in range(3)]
    assert len(set(texts)) == 3


def test_repetition_penalty_looks_at_the_window(model):
    options = {"length": 20, "temperature": 0, "repetition_penalty": 1.7, "repetition_window": 3}
    expected = naive(model, "bad", 20, 0, penalty=1.7, window=3)
    assert sample(model, "bad", **options) == expected
    assert expected != naive(model, "bad", 20, 0)


def test_the_penalty_sees_the_prompt(model):
    options = {"length": 1, "temperature": 0, "repetition_penalty": 1e6}
    assert sample(model, "bad", **options) == naive(model, "bad", 1, 0, penalty=1e6)
    penalized = [prompt for prompt in ("bad", "cab", "fed", "h a", "gag") if naive(model, prompt, 1, 0) in prompt]
    assert penalized  # prompts that the model would repeat
    for prompt in penalized:
        assert sample(model, prompt, **options) == naive(model, prompt, 1, 0, penalty=1e6) != naive(model, prompt, 1, 0)


def test_the_window_of_the_penalty_is_not_that_of_the_separator(model):
    separator = tuple(model.vocabulary.encode("h\n g").tolist())
    options = {"length": 20, "temperature": 0, "repetition_penalty": 1.7, "repetition_window": 1}
    expected = naive(model, "bad", 20, 0, penalty=1.7, window=1, separator=separator)
    assert sample(model, "bad", **options, separator=separator) == expected
    assert expected != naive(model, "bad", 20, 0, penalty=1.7, window=4, separator=separator)


def test_carry_is_reset_after_a_separator_in_prompt_and_text(model):
    separator = tuple(model.vocabulary.encode("a").tolist())
    expected = naive(model, "cabd", 25, 1.0, separator=separator)
    assert "a" in expected[:-1]
    assert sample(model, "cabd", length=25, key=KEY, separator=separator) == expected
    assert expected != naive(model, "cabd", 25, 1.0)


@pytest.mark.parametrize(
    "options", [{}, {"top_k": 3, "top_p": 0.9, "min_p": 0.01, "repetition_penalty": 1.2, "stop": ("ab", "c\n")}]
)
def test_text_depends_on_neither_chunk_nor_streaming(model, options):
    whole = sample(model, "abc", length=100, key=KEY, **options)
    assert whole == "".join(stream(model, "abc", length=100, key=KEY, chunk=7, **options))
    assert whole == "".join(stream(model, "abc", length=100, key=KEY, chunk=1, **options))
    assert whole != sample(model, "abc", length=100, key=jax.random.key(8), **options)


@pytest.mark.parametrize(("length", "pieces"), [(3, 1), (256, 1), (600, 3)])
def test_text_comes_in_pieces_of_256_characters(model, length, pieces):
    assert len(list(stream(model, "abc", length=length, key=KEY))) == pieces


@pytest.mark.parametrize(("megabytes", "chunk"), [(1, 256), (13, 256), (64, 64), (1024, 8)])
def test_the_more_weights_the_smaller_the_pieces(megabytes, chunk):
    weights = {"kernel": np.broadcast_to(np.float32(0), (megabytes << 18,))}
    assert _chunk(weights) == chunk


def test_a_sample_is_the_same_alone_and_among_others(model):
    many = sample_many(model, "abc", samples=5, length=40, key=KEY)
    assert many[:2] == sample_many(model, "abc", samples=2, length=40, key=KEY)
    assert many[0] == sample(model, "abc", length=40, key=KEY)


@pytest.mark.parametrize("top_k", [1, 2])
def test_top_k_draws_from_the_best_only(model, top_k):
    text = sample(model, "abc", length=40, top_k=top_k, temperature=3.0, key=KEY)
    tokens = model.vocabulary.encode("abc" + text).tolist()
    for end in range(3, len(tokens)):
        assert tokens[end] in np.argsort(-next_logits(model, tokens[:end]))[:top_k]


def test_first_characters_follow_the_model(model):
    drawn = sample_many(model, "bad", samples=2_000, length=1, temperature=1.5, key=KEY)
    logits = next_logits(model, model.vocabulary.encode("bad").tolist()) / 1.5
    expected = np.exp(logits - np.logaddexp.reduce(logits))
    found = np.bincount(model.vocabulary.encode("".join(drawn)), minlength=len(expected)) / 2_000
    assert (np.abs(found - expected) < 4.5 * np.sqrt(expected * (1 - expected) / 2_000) + 1e-3).all()


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 200])
def test_exactly_that_many_new_characters(model, length):
    assert len(sample(model, "abc", length=length)) == length
    assert [len(text) for text in sample_many(model, "abc", samples=2, length=length)] == [length, length]


def test_text_ends_before_the_stop_string(model):
    free = sample(model, "abc", length=200, key=KEY)
    stop = free[90:93]
    first = free.index(stop)
    assert sample(model, "abc", length=200, key=KEY, stop=stop) == free[:first]
    pieces = list(stream(model, "abc", length=200, key=KEY, stop=(stop,), chunk=1))
    assert "".join(pieces) == free[:first]


def test_each_sample_ends_at_its_own_stop(model):
    free = sample_many(model, "abc", samples=4, length=150, key=KEY)
    stopped = sample_many(model, "abc", samples=4, length=150, key=KEY, stop=("ba",))
    assert stopped == [text.split("ba")[0] for text in free]


def test_bytes_are_whole_characters_and_counted_as_such(byte_model):
    for text in sample_many(byte_model, "né", samples=6, length=150, temperature=3.0, key=KEY):
        assert len(text) == 150
        assert "\ufffd" not in text
        assert any(ord(c) > 127 for c in text)


def test_bytes_continue_a_prompt_that_ends_inside_a_character(byte_model):
    half = "€".encode()[:2].decode("utf-8", "surrogateescape")
    continued = sample(byte_model, half, length=5, key=KEY)
    assert len(continued) == 5


@pytest.mark.parametrize(("characters", "start"), [("ab\n ", "\n"), ("ab ", " "), ("ab", "a")])
def test_an_empty_prompt_starts_from_what_stands_before_a_beginning(characters, start):
    vocabulary = Vocabulary.from_text(characters)
    assert vocabulary.decode(prompts.prompt_tokens(vocabulary, "")) == start
    assert vocabulary.decode(prompts.prompt_tokens(vocabulary, "", separator=(1, 0))) == vocabulary.decode([0])


def test_an_empty_prompt_is_read_but_not_written(model):
    assert sample(model, "", length=30, key=KEY) == sample(model, "\n", length=30, key=KEY)
    assert sample(model, "éé", length=30, key=KEY, unknown="skip") == sample(model, "\n", length=30, key=KEY)


@pytest.mark.parametrize("size", [1, 2, 128, 129, 130, 300])
def test_prompt_is_read_as_by_a_plain_pass(model, size):
    tokens = np.random.default_rng(size).integers(0, 10, size).astype(np.int32)
    _, expected = model(jnp.asarray(tokens[None, :-1]), model.initialize_carry(1)) if size > 1 else (0, model.initialize_carry(1))
    got = prompts.read_prompt(model, tokens)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), got, expected)


def test_no_length_and_no_setting_compiles_anew(model):
    sample(model, "abc", length=10, temperature=0.5, top_k=3)
    before = _run._cache_size(), prompts._read._cache_size()
    for size, top_k in [(1, 1), (50, 2), (129, 5), (700, 9)]:
        sample(model, "ab" * size, length=size, temperature=size / 100, top_k=top_k, key=jax.random.key(size))
    sample(model, "abc", length=10, temperature=0, top_k=3)
    assert (_run._cache_size(), prompts._read._cache_size()) == before


def test_unknown_characters_follow_the_policy(model):
    with pytest.raises(UserError, match=r"no character 'é' \(at byte 2 of the prompt\)"):
        sample(model, "abéd")
    assert sample(model, "abéd", unknown="skip", length=20) == sample(model, "abd", length=20)
    assert sample(model, "abéd", unknown="replace", length=20) == sample(model, "ab d", length=20)


@pytest.mark.parametrize(
    "wrong",
    [
        {"length": -1},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"min_p": -0.1},
        {"repetition_penalty": 0.0},
        {"repetition_window": 0},
        {"stop": ("",)},
        {"unknown": "guess"},
        {"temprature": 1.0},
        {"length": 5.0},
        {"length": float("inf")},
        {"length": True},
        {"repetition_window": 8.0},
        {"repetition_window": 10**9},
        {"top_k": 2.5},
        {"stop": ("Ω",)},
        {"key": 3},
        {"chunk": 2.0},
    ],
)
def test_impossible_settings_are_named(model, wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        sample(model, "abc", **wrong)


def test_impossible_numbers_of_samples_are_named(model):
    for samples in (0, 2.0, 2_000_000_000):
        with pytest.raises(UserError, match="samples must be"):
            stream_many(model, "abc", samples=samples)


def test_numbers_of_numpy_are_numbers(model):
    plain = sample(model, "abc", length=9, temperature=0.5, top_k=3, key=KEY)
    assert sample(model, "abc", length=np.int64(9), temperature=np.float32(0.5), top_k=np.uint8(3), key=KEY) == plain


def test_a_run_is_not_a_model(model):
    with pytest.raises(UserError, match=r"not a run; give run\.model"):
        sample(Run(model, {}, None, None, []), "abc")


PROVERBS = ["the cat sat on the mat and the dog sat on the cats\n", "a thing that the thinker thought is a thought\n"] * 5


@pytest.mark.parametrize("kind", [TextWords, TextSubwords])
@pytest.mark.parametrize("prompt", ["the cat ", "the cat", "a th", "on the mat and ", "s", "the ", "on "])
def test_the_end_of_a_prompt_is_drawn_again_with_the_tokens_that_begin_with_it(kind, prompt):
    if kind is TextSubwords:
        pytest.importorskip("tokenizers", reason="the extra [bpe] is not installed")
    model = of_proverbs(kind)
    pieces, tokens = model.vocabulary.spelling, model.vocabulary.encode(prompt).tolist()
    last = pieces[tokens[-1]]
    begin = [piece.startswith(last) for piece in pieces]
    if len(tokens) > 1 and sum(begin) > 1:
        tokens.pop()
    else:
        begin = [True] * len(pieces)
    for _ in range(5):
        logits = next_logits(model, tokens)
        tokens.append(int(np.argmax(np.where(begin, logits, -np.inf))))
        begin = [True] * len(pieces)
    expected = b"".join(pieces[token] for token in tokens).decode()
    assert expected.startswith(prompt)
    length = len(expected) - len(prompt)
    assert sample(model, prompt, length=length, temperature=0) == expected[len(prompt) :]
    assert "".join(stream(model, prompt, length=length, temperature=0, chunk=1)) == expected[len(prompt) :]


@cache
def of_proverbs(kind):
    vocabulary = kind.from_texts(PROVERBS) if kind is TextWords else kind.from_texts(PROVERBS, size=300)
    assert any(len(piece) > 3 for piece in vocabulary.spelling)
    model = CharLM(vocabulary, hidden_features=16, rngs=nnx.Rngs(1))
    whole = np.array([piece.isascii() for piece in vocabulary.spelling])
    model.output_bias[...] = jnp.where(whole, model.output_bias[...], -1e3)  # no parts of characters
    return model

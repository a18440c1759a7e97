from itertools import pairwise

import numpy as np
import pytest

from seqnets.data import Vocabulary, bytes_vocabulary
from seqnets.decode.text import utf8
from seqnets.decode.text.streaming import TextStream
from seqnets.errors import UserError

VOCABULARY = Vocabulary.from_text("abc")


def naive(text: str, length: int, stop: list[str]) -> str:
    """Write one character after the other and look for a stop string at the end."""
    for end in range(1, min(length, len(text)) + 1):
        done = [s for s in stop if text[:end].endswith(s)]
        if done:
            return text[: end - max(map(len, done))]
    return text[:length]


def cut(rng, size: int) -> list[slice]:
    edges = [0, *sorted(rng.integers(0, size + 1, rng.integers(0, 8))), size]
    return [slice(a, b) for a, b in pairwise(edges)]


@pytest.mark.parametrize("seed", range(60))
def test_text_is_the_same_however_the_tokens_are_cut(seed):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 3, 80)
    stop = ["".join(rng.choice(list("abc"), rng.integers(1, 6))) for _ in range(rng.integers(0, 4))]
    length = int(rng.integers(0, 100))
    stream = TextStream(VOCABULARY, length, stop)
    pieces = [stream.push(tokens[part]) for part in cut(rng, 80)]
    expected = naive(VOCABULARY.decode(tokens), length, stop)
    if stream.finished:
        assert "".join(pieces) == expected
    else:  # what is held back may yet become a stop string
        held = expected[len("".join(pieces)) :]
        assert expected.startswith("".join(pieces))
        assert held == "" or any(s.startswith(held) for s in stop)


def test_nothing_is_held_back_that_cannot_become_a_stop_string():
    stream = TextStream(VOCABULARY, 100, ["cab"])
    assert [stream.push([t]) for t in (0, 2, 0, 2, 0, 1)] == ["a", "", "", "ca", "", ""]
    assert stream.finished


def test_length_counts_characters_and_leaves_none_broken():
    stream = TextStream(bytes_vocabulary(), 2, [])
    pieces = [stream.push([byte]) for byte in "é€x".encode()]
    assert pieces == ["", "é", "", "", "€", ""]
    assert stream.finished


def test_length_zero_is_finished_at_once():
    assert TextStream(VOCABULARY, 0).finished


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        (["bcabc", "ca"], "aab"),  # the first of the two begins first, the second is complete first
        (["ca", "bcabc"], "aab"),
        (["abc", "c"], "a"),  # complete at once: the longer
        (["c", "abc"], "a"),
    ],
)
def test_of_several_stop_strings_the_one_that_is_complete_first_counts(stop, text):
    for size in (1, 2, 9):
        stream, tokens = TextStream(VOCABULARY, 100, stop), VOCABULARY.encode("aabcabcab")
        assert "".join(stream.push(tokens[start : start + size]) for start in range(0, 9, size)) == text
        assert stream.finished


def test_empty_stop_string_is_refused():
    with pytest.raises(UserError, match="at least one character"):
        TextStream(VOCABULARY, 10, [""])


@pytest.mark.parametrize("stop", ["Ω", "aΩ", "\\0"])
def test_a_stop_string_that_never_comes_is_refused(stop):
    with pytest.raises(UserError, match=r"can never occur: the model has no character .*; leave it out or correct it"):
        TextStream(VOCABULARY, 10, ["a", stop])
    assert TextStream(bytes_vocabulary(), 10, [stop]).push(list(f"é{stop}".encode())) == "é"


def test_utf8_states_accept_what_python_accepts():
    every = [chr(c).encode() for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    table = utf8.transitions()
    for size in range(1, 5):
        characters = np.array([list(c) for c in every if len(c) == size])
        states = np.zeros(len(characters), int)
        for column in characters.T:
            assert (states >= 0).all()
            states = table[states, column]
        assert (states == utf8.START).all()
    # and nothing else: the accepted byte strings are exactly as many as there are characters
    counts = np.zeros(8, int)
    counts[utf8.START] = 1
    accepted = 0
    for _ in range(4):
        following = np.zeros(8, int)
        for state, row in enumerate(table):
            for after in row[row >= 0]:
                following[after] += counts[state]
        accepted += following[utf8.START]
        counts = following
        counts[utf8.START] = 0
    assert accepted == len(every)


@pytest.mark.parametrize(("text", "missing"), [(b"a\xe2\x82", 1), (b"\xff\xc3", 1), (b"\xe2a", 0), (b"\xf0\x9f", 2), (b"", 0)])
def test_state_after_a_text_says_what_is_missing(text, missing):
    assert utf8.state_after(text) == missing

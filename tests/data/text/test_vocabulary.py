"""The vocabulary against Python's own sets, codecs and slices."""

import json

import numpy as np
import pytest

from seqnets.data import Vocabulary, bytes_vocabulary
from seqnets.errors import UserError

TEXTS = ["a", "aaaa", "hello world\r\n", "naïve — 😀🎉 ключ\x00\t", "e\u0301é\ufeff", "".join(map(chr, range(32, 700)))]


@pytest.mark.parametrize("text", TEXTS)
def test_chars_are_the_sorted_distinct_code_points(text):
    vocabulary = Vocabulary.from_text(text)
    characters = sorted(set(text))
    assert list(vocabulary.characters) == characters
    tokens = vocabulary.encode(text)
    assert tokens.dtype == np.int32
    assert tokens.tolist() == [characters.index(c) for c in text]
    assert vocabulary.decode(tokens) == text


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_are_utf8(text):
    vocabulary = bytes_vocabulary()
    assert vocabulary.encode(text).tolist() == list(text.encode())
    assert vocabulary.decode(list(text.encode())) == text
    assert len(vocabulary) == 256


def test_bytes_restore_what_the_command_line_could_not_decode():
    assert bytes_vocabulary().encode(b"caf\xe9".decode("utf-8", "surrogateescape")).tolist() == list(b"caf\xe9")
    with pytest.raises(UserError, match=r"lone surrogate"):
        bytes_vocabulary().encode("\ud800")


@pytest.mark.parametrize("prefix", ["", "abc", "é—😀a"])
def test_unknown_character_is_named_with_its_byte_offset(prefix):
    vocabulary = Vocabulary.from_text("abcé—😀")
    at = len(prefix.encode())
    with pytest.raises(UserError) as raised:
        vocabulary.encode(prefix + "ß" + "a", name="the prompt")
    assert str(raised.value) == (
        f"vocabulary (6 characters) has no character 'ß' (at byte {at} of the prompt); "
        "train with --data.vocabulary bytes, or pass --unknown skip"
    )


def test_unknown_policies():
    vocabulary = Vocabulary.from_text("abc?")
    assert vocabulary.decode(vocabulary.encode("aXbéc", unknown="skip")) == "abc"
    assert vocabulary.decode(vocabulary.encode("aXbéc", unknown="replace")) == "a?b?c"
    with_mark = Vocabulary.from_text("abc ?\ufffd")
    assert with_mark.decode(with_mark.encode("aX", unknown="replace")) == "a\ufffd"
    with pytest.raises(UserError, match=r"has no U\+FFFD, .* to replace"):
        Vocabulary.from_text("abc").encode("x", unknown="replace")
    with pytest.raises(UserError, match="unknown must be"):
        vocabulary.encode("a", unknown="ignore")  # pyright: ignore


def test_lone_surrogate_is_unknown_not_a_crash():
    with pytest.raises(UserError, match=r"the text is not UTF-8; give it as UTF-8"):
        Vocabulary.from_text("caf").encode("caf\udce9")
    with pytest.raises(UserError, match="half a character"):
        Vocabulary.from_text("a\ud800")


@pytest.mark.parametrize("text", ["naïve — 😀🎉", "plain", "é"])
@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("kind", ["chars", "bytes"])
def test_decoder_never_hands_out_half_a_character(text, step, kind):
    vocabulary = bytes_vocabulary() if kind == "bytes" else Vocabulary.from_text(text)
    tokens, decoder = vocabulary.encode(text), vocabulary.decoder()
    seen = ""
    for start in range(0, len(tokens), step):
        seen += decoder.push(tokens[start : start + step])
        assert text.startswith(seen)
    assert seen + decoder.finish() == text


def test_decoder_marks_what_never_became_a_character():
    decoder = bytes_vocabulary().decoder()
    assert decoder.push([0x61, 0xF0, 0x9F]) == "a"
    assert decoder.finish() == "\ufffd"
    assert decoder.push([0x62, 0xFF, 0x63]) == "b\ufffdc"


def test_decode_refuses_what_are_no_tokens():
    vocabulary = Vocabulary.from_text("abc")
    for tokens in ([3], [-1], [0.5], [[0, 1]]):
        with pytest.raises(UserError, match="tokens must be"):
            vocabulary.decode(tokens)
    assert vocabulary.decode([]) == ""
    assert vocabulary.decode(np.uint8(1)) == "b"


def test_json_round_trip_is_exact():
    for vocabulary in (Vocabulary.from_text('\0\n"\\é😀\u2028'), bytes_vocabulary(), Vocabulary("chars", "cab")):
        again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
        assert again == vocabulary
        assert hash(again) == hash(vocabulary)
        assert again.digest == vocabulary.digest
    assert Vocabulary("chars", "cab").encode("abc").tolist() == [1, 2, 0]
    assert Vocabulary("chars", "cab").digest != Vocabulary("chars", "abc").digest


@pytest.mark.parametrize(
    "fields",
    [{}, {"kind": "words", "characters": "ab"}, {"kind": "chars", "characters": ""}, {"kind": "chars", "characters": 3}]
    + [{"kind": "chars", "characters": "aba"}, {"kind": "bytes", "characters": "ab"}, ["chars", "ab"]],
)
def test_broken_json_is_refused(fields):
    with pytest.raises(UserError):
        Vocabulary.from_json(fields)


def test_difference_names_kind_size_and_characters():
    first, second = Vocabulary.from_text("abc"), Vocabulary.from_text("abdefghijklmno")
    assert first.difference(Vocabulary.from_text("cab")) == ""
    assert first.difference(second) == (
        "this vocabulary has 3 characters and the other 14: only the first has 'c'; "
        "only the second has 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k' and 4 more"
    )
    assert "of bytes (256 bytes)" in first.difference(bytes_vocabulary())
    assert "different order" in first.difference(Vocabulary("chars", "cab"))


def test_token_type_is_the_smallest_that_fits():
    assert Vocabulary("chars", "".join(map(chr, range(256)))).dtype == np.uint8
    assert Vocabulary("chars", "".join(map(chr, range(257)))).dtype == np.uint16
    assert Vocabulary("chars", "".join(map(chr, range(0x10000, 0x20001)))).dtype == np.uint32

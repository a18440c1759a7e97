"""Words and subwords: every text comes back exactly, however it is cut, and the parts of a text are those of its characters."""

import itertools
import json
import random

import numpy as np
import pytest

from seqnets.data import TextConfig, TextSubwords, TextWords, read_text
from seqnets.data.text.pieces import safe_blocks
from seqnets.data.words.kinds import vocabulary_from_json
from seqnets.errors import UserError

POOL = "abcABC   \n\n\t'’_-.,0123４²" + "é́ü漢字\x1c\x85\u2028😀" + "e\u0301"
TEXT = "the cat, the dog\n\nthe cat it's it's été été\n" * 9
SEPARATORS = ["", "\n\n", "\n---\n", " X ", "ab", "\0"]


@pytest.fixture(scope="module", params=["words", "bpe"])
def kind(request):
    if request.param == "bpe":
        pytest.importorskip("tokenizers")
    return request.param


def made(kind, size=300, **rules):
    return {"words": TextWords, "bpe": TextSubwords}[kind].from_texts([TEXT], size, **rules)


def any_text(rng, *extra):
    def character():
        kind = rng.random()
        if kind < 0.7:
            return rng.choice([*POOL, *filter(None, extra), "the ", " cat", "it's"])
        return chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)]))

    return "".join(character() for _ in range(rng.randrange(40)))


@pytest.mark.parametrize("separator", SEPARATORS)
def test_every_text_comes_back_and_its_length_is_the_sum_of_its_tokens(kind, separator):
    vocabulary, rng = made(kind, separator=separator), random.Random(0)
    for _ in range(300):
        text = any_text(rng, separator)
        tokens = vocabulary.encode(text)
        assert vocabulary.decode(tokens) == text
        assert vocabulary.units_in[tokens].sum() == len(text)
        decoder = vocabulary.decoder()
        assert "".join(decoder.push([token]) for token in tokens) + decoder.finish() == text
        if separator:
            assert np.count_nonzero(tokens == vocabulary.encode(separator)[0]) >= text.count(separator)
            assert len(vocabulary.encode(separator)) == 1


@pytest.mark.parametrize("separator", SEPARATORS)
def test_tokens_do_not_depend_on_how_a_text_is_cut(kind, separator):
    vocabulary, rng, cut = made(kind, separator=separator), random.Random(1), 0
    for _ in range(300):
        text = any_text(rng, separator)
        borders = [0, *sorted(rng.randrange(len(text) + 1) for _ in range(4)), len(text)]
        blocks = list(safe_blocks([text[a:b] for a, b in itertools.pairwise(borders) if b > a], separator))
        cut += len(blocks) > 1
        assert "".join(blocks) == text
        assert [token for block in blocks for token in vocabulary.encode(block)] == vocabulary.encode(text).tolist()
    assert cut > 100


def test_training_is_repeatable_and_survives_json(kind):
    vocabulary = made(kind, separator="\n\n", normalize="nfc")
    assert made(kind, separator="\n\n", normalize="nfc") == vocabulary
    again = vocabulary_from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary
    assert again.digest == vocabulary.digest
    assert len(vocabulary) <= 300
    assert vocabulary.decode(vocabulary.encode("e\u0301")) == "é"


def test_frequent_words_are_one_token_and_rare_ones_are_spelled():
    vocabulary = made("words")
    assert len(vocabulary.encode(" the cat")) == 2
    assert vocabulary.encode(" owl").tolist() == list(b" owl")
    assert TextWords.from_texts(["once twice twice"]).words == (" twice",)


def test_growth_keeps_old_tokens(kind):
    old = made(kind)
    other = {"words": TextWords, "bpe": TextSubwords}[kind].from_texts([" moon moon moon"], 270)
    new = old.grown(other)
    assert new.spelling[: len(old)] == old.spelling
    assert len(new.encode(" moon")) == (1 if kind == "words" else len(old.encode(" moon")))


def test_a_second_text_may_bring_a_separator(kind, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    old = made(kind)
    corpus = read_text(tmp_path / "a.txt", config=TextConfig(window=2, separator="dog\n"), extends=old)
    assert corpus.vocabulary.spelling[: len(old)] == old.spelling
    assert len(corpus.separator) == 1
    assert corpus.vocabulary.decode(corpus.tokens) == TEXT
    assert np.count_nonzero(corpus.tokens == corpus.separator[0]) == TEXT.count("dog\n")


@pytest.mark.parametrize("megabytes", [0, 64])
def test_the_parts_of_a_text_are_those_of_its_characters(kind, megabytes, tmp_path):
    rng = random.Random(3)
    text = "".join(rng.choice(["the ", "cat ", "dog, ", "é\n", "漢字 ", "owl\n\n"]) for _ in range(4000))
    (tmp_path / "a.txt").write_text(text)
    config = {"window": 8, "validation_fraction": 0.2, "test_fraction": 0.1, "in_memory_megabytes": megabytes}
    rules = TextConfig(vocabulary=kind, vocabulary_size=280, cache_directory=str(tmp_path / "cache"), **config)
    for corpus in (read_text(tmp_path / "a.txt", config=rules), read_text(tmp_path / "a.txt", config=rules)):
        plain = read_text(tmp_path / "a.txt", config=TextConfig(cache_directory=str(tmp_path / "cache"), **config))
        for name, split in plain.splits.items():
            assert corpus.vocabulary.decode(corpus.splits[name].tokens) == plain.vocabulary.decode(split.tokens)
    given = read_text(tmp_path / "a.txt", config=rules, vocabulary=corpus.vocabulary)
    assert given.fingerprint() == corpus.fingerprint()


def test_only_the_training_part_is_learned_from(kind, tmp_path):
    (tmp_path / "a.txt").write_text("the cat " * 900 + "xylophone " * 100)
    corpus = read_text(tmp_path / "a.txt", config=TextConfig(vocabulary=kind, vocabulary_size=400, validation_fraction=0.3))
    assert not any(b"xylo" in piece for piece in corpus.vocabulary.spelling)


def test_what_does_not_fit_is_one_sentence(tmp_path):
    (tmp_path / "a.txt").write_text("the cat " * 9)
    with pytest.raises(UserError, match="too few for one window of 128"):
        read_text(tmp_path / "a.txt", config=TextConfig(vocabulary="words"))
    with pytest.raises(UserError, match=r"data\.vocabulary_size has no effect on data.vocabulary 'chars'"):
        TextConfig(vocabulary_size=999)
    with pytest.raises(UserError, match=r"data\.items needs data\.vocabulary 'chars' or 'bytes'"):
        TextConfig(vocabulary="words", items="lines")
    with pytest.raises(UserError, match="occurs twice"):
        TextWords(("ab", "ab"))
    with pytest.raises(UserError, match="half a character"):
        made("words").encode("\ud800")
    with pytest.raises(UserError, match="has the fields"):
        vocabulary_from_json({"kind": "bpe"})

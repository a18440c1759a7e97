import json

import jax.numpy as jnp
import numpy as np
import pytest

from seqnets.data.text.vocabulary import Vocabulary, bytes_vocabulary
from seqnets.data.words.kinds import vocabulary_from_json
from seqnets.data.words.spelling import joined_words, word_tokens
from seqnets.data.words.vocabulary import SIGNS, CharacterVocabulary, WordVocabulary, token_vocabulary
from seqnets.errors import UserError

CAPTIONS = ["A dog's ball .", "Two dogs run, and a dog sits.", "a café – très “chic”", "The <end> of <unknown> <pad>"]


@pytest.mark.parametrize(
    ("caption", "tokens"),
    {
        "A man's T-shirt isn't red.": "a man 's t-shirt is n't red .",
        "it cannot; I'd say we'll won't": "it cannot ; i 'd say we 'll wo n't",
        "the dogs' owner’s hat": "the dogs ' owner 's hat",
        "10:30, 3.5 kg, 1,000 (one)": "10:30 , 3.5 kg , 1,000 ( one )",
        "U.S. flag at 5 p.m.": "u.s. flag at 5 p.m.",
        "end.Start ... --": "end . start ... --",
        "o'clock rock'n'roll": "o'clock rock'n'roll",
        "<end>": "< end >",
        "हिन्दी में": "हिन्दी में",
        " \t\n": "",
    }.items(),
)
def test_tokens(caption, tokens):
    assert word_tokens(caption) == tokens.split()


@pytest.mark.parametrize(
    ("tokens", "sentence"),
    {
        "a dog 's ball .": "a dog's ball.",
        "it is n't ( very ) tall , is it ?": "it isn't (very) tall, is it?",
        'a " red " and a " blue " one': 'a "red" and a "blue" one',
        "the dogs ' bowl": "the dogs' bowl",
        "a ' quoted ' word": "a 'quoted' word",
        "'s": "'s",
        "": "",
    }.items(),
)
def test_sentences(tokens, sentence):
    assert joined_words(tokens.split()) == sentence
    assert joined_words(word_tokens(sentence)) == sentence


def test_every_caption_of_the_real_set_comes_back(shared_data):
    for line in (shared_data / "captions/flickr8k_text/Flickr8k.token.txt").read_text().splitlines()[:8000]:
        once = joined_words(word_tokens(line.partition("\t")[2]))
        assert joined_words(word_tokens(once)) == once


def test_order_is_by_count_then_alphabet_and_never_by_chance():
    captions = ["b a", "c b", "d d d"]
    assert WordVocabulary.from_captions(captions).words == ("d", "b", "a", "c")
    assert WordVocabulary.from_captions(captions[::-1]).words == ("d", "b", "a", "c")
    assert WordVocabulary.from_captions(captions, min_count=2).words == ("d", "b")
    assert WordVocabulary.from_captions(captions, max_size=3).words == ("d", "b", "a")
    assert WordVocabulary.from_captions(["a, b."], punctuation=False).words == ("a", "b")
    assert WordVocabulary.from_captions(["a, b."], punctuation=False).encode("b, a!").tolist() == [5, 4]


@pytest.mark.parametrize("unit", ["words", "chars", "bytes"])
def test_contract(unit):
    vocabulary = token_vocabulary(CAPTIONS, unit)
    assert [vocabulary.pad, vocabulary.begin, vocabulary.end, vocabulary.unknown] == [0, 1, 2, 3]
    for caption in [*CAPTIONS, "<end>", "<begin><pad>", "zebra ☃"]:
        tokens = vocabulary.encode(caption)
        assert tokens.dtype == np.int32
        assert tokens.ndim == 1
        assert not np.isin(tokens, [vocabulary.pad, vocabulary.begin, vocabulary.end]).any()
        assert ((tokens >= 0) & (tokens < len(vocabulary))).all()
        assert len(vocabulary.pieces(tokens)) == len(tokens)
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.decode([]) == ""
    again = vocabulary_from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary
    assert type(again) is type(vocabulary)
    tokens = vocabulary.encode(CAPTIONS[0])
    padded = [vocabulary.begin, *tokens, vocabulary.end, *tokens, vocabulary.pad]
    assert vocabulary.decode(jnp.array(padded)) == vocabulary.decode(tokens)
    assert vocabulary.pieces([0, 1, 2, 3]) == list(SIGNS)


def test_what_a_caption_spells_is_no_sign():
    words = WordVocabulary(("a", "<end>", "<pad>"))
    assert words.decode([4, 5, 6, 4]) == "a <end> <pad> a"
    known = WordVocabulary.from_captions(["<end> <unknown>"])
    assert (known.encode("<end> <unknown>") >= 4).all()


def test_unknown_words_and_letters():
    assert WordVocabulary(("a",)).encode("a zebra").tolist() == [4, 3]
    assert WordVocabulary(("a",)).decode([4, 3]) == "a <unknown>"
    letters = token_vocabulary(["ab"], "chars")
    assert letters.encode("az").tolist() == [4, 3]
    assert letters.decode([4, 3]) == "a\ufffd"


def test_bytes_read_anything():
    vocabulary = token_vocabulary([], "bytes")
    assert vocabulary.decode(vocabulary.encode("très ☃")) == "très ☃"
    assert vocabulary.decode([4 + 0xE2, 4 + 0x98]) == "\ufffd"
    assert vocabulary.pieces([4 + 65, 4 + 0xE2]) == ["A", "\\xe2"]


REFUSALS = {
    "none": (lambda: WordVocabulary.from_captions([]), "at least one word"),
    "rare": (lambda: WordVocabulary.from_captions(["a"], min_count=2), "frequent enough"),
    "twice": (lambda: WordVocabulary(("a", "b", "a")), "'a' occurs twice"),
    "count": (lambda: token_vocabulary(["a"], min_count=0), "min_count must be at least 1, not 0"),
    "size": (lambda: token_vocabulary(["a"], max_size=0), "max_size must be at least 1, not 0"),
    "unit": (lambda: token_vocabulary(["a"], "syllables"), "'words', 'chars' or 'bytes', not 'syllables'"),
    "no letters": (lambda: CharacterVocabulary.from_captions([" "]), "at least one character"),
    "beyond": (lambda: WordVocabulary(("a",)).decode([5]), r"in \[0, 5\); these go from 5 to 5"),
    "fraction": (lambda: WordVocabulary(("a",)).decode([0.5]), "integers of shape"),
    "saved": (lambda: vocabulary_from_json({"kind": "words", "words": 3}), "has the fields 'kind', 'words' and"),
    "not words": (lambda: vocabulary_from_json({"kind": "words", "words": [3], "punctuation": True}), "are texts"),
    "saved letters": (lambda: vocabulary_from_json({"kind": "caption-chars"}), "has the fields"),
    "strange": (lambda: vocabulary_from_json({"kind": ["a"], "characters": "a"}), "kind must be"),
    "a list": (lambda: vocabulary_from_json([]), "has the fields"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case):
    make, message = REFUSALS[case]
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("vocabulary", [Vocabulary.from_text("abc"), bytes_vocabulary()])
def test_vocabularies_of_text_are_read_as_before(vocabulary):
    assert vocabulary_from_json(vocabulary.to_json()) == vocabulary

import itertools
import unicodedata

import numpy as np
import pytest

import seqnets as sn
from seqnets.data.text.normal_form import normalized_blocks, shown, spelled_twice
from seqnets.data.words.kinds import vocabulary_from_json
from seqnets.decode.text.streaming import TextStream
from seqnets.errors import UserError

TEXT = "Crème brûlée, Việt Nam, Ångström, 한국어, क़िला, שָׁלוֹם, q\u0323\u0307 "


@pytest.mark.parametrize("form", ["nfc", "nfd"])
@pytest.mark.parametrize("given", ["NFC", "NFD"])
def test_blocks_however_cut_are_those_of_the_whole(form, given):
    text, rng = unicodedata.normalize(given, TEXT * 5), np.random.default_rng(0)
    for _ in range(50):
        cuts = [0, *sorted(int(cut) for cut in rng.integers(0, len(text), 12)), len(text)]
        blocks = [(text[a:b], len(text[:a].encode())) for a, b in itertools.pairwise(cuts)]
        found = list(normalized_blocks(blocks, form))
        assert "".join(part for part, _ in found) == unicodedata.normalize(form.upper(), text)
        assert [offset for _, offset in found] == sorted(offset for _, offset in found)


@pytest.mark.parametrize("memory", [64, 0])
@pytest.mark.parametrize("form", ["none", "nfc", "nfd"])
def test_a_corpus_is_read_in_the_form_that_is_set(tmp_path, form, memory, monkeypatch):
    monkeypatch.setattr("seqnets.data.text.sources.BLOCK_BYTES", 7)
    text = unicodedata.normalize("NFD", TEXT) * 20 + unicodedata.normalize("NFC", TEXT) * 20
    (tmp_path / "a.txt").write_text(text)
    config = sn.TextConfig(normalize=form, window=4, in_memory_megabytes=memory, cache_directory=str(tmp_path))
    corpus = sn.read_text(tmp_path / "a.txt", config=config)
    wanted = text if form == "none" else unicodedata.normalize(form.upper(), text)
    assert corpus.vocabulary.decode(corpus.tokens) == wanted
    assert corpus.vocabulary.characters == "".join(sorted(set(wanted)))
    again = vocabulary_from_json(corpus.vocabulary.to_json())
    assert again == corpus.vocabulary
    assert ("normalize" in corpus.vocabulary.to_json()) == (form != "none")


@pytest.mark.parametrize("form", ["nfc", "nfd"])
def test_prompts_stops_and_scored_texts_are_brought_to_the_form_of_the_run(form):
    text = unicodedata.normalize(form.upper(), TEXT)
    vocabulary = sn.Vocabulary("chars", "".join(sorted(set(text))), form)
    for given in ("NFC", "NFD"):
        assert vocabulary.decode(vocabulary.encode(unicodedata.normalize(given, TEXT))) == text
        stream = TextStream(vocabulary, length=100, stop=[unicodedata.normalize(given, "brûlée")])
        assert stream.push(vocabulary.encode(TEXT)) == unicodedata.normalize(form.upper(), "Crème ")


@pytest.mark.parametrize(("known", "given", "named"), [("NFC", "NFD", "nfc"), ("NFD", "NFC", "nfd")])
def test_a_prompt_in_the_other_form_gets_a_sentence_that_names_it(known, given, named):
    vocabulary = sn.Vocabulary.from_text(unicodedata.normalize(known, "café"))
    with pytest.raises(UserError) as caught:
        vocabulary.encode(unicodedata.normalize(given, "café"), name="the prompt")
    sentence = str(caught.value)
    assert f"the prompt is {'decomposed (NFD)' if given == 'NFD' else 'composed (NFC)'}" in sentence
    assert f"--data.normalize {named}" in sentence
    assert unicodedata.is_normalized("NFC", sentence)
    assert not any(map(unicodedata.combining, sentence))


def test_a_character_that_no_form_has_gets_the_usual_sentence():
    with pytest.raises(UserError, match=r"has no character 'x' .*--unknown skip"):
        sn.Vocabulary.from_text("é").encode("e\u0301x".replace("e\u0301", "é"))


@pytest.mark.parametrize(
    ("character", "wanted"),
    [("é", "'é'"), ("\u0301", "U+0301 (COMBINING ACUTE ACCENT)"), ("\u200d", "U+200D (ZERO WIDTH JOINER)"), ("\n", r"'\n'")],
)
def test_characters_that_cannot_be_seen_alone_are_named(character, wanted):
    assert shown(character) == wanted


def test_a_text_with_two_spellings_of_a_letter_is_noticed():
    assert spelled_twice("".join(set("cafe\u0301 café"))) == "é"
    assert spelled_twice("".join(set("café"))) is None
    assert spelled_twice("".join(set("cafe\u0301"))) is None


@pytest.mark.parametrize("change", [{"normalize": "nfkc"}, {"normalize": "nfc", "vocabulary": "bytes"}, {"normalize": 3}])
def test_forms_that_there_are_not(change, tmp_path):
    (tmp_path / "a.txt").write_text("abc " * 50)
    with pytest.raises(UserError, match=r"data\.normalize"):
        sn.read_text(tmp_path / "a.txt", config=sn.TextConfig(**change))


@pytest.mark.parametrize("form", ["NFC", 3, ["nfc"], None])
def test_a_saved_vocabulary_with_a_strange_form(form):
    with pytest.raises(UserError):
        sn.Vocabulary.from_json({"kind": "chars", "characters": "ab", "normalize": form})


def test_vocabularies_of_other_forms_differ():
    first, second = sn.Vocabulary("chars", "ab", "nfc"), sn.Vocabulary("chars", "ab")
    assert first.digest != second.digest
    assert "'nfc'" in first.difference(second)
    assert second.digest == sn.Vocabulary.from_text("ab").digest

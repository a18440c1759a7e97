"""Where a captioner's images and first weights come from."""

import numpy as np
import pytest
from flax import nnx

from seqnets.data.captions.config import CaptionDataConfig
from seqnets.data.words.vocabulary import CharacterVocabulary, WordVocabulary
from seqnets.errors import UserError
from seqnets.models.captioner import Captioner, CaptionerConfig
from seqnets.tasks.captioner.sources import drawn_scenes, read_word_vectors, scene_captioner

SHAPE = {"encoder": "features", "feature_map": (1, 1, 2), "embedding_features": 3, "hidden_features": 4}


def test_word_vectors_take_the_place_of_the_words_they_are_of(tmp_path):
    (tmp_path / "vectors.txt").write_text("dog 1 2 3\ncat 4 5 6\n")
    model, reported = Captioner(WordVocabulary(("a", "dog")), **SHAPE, rngs=nnx.Rngs(0)), []
    before = np.array(model.decoder.embedding[...])
    read_word_vectors(model, str(tmp_path / "vectors.txt"), reported.append)
    after = np.array(model.decoder.embedding[...])
    assert after[5].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(before[:5], after[:5])
    assert "1 of 2 words" in reported[0]


def test_word_vectors_of_letters_are_refused(tmp_path):
    model = Captioner(CharacterVocabulary.from_captions(["a dog"]), **SHAPE, rngs=nnx.Rngs(0))
    with pytest.raises(UserError, match=r"data\.word_vectors are of words, but data\.unit"):
        read_word_vectors(model, str(tmp_path / "vectors.txt"), print)


def test_drawn_scenes_are_learned_with_the_small_encoder_only():
    splits = drawn_scenes(2)
    assert len(splits["train"].claims) == 2
    with pytest.raises(UserError, match=r"drawn scenes are learned with model\.encoder 'small', not 'resnet18'"):
        scene_captioner(splits, CaptionDataConfig(), CaptionerConfig(encoder="resnet18"), rngs=nnx.Rngs(0))

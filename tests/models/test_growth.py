"""Models that grow: the rows they know stay where their names are, and nothing else moves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from seqnets.data.words.token_table import TokenTable
from seqnets.data.words.vocabulary import CharacterVocabulary, WordVocabulary
from seqnets.errors import UserError
from seqnets.models.classifier_config import ClassifierConfig
from seqnets.models.growth import carried_over, grown
from seqnets.models.sequence.config import RecurrentConfig, TextClassifierConfig, TranslatorConfig, VQAConfig
from seqnets.models.sequence.tagger import FrameScale
from seqnets.models.sequence.translator import Source
from seqnets.named_arrays import named_arrays

OLD, NEW = sn.Vocabulary.from_text("badce"), sn.Vocabulary.from_text("xaebz")
SHAPES = {
    "embedded": {},
    "one-hot": {"embedding_features": 0},
    "tied": {"tied": True, "embedding_features": 6},
    "tied, of one size": {"tied": True, "embedding_features": 8},
    "one-hot highway": {"embedding_features": 0, "cell": "highway", "layer_norm": True},
    "one-hot minGRU": {"embedding_features": 0, "cell": "mingru", "layers": 2},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_old_characters_are_predicted_as_before_when_the_new_ones_are_masked_out(shape):
    old = sn.CharLM(OLD, hidden_features=8, rngs=nnx.Rngs(3), **shape)
    new = grown(old, vocabulary=OLD.grown(NEW), rngs=nnx.Rngs(1))
    tokens = jnp.asarray(OLD.encode("bacdeebadcab")[None])
    before, carry = old(tokens, old.initialize_carry(1))
    after, carried = new(tokens, new.initialize_carry(1))
    assert after.shape == (1, 12, 7)
    masked = jax.nn.log_softmax(after[..., :5])
    np.testing.assert_allclose(masked, jax.nn.log_softmax(before), atol=2e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), carry, carried)


def test_new_rows_have_the_size_of_the_old_ones():
    old = sn.CharLM(sn.Vocabulary.from_text("".join(map(chr, range(60, 360)))), hidden_features=64, rngs=nnx.Rngs(0))
    old.output_kernel[...] = 7 * old.output_kernel[...] + 1
    added = sn.Vocabulary.from_text("".join(map(chr, range(400, 700))))
    new = grown(old, vocabulary=old.vocabulary.grown(added), rngs=nnx.Rngs(0))
    for name, axis in (("embedding", 0), ("output_kernel", 1)):
        array = np.moveaxis(np.asarray(getattr(new, name)), axis, 0)
        kept, drawn = array[:300], array[300:]
        np.testing.assert_allclose(drawn.std(0), kept.std(0), rtol=0.2)
        np.testing.assert_allclose(drawn.mean(0), kept.mean(0), atol=0.3 * kept.std())
        assert len(np.unique(array, axis=0)) == 600


def test_rows_follow_their_names_against_a_loop():
    rng = np.random.default_rng(0)
    old, new = ["cat", "dog", "cow"], ["emu", "cow", "cat", "fox"]
    arrays = {"kernel": rng.normal(size=(2, 3)), "bias": rng.normal(size=3), "other": rng.normal(size=4)}
    axes, shapes = {"kernel": ("labels", -1), "bias": ("labels", 0)}, {"kernel": (2, 4), "bias": (4,), "other": (4,)}
    found = carried_over(arrays, shapes, axes, {"labels": (old, new)}, rng)
    np.testing.assert_array_equal(found["other"], arrays["other"])
    for place, name in enumerate(new):
        for array in ("kernel", "bias"):
            if name in old:
                np.testing.assert_array_equal(found[array][..., place], arrays[array][..., old.index(name)])
            else:  # close to the mean, so that no new class wins at once
                distance = np.abs(found[array][..., place] - arrays[array].mean(-1))
                assert (distance < 0.3 * arrays[array].std(-1)).all()


def test_without_anything_new_every_array_stays():
    old = sn.CharLM(OLD, hidden_features=8, layers=2, rngs=nnx.Rngs(3))
    new = grown(old, vocabulary=OLD, rngs=nnx.Rngs(1))
    jax.tree.map(np.testing.assert_array_equal, nnx.to_pure_dict(nnx.state(old)), nnx.to_pure_dict(nnx.state(new)))


WORDS = WordVocabulary(("a", "dog", "runs"))
MORE = WORDS.grown(WordVocabulary(("the", "dog", "cat")))


def grown_model(model, **lists):
    return grown(model, rngs=nnx.Rngs(1), **lists)


def test_a_captioner_reads_old_captions_as_before():
    old = sn.Captioner(WORDS, hidden_features=8, image_size=16, encoder_width=2, rngs=nnx.Rngs(0))
    new = grown_model(old, vocabulary=MORE)
    images, tokens, lengths = jnp.ones((1, 16, 16, 3)), jnp.array([[1, 4, 5, 6]]), jnp.array([4])
    before, after = (model(images, tokens, lengths=lengths)[0] for model in (old, new))
    assert after.shape[-1] == before.shape[-1] + 2
    np.testing.assert_allclose(after[..., :7], before, atol=1e-5)


def test_a_translator_grows_on_both_sides():
    source = CharacterVocabulary.from_captions(["ab"])
    old = sn.Translator(source, WORDS, TranslatorConfig(hidden_features=4), rngs=nnx.Rngs(0))
    new = grown_model(old, source=source.grown(CharacterVocabulary.from_captions(["xa"])), vocabulary=MORE)
    assert (len(new.source), len(new.vocabulary)) == (7, 9)
    read = (Source(jnp.array([[4, 5]]), jnp.array([2])), jnp.array([[1, 4]]))
    np.testing.assert_allclose(new(*read)[0][..., :7], old(*read)[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["text", "tokens", "frames", "questions", "images"])
def test_classes_are_found_by_name(kind):
    before, after = ["no", "yes", "so"], ["so", "perhaps", "no"]
    x, lengths, rngs = jnp.array([[2, 3]]), jnp.array([2]), nnx.Rngs(0)
    if kind == "text":
        old = sn.TextClassifier(WORDS, before, TextClassifierConfig(hidden_features=4), rngs=rngs)
        new, read = grown_model(old, vocabulary=MORE, labels=after), lambda model: model(x, lengths)
    elif kind == "tokens":
        table = TokenTable(("a", "b"))
        old = sn.Tagger(table, before, RecurrentConfig(hidden_features=4), rngs=rngs)
        new, read = grown_model(old, vocabulary=table.grown(TokenTable(("c",))), labels=after), lambda model: model(x, lengths)
    elif kind == "frames":
        old = sn.Tagger(FrameScale((0.0,), (1.0,)), before, RecurrentConfig(hidden_features=4), rngs=rngs)
        new, read = grown_model(old, labels=after), lambda model: model(jnp.ones((1, 2, 1)), lengths)
    elif kind == "questions":
        old = sn.VQA(WORDS, before, VQAConfig(hidden_features=4, image_size=16, encoder_width=2), rngs=rngs)
        new, read = grown_model(old, vocabulary=MORE, answers=after), lambda model: model(jnp.ones((1, 16, 16, 3)), x, lengths)[0]
    else:
        old = sn.make_classifier(ClassifierConfig("lenet5"), before, None, in_channels=1, rngs=rngs)
        new, read = grown_model(old, labels=after), lambda model: model(jnp.ones((1, 28, 28, 1)))["logits"]
    first, second = np.asarray(read(old)), np.asarray(read(new))
    np.testing.assert_allclose(second[..., [0, 2]], first[..., [2, 0]], atol=1e-5)
    assert second.shape[-1] == 3


def test_what_does_not_fit_is_one_sentence():
    model = sn.CharLM(OLD, hidden_features=8, rngs=nnx.Rngs(0))
    with pytest.raises(UserError, match="a CharLM has no 'labels'"):
        grown_model(model, labels=["a"])
    with pytest.raises(UserError, match="does not begin with that of the model"):
        grown_model(model, vocabulary=NEW)
    with pytest.raises(UserError, match="hidden_features of the model is 8 and cannot become 9"):
        grown(model, vocabulary=OLD, config=sn.CharLM(OLD, hidden_features=9, rngs=nnx.Rngs(0)).config, rngs=nnx.Rngs(0))
    with pytest.raises(UserError, match="only models of"):
        grown_model(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), labels=["a"])
    residual = sn.CharLM(OLD, hidden_features=5, embedding_features=0, residual=True, rngs=nnx.Rngs(0))
    with pytest.raises(UserError, match="takes as many characters, not 7"):
        grown_model(residual, vocabulary=OLD.grown(NEW))
    with pytest.raises(UserError, match="one vocabulary cannot hold both"):
        OLD.grown(sn.Vocabulary("bytes"))


def test_settings_of_training_may_change():
    model = sn.CharLM(OLD, hidden_features=8, rngs=nnx.Rngs(0))
    noisy = sn.CharLM(OLD, hidden_features=8, dropout=0.5, rngs=nnx.Rngs(0)).config
    new = grown(model, vocabulary=OLD, config=noisy, rngs=nnx.Rngs(0))
    assert new.config.dropout == 0.5
    assert set(named_arrays(nnx.state(new))) == set(named_arrays(nnx.state(model)))

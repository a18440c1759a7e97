"""Every model takes every cell with every option."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.data import Vocabulary, WordVocabulary
from seqnets.decode import decode_captions
from seqnets.errors import UserError
from seqnets.models.captioner import Captioner, CaptionerConfig
from seqnets.models.cell_config import CellConfig
from seqnets.models.char_lm import CharLM
from seqnets.models.description import stated
from seqnets.models.recurrent_layers import make_cell
from seqnets.models.sequence.config import RecurrentConfig, TranslatorConfig
from seqnets.models.sequence.translator import Source, Translator
from seqnets.nn.cells import KINDS

WORDS = WordVocabulary(("a", "dog", "runs", "far"))
TOKENS = jnp.array([[1, 4, 5, 6], [1, 6, 4, 7]])
LENGTHS = jnp.array([4, 4])
MAPS = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 5)), jnp.float32)
OTHER = {"reset": "before", "activation": "relu", "depth": 3, "carry_bias": 1.0, "candidate": "tanh", "forget_bias": 0.5}
SMALL = {"hidden_features": 6, "embedding_features": 6, "layers": 2, "residual": True, "layer_norm": True}


def options_of(cell):
    return SMALL | {"cell": cell} | {name: OTHER[name] for name in KINDS[cell].options}


def captioner(cell, **options):
    stored = {"encoder": "features", "feature_map": (2, 2, 5)}
    return Captioner(WORDS, CaptionerConfig(**(options_of(cell) | stored | options)), rngs=nnx.Rngs(0))


def whole_captions(model, key=None):
    return model.read(model.encode(MAPS), TOKENS, lengths=LENGTHS, key=key).logits


def captions_by_step(model):
    annotations, logits = model.encode(MAPS), []
    carry = model.initialize_carry(annotations)
    for t in range(TOKENS.shape[1]):
        one, carry, _ = model.step(TOKENS[:, t], carry, annotations)
        logits.append(one)
    return jnp.stack(logits, axis=1)


def translator(cell, **options):
    return Translator(WORDS, WORDS, TranslatorConfig(**(options_of(cell) | options)), rngs=nnx.Rngs(0))


def whole_translations(model, key=None):
    return model(Source(TOKENS, LENGTHS), TOKENS, key=key)[0]


def translations_by_step(model):
    annotations, logits = model.encode(Source(TOKENS, LENGTHS)), []
    carry = model.initialize_carry(annotations)
    for t in range(TOKENS.shape[1]):
        one, carry, _ = model.step(TOKENS[:, t], carry, annotations)
        logits.append(one)
    return jnp.stack(logits, axis=1)


def characters(cell, **options):
    return CharLM(Vocabulary.from_text("abcdefgh"), **(options_of(cell) | options), rngs=nnx.Rngs(0))


def whole_characters(model, key=None):
    return model(TOKENS, model.initialize_carry(2), key=key)[0]


def characters_by_step(model):
    step, carry, logits = model.stepper(), model.initialize_carry(2), []
    for t in range(TOKENS.shape[1]):
        one, carry = step(TOKENS[:, t], carry)
        logits.append(one)
    return jnp.stack(logits, axis=1)


MODELS = {
    "captioner": (captioner, whole_captions, captions_by_step),
    "captioner-without-attention": (
        lambda cell, **options: captioner(cell, **({"attention": "none", "inject": "every"} | options)),
        whole_captions,
        captions_by_step,
    ),
    "translator": (translator, whole_translations, translations_by_step),
    "characters": (characters, whole_characters, characters_by_step),
}

_FAST = {("captioner", "minlstm"), ("captioner-without-attention", "mingru"), ("translator", "gru"), ("characters", "highway")}
PAIRS = [pytest.param(name, cell, marks=() if (name, cell) in _FAST else pytest.mark.slow) for name in MODELS for cell in KINDS]


@pytest.mark.parametrize(("name", "cell"), PAIRS)
def test_step_by_step_equals_the_whole_sequence(name, cell):
    make, whole, by_step = MODELS[name]
    model = make(cell)
    np.testing.assert_allclose(nnx.jit(whole)(model), nnx.jit(by_step)(model), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(("name", "cell"), PAIRS)
def test_every_parameter_learns_under_all_noise(name, cell):
    make, whole, _ = MODELS[name]
    drops = {} if KINDS[cell].cell.startswith("Min") else {"weight_dropout": 0.1}
    model = make(cell, dropout=0.1, input_dropout=0.1, zoneout=0.1, locked_dropout=True, remat=3, **drops)
    graph, parameters, rest = nnx.split(model, nnx.Param, ...)

    @jax.jit
    def loss(parameters, key):
        logits = whole(nnx.merge(graph, parameters, rest), key)
        return -jnp.mean(jax.nn.log_softmax(logits)[..., :3] * jnp.array([[[1.0, 2.0, 4.0]]]))

    value, gradients = jax.value_and_grad(loss)(parameters, jax.random.key(1))
    assert np.isfinite(value)
    silent = [path for path, leaf in nnx.to_flat_state(gradients) if not np.abs(leaf[...]).max() > 0]
    assert silent == []


@pytest.mark.parametrize("cell", [cell if cell == "minlstm" else pytest.param(cell, marks=pytest.mark.slow) for cell in KINDS])
def test_a_beam_of_one_is_greedy(cell):
    model = captioner(cell)
    beam, greedy = (decode_captions(model, MAPS, max_length=5, **how) for how in ({"beam": 1}, {"method": "greedy"}))
    assert [one[0].text for one in beam] == [one[0].text for one in greedy]


@pytest.mark.parametrize("name", MODELS)
def test_states_kept_seldom_change_no_figure(name):
    make, whole, _ = MODELS[name]
    key = jax.random.key(2)
    kept, again = (nnx.jit(whole)(make("lstm", zoneout=0.2, remat=remat), key) for remat in (0, 3))
    np.testing.assert_allclose(kept, again, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["captioner", pytest.param("translator", marks=pytest.mark.slow)])
def test_decoders_draw_noise_in_training_alone(name):
    make, whole, _ = MODELS[name]
    for noise in ({"zoneout": 0.5}, {"weight_dropout": 0.5}, {"dropout": 0.5}):
        model = make("gru", **noise)
        one, other = (nnx.jit(whole)(model, jax.random.key(seed)) for seed in (0, 1))
        assert np.abs(one - other).max() > 1e-4
        np.testing.assert_array_equal(nnx.jit(whole)(model), nnx.jit(whole)(model))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "lstm", "depth": 3}, "model.depth is a setting of the cell highway, and model.cell is 'lstm'; leave it out"),
        ({"cell": "gru", "candidate": "tanh"}, "model.candidate is a setting of the cells mingru and minlstm"),
        ({"cell": "mingru", "weight_dropout": 0.5}, "the cell mingru has none"),
    ],
)
def test_options_that_a_cell_lacks(settings, message):
    with pytest.raises(UserError, match=message):
        make_cell(CellConfig(**settings), 3, rngs=nnx.Rngs(0))


def test_older_runs_may_state_options_of_other_cells():
    assert stated({"cell": "lstm", "depth": 3, "layers": 2}, RecurrentConfig()) == RecurrentConfig(layers=2)

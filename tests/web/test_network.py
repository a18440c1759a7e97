"""The recurrent steps of the page, run by node, against the Python ones."""

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.data import Vocabulary
from seqnets.inspect.reading import visible
from seqnets.models.char_lm import CharLM
from seqnets.web.network import as_the_page_computes, network

TEXT = "the quick brown fox jumps over the lazy dog\n"
SOURCES = ["network.js", "sampling.js", "text.js", "arrays.js"]

VARIANTS = {
    "lstm": {},
    "gru": {"cell": "gru"},
    "gru-before": {"cell": "gru", "reset": "before", "layers": 2},
    "vanilla": {"cell": "vanilla"},
    "vanilla-relu": {"cell": "vanilla", "activation": "relu"},
    "highway": {"cell": "highway", "depth": 3},
    "mingru": {"cell": "mingru", "layers": 2},
    "minlstm-tanh": {"cell": "minlstm", "candidate": "tanh"},
    "mingru-identity": {"cell": "mingru", "candidate": "identity"},
    "stacked-residual": {"layers": 3, "residual": True},
    "residual-embedding": {"layers": 2, "residual": True, "embedding_features": 12},
    "layer-norm": {"layers": 2, "layer_norm": True},
    "layer-norm-gru": {"cell": "gru", "layer_norm": True, "embedding_features": 5},
    "layer-norm-highway": {"cell": "highway", "layer_norm": True},
    "tied": {"tied": True, "embedding_features": 12},
    "tied-projected": {"tied": True, "embedding_features": 7},
    "zoneout": {"zoneout": 0.2, "layers": 2},
}


def run(description, tokens):
    if shutil.which("node") is None:
        pytest.skip("no node here to run the page's JavaScript")
    page = files("seqnets.web") / "page"
    command = ["node", str(Path(__file__).with_name("run_network.js")), *(str(page / name) for name in SOURCES)]
    given = json.dumps({"network": description, "tokens": [int(token) for token in tokens]})
    return json.loads(subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout)


def stirred(model):
    """Give every array its own values, so that no part is without effect."""
    graph, state = nnx.split(model)
    rng = np.random.default_rng(0)
    moved = nnx.map_state(lambda path, leaf: leaf + jnp.asarray(rng.normal(0, 0.1, leaf.shape), leaf.dtype), state)
    return nnx.merge(graph, moved)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_step_in_the_page_is_the_step_in_python(variant):
    vocabulary = Vocabulary("bytes") if variant == "highway" else Vocabulary.from_text(TEXT)
    model = stirred(CharLM(vocabulary, hidden_features=12, rngs=nnx.Rngs(0), **VARIANTS[variant]))
    tokens = np.resize(vocabulary.encode(TEXT), 500)
    found = run(network(model, "float32"), tokens)
    logits, states, _ = model.states(jnp.asarray(tokens[None]), model.initialize_carry(1))
    scale = max(1.0, float(jnp.abs(logits).max()))
    np.testing.assert_allclose(found["logits"], logits[0], atol=1e-4 * scale)
    np.testing.assert_allclose(found["units"], jnp.concatenate([visible(layer) for layer in states], -1)[0], atol=1e-4)


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize(
    "options", [{}, {"embedding_features": 7, "tied": True, "layers": 2}, {"cell": "gru", "reset": "before"}]
)
def test_rounded_weights_are_the_ones_that_python_scores(precision, options):
    vocabulary = Vocabulary.from_text(TEXT)
    model = stirred(CharLM(vocabulary, hidden_features=12, rngs=nnx.Rngs(0), **options))
    tokens = vocabulary.encode(TEXT)
    found = run(network(model, precision), tokens)
    logits, _ = as_the_page_computes(model, precision)(jnp.asarray(tokens[None]), model.initialize_carry(1))
    np.testing.assert_allclose(found["logits"], logits[0], atol=2e-4)
    exact, _ = model(jnp.asarray(tokens[None]), model.initialize_carry(1))
    assert np.abs(np.asarray(exact - logits)).max() > 1e-5  # rounding has an effect, or the test compares nothing

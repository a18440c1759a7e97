"""Whole items from a model whose distribution is known."""

import numpy as np
import pytest

import seqnets as sn
from seqnets.data.text.items import item_hash
from seqnets.decode.text.config import SamplingConfig
from seqnets.decode.text.items import Draws, draw_items


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("items") / "items.txt"
    path.write_text("".join(f"{a}{b}{c}\n" for a in "abc" for b in "xy" for c in "abc") * 4)
    config = sn.data.TextConfig(items="lines", window=8, validation_fraction=0.0)
    corpus = sn.read_text(path, config=config)
    from flax import nnx

    model = sn.CharLM(corpus.vocabulary, hidden_features=32, rngs=nnx.Rngs(0))
    settings = sn.TrainConfig(steps=150, batch_size=8, learning_rate=0.02, evaluate_every=0, save_every=0)
    return sn.fit(sn.CharLMTask(model, corpus, window=8), settings, progress=None).model, corpus


def drawn(model, count, **options):
    return list(draw_items(model[0], count, separator=model[1].separator, config=SamplingConfig(length=8), **options))


def test_items_are_whole_different_and_those_of_the_text(model):
    items = drawn(model, 12)
    assert len(set(items)) == 12
    assert sum(item[0] in "abc" and item[1] in "xy" and item[2] in "abc" and len(item) == 3 for item in items) >= 10


def test_fewer_items_are_the_first_of_more_and_the_key_decides(model):
    import jax

    assert drawn(model, 12)[:5] == drawn(model, 5)
    assert drawn(model, 12, key=jax.random.key(1)) != drawn(model, 12)


def test_known_items_are_left_out(model):
    items = set(drawn(model, 8))
    known = np.unique(np.array([item_hash(item) for item in items], np.uint64))
    draws = Draws()
    assert not items & set(drawn(model, 8, known=known, draws=draws))
    assert draws.known > 0


def test_a_prompt_begins_every_item(model):
    items = drawn(model, 5, prompt="cy")
    assert len(items) >= 3
    assert all(item.startswith("cy") for item in items)


def test_the_budget_ends_and_says_why(model):
    draws = Draws()
    assert len(drawn(model, 500, known=model[1].items.known, draws=draws)) == draws.found < 500
    assert len(draws) >= 1024
    assert draws.known > draws.repeated
    assert "were in the training text" in str(draws)


def test_items_that_do_not_end_are_left_out(model):
    draws = Draws()
    short = list(draw_items(model[0], 4, separator=model[1].separator, config=SamplingConfig(length=2), draws=draws))
    assert draws.unfinished > 900
    assert all(len(item) < 2 for item in short)

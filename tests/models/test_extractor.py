"""Features of a network: requests of any number, each with an extractor of its own, share the compiled programs."""

import jax
import numpy as np

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.decode import classify
from seqnets.models import create_model
from seqnets.models.extractor import Extractor, _features

DIGITS = Preprocessing(resize=None, crop=None, channels="gray", mean=(0.0,), std=(1.0,))


def test_a_server_compiles_a_network_once_however_many_requests_come():
    model = create_model("lenet5")
    pictures = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1), np.uint8)
    expected = model(jax.numpy.asarray(pictures, jax.numpy.float32))["logits"].argmax(-1)
    rule, before = Preprocessing(**vars(DIGITS) | {"scale": 1.0}), _features._cache_size()
    for count in (1, 5, 2):
        found = classify(model, pictures[:count], top=1, batch_size=4, preprocessing=rule)
        assert [guess.index for (guess,) in found] == expected[:count].tolist()
    assert _features._cache_size() == before + 1


def test_other_layers_and_other_rules_are_other_programs():
    model, picture = create_model("lenet5"), np.full((1, 28, 28, 1), 100, np.uint8)
    bright = Preprocessing(**vars(DIGITS) | {"mean": (-1.0,)})
    plain, added = (Extractor(model, ["logits"], preprocessing=rule)(picture)["logits"] for rule in (DIGITS, bright))
    assert np.abs(plain - added).max() > 1e-3
    assert list(Extractor(model, ["pool"], preprocessing=DIGITS)(picture)) == ["pool"]

"""SqueezeNet 1.1 with its real weights gives the logits recorded for real photographs."""

import json

import numpy as np
import pytest

from seqnets.data.images.files import find_images
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.decode.classification import classify
from seqnets.models import create_model
from seqnets.models.extractor import Extractor

PUBLISHED = Preprocessing(
    resize=256,
    crop=(227, 227),
    side_rounding="nearest",
    crop_rounding="down",
    channels="bgr",
    scale=1.0,
    mean=(104.006, 116.669, 122.679),
    std=(1.0, 1.0, 1.0),
)


@pytest.fixture(scope="module")
def model(shared_data):
    return create_model("squeezenet1_1", weights=shared_data / "weights/squeezenet1_1")


@pytest.fixture(scope="module")
def photographs(shared_data):
    return find_images([shared_data / "images/imagenet_samples"])


def test_the_rule_travels_with_the_weights(model):
    assert model.preprocessing == PUBLISHED


def test_real_weights_give_the_recorded_logits(model, photographs, shared_data):
    record = json.loads((shared_data / "weights/squeezenet1_1/expected_on_imagenet_samples.json").read_text())["images"]
    extractor = Extractor(model, ["logits"], batch_size=25)
    assert sorted(record) == [path.name for path in photographs]
    for start in range(0, 100, 25):
        chosen = photographs[start : start + 25]
        logits = extractor(np.stack([model.preprocessing.pixels(path) for path in chosen]))["logits"]
        for path, scores in zip(chosen, logits):
            best = record[path.name]["top5"]
            np.testing.assert_allclose(scores[best], record[path.name]["logits"], rtol=1e-3, atol=1e-3)
            assert np.sort(scores)[-5:].min() >= scores[best].min() - 1e-3


def test_63_of_100_photographs_are_recognized_and_85_among_five(model, photographs):
    guesses = [[guess.index for guess in five] for five in classify(model, photographs, batch_size=25)]
    assert sum(five[0] == 10 * number for number, five in enumerate(guesses)) == 63
    assert sum(10 * number in five for number, five in enumerate(guesses)) == 85

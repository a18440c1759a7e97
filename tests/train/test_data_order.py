"""The images that follow a cut are those of a run that was not cut, however many processes decode them."""

import jax
import numpy as np
import pytest
from flax import nnx
from PIL import Image

import seqnets as sn
from seqnets.data.images.config import ImageConfig
from seqnets.data.images.sets import read_images
from seqnets.models.cnn.network import ConvNet
from seqnets.nn import Chain, Conv, Dense, GlobalAveragePool
from seqnets.tasks.classifier.task import ClassifierTask
from seqnets.train.feed import feed

STEPS, BATCH = 40, 5
CONFIG = sn.TrainConfig(steps=STEPS, batch_size=BATCH, seed=3, steps_per_dispatch=3, save_every=7, evaluate_every=0)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """23 photographs in two folders, one of which cannot be read; no epoch is a whole number of batches."""
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for number in range(23):
        path = folder / ("day", "night")[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 14, 3), np.uint8)).save(path)
    (folder / "day" / "4.png").write_bytes(b"no picture")
    return read_images(folder)


def batches(images, workers, start=0):
    """Return the batches of the steps from a start on, as they reach the device."""
    rngs = nnx.Rngs(0)
    model = ConvNet({"stem": Chain([Conv(3, 2, 3, rngs=rngs), GlobalAveragePool()]), "logits": Dense(2, 2, rngs=rngs)})
    model.preprocessing, model.labels = images.preprocessing(10), images.classes
    config = ImageConfig(augment="resized-crop-flip", in_memory_megabytes=0, workers=workers)
    source = ClassifierTask(model, images, config).batches(BATCH, CONFIG.seed)
    found = []
    for dispatch, stacked in feed(source, start, CONFIG):
        host = jax.device_get(stacked)
        found += [jax.tree.map(lambda array, i=i: array[i].copy(), host) for i in range(dispatch.count)]
    return found


@pytest.fixture(scope="module")
def uncut(images):
    return batches(images, workers=0)


def assert_continued(images, uncut, workers, cuts):
    for cut in cuts:
        after = batches(images, workers, start=int(cut))
        assert len(after) == STEPS - cut
        for one, other in zip(after, uncut[cut:]):
            jax.tree.map(np.testing.assert_array_equal, one, other)


def test_the_batches_differ_from_step_to_step(uncut):
    assert len({batch.images.tobytes() for batch in uncut}) == STEPS


@pytest.mark.parametrize(("workers", "cuts"), [(0, (1, 9, 22, 39)), (1, (13,)), (2, (30,))])
def test_the_order_goes_on_after_a_cut(images, uncut, workers, cuts):
    assert_continued(images, uncut, workers, cuts)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_the_order_goes_on_after_fifty_cuts(images, uncut, workers):
    assert_continued(images, uncut, workers, np.random.default_rng(workers).integers(1, STEPS, 50))

"""Classifiers of images: the loss, exact evaluation, batch statistics through interruption, transfer."""

import jax
import numpy as np
import pytest
from flax import nnx

from seqnets import TrainConfig
from seqnets.data.images.config import ImageConfig
from seqnets.data.images.sets import ImageSet, LabeledImages
from seqnets.errors import UserError
from seqnets.models.classifier import ClassifierConfig, describe, from_description, make_classifier
from seqnets.models.cnn.network import ConvNet
from seqnets.models.cnn.resnet import CIFAR, resnet
from seqnets.named_arrays import host_arrays
from seqnets.nn import BatchNorm, Chain, Conv, Dense
from seqnets.nn.pool import GlobalAveragePool
from seqnets.run import load
from seqnets.tasks.classifier import task as classifier_task
from seqnets.tasks.classifier.task import ClassifierTask
from seqnets.train import fit
from seqnets.train.feed import Dispatch, stacked_batches
from seqnets.train.loop import Training
from seqnets.train.signals import Interrupted
from seqnets.train.state import initial_state
from seqnets.train.step import compile_steps

CLASSES = ("cold", "mild", "warm")
SETTINGS = {"steps": 9, "batch_size": 6, "optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 1e-3, "averaging": 0.9}


def colors(count, seed=0):
    """Noisy images of three brightnesses."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 60, (count, 8, 8, 3)) + 70 * labels[:, None, None, None]
    return LabeledImages(images.astype(np.uint8), labels.astype(np.int32), tuple(map(str, range(count))))


IMAGES = ImageSet("colors", {"train": colors(31), "validation": colors(20, 1)}, CLASSES)


def tiny(images=IMAGES):
    rngs = nnx.Rngs(0)
    stem = Chain([Conv(3, 4, 3, padding=1, use_bias=False, rngs=rngs), BatchNorm(4), jax.nn.relu])
    model = ConvNet({"stem": stem, "pool": GlobalAveragePool(), "logits": Dense(4, 3, rngs=rngs)})
    model.preprocessing, model.labels = images.preprocessing(), CLASSES
    return model


def task(**options):
    return ClassifierTask(tiny(), IMAGES, ImageConfig(augment="pad-crop-flip", padding=1), **options)


def build(description, vocabulary):
    return tiny()


def train(directory=None, made=None, **settings):
    return fit(made or task(), TrainConfig(**SETTINGS | settings), directory=directory, progress=None)


def reference_figures(model, images):
    """Figures by a loop over single images in float64."""
    logits = [np.float64(model(model.preprocessing.normalize(image)[None])["logits"])[0] for image in images.images]
    nats = [np.log(np.exp(row - row.max()).sum()) - (row[label] - row.max()) for row, label in zip(logits, images.labels)]
    right = [row.argmax() == label for row, label in zip(logits, images.labels)]
    return np.mean(nats), np.mean(right)


def test_evaluation_is_exact_though_the_last_batch_is_filled_up(monkeypatch):
    monkeypatch.setattr(classifier_task, "EVALUATION_BATCH", 7)  # 7 + 7 + 6
    made = task()
    found, counts = made.measure(made.model, "validation")
    nats, right = reference_figures(made.model, IMAGES.splits["validation"])
    assert found["nats"] == pytest.approx(nats, rel=1e-5)
    assert found["top1"] == pytest.approx(right)
    assert found["error"] == pytest.approx(1 - right)
    assert found["top5"] == 1
    assert counts.sum() == 20
    assert np.trace(counts) == round(20 * right)
    assert made.evaluate(made.model, "test") == {}


def test_evaluation_compiles_once():
    made = task()
    made.evaluate(made.model, "validation")
    before = classifier_task._tally._cache_size()
    run = train(made=made, steps=4, evaluate_every=2)
    assert len([line for line in run.metrics if "validation_error" in line]) == 2
    made.evaluate(run.model, "validation")
    assert classifier_task._tally._cache_size() == before


def test_logits_that_are_not_finite_are_wrong():
    made = task()
    made.model.logits.kernel.set_value(np.nan * made.model.logits.kernel[...])
    assert made.evaluate(made.model, "validation")["top1"] == 0


def test_the_smoothed_loss_equals_its_formula():
    made, smoothed = task(), task(label_smoothing=0.3)
    batch = made.batches(6, 0).batch(0)
    value = smoothed.loss(tiny(), batch, (), jax.random.key(0))[0]
    logits = np.float64(tiny()(made.model.preprocessing.normalize(batch.images), train=True)["logits"])
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    wanted = 0.7 * np.eye(3)[batch.labels] + 0.1
    assert float(value) == pytest.approx(-(wanted * logs).sum(1).mean(), rel=1e-5)


def test_auxiliary_heads_add_three_tenths_of_their_loss():
    rngs = nnx.Rngs(0)
    pool = Chain([GlobalAveragePool(), Dense(3, 3, rngs=rngs)])
    side = Chain([GlobalAveragePool(), Dense(3, 3, rngs=rngs)])
    model = ConvNet({"stem": Chain([]), "logits": pool}, auxiliary_heads={"aux": ("stem", side)})
    model.preprocessing, model.labels = IMAGES.preprocessing(), CLASSES
    made = ClassifierTask(model, IMAGES, ImageConfig(augment="none"))
    batch = made.batches(6, 0).batch(0)
    loss, (_, figures) = made.loss(model, batch, (), jax.random.key(0))
    logits = np.float64(model(model.preprocessing.normalize(batch.images), train=True)["aux"])
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    aux = -logs[np.arange(6), batch.labels].mean()
    assert float(loss) == pytest.approx(float(figures["nats"]) + 0.3 * aux, rel=1e-5)


def test_training_learns_and_the_run_folder_knows_labels_and_preprocessing(tmp_path):
    run = train(tmp_path / "run", steps=60, evaluate_every=20)
    best = min(line["validation_error"] for line in run.metrics if "validation_error" in line)
    assert best <= 0.1
    loaded = load(tmp_path / "run", build=build)
    assert loaded.config["model"]["labels"] == list(CLASSES)
    assert task().evaluate(loaded.model, "validation")["error"] == pytest.approx(best)
    assert (loaded.model.stem[1].mean[...] != 0).all()


@pytest.mark.parametrize("step", [3, 8])
def test_an_interrupted_run_ends_as_one_that_was_not_batch_statistics_included(tmp_path, monkeypatch, step):
    settings = {"evaluate_every": 4, "save_every": 4, "log_every": 2}
    train(tmp_path / "straight", **settings)
    original = Training._record

    def record(self, figures):
        original(self, figures)
        if self.step == step:
            self.stop.requested = 2

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_record", record)
        with pytest.raises(Interrupted):
            train(tmp_path / "cut", **settings)
    train(tmp_path / "cut", **settings)
    for name in ("metrics.jsonl", "model.safetensors", "config.json"):
        assert (tmp_path / "straight" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes(), name


def test_a_step_that_is_not_finite_leaves_the_batch_statistics():
    made, config = task(), TrainConfig(**SETTINGS)
    graphdef, state = initial_state(made, config)
    state.params["logits"]["kernel"].set_value(np.nan * state.params["logits"]["kernel"][...])
    before = host_arrays(state.rest)
    batches = stacked_batches(made.batches(6, 0), Dispatch(0, 1), 1)
    state, metrics = compile_steps(made, graphdef, config, state, batches)(state, batches, np.int32(1))
    assert metrics["bad_streak"][0] == 1
    after = host_arrays(state.rest)
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


def test_a_new_head_on_old_weights_and_a_frozen_body_that_stays(tmp_path):
    small = {**CIFAR, "depths": (1,), "features": 4}
    source = resnet(**small | {"classes": 7}, rngs=nnx.Rngs(5))
    model = resnet(**small | {"classes": 3}, rngs=nnx.Rngs(6))
    for name in ("stem", "stage1"):
        nnx.update(getattr(model, name), nnx.state(getattr(source, name)))
    model.preprocessing, model.labels = IMAGES.preprocessing(), CLASSES
    made = ClassifierTask(model, IMAGES)
    config = {"freeze": ("stem", "stage1"), "optimizer": "adamw", "clip_norm": 0.1, "weight_decay": 0.5}
    trained = fit(made, TrainConfig(**SETTINGS | config), progress=None).model
    old, new = host_arrays(nnx.state(source)), host_arrays(nnx.state(trained))
    moved = {name for name in new if name not in old or old[name].tobytes() != new[name].tobytes()}
    assert moved == {"logits.kernel", "logits.bias"}


def test_a_classifier_is_made_again_from_its_description():
    config = ClassifierConfig("lenet5", dropout=None)
    model = make_classifier(config, CLASSES, IMAGES.preprocessing(28), in_channels=3, rngs=nnx.Rngs(0))
    again = from_description(describe(model, config))
    assert again.preprocessing == model.preprocessing
    assert again.labels == CLASSES
    assert host_arrays(nnx.state(again)).keys() == host_arrays(nnx.state(model)).keys()
    with pytest.raises(UserError, match="does not describe a Classifier"):
        from_description({"kind": "Classifier", "config": {"nme": 1}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preprocessing": None}, "the model has no preprocessing"),
        ({"labels": ("a", "b", "c")}, "the model's labels are not the classes of the images"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(change, message):
    model = tiny()
    for name, value in change.items():
        setattr(model, name, value)
    with pytest.raises(UserError, match=message):
        ClassifierTask(model, IMAGES)


def test_judging_the_training_split_first_leaves_its_variation_on():
    judged, fresh = task(), task()
    judged.evaluate(judged.model, "train")
    for step in (0, 3):
        np.testing.assert_array_equal(judged.batches(6, 0).batch(step).images, fresh.batches(6, 0).batch(step).images)
    assert fresh.evaluate(fresh.model, "train") == judged.evaluate(judged.model, "train")

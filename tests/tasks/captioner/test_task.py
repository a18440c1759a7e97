"""Captioning as a task: it learns, resumes to the bit, survives kills, and each way of teaching does what it says."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets import TrainConfig, UserError, load
from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.models.captioner import Captioner
from seqnets.models.captioner.encoder import Backbone
from seqnets.models.cnn.network import ConvNet
from seqnets.nn import BatchNorm, Chain, Conv
from seqnets.ops.caption_loss import word_nats
from seqnets.tasks.captioner.figures import CaptionJudge, shifted
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.captioner.objectives import draw_captions, read_with_own_words
from seqnets.tasks.captioner.task import CaptionerTask, ignored_warning
from seqnets.train import fit

PROGRAM = Path(__file__).with_name("tiny_captioner.py")


def _import():
    spec = importlib.util.spec_from_file_location("tiny_captioner", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tiny = _import()


def train(task, directory=None, **settings):
    given = {
        "steps": 12,
        "batch_size": 4,
        "schedule": "constant",
        "log_every": 4,
        "evaluate_every": 0,
        "save_every": 6,
    } | settings
    return fit(task, TrainConfig(**given), directory=directory, progress=None)


@pytest.fixture(scope="module")
def learned():
    return train(tiny.tiny_task(learning={"regularizer": 0.1}), steps=120, learning_rate=0.02)


def test_a_captioner_learns_what_is_in_the_image(learned):
    last = learned.metrics[-1]
    assert last["validation_CIDEr"] > 5
    assert last["validation_image_gain"] > 0.2
    found = CaptionJudge(tiny.pictures(4, seed=5), max_words=6).captions(learned.model)
    assert [caption.text.split(" ", 1)[1] for caption in found] == list(tiny.NAMES)


def test_a_continued_run_is_the_uninterrupted_one(tmp_path):
    task = tiny.tiny_task(hard=True)  # whose baseline flows from step to step
    train(task, tmp_path / "straight")
    train(task, tmp_path / "cut", steps=6)
    train(task, tmp_path / "cut")
    names = ("model.safetensors", "vocabulary.json")
    for name in names:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes(), name
    again = load(tmp_path / "cut")
    assert again.vocabulary == tiny.VOCABULARY
    assert again.model.config == task.model.config


@pytest.mark.slow
def test_a_killed_run_ends_as_one_that_was_not(tmp_path):
    def start(name):
        return subprocess.Popen([sys.executable, str(PROGRAM), str(tmp_path / name), "40"])

    process, deadline = start("cut"), time.monotonic() + 120
    checkpoints = tmp_path / "cut" / "checkpoints"
    while process.poll() is None and not any(checkpoints.glob("[0-9]*")) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert [start(name).wait(120) for name in ("cut", "straight")] == [0, 0]
    for name in ("metrics.jsonl", "model.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes(), name


def test_steps_that_are_not_finite_change_nothing_but_their_count():
    images = tiny.pictures()
    images.images[:] = np.nan
    task = tiny.tiny_task(images)
    before = jax.tree.map(np.array, nnx.state(task.model))
    with pytest.raises(RuntimeError, match="not finite 2 steps in a row"):
        train(task, max_bad_steps=2)
    jax.tree.map(np.testing.assert_array_equal, before, jax.tree.map(np.array, nnx.state(task.model)))


def network_task(**learning):
    rngs = nnx.Rngs(0)
    layers = Chain([Conv(3, 4, 3, stride=2, padding=1, rngs=rngs), BatchNorm(4)])
    network = ConvNet({"stem": layers, "logits": jax.nn.relu})
    shape = {"image_size": 32, "encoder_width": 1, "attention": "none", "hidden_features": 4}  # 4 x 4 locations, too
    model = Captioner(tiny.VOCABULARY, **shape, embedding_features=4, rngs=rngs)
    model.encoder = Backbone(network, "stem", image_size=8)
    images = np.random.default_rng(0).integers(255, size=(4, 8, 8, 3)).astype(np.uint8)
    pictures = CaptionedImages(images, [["a red cat"], ["a blue dog"]] * 2)
    return CaptionerTask(model, {"train": pictures}, CaptionLearning(max_words=4, **learning))


def moved(task, run):
    before, after = nnx.state(task.model.encoder), nnx.state(run.model.encoder)
    return any(bool((a != b).any()) for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after)))


def test_a_frozen_encoder_does_not_drift():
    task = network_task()
    assert not moved(task, train(task, steps=3, freeze=("encoder",), weight_decay=0.1, optimizer="adamw"))


@pytest.mark.slow
def test_an_encoder_is_finetuned_after_so_many_epochs():
    task = network_task(finetune_after=2.0)  # four captions, four a step: two steps

    def gradient(step):
        graphdef, params, rest = nnx.split(task.model, nnx.Param, ...)
        batch, course = jax.tree.map(jnp.asarray, task.batches(4, 0).batch(0)), task.initial_carry(4)

        def loss(params):
            model = nnx.merge(graphdef, params, jax.tree.map(lambda array: array, rest))
            return task.loss(model, batch, course._replace(step=course.step + step), jax.random.key(0))[0]

        found = jax.grad(loss)(params)
        return max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(found["encoder"]))

    assert gradient(1) == 0
    assert gradient(2) > 0


def annotated(task, count=4):
    return task.model.encode(jnp.asarray(task.images["train"].images[:count]))


def test_scheduled_sampling_at_rate_zero_is_teacher_forcing_and_at_one_is_not():
    task = tiny.tiny_task()
    batch = task.batches(4, 0).batch(0)
    tokens, annotations = shifted(jnp.asarray(batch["targets"]), 1), task.model.encode(jnp.asarray(batch["image"]))
    whole = task.model.read(annotations, tokens, lengths=jnp.full(4, tokens.shape[1])).logits
    own = [read_with_own_words(task.model, annotations, tokens, rate, jax.random.key(0)).logits for rate in (0.0, 1.0)]
    np.testing.assert_allclose(own[0], whole, atol=1e-5)
    np.testing.assert_allclose(own[1][:, 0], whole[:, 0], atol=1e-5)
    assert float(jnp.abs(own[1] - whole).max()) > 1e-3


def test_drawn_captions_have_the_probability_that_the_model_gives_them():
    task = tiny.tiny_task()
    annotations = annotated(task)
    tokens, lengths, log_prob = draw_captions(task.model, annotations, 6, jax.random.key(3))
    logits = task.model.read(annotations, shifted(tokens, 1), lengths=lengths).logits
    logits = logits.at[..., jnp.array([0, 1, 3])].set(-jnp.inf)  # pad, begin and unknown are never drawn
    np.testing.assert_allclose(log_prob, -word_nats(logits, tokens, lengths).sum(-1), atol=1e-5)
    for row, length in zip(np.asarray(tokens), np.asarray(lengths)):
        assert 2 not in row[: length - 1]
        assert not row[length:].any()
        assert length == len(row) or row[length - 1] == 2


@pytest.mark.slow
def test_self_critical_training_raises_the_reward():
    settings = {"self_critical_after": 20, "self_critical_samples": 4, "regularizer": 0.0}
    run = train(tiny.tiny_task(learning=settings), steps=140, learning_rate=0.02, batch_size=8, log_every=10)
    rewards = [line["reward"] for line in run.metrics if line.get("reward")]
    given = [line["nats"] for line in run.metrics if line.get("nats")]
    assert len(given) == 2  # the steps before
    assert np.mean(rewards[-3:]) > 2 * np.mean(rewards[:2])
    assert run.metrics[-1]["validation_CIDEr"] > 5


def test_hard_attention_follows_its_baseline():
    task = tiny.tiny_task(hard=True)
    batch = jax.tree.map(jnp.asarray, task.batches(4, 0).batch(0))
    course = task.initial_carry(4)
    _, (course, figures) = task.loss(task.model, batch, course, jax.random.key(0))
    first = float(course.baseline[0])
    assert first == pytest.approx(float(figures["nats"]) * float(batch["targets_lengths"].mean()), rel=1e-5)
    _, (later, figures) = task.loss(task.model, batch, course, jax.random.key(1))
    mean = float(figures["nats"]) * float(batch["targets_lengths"].mean())
    assert float(later.baseline[0]) == pytest.approx(0.9 * first + 0.1 * mean, rel=1e-5)
    assert later.step.tolist() == [2] * 4


def test_a_model_that_does_not_look_is_reported():
    images = tiny.pictures()
    same = CaptionedImages(np.ones_like(images.images), images.captions)
    task = tiny.tiny_task(same)
    judge = CaptionJudge(same, max_words=6)
    assert judge.figures(task.model)["image_gain"] == pytest.approx(0, abs=1e-6)
    assert ignored_warning(judge.figures(task.model))
    task._judged = {"image_gain": 0.0}
    assert task.preview(task.model, 0).startswith("warning: the model hardly uses the image")


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="need a split 'train'"):
        CaptionerTask(tiny.tiny_task().model, {"test": tiny.pictures()})
    with pytest.raises(UserError, match=r"learning\.objective 'correct' is for scenes"):
        tiny.tiny_task(learning={"objective": "correct"})
    with pytest.raises(UserError, match="image '1' has no caption"):
        CaptionedImages(np.zeros((2, 4, 4)), [["a cat"], []])
    with pytest.raises(UserError, match=r"learning\.self_critical_samples must be at least 2"):
        CaptionLearning(self_critical_samples=1)

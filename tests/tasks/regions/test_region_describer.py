"""Detectors that describe regions: tokens beside boxes, the loss phrase by phrase, words that stay, exact resume."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.phrases import all_phrases, phrased
from seqnets.data.regions.reading import draw_scenes
from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.decode.detection import detect
from seqnets.errors import UserError
from seqnets.models.detector.config import DetectorConfig
from seqnets.models.detector.describer import RegionDescriber, from_description
from seqnets.models.growth import grown
from seqnets.named_arrays import host_arrays
from seqnets.tasks.detector import DetectionLossConfig
from seqnets.tasks.detector.describer_task import DescriberTask
from seqnets.tasks.detector.phrase_loss import phrase_loss
from seqnets.tasks.detector.region_losses import Chosen
from seqnets.tasks.region_task import region_rule

SMALL = RegionConfig(height=32, augment="pad-crop", drawn=8)
BOXES = jnp.array([[[2.0, 3.0, 14.0, 15.0], [16.0, 10.0, 30.0, 31.0], [0.0, 0.0, 9.0, 9.0]]])


@pytest.fixture(scope="module")
def scenes():
    return phrased(draw_scenes(8))


@pytest.fixture(scope="module")
def words(scenes):
    return WordVocabulary.from_captions(all_phrases(scenes.splits["train"]))


def describer(scenes, words, phrases="nic", **shape):
    shape = {"width": 2, "head_features": 4, "grid": 3, "hidden_features": 8, "phrase_features": 8, "proposed": 8, **shape}
    config = DetectorConfig(method="regions", phrases=phrases, keep=4, least_score=0.01, **shape)
    return RegionDescriber(config, scenes.classes, region_rule(SMALL, scenes), words, rngs=nnx.Rngs(0))


def task_of(scenes, words, **shape):
    loss = DetectionLossConfig(anchor_samples=16, region_samples=8, proposals=8, region_share=0.5)
    return DescriberTask(describer(scenes, words, **shape), scenes, SMALL, loss=loss)


def test_tokens_stand_beside_the_boxes_of_their_things(scenes, words):
    task = task_of(scenes, words)
    example, record = scenes.splits["train"][0], task.pictures("train", varied=True).varied(0, 0, 0)[0]
    assert record["phrases"].shape == (task.most, 5)  # "a small red circle" and the end
    for place, phrases in enumerate(example.phrases):
        assert words.decode(record["phrases"][place]) == phrases[0]
    assert (record["phrases"][len(example.phrases) :] == words.pad).all()


@pytest.mark.parametrize("phrases", ["nic", "sat-soft"])
def test_the_loss_of_phrases_is_the_mean_over_the_words_of_each_alone(scenes, words, phrases):
    model = describer(scenes, words, phrases)
    texts = ["a small red circle", "a large blue cross", "a"]
    tokens = np.zeros((1, 3, 5), np.int32)
    for row, text in enumerate(texts):
        tokens[0, row, : len(text.split()) + 1] = [*words.encode(text), words.end]
    truth, there = jnp.array([[2, 0, 1]]), jnp.array([[True, True, False]])
    regions = Chosen(BOXES, truth, jnp.zeros_like(truth), BOXES, there)
    output = model(jnp.asarray(np.random.default_rng(0).normal(size=(1, 32, 32, 3)), jnp.float32))
    found = phrase_loss(model, output, regions, jnp.asarray(tokens), None)
    nats, count = 0.0, 0
    for place, row in ((0, 2), (1, 0)):
        annotations = model.captioner.encode(model.locations(output, BOXES[:, place : place + 1])[0])
        carry, previous = model.captioner.initialize_carry(annotations), words.begin
        for token in [*words.encode(texts[row]), words.end]:
            logits, carry, _ = model.captioner.step(jnp.array([previous]), carry, annotations)
            nats, count, previous = nats - float(jax.nn.log_softmax(logits[0])[token]), count + 1, int(token)
    assert float(found) == pytest.approx(nats / count, rel=1e-5)
    assert float(phrase_loss(model, output, regions._replace(is_there=~there & there), jnp.asarray(tokens), None)) == 0


def test_known_words_keep_their_probabilities_when_the_vocabulary_grows(scenes, words):
    model = describer(scenes, words)
    twin = nnx.eval_shape(lambda: from_description(model.describe(), words))
    assert jax.tree.map(jnp.shape, nnx.state(twin)) == jax.tree.map(jnp.shape, nnx.state(model))
    larger = grown(model, vocabulary=words.grown(WordVocabulary(("a", "dog"))), rngs=nnx.Rngs(1))
    output, logits = model(jnp.ones((1, 32, 32, 3))), []
    for one in (model, larger):
        annotations = one.captioner.encode(one.locations(output, BOXES)[0])
        logits.append(one.captioner.step(jnp.full(3, words.begin), one.captioner.initialize_carry(annotations), annotations)[0])
    np.testing.assert_allclose(logits[1][:, : len(words)], logits[0], atol=1e-5)
    assert larger.captioner.vocabulary.words[-1] == "dog"


def test_every_detection_has_a_phrase_and_the_figures_are_of_both(scenes, words):
    task = task_of(scenes, words)
    figures, boxes = task.measure(task.model, "validation")
    assert {"phrase_AP", "phrase_AP50", "AP50"} <= figures.keys()
    for one, some in zip(task.seen(task.model, "validation"), boxes, strict=True):
        assert len(one.phrases) == len(some.scores)
        assert all(set(phrase.split()) <= set(words.words) for phrase in one.phrases)
    assert task.preview(task.model, 0).count("(truth: a ") == 4


@pytest.mark.slow
def test_training_goes_on_exactly_and_every_loss_is_logged(scenes, words, tmp_path):
    config = sn.TrainConfig(steps=4, batch_size=2, evaluate_every=4, save_every=2, log_every=1, schedule="constant")
    whole = sn.fit(task_of(scenes, words), config, directory=tmp_path / "whole", progress=None)
    for steps in (2, 4):
        parts = sn.fit(task_of(scenes, words), replace(config, steps=steps), directory=tmp_path / "parts", progress=None)
    ours, theirs = (host_arrays(nnx.state(run.model)) for run in (whole, parts))
    assert all((ours[name] == theirs[name]).all() for name in ours)
    assert {"objectness", "anchors", "classes", "offsets", "phrases"} <= whole.metrics[0].keys()
    assert {"validation_phrase_AP", "validation_phrase_AP50", "validation_AP50"} <= whole.metrics[-1].keys()
    loaded = sn.load(tmp_path / "parts")
    assert loaded.vocabulary.words == words.words
    (found,) = detect(loaded.model, [np.full((20, 30, 3), 90, np.uint8)])
    assert all(thing.phrase for thing in found.things)


def test_mistakes_are_named(scenes):
    bare = draw_scenes(3).mapped(lambda examples: [replace(example, phrases=()) for example in examples])
    with pytest.raises(UserError, match="no region to train on has a phrase"):
        phrased(bare)
    for shape in ({}, {"method": "regions", "pooling": "spp"}):
        with pytest.raises(UserError, match=r"model\.phrases describe pooled regions; set --model\.method regions"):
            DetectorConfig(phrases="nic", **shape)

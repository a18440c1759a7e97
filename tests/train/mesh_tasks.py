"""Tasks for several devices: convolutions, batch norm, dropout and attention, wide enough for a second mesh axis."""

import jax
import numpy as np
from flax import nnx

from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.data.examples.question_examples import Asked, QuestionConfig, question_examples
from seqnets.data.examples.questions import Question
from seqnets.data.images.config import ImageConfig
from seqnets.data.images.sets import ImageSet, LabeledImages
from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.reading import draw_scenes
from seqnets.models.captioner import Captioner
from seqnets.models.cnn.network import ConvNet
from seqnets.models.dense.segmenter import Segmenter, SegmenterConfig
from seqnets.models.detector.config import DetectorConfig
from seqnets.models.detector.region_detector import RegionDetector
from seqnets.models.sequence.vqa import VQA, VQAConfig
from seqnets.nn import BatchNorm, Chain, Conv, Dense, Dropout, GlobalAveragePool, MaxPool
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.captioner.task import CaptionerTask
from seqnets.tasks.classifier.task import ClassifierTask
from seqnets.tasks.detector.task import DetectorTask
from seqnets.tasks.region_task import region_rule
from seqnets.tasks.segmenter.task import SegmenterTask
from seqnets.tasks.vqa.task import VQATask
from tasks.captioner.tiny_captioner import NAMES, VOCABULARY

CLASSES = ("cold", "mild", "warm")


def photographs(count, side, seed=0):
    """Noisy images of four brightnesses."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % len(NAMES)
    return (rng.integers(0, 60, (count, side, side, 3)) + 60 * kinds[:, None, None, None]).astype(np.uint8), kinds


def labeled(count, seed):
    images, kinds = photographs(count, 9, seed)
    return LabeledImages(images, (kinds % len(CLASSES)).astype(np.int32), tuple(map(str, range(count))))


def network(classes):
    """A network whose hidden layer has 64 x 256 weights."""
    rngs = nnx.Rngs(0)
    stem = Chain(
        [Conv(3, 16, 3, padding=1, use_bias=False, rngs=rngs), BatchNorm(16), jax.nn.relu, MaxPool(3, stride=2, padding=1)]
    )
    body = Chain(
        [Conv(16, 64, 3, stride=2, padding=1, use_bias=False, rngs=rngs), BatchNorm(64), jax.nn.relu, GlobalAveragePool()]
    )
    head = Chain([Dense(64, 256, rngs=rngs), jax.nn.relu, Dropout(0.5), Dense(256, classes, rngs=rngs)])
    return ConvNet({"stem": stem, "body": body, "logits": head})


def classifier():
    """A classifier of labeled images in memory."""
    model = network(len(CLASSES))
    images = ImageSet("shades", {"train": labeled(31, 0), "validation": labeled(20, 1)}, CLASSES)
    model.preprocessing, model.labels = images.preprocessing(), CLASSES
    return ClassifierTask(model, images, ImageConfig(augment="pad-crop-flip", padding=1))


def segmenter():
    """An FCN on drawn scenes."""
    scenes = draw_scenes(31)
    shape, rule = SegmenterConfig(width=4, decoder="fcn8s"), region_rule(RegionConfig(height=32), scenes)
    return SegmenterTask(Segmenter(shape, scenes.map_classes, rule, rngs=nnx.Rngs(0)), scenes, class_weights="median")


def region_detector():
    """A detector of two stages, with masks and a pyramid, on drawn scenes."""
    scenes, data = draw_scenes(31), RegionConfig(height=32)
    shape = {"width": 4, "head_features": 8, "grid": 3, "hidden_features": 16, "proposed": 8, "masks": True, "pyramid": 8}
    model = RegionDetector(DetectorConfig(method="regions", **shape), scenes.classes, region_rule(data, scenes), rngs=nnx.Rngs(0))
    return DetectorTask(model, scenes, data)


def captioner(**learning):
    """A captioner that is trained with its encoder; the recurrent kernel has 64 x 256 weights."""
    shape = {"encoder": "small", "image_size": 32, "encoder_width": 4, "hidden_features": 64, "embedding_features": 8}
    model = Captioner(VOCABULARY, **shape, dropout=0.2, rngs=nnx.Rngs(0))
    return CaptionerTask(
        model, {"train": captioned(16, 0), "validation": captioned(4, 1)}, CaptionLearning(max_words=6, **learning)
    )


def captioned(count, seed):
    images, kinds = photographs(count, 32, seed)
    return CaptionedImages(images, [(f"a {NAMES[kind]}", f"the {NAMES[kind]}") for kind in kinds])


def rewarded():
    """A captioner that is rewarded for the captions it draws from the third step on."""
    return captioner(self_critical_after=2)


def vqa():
    """Questions about how bright an image is."""
    images, kinds = photographs(24, 8)
    texts = {"is it bright?": kinds > 1, "is it dark?": kinds < 2}
    questions = [Question(str(n), text, ("no", "yes")[int(yes[n])]) for n in range(24) for text, yes in texts.items()]
    asked = Asked(questions, np.repeat(np.arange(24), 2), images, [])
    found = question_examples(asked, QuestionConfig(validation_fraction=0.2))
    shape = {"cell": "gru", "hidden_features": 16, "embedding_features": 8, "joint_features": 8}
    config = VQAConfig(attention="additive", image_size=8, encoder_width=2, **shape)
    return VQATask(VQA(found.vocabulary, found.answers, config, rngs=nnx.Rngs(0)), found.splits)

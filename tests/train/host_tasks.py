"""Tasks whose data lie in files, as every process of a run finds them."""

from flax import nnx
from PIL import Image

import seqnets as sn
from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.data.examples.question_examples import QuestionConfig, look_up, question_examples
from seqnets.data.examples.questions import Question
from seqnets.data.images.array import ImageFiles
from seqnets.data.images.config import ImageConfig
from seqnets.data.images.sets import read_images
from seqnets.decode.captions.images import image_rule
from seqnets.models.captioner import Captioner
from seqnets.models.sequence.vqa import VQA, VQAConfig
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.captioner.task import CaptionerTask
from seqnets.tasks.classifier.task import ClassifierTask
from seqnets.tasks.vqa.task import VQATask
from tasks.captioner.tiny_captioner import NAMES, VOCABULARY
from train import mesh_tasks

TRAIN, VALIDATION, SIDE = 32, 8, 32
LINES = "".join(f"{n} times {n} is {n * n}, and one more is {n * n + 1}\n" for n in range(200))


def write(folder):
    """Write photographs of four kinds to train on and to validate on, and a text."""
    for split, count in (("train", TRAIN), ("val", VALIDATION)):
        images, kinds = mesh_tasks.photographs(count, SIDE, seed=count)
        for number, (image, kind) in enumerate(zip(images, kinds)):
            path = folder / split / NAMES[kind] / f"{split}-{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    (folder / "lines.txt").write_text(LINES)


def text(folder):
    """A character model."""
    corpus = sn.read_text(folder / "lines.txt")
    return sn.CharLMTask(sn.CharLM(corpus.vocabulary, hidden_features=64, dropout=0.2, rngs=nnx.Rngs(0)), corpus, window=8)


def classifier(folder, *, kept_megabytes=10, workers=0):
    """A classifier whose images are decoded as they are needed."""
    images = read_images(folder)
    model = mesh_tasks.network(len(images.classes))
    model.preprocessing, model.labels = images.preprocessing(SIDE), images.classes
    return ClassifierTask(model, images, ImageConfig(padding=1, in_memory_megabytes=kept_megabytes, workers=workers))


def captioner(folder):
    """A captioner of one caption an image."""
    shape = {"encoder": "small", "image_size": SIDE, "encoder_width": 4, "hidden_features": 64, "embedding_features": 8}
    model = Captioner(VOCABULARY, **shape, dropout=0.2, rngs=nnx.Rngs(0))
    paths = {name: sorted((folder / split).rglob("*.png")) for name, split in (("train", "train"), ("validation", "val"))}
    splits = {
        name: CaptionedImages(
            ImageFiles([str(path) for path in found], image_rule(model)), [(f"a {path.parent.name}",) for path in found]
        )
        for name, found in paths.items()
    }
    return CaptionerTask(model, splits, CaptionLearning(max_words=6))


def vqa(folder):
    """One question about each photograph of the training part."""
    paths = sorted((folder / "train").rglob("*.png"))
    questions = [Question(path.stem, "what is it?", path.parent.name) for path in paths]
    found = question_examples(look_up(questions, folder, SIDE), QuestionConfig(validation_fraction=0))
    config = VQAConfig(image_size=SIDE, encoder_width=2, hidden_features=16, embedding_features=8, joint_features=8)
    return VQATask(VQA(found.vocabulary, found.answers, config, rngs=nnx.Rngs(0)), found.splits)

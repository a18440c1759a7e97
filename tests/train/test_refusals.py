"""A run is not continued with anything else than it was begun with: each change is refused by its name."""

import dataclasses
import re

import numpy as np
import pytest
from flax import nnx
from PIL import Image

import seqnets as sn
from seqnets.data.captions import read_captions
from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.data.images.config import ImageConfig
from seqnets.data.images.sets import read_images
from seqnets.data.text.config import TextConfig
from seqnets.data.words.vocabulary import token_vocabulary
from seqnets.errors import UserError
from seqnets.models.captioner import Captioner
from seqnets.models.classifier import ClassifierConfig, make_classifier
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.captioner.task import CaptionerTask
from seqnets.tasks.classifier.task import ClassifierTask
from seqnets.train import fit

TEXT = "the cat sat on the mat and looked at the dog\n" * 20
CAPTIONS = "image,caption\na.png,a red cat\nb.png,a blue dog\nc.png,a red dog\nd.png,a blue cat\n"
BASE = {"steps": 2, "batch_size": 2, "evaluate_every": 0, "seed": 0}


def text(folder, content=TEXT, window=8, **options):
    path = folder / "corpus.txt"
    path.write_text(content)
    reading = {name: options.pop(name) for name in ("vocabulary", "validation_fraction") if name in options}
    corpus = sn.read_text(path, config=TextConfig(**reading))
    shape = {"hidden_features": 4, "embedding_features": 3} | options
    return sn.CharLMTask(sn.CharLM(corpus.vocabulary, **shape, rngs=nnx.Rngs(0)), corpus, window=window)


def classifier(folder, first_side=8, fraction=0.25, size=28, name="lenet5", label_smoothing=0.0, **config):
    for number in range(16):
        path = folder / "images" / ("day", "night")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        side = first_side if number == 0 else 8
        Image.fromarray(np.full((side, side, 3), 10 * number, np.uint8)).save(path)
    images = read_images(folder / "images").with_validation(fraction)
    network = ClassifierConfig(name)
    model = make_classifier(network, images.classes, images.preprocessing(size), in_channels=3, rngs=nnx.Rngs(0))
    return ClassifierTask(
        model, images, ImageConfig(**{"workers": 0} | config), describes=network, label_smoothing=label_smoothing
    )


def captioner(folder, content=CAPTIONS, hidden_features=4, min_count=1, regularizer=1.0):
    path = folder / "captions.csv"
    path.write_text(content)
    captions = read_captions(path, validation_fraction=0, test_fraction=0).captions
    vocabulary = token_vocabulary((text for of_image in captions for text in of_image), "words", min_count=min_count)
    shape = {"encoder": "features", "feature_map": (2, 2, 4), "embedding_features": 3, "hidden_features": hidden_features}
    pictures = CaptionedImages(np.ones((len(captions), 4, 4), np.float32), captions)
    learning = CaptionLearning(max_words=6, regularizer=regularizer)
    return CaptionerTask(Captioner(vocabulary, **shape, rngs=nnx.Rngs(0)), {"train": pictures}, learning)


MAKERS = {"text": text, "classifier": classifier, "captioner": captioner}
SETTINGS = [
    *(("text", name, new, f"train.{name}") for name, new in {"seed": 1, "batch_size": 4, "optimizer": "sgd"}.items()),
    *(("classifier", name, new, f"train.{name}") for name, new in {"seed": 1, "momentum": 0.5, "clip_norm": 2.0}.items()),
    *(("captioner", name, new, f"train.{name}") for name, new in {"batch_size": 1, "averaging": 0.9}.items()),
]
CHANGES = [
    ("text", {"content": TEXT.replace("sat", "has", 1)}, "data.text"),
    ("text", {"vocabulary": "bytes"}, "data.separator|data.text|data.vocabulary"),
    ("text", {"validation_fraction": 0.2}, "data.train_tokens"),
    ("text", {"window": 9}, "data.window"),
    ("text", {"hidden_features": 5}, "model.config.hidden_features"),
    ("text", {"layers": 2}, "model.config.layers"),
    ("text", {"cell": "gru"}, "model.config.cell"),
    ("text", {"dtype": "bfloat16"}, "model.config.dtype"),
    ("classifier", {"first_side": 60}, "data.images_digest"),
    ("classifier", {"fraction": 0.5}, "data.images_digest"),
    ("classifier", {"size": 32}, "model.preprocessing.crop"),
    ("classifier", {"name": "resnet20"}, "model.config.name"),
    ("classifier", {"augment": "none"}, "data.augment"),
    ("classifier", {"label_smoothing": 0.1}, "data.label_smoothing"),
    ("captioner", {"content": CAPTIONS.replace("a red cat", "a red dog")}, "data.train"),
    ("captioner", {"content": CAPTIONS + "e.png,a blue dog\n"}, "data.train"),
    ("captioner", {"min_count": 3}, "data.train|model"),
    ("captioner", {"hidden_features": 5}, "model.config.hidden_features"),
    ("captioner", {"regularizer": 0.5}, "data.learning.regularizer"),
]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A finished run of each kind, only read."""
    folders = {}
    for kind, make in MAKERS.items():
        folders[kind] = tmp_path_factory.mktemp(kind)
        fit(make(folders[kind]), sn.TrainConfig(**BASE), directory=folders[kind] / "run", progress=None)
    return folders


def assert_refused(folder, task, config, field):
    before = {path: path.read_bytes() for path in (folder / "run").rglob("*") if path.is_file()}
    changed = rf"(({field})\S* was .* and is now .*|(its text|its vocabulary|{field}\S*) differs from the one it was trained on)"
    with pytest.raises(UserError, match=rf"'.*run' cannot be continued: {changed}; put it back, or give") as refused:
        fit(task, config, directory=folder / "run", progress=None)
    assert not re.search("[0-9a-f]{16}", str(refused.value).partition("continued: ")[2])
    assert {path: path.read_bytes() for path in (folder / "run").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("kind", "name", "value", "field"), SETTINGS)
def test_a_changed_setting_is_refused(begun, kind, name, value, field):
    folder = begun[kind]
    config = dataclasses.replace(sn.TrainConfig(**BASE), **{name: value})
    assert_refused(folder, MAKERS[kind](folder), config, field)


@pytest.mark.parametrize(("kind", "change", "field"), CHANGES)
def test_changed_data_or_another_model_is_refused(begun, kind, change, field):
    folder = begun[kind]
    assert_refused(folder, MAKERS[kind](folder, **change), sn.TrainConfig(**BASE), field)


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_as_it_was_is_not_refused(begun, kind, recorder):
    shown = recorder()
    fit(MAKERS[kind](begun[kind]), sn.TrainConfig(**BASE), directory=begun[kind] / "run", progress=shown)
    assert any("is complete" in sentence for sentence in shown.sentences)

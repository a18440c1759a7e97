"""The data of a captioner: drawn scenes, or images with a file of captions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.captions import CaptionSet, read_captions, with_pictures
from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.data.captions.config import CaptionDataConfig
from seqnets.data.demo.scenes import SIDE, Scenes
from seqnets.data.examples.texts import extended
from seqnets.data.features.array import StoredFeatures
from seqnets.data.images.array import ImageFiles
from seqnets.data.text.cache import cache_folder
from seqnets.data.words.scripts import is_unspaced
from seqnets.data.words.vectors import read_vectors
from seqnets.data.words.vocabulary import TokenVocabulary, WordVocabulary, token_vocabulary
from seqnets.decode.captions.images import image_rule
from seqnets.decode.extraction import extract_features, weights_digest
from seqnets.errors import UserError
from seqnets.models.captioner import Captioner, CaptionerConfig
from seqnets.models.captioner.encoder import Backbone
from seqnets.models.extractor import known_preprocessing
from seqnets.models.registry import create_model
from seqnets.tasks.start import Start
from seqnets.weights.torchvision import LATEST

HELD_OUT_SCENES = 500
Splits = dict[str, CaptionedImages]
Tell = Callable[[str], None]


def drawn_scenes(count: int) -> Splits:
    """Draw scenes for training, and scenes with other combinations for validation and test.

    Example:
        >>> {name: images.images.shape for name, images in drawn_scenes(3).items()}["train"]
        (3, 64, 64, 3)
    """
    sizes = {"train": count, "validation": HELD_OUT_SCENES, "test": HELD_OUT_SCENES}
    return {split: _drawn(list(Scenes(split, size))) for split, size in sizes.items()}


def scene_captioner(
    splits: Splits,
    data: CaptionDataConfig,
    config: CaptionerConfig,
    *,
    rngs: nnx.Rngs,
    tell: Tell = print,
    start: Start | None = None,
) -> Captioner:
    """Make a captioner of drawn scenes, or take that of another run.

    Raises:
        UserError: its encoder is not the small one, or that of the other run reads larger images.
    """
    if config.encoder != "small":
        raise UserError(f"drawn scenes are learned with model.encoder 'small', not {config.encoder!r}; give --images for others")
    vocabulary = _vocabulary(splits["train"].captions, data)
    if start:
        if config.image_size != SIDE:
            raise UserError(
                f"'{start.name}' reads images of {config.image_size} pixels, and drawn scenes have {SIDE}; give --images"
            )
        return start.grown(config, tell, rngs=rngs, vocabulary=extended(start.vocabulary, vocabulary))
    return Captioner(vocabulary, replace(config, image_size=SIDE), rngs=rngs)


def photographs(
    images: str,
    captions: str | Sequence[str],
    data: CaptionDataConfig,
    config: CaptionerConfig,
    *,
    finetune: bool,
    tell: Tell,
    rngs: nnx.Rngs,
    start: Start | None = None,
) -> tuple[Captioner, Splits]:
    """Read images and captions and make a captioner of them.

    If the encoder is a frozen network, its features are computed once and kept in the cache; the captioner still contains
    the network, so that it can caption other images.

    Args:
        images: folder of the images.
        captions: file of the captions, or several.
        data: how they are read and split.
        config: the shape of the captioner.
        finetune: whether the encoder will also be trained.
        tell: called with messages for people.
        rngs: source of the initial weights.
        start: the run whose captioner to begin with.

    Raises:
        UserError: something cannot be read, or does not match.
    """
    _check_encoder(config)
    lists = data.split_lists or None
    found = read_captions(captions, lists=lists, validation_fraction=data.validation_fraction, test_fraction=data.test_fraction)
    found, _ = with_pictures(found, images)
    for remark in (str(found), *found.remarks):
        tell(remark)
    vocabulary = _vocabulary(found.split("train").captions, data, tell)
    vocabulary = extended(start.vocabulary if start else None, vocabulary)
    tell(f"vocabulary: {vocabulary}")
    if start:
        model = start.grown(config, tell, rngs=rngs, vocabulary=vocabulary)
        if finetune or config.encoder == "small":
            return _from_pixels(model, found)
        return _from_features(model, _network_of(model), model.encoder.stage_names[-1], found, data, tell)
    if config.encoder == "small":
        return _from_pixels(Captioner(vocabulary, config, rngs=rngs), found)
    network = create_model(config.encoder, weights=config.encoder_weights or LATEST, rngs=rngs)
    rule = known_preprocessing(network)
    if rule.image_size is None or rule.image_size[0] != rule.image_size[1]:
        raise UserError(f"a captioner needs square images of one size; the rule of {config.encoder} leaves {rule.image_size}")
    model = Captioner(vocabulary, replace(config, image_size=rule.image_size[0]), preprocessing=rule, rngs=rngs)
    model.encoder = backbone = Backbone(network, config.encoder_layer, image_size=rule.image_size[0])
    if finetune:
        return _from_pixels(model, found)
    return _from_features(model, network, backbone.stage_names[-1], found, data, tell)


def _network_of(model: Captioner) -> Any:
    """Return the network whose first stages are a captioner's encoder; the others have arbitrary weights."""
    backbone: Any = model.encoder
    network = create_model(model.config.encoder, rngs=nnx.Rngs(0))
    for name in backbone.stage_names:
        setattr(network, name, getattr(backbone, name))
    network.preprocessing = model.preprocessing
    return network


def _check_encoder(config: CaptionerConfig) -> None:
    if config.encoder == "features":
        raise UserError("model.encoder 'features' is for arrays in Python; name the network, whose features are stored once")


def _from_pixels(model: Captioner, found: CaptionSet) -> tuple[Captioner, Splits]:
    rule = image_rule(model)
    return model, {name: _captioned(part, ImageFiles(part.images, rule)) for name, part in _parts(found)}


def _from_features(
    model: Captioner, network: Any, layer: str, found: CaptionSet, data: CaptionDataConfig, tell: Tell
) -> tuple[Captioner, Splits]:
    folder = (
        cache_folder(data.cache_directory).parent / "features" / f"{model.config.encoder}-{weights_digest(network)[:12]}-{layer}"
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    tell(f"features of {model.config.encoder} are kept in {folder}")
    wanted = {"name": model.config.encoder, "layers": [layer], "dtype": "float16"}
    # if several processes share a cache, one computes and the others wait
    store = extract_features(network, found.images, folder, **wanted, wait=True, progress=_told(tell))
    return model, {name: _captioned(part, StoredFeatures(store, part.images)) for name, part in _parts(found)}


def _told(tell: Tell) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == total or done % 512 < 32:
            tell(f"features: {done:,} of {total:,} images")

    return progress


def _parts(found: CaptionSet) -> Iterator[tuple[str, CaptionSet]]:
    parts = ((name, found.split(name)) for name in ("train", "validation", "test"))
    return ((name, part) for name, part in parts if len(part))


def _captioned(part: CaptionSet, images: Any) -> CaptionedImages:
    return CaptionedImages(images, part.captions, part.names)


def _drawn(scenes: list[Any]) -> CaptionedImages:
    return CaptionedImages(np.stack([scene.image for scene in scenes]), [scene.captions for scene in scenes], claims=scenes)


def _vocabulary(captions: Any, data: CaptionDataConfig, tell: Tell | None = None) -> TokenVocabulary:
    texts = [text for of_image in captions for text in of_image]
    unspaced = data.unit == "auto" and is_unspaced(texts)
    if unspaced and tell:
        tell("the captions are in a script without spaces, so tokens are characters; --data.unit words makes them words")
    unit = data.unit if data.unit != "auto" else "chars" if unspaced else "words"
    return token_vocabulary(texts, unit, min_count=data.min_count, punctuation=data.punctuation)


def read_word_vectors(model: Captioner, path: str, tell: Tell) -> None:
    """Replace the random vectors of words by pretrained ones, where they exist.

    Args:
        model: a captioner of words.
        path: file of vectors of size `model.embedding_features`, in the text format of word2vec or GloVe.
        tell: called with the number of words that have one.

    Raises:
        UserError: the file cannot be read or does not match, or the captioner's tokens are not words.
    """
    if not isinstance(model.vocabulary, WordVocabulary):
        raise UserError(f"data.word_vectors are of words, but data.unit is not 'words'; leave {path!r} out")
    embedding = model.decoder.embedding
    vectors = read_vectors(path, model.vocabulary, features=embedding.shape[1])
    tell(str(vectors))
    embedding[...] = jnp.where(jnp.asarray(vectors.found)[:, None], jnp.asarray(vectors.table), embedding[...])

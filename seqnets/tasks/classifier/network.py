"""The network that a classifier trains, made for the size of its images, with the preprocessing of its weights if given."""

import dataclasses
from collections.abc import Callable
from typing import cast

from flax import nnx

from seqnets.data.images.config import ImageConfig
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.images.sets import ImageSet
from seqnets.errors import UserError
from seqnets.models.classifier import make_classifier
from seqnets.models.classifier_config import ClassifierConfig
from seqnets.models.cnn.network import ConvNet, feature_shapes


def make_network(
    config: ClassifierConfig, data: ImageConfig, images: ImageSet, *, seed: int, tell: Callable[[str], None]
) -> ConvNet:
    """Make the network for some images.

    Raises:
        UserError: it cannot take images of this size.
    """
    rule = None if config.weights else images.preprocessing(data.size, data.channels)
    channels = rule.channel_count if rule else 1 if data.channels == "gray" else 3
    model = make_classifier(config, images.classes, rule, in_channels=channels, rngs=nnx.Rngs(seed))
    if rule is None:
        own = images.preprocessing(data.size, "rgb" if channels == 3 else "gray")
        model.preprocessing = _of_weights(model.preprocessing, data.size) if model.preprocessing else own
    return _checked(config.name, model, tell)


def fitted(model: ConvNet, config: ClassifierConfig, data: ImageConfig, *, tell: Callable[[str], None]) -> ConvNet:
    """Return the network of another run with its own preprocessing, for images of the size in the settings if there is one.

    Raises:
        UserError: it cannot take images of this size.
    """
    if model.preprocessing is None:
        raise UserError("the run to begin with has no preprocessing, so its images are not known; begin with another one")
    model.preprocessing = _of_weights(model.preprocessing, data.size)
    return _checked(config.name, model, tell)


def _checked(name: str, model: ConvNet, tell: Callable[[str], None]) -> ConvNet:
    rule = cast(Preprocessing, model.preprocessing)
    _check_size(name, model, rule.image_size or (0, 0), model.in_channels)
    tell(f"{name} on {rule.channels} images of {' x '.join(map(str, rule.image_size or ()))}")
    return model


def _of_weights(rule: Preprocessing, size: int) -> Preprocessing:
    if not size:
        return rule
    share = rule.resize / min(rule.crop) if isinstance(rule.resize, int) and rule.crop else 1
    return dataclasses.replace(rule, resize=round(size * share), crop=(size, size))


def _check_size(name: str, model: ConvNet, size: tuple[int, int], channels: int) -> None:
    graphdef, state = nnx.split(model)
    try:
        feature_shapes(lambda: nnx.merge(graphdef, state), (*size, channels))
    except (UserError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{name} cannot take images of {size[0]} x {size[1]} ({reason}); set --data.size, or give another --model.name"
        ) from None

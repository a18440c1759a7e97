"""The published weights that a model begins with, in full, so that its run states which ones they were."""

from typing import Any

from seqnets import settings
from seqnets.hub import is_repository

OWN_ENCODERS = ("small", "features")
NO_WEIGHTS = "none"


def named_encoder(config: Any) -> dict[str, str]:
    """Return the settings of a network that reads pictures.

    Args:
        config: the section model, with `encoder` and `encoder_weights`.

    Raises:
        UserError: there are no published weights for the network, or its repository cannot be read.

    Example:
        >>> from seqnets.models.captioner.config import CaptionerConfig
        >>> named_encoder(CaptionerConfig(encoder="resnet50"))
        {'encoder': 'resnet50', 'encoder_weights': 'torchvision-v2'}
    """
    from seqnets.weights.torchvision import LATEST

    encoder, weights = config.encoder, config.encoder_weights
    if is_repository(encoder):
        from seqnets.weights.named import repository_source

        return {"encoder": repository_source(encoder).network, "encoder_weights": weights or encoder}
    own = encoder in OWN_ENCODERS
    return {"encoder": encoder, "encoder_weights": weights if own else with_version(encoder, weights or LATEST)}


def completed_encoder(config: Any) -> Any:
    """Return the settings of a run of pictures with regions, with the version of its encoder's published weights.

    Example:
        >>> from seqnets.tasks.segmenter import SegmenterRunConfig
        >>> completed_encoder(SegmenterRunConfig()).model.encoder_weights
        ''
    """
    from seqnets.weights.torchvision import is_published

    model = config.model
    own = model.encoder == "small" or model.encoder_weights == NO_WEIGHTS
    if own or not (model.encoder_weights or is_repository(model.encoder) or is_published(model.encoder)):
        return config
    return settings.replaced(config, {"model": named_encoder(model)})


def with_version(network: str, weights: str) -> str:
    """Return the name of torchvision's latest weights with their version; other weights as they are.

    Raises:
        UserError: torchvision publishes no weights for the network.

    Example:
        >>> with_version("alexnet", "torchvision"), with_version("alexnet", "my.npz")
        ('torchvision-v1', 'my.npz')
    """
    from seqnets.weights.torchvision import LATEST, published

    return f"{LATEST}-{published(network).version}" if weights == LATEST else weights

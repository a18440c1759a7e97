"""The published weights that a model begins with, in full, so that its run states which ones they were."""

from typing import Any

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

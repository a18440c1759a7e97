"""A classifier as a detector: the same network, slid over images larger than it was trained on."""

import jax

from seqnets.models.cnn.network import ConvNet
from seqnets.nn.convert import slide


def sliding(model: ConvNet, image_size: tuple[int, int]) -> ConvNet:
    """Make a network whose logits are a map: one classification for every window of a larger image.

    Window (i, j) begins at pixel (i S, j S), where S is the product of the network's strides. If the network has no padding,
    the scores equal those of windows cut out and classified one by one; with padding, windows see a little of their
    neighbors instead of zeros.

    Args:
        model: the classifier; the new network shares its parameters, with reshaped dense kernels.
        image_size: (H, W) of the images it was made for.

    Returns:
        A network with the same features, `logits` being [B, H', W', classes].

    Raises:
        UserError: the network averages over a grid at this size (give the one it was trained on).

    Example:
        >>> from flax import nnx
        >>> from seqnets.models.cnn.lenet import lenet
        >>> scores = sliding(lenet(padding=0, rngs=nnx.Rngs(0)), (32, 32))(jax.numpy.zeros((1, 40, 44, 1)))["logits"]
        >>> scores.shape
        (1, 3, 4, 10)
    """
    x = jax.ShapeDtypeStruct((1, *image_size, model.in_channels), model.dtype)
    stages = {}
    for name in model.feature_names:
        stages[name], x = slide(getattr(model, name), x)
    return ConvNet(stages, in_channels=model.in_channels, dtype=model.dtype)

"""Convolutions that have a bias in a file and none in the network, since the batch norm after them can hold it."""

from collections.abc import Mapping

import numpy as np

from seqnets.models.cnn.network import ConvNet
from seqnets.nn.batch_norm import BatchNorm
from seqnets.weights.naming import Target
from seqnets.weights.order import called_layers

Arrays = dict[str, np.ndarray]


def without_biases(model: ConvNet, targets: Mapping[str, Target], arrays: Arrays) -> Arrays:
    r"""Return arrays that give the same results without the biases before batch norms.

    A bias moves the running mean: $(x + b) - \mu = x - (\mu - b)$. Where the file has the bias but not the norm, because an
    exporter has folded it, the norm becomes the addition of the bias.

    Args:
        model: the network.
        targets: our names to places in the file.
        arrays: those of the file; not changed.
    """
    result, biases = dict(arrays), _biases(targets, arrays)
    if not biases:
        return result
    for layer in called_layers(model):
        if layer.source is not None and layer.source.name in biases and isinstance(layer.module, BatchNorm):
            value = result.pop(biases[layer.source.name])
            theirs = {leaf: targets[f"{layer.name}.{leaf}"] for leaf in ("scale", "bias", "mean", "var")}
            if theirs["mean"].name in result:
                result[theirs["mean"].name] = result[theirs["mean"].name] - value
            elif not any(target.name in result for target in theirs.values()):
                result |= _addition(value, theirs, layer.module.epsilon)
    return result


def _biases(targets: Mapping[str, Target], arrays: Arrays) -> dict[str, str]:
    """Return the paths of our layers without a bias, and the names of the biases that the file has for them."""
    known = {target.name for target in targets.values()}
    kernels = {name.removesuffix(".kernel"): target.name for name, target in targets.items() if name.endswith(".kernel")}
    beside = {path: _beside(theirs) for path, theirs in kernels.items()}
    return {path: bias for path, bias in beside.items() if bias in arrays and bias not in known}


def _addition(value: np.ndarray, theirs: Mapping[str, Target], epsilon: float) -> Arrays:
    ours = {"scale": np.ones_like(value), "bias": value, "mean": np.zeros_like(value), "var": np.full_like(value, 1 - epsilon)}
    return {target.name: target.layout.export(ours[leaf]) for leaf, target in theirs.items()}


def _beside(kernel: str) -> str:
    ending = next((ending for ending in ("weight", "kernel") if kernel.endswith(ending)), "")
    return f"{kernel.removesuffix(ending)}bias"

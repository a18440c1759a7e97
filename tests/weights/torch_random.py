"""Torch modules with weights and running statistics that nothing about them is the same by chance."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")


def randomized(module, seed=0):
    """Give a module random weights of a size that keeps features near one, and random running statistics."""
    generator = np.random.default_rng(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            tensor.copy_(torch.from_numpy(np.asarray(_values(generator, name, tuple(tensor.shape)))))
    return module.eval()


def _values(generator, name, shape):
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.array(3)
    if leaf == "running_var" or (leaf == "weight" and len(shape) == 1):
        return generator.uniform(0.5, 1.5, shape)
    if leaf == "weight":
        return generator.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
    return generator.normal(0, 0.2, shape)


def features_of(module, images):
    """Give the module's features as NHWC arrays."""
    with torch.no_grad():
        features = module(torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))))
    return {name: (t.permute(0, 2, 3, 1) if t.ndim == 4 else t).numpy() for name, t in features.items()}

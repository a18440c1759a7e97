"""Published stylizers: the network that a file of weights belongs to."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from flax import nnx

from seqnets.errors import UserError
from seqnets.models.stylizer import Stylizer, StylizerConfig
from seqnets.weights.convert import load_weights
from seqnets.weights.files import read_weight_file


def published_stylizer(path: str | os.PathLike[str]) -> Stylizer:
    """Return the network of a file of weights: of fast-style-transfer, or of Magenta's networks with several styles.

    The sizes and the number of styles are those of its arrays.

    Raises:
        UserError: the file holds another network.
    """
    arrays = read_weight_file(path).arrays
    for sign, config in _NETWORKS.items():
        if sign in arrays:
            found, count = config(arrays)
            names = [Path(path).stem] if count == 1 else [f"style {number}" for number in range(count)]
            model = nnx.eval_shape(lambda: Stylizer(found, names, rngs=nnx.Rngs(0)))  # noqa: B023
            load_weights(model, path)  # pyright: ignore[reportArgumentType]  it reads only what both have
            return model
    known = "fast-style-transfer (conv_t1.kernel, ...) or Magenta (contract.0.w, ...)"
    raise UserError(
        f"'{path}' holds no stylizer with the names of {known}; give such a file, or a run of `seqnets train stylizer`"
    )


def _of_one_style(arrays: Mapping[str, np.ndarray]) -> tuple[StylizerConfig, int]:
    maps = {name: array.shape[0] for name, array in arrays.items() if name.endswith(".scale")}
    return StylizerConfig(
        widths=(maps["conv1.scale"], maps["conv2.scale"], maps["conv3.scale"]),
        residual_blocks=sum(name.startswith("resid") and name.endswith("conv1.kernel") for name in arrays),
        expansion=(maps["conv_t1.scale"], maps["conv_t2.scale"]),
        upsampling="transposed", padding="zeros", output="tanh", epsilon=1e-3,
    ), 1  # fmt: skip


def _of_several(arrays: Mapping[str, np.ndarray]) -> tuple[StylizerConfig, int]:
    maps = {name.removesuffix(".norm.gamma"): array.shape[1] for name, array in arrays.items() if name.endswith(".norm.gamma")}
    return StylizerConfig(
        widths=(maps["contract.0"], maps["contract.1"], maps["contract.2"]),
        residual_blocks=sum(name.startswith("res.") and name.endswith(".0") for name in maps),
        expansion=(maps["expand.0"], maps["expand.1"]),
    ), len(arrays["contract.0.norm.gamma"])  # fmt: skip


_NETWORKS = {"conv_t1.kernel": _of_one_style, "contract.0.norm.gamma": _of_several}

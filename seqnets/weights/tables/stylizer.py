"""Stylizers: the names of fast-style-transfer, with one style, and of Magenta's networks with several."""

from seqnets.weights.layout import Layout, same_layout, torch_layout
from seqnets.weights.naming import Naming, nested, rules


def one_style_layout(shape: tuple[int, ...], grid: tuple[int, ...] = (), transposed: bool = False) -> Layout:
    """Keep arrays as they are, but for the norms, which have no axis of styles there, and transposed kernels [KH, KW, out, in].

    Example:
        >>> one_style_layout((1, 32)).theirs, one_style_layout((3, 3, 128, 64), (), True).theirs
        ((32,), (3, 3, 64, 128))
    """
    if len(shape) == 2:
        return Layout(shape, shape, (0, 1), shape[1:])
    return Layout(shape, shape, (0, 1, 3, 2), (*shape[:2], shape[3], shape[2])) if transposed else same_layout(shape)


def styles_layout(shape: tuple[int, ...], grid: tuple[int, ...] = (), convolution: bool = False) -> Layout:
    """Turn kernels into torch's, and keep the rows of the norms.

    Example:
        >>> styles_layout((26, 32)).theirs, styles_layout((9, 9, 3, 32)).theirs
        ((26, 32), (32, 3, 9, 9))
    """
    return torch_layout(shape) if len(shape) == 4 else same_layout(shape)


_HALVES = {f"first.{part}": "conv1" for part in ("conv", "norm")} | {f"second.{part}": "conv2" for part in ("conv", "norm")}
NAMINGS = (
    Naming(
        "fast-style-transfer",
        (
            *rules({f"contract.{{i}}.{part}": "conv{i+1}" for part in ("conv", "norm")}),
            *nested({"residual.{i}": "resid{i+1}"}, _HALVES),
            *rules({f"expand.2.{part}": "conv_t3" for part in ("conv", "norm")}),
            # `convolution` marks the kernels of transposed ones
            *(rule._replace(convolution=True) for rule in rules({"expand.{i}.conv": "conv_t{i+1}"})),
            *rules({"expand.{i}.norm": "conv_t{i+1}"}),
        ),
        leaves={"kernel": "kernel", "scale": "scale", "bias": "shift"},
        layout=one_style_layout,
    ),
    Naming(
        "magenta",
        (
            *rules({f"{way}.{{i}}.conv": f"{way}.{{i}}" for way in ("contract", "expand")}),
            *rules({f"{way}.{{i}}.norm": f"{way}.{{i}}.norm" for way in ("contract", "expand")}),
            *rules({f"residual.{{i}}.{half}.conv": f"res.{{i}}.{n}" for n, half in enumerate(("first", "second"))}),
            *rules({f"residual.{{i}}.{half}.norm": f"res.{{i}}.{n}.norm" for n, half in enumerate(("first", "second"))}),
        ),
        leaves={"kernel": "w", "scale": "gamma", "bias": "beta"},
        layout=styles_layout,
    ),
)

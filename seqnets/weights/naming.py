"""The names that another library gives to a network's arrays, as a table of patterns."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple

from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.models.cnn.network import ConvNet
from seqnets.nn.batch_norm import BatchNorm
from seqnets.ops.geometry import pair
from seqnets.weights.layout import Layout, same_layout, torch_layout

TORCH_LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
OUR_LEAVES = {name: name for name in TORCH_LEAVES}


_KERAS = {
    "leaves": {"kernel": "kernel", "bias": "bias"},
    "norm_leaves": {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"},
    "separator": "/",
    "layout": same_layout,
}


class Rule(NamedTuple):
    """The names of one kind of layer.

    Args:
        ours: its path in the network; `{s}` stands for a number, `{side}` for the letter of one side of a fork.
        theirs: its path in the file; `{s}` is that number, `{s+1}` the next one, `{s-b}` a difference, and `{at}` the
            position of the layer when all stages are written as one list.
        flattens: the path of our layer that sets the size of the image flattened before this dense layer.
        convolution: whether the file stores this dense layer as a convolution.
    """

    ours: str
    theirs: str
    flattens: str = ""
    convolution: bool = False


@dataclass(frozen=True)
class Naming:
    """One library's names for one family of networks.

    Args:
        source: the library: torchvision, timm, huggingface, ...
        rules: the first rule that matches a layer's path gives its name.
        leaves: our names of a layer's arrays to theirs.
        norm_leaves: likewise for batch norms, where they differ.
        separator: between the parts of a name.
        layout: how arrays are laid out.
        stages: how many stages these networks have; 0 for any number.
        preprocessing: the preprocessing of the published weights; None where each file states its own.
        auxiliary_heads: names in the file of auxiliary classifiers, which a network without them ignores.
        epsilon: that of the library's batch norms; None where it is the network's.
        objection: says why a network with the same arrays computes something else, and what to use in its place; None if it
            computes the same.
    """

    source: str
    rules: tuple[Rule, ...]
    leaves: Mapping[str, str] = field(default_factory=lambda: TORCH_LEAVES)
    norm_leaves: Mapping[str, str] | None = None
    separator: str = "."
    layout: Callable[..., Layout] = torch_layout
    stages: int = 0
    preprocessing: Preprocessing | None = None
    auxiliary_heads: tuple[str, ...] = ()
    epsilon: float | None = None
    objection: Callable[[ConvNet], str | None] = lambda model: None


def keras(rules: tuple[Rule, ...], **options: Any) -> Naming:
    """Return Keras' names: the rules, with its parts of layers and its layouts.

    Example:
        >>> keras(rules({"logits": "predictions"})).separator
        '/'
    """
    return Naming("keras", rules, **{**_KERAS, **options})


def caffe(rules: tuple[Rule, ...], **options: Any) -> Naming:
    """Return Caffe's names, as `seqnets.weights.formats.caffe` gives them.

    Example:
        >>> caffe(rules({"logits": "fc8"})).source
        'caffe'
    """
    return Naming("caffe", rules, separator="/", **options)


OURS = Naming("seqnets", (), leaves=OUR_LEAVES, layout=same_layout)


class Target(NamedTuple):
    """An array of the network in a file: its name and layout there."""

    name: str
    layout: Layout


def rules(names: Mapping[str, str]) -> tuple[Rule, ...]:
    """Convert a table of paths to rules.

    Example:
        >>> rules({"stem.0": "conv1"})
        (Rule(ours='stem.0', theirs='conv1', flattens='', convolution=False),)
    """
    return tuple(Rule(ours, theirs) for ours, theirs in names.items())


def nested(outer: Mapping[str, str], inner: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return rules for modules that all hold the same parts.

    Example:
        >>> [tuple(rule[:2]) for rule in nested({"stage1.0": "mixed"}, {"conv": "convolution"})]
        [('stage1.0.conv', 'mixed.convolution')]
    """
    return tuple(Rule(f"{o}.{i}", f"{outer[o]}.{inner[i]}") for o in outer for i in inner)


def targets(model: ConvNet, naming: Naming, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Target] | None:
    """Locate each array of a network in a file.

    Args:
        model: the network.
        naming: the names of the file.
        shapes: our names of the network's arrays and their shapes.

    Returns:
        Our names to targets; None where the table does not cover the network.
    """
    if naming is OURS:
        return {name: Target(name, same_layout(shape)) for name, shape in shapes.items()}
    positions = _positions(model)
    if naming.stages not in (0, sum(name.startswith("stage") for name in model.feature_names)):
        return None
    found = {name: _target(model, naming, name, shape, positions) for name, shape in shapes.items()}
    whole = {name: target for name, target in found.items() if target is not None}
    unique = len({target.name for target in whole.values()})
    return whole if unique == len(shapes) else None


def _target(model: ConvNet, naming: Naming, name: str, shape: tuple[int, ...], positions: Mapping[str, int]) -> Target | None:
    path, leaf = name.rsplit(".", 1)
    own = naming.norm_leaves if isinstance(_at(model, path), BatchNorm) else None
    leaves = naming.leaves if own is None else own
    for rule in naming.rules:
        parts = _match(rule.ours, path)
        if parts is not None and leaf in leaves:
            theirs = _fill(rule.theirs, parts | _position(path, positions))
            grid = pair(_at(model, _fill(rule.flattens, parts)).size) if rule.flattens else ()
            layout = naming.layout(shape, grid, rule.convolution)
            if leaf == "var" and naming.epsilon is not None:
                layout = replace(layout, shift=naming.epsilon - _at(model, path).epsilon)
            return Target(f"{theirs}.{leaves[leaf]}".replace(".", naming.separator), layout)
    return None


def _match(pattern: str, path: str) -> dict[str, str] | None:
    match = _expression(pattern).fullmatch(path)
    return None if match is None else match.groupdict()


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    kinds = {"side": "[ab]"}
    parts = re.split(r"\{(\w+)\}", pattern)
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = (f"(?P<{name}>{kinds.get(name, '[0-9]+')})" for name in parts[1::2])
    return re.compile("".join(parts))


def _fill(pattern: str, parts: Mapping[str, str]) -> str:
    def word(match: re.Match[str]) -> str:
        value, sign, shift = match.groups()
        return parts[value] if sign is None else str(int(parts[value]) + int(sign + parts.get(shift, shift)))

    return re.sub(r"\{(\w+)(?:([+-])(\w+))?\}", word, pattern)


def _positions(model: ConvNet) -> dict[str, int]:
    # a chain counts as its parts, any other layer as one
    positions, count = {}, 0
    for name in model.feature_names:
        stage = getattr(model, name)
        parts = [f"{name}.{index}" for index in range(len(stage))] if isinstance(stage, nnx.List) else [name]
        positions |= {part: count + index for index, part in enumerate(parts)}
        count += len(parts)
    return positions


def _position(path: str, positions: Mapping[str, int]) -> dict[str, str]:
    stage, *rest = path.split(".")
    key = stage if stage in positions else ".".join([stage, *rest[:1]])
    return {"at": str(positions[key])} if key in positions else {}


def _at(model: Any, path: str) -> Any:
    for part in path.split("."):
        model = model[int(part)] if part.isdigit() else getattr(model, part)
    return model

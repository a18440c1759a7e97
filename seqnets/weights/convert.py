"""Loads and saves a network's weights under the names of any library that has a table; nothing is skipped silently."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.weights.biases import without_biases
from seqnets.weights.difference import differences
from seqnets.weights.files import Arrays, WeightFile, read_weight_file, write_weight_file
from seqnets.weights.naming import OURS, Naming, Target, targets
from seqnets.weights.order import GRAPH, in_order
from seqnets.weights.published import stated_preprocessing
from seqnets.weights.tables import known_namings


class Match(NamedTuple):
    """A table that matches a network, and the place of each array: our names to targets."""

    naming: Naming
    targets: dict[str, Target]

    def overlap(self, names: Iterable[str]) -> int:
        """Count the names in a file that the table knows."""
        return len({target.name for target in self.targets.values()} & set(names))

    def fits(self, arrays: Arrays) -> int:
        """Count the arrays of a file that have the names and shapes of the table."""
        return sum(t.name in arrays and arrays[t.name].shape == t.layout.theirs for t in self.targets.values())


def load_weights(
    model: ConvNet, path: str | os.PathLike[str], *, names: str | None = None, leave_out: str | Sequence[str] = ()
) -> None:
    """Fill a network with all weights of a file, or leave it unchanged.

    The preprocessing that the weights expect becomes `model.preprocessing`. It comes from the metadata of a file that
    seqnets wrote, from the `config.json` or `preprocessor_config.json` beside the file, or from the library's default for
    this family. It is None where nothing is known. Auxiliary classifiers that only the file has are left out, a network
    without classes leaves out the file's classifier, and a prefix such as `model.` or `_orig_mod.` is ignored.

    Args:
        model: the network; changed in place. Its dtypes are kept: half-precision files are widened.
        path: `.safetensors`, the index of several, `.npz`, torch's `.pth` or `.pt` (read without unpickling code, needs
            torch), Keras' `.weights.h5`, `.keras` or `.h5` (needs h5py), Caffe's `.caffemodel`, ONNX (needs onnx), Flax'
            `.msgpack`, or a folder that holds one of them.
        names: the library whose names the file uses: "seqnets", "torchvision", "timm", "huggingface", "keras", "caffe", ...;
            recognized when None.
        leave_out: layers, by our names or the file's, that keep their current weights: `"logits"` for a new head.

    Raises:
        UserError: an array is missing, left over or has another shape; the message lists all differences.

    Example:
        >>> from seqnets.models import create_model
        >>> load_weights(create_model("lenet5"), "lenet.npz")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: there are no weights at 'lenet.npz'
    """
    file = read_weight_file(path)
    stated = stated_preprocessing(file)
    variables = network_variables(model)
    shapes = {name: variable.get_raw_value().shape for name, variable in variables.items()}
    stored, (file, match) = file, _recognize(matches(model, shapes, names), file)
    if file.layers and match.overlap(file.arrays) < len(file.arrays) and (found := in_order(model, shapes, stored)):
        file, match = found[0], Match(GRAPH, found[1])
    if objection := match.naming.objection(model):
        raise UserError(f"the weights in '{file.path}' ({match.naming.source} names) are of another network: {objection}")
    left_out = (leave_out,) if isinstance(leave_out, str) else tuple(leave_out)
    arrays = without_biases(model, match.targets, _without_heads(match, file.arrays))
    wanted, given = _without(left_out, match.targets, arrays)
    _refuse_differences(file, match.naming, wanted, given)
    for name, target in wanted.items():
        dtype = variables[name].get_raw_value().dtype
        variables[name].set_value(jnp.asarray(target.layout.take(given[target.name]), dtype))
    model.preprocessing = stated or _published(match.naming, model)


def save_weights(model: ConvNet, path: str | os.PathLike[str], *, names: str = "seqnets") -> None:
    """Write a network's weights as safetensors, under our names or those of a library that has the same network.

    The file's metadata holds `model.preprocessing`, so that `load_weights` restores it under any names, and a checksum of
    every array. Torch loads a file with torch's names by
    `module.load_state_dict(safetensors.torch.load_file(path))`.

    Args:
        model: the network.
        path: ends in `.safetensors`; an existing file is replaced atomically.
        names: "seqnets", "torchvision", "timm", "huggingface", ...

    Raises:
        UserError: the library has no names for this network, or the path has another extension.

    Example:
        >>> from seqnets.models import create_model
        >>> save_weights(create_model("lenet5"), "lenet.safetensors", names="torchvision")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: there are no 'torchvision' names for this network; there are seqnets
    """
    variables = network_variables(model)
    shapes = {name: variable.get_raw_value().shape for name, variable in variables.items()}
    match = matches(model, shapes, names)[0]
    if objection := match.naming.objection(model):
        raise UserError(f"{names} has no such network: {objection}")
    arrays = {
        target.name: target.layout.export(np.asarray(variables[name].get_raw_value())) for name, target in match.targets.items()
    }
    write_weight_file(Path(path), arrays, model.preprocessing, torch=match.naming is not OURS)


def network_variables(model: nnx.Module) -> dict[str, nnx.Variable]:
    """List a network's parameters and batch statistics by dotted names.

    Example:
        >>> from seqnets.nn import Dense
        >>> list(network_variables(Dense(2, 3, rngs=nnx.Rngs(0))))
        ['bias', 'kernel']
    """
    variables = (nnx.Param, nnx.BatchStat)
    return {".".join(map(str, path)): node for path, node in nnx.iter_graph(model) if isinstance(node, variables)}


def matches(model: ConvNet, shapes: Mapping[str, tuple[int, ...]], names: str | None = None) -> list[Match]:
    """List the tables that name all of a network's arrays.

    Args:
        model: the network.
        shapes: our names of its arrays and their shapes.
        names: one library's tables only.

    Raises:
        UserError: no table of that name matches; the message lists those that do.

    Example:
        >>> from seqnets.models import abstract_model
        >>> model = abstract_model("lenet5")
        >>> [match.naming.source for match in matches(model, {name: v.shape for name, v in network_variables(model).items()})]
        ['seqnets']
    """
    found = [(naming, targets(model, naming, shapes)) for naming in known_namings(model.family)]
    fitting = [Match(naming, target) for naming, target in found if target is not None]
    chosen = [match for match in fitting if names in (None, match.naming.source)]
    if not chosen:
        sources = sorted({match.naming.source for match in fitting})
        raise UserError(f"there are no {names!r} names for this network; there are {', '.join(sources)}")
    return chosen


def _recognize(candidates: list[Match], file: WeightFile) -> tuple[WeightFile, Match]:
    pairs = [(unwrapped(file.arrays, {target.name for target in match.targets.values()}), match) for match in candidates]
    arrays, best = max(pairs, key=lambda pair: (pair[1].overlap(pair[0]), pair[1].fits(pair[0])))
    return replace(file, arrays=arrays), best


def unwrapped(arrays: Arrays, wanted: Set[str]) -> Arrays:
    """Return arrays without the prefix of their names, if more of them are then among the wanted names.

    Args:
        arrays: by name, such as those of a torch module that contains the network.
        wanted: the expected names.

    Example:
        >>> list(unwrapped({"model.fc.weight": np.zeros(2), "model.fc.bias": np.zeros(2)}, {"fc.weight", "fc.bias"}))
        ['fc.weight', 'fc.bias']
    """
    paths = Counter(path for name in arrays for path in _paths_before(name, wanted))
    path, count = max(paths.items(), key=lambda item: item[1], default=("", 0))
    if count <= len(wanted & arrays.keys()):
        return arrays
    return {name.removeprefix(path): array for name, array in arrays.items()}


def _paths_before(name: str, wanted: Set[str]) -> Iterator[str]:
    ends = [index + 1 for index, sign in enumerate(name) if sign == "."]
    return (name[:end] for end in ends if name[end:] in wanted)


def _without_heads(match: Match, arrays: Arrays) -> Arrays:
    # arrays that a network without auxiliary heads, or without classes, does not use
    known = {target.name for target in match.targets.values()}
    heads = [*match.naming.auxiliary_heads, *_classifiers(match)]
    return {name: array for name, array in arrays.items() if name in known or not _within(name, heads)}


def _classifiers(match: Match) -> list[str]:
    ours = ("logits", "maps.1")  # dense, or a convolution before a pooling
    if any(_within(name, ours) for name in match.targets):
        return []
    return [*(ours if match.naming is OURS else ()), *(rule.theirs for rule in match.naming.rules if rule.ours in ours)]


def _published(naming: Naming, model: ConvNet) -> Preprocessing | None:
    rule = naming.preprocessing
    return rule if rule is not None and rule.channel_count == model.in_channels else None


def _without(
    left_out: tuple[str, ...], wanted: dict[str, Target], given: Mapping[str, np.ndarray]
) -> tuple[dict[str, Target], dict[str, np.ndarray]]:
    unknown = [part for part in left_out if not any(_within(name, (part,)) for name in (*wanted, *given))]
    if unknown:
        tops = dict.fromkeys(name.split(".")[0] for name in wanted)
        raise UserError(f"leave_out: neither the network nor the file has {unknown[0]!r}; the network has {', '.join(tops)}")
    ignored = {target.name for name, target in wanted.items() if _within(name, left_out) or _within(target.name, left_out)}
    kept = {name: target for name, target in wanted.items() if target.name not in ignored}
    return kept, {name: array for name, array in given.items() if name not in ignored and not _within(name, left_out)}


def _within(name: str, parts: Iterable[str]) -> bool:
    return any(name == part or name.startswith((f"{part}.", f"{part}/")) for part in parts)


def _refuse_differences(file: WeightFile, naming: Naming, wanted: Mapping[str, Target], given: Mapping[str, np.ndarray]) -> None:
    shapes = {name: array.shape for name, array in given.items()}
    network = {target.name: target.layout.theirs for target in wanted.values()}
    lines = differences(shapes, network, {target.name: name for name, target in wanted.items()})
    if lines:
        listing = "\n  ".join(lines)
        raise UserError(
            f"'{file.path}' (read as {naming.source} names) does not fit this network; "
            f"name in leave_out what should keep its own weights:\n  {listing}"
        )

"""Image classifiers: a network of the registry with its labels and its preprocessing."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib import import_module
from typing import Any

import jax.numpy as jnp
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.classifier_config import ClassifierConfig
from seqnets.models.cnn.network import ConvNet
from seqnets.models.description import described, names, stated
from seqnets.models.registry import FAMILIES, abstract_model, create_model
from seqnets.named_arrays import named_arrays

_NEW_HEAD = 0.05


def make_classifier(
    config: ClassifierConfig, labels: Sequence[str], preprocessing: Preprocessing | None, *, in_channels: int, rngs: nnx.Rngs
) -> ConvNet:
    """Make a network with one logit per label; if weights are given, all but its head starts from them.

    Args:
        config: the network.
        labels: the names of the classes.
        preprocessing: preprocessing of the images; None takes that of the weights.
        in_channels: channels of the images.
        rngs: `params` is used.

    Raises:
        UserError: the network is unknown, or the weights do not match it.

    Example:
        >>> model = make_classifier(ClassifierConfig("lenet5"), ["odd", "even"], None, in_channels=1, rngs=nnx.Rngs(0))
        >>> model.logits.kernel.shape, model.labels
        ((84, 2), ('odd', 'even'))
    """
    options = _options(config) | {"in_channels": in_channels}
    head = head_layers(config.name, **options) if config.weights else []
    loaded = {"weights": config.weights, "leave_out": head} if config.weights else {}
    model = create_model(config.name, classes=len(labels), rngs=rngs, **options, **loaded)
    _quiet(model, head)
    model.preprocessing = preprocessing or model.preprocessing
    model.labels = tuple(labels)
    model.config = config
    return model


def head_layers(name: str, **options: Any) -> list[str]:
    """Return the paths of the layers whose size depends on the number of classes.

    Example:
        >>> head_layers("squeezenet1_1"), head_layers("resnet20")
        (['maps.1'], ['logits'])
    """
    two, three = (named_arrays(nnx.state(abstract_model(name, **options, classes=n), nnx.Param)) for n in (2, 3))
    return sorted({path.rpartition(".")[0] for path in two if two[path].shape != three[path].shape})


def labeled_axes(model: ConvNet) -> dict[str, tuple[str, int]]:
    """Return the arrays with an axis of classes: by name, the list that the axis follows, and the axis.

    Example:
        >>> model = make_classifier(ClassifierConfig("lenet5"), ["odd", "even"], None, in_channels=1, rngs=nnx.Rngs(0))
        >>> labeled_axes(model)
        {'logits.kernel': ('labels', -1), 'logits.bias': ('labels', -1)}
    """
    layers = head_layers(model.config.name, **_options(model.config), in_channels=model.in_channels)
    return {f"{layer}.{part}": ("labels", -1) for layer in layers for part in ("kernel", "bias")}


def describe(model: ConvNet, config: ClassifierConfig) -> dict[str, Any]:
    """Return a classifier's description in config.json."""
    rule = model.preprocessing
    return {
        "kind": "Classifier",
        "config": {**asdict(config), "in_channels": model.in_channels},
        "preprocessing": None if rule is None else rule.to_json(),
        "labels": list(model.labels or ()),
    }


def from_description(description: Mapping[str, Any], vocabulary: Any = None) -> ConvNet:
    """Make the network that a run folder's config.json describes, with arbitrary weights.

    Args:
        description: section `model` of config.json: `kind`, `config`, `preprocessing` and `labels`.
        vocabulary: unused, since classifiers have none.

    Raises:
        UserError: the description belongs to another version.

    Example:
        >>> model = make_classifier(ClassifierConfig("lenet5"), ["odd", "even"], None, in_channels=1, rngs=nnx.Rngs(0))
        >>> from_description(describe(model, ClassifierConfig("lenet5"))).labels
        ('odd', 'even')
    """
    with described("Classifier"):
        said, rule = description["config"], description["preprocessing"]
        in_channels = said["in_channels"]
        config, labels = config_of(said), names(description.get("labels"), "labels")
        if in_channels not in (1, 3):
            raise UserError(f"section 'model' of config.json: in_channels must be 1 or 3, not {str(in_channels)[:40]}")
        preprocessing = None if rule is None else Preprocessing.from_json(rule)
        return make_classifier(config, labels, preprocessing, in_channels=in_channels, rngs=nnx.Rngs(0))


def config_of(said: Mapping[str, Any]) -> ClassifierConfig:
    """Return the settings of a network that is made as it was after training, without the weights that it began with.

    Args:
        said: `config` in section `model` of config.json.

    Raises:
        UserError: a setting is unknown or has the wrong type.

    Example:
        >>> config_of({"name": "lenet5", "weights": "lenet5.npz", "in_channels": 1}).auxiliary_heads
        False
    """
    config = stated({name: value for name, value in said.items() if name != "in_channels"}, ClassifierConfig())
    # as in training: with weights there were no auxiliary heads
    return replace(config, auxiliary_heads=config.auxiliary_heads and not config.weights, weights="")


def _quiet(model: ConvNet, layers: Sequence[str]) -> None:
    names = {f"{layer}.kernel" for layer in layers}
    for path, variable in nnx.to_flat_state(nnx.state(model, nnx.Param)):
        if ".".join(map(str, path)) in names:
            # trained features are large: a head of the usual scale would begin with confident errors. Not 0: a ReLU may follow
            variable.set_value(_NEW_HEAD * variable[...])


def _options(config: ClassifierConfig) -> dict[str, Any]:
    known = _builder_options(config.name)
    options: dict[str, Any] = {"dtype": jnp.dtype(config.dtype)}
    if config.dropout is not None:
        options["dropout"] = config.dropout
    if config.auxiliary_heads and not config.weights and "auxiliary_heads" in known:
        options["auxiliary_heads"] = True
    return options


def _builder_options(name: str) -> Mapping[str, Any]:
    family = next((family for family, names in FAMILIES.items() if name in names), None)
    if family is None:
        return {}  # making the network reports the error
    return inspect.signature(getattr(import_module(f"seqnets.models.cnn.{family}"), family)).parameters

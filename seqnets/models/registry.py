"""Networks by name. A family's file is imported when one of its networks is made."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from seqnets.errors import UserError
from seqnets.hub import is_repository

if TYPE_CHECKING:
    from flax import nnx

    from seqnets.models.cnn.network import ConvNet

FAMILIES: dict[str, tuple[str, ...]] = {
    "lenet": ("lenet5", "lenet5_relu"),
    "alexnet": ("alexnet", "alexnet_2012", "alexnet_caffe", "caffenet", "zfnet"),
    "nin": ("nin", "nin_cifar"),
    "vgg": ("vgg11", "vgg13", "vgg16", "vgg19", "vgg16_trunk", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"),
    "googlenet": ("googlenet",),
    "inception_v3": ("inception_v3",),
    "inception_v4": ("inception_v4",),
    "resnet": (
        *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet200"),
        *("resnet50_v1", "resnet101_v1", "resnet152_v1", "resnet50_caffe", "resnet101_caffe", "resnet152_caffe"),
        *("wide_resnet50_2", "wide_resnet101_2"),
        *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
        *("resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "resnet110_stochastic", "resnext29_8x64d"),
    ),
    "preact_resnet": (
        *("preact_resnet18", "preact_resnet34", "preact_resnet50", "preact_resnet101", "preact_resnet152"),
        *("preact_resnet200", "preact_resnet110", "preact_resnet164"),
        *("wide_resnet16_4", "wide_resnet40_2", "wide_resnet28_10"),
    ),
    "fractalnet": ("fractalnet10", "fractalnet20", "fractalnet40"),
    "densenet": ("densenet121", "densenet161", "densenet169", "densenet201"),
    "squeezenet": ("squeezenet1_0", "squeezenet1_1"),
    "mobilenet": (
        *("mobilenet_v1", "mobilenet_v1_075", "mobilenet_v1_050", "mobilenet_v1_025"),
        *("mobilenet_v2", "mobilenet_v2_140", "mobilenet_v2_050"),
        *("mobilenet_v1_same", "mobilenet_v2_same"),
    ),
}
# by network or family; the others take 224, or 32 for CIFAR
_SIDES = {"lenet": 28, "inception_v3": 299, "inception_v4": 299, "alexnet_caffe": 227, "caffenet": 227}


def model_names() -> list[str]:
    """List the names that `create_model` accepts, family by family.

    Example:
        >>> model_names()[:3]
        ['lenet5', 'lenet5_relu', 'alexnet']
    """
    return [name for names in FAMILIES.values() for name in names]


def create_model(
    name: str,
    *,
    classes: int | None = None,
    in_channels: int | None = None,
    weights: str | os.PathLike[str] | None = None,
    leave_out: str | Sequence[str] = (),
    rngs: "nnx.Rngs | None" = None,
    **options: Any,
) -> "ConvNet":
    """Make a network by name, with random weights or those of a file.

    Args:
        name: one of `model_names()`; or `hf:OWNER/NAME`, a repository on Hugging Face, for its network with its weights.
        classes: size of the logits; that of the published network when None (1000 for ImageNet's, 10 for CIFAR's); 0 for
            the pooled features in their place.
        in_channels: channels of the images; those of the published network when None.
        weights: a file or folder of weights, as for `seqnets.weights.load_weights`, which also sets `model.preprocessing`; or
            `torchvision`, `torchvision-v1`, `torchvision-v2` or `hf:OWNER/NAME`, which are downloaded.
        leave_out: layers that still get random weights: `"logits"` for a head of another size.
        rngs: source of the parameters; `nnx.Rngs(0)` when None.
        **options: options of the family's builder, which override those of the table: `dtype=jnp.bfloat16`, `dropout=0.0`, ...

    Raises:
        UserError: the name or an option is unknown, or the weights do not match; the message suggests corrections.

    Example:
        >>> model = create_model("lenet5", in_channels=3, padding=0)
        >>> model.feature_names
        ('stage1', 'stage2', 'pool', 'fc5', 'fc6', 'logits')

    See `seqnets.models.cnn` for the builders and their options.
    """
    from flax import nnx

    if is_repository(name):
        from seqnets.weights.named import weights_source

        name, weights = weights_source(name, weights)
    family, module = _family(name)
    build = getattr(module, family)
    given = {"classes": classes, "in_channels": in_channels}
    options |= {key: value for key, value in given.items() if value is not None}
    _check_options(name, options, inspect.signature(build).parameters)

    make = partial(_make, build, family, {**module.VARIANTS[name], **options})
    if weights is None:
        return make(rngs or nnx.Rngs(0))

    import jax

    from seqnets.weights.convert import load_weights
    from seqnets.weights.named import weights_source

    weights = weights_source(name, weights).path
    model = nnx.eval_shape(partial(make, cast(nnx.Rngs, _Keys(jax.random.key(0)))))
    load_weights(model, weights, leave_out=leave_out)
    _draw_the_rest(model, make, (rngs or nnx.Rngs(0)).params())
    return model


def abstract_model(name: str, **options: Any) -> "ConvNet":
    """Make a network whose parameters have shapes and dtypes but no values: nothing is drawn or stored.

    Args:
        name: one of `model_names()`.
        **options: as for `create_model`.

    Raises:
        UserError: the name or an option is unknown.

    Example:
        >>> abstract_model("vgg19").logits.kernel.shape
        (4096, 1000)
    """
    import jax
    from flax import nnx

    return nnx.eval_shape(lambda: create_model(name, **options, rngs=cast(nnx.Rngs, _Keys(jax.random.key(0)))))


def image_shape(name: str) -> tuple[int, int, int]:
    """Return (H, W, channels) of the images that a network was made for.

    Raises:
        UserError: the name is unknown.

    Example:
        >>> image_shape("resnet50"), image_shape("resnet20"), image_shape("inception_v3"), image_shape("lenet5")
        ((224, 224, 3), (32, 32, 3), (299, 299, 3), (28, 28, 1))
    """
    family, module = _family(name)
    defaults = {option: parameter.default for option, parameter in inspect.signature(getattr(module, family)).parameters.items()}
    of_cifar = {**defaults, **module.VARIANTS[name]}["classes"] == 10
    side = _SIDES.get(name) or _SIDES.get(family, 32 if of_cifar else 224)
    return side, side, 1 if family == "lenet" else 3


class _Keys:
    # a real Rngs counts keys in a traced array, which would make tracing a deep network take minutes
    def __init__(self, key: Any):
        self.key, self.count = key, 0

    def params(self) -> Any:
        import jax

        self.count += 1
        return jax.random.fold_in(self.key, self.count)


def _draw_the_rest(model: "ConvNet", make: Callable[["nnx.Rngs"], "ConvNet"], key: Any) -> None:
    import jax
    from flax import nnx

    from seqnets.weights.convert import network_variables

    variables = network_variables(model)
    missing = [name for name, variable in variables.items() if isinstance(variable.get_raw_value(), jax.ShapeDtypeStruct)]

    def draw(key: Any) -> dict[str, Any]:
        drawn = network_variables(make(cast(nnx.Rngs, _Keys(key))))
        return {name: drawn[name].get_raw_value() for name in missing}

    if missing:
        # under jit, arrays that come from the file are never drawn
        for name, array in jax.jit(draw)(key).items():
            variables[name].set_value(array)


def _family(name: str) -> tuple[str, ModuleType]:
    for family, names in FAMILIES.items():
        if name in names:
            return family, import_module(f"seqnets.models.cnn.{family}")
    raise UserError(f"no network is called {name!r}; {_suggest(name, model_names())}")


def _make(build: Callable[..., "ConvNet"], family: str, options: Mapping[str, Any], rngs: "nnx.Rngs") -> "ConvNet":
    model = build(**options, rngs=rngs)
    model.family = family
    return model


def _check_options(name: str, options: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for option in options:
        if option not in known:
            choices = [choice for choice in known if choice != "rngs"]
            raise UserError(f"network {name!r} has no option {option!r}; {_suggest(option, choices)}")


def _suggest(word: str, known: list[str]) -> str:
    close = get_close_matches(word.lower().replace("-", "_"), known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"give one of {', '.join(known)}"

"""Networks small enough to compare quickly, each as ours and as an independent torch definition."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from oracles.torch_cnn import dense_and_mobile, inception, plain, residual
from seqnets.models.cnn import googlenet, inception_v3, inception_v4
from seqnets.models.cnn.branches import NormRow
from seqnets.models.cnn.mobilenet import InvertedResidual, Separable, Stage
from seqnets.models.cnn.rows import ConvRow as C
from seqnets.nn.pool import MaxPool

CLASSES = 7


@dataclass(frozen=True)
class Case:
    """`network(**options)` of ours against what `oracle` makes, with the names of `source`."""

    network: str
    source: str
    oracle: Callable[[], Any]
    options: Mapping[str, Any]
    size: tuple[int, int] = (64, 72)


def narrowed(rows: Any) -> Any:
    """Divide the widths of an Inception's table as the torch definition does."""
    if isinstance(rows, NormRow):
        return rows._replace(features=inception.w(rows.features))
    if isinstance(rows, Mapping):
        return {name: narrowed(row) for name, row in rows.items()}
    return [narrowed(row) for row in rows] if isinstance(rows, Sequence) else rows


def narrow_stages(module: Any, name: str) -> dict[str, Any]:
    return {"stages": narrowed(module.VARIANTS[name]["stages"])}


POOL = partial(MaxPool, 3, stride=2)
ALEXNET = {
    "stem": [C(6, 11, stride=4, padding=2)],
    "stage1": [POOL, C(8, 5, padding=2)],
    "stage2": [POOL, C(10, 3, padding=1), C(9, 3, padding=1), C(5, 3, padding=1)],
}
VGG = {"features": (3, 4, 5, 6, 7), "grid": 3, "hidden_features": 11}
DEPTHS = {"depths": (1, 2, 1, 1)}
ROWS_V2 = [(8, 1, 1, 1), (16, 2, 2, 6), (16, 1, 1, 6), (24, 2, 2, 6), (24, 1, 1, 6), (32, 1, 2, 6), (40, 1, 1, 6)]
V2 = {"block": InvertedResidual, "stages": [Stage(*row) for row in ROWS_V2], "last_features": 48}

CASES = {
    "resnet18": Case("resnet18", "torchvision", partial(residual.ResNet, (1, 2, 1, 1), 8, CLASSES), DEPTHS | {"features": 8}),
    "resnet50": Case(
        "resnet50", "torchvision", partial(residual.ResNet, (1, 2, 1, 1), 8, CLASSES, bottleneck=True), DEPTHS | {"features": 8}
    ),
    "resnext50": Case(
        "resnext50_32x4d",
        "torchvision",
        partial(residual.ResNet, (1, 2, 1, 1), 16, CLASSES, bottleneck=True, groups=32, group_width=4),
        DEPTHS | {"features": 16},
    ),
    "wide_resnet50": Case(
        "wide_resnet50_2",
        "torchvision",
        partial(residual.ResNet, (1, 2, 1, 1), 8, CLASSES, bottleneck=True, group_width=128),
        DEPTHS | {"features": 8},
    ),
    "cifar_resnet20": Case("resnet20", "akamaster", partial(residual.CifarResNet, 3, CLASSES), {}, (32, 32)),
    "alexnet": Case(
        "alexnet",
        "torchvision",
        partial(plain.AlexNet, (6, 8, 10, 9, 5), 11, CLASSES),
        {"stages": ALEXNET, "hidden_features": 11},
        (127, 150),
    ),
    "vgg11": Case("vgg11", "torchvision", partial(plain.Vgg, (1, 1, 2, 2, 2), (3, 4, 5, 6, 7), 3, 11, CLASSES), VGG, (96, 128)),
    "vgg11_bn": Case(
        "vgg11_bn",
        "torchvision",
        partial(plain.Vgg, (1, 1, 2, 2, 2), (3, 4, 5, 6, 7), 3, 11, CLASSES, normalize=True),
        VGG,
        (96, 128),
    ),
    "vgg13_timm": Case("vgg13", "timm", partial(plain.TimmVgg, (2, 2, 2, 2, 2), (3, 4, 5, 6, 7), 3, 11, CLASSES), VGG, (96, 96)),
    "squeezenet1_1": Case(
        "squeezenet1_1",
        "torchvision",
        partial(plain.SqueezeNet, (6, 3), [[(2, 3), (3, 4)], [(2, 5)], [(4, 6), (3, 7)]], CLASSES),
        {"stem": C(6, 3, stride=2), "stages": [[(2, 3), (3, 4)], [(2, 5)], [(4, 6), (3, 7)]]},
    ),
    "densenet121": Case(
        "densenet121",
        "torchvision",
        partial(dense_and_mobile.DenseNet, (2, 3, 2, 2), 4, 8, CLASSES),
        {"depths": (2, 3, 2, 2), "growth": 4, "features": 8},
    ),
    "googlenet": Case(
        "googlenet",
        "torchvision",
        partial(inception.GoogLeNet, CLASSES),
        narrow_stages(googlenet, "googlenet") | {"auxiliary_heads": True},
    ),
    "inception_v3": Case(
        "inception_v3",
        "torchvision",
        partial(inception.InceptionV3, CLASSES),
        narrow_stages(inception_v3, "inception_v3") | {"auxiliary_heads": True},
        (75, 91),
    ),
    "inception_v4": Case(
        "inception_v4", "timm", partial(inception.InceptionV4, CLASSES), narrow_stages(inception_v4, "inception_v4"), (75, 91)
    ),
    "mobilenet_v2": Case("mobilenet_v2", "torchvision", partial(dense_and_mobile.MobileNetV2, 32, ROWS_V2, 48, CLASSES), V2),
    "mobilenet_v2_timm": Case(
        "mobilenet_v2", "timm", partial(dense_and_mobile.TimmMobileNet, 32, ROWS_V2, 48, CLASSES, active=False), V2
    ),
    "mobilenet_v1_timm": Case(
        "mobilenet_v1",
        "timm",
        partial(dense_and_mobile.TimmMobileNet, 32, [(8, 1, 1, 1), (16, 2, 2, 1), (24, 2, 2, 1)], 0, CLASSES, active=True),
        {"block": Separable, "stages": [Stage(8, 1, 1), Stage(16, 2, 2), Stage(24, 2, 2)]},
    ),
}

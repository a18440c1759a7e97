"""Every network has as many parameters as its publication or an independent sum says."""

import math
from importlib import import_module

import jax
import pytest
from flax import nnx

from seqnets.models.registry import FAMILIES, abstract_model, model_names

TORCHVISION = {  # "num_params" of the weights' meta data, https://docs.pytorch.org/vision/stable/models.html
    "alexnet": 61_100_840,
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg16_trunk": 14_714_688,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "googlenet": 6_624_904,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "wide_resnet50_2": 68_883_240,
    "wide_resnet101_2": 126_886_696,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "mobilenet_v2": 3_504_872,
}
ELSEWHERE = {
    "lenet5": 61_706,  # 156 + 2416 + 48120 + 10164 + 850, LeCun's layers with a full C3 and a linear output
    **dict.fromkeys(["alexnet_2012", "alexnet_caffe", "caffenet"], 60_965_224),  # Caffe's bvlc_alexnet and CaffeNet
    # Keras' tables less the biases before and the statistics of the batch norms; the same arrays as torchvision's
    **dict.fromkeys(["resnet50_v1", "resnet50_caffe"], 25_636_712 - 26_560 - 53_120),
    **dict.fromkeys(["resnet101_v1", "resnet101_caffe"], 44_707_176 - 52_672 - 105_344),
    **dict.fromkeys(["resnet152_v1", "resnet152_caffe"], 60_419_944 - 75_712 - 151_424),
    "inception_v3": 23_834_568,  # torchvision without the auxiliary classifier
    "inception_v4": 42_679_816,  # timm results table: 42.68 M
    "resnet200": 64_673_832,  # timm results table: 64.67 M
    "resnet20": 269_722,  # akamaster/pytorch_resnet_cifar10: 0.27 M, option A
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,  # Huang et al. 2016 for the same network: 1.7 M
    "wide_resnet28_10": 36_479_194,  # Zagoruyko's README: 36.5 M
    "mobilenet_v1": 4_231_976,  # Keras: 4,253,864 less 21,888 that are not trained
    "mobilenet_v1_same": 4_231_976,
    "mobilenet_v2_same": 3_538_984 - 34_112,  # Keras, likewise
    "mobilenet_v1_050": 1_331_592,  # Keras: 1,342,536 less 10,944
    "mobilenet_v1_025": 470_072,  # Keras: 475,544 less 5,472
    "mobilenet_v2_140": 6_108_776,  # timm results table: 6.11 M
}


def count(name, **options):
    model = abstract_model(name, **options)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def conv(size, before, after, *, bias=False):
    return size * size * before * after + bias * after


def norm(features):
    return 2 * features


def dense(before, after):
    return before * after + after


def plain_stack(*rows, bias=True):
    return sum(conv(size, before, after, bias=bias) for size, before, after in rows)


def zfnet():
    convolutions = plain_stack((7, 3, 96), (5, 96, 256), (3, 256, 384), (3, 384, 384), (3, 384, 256))
    return convolutions + dense(36 * 256, 4096) + dense(4096, 4096) + dense(4096, 1000)


def nin():
    return plain_stack(
        *[(11, 3, 96), (1, 96, 96), (1, 96, 96), (5, 96, 256), (1, 256, 256), (1, 256, 256)],
        *[(3, 256, 384), (1, 384, 384), (1, 384, 384), (3, 384, 1024), (1, 1024, 1024), (1, 1024, 1000)],
    )


def nin_cifar():
    return plain_stack(
        *[(5, 3, 192), (1, 192, 160), (1, 160, 96), (5, 96, 192), (1, 192, 192), (1, 192, 192)],
        *[(3, 192, 192), (1, 192, 192), (1, 192, 10)],
    )


def cifar_resnet(n):
    inner = sum((2 * n - 1) * conv(3, w, w) + conv(3, b, w) for b, w in [(16, 16), (16, 32), (32, 64)])
    norms = norm(16) + sum(2 * n * norm(w) for w in (16, 32, 64))
    return conv(3, 3, 16) + inner + norms + dense(64, 10)


def preact(depths, first, *, basic, imagenet):
    before, total = (64, conv(7, 3, 64) + norm(64)) if imagenet else (16, conv(3, 3, 16))
    for index, depth in enumerate(depths):
        width = first * 2**index
        after = width if basic else 4 * width
        for block in range(depth):
            if basic:
                total += norm(before) + conv(3, before, width) + norm(width) + conv(3, width, width)
            else:
                total += norm(before) + conv(1, before, width) + norm(width) + conv(3, width, width)
                total += norm(width) + conv(1, width, after)
            changes = before != after or (index > 0 and block == 0)
            total += conv(1, before, after) if changes else 0
            before = after
    return total + norm(before) + dense(before, 1000 if imagenet else 10)


def resnext29():
    total, before = conv(3, 3, 64) + norm(64), 64
    for inner, after in [(512, 256), (1024, 512), (2048, 1024)]:
        for block in range(3):
            total += conv(1, before, inner) + inner * 9 * inner // 8 + conv(1, inner, after)
            total += 2 * norm(inner) + norm(after)
            total += conv(1, before, after) + norm(after) if block == 0 else 0
            before = after
    return total + dense(1024, 10)


def fractal(columns):
    total = 0
    for before, after in [(3, 64), (64, 128), (128, 256), (256, 512), (512, 512)]:
        inside = 2**columns - 1
        total += columns * conv(3, before, after) + (inside - columns) * conv(3, after, after) + inside * norm(after)
    return total + dense(512, 10)


def separable_stack(width):
    rows = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    before, total = int(32 * width), conv(3, 3, int(32 * width)) + norm(int(32 * width))
    for row in rows:
        after = int(row * width)
        total += 9 * before + norm(before) + conv(1, before, after) + norm(after)
        before = after
    return total + dense(before, 1000)


def inverted_stack(width_table, last=1280):
    before, total = width_table[0], conv(3, 3, width_table[0]) + norm(width_table[0])
    for after, blocks, expansion in zip(width_table[1:], (1, 2, 3, 4, 3, 3, 1), (1, 6, 6, 6, 6, 6, 6)):
        for _ in range(blocks):
            inner = before * expansion
            total += conv(1, before, inner) + norm(inner) if expansion > 1 else 0
            total += 9 * inner + norm(inner) + conv(1, inner, after) + norm(after)
            before = after
    return total + conv(1, before, last) + norm(last) + dense(last, 1000)


DERIVED = {
    "lenet5_relu": lambda: conv(5, 1, 6, bias=True) + conv(5, 6, 16, bias=True) + 48_120 + 10_164 + 850,
    "zfnet": zfnet,
    "nin": nin,
    "nin_cifar": nin_cifar,
    "resnext29_8x64d": resnext29,  # Xie et al. 2017: 34.4 M
    "resnet110_stochastic": lambda: cifar_resnet(18),
    "preact_resnet18": lambda: preact((2, 2, 2, 2), 64, basic=True, imagenet=True),
    "preact_resnet34": lambda: preact((3, 4, 6, 3), 64, basic=True, imagenet=True),
    "preact_resnet50": lambda: preact((3, 4, 6, 3), 64, basic=False, imagenet=True),
    "preact_resnet101": lambda: preact((3, 4, 23, 3), 64, basic=False, imagenet=True),
    "preact_resnet152": lambda: preact((3, 8, 36, 3), 64, basic=False, imagenet=True),
    "preact_resnet200": lambda: preact((3, 24, 36, 3), 64, basic=False, imagenet=True),
    "preact_resnet110": lambda: preact((18, 18, 18), 16, basic=True, imagenet=False),
    "preact_resnet164": lambda: preact((18, 18, 18), 16, basic=False, imagenet=False),  # He et al. 2016: 1.7 M
    "wide_resnet16_4": lambda: preact((2, 2, 2), 64, basic=True, imagenet=False),  # Zagoruyko 2016: 2.7 M
    "wide_resnet40_2": lambda: preact((6, 6, 6), 32, basic=True, imagenet=False),  # Zagoruyko 2016: 2.2 M
    "fractalnet10": lambda: fractal(2),
    "fractalnet20": lambda: fractal(3),
    "fractalnet40": lambda: fractal(4),
    "mobilenet_v1_075": lambda: separable_stack(0.75),
    "mobilenet_v2_050": lambda: inverted_stack((16, 8, 16, 16, 32, 48, 80, 160)),
}


@pytest.mark.parametrize(("name", "published"), (TORCHVISION | ELSEWHERE).items())
def test_published_count(name, published):
    assert count(name) == published


@pytest.mark.parametrize("name", DERIVED)
def test_derived_count(name):
    assert count(name) == DERIVED[name]()


def test_the_derivations_give_published_counts_where_there_are_some():
    assert [cifar_resnet(n) for n in (3, 5, 7, 9, 18)] == [ELSEWHERE[f"resnet{6 * n + 2}"] for n in (3, 5, 7, 9, 18)]
    assert preact((4, 4, 4), 160, basic=True, imagenet=False) == ELSEWHERE["wide_resnet28_10"]
    assert separable_stack(1.0) == ELSEWHERE["mobilenet_v1"]
    assert inverted_stack((32, 16, 24, 32, 64, 96, 160, 320)) == TORCHVISION["mobilenet_v2"]


def test_auxiliary_classifiers_are_counted_when_asked_for():
    assert count("inception_v3", auxiliary_heads=True) == 27_161_264  # torchvision
    assert count("googlenet", auxiliary_heads=True) == 13_004_888  # torchvision


def test_every_network_is_pinned():
    assert set(model_names()) == TORCHVISION.keys() | ELSEWHERE.keys() | DERIVED.keys()


def test_the_registry_names_what_the_tables_hold():
    for family, names in FAMILIES.items():
        assert tuple(import_module(f"seqnets.models.cnn.{family}").VARIANTS) == names, family

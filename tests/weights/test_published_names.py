"""The full-size networks carry the very names that published files have (taken from the libraries' own checkpoints)."""

import pytest

from seqnets.models.registry import FAMILIES, abstract_model
from seqnets.weights.convert import matches, network_variables

PUBLISHED = {
    ("alexnet", "torchvision"): {
        "features.10.weight": (256, 256, 3, 3),
        "classifier.1.weight": (4096, 9216),
        "classifier.6.bias": (1000,),
    },
    ("vgg16", "torchvision"): {"features.28.weight": (512, 512, 3, 3), "classifier.0.weight": (4096, 25088)},
    ("vgg16", "timm"): {"pre_logits.fc1.weight": (4096, 512, 7, 7), "pre_logits.fc2.weight": (4096, 4096, 1, 1)},
    ("vgg19_bn", "torchvision"): {"features.50.running_var": (512,), "features.49.weight": (512, 512, 3, 3)},
    ("googlenet", "torchvision"): {"inception5b.branch4.1.bn.running_var": (128,), "conv3.conv.weight": (192, 64, 3, 3)},
    ("inception_v3", "torchvision"): {
        "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
        "Mixed_7a.branch7x7x3_4.bn.weight": (192,),
    },
    ("inception_v4", "timm"): {
        "features.21.branch2_3b.bn.running_var": (256,),
        "features.18.branch1.3.conv.weight": (320, 320, 3, 3),
        "features.3.conv.conv.weight": (96, 64, 3, 3),
        "last_linear.weight": (1000, 1536),
    },
    ("resnet50", "torchvision"): {"layer4.0.downsample.0.weight": (2048, 1024, 1, 1), "layer3.5.bn3.running_mean": (1024,)},
    ("resnext50_32x4d", "timm"): {"layer1.0.conv2.weight": (128, 4, 3, 3), "fc.weight": (1000, 2048)},
    ("resnet50", "huggingface"): {
        "resnet.encoder.stages.3.layers.2.layer.2.convolution.weight": (2048, 512, 1, 1),
        "resnet.encoder.stages.0.layers.0.shortcut.normalization.running_var": (256,),
        "classifier.1.weight": (1000, 2048),
    },
    ("densenet121", "torchvision"): {
        "features.denseblock4.denselayer16.conv2.weight": (32, 128, 3, 3),
        "features.transition3.conv.weight": (512, 1024, 1, 1),
        "features.norm5.weight": (1024,),
    },
    ("squeezenet1_0", "torchvision"): {"features.12.expand3x3.weight": (256, 64, 3, 3)},
    ("squeezenet1_1", "torchvision"): {"features.12.squeeze.weight": (64, 512, 1, 1), "classifier.1.bias": (1000,)},
    ("squeezenet1_0", "caffe"): {"fire9/expand3x3/weight": (256, 64, 3, 3), "fire5/squeeze1x1/bias": (32,)},
    ("mobilenet_v2", "torchvision"): {
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.17.conv.3.running_var": (320,),
        "features.18.0.weight": (1280, 320, 1, 1),
    },
    ("mobilenet_v2", "timm"): {
        "blocks.0.0.conv_pw.weight": (16, 32, 1, 1),
        "blocks.6.0.conv_pwl.weight": (320, 960, 1, 1),
        "bn2.weight": (1280,),
    },
    ("mobilenet_v1", "timm"): {"blocks.4.1.conv_pw.weight": (1024, 1024, 1, 1), "conv_stem.weight": (32, 3, 3, 3)},
}


def named(network, source=None):
    model = abstract_model(network)
    shapes = {name: variable.get_raw_value().shape for name, variable in network_variables(model).items()}
    return matches(model, shapes, source)


@pytest.mark.parametrize(("network", "source"), PUBLISHED)
def test_names_and_shapes_are_those_of_the_published_files(network, source):
    found = {target.name: target.layout.theirs for target in named(network, source)[0].targets.values()}
    wanted = PUBLISHED[network, source]
    assert {name: found.get(name) for name in wanted} == wanted


def test_densenet_files_with_a_dot_more_are_known():
    newest, oldest = named("densenet121", "torchvision")
    assert "features.denseblock1.denselayer1.norm1.weight" in {target.name for target in newest.targets.values()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in {target.name for target in oldest.targets.values()}


@pytest.mark.parametrize("family", ["lenet", "nin", "preact_resnet", "fractalnet"])
def test_families_that_nobody_publishes_have_our_names_only(family):
    assert [match.naming.source for match in named(FAMILIES[family][0])] == ["seqnets"]

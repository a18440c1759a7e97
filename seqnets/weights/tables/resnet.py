"""ResNet, Wide ResNet and ResNeXt: torchvision, timm, Hugging Face, Keras, Caffe, and akamaster's networks for CIFAR.

Hugging Face's names are those of its torch and its Flax models, Caffe's those of the authors' own models.
Pre-activation networks have no published source with these blocks.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from seqnets.models.cnn.residual import Bottleneck
from seqnets.nn.pool import MaxPool
from seqnets.weights.layout import same_layout
from seqnets.weights.naming import OUR_LEAVES, Naming, Rule, caffe, keras, rules
from seqnets.weights.published import CAFFE_RESNET, CIFAR, KERAS_CAFFE, TORCHVISION

BLOCKS = {
    "stem.0.conv": "conv1",
    "stem.0.norm": "bn1",
    "stage{s}.{b}.conv{c}": "layer{s}.{b}.conv{c}",
    "stage{s}.{b}.norm{c}": "layer{s}.{b}.bn{c}",
    "stage{s}.{b}.shortcut.conv": "layer{s}.{b}.downsample.0",
    "stage{s}.{b}.shortcut.norm": "layer{s}.{b}.downsample.1",
}
LAYERS = {"conv": "convolution", "norm": "normalization"}


def huggingface(prefix: str) -> tuple[Rule, ...]:
    """Return the names of transformers' ResNet, which begin with `resnet.` in a classifier.

    Example:
        >>> huggingface("resnet.")[0][:2]
        ('stem.0.conv', 'resnet.embedder.embedder.convolution')
    """
    block = prefix + "encoder.stages.{s-1}.layers.{b}"
    names = {f"stem.0.{ours}": f"{prefix}embedder.embedder.{theirs}" for ours, theirs in LAYERS.items()}
    names |= {f"stage{{s}}.{{b}}.{ours}{{c}}": f"{block}.layer.{{c-1}}.{theirs}" for ours, theirs in LAYERS.items()}
    names |= {f"stage{{s}}.{{b}}.shortcut.{ours}": f"{block}.shortcut.{theirs}" for ours, theirs in LAYERS.items()}
    return rules(names | {"logits": "classifier.1"})


KERAS_BLOCK = "conv{s+1}_block{b+1}"
KERAS = {
    "stem.0.conv": "conv1_conv",
    "stem.0.norm": "conv1_bn",
    "stage{s}.{b}.conv{c}": f"{KERAS_BLOCK}_{{c}}_conv",
    "stage{s}.{b}.norm{c}": f"{KERAS_BLOCK}_{{c}}_bn",
    "stage{s}.{b}.shortcut.conv": f"{KERAS_BLOCK}_0_conv",
    "stage{s}.{b}.shortcut.norm": f"{KERAS_BLOCK}_0_bn",
    "logits": "predictions",
}


def caffe_names(*, numbered: bool) -> tuple[Rule, ...]:
    """Return the names of the authors' models, which call the blocks of a stage a, b, c, ... or a, b1, b2, ...

    Args:
        numbered: whether stages 2 and 3 have numbers, as in ResNet-101 and 152.

    Example:
        >>> [tuple(rule[:2]) for rule in caffe_names(numbered=True) if rule.ours == "stage2.1.conv1"]
        [('stage2.1.conv1', 'res3b1_branch2a')]
    """
    names = {"stem.0.conv": "conv1", "stem.0.norm": "bn_conv1", "logits": "fc1000"}
    for stage in range(1, 5):
        for block in range(36):
            has_numbers = numbered and stage in (2, 3) and block
            at = f"{stage + 1}b{block}" if has_numbers else f"{stage + 1}{chr(ord('a') + block)}"
            ours = f"stage{stage}.{block}"
            for part, branch in {"conv1": "2a", "conv2": "2b", "conv3": "2c", "shortcut.conv": "1"}.items():
                names |= {
                    f"{ours}.{part}": f"res{at}_branch{branch}",
                    f"{ours}.{part.replace('conv', 'norm')}": f"bn{at}_branch{branch}",
                }
    return rules(names)


def _stride_must_be(first: bool, instead: str, *, padded: bool = True) -> Callable[[Any], str | None]:
    place = "first convolution" if first else "3 x 3 convolution"

    def objection(model: Any) -> str | None:
        block, pool = model.stage2[0], model.stem[-1]
        strides = isinstance(block, Bottleneck) and (block.conv1.stride == 1) == first
        pools = isinstance(pool, MaxPool) and bool(pool.padding) != padded
        rest = "" if padded else " and do not pad their pooling"
        return f"those networks stride in the {place} of a block{rest}; use {instead}" if strides or pools else None

    return objection


_late = _stride_must_be(False, "resnet50, resnet101 or resnet152")
_early = _stride_must_be(True, "resnet50_v1, resnet101_v1 or resnet152_v1")
_caffes = _stride_must_be(True, "resnet50_caffe, resnet101_caffe or resnet152_caffe", padded=False)
_torchvision = Naming("torchvision", rules(BLOCKS | {"logits": "fc"}), stages=4, preprocessing=TORCHVISION, objection=_late)


def _basic(names: tuple[Rule, ...]) -> tuple[Rule, ...]:
    # Flax numbers the layers of basic blocks by itself
    return tuple(rule._replace(theirs=rule.theirs.replace("layer.{c-1}", "layer.layer_{c-1}")) for rule in names)


_huggingface = [Naming("huggingface", huggingface(prefix), objection=_late) for prefix in ("resnet.", "")]

NAMINGS = (
    _torchvision,
    replace(_torchvision, source="timm", preprocessing=None),
    *_huggingface,
    *(replace(naming, leaves=OUR_LEAVES, layout=same_layout) for naming in _huggingface),  # Flax
    *(replace(naming, leaves=OUR_LEAVES, layout=same_layout, rules=_basic(naming.rules)) for naming in _huggingface),
    keras(rules(KERAS), stages=4, epsilon=1.001e-5, preprocessing=KERAS_CAFFE, objection=_early),
    *(
        caffe(caffe_names(numbered=numbered), stages=4, preprocessing=CAFFE_RESNET, objection=_caffes)
        for numbered in (False, True)
    ),
    Naming("akamaster", rules(BLOCKS | {"logits": "linear"}), stages=3, preprocessing=CIFAR),
)

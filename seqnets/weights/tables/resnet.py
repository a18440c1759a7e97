"""ResNet, Wide ResNet and ResNeXt: torchvision, timm, Hugging Face, and the CIFAR networks of akamaster's repository.

Pre-activation networks have no published source with these blocks.
"""

from dataclasses import replace

from seqnets.weights.naming import Naming, Rule, rules
from seqnets.weights.published import CIFAR, TORCHVISION

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


_torchvision = Naming("torchvision", rules(BLOCKS | {"logits": "fc"}), stages=4, preprocessing=TORCHVISION)

NAMINGS = (
    _torchvision,
    replace(_torchvision, source="timm", preprocessing=None),
    Naming("huggingface", huggingface("resnet.")),
    Naming("huggingface", huggingface("")),
    Naming("akamaster", rules(BLOCKS | {"logits": "linear"}), stages=3, preprocessing=CIFAR),
)

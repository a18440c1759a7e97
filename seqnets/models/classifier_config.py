"""The settings of an image classifier: the section [model] of its run."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings


@dataclass(frozen=True)
class ClassifierConfig:
    """The network of a classifier: section `[model]` of a configuration."""

    name: str = "resnet20"
    """A network of `seqnets summary --list`, such as lenet5, resnet20, squeezenet1_1 or resnet50."""
    weights: str = ""
    """Weights to start from: a file or folder (.safetensors, .h5, ...), torchvision or hf:OWNER/NAME; empty for random ones."""
    dropout: Annotated[float | None, settings.RATE] = None
    """Dropout rate before the classifier, for networks with such a rate; none for the network's own."""
    auxiliary_heads: bool = True
    """Also train the auxiliary classifiers of GoogLeNet and Inception-v3; only without weights."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the arithmetic; parameters and batch statistics are float32."""

    def __post_init__(self) -> None:
        settings.settle(self, "model")

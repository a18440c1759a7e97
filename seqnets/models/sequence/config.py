"""The settings of sequence models: the section [model] of their runs."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings
from seqnets.models.cell_config import CellConfig

PoolName = Literal["last", "mean", "max", "attention"]


@dataclass(frozen=True)
class RecurrentConfig(CellConfig):
    """The shape of a recurrent encoder: the settings in section `[model]` that models of whole sequences share.

    Raises:
        UserError: a setting is out of its range; the message names it.

    Example:
        >>> RecurrentConfig(hidden_features=8, bidirectional=True).outputs
        16
    """

    hidden_features: Annotated[int, settings.WIDTH] = 128
    """Units of each recurrent layer and direction."""
    bidirectional: bool = True
    """Read each sequence in both directions."""
    embedding_features: Annotated[int, settings.WIDTH] = 64
    """Size of a token's vector."""
    input_dropout: Annotated[float | None, settings.RATE] = None
    """Dropout rate on the tokens' vectors; none takes that of `dropout`."""
    unknown_rate: Annotated[float, settings.RATE] = 0.0
    """Rate at which tokens are read as unknown in training, so that the model learns to handle unknown tokens."""

    @property
    def outputs(self) -> int:
        """Features that the encoder gives for each step."""
        return self.hidden_features * (2 if self.bidirectional else 1)

    @property
    def inputs_rate(self) -> float:
        """The rate of dropout on the tokens' vectors."""
        return self.dropout if self.input_dropout is None else self.input_dropout


@dataclass(frozen=True)
class TextClassifierConfig(RecurrentConfig):
    """The shape of a text classifier: section `[model]` of a configuration."""

    pooling: PoolName = "max"
    """How the steps become one vector: the last state, their mean, their largest values, or attention."""


@dataclass(frozen=True)
class TranslatorConfig(RecurrentConfig):
    """The shape of a translator: section `[model]` of a configuration. The decoder has as many layers as the encoder."""

    attention: Literal["additive", "dot", "none"] = "additive"
    """The attention to the source; with none, the decoder sees only the final state of the encoder."""
    attention_features: Annotated[int, settings.WIDTH] = 128
    """Size of the space in which states are compared."""


@dataclass(frozen=True)
class VQAConfig(RecurrentConfig):
    """The shape of a model that answers questions about pictures: section `[model]` of a configuration."""

    kind: Literal["joint", "modules"] = "joint"
    """Join question and picture in one network, or put a network together from modules as each question needs them."""
    grid: Annotated[int, settings.WIDTH] = 3
    """Rows and columns of the cells into which module networks cut a picture."""
    layouts: Literal["given", "learned"] = "given"
    """Whether the layouts of modules are those of the data, or else of a rule, or are written by a policy that learns to."""
    layout_modules: Annotated[int, settings.WIDTH] = 8
    """The most modules of a layout that the policy writes."""
    bidirectional: bool = False
    """Read each question in both directions."""
    attention: Literal["none", "additive", "dot"] = "none"
    """Multiply the question with the whole picture (none), or attend to the locations that the question asks for."""
    pooling: Literal["max", "mean", "flatten"] = "max"
    """Without attention: how the locations become one vector."""
    glimpses: Annotated[int, settings.WIDTH] = 2
    """How often attention looks; each look uses the result of the one before."""
    joint_features: Annotated[int, settings.WIDTH] = 128
    """Size of the space in which question and picture are combined."""
    encoder: str = "small"
    """The network that reads the picture: "small", or one of `seqnets summary`."""
    encoder_weights: str = ""
    """The network's weights: a file, torchvision-v1, torchvision-v2, hf:OWNER/NAME or none; empty for torchvision's, if any."""
    encoder_layer: str = ""
    """The feature map to use; empty for the last one."""
    encoder_width: Annotated[int, settings.WIDTH] = 16
    """Features of the small network's first convolution; they double twice."""
    image_size: Annotated[int, settings.WIDTH] = 64
    """Height and width to which pictures are resized."""


@dataclass(frozen=True)
class TreeClassifierConfig:
    """The shape of a classifier of trees: section `[model]` of a configuration.

    Raises:
        UserError: a setting is out of its range; the message names it.

    Example:
        >>> TreeClassifierConfig(cell="rntn").hidden_features
        32
    """

    cell: Literal["simple", "rntn", "tree-lstm"] = "tree-lstm"
    """How a node's state comes from those of its children: one matrix, a tensor, or gates."""
    hidden_features: Annotated[int, settings.WIDTH] = 32
    """Size of a word's vector and of a node's state."""
    dropout: Annotated[float, settings.RATE] = 0.0
    """Dropout rate on the words' vectors and before the classes."""

    def __post_init__(self) -> None:
        settings.settle(self, "model")

"""The settings of sequence models: the section [model] of their runs."""

from dataclasses import dataclass
from typing import Literal

from seqnets import settings
from seqnets.ops.backends.names import Backend

PoolName = Literal["last", "mean", "max", "attention"]


@dataclass(frozen=True)
class RecurrentConfig:
    """The shape of a recurrent encoder: the settings in section `[model]` that sequence models share.

    Raises:
        UserError: a setting is out of its range; the message names it.

    Example:
        >>> RecurrentConfig(hidden_features=8, bidirectional=True).outputs
        16
    """

    cell: Literal["lstm", "gru", "vanilla", "highway"] = "lstm"
    """The recurrence."""
    hidden_features: int = 128
    """Units of each recurrent layer and direction."""
    layers: int = 1
    """The number of recurrent layers."""
    bidirectional: bool = True
    """Read each sequence in both directions."""
    embedding_features: int = 64
    """Size of a token's vector."""
    dropout: float = 0.0
    """Dropout rate on the tokens' vectors, between the layers and before the output."""
    unknown_rate: float = 0.0
    """Rate at which tokens are read as unknown in training, so that the model learns to handle unknown tokens."""
    residual: bool = False
    """Add each layer's input to its output where the sizes are equal."""
    layer_norm: bool = False
    """Use layer normalization inside the cells."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the recurrence's products; weights and carry stay float32."""
    backend: Backend = "auto"
    """The backend that runs the recurrence over time."""

    _widths = ("hidden_features", "embedding_features")  # settings that are sizes of layers

    def __post_init__(self) -> None:
        widths = dict.fromkeys(self._widths, settings.WIDTH)
        rates = dict.fromkeys(("dropout", "unknown_rate"), settings.RATE)
        settings.settle(self, "model", layers=settings.LAYERS, **widths, **rates)

    @property
    def outputs(self) -> int:
        """Features that the encoder gives for each step."""
        return self.hidden_features * (2 if self.bidirectional else 1)


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
    attention_features: int = 128
    """Size of the space in which states are compared."""

    _widths = (*RecurrentConfig._widths, "attention_features")


@dataclass(frozen=True)
class VQAConfig(RecurrentConfig):
    """The shape of a model that answers questions about pictures: section `[model]` of a configuration."""

    bidirectional: bool = False
    """Read each question in both directions."""
    attention: Literal["none", "additive", "dot"] = "none"
    """Multiply the question with the whole picture (none), or attend to the locations that the question asks for."""
    pooling: Literal["max", "mean", "flatten"] = "max"
    """Without attention: how the locations become one vector."""
    glimpses: int = 2
    """How often attention looks; each look uses the result of the one before."""
    joint_features: int = 128
    """Size of the space in which question and picture are combined."""
    encoder: str = "small"
    """The network that reads the picture: "small", or one of `seqnets summary`."""
    encoder_layer: str = ""
    """The feature map to use; empty for the last one."""
    encoder_width: int = 16
    """Features of the small network's first convolution; they double twice."""
    image_size: int = 64
    """Height and width to which pictures are resized."""

    _widths = (*RecurrentConfig._widths, "glimpses", "joint_features", "encoder_width", "image_size")

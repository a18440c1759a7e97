"""The settings of a character model: the section [model] of its run."""

from dataclasses import dataclass
from typing import Literal

from seqnets import settings
from seqnets.errors import UserError
from seqnets.ops.backends.names import Backend


@dataclass(frozen=True)
class CharLMConfig:
    """The shape of a character model: section `[model]` of a configuration."""

    cell: Literal["lstm", "gru", "vanilla", "highway", "mingru", "minlstm"] = "lstm"
    """The recurrence."""
    hidden_features: int = 256
    """Units of each recurrent layer."""
    layers: int = 1
    """The number of recurrent layers."""
    embedding_features: int = 64
    """Size of a character's vector; 0 feeds one-hot characters."""
    tied: bool = False
    """Also use the embedding as the output layer's kernel."""
    residual: bool = False
    """Add each layer's input to its output."""
    layer_norm: bool = False
    """Use layer normalization inside the cells."""
    forget_bias: float = 1.0
    """Initial value of the forget bias of the LSTM and the minLSTM."""
    reset: Literal["after", "before"] = "after"
    """Whether the GRU's reset gate acts before or after the product."""
    activation: Literal["tanh", "relu"] = "tanh"
    """Activation of the vanilla cell."""
    depth: int = 2
    """Highway layers in one step of the highway cell."""
    carry_bias: float = 2.0
    """Initial bias of the highway cell toward carrying its state."""
    dropout: float = 0.0
    """Dropout rate between the layers and before the output."""
    input_dropout: float = 0.0
    """Dropout rate on the characters' vectors."""
    locked_dropout: bool = False
    """Draw one dropout mask for the whole window instead of one per character."""
    weight_dropout: float = 0.0
    """Dropout rate on the weights of the recurrent kernels."""
    zoneout: float = 0.0
    """Rate at which a unit keeps its old state."""
    activation_penalty: float = 0.0
    """Weight of the mean squared output in the loss (AR)."""
    slowness_penalty: float = 0.0
    """Weight of the mean squared change of the output in the loss (TAR)."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the matrix products; weights and carry stay float32."""
    remat: int = 0
    """Keep the state only every this many steps and compute the steps between again, so that long windows need little memory."""
    backend: Backend = "auto"
    """The backend that runs the recurrence over time."""

    def __post_init__(self):
        settings.settle(
            self,
            "model",
            hidden_features=settings.WIDTH,
            layers=settings.LAYERS,
            embedding_features=settings.WIDTH._replace(least=0),
            depth=settings.LAYERS,
            remat=settings.NOT_NEGATIVE,
            **dict.fromkeys(("dropout", "input_dropout", "weight_dropout", "zoneout"), settings.RATE),
        )
        if self.tied and not self.embedding_features:
            raise UserError("model.tied shares the embedding with the output, but model.embedding_features is 0; set it above 0")

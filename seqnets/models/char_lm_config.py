"""The settings of a character model: the section [model] of its run."""

from dataclasses import dataclass
from typing import Annotated

from seqnets import settings
from seqnets.errors import UserError
from seqnets.models.cell_config import CellConfig


@dataclass(frozen=True)
class CharLMConfig(CellConfig):
    """The shape of a character model: section `[model]` of a configuration.

    Raises:
        UserError: a setting is out of its range or contradicts another one; the message names it.

    Example:
        >>> CharLMConfig(cell="gru", embedding_features=0).hidden_features
        256
    """

    embedding_features: Annotated[int, settings.WIDTH._replace(least=0)] = 64
    """Size of a character's vector; 0 feeds one-hot characters."""
    tied: bool = False
    """Also use the embedding as the output layer's kernel."""
    input_dropout: Annotated[float, settings.RATE] = 0.0
    """Dropout rate on the characters' vectors."""
    activation_penalty: float = 0.0
    """Weight of the mean squared output in the loss (AR)."""
    slowness_penalty: float = 0.0
    """Weight of the mean squared change of the output in the loss (TAR)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tied and not self.embedding_features:
            raise UserError("model.tied shares the embedding with the output, but model.embedding_features is 0; set it above 0")

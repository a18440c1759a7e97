"""The shape of a captioner, and the published shapes by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from seqnets import settings
from seqnets.errors import UserError
from seqnets.models.cell_config import CellConfig


@dataclass(frozen=True)
class CaptionerConfig(CellConfig):
    """The shape of a captioner: section `[model]` of a configuration.

    Raises:
        UserError: a setting is out of its range or contradicts another one; the message names it.

    Example:
        >>> CaptionerConfig(attention="none", inject="init").looks
        False
    """

    encoder: str = "small"
    """The image encoder: small (a small CNN trained with the rest), features (stored features), or a network's name."""
    encoder_layer: str = ""
    """The network's feature map to use, such as stage3; empty for its last map."""
    encoder_weights: str = ""
    """The network's weights: a file, torchvision-v1, torchvision-v2 or hf:OWNER/NAME; empty for the latest of torchvision."""
    image_size: Annotated[int, settings.WIDTH] = 64
    """Height and width of the images."""
    encoder_width: Annotated[int, settings.WIDTH] = 32
    """Features of the small encoder's first convolution; they double each time the image is halved."""
    feature_map: tuple[int, ...] = ()
    """Height, width and features of stored features."""
    normalize_features: bool = False
    """Scale the features of every location to a mean square of 1."""
    attention: Literal["additive", "dot", "none"] = "additive"
    """The attention to the image before each word; none uses the mean feature, as `inject` says."""
    attention_features: Annotated[int, settings.WIDTH._replace(least=0)] = 0
    """Size of the space in which the state and the image are compared; 0 for hidden_features."""
    hard: bool = False
    """Look at one location, drawn from the attention, instead of the weighted mean over all (trained with REINFORCE)."""
    hard_reading: Literal["expected", "argmax"] = "expected"
    """What hard attention reads after training: the weighted mean over all locations, or the likeliest location."""
    gate: Literal["scalar", "vector", "none"] = "scalar"
    """The gate by which the state scales the context: one number, one per feature, or none."""
    deep_output: bool = True
    """Predict words from the previous word, the state and the context through a hidden layer, instead of from the state alone."""
    inject: Literal["every", "first", "token", "init"] = "init"
    """Where the image enters without attention: at every step, at the first, as a word before the first, or as initial state."""
    initial: Literal["mean", "zeros"] = "mean"
    """With attention, the state before the first word: computed from the mean feature, or zeros."""
    residual: bool = False
    """Add each layer's input to its output, above the lowest layer."""
    embedding_features: Annotated[int, settings.WIDTH] = 128
    """Size of a word's vector."""
    input_dropout: Annotated[float, settings.RATE] = 0.0
    """Dropout rate on the words' vectors."""
    feature_dropout: Annotated[float, settings.RATE] = 0.0
    """Dropout rate on the features of the image, with one mask for all locations."""
    context_dropout: Annotated[float, settings.RATE] = 0.0
    """Rate at which the state does not get the context of a word, so that words depend on the current look at the image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hard and not self.looks:
            raise UserError("model.hard is a kind of attention, but model.attention is 'none'; set it to 'additive' or 'dot'")
        if self.feature_map and (len(self.feature_map) != 3 or min(self.feature_map) < 1):
            raise UserError(f"model.feature_map must be height, width and features, each at least 1, not {self.feature_map}")

    @property
    def looks(self) -> bool:
        """Whether the model has attention."""
        return self.attention != "none"


PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "sat-soft": {
        "model": {"attention": "additive", "hard": False, "gate": "scalar", "deep_output": True, "cell": "lstm", "layers": 1},
        "learning": {"regularizer": 1.0},
    },
    "sat-hard": {
        "model": {"attention": "additive", "hard": True, "gate": "scalar", "deep_output": True, "cell": "lstm", "layers": 1},
        "learning": {"regularizer": 0.0},
    },
    "nic": {"model": {"attention": "none", "inject": "token", "deep_output": False, "cell": "lstm", "layers": 1}},
    "init": {"model": {"attention": "none", "inject": "init", "deep_output": False}},
    "every": {"model": {"attention": "none", "inject": "every", "deep_output": False, "cell": "vanilla", "activation": "tanh"}},
}
"""Published shapes by name, as settings of the sections model and learning.

sat-soft, sat-hard: Xu et al., "Show, Attend and Tell", 2015. nic: Vinyals et al., "Show and Tell", 2015 (the image as a
word before the first). init: the image as the initial state. every: h = tanh(W_xh x + W_hh h + W_ih v), the image at every
step of a simple recurrence.
"""


def preset(name: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the settings of a published shape.

    Raises:
        UserError: the preset is unknown.

    Example:
        >>> preset("nic")["model"]["inject"]
        'token'
    """
    if name not in PRESETS:
        raise UserError(f"no preset is called {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]

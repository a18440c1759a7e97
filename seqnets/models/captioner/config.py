"""The shape of a captioner, and the published shapes by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from seqnets import settings
from seqnets.errors import UserError


@dataclass(frozen=True)
class CaptionerConfig:
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
    """File of the network's weights."""
    image_size: int = 64
    """Height and width of the images."""
    encoder_width: int = 32
    """Features of the small encoder's first convolution; they double each time the image is halved."""
    feature_map: tuple[int, ...] = ()
    """Height, width and features of stored features."""
    normalize_features: bool = False
    """Scale the features of every location to a mean square of 1."""
    attention: Literal["additive", "dot", "none"] = "additive"
    """The attention to the image before each word; none uses the mean feature, as `inject` says."""
    attention_features: int = 0
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
    cell: Literal["lstm", "gru", "vanilla", "highway"] = "lstm"
    """The recurrence."""
    hidden_features: int = 256
    """Units of each recurrent layer."""
    layers: int = 1
    """The number of recurrent layers."""
    embedding_features: int = 128
    """Size of a word's vector."""
    layer_norm: bool = False
    """Use layer normalization inside the cells."""
    forget_bias: float = 1.0
    """Initial value of the LSTM's forget bias."""
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
    """Dropout rate on the words' vectors."""
    feature_dropout: float = 0.0
    """Dropout rate on the features of the image, with one mask for all locations."""
    context_dropout: float = 0.0
    """Rate at which the state does not get the context of a word, so that words depend on the current look at the image."""
    zoneout: float = 0.0
    """Rate at which a unit keeps its old state."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the matrix products; weights and carry stay float32."""

    def __post_init__(self) -> None:
        widths = ("hidden_features", "embedding_features", "image_size", "encoder_width")
        rates = ("dropout", "input_dropout", "feature_dropout", "context_dropout", "zoneout")
        settings.settle(
            self,
            "model",
            layers=settings.LAYERS,
            depth=settings.LAYERS,
            attention_features=settings.WIDTH._replace(least=0),
            **dict.fromkeys(widths, settings.WIDTH),
            **dict.fromkeys(rates, settings.RATE),
        )
        if self.hard and not self.looks:
            raise UserError("model.hard is a kind of attention, but model.attention is 'none'; set it to 'additive' or 'dot'")
        if self.feature_map and (len(self.feature_map) != 3 or min(self.feature_map) < 1):
            raise UserError(f"model.feature_map must be height, width and features, each at least 1, got {self.feature_map}")

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

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
    """What reads the image: small (a little CNN trained with the rest), features (stored ones), or a network's name."""
    encoder_layer: str = ""
    """The network's feature to look at, such as stage3; empty for its last map."""
    encoder_weights: str = ""
    """File of the network's weights."""
    image_size: int = 64
    """Height and width of the images."""
    encoder_width: int = 32
    """Features of the small encoder's first convolution; they double with every halving of the image."""
    feature_map: tuple[int, ...] = ()
    """Height, width and features of stored features."""
    normalize_features: bool = False
    """Scale the features of every location to a mean square of 1."""
    attention: Literal["additive", "dot", "none"] = "additive"
    """How the decoder looks at the image before each word; none gives it the mean feature, as `inject` says."""
    attention_features: int = 0
    """Size of the space where the state and the image are compared; 0 for hidden_features."""
    hard: bool = False
    """Look at one location, drawn from the attention, instead of the mean over all (trained by REINFORCE)."""
    hard_reading: Literal["expected", "argmax"] = "expected"
    """What hard attention reads after training: the mean over all locations, or the likeliest."""
    gate: Literal["scalar", "vector", "none"] = "scalar"
    """What the state scales the context by: one number, one a feature, or nothing."""
    deep_output: bool = True
    """Predict words from the word before, the state and the context through a hidden layer, instead of the state alone."""
    inject: Literal["every", "first", "token", "init"] = "init"
    """Without attention, where the image enters: at every step, the first, as a word before the first, as initial state."""
    initial: Literal["mean", "zeros"] = "mean"
    """With attention, the state before the first word: from the mean feature, or zeros, which know nothing of the image."""
    cell: Literal["lstm", "gru", "vanilla", "highway"] = "lstm"
    """The recurrence."""
    hidden_features: int = 256
    """Units of each recurrent layer."""
    layers: int = 1
    """Recurrent layers on top of each other."""
    embedding_features: int = 128
    """Size of a word's vector."""
    layer_norm: bool = False
    """Normalize inside the cells."""
    forget_bias: float = 1.0
    """Where the LSTM's forget bias starts."""
    reset: Literal["after", "before"] = "after"
    """Where the GRU's reset gate acts."""
    activation: Literal["tanh", "relu"] = "tanh"
    """Of the vanilla cell."""
    depth: int = 2
    """Highway layers in one step of the highway cell."""
    carry_bias: float = 2.0
    """How strongly the highway cell carries its state at the start."""
    dropout: float = 0.0
    """Rate between the layers and before the output."""
    input_dropout: float = 0.0
    """Rate on the words' vectors."""
    feature_dropout: float = 0.0
    """Rate on the features of the image, the same ones at all locations."""
    context_dropout: float = 0.0
    """Rate at which the state goes without the context for one word, so that each word is read from the image when it is due."""
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
        """Whether there is attention."""
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
        UserError: there is no such preset.

    Example:
        >>> preset("nic")["model"]["inject"]
        'token'
    """
    if name not in PRESETS:
        raise UserError(f"no preset is called {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]

"""Networks from a line of text: `INPUT -> [[CONV -> RELU]*2 -> POOL]*3 -> [FC -> RELU]*2 -> FC`.

pattern = item { "->" item }
item    = ( name | "[" pattern "]" ) [ "*" count ]
name    = INPUT | CONV | NORM | RELU | POOL | DROPOUT | FC
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.nn.batch_norm import BatchNorm
from seqnets.nn.chain import Chain
from seqnets.nn.conv import Conv
from seqnets.nn.dense import Dense, Flatten
from seqnets.nn.pool import MaxPool
from seqnets.nn.stochastic_depth import Dropout
from seqnets.ops.geometry import Pair, output_size, pair

NAMES = ("INPUT", "CONV", "NORM", "RELU", "POOL", "DROPOUT", "FC")
MOST_LAYERS = 10_000
DEEPEST = 50


class Token(NamedTuple):
    """A piece of a pattern and its position."""

    text: str
    position: int


def parse_pattern(text: str) -> list[Token]:
    """Parse a pattern and expand its repetitions.

    Args:
        text: the pattern.

    Returns:
        One token per layer, INPUT first and FC last.

    Raises:
        UserError: the pattern is wrong; the message shows where.

    Example:
        >>> [token.text for token in parse_pattern("INPUT -> [CONV -> RELU]*2 -> FC")]
        ['INPUT', 'CONV', 'RELU', 'CONV', 'RELU', 'FC']
        >>> parse_pattern("INPUT -> [CONV -> ]*2 -> FC")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: layer pattern breaks at character 19: expected a layer or '[', found ']'
        INPUT -> [CONV -> ]*2 -> FC
                          ^
    """
    parser = _Parser(text)
    layers = parser.sequence()
    if parser.next.text:
        parser.refuse(parser.next, f"expected '->' or the end, found {parser.next.text!r}")
    _check_order(parser, layers)
    return layers


def pattern_network(
    text: str,
    *,
    image_size: Pair,
    classes: int = 10,
    in_channels: int = 3,
    features: int = 32,
    hidden_features: int = 128,
    dropout: float = 0.5,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build the network a pattern describes.

    CONV is 3 x 3 and keeps the size, POOL takes the maximum of 2 x 2, NORM is batch norm, FC is dense; the last FC gives
    the logits. The features double with every POOL. A stage begins with its POOL.

    Args:
        text: the pattern.
        image_size: (H, W) of the images.
        classes: size of the logits.
        in_channels: channels of the images.
        features: of the convolutions before the first POOL.
        hidden_features: of every FC but the last.
        dropout: rate of DROPOUT.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Raises:
        UserError: the pattern is wrong, or pools more often than the image can be halved.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> text = "INPUT -> [CONV -> RELU -> POOL]*2 -> FC -> RELU -> FC"
        >>> feature_shapes(lambda: pattern_network(text, image_size=8, rngs=nnx.Rngs(0)), (8, 8, 3))
        {'stage1': (8, 8, 32), 'stage2': (4, 4, 64), 'stage3': (2, 2, 64), 'fc1': (128,), 'logits': (10,)}
    """
    groups = _groups([token.text for token in parse_pattern(text)[1:]])
    builder = _Builder(pair(image_size), in_channels, features, dropout, rngs)
    stages: dict[str, Chain] = {}
    for name, names in groups.items():
        width = classes if name == "logits" else hidden_features
        stages[name] = Chain([layer for part in names for layer in builder.layers(part, width)])
    return ConvNet(stages, in_channels=in_channels, dtype=dtype)


class _Parser:
    def __init__(self, text: str):
        self.text = re.sub(r"\s", " ", text)
        self.depth = 0
        self._tokens = self._split()
        self.next = next(self._tokens)

    def sequence(self) -> list[Token]:
        layers = self._item()
        while self.next.text == "->":
            self._take()
            layers = layers + self._item()
        return layers

    def refuse(self, token: Token, complaint: str) -> NoReturn:
        pointer = " " * token.position + "^"
        raise UserError(f"layer pattern breaks at character {token.position + 1}: {complaint}\n{self.text}\n{pointer}")

    def _item(self) -> list[Token]:
        token = self._take()
        if token.text == "[":
            self.depth += 1
            if self.depth > DEEPEST:
                self.refuse(token, f"brackets nest more than {DEEPEST} deep")
            layers = self.sequence()
            if self.next.text != "]":
                self.refuse(self.next, f"expected '->' or ']', found {self.next.text or 'the end'!r}")
            self._take()
            self.depth -= 1
        elif token.text in NAMES:
            layers = [token]
        else:
            self._refuse_name(token)
        return self._repeated(layers)

    def _repeated(self, layers: list[Token]) -> list[Token]:
        if self.next.text != "*":
            return layers
        self._take()
        count = self._take()
        if not count.text.isdigit() or int(count.text[:9]) == 0:
            self.refuse(count, f"expected how often to repeat (1 or more), found {count.text or 'the end'!r}")
        if len(layers) * int(count.text[:9]) > MOST_LAYERS:
            self.refuse(count, f"{len(layers)} layers {count.text} times are more than {MOST_LAYERS}")
        return layers * int(count.text)

    def _refuse_name(self, token: Token) -> NoReturn:
        if not token.text[:1].isalpha():
            self.refuse(token, f"expected a layer or '[', found {token.text or 'the end'!r}")
        close = get_close_matches(token.text.upper(), NAMES, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"give one of {', '.join(NAMES)}"
        self.refuse(token, f"no layer is called {token.text!r}; {hint}")

    def _take(self) -> Token:
        token, self.next = self.next, next(self._tokens, self.next)
        return token

    def _split(self) -> Iterator[Token]:
        for found in re.finditer(r"->|\w+|\S", self.text):
            yield Token(found.group(), found.start())
        yield Token("", len(self.text.rstrip()))


def _check_order(parser: _Parser, layers: list[Token]) -> None:
    if layers[0].text != "INPUT":
        parser.refuse(layers[0], f"a pattern begins with INPUT, not {layers[0].text}")
    dense = False
    for token in layers[1:]:
        dense = dense or token.text == "FC"
        if token.text == "INPUT":
            parser.refuse(token, "INPUT can only be first")
        if dense and token.text in ("CONV", "POOL"):
            parser.refuse(token, f"{token.text} needs an image, but FC has flattened it")
    if layers[-1].text != "FC":
        parser.refuse(layers[-1], f"a pattern ends with FC, which gives the logits, not with {layers[-1].text}")


def _groups(names: list[str]) -> dict[str, list[str]]:
    groups: list[list[str]] = [[]]
    for name in names:
        if name in ("POOL", "FC") and (groups[-1] or name == "FC"):
            groups.append([])
        groups[-1].append(name)
    groups = [group for group in groups if group]
    dense = [index for index, group in enumerate(groups) if group[0] == "FC"]
    titles = [f"fc{index - dense[0] + 1}" if index >= dense[0] else f"stage{index + 1}" for index in range(len(groups))]
    return dict(zip([*titles[:-1], "logits"], groups))


class _Builder:
    def __init__(self, size: tuple[int, int], in_features: int, width: int, dropout: float, rngs: nnx.Rngs):
        self.size, self.features, self.width, self.dropout, self.rngs = size, in_features, width, dropout, rngs
        self.flat = False

    def layers(self, name: str, dense_width: int) -> list:
        match name:
            case "CONV":
                before, self.features = self.features, self.width
                return [Conv(before, self.features, 3, padding=1, rngs=self.rngs)]
            case "POOL":
                self.size = (output_size(self.size[0], 2, stride=2), output_size(self.size[1], 2, stride=2))
                self.width *= 2
                return [MaxPool(2)]
            case "NORM":
                return [BatchNorm(self.features, rngs=self.rngs)]
            case "DROPOUT":
                return [Dropout(self.dropout)]
            case "FC":
                return self._dense(dense_width)
        return [jax.nn.relu]

    def _dense(self, width: int) -> list:
        before = self.features if self.flat else self.size[0] * self.size[1] * self.features
        flatten = [] if self.flat else [Flatten()]
        self.flat, self.features = True, width
        return [*flatten, Dense(before, width, rngs=self.rngs)]

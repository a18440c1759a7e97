"""Character models of TensorFlow 1: an embedding, `BasicLSTMCell`s and a softmax, as char-rnn-tensorflow and ml5 publish them.

A cell holds `kernel` (F + H, 4 H), whose first rows read the input, and `bias` (4 H,). Gates are in the order i, j, f, o, where j
is our g. The cell adds 1 to the forget gate when it runs; here that is a part of the bias.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from flax import nnx

from seqnets.data.text.vocabulary import Vocabulary
from seqnets.decoders import read_bytes, read_json, reading
from seqnets.errors import UserError
from seqnets.weights.tensors import as_array

if TYPE_CHECKING:
    from seqnets.models.char_lm import CharLM

_CELL = re.compile(r"cell_(\d+)/basic_lstm_cell/(kernel|bias)$")
_ORDER = [0, 2, 1, 3]  # ours, in theirs
_FORGET_BIAS = 1.0


def char_lm_from_tensorflow(arrays: Mapping[str, Any], characters: Sequence[str]) -> "CharLM":
    r"""Build the character model that TensorFlow 1's arrays describe, and fill it.

    $$ c_t = \sigma(f + 1)\, c_{t-1} + \sigma(i) \tanh(j), \qquad h_t = \sigma(o) \tanh(c_t) $$

    `sn.save_run` makes a run folder of it, for `seqnets sample`, `evaluate`, `show` and `train --from`.

    Args:
        arrays: by name: `embedding` (V, E), `.../cell_N/basic_lstm_cell/kernel` (F + H, 4 H) and `bias` (4 H,) for each layer,
            `.../softmax_w` (H, V) and `.../softmax_b` (V,); float32 or what can be converted to it.
        characters: V characters, in the order of their numbers.

    Raises:
        UserError: an array is missing or has another shape, one is left over, or the characters are too few or repeated.

    References:
        Zaremba, Sutskever and Vinyals, "Recurrent neural network regularization", 2014 (the cell).

    Example:
        >>> cell = "rnnlm/multi_rnn_cell/cell_0/basic_lstm_cell"
        >>> arrays = {"embedding": np.zeros((2, 3)), f"{cell}/kernel": np.zeros((3 + 5, 20)), f"{cell}/bias": np.zeros(20)}
        >>> model = char_lm_from_tensorflow({**arrays, "softmax_w": np.zeros((5, 2)), "softmax_b": np.zeros(2)}, "ab")
        >>> model.rnn.layers[0].cell.bias[...].tolist()[5:10]
        [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    from seqnets.models.char_lm import CharLM

    left = {name: as_array(value, name) for name, value in arrays.items()}
    cells: dict[int, dict[str, np.ndarray]] = {}
    for name in [name for name in left if _CELL.search(name)]:
        number, part = _CELL.findall(name)[0]
        cells.setdefault(int(number), {})[part] = left.pop(name)
    embedding, output, bias = (_taken(left, ending) for ending in ("embedding", "softmax_w", "softmax_b"))
    if left:
        raise UserError(f"the array '{min(left)}' belongs to no part of a character model of TensorFlow 1; leave it out")
    if sorted(cells) != list(range(len(cells))) or not all(len(parts) == 2 for parts in cells.values()):
        raise UserError("there must be a kernel and a bias for each of cell_0, cell_1, ...; give all arrays of the model")
    hidden = output.shape[0]
    vocabulary = Vocabulary("chars", "".join(characters))
    shape = {"hidden_features": hidden, "layers": max(1, len(cells)), "embedding_features": embedding.shape[-1]}
    model = CharLM(vocabulary, cell="lstm", **shape, rngs=nnx.Rngs(0))
    _fill(model, "embedding", embedding)
    _fill(model, "output_kernel", output)
    _fill(model, "output_bias", bias)
    for number, layer in enumerate(model.rnn.layers):
        kernel, gates = (_in_our_order(cells[number][part], part, hidden) for part in ("kernel", "bias"))
        gates = gates + np.repeat(np.array([0, _FORGET_BIAS, 0, 0], np.float32), hidden)
        split = len(kernel) - hidden
        _fill(layer.cell, "kernel", kernel[:split])
        _fill(layer.cell, "recurrent_kernel", kernel[split:])
        _fill(layer.cell, "bias", gates)
    return model


def read_ml5(folder: str | os.PathLike[str]) -> "CharLM":
    """Read a character model in ml5's form: manifest.json, a file of float32 for each array, and vocab.json.

    Args:
        folder: such as `models/charRNN/shakespeare` of https://github.com/ml5js/ml5-data-and-models.

    Raises:
        UserError: a file is missing, cut or damaged, or numbers of the vocabulary have no character.

    Example:
        >>> read_ml5("no/such/folder")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such/folder/manifest.json': No such file or directory; check the path
    """
    folder = Path(folder)
    manifest, numbers = read_json(folder / "manifest.json"), read_json(folder / "vocab.json")
    with reading(folder / "manifest.json", "the list of arrays", "give a folder in ml5's form"):
        arrays = {name: _stored(folder / entry["filename"], entry["shape"]) for name, entry in manifest.items()}
    with reading(folder / "vocab.json", "the vocabulary", "give an object with a number for each character"):
        found = {int(number): str(character) for character, number in numbers.items()}
    size = next((array.shape[0] for name, array in arrays.items() if name.rpartition("/")[2] == "embedding"), len(found))
    missing = [number for number in range(size) if number not in found]
    if missing or len(found) > size:
        raise UserError(
            f"'{folder / 'vocab.json'}' has {len(found)} characters for {size} numbers"
            + (f", and none for {', '.join(map(str, missing[:8]))}" if missing else "")
            + "; add or remove characters there"
        )
    return char_lm_from_tensorflow(arrays, [found[number] for number in range(size)])


def _stored(path: Path, shape: Sequence[int]) -> np.ndarray:
    content, sides = read_bytes(path), [int(side) for side in shape]
    if len(content) != 4 * int(np.prod(sides)) or min(sides, default=0) < 1:
        raise UserError(f"'{path}' has {len(content):,} bytes, but an array of shape {tuple(sides)} has other ones; get it again")
    return np.frombuffer(content, "<f4").reshape(sides)


def _taken(arrays: dict[str, np.ndarray], ending: str) -> np.ndarray:
    name = next((name for name in arrays if name.rpartition("/")[2] == ending), None)
    if name is None:
        raise UserError(f"there is no array '{ending}'; give all arrays of the model")
    found = arrays.pop(name)
    if found.ndim != (1 if ending == "softmax_b" else 2):
        raise UserError(f"'{name}' has the shape {found.shape}, which no {ending} has")
    return found


def _in_our_order(array: np.ndarray, part: str, hidden: int) -> np.ndarray:
    if array.shape[-1:] != (4 * hidden,):
        raise UserError(f"the {part} of a cell must have 4 x {hidden} columns, one for each gate and unit, not {array.shape}")
    return np.concatenate([np.split(array, 4, -1)[gate] for gate in _ORDER], -1)


def _fill(module: Any, name: str, array: np.ndarray) -> None:
    parameter = getattr(module, name)
    if parameter.shape != array.shape:
        raise UserError(f"the arrays do not fit together: {name} must have the shape {tuple(parameter.shape)}, not {array.shape}")
    parameter[...] = array.astype(np.float32)

"""A character model as data for the page, whose JavaScript runs it."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from seqnets.errors import UserError
from seqnets.web.packing import Precision, packed, rounded

_STEPS = {  # the steps that page/network.js has, by the names of recurrences
    "lstm": ("lstm", ""),
    "gru_reset_after": ("gru_after", ""),
    "gru_reset_before": ("gru_before", ""),
    "highway": ("highway", ""),
    **{f"vanilla_{name}": ("vanilla", name) for name in ("tanh", "relu")},
    **{f"min_gru_{name}": ("mingru", name) for name in ("positive", "tanh", "identity")},
    **{f"min_lstm_{name}": ("minlstm", name) for name in ("positive", "tanh", "identity")},
}


def network(model: Any, precision: Precision = "float16") -> dict[str, Any]:
    """Return the description of a character model that `Network` of `page/network.js` reads.

    Args:
        model: a `CharLM`.
        precision: of the matrices; biases and gains are float32.

    Raises:
        UserError: the page has no step for the model's cells.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> found = network(CharLM(Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0)))
        >>> found["cell"], len(found["layers"]), found["table"] is None
        ('lstm', 1, True)
    """
    config, cells = model.config, [layer.cell for layer in model.rnn.layers]
    name = cells[0].recurrence.name
    if name not in _STEPS:
        raise UserError(f"the page cannot run the recurrence {name!r}; use one of the named cells and activations")
    cell, activation = _STEPS[name]
    embedding = model.embedding[...] if config.embedding_features else None
    return {
        "cell": cell,
        "activation": activation,
        "residual": config.residual,
        "embedding": None if embedding is None else packed(embedding, precision),
        "table": packed(model.input_table(), precision) if embedding is None else None,
        "layers": [_layer(cell, precision, own_input=bool(index) or embedding is not None) for index, cell in enumerate(cells)],
        "outputKernels": _outputs(model, precision),
        "outputBias": packed(model.output_bias[...]),
    }


def as_the_page_computes(model: Any, precision: Precision) -> Any:
    """Return a copy of a model whose weights are rounded as in the page, to measure what that costs.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> model = CharLM(Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> as_the_page_computes(model, "float32") is model
        False
    """
    from flax import nnx

    copy = nnx.clone(model)
    matrices = [copy.embedding] if copy.config.embedding_features else []
    matrices += [getattr(copy, name) for name in ("output_kernel", "output_projection") if hasattr(copy, name)]
    for index, layer in enumerate(copy.rnn.layers):
        cell = layer.cell
        recurrent = getattr(cell, "recurrent_kernel", None)
        if recurrent is not None:
            matrices.append(recurrent)
        if index or copy.config.embedding_features:
            matrices.append(cell.kernel)
        elif not cell.layer_norm:  # the page has the table, kernel and bias in one
            bias = cell.input_bias()
            cell.kernel[...] = jnp.asarray(rounded(cell.kernel[...] + bias, precision)) - bias
    for matrix in matrices:
        matrix[...] = jnp.asarray(rounded(matrix[...], precision))
    return copy


def _layer(cell: Any, precision: Precision, *, own_input: bool) -> dict[str, Any]:
    weights = cell.weights()
    vectors = {name: packed(np.asarray(v)) for name, v in weights.vectors.items() if name != "recurrent_scale"}
    scales = [packed(scale) for scale in weights.vectors["recurrent_scale"]] if cell.layer_norm else None
    scale = packed(cell.input_scale[...]) if cell.layer_norm else None
    entry = {"kernel": packed(cell.kernel[...], precision), "bias": packed(cell.input_bias()), "scale": scale}
    return {
        "hidden": cell.hidden_features,
        "kernels": [packed(kernel, precision) for kernel in weights.kernels],
        "scales": scales,
        "vectors": vectors,
        "zoneout": list(cell.zoneout),
        "input": entry if own_input else None,
    }


def _outputs(model: Any, precision: Precision) -> list[dict[str, Any]]:
    if not model.config.tied:
        return [{"kernel": packed(model.output_kernel[...], precision), "width": len(model.vocabulary), "transposed": False}]
    projection = getattr(model, "output_projection", None)
    first = [] if projection is None else [projection[...]]
    found = [{"kernel": packed(kernel, precision), "width": kernel.shape[1], "transposed": False} for kernel in first]
    # the embedding a second time would double the page: the page takes the one it has
    return [*found, {"kernel": None, "width": len(model.vocabulary), "transposed": True}]

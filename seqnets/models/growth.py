"""A trained model with other tokens or classes: rows of those that it knows stay, rows of new ones are drawn."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Any

import jax
import numpy as np
from flax import nnx

from seqnets.errors import UserError
from seqnets.models import KINDS, classifier
from seqnets.models.char_lm import CharLM
from seqnets.models.cnn.network import ConvNet
from seqnets.models.description import TRAINING_ONLY
from seqnets.named_arrays import host_arrays, named_arrays, replace_arrays

Arrays = Mapping[str, np.ndarray]
Axes = Mapping[str, tuple[str, int]]
Labels = Mapping[str, tuple[Sequence[Hashable], Sequence[Hashable]]]

_CLASSES = ("labels", "answers", "styles")  # lists of names, of which a model keeps only those of its new data
_CLASS_SPREAD = 0.05  # trained features are large: classes drawn at full size would begin with confident errors


def grown(model: Any, *, rngs: nnx.Rngs, config: Any = None, **lists: Any) -> Any:
    """Return a copy of a trained model for other tokens or classes.

    Every array keeps its values; along an axis of tokens or classes, the row of a name that the model knows is kept under its
    new number, and the row of a new name is drawn from a normal distribution with the mean and the standard deviation of the
    known rows (for classes, with a twentieth of that deviation).

    Args:
        model: a `CharLM`, `Captioner`, `Tagger`, `TextClassifier`, `TreeClassifier`, `Translator`, `VQA`, `ModuleVQA` or
            `Stylizer`, or a network of `make_classifier`.
        rngs: source of the new rows (stream `params`).
        config: settings of the new model, which may differ in what matters only in training, such as dropout; those of the
            model if None.
        **lists: what is new: `vocabulary` (begun with that of the model, see `grown` of vocabularies), `source` for the sources
            of a translator, `labels` for the classes of a classifier or tagger, `answers` for those of a VQA
            model, `styles` for those of a stylizer.

    Raises:
        UserError: the model is of another kind or has no such list, a vocabulary does not begin with that of the model, or the
            settings describe a model of another shape.

    Example:
        >>> import jax.numpy as jnp, seqnets as sn
        >>> old = sn.CharLM(sn.Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> new = grown(old, vocabulary=old.vocabulary.grown(sn.Vocabulary.from_text("xa")), rngs=nnx.Rngs(1))
        >>> new.vocabulary.characters, bool((new.embedding[:3] == old.embedding[...]).all())
        ('abcx', True)

    References:
        Hewitt, "Initializing New Word Embeddings for Pretrained Language Models", 2021.
    """
    described = _described(model)
    unknown = [name for name in lists if getattr(model, name, None) is None]
    if unknown:
        raise UserError(f"a {described['kind']} has no {unknown[0]!r}; leave it out")
    stated = {**described, "config": {**described["config"], **({} if config is None else asdict(config))}}
    _check_shape(described["config"], stated["config"])
    stated |= {name: _stated(value) for name, value in lists.items() if name in described}
    vocabulary = lists.get("vocabulary", model.vocabulary if hasattr(model, "vocabulary") else None)
    build = import_module(f"seqnets.models.{KINDS[described['kind']]}").from_description
    graph, state = nnx.split(nnx.eval_shape(lambda: build(stated, vocabulary)))
    _check_residual(model, vocabulary)
    labels = {name: _names(name, getattr(model, name), value) for name, value in lists.items()}
    axes = {name: place for name, place in _axes(model).items() if place[0] in labels}
    shapes = {name: leaf.shape for name, leaf in named_arrays(state).items()}
    arrays = carried_over(host_arrays(nnx.state(model)), shapes, axes, labels, _generator(rngs))
    return nnx.merge(graph, replace_arrays(state, arrays, source="the model"))


def carried_over(
    old: Arrays, shapes: Mapping[str, tuple[int, ...]], axes: Axes, labels: Labels, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the arrays of a model for other labels.

    Args:
        old: the arrays of the model by name.
        shapes: the shapes of the new ones.
        axes: for every array with an axis of labels, the name of the list and the axis.
        labels: the old and the new labels of every list.
        random: draws the rows of labels that are not among the old ones.

    Raises:
        UserError: an array has no axis of labels and another shape than the old one.

    Example:
        >>> old = {"kernel": np.array([[1.0, 2.0]]), "bias": np.array([3.0, 4.0])}
        >>> axes, labels = {"kernel": ("classes", 1), "bias": ("classes", 0)}, {"classes": (["cat", "dog"], ["dog", "cat"])}
        >>> new = carried_over(old, {"kernel": (1, 2), "bias": (2,)}, axes, labels, np.random.default_rng(0))
        >>> new["kernel"].tolist(), new["bias"].tolist()
        ([[2.0, 1.0]], [4.0, 3.0])
    """
    arrays = {}
    for name, shape in sorted(shapes.items()):
        array = old[name]
        if name in axes:
            of, axis = axes[name]
            array = _rows(array, axis, *labels[of], random, _CLASS_SPREAD if of in _CLASSES else 1.0)
        if array.shape != shape:
            raise UserError(f"{name!r} has the shape {old[name].shape}, which cannot become {shape}: these settings need another")
        arrays[name] = array
    return arrays


def _rows(
    array: np.ndarray, axis: int, old: Sequence[Hashable], new: Sequence[Hashable], random: np.random.Generator, spread: float
) -> np.ndarray:
    rows, number_of = np.moveaxis(array, axis, 0), {label: number for number, label in enumerate(old)}
    kept = np.array([number_of.get(label, -1) for label in new])
    drawn = rows.mean(0) + spread * rows.std(0) * random.standard_normal((int((kept < 0).sum()), *rows.shape[1:]))
    result = rows[kept]
    result[kept < 0] = drawn.astype(array.dtype)
    return np.ascontiguousarray(np.moveaxis(result, 0, axis))


def _described(model: Any) -> Mapping[str, Any]:
    if isinstance(model, ConvNet) and model.config is not None:
        return classifier.describe(model, model.config)
    described = getattr(model, "describe", dict)()
    if described.get("kind") not in KINDS:
        raise UserError(f"only models of {', '.join(KINDS)} can grow, not a {type(model).__name__}")
    return described


def _axes(model: Any) -> Axes:
    return classifier.labeled_axes(model) if isinstance(model, ConvNet) else model.labeled_axes()


def _check_shape(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for name in sorted(new.keys() - TRAINING_ONLY):
        if new[name] != old.get(name):
            raise UserError(f"{name} of the model is {old.get(name)!r} and cannot become {new[name]!r}; leave it as it is")


def _check_residual(model: Any, vocabulary: Any) -> None:
    """Refuse to give a one-hot input another width than the layer to whose output it is added."""
    if isinstance(model, CharLM) and model.config.residual and not model.config.embedding_features:
        sizes = {len(model.vocabulary), len(vocabulary)}
        if len(sizes) > 1 and model.config.hidden_features in sizes:
            raise UserError(
                f"this model adds its one-hot characters to the {model.config.hidden_features} outputs of its first layer, which "
                f"takes as many characters, not {len(vocabulary)}; begin with a model that has an embedding"
            )


def _stated(value: Any) -> Any:
    return value.to_json() if hasattr(value, "to_json") else list(value)


def _names(name: str, old: Any, new: Any) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    """Return what the rows stand for: classes by their names, tokens by their numbers, which a grown vocabulary keeps."""
    if name in _CLASSES:
        return list(old), list(new)
    if list(new.entries[: len(old.entries)]) != list(old.entries):
        raise UserError(f"the new {name} does not begin with that of the model; make it by {name}.grown(other)")
    return range(len(old)), range(len(new))


def _generator(rngs: nnx.Rngs) -> np.random.Generator:
    return np.random.default_rng(np.asarray(jax.random.key_data(rngs.params())))

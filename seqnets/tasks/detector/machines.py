"""R-CNN's last two stages: a support vector machine for each class, and ridge regression of boxes, on trained features."""

import shutil
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.regions.loader import Batch
from seqnets.errors import UserError
from seqnets.models.detector.config import DetectorConfig
from seqnets.models.detector.region_detector import REGION_WEIGHTS, RegionDetector, given
from seqnets.nn.chain import apply
from seqnets.ops.boxes import encode_boxes, intersection_over_union

FOLDER = "svm"
_LENGTH, _BIAS = 20.0, 10.0  # R-CNN's: the mean length of features, and the value of the constant feature
_MOST_STEPS, _CLOSE = 50, 1e-9
_NEVER = -20.0  # the margin of a class without examples
_MOST_BACKGROUND = 200  # regions of a picture, for the memory


def support_vectors(features: np.ndarray, sides: np.ndarray, cost: float) -> tuple[np.ndarray, float]:
    r"""Return the weights and the bias of a linear support vector machine with squared hinge loss, by Newton's method.

    $$ \min_w\; \tfrac12 |w|^2 + C \sum_i \max(0, 1 - y_i\, w \cdot x_i)^2 $$

    The bias is the weight of a constant feature of 10, as R-CNN has it.

    Args:
        features: `(N, F)`.
        sides: `(N,)`, 1 or -1.
        cost: C.

    Returns:
        `(F,)` and a number.

    Example:
        >>> weights, bias = support_vectors(np.array([[-1.0], [1.0]]), np.array([-1, 1]), 1e6)
        >>> weights.round(3).tolist(), round(bias, 3)
        ([1.0], 0.0)
    """
    x = np.concatenate([features, np.full((len(features), 1), _BIAS)], 1, dtype=np.float64)
    w = np.zeros(x.shape[1])
    for _ in range(_MOST_STEPS):
        loss, wrong = _hinge(w, x, sides, cost)
        gradient = w - 2 * cost * x[wrong].T @ (sides - x @ w)[wrong]
        step = np.linalg.solve(np.eye(len(w)) + 2 * cost * x[wrong].T @ x[wrong], gradient)
        size = 1.0
        while _hinge(w - size * step, x, sides, cost)[0] > loss and size > _CLOSE:
            size /= 2
        w = w - size * step
        if np.abs(step).max() <= _CLOSE * np.abs(w).max():
            break
    return w[:-1], float(w[-1] * _BIAS)


def ridge(features: np.ndarray, targets: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the weights and the bias of the linear function with $\min\, |Y - X W - b|^2 + \lambda |W|^2$.

    Args:
        features: X, `(N, F)`.
        targets: Y, `(N, T)`.
        strength: $\lambda$.

    Returns:
        `(F, T)` and `(T,)`.

    Example:
        >>> weights, bias = ridge(np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]]), 1e-9)
        >>> weights.round(3).tolist(), bias.round(3).tolist()
        ([[2.0]], [1.0])
    """
    x, y = np.asarray(features, np.float64), np.asarray(targets, np.float64)
    means = x.mean(0), y.mean(0)
    x, y = x - means[0], y - means[1]
    weights = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ y)
    return weights, means[1] - means[0] @ weights


def with_machines(task: Any, model: RegionDetector) -> RegionDetector:
    """Return a copy of a model whose classes are support vector machines and whose boxes are ridge regressions.

    The features are those before the predictions, of the proposals and the things of all training pictures.

    Args:
        task: a `DetectorTask` whose model takes proposals.
        model: the trained model.

    Raises:
        UserError: the model has other settings than `check_machines` wants.

    References:
        Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation", 2014.
    """
    config = task.loss_config
    check_machines(model.config)
    features, targets, overlaps, labels = _examples(task, model)
    scale = _LENGTH / max(float(np.linalg.norm(features, axis=1).mean()), 1e-9)
    features = features * scale
    graphdef, state = nnx.split(model)
    changed = nnx.merge(graphdef, jax.tree.map(lambda leaf: leaf, state))  # with variables of its own
    changed.config = replace(model.config, scorer="svm")
    layers = changed.head.classes, changed.head.offsets
    classes, offsets = ({"kernel": np.array(one.kernel[...]), "bias": np.array(one.bias[...])} for one in layers)
    for number in range(len(model.labels)):
        is_thing, nearest = labels == number, overlaps[:, number]
        kept = is_thing | (nearest < config.svm_background)
        if not is_thing.any():
            classes["kernel"][..., number], classes["bias"][0, number] = 0, _NEVER
        elif not is_thing[kept].all():
            weights, bias = support_vectors(features[kept], np.where(is_thing[kept], 1, -1), config.svm_cost)
            classes["kernel"][0, 0, :, 0, number], classes["bias"][0, number] = weights * scale, bias
        near = (nearest > config.ridge_overlap) & (nearest >= overlaps.max(1))
        if near.any():
            weights, bias = ridge(features[near], targets[near], config.ridge_strength)
            offsets["kernel"][0, 0, :, :, number], offsets["bias"][:, number] = weights * scale, bias
    for layer, arrays in zip(layers, (classes, offsets)):
        layer.kernel[...], layer.bias[...] = jnp.asarray(arrays["kernel"]), jnp.asarray(arrays["bias"])
    return changed


def check_machines(config: DetectorConfig) -> None:
    """Raise a `UserError` unless the regions of a model are given, each with features and offsets of its own."""
    if not (config.takes_proposals and config.pooling != "position-sensitive" and config.box_per_class):
        raise UserError("loss.svm needs given proposals and a box per class, as `--preset rcnn` has them; leave it out")


def saved_with_machines(task: Any, run: Any) -> RegionDetector:
    """Write the run of a trained model with machines in the folder svm of its own run, and return the model."""
    from seqnets.train.saving import save_run

    model = with_machines(task, run.model)
    if run.directory is not None:
        shutil.rmtree(run.directory / FOLDER, ignore_errors=True)  # of an earlier step
        save_run(model, run.directory / FOLDER)
    return model


def _hinge(w: np.ndarray, x: np.ndarray, sides: np.ndarray, cost: float) -> tuple[float, np.ndarray]:
    off = np.maximum(0, 1 - sides * (x @ w))
    return float(0.5 * w @ w + cost * off @ off), off > 0


def _examples(task: Any, model: RegionDetector) -> tuple[np.ndarray, ...]:
    """Return the features, offsets of the nearest thing, overlaps with each class, and labels (-1 for proposals) of regions."""
    parts = []
    for (*arrays, is_there), _ in task.computed(model, "train", _described):
        background = is_there & (arrays[2].max(-1) < task.loss_config.svm_background)
        kept = is_there & ~(background & (np.cumsum(background, 1) > _MOST_BACKGROUND))
        parts.append([array[kept] for array in arrays])
    features, targets, overlaps, labels = (np.concatenate(arrays) for arrays in zip(*parts))
    return features, targets, overlaps, labels


@partial(jax.jit, static_argnums=0)
def _described(graphdef: Any, state: Any, batch: Batch) -> tuple[jax.Array, ...]:
    model = nnx.merge(graphdef, state)
    output, proposals = model(model.preprocessing.normalize(batch["images"])), given(batch["proposals"])
    boxes, labels = jnp.asarray(batch["boxes"]), jnp.asarray(batch["labels"])
    regions = jnp.concatenate([proposals.boxes, boxes], 1)
    own = jnp.concatenate([jnp.full(proposals.is_there.shape, -1, labels.dtype), labels], 1)
    is_there = jnp.concatenate([proposals.is_there, labels >= 0], 1) & (jnp.asarray(batch["weights"]) > 0)[:, None]
    features = apply(model.head.hidden, model.region_features(output, regions))[:, :, 0]
    overlaps = intersection_over_union(regions, boxes)
    of_class = labels[:, None, :, None] == jnp.arange(len(model.labels))[None, None, None]
    nearest = jnp.argmax(overlaps * (labels >= 0)[:, None], -1)
    targets = encode_boxes(jnp.take_along_axis(boxes, nearest[..., None], 1), regions, REGION_WEIGHTS)
    return features, targets, jnp.max(overlaps[..., None] * of_class, 2), own, is_there

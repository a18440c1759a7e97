"""The techniques, each as objectives, a canvas, moves and a rule for the one loop.

Every recipe takes `**options` for `seqnets.dream.optimize.fit_image`: steps, step, rule, seed, frame, every.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqnets.dream.images import Canvas, change_of, fourier, noise, octave_sizes, pixels, resized
from seqnets.dream.layers import content_layer, deepest_layer, style_layers
from seqnets.dream.moves import Blur, CenterBias, Clip, DropSmallGradients, DropSmallPixels, Jitter, Move
from seqnets.dream.objectives import (
    Objective,
    features_like,
    gram,
    gram_like,
    layer_energy,
    log_probability,
    logit,
    norm,
    total_variation,
)
from seqnets.dream.optimize import Dream, fit_image, watched
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet

_CLIP = Clip()


def class_visualization(
    model: ConvNet,
    classes: int | Sequence[int],
    *,
    size: tuple[int, int] | None = None,
    start: Canvas | None = None,
    moves: Sequence[Move] = (),
    **options: Any,
) -> Dream:
    r"""Make a picture for each class that the network takes for it: $\max_x \ln p_c(x) + \mu S_c(x) - \lambda |x - \bar x|^2$.

    The picture is made of waves in the colors of photographs, which needs no other prior; a canvas of pixels is blurred
    between the steps, and relieved of small pixels and small gradients (Yosinski).

    Args:
        model: the classifier.
        classes: one class or several, by number.
        size: (height, width); that of the network's images when None.
        start: the canvas to begin with; waves when None.
        moves: more moves.
        **options: see the module.

    References:
        Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", 2014.
        Yosinski et al., "Understanding neural networks through deep visualization", 2015.
    """
    wanted, mean = np.atleast_1d(np.asarray(classes)), mean_color(model)
    height, width = size or image_size(model)
    start = start or fourier((len(wanted), height, width, len(mean)), seed=options.get("seed", 0))
    weight = 1 / height / width / 64**2  # of values around 1, the mean over pixels
    objective = log_probability(wanted) + 0.02 * logit(wanted) - weight * norm(2, mean)
    jitter = Jitter(max(1, min(height, width) // 16))
    if start.picture.func is not pixels(np.zeros((1, 1, 3))).picture.func:
        return fit_image(model, objective, start, moves=(jitter, *moves), **{"steps": 120, "step": 0.05, **options})
    tidy = (Blur(4, 0.4), DropSmallPixels(0.05, mean, every=4), DropSmallGradients(0.2))
    return fit_image(model, objective, start, moves=(jitter, *tidy, *moves, _CLIP), **{"steps": 120, "step": 4.0, **options})


def facets(model: ConvNet, pictures: np.ndarray, number: int, *, count: int = 4, layer: str = "", **options: Any) -> Dream:
    """Make several pictures of a class, each begun with the mean of a cluster of photographs; the later steps from the middle.

    Args:
        model: the classifier.
        pictures: photographs of the class, [N, H, W, C].
        number: the class.
        count: how many facets.
        layer: where the photographs are clustered by k-means; the last one before the logits when empty.
        **options: see the module.

    References:
        Nguyen, Yosinski and Clune, "Multifaceted feature visualization", 2016.
    """
    if len(pictures) < count:
        raise UserError(f"{count} facets need at least {count} pictures of the class, not {len(pictures)}")
    layer = layer or deepest_layer(model)
    features = watched(model, [layer])(jnp.asarray(pictures, jnp.float32))[layer]
    cluster = k_means(np.asarray(features).reshape(len(pictures), -1), count, seed=options.get("seed", 0))
    means = np.stack([pictures[cluster == k].mean(0) for k in range(count)])
    options = {"steps": 50, "step": 1.5, **options}  # large steps would lose what the clusters differ in
    begun = class_visualization(
        model, [number] * count, start=pixels(Blur(1, 1.0).blurred(jnp.asarray(means, jnp.float32))), **options
    )
    return class_visualization(model, [number] * count, start=pixels(begun.raw), moves=(CenterBias(),), **options)


def latent_synthesis(
    model: ConvNet, generator: Canvas, classes: int | Sequence[int], *, reach: float = 2.5, **options: Any
) -> Dream:
    r"""Find codes of a generator whose pictures the network takes for a class: $\max_z S_c(G(z)) - \lambda |z|^2$, z clipped.

    Args:
        model: the classifier.
        generator: a canvas of codes, from `seqnets.dream.images.latent`.
        classes: one class, or one for each code.
        reach: the largest size of a number of a code.
        **options: see the module.

    References:
        Nguyen et al., "Synthesizing the preferred inputs for neurons in neural networks via deep generator networks", 2016.
    """
    return fit_image(model, logit(classes), generator, moves=(Clip(-reach, reach),), **{"steps": 100, "step": 0.1, **options})


def fooling(
    model: ConvNet, picture: np.ndarray, target: int | Sequence[int], *, confidence: float = 0.9, **options: Any
) -> Dream:
    """Change a picture so little that the network just takes it for another class: by 1 of 255, or 2, 4, ..., 64.

    Args:
        model: the classifier.
        picture: [H, W, C] of 0 to 255, or several.
        target: the class, or one for each picture.
        confidence: the probability that the target must reach.
        **options: see the module; `steps` are those of each size.

    Returns:
        The changed pictures; `values` is the change, and `stopped` says whether it was enough.

    References:
        Szegedy et al., "Intriguing properties of neural networks", 2014.
        Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", 2015.
    """
    given, canvas, found = options.pop("frame", None), change_of(picture), None

    def frame(step: int, pictures: np.ndarray) -> bool:
        if given:
            given(step, pictures)
        return bool(probabilities(model, pictures)[np.arange(len(pictures)), target].min() >= confidence)

    for most in (1, 2, 4, 8, 16, 32, 64):
        options = {"steps": 40, "rule": "signed", "every": 4, **options, "step": most / 10}
        found = fit_image(model, log_probability(target), canvas, moves=(Clip(-most, most),), frame=frame, **options)
        if found.stopped:
            break
        canvas = canvas._replace(values=jnp.asarray(found.values))
    return found  # pyright: ignore[reportReturnType]


def deep_dream(
    model: Any,
    picture: np.ndarray,
    objective: Objective | str = "",
    *,
    octaves: int = 4,
    ratio: float = 1.4,
    jitter: int = 32,
    **options: Any,
) -> Dream:
    """Let a network see more of what it sees in a picture, from coarse to fine.

    Args:
        model: the network.
        picture: [H, W, C] of 0 to 255.
        objective: what is to grow; or the layer whose energy it is; the middle one when empty.
        octaves: how many sizes, the largest that of the picture.
        ratio: of each size to the next smaller one.
        jitter: the largest roll, in pixels.
        **options: see the module; `steps` are those of each octave.

    References:
        Mordvintsev, Olah and Tyka, "Inceptionism: going deeper into neural networks", 2015.
    """
    if not isinstance(objective, Objective):
        objective = layer_energy(objective or content_layer(model))
    sizes = octave_sizes((picture.shape[0], picture.shape[1]), octaves, ratio)
    options, found, detail = (
        {"steps": 10, "step": 1.5, "rule": "l1", **options},
        None,
        jnp.zeros((1, *sizes[0], picture.shape[-1])),
    )
    for size in sizes:
        base = resized(picture, size)
        found = fit_image(
            model, objective, pixels(base + resized(detail, size)), moves=(Jitter(min(jitter, min(size) // 4)), _CLIP), **options
        )
        detail = found.raw - base
        if found.stopped:
            return Dream(found.values, np.asarray(resized(found.raw, sizes[-1])), found.objective, found.stopped)
    return found  # pyright: ignore[reportReturnType]


def dream_video(
    model: Any, picture: np.ndarray, objective: Objective | str = "", *, frames: int, zoom: float = 1.05, **options: Any
) -> Iterator[np.ndarray]:
    """Yield the frames of a dream that goes ever deeper: each is the one before, magnified about its middle and dreamed on."""
    height, width, channels = picture.shape
    cut = round(height * (1 - 1 / zoom) / 2), round(width * (1 - 1 / zoom) / 2)
    for number in range(frames):
        found = deep_dream(model, picture, objective, **{"octaves": 2, **options, "seed": options.get("seed", 0) + number})
        yield found.pictures[0]
        inner = found.raw[0, cut[0] : height - cut[0], cut[1] : width - cut[1]]
        picture = np.asarray(resized(inner, (height, width)))[0].reshape(height, width, channels)


def inversion(model: Any, picture: np.ndarray, layer: str, *, beta: float = 2.0, smooth: float = 1e-2, **options: Any) -> Dream:
    r"""Find a picture with the same features: $\min |\phi - \phi_0|^2 / |\phi_0|^2 + \lambda_a |x|_6^6 + \lambda_V TV_\beta$.

    Args:
        model: the network.
        picture: the picture whose features are inverted, [H, W, C] of 0 to 255.
        layer: the layer.
        beta: of the total variation.
        smooth: $\lambda_V$, for the mean over pixels of values divided by 64.
        **options: see the module.

    References:
        Mahendran and Vedaldi, "Understanding deep image representations by inverting them", 2015.
    """
    wanted = watched(model, [layer])(jnp.asarray(picture, jnp.float32)[None])[layer]
    objective = -features_like(layer, wanted) - smooth * smoothness(picture.shape, beta) - norm(6) * (1e-3 / picture.size / 64**6)
    start = noise((1, *picture.shape), seed=options.get("seed", 0))
    return fit_image(model, objective, start, moves=(_CLIP,), **{"steps": 300, "step": 4.0, **options})


def texture(
    model: Any, picture: np.ndarray, *, size: tuple[int, int] | None = None, layers: Sequence[str] = (), **options: Any
) -> Dream:
    """Make a picture with the texture of another one: noise, until its Gram matrices are the same.

    Args:
        model: the network, or `seqnets.dream.random_filters.random_filters()`.
        picture: [H, W, C] of 0 to 255.
        size: (height, width) of the result; that of the picture when None.
        layers: where the Gram matrices are compared; those of `style_layers` when empty.
        **options: see the module.

    References:
        Gatys, Ecker and Bethge, "Texture synthesis using convolutional neural networks", 2015.
    """
    start = noise(
        (1, *(size or picture.shape[:2]), picture.shape[-1]), seed=options.get("seed", 0), center=tuple(picture.mean((0, 1)))
    )
    return fit_image(
        model,
        -style_distance(style_targets(model, [picture], layers), [1.0]),
        start,
        **{"steps": 300, "step": 4.0, **options},
    )


def style_transfer(
    model: Any,
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    *,
    mix: Sequence[float] = (),
    style: float = 5.0,
    smooth: float = 1e-3,
    keep_color: bool = False,
    layers: Sequence[str] = (),
    layer: str = "",
    **options: Any,
) -> Dream:
    r"""Paint a picture in the style of others: its own features, their Gram matrices.

    $$ \min_x \frac{|\phi - \phi_c|^2}{|\phi_c|^2} + \frac{\beta}{n} \sum_l \frac{|G_l - A_l|^2}{|A_l|^2} + \lambda TV_2,
       \qquad A_l = \sum_k m_k A_l^k $$

    Both distances are relative, so that one weight suits all networks.

    Args:
        model: the network, or `seqnets.dream.random_filters.random_filters()`.
        content: [H, W, C] of 0 to 255.
        styles: pictures of any sizes.
        mix: the share of each style; equal ones when empty.
        style: $\beta$.
        smooth: $\lambda$, for the mean over pixels of values divided by 64.
        keep_color: take only the brightness of the result, and the colors of the content.
        layers: of the styles; those of `style_layers` when empty.
        layer: of the content; that of `content_layer` when empty.
        **options: see the module.

    References:
        Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks", 2016.
        Gatys et al., "Preserving color in neural artistic style transfer", 2016.
    """
    layer = layer or content_layer(model)
    wanted = watched(model, [layer])(jnp.asarray(content, jnp.float32)[None])[layer]
    shares = list(mix) or [1 / len(styles)] * len(styles)
    if len(shares) != len(styles):
        raise UserError(f"there are {len(styles)} styles but {len(shares)} shares; give one for each")
    losses = features_like(layer, wanted) + style * style_distance(style_targets(model, styles, layers), shares)
    options = {"steps": 200, "step": 3.0, **options}
    found = fit_image(model, -losses - smooth * smoothness(content.shape), pixels(content), **options)
    return Dream(found.values, recolored(found.raw, content), found.objective, found.stopped) if keep_color else found


def style_targets(model: Any, styles: Sequence[np.ndarray], layers: Sequence[str] = ()) -> dict[str, jax.Array]:
    """Return the Gram matrices of styles by layer, [styles, N, N]; the layers of `style_layers` when none are given."""
    layers = tuple(layers) or style_layers(model)
    features = watched(model, layers)
    found = [jax.tree.map(gram, features(jnp.asarray(one, jnp.float32)[None])) for one in styles]
    return {layer: jnp.concatenate([each[layer] for each in found]) for layer in layers}


def style_distance(targets: Mapping[str, jax.Array], mix: Any) -> Objective:
    """Return the distance to a mixture of styles, relative to the mixture's own Gram matrices; the mean over layers.

    Args:
        targets: of `style_targets`.
        mix: the share of each style, [styles] or [B, styles].
    """
    terms = []
    for layer, grams in targets.items():
        target = jnp.tensordot(jnp.asarray(mix, jnp.float32), grams, 1)
        own = jnp.sum(target**2, axis=(-2, -1))
        terms.append(gram_like(layer, target) * (4 * grams.shape[-1] ** 2 / own / len(targets)))
    return sum(terms[1:], terms[0])


def smoothness(shape: Sequence[int], beta: float = 2.0) -> Objective:
    """Return the total variation of a picture [H, W, C], the mean over its pixels, of values divided by 64."""
    return total_variation(beta) * (1 / shape[0] / shape[1] / 64**beta)


def recolored(pictures: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Return pictures with their own brightness and the colors of another one, of the same size."""
    shades = np.array([0.299, 0.587, 0.114], np.float32)[: content.shape[-1]]
    return content + ((pictures - content) @ shades)[..., None] if content.shape[-1] == 3 else pictures


def difference(pictures: np.ndarray, originals: np.ndarray, factor: float = 10.0) -> np.ndarray:
    """Return the change of pictures around gray, tenfold, as uint8."""
    return np.clip(127.5 + factor * (np.asarray(pictures, np.float32) - originals), 0, 255).astype(np.uint8)


def probabilities(model: ConvNet, pictures: Any) -> np.ndarray:
    """Return the probability of every class for pictures [B, H, W, C] of 0 to 255."""
    return np.asarray(_probabilities(watched(model, ["logits"]), jnp.asarray(pictures, jnp.float32)))


@jax.jit
def _probabilities(features: Any, pictures: jax.Array) -> jax.Array:
    return jax.nn.softmax(features(pictures)["logits"])


def class_count(model: ConvNet) -> int:
    """Return how many classes a network knows."""
    if not isinstance(model, ConvNet):
        raise UserError("random filters know no classes; give --model a run of a classifier, or a network such as resnet50")
    shape = (1, *image_size(model), len(mean_color(model)))
    return jax.eval_shape(watched(model, ["logits"]), jax.ShapeDtypeStruct(shape, jnp.float32))["logits"].shape[-1]


def mean_color(model: Any) -> tuple[float, ...]:
    """Return the color that the network's preprocessing makes 0, in the order RGB; gray without preprocessing."""
    rule = getattr(model, "preprocessing", None)
    if rule is None:
        return (127.5,) * 3
    mean = tuple(value / rule.scale for value in rule.mean)
    return mean[::-1] if rule.channels == "bgr" else mean


def image_size(model: Any) -> tuple[int, int]:
    """Return the size (height, width) of the network's images; 128 x 128 if it takes any."""
    rule = getattr(model, "preprocessing", None)
    return (rule and rule.image_size) or (128, 128)


def k_means(x: np.ndarray, count: int, *, seed: int = 0, rounds: int = 50) -> np.ndarray:
    """Return the cluster of every row, by Lloyd's algorithm from centers far apart; no cluster is empty.

    Example:
        >>> k_means(np.array([[0.0], [0.1], [5.0]]), 2).tolist() in ([0, 0, 1], [1, 1, 0])
        True
    """
    rng = np.random.default_rng(seed)
    centers = x[[rng.integers(len(x))]]
    for _ in range(count - 1):  # the next center is the row that is farthest from all so far
        centers = np.concatenate([centers, x[[_distances(x, centers).min(1).argmax()]]])
    found = np.zeros(len(x), int)
    for _ in range(rounds):
        before, found = found, _distances(x, centers).argmin(1)
        if np.array_equal(before, found):
            break
        centers = np.stack([x[found == k].mean(0) if (found == k).any() else centers[k] for k in range(count)])
    for k in range(count):
        if not (found == k).any():
            found[_distances(x, centers)[:, k].argmin()] = k
    return found


def _distances(x: np.ndarray, centers: np.ndarray) -> np.ndarray:
    return ((x[:, None] - centers[None]) ** 2).sum(-1)

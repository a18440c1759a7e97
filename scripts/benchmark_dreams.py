"""Time deep dreams and styles against torch's eager loop, on the same random weights of VGG's trunk, in one run.

    python scripts/benchmark_dreams.py [--sizes 224,512] [--steps 5]

Both compute the same: for a dream the energy of conv4_2, for a style the Gram matrices of five layers and conv4_2,
and a step along the gradient. The first, compiling call is not counted. Needs torch.
"""

import argparse
import time
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.dream.images import pixels
from seqnets.dream.layers import content_layer, style_layers
from seqnets.dream.objectives import features_like, layer_energy
from seqnets.dream.optimize import fit_image, watched
from seqnets.dream.recipes import style_distance, style_targets
from seqnets.models.cnn.network import ConvNet
from seqnets.models.registry import create_model


def ours(model: ConvNet, kind: str, size: int, steps: int) -> Callable[[], object]:
    picture = np.random.default_rng(0).uniform(0, 255, (size, size, 3)).astype(np.float32)
    objective = layer_energy(content_layer(model))
    if kind == "style":
        target = watched(model, [content_layer(model)])(jnp.asarray(picture[None]))[content_layer(model)]
        styles = style_targets(model, [picture[::-1]])
        objective = -features_like(content_layer(model), target) - 5 * style_distance(styles, [1.0])
    return lambda: fit_image(model, objective, pixels(picture), steps=steps, step=1.5, rule="l1", every=steps)


def theirs(model: ConvNet, kind: str, size: int, steps: int) -> Callable[[], object]:
    layers, names = [], {}
    for stage in range(1, 6):
        for number, layer in enumerate(getattr(model, f"stage{stage}")):
            layers.append(_torch_layer(layer))
            names[f"stage{stage}.{number}"] = len(layers) - 1
    wanted = {names[name]: name for name in {*style_layers(model), content_layer(model)}}
    picture = torch.tensor(np.random.default_rng(0).uniform(0, 255, (1, 3, size, size)).astype(np.float32))

    def features(x: torch.Tensor) -> dict[str, torch.Tensor]:
        found, x = {}, (x - 127.5) / 64
        for number, layer in enumerate(layers):
            x = layer(x)
            if number in wanted:
                found[wanted[number]] = x
            if kind == "dream" and content_layer(model) in found:
                break
        return found

    def gram(x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(2)
        return flat @ flat.transpose(1, 2) / flat.shape[2]

    with torch.no_grad():
        target, style = features(picture), {name: gram(x) for name, x in features(picture.flip(2)).items()}

    def loss(x: torch.Tensor) -> torch.Tensor:
        found, content = features(x), content_layer(model)
        if kind == "dream":
            return -(found[content] ** 2).sum() / 2
        distances = [((gram(found[name]) - style[name]) ** 2).sum() / (style[name] ** 2).sum() for name in style_layers(model)]
        return ((found[content] - target[content]) ** 2).sum() / (target[content] ** 2).sum() + sum(distances)

    def run() -> None:
        x = picture.clone().requires_grad_()
        for _ in range(steps):
            (gradient,) = torch.autograd.grad(loss(x), x)
            x = (x - 1.5 * gradient / gradient.abs().mean()).detach().requires_grad_()

    return run


def _torch_layer(layer: object) -> Callable[[torch.Tensor], torch.Tensor]:
    if not isinstance(layer, nnx.Module):
        return torch.relu
    if not hasattr(layer, "kernel"):
        return lambda x: torch.nn.functional.max_pool2d(x, 2)
    kernel, bias = np.array(layer.kernel[...]).transpose(3, 2, 0, 1), np.array(layer.bias[...])  # pyright: ignore
    weight, offset = torch.tensor(np.ascontiguousarray(kernel)), torch.tensor(bias)
    return lambda x: torch.nn.functional.conv2d(x, weight, offset, padding=1)


def seconds(run: Callable[[], object]) -> float:
    run()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="224,512")
    parser.add_argument("--steps", type=int, default=5)
    found = parser.parse_args()
    model = create_model("vgg16_trunk")
    model.preprocessing = Preprocessing(resize=None, crop=None, scale=1.0, mean=(127.5,) * 3, std=(64.0,) * 3)
    for size in map(int, found.sizes.split(",")):
        for kind in ("dream", "style"):
            mine, other = (seconds(make(model, kind, size, found.steps)) / found.steps for make in (ours, theirs))
            print(f"{kind} at {size}: {mine:.3f} s a step, torch {other:.3f} s, ratio {other / mine:.2f}", flush=True)


if __name__ == "__main__":
    main()

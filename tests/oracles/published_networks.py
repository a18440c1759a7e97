"""Published networks, run by this library's operations from the lists of their layers: darknet's, ONNX's, TensorFlow's, torch's.

Each takes the arrays of a file by name and pictures [B, H, W, C].
"""

import json
from itertools import accumulate

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file

from seqnets.ops.conv import conv2d, conv_transpose2d
from seqnets.ops.pool import average_pool, max_pool, unpool_nearest

TO_HWIO, TO_HWIO_TRANSPOSED = (2, 3, 1, 0), (2, 3, 0, 1)


def run(network, folder, layers=None):
    """Returns the jitted network of a folder: from pictures to outputs."""
    [weights] = folder.glob("*.safetensors")
    arrays, graph = load_file(weights), json.loads((folder / layers).read_text()) if layers else None
    return jax.jit(lambda x: network(arrays, x) if graph is None else network(arrays, graph, x))


def row(vector):
    return jnp.asarray(vector).reshape(1, 1, 1, -1)


def normalized(x, scale, bias, mean, variance, epsilon):
    factor = np.asarray(scale) / np.sqrt(np.asarray(variance) + epsilon)
    return x * row(factor) + row(bias - mean * factor)


def leaky(x, slope):
    return jnp.where(x > 0, x, (row(slope) if np.ndim(slope) else slope) * x)


def darknet(arrays, layers, x):
    """Returns the predictions before each layer of the kind yolo, with OpenCV's 1e-6 in the batch norms."""
    results, heads = [], []
    for number, layer in enumerate(layers[1:]):
        before = [results[at] for at in layer.get("from", ())]
        stride, size = int(layer.get("stride", 1)), int(layer.get("size", 1))
        match layer["type"]:
            case "convolutional":
                part = {name: arrays.get(f"layers.{number}.{name}") for name in ("kernel", "bias", "scale", "mean", "var")}
                groups, padding = int(layer.get("groups", 1)), size // 2 * int(layer["pad"])
                x = conv2d(x, part["kernel"].transpose(TO_HWIO), stride=stride, padding=padding, groups=groups)
                mean = (part["mean"], part["var"], 1e-6) if "batch_normalize" in layer else (0, 1, 0)
                x = normalized(x, 1 if part["scale"] is None else part["scale"], part["bias"], *mean)
                x = leaky(x, 0.1) if layer["activation"] == "leaky" else x
            case "shortcut":
                x = x + before[0]
            case "route":
                x = jnp.concatenate(before, -1)
            case "maxpool":
                x = max_pool(x, size, stride=stride, padding=size // 2)
            case "upsample":
                x = unpool_nearest(x, stride)
            case "yolo":
                heads.append(x)
        results.append(x)
    return heads


def onnx_ssd(arrays, nodes, x):
    """Returns the offsets [B, N, 4] and the scores [B, N, C] of a graph of convolutions and reshapes."""
    found = {"input": x}
    for node in nodes:
        values = [found.get(name, arrays.get(name)) for name in node["inputs"]]
        match node["op"]:
            case "Conv":
                options = node["attr"]
                result = conv2d(
                    values[0],
                    values[1].transpose(TO_HWIO),
                    jnp.asarray(values[2]) if len(values) > 2 else None,
                    stride=tuple(options["strides"]),
                    padding=options["pads"][0],
                    dilation=tuple(options["dilations"]),
                    groups=options["group"],
                )
            case "BatchNormalization":
                result = normalized(*values, node["attr"]["epsilon"])
            case "Relu":
                result = jax.nn.relu(values[0])
            case "Add":
                result = values[0] + values[1]
            case "Concat" if values[0] is not None:
                result = jnp.concatenate(values, -1 if values[0].ndim == 4 else 1)
            case "Reshape":  # a box has 4 offsets and 2 classes, and the graph says so in parts that are not followed
                numbers = 4 if "regression" in _made_by(nodes, node["inputs"][0]) else 2
                result = values[0].reshape(len(x), -1, numbers)
            case "Softmax":
                result = jax.nn.softmax(values[0], -1)
            case "Transpose":
                result = values[0]
            case _:  # the arithmetic of shapes
                result = None
        found[node["outputs"][0]] = result
    return found["boxes"], found["scores"]


def _made_by(nodes, name):
    node = next(node for node in nodes if name in node["outputs"])
    return node["inputs"][1] if node["op"] == "Conv" else _made_by(nodes, node["inputs"][0])


def tensorflow_maps(arrays, nodes, x):
    """Returns the last result of a frozen graph of convolutions that keep the size, pools and enlargements."""
    found = {}
    for node in nodes:
        values = [found[name] for name in node["inputs"]]
        strides = node["attr"].get("strides", [1, 1, 1, 1])[1:3]
        match node["op"]:
            case "Placeholder":
                result = x
            case "Const":
                result = arrays.get(node["name"], node.get("value"))
            case "Identity":
                result = values[0]
            case "Conv2D":
                result = conv2d(*values, stride=tuple(strides), padding="SAME")
            case "DepthwiseConv2dNative":
                features = values[0].shape[-1]
                kernel = values[1].reshape(*values[1].shape[:2], 1, -1)
                result = conv2d(values[0], kernel, stride=tuple(strides), padding="SAME", groups=features)
            case "FusedBatchNorm":
                result = normalized(*values, node["attr"]["epsilon"])
            case "Relu6":
                result = jnp.clip(values[0], 0, 6)
            case "Relu":
                result = jax.nn.relu(values[0])
            case "Add":
                result = values[0] + values[1]
            case "MaxPool":
                result = max_pool(values[0], tuple(node["attr"]["ksize"][1:3]), stride=tuple(strides), padding="SAME")
            case "ResizeBilinear":
                result = _doubled(_doubled(values[0], 1), 2)
        found[node["name"]] = result
    return result


def _doubled(x, axis):
    # as TensorFlow 1 does it: new cells lie between a cell and the next one, and the last one is repeated
    following = jnp.concatenate([jax.lax.slice_in_dim(x, 1, None, axis=axis), jax.lax.slice_in_dim(x, -1, None, axis=axis)], axis)
    both = jnp.stack([x, (x + following) / 2], axis + 1)
    return both.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])


def espnet(arrays, x):
    """Returns the logits of ESPNet with transposed convolutions on the way up.

    Mehta et al., "ESPNet: efficient spatial pyramid of dilated convolutions for semantic segmentation", 2018.
    """

    def conv(name, x, **options):
        return conv2d(x, arrays[f"{name}.conv.weight"].transpose(TO_HWIO), **options)

    def up(name, x):
        return conv_transpose2d(x, arrays[f"{name}.weight"].transpose(TO_HWIO_TRANSPOSED), stride=2)

    def norm(name, x):
        parts = (arrays[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var"))
        return normalized(x, *parts, 1e-3)

    def active(name, x, bn="bn"):
        return leaky(norm(f"{name}.{bn}", x), arrays[f"{name}.act.weight"])

    def spread(name, x):
        parts = [conv(f"{name}.d{rate}", x, padding=rate, dilation=rate) for rate in (1, 2, 4, 8, 16)]
        return jnp.concatenate([parts[0], *accumulate(parts[1:])], -1)

    def smaller(name, x):
        return active(name, spread(name, conv(f"{name}.c1", x, stride=2, padding=1)))

    def block(name, x, add=True):
        found = spread(name, conv(f"{name}.c1", x))
        return active(f"{name}.bn", x + found if add else found)

    def half(x):
        return average_pool(x, 3, stride=2, padding=1)

    fine = active("encoder.level1", conv("encoder.level1", x, stride=2, padding=1))
    fine = active("encoder.b1", jnp.concatenate([fine, half(x)], -1))
    first = middle = smaller("encoder.level2_0", fine)
    for number in range(2):
        middle = block(f"encoder.level2.{number}", middle)
    middle = active("encoder.b2", jnp.concatenate([middle, first, half(half(x))], -1))
    first = coarse = smaller("encoder.level3_0", middle)
    for number in range(8):
        coarse = block(f"encoder.level3.{number}", coarse)
    coarse = active("encoder.b3", jnp.concatenate([first, coarse], -1))
    coarse = up("up_l3.0", norm("br", conv("encoder.classifier", coarse)))
    both = active("combine_l2_l3.0", jnp.concatenate([conv("level3_C", middle), coarse], -1))
    both = active("up_l2.1", up("up_l2.0", block("combine_l2_l3.1", both, add=False)))
    return up("classifier", active("conv", conv("conv", jnp.concatenate([both, fine], -1), padding=1)))


MTCNN = {  # kernels' layers, each with the side of the pool behind it; dense layers; heads
    "pnet": ([2, 0, 0], 0, ["conv4_1", "conv4_2"]),
    "rnet": ([3, 3, 0], 4, ["dense5_1", "dense5_2"]),
    "onet": ([3, 3, 2, 0], 5, ["dense6_1", "dense6_2", "dense6_3"]),
}


def mtcnn(arrays, name, x):
    """Returns the face's probability, the offsets, and of the last network the landmarks.

    Zhang et al., "Joint face detection and alignment using multi-task cascaded convolutional networks", 2016.
    """
    pools, dense, heads = MTCNN[name]
    part = {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(name)}
    for number, pool in enumerate(pools, 1):
        x = conv2d(x, part[f"conv{number}.weight"].transpose(TO_HWIO), jnp.asarray(part[f"conv{number}.bias"]))
        x = leaky(x, part[f"prelu{number}.weight"])
        x = max_pool(x, pool, stride=2, rounding="ceil") if pool else x
    if dense:
        x = x.transpose(0, 2, 1, 3).reshape(len(x), 1, 1, -1)  # column by column
        x = leaky(_dense(part, f"dense{dense}", x), part[f"prelu{dense}.weight"])
    face, *others = (_dense(part, head, x) for head in heads)
    return jax.nn.softmax(face, -1)[..., 1], *others


def _dense(part, name, x):
    kernel = part[f"{name}.weight"].reshape(part[f"{name}.weight"].shape[:2]).T
    return x @ kernel[None, None] + row(part[f"{name}.bias"])

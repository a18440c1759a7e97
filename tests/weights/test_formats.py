"""Weights in the formats of Keras, Caffe, Flax and ONNX, in files written by hand from their formats."""

import struct

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file

from seqnets.errors import UserError
from seqnets.models.registry import abstract_model, create_model
from seqnets.weights import load_weights, save_weights
from seqnets.weights.convert import network_variables

VGG = {"depths": (1, 2, 1), "features": (3, 4, 5), "grid": 2, "hidden_features": 6, "classes": 3}
RESNET = {"depths": (1, 2, 1, 1), "features": 4, "classes": 3}


def arrays_of(model):
    return [np.array(leaf) for leaf in jax.tree.leaves(nnx.state(model))]


def assert_same(left, right):
    for one, other in zip(arrays_of(left), arrays_of(right), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def drawn(network, **options):
    """Make a network of random positive arrays without compiling what would draw them."""
    model, rng = abstract_model(network, **options), np.random.default_rng(0)
    for variable in network_variables(model).values():
        variable.set_value(rng.uniform(0.1, 1.0, variable.get_raw_value().shape).astype(np.float32))
    return model


def named(model, names, folder):
    save_weights(model, folder / "w.safetensors", names=names)
    return load_file(folder / "w.safetensors")


def by_layer(arrays):
    layers = {}
    for name, array in arrays.items():
        layers.setdefault(name.split("/")[0], {})[name.split("/")[1]] = array
    order = ["kernel", "gamma", "bias", "beta", "moving_mean", "moving_variance"]
    return {layer: [parts[part] for part in order if part in parts] for layer, parts in layers.items()}


def keras_3(path, layers):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for number, (name, arrays) in enumerate(layers.items()):
            group = file.create_group(f"layers/layer_{number}/vars")
            group.attrs["name"] = name
            for index, array in enumerate(arrays):
                group[str(index)] = array


def keras_3_packed(path, layers):
    import zipfile

    keras_3(path.with_suffix(".h5"), layers)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(path.with_suffix(".h5"), "model.weights.h5")


def keras_2(path, layers, root="", inner=False):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        top = file.create_group(root) if root else file
        top.attrs["layer_names"] = [name.encode() for name in layers]
        whole = top.create_group("backbone") if inner else None
        listed = []
        for name, arrays in layers.items():
            group = whole or top.create_group(name)
            words = [f"{name}/{name}_W_{index}:0" if not inner else f"{name}/part_{index}:0" for index in range(len(arrays))]
            for word, array in zip(words, arrays):
                group[word] = array
            listed += [word.encode() for word in words]
            if not inner:
                group.attrs["weight_names"] = [word.encode() for word in words]
        if whole is not None:
            whole.attrs["weight_names"] = listed


WRITERS = {
    "a.weights.h5": keras_3,
    "b.keras": keras_3_packed,
    "c.h5": keras_2,
    "d.h5": lambda path, layers: keras_2(path, layers, root="model_weights"),
    "e.h5": lambda path, layers: keras_2(path, layers, inner=True),
}


@pytest.mark.parametrize("file", WRITERS)
@pytest.mark.parametrize(("network", "options"), [("vgg11", VGG), ("densenet121", {"depths": (2, 1), "classes": 3})])
def test_keras_files_are_read(network, options, file, tmp_path):
    model = drawn(network, **options)
    WRITERS[file](tmp_path / file, by_layer(named(model, "keras", tmp_path)))
    assert_same(create_model(network, weights=tmp_path / file, **options), model)


def test_kerass_biases_before_norms_move_the_means(tmp_path):
    model = drawn("resnet50_v1", **RESNET)
    arrays = named(model, "keras", tmp_path)
    norms = [name.removesuffix("/gamma") for name in arrays if name.endswith("/gamma")]
    for norm in norms:
        bias = np.linspace(-1, 1, len(arrays[f"{norm}/gamma"]), dtype=np.float32)
        arrays[f"{norm.removesuffix('bn')}conv/bias"] = bias
        arrays[f"{norm}/moving_mean"] = arrays[f"{norm}/moving_mean"] + bias
    keras_3(tmp_path / "a.weights.h5", by_layer(arrays))
    assert_same(create_model("resnet50_v1", weights=tmp_path / "a.weights.h5", **RESNET), model)
    with pytest.raises(UserError, match="stride in the first convolution of a block; use resnet50_v1"):
        create_model("resnet50", weights=tmp_path / "a.weights.h5", **RESNET)


def test_a_file_of_keras_without_its_top_needs_leave_out(tmp_path):
    model = drawn("vgg11", **VGG)
    layers = by_layer(named(model, "keras", tmp_path))
    keras_3(tmp_path / "a.weights.h5", {name: arrays for name, arrays in layers.items() if name.startswith("block")})
    with pytest.raises(UserError, match=r"only in the network: fc1 \(our fc6.2\)"):
        create_model("vgg11", weights=tmp_path / "a.weights.h5", **VGG)
    again = create_model("vgg11", weights=tmp_path / "a.weights.h5", leave_out=["fc6", "fc7", "logits"], **VGG)
    np.testing.assert_array_equal(again.stage2[1].kernel[...], model.stage2[1].kernel[...])


def test_no_link_to_another_file_is_followed(tmp_path):
    h5py = pytest.importorskip("h5py")
    layers = by_layer(named(drawn("vgg11", **VGG), "keras", tmp_path))
    keras_2(tmp_path / "whole.h5", layers)
    keras_2(tmp_path / "a.h5", layers)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        name = "fc1/fc1_W_0:0"
        del file[f"fc1/{name}"]
        file[f"fc1/{name}"] = h5py.ExternalLink(str(tmp_path / "whole.h5"), f"fc1/{name}")
    with pytest.raises(UserError, match="missing or in another file; save all weights in one file"):
        create_model("vgg11", weights=tmp_path / "a.h5", **VGG)


def test_a_dataset_far_larger_than_its_file_is_not_read(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", shape=(1 << 20, 1 << 20), dtype="f4", chunks=(1024, 1024))
    with pytest.raises(UserError, match="unpacks to more than"):
        load_weights(abstract_model("vgg11", **VGG), tmp_path / "a.h5")


def varint(number):
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def field(number, content):
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(array, *, legacy=False, packed=True):
    axes = np.shape(array)
    numbers = np.asarray(array, "<f4").ravel()
    data = field(5, numbers.tobytes()) if packed else b"".join(varint(5 << 3 | 5) + struct.pack("<f", n) for n in numbers)
    if legacy:
        axes = (1,) * (4 - len(axes)) + tuple(axes)
        return b"".join(field(number, axis) for number, axis in enumerate(axes, 1)) + data
    return field(7, field(1, b"".join(map(varint, axes)))) + data


def caffemodel(layers, *, legacy=False, packed=True):
    kinds = {"Convolution": 4, "InnerProduct": 14}
    content = field(1, b"a network")
    for name, kind, arrays in layers:
        blobs = [blob(array, legacy=legacy, packed=packed) for array in arrays]
        if legacy:
            parts = field(4, name.encode()) + field(5, kinds[kind]) + b"".join(field(6, each) for each in blobs)
        else:
            parts = field(1, name.encode()) + field(2, kind.encode()) + b"".join(field(7, each) for each in blobs)
        content += field(2 if legacy else 100, parts)
    return content


def plain_layers(arrays):
    names = dict.fromkeys(name.split("/weight")[0].split("/bias")[0] for name in arrays)
    kind = {4: "Convolution", 2: "InnerProduct"}
    return [(name, kind[arrays[f"{name}/weight"].ndim], [arrays[f"{name}/weight"], arrays[f"{name}/bias"]]) for name in names]


CAFFE = {
    "vgg11": ("vgg11", VGG),
    "squeezenet1_1": ("squeezenet1_1", {"classes": 3}),
}


@pytest.mark.parametrize(("legacy", "packed"), [(False, True), (True, True), (False, False)])
@pytest.mark.parametrize("name", CAFFE)
def test_caffemodels_are_read(name, legacy, packed, tmp_path):
    if name == "squeezenet1_1" and not packed:
        pytest.skip("a million numbers one by one take long to write, and one network is enough")
    network, options = CAFFE[name]
    model = drawn(network, **options)
    layers = plain_layers(named(model, "caffe", tmp_path))
    (tmp_path / "a.caffemodel").write_bytes(caffemodel(layers, legacy=legacy, packed=packed))
    again = create_model(network, weights=tmp_path / "a.caffemodel", **options)
    assert_same(again, model)
    assert again.preprocessing.channels == "bgr"


@pytest.mark.parametrize("network", ["resnet50_caffe", "resnet101_caffe"])
def test_the_authors_residual_networks_have_norms_in_two_layers(network, tmp_path):
    model = drawn(network, **RESNET)
    arrays = named(model, "caffe", tmp_path)
    if network.startswith("resnet101"):  # whose blocks have numbers from the second on
        arrays = {name.replace("3b_", "3b1_"): array for name, array in arrays.items()}
    layers = []
    for kernel in [name for name in arrays if name.endswith("/weight") and arrays[name].ndim == 4]:
        name = kernel.removesuffix("/weight")
        norm = "bn_conv1" if name == "conv1" else name.replace("res", "bn")
        mean, var = (arrays[f"{norm}/{part}"] for part in ("running_mean", "running_var"))
        layers.append((name, "Convolution", [arrays[kernel]]))
        layers.append((norm, "BatchNorm", [mean * 2, var * 2, np.array([2.0])]))
        layers.append((norm.replace("bn", "scale"), "Scale", [arrays[f"{norm}/weight"], arrays[f"{norm}/bias"]]))
    layers.append(("fc1000", "InnerProduct", [arrays["fc1000/weight"], arrays["fc1000/bias"]]))
    (tmp_path / "a.caffemodel").write_bytes(caffemodel(layers))
    assert_same(create_model(network, weights=tmp_path / "a.caffemodel", **RESNET), model)


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 40, field(100, b"\x0a\xff\xff\xff\xff\x0f"), field(100, field(7, field(1, 9) + field(5, b"1234")))]
)
def test_damaged_caffemodels_are_one_sentence(content, tmp_path):
    (tmp_path / "a.caffemodel").write_bytes(content)
    with pytest.raises(UserError, match=r"'.*a.caffemodel' (cannot be read: .*; get it again|holds no layers with weights)"):
        load_weights(abstract_model("vgg11", **VGG), tmp_path / "a.caffemodel")


def nested(arrays):
    tree = {}
    for name, array in arrays.items():
        *path, leaf = name.split(".")
        home = tree
        for part in path:
            home = home.setdefault(part, {})
        home[leaf] = array
    return tree


@pytest.mark.parametrize("network", ["resnet18", "resnet50"])
def test_hugging_faces_flax_models_are_read(network, tmp_path):
    from flax.serialization import to_bytes

    model = drawn(network, **RESNET)
    theirs = {"weight": "kernel", "running_mean": "mean", "running_var": "var", "bias": "bias"}
    params, statistics = {}, {}
    for name, array in named(model, "huggingface", tmp_path).items():
        path, leaf = name.rsplit(".", 1)
        path = path.replace(".layer.", ".layer.layer_") if network == "resnet18" else path
        array = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
        kept = statistics if leaf.startswith("running") else params
        kept[f"{path}.{'scale' if leaf == 'weight' and array.ndim == 1 else theirs[leaf]}"] = array
    variables = {"params": nested(params), "batch_stats": nested(statistics)}
    (tmp_path / "flax_model.msgpack").write_bytes(to_bytes(variables))
    assert_same(create_model(network, weights=tmp_path / "flax_model.msgpack", **RESNET), model)


def test_a_state_of_nnx_is_read(tmp_path):
    from flax.serialization import to_bytes

    model = drawn("lenet5")
    (tmp_path / "a.msgpack").write_bytes(to_bytes(nnx.to_pure_dict(nnx.state(model))))
    assert_same(create_model("lenet5", weights=tmp_path / "a.msgpack"), model)


@pytest.mark.parametrize(
    ("network", "options", "size"),
    [("resnet20", {"depths": (1, 1)}, 32), ("vgg11", VGG, 16)],
)
def test_onnx_graphs_without_names_are_read_by_their_order(network, options, size, tmp_path):
    pytest.importorskip("onnx")
    from seqnets.export.onnx.write import onnx_model
    from seqnets.export.programs import programs_of

    model = drawn(network, **options)
    (program,) = programs_of(model, image_size=size)
    (tmp_path / "a.onnx").write_bytes(onnx_model(program))
    again = create_model(network, weights=tmp_path / "a.onnx", **options)
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)
    expected = jax.jit(program.afresh())(images)[0]
    found = nnx.jit(lambda model, images: model(images)["logits"])(again, images)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_onnx_keeps_torchs_names_and_transposes_products(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import helper, numpy_helper

    model = drawn("vgg11", **VGG)
    arrays = named(model, "torchvision", tmp_path)
    stored, nodes = {}, []
    for name in [name for name in arrays if name.endswith("weight")]:
        bias = name.replace("weight", "bias")
        dense = arrays[name].ndim == 2
        stored |= {name: arrays[name].T if dense else arrays[name], bias: arrays[bias]}
        nodes.append(helper.make_node("MatMul" if dense else "Conv", ["x", name] if dense else ["x", name, bias], [f"y.{name}"]))
        if dense:
            nodes.append(helper.make_node("Add", [f"y.{name}", bias], [f"z.{name}"]))
    graph = helper.make_graph(nodes, "g", [], [], [numpy_helper.from_array(array, name) for name, array in stored.items()])
    onnx.save(helper.make_model(graph), tmp_path / "a.onnx")
    assert_same(create_model("vgg11", weights=tmp_path / "a.onnx", **VGG), model)
    onnx.save(helper.make_model(graph), tmp_path / "b.onnx", save_as_external_data=True, location="c.bin", size_threshold=0)
    with pytest.raises(UserError, match="in another file, which seqnets does not open; save it whole"):
        create_model("vgg11", weights=tmp_path / "b.onnx", **VGG)


@pytest.mark.parametrize(("file", "module"), [("a.h5", "h5py"), ("a.onnx", "onnx")])
def test_without_the_reader_one_sentence_says_what_to_install(file, module, tmp_path, monkeypatch):
    (tmp_path / file).write_bytes(b"content")
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(UserError, match=rf"{module} is not installed; `pip install 'seqnets\[formats\]'`"):
        load_weights(abstract_model("vgg11", **VGG), tmp_path / file)

"""Weight files of every kind come in whole or not at all, and what does not fit is told from both sides."""

import json
import re
import struct

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save, save_file

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.models.registry import create_model
from seqnets.weights import load_weights, save_weights
from seqnets.weights.convert import network_variables
from seqnets.weights.published import CAFFE_SQUEEZENET, TORCHVISION, TORCHVISION_INCEPTION_V1

SMALL = {"depths": (1, 2), "features": (3, 4), "grid": 2, "hidden_features": 5, "classes": 6}


def small_vgg(seed=0, **options):
    """Make a VGG of random arrays without drawing them one by one."""
    from seqnets.models.registry import abstract_model

    model, generator = abstract_model("vgg11", **SMALL | options), np.random.default_rng(seed)
    for variable in network_variables(model).values():
        variable.set_value(generator.normal(size=variable.get_raw_value().shape).astype(np.float32))
    return model


def arrays_of(model: ConvNet):
    return {name: np.asarray(variable.get_raw_value()) for name, variable in network_variables(model).items()}


def assert_same(first, second):
    first, second = arrays_of(first), arrays_of(second)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], strict=True)


def torchvision_arrays(model, folder):
    save_weights(model, folder / "exported.safetensors", names="torchvision")
    return load_file(folder / "exported.safetensors")


@pytest.mark.parametrize("names", ["seqnets", "torchvision", "timm"])
def test_what_is_saved_comes_back_bit_for_bit_with_its_preprocessing(names, tmp_path):
    model = small_vgg()
    model.preprocessing = Preprocessing(resize=40, crop=(32, 32), channels="bgr")
    save_weights(model, tmp_path / "w.safetensors", names=names)
    again = create_model("vgg11", weights=tmp_path / "w.safetensors", **SMALL)
    assert_same(again, model)
    assert again.preprocessing == model.preprocessing


def test_equal_weights_make_equal_files(tmp_path):
    for file in ("a", "b"):
        save_weights(small_vgg(), tmp_path / f"{file}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_dense_kernels_behind_an_image_are_reordered_by_channel_row_and_column(tmp_path):
    model = small_vgg()
    theirs = torchvision_arrays(model, tmp_path)["classifier.0.weight"].reshape(5, 4, 2, 2)
    ours = np.asarray(model.fc6[2].kernel[...]).reshape(2, 2, 4, 5)
    for out, channel, row, column in np.ndindex(theirs.shape):
        assert theirs[out, channel, row, column] == ours[row, column, channel, out]


def test_npz_and_files_in_shards_and_folders_are_read(tmp_path):
    model = small_vgg()
    arrays = torchvision_arrays(model, tmp_path / ".")
    (tmp_path / "npz").mkdir()
    np.savez(tmp_path / "npz" / "w.npz", **arrays)
    sharded = tmp_path / "sharded"
    sharded.mkdir()
    halves = {"one.safetensors": dict(list(arrays.items())[::2]), "two.safetensors": dict(list(arrays.items())[1::2])}
    for file, part in halves.items():
        save_file(part, sharded / file)
    index = {name: file for file, part in halves.items() for name in part}
    (sharded / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    for path in (tmp_path / "npz", tmp_path / "npz" / "w.npz", sharded, sharded / "model.safetensors.index.json"):
        assert_same(create_model("vgg11", weights=path, **SMALL), model)


def test_torch_files_are_read_with_their_usual_wrappings(tmp_path):
    torch = pytest.importorskip("torch")
    model = small_vgg()
    tensors = {name: torch.from_numpy(array) for name, array in torchvision_arrays(model, tmp_path).items()}
    wrapped = {"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in tensors.items()}}
    for file, content in {"plain.pth": tensors, "wrapped.pt": wrapped}.items():
        torch.save(content, tmp_path / file)
        assert_same(create_model("vgg11", weights=tmp_path / file, **SMALL), model)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"stem": re.compile("harmless here")}, tmp_path / "bad.pth")
    with pytest.raises(UserError, match=r"'.*bad.pth' cannot be read"):
        load_weights(small_vgg(), tmp_path / "bad.pth")


def test_without_torch_a_torch_file_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "w.pth").write_bytes(b"anything")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(UserError, match="torch is not installed; `pip install torch`"):
        load_weights(small_vgg(), tmp_path / "w.pth")


def write_safetensors(path, arrays, kind):
    """Write the format by hand: a length, a JSON header, the bytes."""
    header, position = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [position, position + array.nbytes]}
        position += array.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in arrays.values()))


@pytest.mark.parametrize(("kind", "dtype"), [("F16", np.float16), ("BF16", ml_dtypes.bfloat16), ("F64", np.float64)])
def test_other_precisions_are_taken_as_the_networks_own(kind, dtype, tmp_path):
    arrays = {name: array.astype(dtype) for name, array in torchvision_arrays(small_vgg(), tmp_path).items()}
    write_safetensors(tmp_path / "half.safetensors", arrays, kind)
    loaded = arrays_of(create_model("vgg11", weights=tmp_path / "half.safetensors", **SMALL))
    for name, array in arrays_of(small_vgg()).items():
        assert loaded[name].dtype == np.float32
        np.testing.assert_array_equal(loaded[name], array.astype(dtype).astype(np.float32))


def test_the_difference_is_told_from_both_sides_and_nothing_is_changed(tmp_path):
    model = small_vgg()
    arrays = torchvision_arrays(model, tmp_path)
    arrays["features.0.weight"] = np.zeros((9, 3, 3, 3), np.float32)
    del arrays["classifier.3.bias"]
    arrays |= {f"extra.{n}.weight": np.zeros(2, np.float32) for n in range(3, 8)}
    save_file(arrays, tmp_path / "odd.safetensors")
    target = small_vgg(seed=1)
    with pytest.raises(UserError) as caught:
        load_weights(target, tmp_path / "odd.safetensors")
    assert str(caught.value).splitlines()[1:] == [
        "  of another shape: features.0.weight (our stage1.0.kernel): (9, 3, 3, 3) in the file, (3, 3, 3, 3) in the network",
        "  only in the network: classifier.3 (our fc7.1): bias (5,)",
        "  only in the file: extra.{3..7}: weight (2,)",
    ]
    assert_same(target, small_vgg(seed=1))


def test_a_deeper_network_is_told_in_a_few_lines(tmp_path):
    from seqnets.models.registry import abstract_model

    options = {"features": 4, "classes": 3}
    deep = abstract_model("resnet18", depths=(1, 1, 9, 1), **options)
    for variable in network_variables(deep).values():
        variable.set_value(np.zeros(variable.get_raw_value().shape, np.float32))
    save_weights(deep, tmp_path / "deep.safetensors", names="torchvision")
    with pytest.raises(UserError) as caught:
        create_model("resnet18", weights=tmp_path / "deep.safetensors", depths=(1, 1, 2, 1), **options)
    assert [line.split(":")[1].strip() for line in str(caught.value).splitlines()[1:]] == [
        "layer3.{2..8}.bn{1..2}",
        "layer3.{2..8}.conv{1..2}",
    ]


def test_a_head_of_another_size_needs_to_be_left_out_by_name(tmp_path):
    model, path = small_vgg(), tmp_path / "w.safetensors"
    save_weights(model, path, names="torchvision")
    with pytest.raises(UserError, match=r"classifier.6.weight \(our logits.kernel\): \(6, 5\) in the file, \(4, 5\)"):
        create_model("vgg11", weights=path, **SMALL | {"classes": 4})
    for leave_out in ("logits", ["classifier.6"]):
        new = create_model("vgg11", weights=path, leave_out=leave_out, **SMALL | {"classes": 4})
        assert new.logits.kernel.shape == (5, 4)
        assert 0 < np.std(new.logits.kernel[...]) < 2
        np.testing.assert_array_equal(new.stage2[1].kernel[...], model.stage2[1].kernel[...])


def test_leaving_out_keeps_the_weights_a_network_has(tmp_path):
    save_weights(small_vgg(), tmp_path / "w.safetensors")
    target = small_vgg(seed=1)
    load_weights(target, tmp_path / "w.safetensors", leave_out=("fc7", "logits"))
    old, source, now = arrays_of(small_vgg(seed=1)), arrays_of(small_vgg()), arrays_of(target)
    for name in now:
        np.testing.assert_array_equal(now[name], (old if name.startswith(("fc7", "logits")) else source)[name])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"leave_out": "head"}, "leave_out: neither the network nor the file has 'head'; the network has fc6, fc7, logits"),
        ({"names": "huggingface"}, "there are no 'huggingface' names for this network; there are seqnets, timm, torchvision"),
        ({"names": "timm"}, r"only in the network: pre_logits.fc1 \(our fc6.2\): bias \(5,\), weight \(5, 4, 2, 2\)"),
    ],
)
def test_unknown_names_are_refused(options, complaint, tmp_path):
    save_weights(small_vgg(), tmp_path / "w.safetensors", names="torchvision")
    with pytest.raises(UserError, match=complaint):
        load_weights(small_vgg(), tmp_path / "w.safetensors", **options)


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(small_vgg(), path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged: an array does not fit its checksum"):
        load_weights(small_vgg(), path)
    path.write_bytes(content[:200])
    with pytest.raises(UserError, match="cannot be read"):
        load_weights(small_vgg(), path)


def test_a_folder_must_say_which_file_is_meant(tmp_path):
    with pytest.raises(UserError, match="holds no weight file"):
        load_weights(small_vgg(), tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.safetensors").write_bytes(save({}))
    with pytest.raises(UserError, match=r"holds a\.safetensors, b\.safetensors; give the path of one"):
        load_weights(small_vgg(), tmp_path)
    (tmp_path / "c.csv").write_text("1")
    with pytest.raises(UserError, match="is not a kind of weight file"):
        load_weights(small_vgg(), tmp_path / "c.csv")


def test_a_shard_outside_the_folder_is_refused(tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../w.safetensors"}}))
    with pytest.raises(UserError, match=r"'\.\./w\.safetensors', which is not a file beside it"):
        load_weights(small_vgg(), index)


def test_published_weights_bring_their_preprocessing(tmp_path, shared_data):
    model = small_vgg()
    save_file(torchvision_arrays(model, tmp_path), tmp_path / "bare.safetensors")
    load_weights(model, tmp_path / "bare.safetensors")
    assert model.preprocessing == TORCHVISION == Preprocessing(resize=256, crop=(224, 224))
    load_weights(model, tmp_path / "bare.safetensors", leave_out="logits", names="torchvision")
    (tmp_path / "config.json").write_text(
        json.dumps({"architecture": "vgg11", "pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 0.95}})
    )
    load_weights(model, tmp_path / "bare.safetensors")
    assert model.preprocessing.resize == 235
    squeezenet = create_model("squeezenet1_1", weights=shared_data / "weights/squeezenet1_1/squeezenet1_1.npz")
    assert squeezenet.preprocessing == CAFFE_SQUEEZENET


def test_a_network_of_gray_images_is_not_given_the_rule_for_colors(tmp_path):
    save_file(torchvision_arrays(small_vgg(in_channels=1), tmp_path), tmp_path / "gray.safetensors")
    assert create_model("vgg11", weights=tmp_path / "gray.safetensors", in_channels=1, **SMALL).preprocessing is None


def test_torchvisions_inception_networks_see_images_between_minus_one_and_one():
    """Torchvision renormalizes inside the network: ImageNet's mean and deviation, then these; together (x - 0.5) / 0.5."""
    x, mean, std = np.random.default_rng(0).uniform(size=3), np.array(TORCHVISION.mean), np.array(TORCHVISION.std)
    inside = (x - mean) / std * (std / 0.5) + (mean - 0.5) / 0.5
    inception = TORCHVISION_INCEPTION_V1
    np.testing.assert_allclose(inside, (x - inception.mean) / inception.std, atol=1e-12)


def test_the_folder_of_a_training_run_is_a_weight_file_too(tmp_path):
    from flax import nnx

    from seqnets.run import write_weights

    model, rule = small_vgg(), Preprocessing(resize=None, crop=None)
    write_weights(tmp_path / "model.safetensors", nnx.state(model))
    config = {"format": "seqnets-run", "model": {"kind": "classifier", "preprocessing": rule.to_json()}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    again = create_model("vgg11", weights=tmp_path, **SMALL)
    assert_same(again, model)
    assert again.preprocessing == rule

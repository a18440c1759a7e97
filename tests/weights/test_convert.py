"""Weight files of every kind come in whole or not at all, and what does not fit is reported from both sides."""

import hashlib
import json
import re
import struct

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save, save_file

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.models.registry import create_model
from seqnets.weights import load_weights, published, save_weights
from seqnets.weights.convert import network_variables
from seqnets.weights.published import CAFFE_SQUEEZENET, TORCHVISION, TORCHVISION_INCEPTION_V1
from seqnets.weights.torchvision import TORCHVISION_V2

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
    with pytest.raises(
        UserError, match=r"'.*bad.pth' holds more than weights: .*\(the first is re._compile\), which could run any code"
    ):
        load_weights(small_vgg(), tmp_path / "bad.pth")


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


def test_the_difference_is_reported_from_both_sides_and_nothing_is_changed(tmp_path):
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


def test_a_deeper_network_is_reported_in_a_few_lines(tmp_path):
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
        ({"leave_out": "fc"}, "leave_out: neither the network nor the file has 'fc'; the network has fc6, fc7, logits"),
        (
            {"names": "huggingface"},
            r"there are no .huggingface. names for this network; there are caffe, keras, seqnets, timm",
        ),
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
    with pytest.raises(UserError, match="is damaged: an array does not match its checksum"):
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


def torch_file(tmp_path, name, content):
    torch = pytest.importorskip("torch")
    torch.save(content, tmp_path / name)
    return tmp_path / name


def tensors_of(model, tmp_path):
    torch = pytest.importorskip("torch")
    return {name: torch.from_numpy(array) for name, array in torchvision_arrays(model, tmp_path).items()}


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "net.", "module._orig_mod.", "backbone.", "encoder.q.1."])
def test_a_path_before_the_names_is_left_out(prefix, tmp_path):
    model = small_vgg()
    save_file({f"{prefix}{name}": a for name, a in torchvision_arrays(model, tmp_path).items()}, tmp_path / "p.safetensors")
    assert_same(create_model("vgg11", weights=tmp_path / "p.safetensors", **SMALL), model)


def test_what_stands_beside_the_path_is_reported(tmp_path):
    arrays = {f"model.{name}": array for name, array in torchvision_arrays(small_vgg(), tmp_path).items()}
    save_file(arrays | {"criterion.weight": np.zeros(4, np.float32)}, tmp_path / "p.safetensors")
    with pytest.raises(UserError, match=r"network; [^\n]*\n  only in the file: criterion: weight \(4,\)$"):
        create_model("vgg11", weights=tmp_path / "p.safetensors", **SMALL)


@pytest.mark.parametrize("keys", [
    ["state_dict"], ["model_state_dict"], ["model"], ["net"], ["network"], ["model", "state_dict"], ["weights"],
])  # fmt: skip
@pytest.mark.parametrize("file", ["c.pth.tar", "c.ckpt"])
def test_checkpoints_of_training_scripts_are_read(keys, file, tmp_path):
    model, content = small_vgg(), {}
    content = {f"_orig_mod.{name}": tensor for name, tensor in tensors_of(model, tmp_path).items()}
    for key in reversed(keys):
        content = {key: content, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}
    assert_same(create_model("vgg11", weights=torch_file(tmp_path, file, content), **SMALL), model)


def test_parameters_in_a_file_are_read_in_every_precision(tmp_path):
    torch = pytest.importorskip("torch")
    model = small_vgg()
    for kind in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        content = {name: torch.nn.Parameter(tensor.to(kind)) for name, tensor in tensors_of(model, tmp_path).items()}
        loaded = arrays_of(create_model("vgg11", weights=torch_file(tmp_path, "p.pt", content), **SMALL))
        for name, array in arrays_of(model).items():
            np.testing.assert_array_equal(loaded[name], torch.from_numpy(array).to(kind).float().numpy())


def test_a_pickled_module_is_refused_in_our_words(tmp_path):
    torch = pytest.importorskip("torch")
    with pytest.raises(UserError) as caught:
        load_weights(small_vgg(), torch_file(tmp_path, "m.pth", torch.nn.Linear(2, 3)))
    said = str(caught.value)
    assert "holds more than weights: a whole pickled module" in said
    assert "the first is torch.nn.modules.linear.Linear" in said
    assert "torch.save(module.state_dict()" in said
    assert not re.search(r"weights_only|\x1b|\n|add_safe_globals", said)


@pytest.mark.parametrize(("content", "said"), [
    ([1, 2], "holds a list, not weights by name"), ({"a": 3}, "a int under 'a'"), ({"model": {"a": "x"}}, "a str under 'a'"),
])  # fmt: skip
def test_other_contents_of_torch_files_are_refused(content, said, tmp_path):
    with pytest.raises(UserError, match=said):
        load_weights(small_vgg(), torch_file(tmp_path, "m.pth", content))


def test_a_damaged_torch_file_is_one_sentence(tmp_path):
    pytest.importorskip("torch")
    path = torch_file(tmp_path, "m.pth", tensors_of(small_vgg(), tmp_path))
    for content in (path.read_bytes()[:700], b"hello", b"PK\3\4", b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"m.pth' is damaged, or not a torch file"):
            load_weights(small_vgg(), path)


@pytest.mark.parametrize(("network", "heads"), [
    ("googlenet", ("aux1.", "aux2.")), pytest.param("inception_v3", ("AuxLogits.",), marks=pytest.mark.slow),
])  # fmt: skip
def test_published_auxiliary_heads_are_left_out_of_networks_without_them(network, heads, tmp_path):
    from seqnets.models.registry import abstract_model

    whole = abstract_model(network, auxiliary_heads=True, classes=2)
    for variable in network_variables(whole).values():
        variable.set_value(np.full(variable.get_raw_value().shape, 0.5, np.float32))
    save_weights(whole, tmp_path / "w.safetensors", names="torchvision")
    assert any(name.startswith(heads) for name in load_file(tmp_path / "w.safetensors"))
    plain = create_model(network, weights=tmp_path / "w.safetensors", classes=2)
    assert {float(np.asarray(v.get_raw_value()).ravel()[0]) for v in network_variables(plain).values()} == {0.5}
    heads_too = abstract_model(network, auxiliary_heads=True, classes=2)
    load_weights(heads_too, tmp_path / "w.safetensors")
    assert all(isinstance(v.get_raw_value(), jax.Array) for v in network_variables(heads_too).values())
    renamed = {name.replace("aux1", "aux3"): array for name, array in load_file(tmp_path / "w.safetensors").items()}
    save_file(renamed | {"more.weight": np.zeros(1, np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"only in the file: .*more"):
        create_model(network, weights=tmp_path / "w.safetensors", classes=2)


@pytest.mark.parametrize("names", ["seqnets", "torchvision"])
def test_a_network_without_classes_leaves_the_classifier_of_the_file_out(names, tmp_path):
    model = small_vgg()
    save_weights(model, tmp_path / "w.safetensors", names=names)
    plain = create_model("vgg11", weights=tmp_path / "w.safetensors", **SMALL | {"classes": 0})
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(plain(x)["logits"], model(x)["fc7"], rtol=1e-5, atol=1e-6)


# what torchvision 0.24 states in its classes of weights: (file, resize), of the families that we have
TORCHVISION_FILES = {
    "alexnet-owt-7be5be79": 256, "googlenet-1378be20": 256, "mobilenet_v2-b0353104": 256, "mobilenet_v2-7ebf99e0": 232,
    "resnet50-0676ba61": 256, "resnet50-11ad3fa6": 232, "resnet101-63fe2227": 256, "resnet101-cd907fc2": 232,
    "resnet152-394f9c45": 256, "resnet152-f82ba261": 232, "resnext50_32x4d-7cdf4587": 256, "resnext50_32x4d-1a0047aa": 232,
    "resnext101_32x8d-8ba56ff5": 256, "resnext101_32x8d-110c445d": 232, "resnext101_64x4d-173b62eb": 232,
    "wide_resnet50_2-95faca4d": 256, "wide_resnet50_2-9ba9bcbe": 232, "wide_resnet101_2-32ee1156": 256,
    "wide_resnet101_2-d733dc28": 232,
}  # fmt: skip


@pytest.mark.parametrize("file", TORCHVISION_FILES)
def test_each_published_file_of_torchvision_has_the_resize_it_states(file, tmp_path):
    model = small_vgg()
    path = torch_file(tmp_path, f"{file}.pth", tensors_of(model, tmp_path))
    loaded = create_model("vgg11", weights=path, **SMALL)
    assert (loaded.preprocessing.resize, loaded.preprocessing.crop) == (TORCHVISION_FILES[file], (224, 224))


def test_a_renamed_file_is_known_by_its_hash(tmp_path, monkeypatch):
    path = torch_file(tmp_path, "mine.pth", tensors_of(small_vgg(), tmp_path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    monkeypatch.setitem(published._BY_DIGEST, digest, TORCHVISION_V2)
    assert create_model("vgg11", weights=path, **SMALL).preprocessing.resize == 232

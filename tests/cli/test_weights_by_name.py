"""Networks and their weights by name: files of torch and repositories, from local servers."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from file_server import serving
from hub_server import HubServer
from seqnets import downloads, settings
from seqnets.data.images.labels import imagenet_classes
from seqnets.errors import UserError
from seqnets.models import abstract_model, create_model
from seqnets.run import load
from seqnets.weights import named, torchvision
from seqnets.weights import published as published_rules
from seqnets.weights.convert import network_variables, save_weights
from seqnets.weights.named import class_names, weights_source
from seqnets.weights.torchvision import PUBLISHED


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory):
    """A SqueezeNet as a file of torch: its name without .pth, its content; and the same weights as safetensors."""
    torch = pytest.importorskip("torch")
    folder, random, model = tmp_path_factory.mktemp("squeezenet"), np.random.default_rng(0), abstract_model("squeezenet1_1")
    for variable in network_variables(model).values():
        variable.set_value(random.normal(size=variable.get_raw_value().shape, scale=0.1).astype(np.float32))
    save_weights(model, folder / "w.safetensors", names="torchvision")
    arrays = load_file(folder / "w.safetensors")
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, folder / "w.pth")
    content = (folder / "w.pth").read_bytes()
    return f"squeezenet1_1-{hashlib.sha256(content).hexdigest()[:8]}", content, folder / "w.safetensors"


@pytest.fixture
def server(squeezenet, seqnets, monkeypatch):
    """A server of the weights of a SqueezeNet, which the table knows as its latest."""
    file, content, arrays = squeezenet
    monkeypatch.delenv("SEQNETS_OFFLINE", raising=False)
    monkeypatch.setattr(downloads, "PAUSE_S", 0.01)
    entry = torchvision.Published("squeezenet1_1", "v2", file, len(content) / 2**20, torchvision.TORCHVISION_V2)
    with serving() as server:
        monkeypatch.setattr(torchvision, "ADDRESS", server.url)
        monkeypatch.setattr(torchvision, "PUBLISHED", (*PUBLISHED, entry))
        monkeypatch.setattr("seqnets.weights.named.PUBLISHED", (*PUBLISHED, entry))
        monkeypatch.setitem(published_rules._BY_DIGEST, entry.digest, entry.preprocessing)
        server.files[f"{file}.pth"], server.entry, server.arrays = content, entry, arrays
        yield server


def same(model, other):
    ours, theirs = network_variables(model), network_variables(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name].get_raw_value(), theirs[name].get_raw_value())


def test_a_network_by_name_is_downloaded_once_and_complete(server):
    expected = create_model("squeezenet1_1", weights=server.arrays)
    server.breaks = 1
    for name in ("torchvision", "torchvision-v2"):
        model = create_model("squeezenet1_1", weights=name)
        same(model, expected)
        assert model.preprocessing.resize == 232
    assert len(server.requests) == 2  # one was cut
    path = weights_source("squeezenet1_1", None).path
    assert path == server.entry.path
    assert class_names(path) == imagenet_classes()


def test_a_wrong_file_of_weights_is_not_used(server):
    server.files[f"{server.entry.file}.pth"] += b"x"
    says = f"another file than the one with sha256:{server.entry.digest}; .* save it as '.*{server.entry.file}.pth'"
    with pytest.raises(UserError, match=says):
        create_model("squeezenet1_1", weights="torchvision")
    assert not server.entry.path.exists()


def test_a_photograph_is_classified_by_the_name_of_a_network(server, seqnets, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)).save(tmp_path / "a.png")
    outcome = seqnets("classify", "--model", "squeezenet1_1", tmp_path / "a.png", "--json")
    assert outcome.code == 0, outcome.err
    assert f"downloading {server.entry.file}.pth" in outcome.err
    labels = {guess["label"] for guess in json.loads(outcome.out)[0]["top"]}
    assert labels <= set(imagenet_classes())
    again = seqnets("classify", "--model", "squeezenet1_1", "--offline", tmp_path / "a.png", "--json")
    assert (again.out, again.err) == (outcome.out, "")
    server.entry.path.unlink()
    outcome = seqnets("classify", "--model", "squeezenet1_1", "--offline", tmp_path / "a.png")
    assert outcome.code == 2
    assert f"save it as '{server.entry.path}'" in outcome.err


@pytest.fixture
def hub(seqnets, monkeypatch):
    pytest.importorskip("huggingface_hub")
    server = HubServer()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.delenv("SEQNETS_OFFLINE", raising=False)
    yield server
    server.close()


def filled(name, **options):
    model, random = abstract_model(name, **options), np.random.default_rng(0)
    for variable in network_variables(model).values():
        variable.set_value(random.uniform(0.1, 0.2, size=variable.get_raw_value().shape).astype(np.float32))
    return model


TIMM = {
    "architecture": "mobilenetv1_025",
    "num_classes": 1000,
    "pretrained_cfg": {"tag": "ra4_in1k", "input_size": [3, 224, 224], "crop_pct": 0.9, "interpolation": "bicubic"},
}


def test_a_repository_of_timm_states_its_network_preprocessing_and_classes(hub, seqnets, tmp_path, monkeypatch):
    monkeypatch.setitem(named._TIMM, "mobilenetv1_025", "mobilenet_v1_025")
    expected = filled("mobilenet_v1_025")
    save_weights(expected, tmp_path / "model.safetensors", names="timm")
    arrays = load_file(tmp_path / "model.safetensors")
    save_file(arrays, tmp_path / "model.safetensors")  # as timm writes it, without our metadata
    hub.repositories["timm/small"] = {
        "config.json": json.dumps(TIMM).encode(),
        "model.safetensors": (tmp_path / "model.safetensors").read_bytes(),
        "pytorch_model.bin": b"not wanted",
    }
    for words in ({"name": "hf:timm/small"}, {"name": "mobilenet_v1_025", "weights": "hf:timm/small"}):
        model = create_model(**words)
        same(model, expected)
        assert (model.preprocessing.resize, model.preprocessing.interpolation) == (248, "bicubic")
    assert class_names(named.repository_source("hf:timm/small").path) == imagenet_classes()
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(tmp_path / "a.png")
    outcome = seqnets("classify", "--model", "hf:timm/small", tmp_path / "a.png", "--json", "--offline")
    assert outcome.code == 0, outcome.err
    assert {guess["label"] for guess in json.loads(outcome.out)[0]["top"]} <= set(imagenet_classes())


@pytest.mark.parametrize(("stated", "network"), [
    ({"model_type": "resnet", "layer_type": "bottleneck", "depths": [3, 4, 6, 3]}, "resnet50"),
    ({"model_type": "resnet", "layer_type": "basic", "depths": [2, 2, 2, 2]}, "resnet18"),
    ({"architecture": "mobilenetv2_100", "pretrained_cfg": {}}, "mobilenet_v2"),
    ({"architecture": "resnet50", "pretrained_cfg": {}}, "resnet50"),
    ({"model_type": "vit"}, None),
    ([], None),
])  # fmt: skip
def test_the_network_that_a_repository_states(hub, stated, network):
    hub.repositories["ann/net"] = {"config.json": json.dumps(stated).encode(), "model.safetensors": b""}
    if network is not None:
        assert named.repository_source("hf:ann/net").network == network
        return
    with pytest.raises(UserError, match="hf:ann/net does not say which network it holds; name it: --model NETWORK --weights"):
        named.repository_source("hf:ann/net")


def test_the_class_names_of_transformers_and_an_older_repository(hub):
    config = {"model_type": "resnet", "layer_type": "basic", "depths": [2, 2, 2, 2], "id2label": {"0": "cat", "1": "dog"}}
    hub.repositories["ann/old"] = {
        "config.json": json.dumps(config).encode(),
        "pytorch_model.bin": b"torch",
        "tf_model.h5": b"tf",
    }
    source = named.repository_source("hf:ann/old")
    assert class_names(source.path) == ["cat", "dog"]
    assert sorted(path.name for path in source.path.iterdir()) == ["config.json", "pytorch_model.bin"]


def test_a_run_states_the_weights_that_it_began_with():
    from seqnets.tasks import TASKS

    for task, section in (("captioner", {"encoder": "resnet50"}), ("classifier", {"name": "resnet50", "weights": "torchvision"})):
        recipe = TASKS[task].recipe()
        config = recipe.completed(settings.replaced(recipe.default(), {"model": section}))
        kept = recipe.resolved(config).model  # not made a path
        assert "torchvision-v2" in (getattr(kept, "encoder_weights", ""), getattr(kept, "weights", ""))


def test_a_model_of_questions_begins_with_published_weights_and_sees_what_they_expect(server, seqnets, tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    lines = ["image,question,answer"]
    for number in range(12):
        bright = random.integers(200, 256) if number % 2 else random.integers(0, 56)
        Image.fromarray(np.full((40, 60, 3), bright, np.uint8)).save(tmp_path / "pictures" / f"{number}.png")
        lines.append(f"{number}.png,is it bright?,{'yes' if number % 2 else 'no'}")
    (tmp_path / "q.csv").write_text("\n".join(lines) + "\n")
    words = ["--images", "pictures", "--questions", "q.csv", "--out", "run", "--train.steps", 2, "--train.batch-size", 2]
    small = ["--model.encoder", "squeezenet1_1", "--model.encoder-layer", "stage1", "--model.hidden-features", 4]
    outcome = seqnets("train", "vqa", *words, *small, "--model.joint-features", 4)
    assert outcome.code == 0, outcome.err
    stated = json.loads((tmp_path / "run" / "config.json").read_text())
    assert stated["model"]["config"]["encoder_weights"] == "torchvision-v2"
    assert stated["model"]["config"]["image_size"] == 224
    assert stated["model"]["preprocessing"]["resize"] == 232
    assert stated["train"]["freeze"] == ["eye"]
    run = load(tmp_path / "run")
    picture = random.integers(0, 256, (224, 224, 3), np.uint8)
    network = create_model("squeezenet1_1", weights=server.arrays)
    seen = network(torchvision.TORCHVISION_V2.normalize(picture[None]))["stage1"]
    np.testing.assert_allclose(run.model.eye(run.model.preprocessing.normalize(picture[None])), seen, rtol=1e-4, atol=1e-4)
    answered = seqnets("answer", "run", "pictures/1.png", "is it bright?")
    assert answered.code == 0, answered.err

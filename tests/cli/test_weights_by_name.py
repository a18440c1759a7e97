"""Networks and their weights by name: files of torch and repositories, from local servers."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from file_server import serving
from seqnets import downloads
from seqnets.data.images.labels import imagenet_classes
from seqnets.errors import UserError
from seqnets.models import abstract_model, create_model
from seqnets.weights import published as published_rules
from seqnets.weights import torchvision
from seqnets.weights.convert import network_variables, save_weights
from seqnets.weights.named import class_names, weights_source
from seqnets.weights.torchvision import PUBLISHED


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory):
    """A SqueezeNet as a file of torch: its name without .pth, its content; and the same weights as safetensors."""
    torch = pytest.importorskip("torch")
    from safetensors.numpy import load_file

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
    says = f"another file than the one with sha256:{server.entry.digest}; .* put {server.entry.file}.pth into"
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
    assert f"put {server.entry.file}.pth into '{server.entry.path.parent}'" in outcome.err

"""The table of torchvision's files against torchvision's own sources."""

import ast
import json
import os
import re
import zipfile
from pathlib import Path

import pytest

from seqnets.data.images.labels import imagenet_classes
from seqnets.errors import UserError
from seqnets.models.registry import model_names
from seqnets.weights.torchvision import PUBLISHED, published

# what the classes of weights of torchvision 0.29.1 state, for the networks that we have
STATED = json.loads(Path(__file__).with_name("torchvision_files.json").read_text())
WHEEL = os.environ.get("SEQNETS_TORCHVISION_WHEEL", "")


@pytest.mark.parametrize("stated", STATED, ids=lambda stated: f"{stated['class']}.{stated['name']}")
def test_the_table_says_what_torchvision_says(stated):
    network = stated["class"].removesuffix("_Weights").lower()
    found = [entry for entry in PUBLISHED if entry.address == stated["url"]]
    if stated["name"] == "IMAGENET1K_FEATURES":  # which has no classifier
        assert not found
        return
    (entry,) = found
    assert (entry.network, entry.version, entry.mebibytes) == (network, stated["name"][-2:].lower(), stated["mib"])
    assert (entry.preprocessing.resize, entry.preprocessing.crop) == (stated["resize"], (stated["crop"], stated["crop"]))
    assert entry.preprocessing.interpolation == "bilinear"  # the default of torchvision's ImageClassification
    assert (published(network) == entry) is stated["default"]
    assert published(network, f"torchvision-{entry.version}") == entry


def test_the_table_has_every_network_and_no_other_file():
    assert {entry.address for entry in PUBLISHED} <= {stated["url"] for stated in STATED}
    assert {entry.network for entry in PUBLISHED} <= set(model_names())
    assert all(re.fullmatch(r"[0-9a-f]{8}", entry.digest) for entry in PUBLISHED)
    assert len({entry.digest for entry in PUBLISHED}) == len(PUBLISHED)


@pytest.mark.skipif(not WHEEL, reason="SEQNETS_TORCHVISION_WHEEL names none; pip download torchvision==0.29.1 --no-deps gets it")
def test_the_stated_files_and_class_names_are_those_of_the_wheel():
    with zipfile.ZipFile(WHEEL) as wheel:
        modules = [name for name in wheel.namelist() if re.fullmatch(r"torchvision/models/\w+\.py", name)]
        sources = {name: wheel.read(name).decode() for name in modules}
    ours = {stated["class"] for stated in STATED}
    found = {
        (kind.name, url)
        for text in sources.values()
        for kind in ast.parse(text).body
        if isinstance(kind, ast.ClassDef) and kind.name in ours
        for url in re.findall(r"https://download\.pytorch\.org/models/[\w.-]+\.pth", ast.unparse(kind))
    }
    assert found == {(stated["class"], stated["url"]) for stated in STATED}
    names = next(node for node in ast.parse(sources["torchvision/models/_meta.py"]).body if isinstance(node, ast.Assign))
    assert ast.literal_eval(names.value) == imagenet_classes()


def test_names_that_torchvision_does_not_publish():
    with pytest.raises(UserError, match=r"no weights for 'resnet20' \(it does for .*resnet50.*\); give a file of weights"):
        published("resnet20")
    with pytest.raises(UserError, match=r"no weights 'torchvision-v2' for 'alexnet'; there are torchvision-v1"):
        published("alexnet", "torchvision-v2")

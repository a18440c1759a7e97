"""Pictures that a run did not learn from: its own split, or a folder."""

from types import SimpleNamespace

import pytest
from PIL import Image

from seqnets import settings
from seqnets.errors import UserError
from seqnets.run import Run, write_json
from seqnets.tasks.captioner import CaptionerRunConfig
from seqnets.tasks.captioner import held_out as captioner
from seqnets.tasks.classifier import ClassifierRunConfig
from seqnets.tasks.classifier import held_out as classifier


def folder_of(path, config, data=()):
    """A run folder with settings alone."""
    path.mkdir()
    facts = {
        "format": "seqnets-run",
        "format_version": 1,
        "task": config.task,
        "model": {"kind": "None"},
        "train": {},
        "data": {},
    }
    write_json(path / "config.json", facts)
    (path / "config.toml").write_text(settings.dumps(config))
    model = SimpleNamespace(labels=("cat", "dog"))
    return Run(model, {**facts, "data": dict(data)}, None, path, [])


@pytest.fixture
def photos(tmp_path):
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png", "horse/1.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), "red").save(path)
    return tmp_path / "photos"


def test_a_folder_names_the_classes_that_the_run_knows(photos, tmp_path):
    found, name = classifier.held_out(folder_of(tmp_path / "run", ClassifierRunConfig()), str(photos))
    assert found.truth.tolist() == [0, 0, 1, 1, -1]
    assert name == str(photos)
    some, _ = classifier.held_out(folder_of(tmp_path / "other", ClassifierRunConfig()), str(photos), most=2)
    assert some.truth.tolist() == [0, 1]  # every third


def test_images_that_have_changed_are_refused(photos, tmp_path):
    run = folder_of(tmp_path / "run", ClassifierRunConfig(images=(str(photos),)), {"images_digest": "another"})
    with pytest.raises(UserError, match="have changed since"):
        classifier.held_out(run)


def test_the_test_split_of_captioned_photographs(photos, tmp_path):
    rows = [f"{path.relative_to(photos).as_posix()},a picture of {path.parent.name}" for path in sorted(photos.rglob("*.png"))]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption", *rows]))
    config = CaptionerRunConfig(images=str(photos), captions=str(tmp_path / "captions.csv"))
    run = folder_of(tmp_path / "run", settings.replaced(config, {"data": {"test_fraction": 0.4, "validation_fraction": 0.2}}))
    found, name = captioner.held_out(run)
    assert (len(found.names), found.among, name) == (2, 2, "the test split")
    assert all(text == f"a picture of {picture.split('/')[-2]}" for picture, (text,) in zip(found.pictures, found.references))
    none = folder_of(tmp_path / "all", settings.replaced(config, {"data": {"test_fraction": 0.0, "validation_fraction": 0.0}}))
    with pytest.raises(UserError, match="held no pictures out"):
        captioner.held_out(none)

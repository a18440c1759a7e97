"""`seqnets train captioner`: scenes, one's own images, and a network as encoder whose features are computed once."""

import json

import numpy as np
import pytest
from flax import nnx
from PIL import Image

from seqnets import settings
from seqnets.tasks.captioner import CaptionerRunConfig, completed
from seqnets.tasks.captioner.sources import photographs

QUICK = ["--train.steps", 2, "--train.batch-size", 2, "--model.hidden-features", 8, "--model.embedding-features", 4]


@pytest.fixture(autouse=True)
def _few_held_out_scenes(monkeypatch):
    monkeypatch.setattr("seqnets.tasks.captioner.held_out.HELD_OUT_SCENES", 4)
    monkeypatch.setattr("seqnets.tasks.captioner.sources.HELD_OUT_SCENES", 4)


@pytest.fixture
def photos(tmp_path):
    folder, rng = tmp_path / "photos", np.random.default_rng(0)
    folder.mkdir()
    lines = ["image,caption"]
    for number in range(12):
        Image.fromarray(rng.integers(255, size=(30, 40, 3)).astype(np.uint8)).save(folder / f"{number}.png")
        lines += [f"{number}.png,a dog runs.", f"{number}.png,the dog is running"]
    (folder / "3.png").write_bytes(b"no image")
    (tmp_path / "captions.csv").write_text("\n".join([*lines, "99.png,a cat that is not there"]))
    return ["--images", folder, "--captions", tmp_path / "captions.csv"]


@pytest.mark.slow
def test_without_arguments_scenes_are_learned_and_shown(seqnets, tmp_path):
    found = seqnets("train", "captioner", "--out", "run", "--data.scenes", 8, "--model.encoder-width", 2, *QUICK)
    assert found.code == 0, found.err
    assert "16 drawn scenes (8 for train, 4 for validation, 4 for test)" in found.err
    assert "of 4 scenes with combinations that were not in training" in found.out
    assert (tmp_path / "run" / "attention.png").stat().st_size > 5000
    stated = json.loads((tmp_path / "run" / "config.json").read_text())["model"]
    assert stated["kind"] == "Captioner"
    assert stated["config"]["image_size"] == 64


def test_images_of_ones_own_are_read_and_what_is_missing_is_reported(seqnets, photos, tmp_path):
    small = ["--model.image-size", 16, "--model.encoder-width", 2, "--out", "run"]
    found = seqnets("train", "captioner", *photos, *small, *QUICK, "--preset", "nic", "--train.steps", 1)
    assert found.code == 0, found.err
    assert "1 of 13 images is missing (99.png), 1 of 13 images is damaged" in found.err
    assert "vocabulary: " in found.err
    model = json.loads((tmp_path / "run" / "config.json").read_text())["model"]["config"]
    assert (model["attention"], model["inject"], model["hidden_features"]) == ("none", "token", 8)
    assert "validation: CIDEr" in found.out


def test_several_files_of_captions_whose_pictures_have_equal_names(seqnets, tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        lines = ["image,caption"]
        for n in range(3):
            (tmp_path / "photos{0}" / split).mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(255, size=(9, 9, 3)).astype(np.uint8)).save(tmp_path / "photos{0}" / split / f"{n}.png")
            lines.append(f"pics/{split}/{n}.png,the dog of {split} runs {n}")
        (tmp_path / f"captions_{split}.csv").write_text("\n".join(lines))
    words = ["--images", "photos{0}", "--captions", "captions_train.csv", "captions_val.csv", "--out", "run"]
    found = seqnets("train", "captioner", *words, "--model.image-size", 16, "--model.encoder-width", 2, *QUICK)
    assert found.code == 0, found.err
    assert "6 images with 6 captions (3 train, 3 validation)" in found.err
    assert "seqnets caption run 'photos{0}' --out captions.json" in found.out
    config = settings_of(tmp_path / "run")
    assert config.captions == tuple(str(tmp_path / f"captions_{split}.csv") for split in ("train", "val"))
    refused = seqnets("train", "captioner", "--images", "photos{0}")
    assert "if a .txt stands beside each picture, give the same folder twice" in refused.err


def test_a_network_is_frozen_and_sees_every_image_once(seqnets, photos, tmp_path):
    from seqnets.data.images.preprocessing import Preprocessing
    from seqnets.models import create_model
    from seqnets.weights.convert import save_weights

    network = create_model("lenet5")
    network.preprocessing = Preprocessing(resize=(28, 28), crop=None, channels="gray", mean=(0.0,), std=(1.0,))
    save_weights(network, "lenet.safetensors")
    encoder = ["--model.encoder", "lenet5", "--model.encoder-layer", "stage2", "--model.encoder-weights", "lenet.safetensors"]
    found, reported = seqnets("train", "captioner", *photos, *encoder, *QUICK, "--out", "run"), []
    assert found.code == 0, found.err
    assert "features: 11 of 11 images" in found.err
    config = settings_of(tmp_path / "run")
    photographs(config.images, config.captions, config.data, config.model, finetune=False, tell=reported.append, rngs=nnx.Rngs(0))
    assert not any(line.startswith("features: ") for line in reported)
    stated = json.loads((tmp_path / "run" / "config.json").read_text())
    assert stated["train"]["freeze"] == ["encoder"]
    assert stated["model"]["preprocessing"]["channels"] == "gray"
    assert seqnets("caption", "run", tmp_path / "photos" / "0.png").code == 0


def settings_of(run):
    return settings.replaced(CaptionerRunConfig(), settings.read(run / "config.toml"))


def test_images_without_captions_are_refused(seqnets, photos):
    found = seqnets("train", "captioner", *photos[:2])
    assert found.code == 2
    assert "--images and --captions belong together" in found.err


def test_a_network_without_weights_is_refused(seqnets, photos):
    outcome = seqnets("train", "captioner", *photos, "--model.encoder", "lenet5", *QUICK)
    assert outcome.code == 2
    assert "torchvision publishes no weights for 'lenet5'" in outcome.err


def test_a_finetuned_encoder_moves_at_a_tenth_of_the_rate():
    changes = {"model": {"encoder": "resnet18"}, "learning": {"finetune_after": 3.0}}
    config = completed(settings.replaced(CaptionerRunConfig(), changes))
    assert config.train.freeze == ()
    assert config.train.rate_multipliers == ("encoder=0.1",)

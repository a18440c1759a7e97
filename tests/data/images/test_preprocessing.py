"""One rule object says what torchvision, timm, Hugging Face and Caffe do to an image, to the pixel."""

import json
import resource
import warnings

import jax
import numpy as np
import pytest
from PIL import Image

from seqnets.data.images.files import ImageError
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.images.published import IMAGENET_MEAN, IMAGENET_STD
from seqnets.errors import UserError

SIZES = [(300, 200), (200, 301), (257, 256), (64, 500), (97, 41)]


def picture(width, height):
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8))


def torchvision_pixels(image, shorter, crop, filter):
    """Resize and CenterCrop as torchvision.transforms words them, padding included."""
    width, height = image.size
    long = int(shorter * max(image.size) / min(image.size))
    image = image.resize((shorter, long) if width <= height else (long, shorter), filter)
    pixels = np.asarray(image)
    missing_h, missing_w = max(crop - pixels.shape[0], 0), max(crop - pixels.shape[1], 0)
    pixels = np.pad(pixels, ((missing_h // 2, (missing_h + 1) // 2), (missing_w // 2, (missing_w + 1) // 2), (0, 0)))
    top, left = round((pixels.shape[0] - crop) / 2.0), round((pixels.shape[1] - crop) / 2.0)
    return pixels[top : top + crop, left : left + crop]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("filter", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("shorter", "crop"), [(256, 224), (235, 224), (41, 60)])
def test_the_default_rule_is_torchvisions(size, filter, shorter, crop):
    image = picture(*size)
    rule = Preprocessing(resize=shorter, crop=(crop, crop), interpolation=filter)
    wanted = torchvision_pixels(image, shorter, crop, Image.Resampling[filter.upper()])
    np.testing.assert_array_equal(rule.pixels(image), wanted)
    normalized = (wanted / 255.0 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    np.testing.assert_allclose(rule(image), normalized, atol=2e-6)
    assert rule(image).dtype == np.float32


def test_resizing_smooths_as_torch_does():
    torch = pytest.importorskip("torch")
    image = picture(301, 200)
    for name in ("bilinear", "bicubic"):
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
        wanted = torch.nn.functional.interpolate(pixels, size=(64, 96), mode=name, antialias=True)[0].permute(1, 2, 0)
        found = Preprocessing(resize=(64, 96), crop=None, interpolation=name).pixels(image)
        assert np.abs(found - wanted.clamp(0, 255).numpy()).max() <= 1.01


@pytest.mark.parametrize("size", SIZES)
def test_hugging_faces_rule_crops_by_whole_halves(size):
    config = {"size": {"shortest_edge": 64}, "crop_size": {"height": 60, "width": 55}, "do_center_crop": True, "resample": 3}
    rule = Preprocessing.from_huggingface(config)
    image = picture(*size)
    width, height = (64 if side == min(size) else int(64 * side / min(size)) for side in size)
    resized = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    top, left = (height - 60) // 2, (width - 55) // 2
    np.testing.assert_array_equal(rule.pixels(image), resized[top : top + 60, left : left + 55])


PUBLISHED = {
    # what microsoft/resnet-50, google/vit-base-patch16-224, facebook/deit and apple/mobilevit state
    "resnet-50": (
        {"crop_pct": 0.875, "do_normalize": True, "do_resize": True, "feature_extractor_type": "ConvNextFeatureExtractor",
         "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": 224},
        Preprocessing(interpolation="bicubic", crop_rounding="down"),
    ),
    "resnet-50 of 384": (
        {"crop_pct": 1.0, "size": {"shortest_edge": 384}, "resample": 3},
        Preprocessing(resize=(384, 384), crop=(384, 384), interpolation="bicubic", crop_rounding="down"),
    ),
    "vit": (
        {"do_normalize": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": 224},
        Preprocessing(resize=(224, 224), crop=None, crop_rounding="down", mean=(0.5,) * 3, std=(0.5,) * 3),
    ),
    "deit": (
        {"crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True, "resample": 3, "size": 256},
        Preprocessing(interpolation="bicubic", crop_rounding="down"),
    ),
    "mobilevit": (
        {"crop_size": {"height": 256, "width": 256}, "do_center_crop": True, "do_flip_channel_order": True,
         "do_normalize": False, "do_rescale": True, "resample": 2, "rescale_factor": 0.00392156862745098,
         "size": {"shortest_edge": 288}},
        Preprocessing(resize=288, crop=(256, 256), crop_rounding="down", channels="bgr", mean=(0.0,) * 3, std=(1.0,) * 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_of_hugging_face_are_read(name):
    config, rule = PUBLISHED[name]
    assert Preprocessing.from_huggingface(config) == rule


def test_timms_files_are_read():
    resnet50_a1 = {
        "architecture": "resnet50",
        "pretrained_cfg": {
            "input_size": [3, 224, 224], "test_input_size": [3, 288, 288], "interpolation": "bicubic", "crop_pct": 0.95,
            "crop_mode": "center", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
        },
    }  # fmt: skip
    assert Preprocessing.from_timm(resnet50_a1) == Preprocessing(resize=235, interpolation="bicubic")
    mnist = {"input_size": [1, 28, 28], "crop_pct": 1.0, "mean": [0.1307], "std": [0.3081]}
    rule = Preprocessing.from_timm(mnist)
    assert (rule.channels, rule.resize, rule.mean) == ("gray", 28, (0.1307,))


@pytest.mark.parametrize(
    ("read", "config", "message"),
    [
        (Preprocessing.from_huggingface, {"do_pan_and_scan": True}, "'do_pan_and_scan'"),
        (Preprocessing.from_huggingface, {"size": {"longest_edge": 9}}, "longest_edge"),
        (Preprocessing.from_huggingface, {"resample": 17}, "interpolation must be one of"),
        (Preprocessing.from_timm, {"crop_mode": "border"}, "'border'"),
        (Preprocessing.from_timm, {"interpolation": "random"}, "interpolation must be one of"),
        (Preprocessing.from_json, {"resizes": 3}, "no setting 'resizes'"),
        (Preprocessing.from_json, {"resize": 0}, "resize must be pixels"),
        (Preprocessing.from_json, {"resize": True}, "resize must be pixels"),
        (Preprocessing.from_json, {"crop": 224}, "crop must be pixels"),
        (Preprocessing.from_json, {"mean": [0.5]}, "mean must have 3 numbers"),
        (Preprocessing.from_json, {"std": [1.0, 0.0, 1.0]}, "std must not be 0"),
        (Preprocessing.from_json, [], "must be an object"),
    ],
)
def test_what_is_not_known_is_refused(read, config, message):
    with pytest.raises(UserError, match=message):
        read(config)


@pytest.mark.parametrize(
    "rule",
    [Preprocessing(), Preprocessing(resize=None, crop=None, channels="gray", mean=(0.1,), std=(0.3,)),
     Preprocessing(resize=(3, 4), crop=None, scale=1.0, channels="bgr")],
)  # fmt: skip
def test_a_rule_survives_json_and_is_hashable(rule):
    again = Preprocessing.from_json(json.loads(json.dumps(rule.to_json())))
    assert again == rule
    assert hash(again) == hash(rule)


def test_arrays_paths_bytes_and_pictures_of_any_mode_are_taken(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    rule = Preprocessing(resize=None, crop=None, scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)
    for image in (array, path, str(path), path.read_bytes(), Image.fromarray(array), Image.fromarray(array).convert("RGBA")):
        np.testing.assert_array_equal(rule(image), array)
    gray = Preprocessing(resize=None, crop=None, channels="gray", scale=1.0, mean=(0.0,), std=(1.0,))
    np.testing.assert_array_equal(gray(array[:, :, 0])[:, :, 0], array[:, :, 0])
    np.testing.assert_array_equal(gray(array[:, :, :1])[:, :, 0], array[:, :, 0])
    for wrong in (array.astype(np.float32), array[:, :, :2], array[0, 0]):
        with pytest.raises(UserError, match="the image is an array"):
            rule(wrong)


def test_normalizing_in_a_compiled_function_gives_the_same():
    rule = Preprocessing(channels="bgr")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(jax.jit(rule.normalize)(pixels), rule.normalize(pixels), atol=1e-6)


@pytest.mark.parametrize("size", [(2000, 1), (60_000, 1), (1, 30_000), (300_000, 2)])
def test_a_thin_picture_takes_no_more_memory_than_its_crop(size):
    picture = Image.new("RGB", size, (9, 8, 7))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = Preprocessing().pixels(picture)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kB; 512,000 x 256 pixels would be 524 MB
    assert found.shape == (224, 224, 3)
    assert (found == (9, 8, 7)).all()


@pytest.mark.parametrize("size", [(300, 40), (40, 300), (2000, 3), (500, 20)])
@pytest.mark.parametrize(("shorter", "crop"), [(41, (60, 60)), (41, (30, 30)), (64, (20, 50)), (41, (60, 20))])
def test_cropping_first_gives_what_resizing_all_gives(monkeypatch, size, shorter, crop):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8))
    rule = Preprocessing(resize=shorter, crop=crop)
    whole = rule.pixels(picture).astype(int)
    monkeypatch.setattr("seqnets.data.images.preprocessing._MOST_RESIZED", 0)
    assert np.abs(rule.pixels(picture) - whole).max() <= 2


def test_a_thin_picture_without_a_crop_is_named_and_refused(tmp_path):
    Image.new("RGB", (2000, 1)).save(tmp_path / "thin.png")
    with pytest.raises(
        ImageError, match=r"thin\.png' is too thin: it has 2,000 x 1 pixels and would be resized to 512,000 x 256"
    ):
        Preprocessing(crop=None).pixels(tmp_path / "thin.png")
    assert Preprocessing(resize=64, crop=None).pixels(tmp_path / "thin.png").shape == (64, 128_000, 3)


def test_a_picture_that_fills_the_memory_is_an_image_error(monkeypatch, tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")

    def full(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", full)
    with pytest.raises(ImageError, match=r"a\.png' needs too much memory"):
        Preprocessing().pixels(str(tmp_path / "a.png"))


@pytest.mark.parametrize("sizes", [{"resize": 100_000}, {"crop": (20_000, 20_000)}, {"resize": (1, 10**9)}])
def test_a_rule_that_no_memory_holds_is_refused(sizes):
    with pytest.raises(UserError, match="makes more than 100,000,000 pixels"):
        Preprocessing(**sizes)

"""SqueezeNet's view of photographs: every stored figure of torch, scikit-learn and OpenCV."""

import json

import numpy as np
import pytest
from PIL import Image

from seqnets.data.images.files import find_images
from seqnets.inspect import Unit, grabcut, nearest_neighbors, occlusion, saliency, strongest_patches
from seqnets.models import Taps, create_model

LAYERS = {"conv1": "stem", "fire2": "stage1.1", "fire3": "stage1", "fire4": "stage2.1", "fire5": "stage2"}
LAYERS |= {"fire6": "stage3.1", "fire7": "stage3.2", "fire8": "stage3.3", "fire9": "stage3", "conv10": "maps"}
LAYERS |= {"logits": "logits"}
PHOTOGRAPHS = ("00", "10", "25", "60")


@pytest.fixture(scope="module")
def model(shared_data):
    return create_model("squeezenet1_1", weights=shared_data / "weights/squeezenet1_1")


@pytest.fixture(scope="module")
def expected(shared_data):
    return json.loads((shared_data / "looking_inside/expected.json").read_text())["photos"]


@pytest.fixture(scope="module")
def photograph(shared_data, expected):
    return lambda number: shared_data / "images/imagenet_samples" / expected[number]["file"]


@pytest.mark.slow
@pytest.mark.parametrize("number", PHOTOGRAPHS)
def test_every_layer_has_its_features(model, expected, photograph, number):
    found = Taps(model, list(LAYERS.values()))(model.preprocessing(photograph(number))[None])
    for name, golden in expected[number]["features"].items():
        array = np.asarray(found[LAYERS[name]], np.float64)
        assert array.mean() == pytest.approx(golden["mean"], rel=1e-3)
        assert np.linalg.norm(array) == pytest.approx(golden["l2"], rel=1e-3)
        assert array.max() == pytest.approx(golden["max"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("number", PHOTOGRAPHS)
def test_saliency_and_guided_gradients_are_torchs(model, expected, photograph, number, shared_data):
    golden, arrays = expected[number], np.load(shared_data / f"looking_inside/photo_{number}.npz")
    plain = saliency(model, [photograph(number)], golden["class"])
    assert plain.score[0] == pytest.approx(golden["logit_of_class"], rel=1e-3)
    assert np.linalg.norm(plain.map) == pytest.approx(golden["saliency"]["l2"], rel=1e-3)
    assert plain.map.max() == pytest.approx(golden["saliency"]["max"], rel=1e-3)
    assert list(np.unravel_index(plain.map[0].argmax(), plain.map[0].shape)) == golden["saliency"]["argmax_row_col"]
    np.testing.assert_allclose(plain.map[0], arrays["saliency"], atol=1e-3 * plain.map.max())
    guided = saliency(model, [photograph(number)], golden["class"], kind="guided")
    assert np.linalg.norm(guided.gradient) == pytest.approx(golden["guided_of_logit"]["l2"], rel=1e-5)
    assert np.abs(guided.gradient).max() == pytest.approx(golden["guided_of_logit"]["largest_absolute"], rel=1e-5)
    unit = golden["fire9_unit"]
    of_unit = saliency(model, [photograph(number)], Unit("stage3", unit["channel"]), kind="guided")
    assert list(np.unravel_index(of_unit.index[0], (14, 14, 512))) == [*unit["row_col"], unit["channel"]]
    assert np.linalg.norm(of_unit.gradient) == pytest.approx(unit["guided_l2"], rel=1e-5)
    assert np.count_nonzero(np.abs(of_unit.gradient).max(-1)) == unit["pixels_not_zero"]


@pytest.mark.slow
@pytest.mark.parametrize("number", PHOTOGRAPHS)
def test_hidden_windows_cost_what_they_cost_in_torch(model, expected, photograph, number):
    golden = expected[number]["occlusion"]
    found = occlusion(model, [photograph(number)], expected[number]["class"], window=48, stride=32)
    assert found.rows.tolist() == found.columns.tolist() == golden["positions"]
    assert found.without[0] == pytest.approx(golden["probability_without"], rel=1e-3)
    np.testing.assert_allclose(found.grid[0], golden["probability_grid"], rtol=1e-3)


@pytest.mark.slow
def test_the_same_photographs_are_strongest_in_four_channels(model, shared_data):
    golden = json.loads((shared_data / "looking_inside/expected_collection.json").read_text())["fire5_channels"]
    photographs = find_images([shared_data / "images/imagenet_samples"])
    found = strongest_patches(model, photographs, "stage2", list(map(int, golden)), top=4, batch_size=25)
    for channel, best in golden.items():
        patches = found[int(channel)]
        assert [patch.picture for patch in patches] == best["photos"]
        assert [list(patch.place) for patch in patches] == best["row_col"]
        np.testing.assert_allclose([patch.value for patch in patches], best["values"], rtol=1e-3)


def test_photographs_have_the_neighbors_of_scikit_learn(shared_data):
    golden = json.loads((shared_data / "looking_inside/expected_collection.json").read_text())
    features = np.load(shared_data / "looking_inside/features_fire9_mean.npz")["features"]
    assert nearest_neighbors(features, top=5).rows.tolist() == golden["nearest_5_by_euclidean_distance"]


def test_grabcut_gives_the_masks_of_opencv(shared_data):
    pytest.importorskip("cv2")
    folder = shared_data / "looking_inside"
    for case in json.loads((folder / "grabcut_expected.json").read_text())["cases"]:
        picture = np.asarray(Image.open(folder / case["input"]).convert("RGB"))
        golden = np.asarray(Image.open(folder / case["result_png"].split()[0]))[..., 0] > 127
        np.testing.assert_array_equal(grabcut(picture, tuple(case["rectangle_xywh"])), golden)

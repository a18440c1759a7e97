"""Segmenters and localizers as tasks: losses by hand, figures by hand, exact resume."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.examples import IGNORED
from seqnets.data.regions.reading import draw_figures, draw_scenes
from seqnets.errors import UserError
from seqnets.models.dense.localizer import Localizer, LocalizerConfig
from seqnets.models.dense.segmenter import Segmenter, SegmenterConfig
from seqnets.named_arrays import host_arrays
from seqnets.tasks.localizer import PlaceLossConfig
from seqnets.tasks.localizer.examples import one_a_person, one_a_picture
from seqnets.tasks.localizer.task import LocalizerTask, bumps, limbs_of, torsos
from seqnets.tasks.region_task import region_rule
from seqnets.tasks.segmenter.task import SegmenterTask, class_shares, class_shares_to_weights

SMALL = RegionConfig(height=16, drawn=8)


@pytest.fixture(scope="module")
def scenes():
    return draw_scenes(8)


@pytest.fixture(scope="module")
def figures():
    return draw_figures(8)


def segmenter(scenes, **options):
    model = Segmenter(SegmenterConfig(width=2), scenes.map_classes, region_rule(SMALL, scenes), rngs=nnx.Rngs(0))
    return SegmenterTask(model, scenes, SMALL, **options)


def localizer(regions, loss=None, **shape):
    labels = regions.classes if shape.get("head", "box") == "box" else regions.joints
    model = Localizer(LocalizerConfig(width=2, **shape), labels, region_rule(SMALL, regions), rngs=nnx.Rngs(0))
    return LocalizerTask(model, regions, SMALL, loss=loss)


class Fixed:
    """A model that answers with given numbers."""

    def __init__(self, task, answer):
        self.preprocessing, self._answer = task.model.preprocessing, answer

    def __call__(self, x, **_):
        return self._answer


@pytest.mark.parametrize("kind", ["none", "median", "logarithm"])
def test_the_loss_of_pixels_is_torchs_with_ignored_ones_and_weights(scenes, kind):
    torch = pytest.importorskip("torch")
    task = segmenter(scenes, class_weights=kind)
    batch = task.batches(3, 0).batch(0)
    batch["label_maps"][0, :4] = IGNORED
    logits = np.random.default_rng(0).normal(size=(3, 16, 16, 5)).astype(np.float32)
    weight = None if kind == "none" else torch.tensor(class_shares_to_weights(class_shares(scenes), kind))
    truth = torch.tensor(batch["label_maps"].astype(int))
    expected = torch.nn.functional.cross_entropy(torch.tensor(logits).permute(0, 3, 1, 2), truth, weight, ignore_index=IGNORED)
    loss, parts = task.losses(Fixed(task, jnp.asarray(logits)), batch, jax.random.key(0))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    known = batch["label_maps"] != IGNORED
    assert float(parts["pixel_accuracy"]) == pytest.approx((logits.argmax(-1) == batch["label_maps"])[known].mean(), rel=1e-5)


def test_pictures_without_a_labeled_pixel_have_no_loss_and_no_nan(scenes):
    task = segmenter(scenes, class_weights="median")
    batch = task.batches(2, 0).batch(0)
    batch["label_maps"][:] = IGNORED
    loss = lambda logits: task.losses(Fixed(task, logits), batch, jax.random.key(0))[0]  # noqa: E731
    value, gradient = jax.value_and_grad(loss)(jnp.ones((2, 16, 16, 5)))
    assert value == 0
    assert (gradient == 0).all()


def test_figures_of_a_split_count_every_pixel(scenes):
    task = segmenter(scenes)
    figures, counts = task.measure(task.model, "validation")
    maps = np.stack([task.pictures("validation").record(row)["label_maps"] for row in range(8)])
    assert counts.sum() == maps.size
    np.testing.assert_array_equal(counts.sum(1), np.bincount(maps.ravel(), minlength=5))
    assert figures["pixel_accuracy"] == pytest.approx(np.trace(counts) / maps.size)
    assert task.preview(task.model, 0).startswith("IoU of ")


def test_a_model_of_other_classes_is_refused(scenes, figures):
    model = segmenter(scenes).model
    with pytest.raises(UserError, match="the model's labels are not the classes of the maps"):
        SegmenterTask(model, figures, SMALL)


def test_two_losses_of_a_box(scenes):
    things = one_a_picture(scenes)
    batch = localizer(things).batches(4, 0).batch(0)
    logits = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    boxes = np.random.default_rng(1).uniform(0.2, 0.8, (4, 4)).astype(np.float32)
    left, top, right, bottom = batch["boxes"][:, 0].T / 16
    truth = np.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], 1)
    for distance in ("l2", "smooth-l1"):
        task = localizer(things, PlaceLossConfig(distance=distance, beta=0.1, place_weight=3.0))
        loss, parts = task.losses(Fixed(task, {"logits": jnp.asarray(logits), "boxes": jnp.asarray(boxes)}), batch, None)
        off = np.abs(boxes - truth)
        each = off**2 if distance == "l2" else np.where(off < 0.1, 0.5 * off**2 / 0.1, off - 0.05)
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        nats = -np.log(shares[np.arange(4), batch["labels"][:, 0]]).mean()
        assert float(parts["place"]) == pytest.approx(each.sum(1).mean(), rel=1e-5)
        assert float(loss) == pytest.approx(nats + 3 * each.sum(1).mean(), rel=1e-5)


def test_unknown_joints_do_not_count(figures):
    people = one_a_person(figures)
    for head in ("joints", "heatmaps"):
        task = localizer(people, head=head)
        batch = task.batches(2, 0).batch(0)
        answer = {name: jnp.asarray(np.random.default_rng(0).normal(size=array.shape), jnp.float32)
                  for name, array in task.model(jnp.zeros((2, 16, 16, 3))).items()}  # fmt: skip
        alone = {**batch, "joints": batch["joints"].copy()}
        alone["joints"][:, :, 1:, 2] = 0
        moved = {**alone, "joints": alone["joints"].copy()}
        moved["joints"][:, :, 1:, :2] = 77
        one, same, all_of_them = (float(task.losses(Fixed(task, answer), given, None)[0]) for given in (alone, moved, batch))
        assert one == same != all_of_them
        nothing = {**batch, "joints": 0 * batch["joints"]}
        assert float(task.losses(Fixed(task, answer), nothing, None)[0]) == 0


def test_right_joints_are_measured_in_the_original_picture(figures):
    people = one_a_person(figures)
    task = localizer(people, head="joints", hidden_features=4)
    figures_of, every = task.measure(task.model, "validation")
    truth = np.stack([example.joints[0, :, :2] for example in people.splits["validation"]])
    known = np.ones((8, 14), bool)
    lengths = np.linalg.norm(truth[:, 9] - truth[:, 2], axis=1)
    np.testing.assert_allclose(torsos(truth, known, people.joints, np.ones(8)), lengths, rtol=1e-6)
    near = np.linalg.norm(every["joints"] - truth, axis=-1) <= 0.2 * lengths[:, None]
    assert figures_of["pck"] == pytest.approx(near.mean())
    assert len(limbs_of(people.joints)) == 8


def test_a_bump_has_its_top_at_the_joint():
    maps = np.asarray(bumps(jnp.array([[[10.0, 6.0, 1.0]]]), (16, 16), (4, 4), 1.0))[0, :, :, 0]
    assert np.unravel_index(maps.argmax(), maps.shape) == (1, 2)
    assert maps.max() == pytest.approx(1)


@pytest.mark.slow
def test_a_resumed_run_is_the_uninterrupted_one(scenes, tmp_path):
    def train(steps, directory=None):
        config = sn.TrainConfig(steps=steps, batch_size=4, evaluate_every=2, save_every=2, schedule="constant", warmup_steps=0)
        return sn.fit(segmenter(scenes), config, directory=directory, progress=None)

    whole, _, resumed = train(4), train(2, tmp_path / "run"), train(4, tmp_path / "run")
    for name, array in host_arrays(nnx.state(whole.model)).items():
        np.testing.assert_array_equal(host_arrays(nnx.state(resumed.model))[name], array)
    assert whole.metrics[-1]["validation_mean_iou"] == pytest.approx(resumed.metrics[-1]["validation_mean_iou"], rel=1e-6)
    again = sn.load(tmp_path / "run").model
    x = jnp.ones((1, 16, 16, 3))
    np.testing.assert_array_equal(again(x), resumed.model(x))

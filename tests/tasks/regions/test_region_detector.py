"""Detectors of two stages: samples, proposals, levels of a pyramid, losses and no NaN."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.masks import mask_pixels
from seqnets.data.regions.moves import Move
from seqnets.data.regions.reading import draw_figures, draw_scenes
from seqnets.decode.region_maps import pasted
from seqnets.errors import UserError
from seqnets.models.detector.anchors import anchor_boxes
from seqnets.models.detector.config import DetectorConfig
from seqnets.models.detector.detections import Detected
from seqnets.models.detector.heads import RegionHead, region_numbers
from seqnets.models.detector.pooling import pooled
from seqnets.models.detector.pyramid import Pyramid
from seqnets.models.detector.region_detector import RegionDetector, from_description
from seqnets.models.growth import grown
from seqnets.named_arrays import host_arrays
from seqnets.ops.regions import position_sensitive_pool, region_align
from seqnets.tasks.detector import DetectionLossConfig
from seqnets.tasks.detector.figures import Seen, box_figures, in_original, joint_figures, mask_figures
from seqnets.tasks.detector.region_losses import Chosen, joint_loss, mask_loss, region_losses, sample
from seqnets.tasks.detector.task import DetectorTask
from seqnets.tasks.region_task import region_rule

SMALL = RegionConfig(height=32)
POOLINGS = ("max", "spp", "position-sensitive")
BATCH = {
    "boxes": jnp.array([[[2.0, 3.0, 14.0, 15.0], [16.0, 10.0, 30.0, 31.0], [0, 0, 0, 0]], [[0, 0, 0, 0]] * 3]),
    "labels": jnp.array([[1, 3, -1], [-1, -1, -1]]),
}


@pytest.fixture(scope="module")
def scenes():
    return draw_scenes(8)


def detector(scenes, **shape):
    shape = {"width": 2, "head_features": 4, "grid": 3, "hidden_features": 8, "proposed": 8, "keep": 6, **shape}
    config = DetectorConfig(method="regions", **shape)
    return RegionDetector(config, scenes.classes, region_rule(SMALL, scenes), rngs=nnx.Rngs(0))


def test_anchors_are_torchvisions(shared_data):
    golden = np.load(shared_data / "detection_ops" / "golden.npz")["anchors"]
    many, one = anchor_boxes([(8, 12)], [[32, 64]], [0.5, 1, 2], (64, 96)), anchor_boxes([(4, 6)], [[128]], [1], (64, 96))
    np.testing.assert_array_equal(np.concatenate([many, one]), golden)


@pytest.mark.parametrize(("share", "expected"), [(0.0, (0, 6)), (0.5, (3, 3)), (1.0, (5, 1))])
def test_a_sample_has_at_most_its_share_of_positives_which_come_first(share, expected):
    positive = jnp.array([[False] * 7 + [True] * 5 + [False] * 3])
    negative = jnp.array([[True] * 7 + [False] * 8])
    counts = np.zeros(15)
    for seed in range(30):
        rows, there = (np.asarray(array[0]) for array in sample(jax.random.key(seed), positive, negative, 6, share))
        assert there.all()
        assert len(set(rows)) == 6
        is_positive = np.asarray(positive[0])[rows]
        assert (is_positive.sum(), (~is_positive).sum()) == expected
        assert (np.diff(is_positive.astype(int)) <= 0).all()
        counts[rows] += 1
    assert (counts[12:] == 0).all()
    drawn = counts[:7] if share < 1 else counts[7:12]
    assert drawn.min() > 0


def test_what_is_neither_and_padding_is_never_sampled():
    rows, there = sample(jax.random.key(0), jnp.array([[False, True, False]]), jnp.array([[True, False, False]]), 9, 0.5)
    assert there.tolist() == [[True, True, False]]
    assert sorted(rows[0, :2].tolist()) == [0, 1]


@pytest.mark.parametrize("pooling", ["align", *(pytest.param(name, marks=pytest.mark.slow) for name in POOLINGS)])
def test_losses_and_gradients_are_finite_also_without_things(scenes, pooling):
    model = detector(scenes, pooling=pooling, box_per_class=pooling != "position-sensitive")
    graphdef, state = nnx.split(model)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 32, 32, 3)), jnp.float32)

    @jax.jit
    @jax.value_and_grad
    def total(state, labels):
        model = nnx.merge(graphdef, state)
        config = DetectionLossConfig(anchor_samples=16, region_samples=8, proposals=8)
        losses = region_losses(model, model(x, train=True), {**BATCH, "labels": labels}, config, jax.random.key(0))
        assert sorted(losses) == ["anchors", "classes", "objectness", "offsets"]
        return sum(losses.values())

    for labels in (BATCH["labels"], jnp.full_like(BATCH["labels"], -1)):
        value, gradient = total(state, labels)
        assert value > 0
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_given_proposals_need_no_anchors(scenes):
    model = detector(scenes, proposals="given")
    output = jax.eval_shape(lambda: model(jnp.zeros((2, 32, 32, 3))))
    assert sorted(output) == ["maps"]
    batch = {**BATCH, "proposals": jnp.concatenate([BATCH["boxes"] + 1, jnp.zeros((2, 4, 4))], 1)}
    find = partial(region_losses, model, batch=batch, config=DetectionLossConfig(), key=jax.random.key(0))
    assert sorted(jax.eval_shape(lambda output: find(output), output)) == ["classes", "offsets"]


def test_a_description_makes_the_same_model_and_classes_that_it_knows_stay(scenes):
    model = detector(scenes)
    twin = nnx.eval_shape(lambda: from_description(model.describe()))
    assert jax.tree.map(jnp.shape, nnx.state(twin)) == jax.tree.map(jnp.shape, nnx.state(model))
    larger = grown(model, labels=("dog", *reversed(scenes.classes)), rngs=nnx.Rngs(1))
    maps = jax.random.normal(jax.random.key(0), (1, *model.grids[0], 8))
    old, new = (jax.jit(one.regions)({"maps": (maps,)}, BATCH["boxes"][:1]) for one in (model, larger))
    np.testing.assert_allclose(new["logits"][..., [0, 5, 4, 3, 2]], old["logits"], atol=1e-5)
    np.testing.assert_allclose(new["offsets"][:, :, [4, 3, 2, 1]], old["offsets"], atol=1e-5)
    with pytest.raises(UserError, match=r"sides must be above 0"):
        DetectorConfig(sides=())


def test_a_pyramid_is_torchs(scenes):
    torch = pytest.importorskip("torch")
    pyramid, rng = Pyramid([(7, 8, 2), (4, 4, 3), (2, 2, 5)], 4, rngs=nnx.Rngs(0)), np.random.default_rng(0)
    maps = [rng.normal(size=(2, *shape)).astype(np.float32) for shape in ((7, 8, 2), (4, 4, 3), (2, 2, 5))]

    def convolved(layer, x):
        kernel, bias = (torch.tensor(np.asarray(leaf[...])) for leaf in (layer.kernel, layer.bias))
        return torch.nn.functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=kernel.shape[0] // 2)

    above, expected = None, []
    for level in (2, 1, 0):
        x = convolved(pyramid.sides[level], torch.tensor(maps[level]).permute(0, 3, 1, 2))
        if above is not None:
            x = x + above.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, : x.shape[2], : x.shape[3]]
        above, expected = x, [convolved(pyramid.levels[level], x), *expected]
    for found, wanted in zip(jax.jit(pyramid)(maps), expected):
        np.testing.assert_allclose(found, wanted.detach().permute(0, 2, 3, 1), atol=1e-5)


def test_regions_are_pooled_from_their_own_level():
    maps = [jnp.full((1, 16, 16, 1), 1.0), jnp.full((1, 8, 8, 1), 2.0)]
    boxes = jnp.array([[[0.0, 0.0, 20.0, 20.0], [0.0, 0.0, 60.0, 60.0], [0.0, 0.0, 0.0, 0.0]]])
    found = pooled(partial(region_align, size=2), maps, boxes, [1 / 4, 1 / 8], 7.0)
    assert found[0, :, 0, 0, 0].tolist() == [1.0, 2.0, 1.0]


def test_settings_that_do_not_fit_are_named(scenes):
    with pytest.raises(UserError, match="has 3 anchors, but the pyramid has 2 levels"):
        detector(scenes, pyramid=4, sides=(0.1, 0.2, 0.3))
    with pytest.raises(UserError, match="leave model"):
        DetectorConfig(pyramid=4, pooling="position-sensitive")


def test_parts_vote_in_maps_of_their_own():
    head, x = RegionHead(3, 1, 0, 2, 1, parts=4, rngs=nnx.Rngs(0)), jax.random.normal(jax.random.key(0), (1, 6, 6, 3))
    box = jnp.array([[[0.0, 0.0, 4.0, 4.0]]])
    numbers = region_numbers(jax.jit(lambda x: position_sensitive_pool(head(x), box, 2).mean((2, 3)))(x), 2)
    quarters = x[0, :4, :4].reshape(2, 2, 2, 2, 3).mean((1, 3)).reshape(4, 3)  # a bin is the mean of its 2 x 2 cells
    kernels = {name: np.asarray(getattr(head, name).kernel[...])[0, 0] for name in ("background", "classes", "offsets")}
    background = (quarters * kernels["background"].T).sum(-1).mean()
    classes = np.einsum("pf,fpc->pc", quarters, kernels["classes"]).mean(0)
    offsets = np.einsum("pf,fnp->pn", quarters, kernels["offsets"][..., 0].reshape(3, 4, 4)).mean(0)
    np.testing.assert_allclose(numbers["logits"][0, 0], [background, *classes], atol=1e-5)
    np.testing.assert_allclose(numbers["offsets"][0, 0, 0], offsets, atol=1e-5)


def test_the_loss_of_joints_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.normal(size=(1, 3, 8, 8, 2)), jnp.float32)
    joints = jnp.array([[[[4.0, 6.0, 1.0], [12.0, 10.0, 1.0]], [[20.0, 20.0, 1.0], [21.0, 30.0, 0.0]]]])
    boxes = jnp.array([[[2.0, 2.0, 12.0, 12.0], [16.0, 16.0, 32.0, 32.0], [2.0, 2.0, 10.0, 8.0]]])
    there = jnp.array([[True, True, True]])
    regions = Chosen(boxes, jnp.array([[0, 1, 0]]), jnp.zeros((1, 3), int), boxes, there)
    logs, nats = np.asarray(logits) - np.log(np.exp(logits).sum((2, 3), keepdims=True)), []
    for row, truth in enumerate((0, 1, 0)):
        left, top, right, bottom = np.asarray(boxes[0, row])
        for number, (x, y, known) in enumerate(np.asarray(joints[0, truth])):
            if known and left <= x <= right and top <= y <= bottom:
                column, line = (min(int(share * 8), 7) for share in ((x - left) / (right - left), (y - top) / (bottom - top)))
                nats.append(-logs[0, row, line, column, number])
    assert len(nats) == 4  # one is unknown, one outside of the third region
    loss = jax.jit(lambda there: joint_loss(logits, regions._replace(is_there=there), joints))
    assert float(loss(there)) == pytest.approx(float(np.mean(nats)), rel=1e-5)
    assert loss(~there) == 0


def test_regions_without_a_mask_do_not_count_in_its_loss():
    masks = np.zeros((1, 2, 16, 16), bool)
    masks[0, 0, 4:12, 4:12] = True
    boxes = jnp.array([[[4.0, 4.0, 12.0, 12.0], [0.0, 0.0, 9.0, 9.0]]])
    regions = Chosen(boxes, jnp.array([[0, 1]]), jnp.zeros((1, 2), int), boxes, jnp.array([[True, True]]))
    loss = jax.jit(lambda masks: mask_loss(jnp.full((1, 2, 4, 4), 3.0), regions, masks, True))(masks)
    assert float(loss) == pytest.approx(np.log1p(np.exp(-3.0)), rel=1e-5)


def test_what_is_right_has_full_figures():
    scenes, figures = draw_scenes(2).splits["train"], draw_figures(2).splits["train"]
    half = Move((0, 0, 64, 64), (32, 32))
    seen = []
    for one in scenes:
        boxes = half.boxes(one.boxes)
        cells = [np.asarray(half.mask(mask_pixels(mask, one.size)), np.float32) for mask in one.masks]
        whole = np.repeat([[0, 0, 32, 32]], len(boxes), 0)
        seen.append(Seen(Detected(boxes, one.labels, np.ones(len(boxes)), np.stack(cells)), one, half))
        np.testing.assert_array_equal(pasted(seen[-1].detected.masks, whole, (32, 32)) >= 0.5, np.stack(cells) > 0)
    assert box_figures(seen)["AP"] == pytest.approx(1)
    assert in_original(seen[0]).boxes == pytest.approx(scenes[0].boxes)
    right = [one._replace(detected=one.detected._replace(boxes=np.repeat([[0, 0, 32, 32]], len(one.detected.boxes), 0)))
             for one in seen]  # fmt: skip
    assert mask_figures(right, rounded=False)["mask AP"] == pytest.approx(1)
    people = []
    for one in figures:
        at = (one.joints[0, :, :2] - one.boxes[0, :2]) / (one.boxes[0, 2:] - one.boxes[0, :2]) * 16
        rows, columns = (np.exp(-np.square(np.arange(16)[:, None] + 0.5 - at[:, axis]) / 2) for axis in (1, 0))
        heat = (rows[:, None] * columns)[None]
        people.append(Seen(Detected(half.boxes(one.boxes), np.zeros(1, int), np.ones(1), None, heat), one, half))
    assert joint_figures(people) == {"PCK@.1": 1.0}
    missed = people[0]._replace(detected=people[0].detected._replace(boxes=np.array([[0, 0, 2, 2]])))
    assert joint_figures([missed, people[1]]) == {"PCK@.1": 0.5}


def test_a_model_wants_pictures_with_its_parts(scenes):
    with pytest.raises(UserError, match=r"model.joints is set, but the pictures have no joints"):
        DetectorTask(detector(scenes, joints=True), scenes, SMALL)


@pytest.mark.slow
def test_a_resumed_run_is_the_uninterrupted_one(scenes, tmp_path):
    def train(steps, directory=None):
        config = sn.TrainConfig(steps=steps, batch_size=4, evaluate_every=2, save_every=2, schedule="constant", warmup_steps=0)
        task = DetectorTask(detector(scenes, masks=True, pyramid=4), scenes, SMALL)
        return sn.fit(task, config, directory=directory, progress=None)

    whole, _, resumed = train(4), train(2, tmp_path / "run"), train(4, tmp_path / "run")
    for name, array in host_arrays(nnx.state(whole.model)).items():
        np.testing.assert_array_equal(host_arrays(nnx.state(resumed.model))[name], array)
    assert whole.metrics[-1]["validation_mask AP"] == resumed.metrics[-1]["validation_mask AP"]
    assert sn.load(tmp_path / "run").model.config.masks

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.ops import boxes as ops
from seqnets.ops.suppression import suppress


@pytest.fixture(scope="module")
def golden(shared_data):
    return np.load(shared_data / "detection_ops" / "golden.npz")


def some_boxes(count, seed=0, side=40.0):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, side, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(1, side / 2, (count, 2))], 1).astype(np.float32)


def overlap(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def greedy(boxes, scores, threshold, groups):
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if all(groups[i] != groups[j] or overlap(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(int(i))
    return kept


def test_overlaps_are_those_of_a_loop():
    boxes, others = some_boxes(6), some_boxes(5, seed=1)
    expected = [[overlap(one.astype(float), other.astype(float)) for other in others] for one in boxes]
    np.testing.assert_allclose(ops.intersection_over_union(boxes, others), expected, atol=1e-6)


def test_overlaps_are_torchvisions(golden):
    boxes = golden["boxes"][:20]
    np.testing.assert_allclose(ops.intersection_over_union(boxes, boxes), golden["iou_first20"], atol=1e-6)
    np.testing.assert_allclose(ops.generalized_overlap(boxes, boxes), golden["giou_first20"], atol=1e-6)


@pytest.mark.parametrize(("name", "weights"), [("1", (1.0, 1.0, 1.0, 1.0)), ("10", (10.0, 10.0, 5.0, 5.0))])
def test_offsets_are_torchvisions(golden, name, weights):
    boxes, anchors = golden["boxes"][:50], golden["boxes"][50:100]
    offsets = golden[f"encode_{name}"]
    np.testing.assert_allclose(ops.encode_boxes(boxes, anchors, weights), offsets, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ops.decode_boxes(1.1 * offsets, anchors, weights), golden[f"decode_{name}"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ops.decode_boxes(ops.encode_boxes(boxes, anchors, weights), anchors, weights), boxes, atol=1e-4)


def test_clipping_is_torchvisions(golden):
    height, width = golden["clipped"][:, 3].max(), golden["clipped"][:, 2].max()
    np.testing.assert_array_equal(ops.clip_boxes(golden["boxes"], (height, width)), golden["clipped"])


def test_a_box_without_area_gives_neither_infinity_nor_nan():
    empty, box = jnp.array([[3.0, 3.0, 3.0, 3.0]]), jnp.array([[0.0, 0.0, 4.0, 4.0]])

    def total(a):
        return ops.encode_boxes(a, box).sum() + ops.intersection_over_union(a, a).sum()

    value, gradient = jax.value_and_grad(total)(empty)
    assert jnp.isfinite(value)
    assert jnp.isfinite(gradient).all()
    assert jnp.isfinite(ops.decode_boxes(jnp.full((1, 4), 1e9), box)[0, 2:]).all()


def test_matches_are_torchvisions(golden):
    found = ops.match_overlaps(golden["matcher_iou"].T, high=0.3, low=0.1, keep_best=True)
    np.testing.assert_array_equal(found, golden["matcher_0.7_0.3_low_quality"])


def test_matches_leave_padding_out():
    boxes, truths = some_boxes(20), some_boxes(4, seed=2)
    padded = jnp.concatenate([truths, boxes[:2]])
    match = jax.jit(ops.match, static_argnames="keep_best")
    for keep_best in (False, True, "own"):
        alone = match(boxes, truths, keep_best=keep_best)
        np.testing.assert_array_equal(match(boxes, padded, keep_best=keep_best, is_truth=jnp.arange(6) < 4), alone)
    assert (match(boxes, padded, is_truth=jnp.zeros(6, bool), keep_best=True) == ops.BACKGROUND).all()
    assert (match(boxes, padded[:0], keep_best=True) == ops.BACKGROUND).all()


def test_every_truth_that_a_box_touches_has_one_of_its_own():
    boxes, truths = some_boxes(30), some_boxes(6, seed=3)
    found = np.asarray(ops.match(boxes, truths, high=0.99, keep_best="own"))
    assert set(found) == {ops.BACKGROUND, *range(6)}


def test_thresholds_in_the_wrong_order_are_refused():
    with pytest.raises(UserError, match=r"low 0\.6 is above high 0\.5"):
        ops.match(some_boxes(2), some_boxes(2), high=0.5, low=0.6)


@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_suppression_is_that_of_a_loop(threshold):
    boxes = np.stack([some_boxes(40, seed=seed) for seed in (4, 5)])
    rng = np.random.default_rng(6)
    scores, groups = rng.integers(0, 12, (2, 40)).astype(np.float32), rng.integers(0, 2, (2, 40))
    found = jax.jit(lambda *given: suppress(*given[:2], threshold=threshold, keep=50, groups=given[2]))(boxes, scores, groups)
    for row in range(2):
        kept = np.asarray(found.indices[row])[np.asarray(found.is_kept[row])]
        assert kept.tolist() == greedy(boxes[row].astype(float), scores[row], threshold, groups[row])


def test_suppression_is_torchvisions(golden):
    run = jax.jit(lambda threshold, groups: suppress(
        golden["boxes"], golden["scores"], threshold=threshold, keep=200, groups=groups
    ))  # fmt: skip
    for threshold in (0.3, 0.5, 0.7):
        for name, groups in (("nms", np.zeros(200, np.int64)), ("batched_nms", golden["labels"])):
            indices, is_kept = run(threshold, groups)
            np.testing.assert_array_equal(np.asarray(indices)[np.asarray(is_kept)], golden[f"{name}_{threshold}"])


def test_suppression_leaves_out_padding_and_what_is_not_a_number():
    boxes = jnp.tile(jnp.array([[0.0, 0.0, 1.0, 1.0]]), (3, 1)) + 5 * jnp.arange(3.0)[:, None]
    found = suppress(boxes, jnp.array([jnp.nan, 0.2, 0.9]), threshold=0.5, keep=2, is_box=jnp.array([True, True, False]))
    assert found.indices.tolist() == [1, 0]
    assert found.is_kept.tolist() == [True, False]

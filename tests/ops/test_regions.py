import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.ops import regions

CASES = {
    "roi_align_7_sampling2": lambda x, b: regions.region_align(x, b, 7, scale=0.25, aligned=False),
    "roi_align_7_sampling2_aligned": lambda x, b: regions.region_align(x, b, 7, scale=0.25),
    "roi_align_5x3_adaptive_aligned": lambda x, b: regions.region_align(x, b, (5, 3), scale=0.25, samples=0),
    "roi_pool_7": lambda x, b: regions.region_max_pool(x, b, 7, scale=0.25),
    "roi_pool_3x2": lambda x, b: regions.region_max_pool(x, b, (3, 2), scale=0.25),
    "ps_roi_pool_3": lambda x, b: regions.position_sensitive_pool(x, b, 3, scale=0.25),
    "ps_roi_align_3": lambda x, b: regions.position_sensitive_align(x, b, 3, scale=0.25),
}
WHOLE = jnp.array([[[0.0, 0.0, 8.0, 6.0]]])


def image(height=6, width=8, channels=3, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(1, height, width, channels)), jnp.float32)


@pytest.mark.parametrize("name", CASES)
def test_pools_and_their_gradients_are_torchvisions(shared_data, name):
    golden = np.load(shared_data / "detection_ops" / "golden.npz")
    maps, rois = golden["ps_x" if name.startswith("ps") else "roi_x"].transpose(0, 2, 3, 1), golden["rois"]
    weights = golden.get(f"{name}.weights", np.ones_like(golden[name]))

    def pooled(x):
        found = CASES[name](x[rois[:, 0].astype(int)], jnp.asarray(rois[:, None, 1:]))[:, 0].transpose(0, 3, 1, 2)
        return (found * weights).sum(), found

    (_, found), gradient = jax.jit(jax.value_and_grad(pooled, has_aux=True))(jnp.asarray(maps))
    np.testing.assert_allclose(found, golden[name], atol=1e-5)
    if f"{name}.gradient" in golden:
        np.testing.assert_allclose(gradient.transpose(0, 3, 1, 2), golden[f"{name}.gradient"], atol=2e-5)


@pytest.mark.parametrize("pool", [regions.region_align, regions.position_sensitive_align, regions.position_sensitive_pool])
def test_large_maps_are_gathered_with_the_same_result(pool, monkeypatch):
    x, boxes = image(channels=8), jnp.array([[[0.0, 1.0, 5.0, 5.0], [2.5, 2.5, 9.0, 7.0]]])
    small = jax.jit(lambda x: pool(x, boxes, 2))(x)
    monkeypatch.setattr(regions, "_SMALL", 0)
    np.testing.assert_allclose(jax.jit(lambda x: pool(x, boxes, 2))(x), small, atol=1e-5)


def test_mask_targets_are_torchvisions(shared_data):
    golden = np.load(shared_data / "detection_ops" / "golden.npz")
    masks, boxes = jnp.asarray(golden["masks"], jnp.float32)[..., None], jnp.asarray(golden["project_boxes"])[:, None]
    found = regions.region_align(masks, boxes, 28, samples=0, aligned=False)[:, 0, ..., 0]
    np.testing.assert_allclose(found, golden["projected_masks_28"], atol=1e-5)


def test_a_pyramid_over_the_whole_map_is_torchs_adaptive_pools():
    torch = pytest.importorskip("torch")
    x = image(7, 9)
    expected = [torch.nn.functional.adaptive_max_pool2d(torch.tensor(np.asarray(x)).permute(0, 3, 1, 2), n) for n in (1, 2, 3, 6)]
    found = jax.jit(regions.region_pyramid)(x, jnp.array([[[0.0, 0.0, 8.0, 6.0]]]))
    np.testing.assert_array_equal(found[0, 0], torch.cat([e.flatten(2) for e in expected], 2)[0].T.numpy())


def test_warping_is_torchs_bilinear_resizing():
    torch = pytest.importorskip("torch")
    x = image()
    expected = torch.nn.functional.interpolate(torch.tensor(np.asarray(x)).permute(0, 3, 1, 2), (12, 24), mode="bilinear")
    found = jax.jit(lambda x: regions.warp_regions(x, WHOLE, (12, 24), samples=1)[:, 0])(x)
    np.testing.assert_allclose(found.transpose(0, 3, 1, 2), expected.numpy(), atol=1e-5)


def test_context_shows_what_is_around_the_box_and_the_fill_outside_of_the_picture():
    warp = jax.jit(regions.warp_regions, static_argnums=2, static_argnames="context")
    found, inner = warp(image(), WHOLE, 20, context=6, fill=5.0)[0, 0], warp(image(), WHOLE, 8)[0, 0]
    np.testing.assert_allclose(found[6:14, 6:14], inner, atol=1e-5)
    np.testing.assert_allclose(found[:2], 5.0, atol=1e-5)


def test_every_picture_has_its_own_boxes():
    x, boxes = image(), jnp.array([[[0.0, 0.0, 4.0, 4.0]], [[3.0, 2.0, 8.0, 6.0]]])
    align = jax.jit(lambda x, boxes: regions.region_align(x, boxes, 2))
    both = align(jnp.concatenate([x, x + 1]), boxes)
    for row in range(2):
        np.testing.assert_allclose(both[row], align(x + row, boxes[row : row + 1])[0], atol=1e-6)


def test_regions_outside_are_zero_and_have_finite_gradients():
    boxes = jnp.array([[[50.0, 50.0, 60.0, 60.0], [-9.0, -9.0, -9.0, -9.0], [3.0, 3.0, 3.0, 3.0]]])
    for pool in (regions.region_align, regions.region_max_pool):
        value, gradient = jax.jit(jax.value_and_grad(lambda x, pool=pool: pool(x, boxes, 2)[0, :2].sum()))(image())
        assert value == 0
        assert (gradient == 0).all()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: regions.region_align(image()[0], WHOLE, 2), r"features \(6, 8, 3\) and boxes \(1, 1, 4\) do not fit"),
    (lambda: regions.position_sensitive_pool(image(), WHOLE, 2), "3 features are not 2 x 2 maps each"),
    (lambda: regions.warp_regions(image(), WHOLE, 8, context=4), "leaves nothing of 8 x 8 pixels"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()

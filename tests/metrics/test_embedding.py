"""Components, exact t-SNE and trustworthiness: as scikit-learn's."""

import json

import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.metrics import joint_probabilities, principal_components, trustworthiness, tsne

CLOUD = np.random.default_rng(0).standard_normal((40, 3)) * [3, 2, 1]


def test_probabilities_have_the_entropy_that_was_asked_for():
    joint = joint_probabilities(CLOUD, 7.0)
    distances = ((CLOUD[:, None] - CLOUD[None]) ** 2).sum(-1)
    conditional = np.zeros((40, 40))
    for i in range(40):
        low, high = 1e-4, 1e4
        for _ in range(200):
            middle = np.sqrt(low * high)
            p = np.exp(-middle * (distances[i] - np.sort(distances[i])[1]).clip(0))
            p[i] = 0
            p /= p.sum()
            entropy = -(p[p > 0] * np.log(p[p > 0])).sum()
            low, high = (middle, high) if entropy > np.log(7) else (low, middle)
        conditional[i] = p
    np.testing.assert_allclose(joint, (conditional + conditional.T) / 80, rtol=1e-4, atol=1e-8)


def test_components_rebuild_the_features():
    found = principal_components(CLOUD, 3)
    np.testing.assert_allclose(found.coordinates @ found.axes + found.mean, CLOUD, atol=1e-12)
    np.testing.assert_allclose(found.variance, np.sort(np.linalg.eigvalsh(np.cov(CLOUD.T)))[::-1], rtol=1e-10)
    assert found.share.sum() == pytest.approx(1)
    assert (found.axes.max(1) >= -found.axes.min(1)).all()


def test_trustworthiness_is_the_sum_over_intruders():
    places = np.random.default_rng(1).standard_normal((40, 2))
    ranks = ((CLOUD[:, None] - CLOUD[None]) ** 2).sum(-1).argsort(1).argsort(1)
    near = ((places[:, None] - places[None]) ** 2).sum(-1).argsort(1)[:, 1:5]
    penalty = sum(max(0, ranks[i, j] - 4) for i in range(40) for j in near[i])
    assert trustworthiness(CLOUD, places, neighbors=4) == pytest.approx(1 - 2 / (40 * 4 * (80 - 12 - 1)) * penalty)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: tsne(np.zeros((5001, 2))), "at most 5,000 points, not 5,001"),
        (lambda: tsne(CLOUD, perplexity=40), "below the number of points, 40"),
        (lambda: tsne(np.where(CLOUD > 8, np.nan, CLOUD) * np.nan), "point 0 are not finite"),
        (lambda: principal_components(CLOUD, 4), "have 1 to 3 components, not 4"),
        (lambda: trustworthiness(CLOUD, CLOUD, neighbors=20), "below half the number of points, 20"),
        (lambda: tsne(CLOUD[0]), r"shape \(3,\); give \[N, D\]"),
    ],
)
def test_mistakes_are_one_sentence(call, said):
    with pytest.raises(UserError, match=said):
        call()


def test_copies_of_a_point_do_no_harm():
    found = tsne(np.repeat(CLOUD[:10], 2, axis=0), perplexity=3, steps=300)
    assert np.isfinite(found.coordinates).all()


def test_digits_are_placed_as_scikit_learn_places_them(shared_data):
    digits = np.load(shared_data / "looking_inside/digits.npz")
    expected = json.loads((shared_data / "looking_inside/digits_expected.json").read_text())
    images = digits["images"].astype(float)
    joint = joint_probabilities(images[:40], 10)[np.triu_indices(40, 1)]
    golden = digits["joint_p_condensed_of_first40_perplexity10"]
    np.testing.assert_allclose(joint, golden, rtol=1e-3, atol=1e-5 * golden.max())
    found = tsne(images, perplexity=expected["perplexity"])
    assert found.divergence < 1.02 * expected["kl_divergence"]
    assert trustworthiness(images, found.coordinates) > 0.98 * expected["trustworthiness_5"]
    same = digits["labels"][((found.coordinates[:, None] - found.coordinates[None]) ** 2).sum(-1).argsort(1)[:, 1]]
    assert (same == digits["labels"]).mean() > 0.97


def test_features_of_photographs_are_placed_as_scikit_learn_places_them(shared_data):
    expected = json.loads((shared_data / "looking_inside/expected_collection.json").read_text())
    features = np.load(shared_data / "looking_inside/features_fire9_mean.npz")["features"]
    found = principal_components(features, 10)
    np.testing.assert_allclose(found.variance, expected["pca"]["explained_variance"], rtol=1e-4)
    np.testing.assert_allclose(found.share, expected["pca"]["explained_variance_ratio"], rtol=1e-4)
    plane = expected["pca"]["coordinates_2d_up_to_sign"]
    np.testing.assert_allclose(np.abs(found.coordinates[:, :2]), np.abs(plane), atol=1e-3)
    assert trustworthiness(features, found.coordinates[:, :2]) == pytest.approx(expected["tsne"]["pca_trustworthiness_5"])
    places = min((tsne(features, perplexity=15, seed=seed) for seed in (None, 0, 1)), key=lambda found: found.divergence)
    assert places.divergence < 1.02 * expected["tsne"]["kl_divergence"]  # the descent is chaotic: best of three starts
    assert trustworthiness(features, places.coordinates) > 0.98 * expected["tsne"]["trustworthiness_5"]

"""One table of tiny networks, one a family, through everything that all networks promise."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from numerics import assert_close
from seqnets.errors import UserError
from seqnets.models.cnn.branches import NormRow
from seqnets.models.cnn.googlenet import POOL, inception
from seqnets.models.cnn.inception_v4 import SMOOTH
from seqnets.models.cnn.mobilenet import Stage
from seqnets.models.cnn.rows import ConvRow
from seqnets.models.registry import abstract_model, create_model
from seqnets.nn.pool import MaxPool
from seqnets.nn.stochastic_depth import Dropout

IMAGES = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)

BRANCHES = {
    "stem": [NormRow(4, 3, stride=2)],
    "stage1": [{"a": [NormRow(2, 1)], "b": [SMOOTH, NormRow(2, (1, 7))]}],
    "stage2": [{"a": [NormRow(4, 3, stride=2, padding=0)], "b": [partial(MaxPool, 3, stride=2)]}],
}
ROWS = {"stem": [ConvRow(4, 5, stride=2)], "stage1": [partial(MaxPool, 2), partial(Dropout, 0.5), ConvRow(8, 3, padding=1)]}
INCEPTION = inception(2, (2, 2), (2, 2), 2)
SMALL_RESIDUAL = {"depths": (1, 1), "features": 4, "drop_path": 0.5}

TINY = {
    "lenet": ("lenet5_relu", {"features": (2, 4), "hidden_features": (8, 8), "padding": 8}),
    "alexnet": ("alexnet_2012", {"stages": ROWS, "grid": 2, "hidden_features": 8}),
    "nin": ("nin", {"stages": ROWS}),
    "vgg": ("vgg11_bn", {"depths": (1, 1), "features": (4, 8), "grid": 2, "hidden_features": 8}),
    "googlenet": (
        "googlenet",
        {"stages": {"stem": [NormRow(4, 3, stride=2), POOL], "stage1": [inception(2, (2, 2), (2, 2), 2)]}},
    ),
    "inception_v3": ("inception_v3", {"stages": BRANCHES}),
    "inception_v4": ("inception_v4", {"stages": BRANCHES}),
    "resnet": ("resnet50", SMALL_RESIDUAL),
    "resnet_cifar": ("resnet20", SMALL_RESIDUAL),
    "preact_resnet": ("preact_resnet110", {**SMALL_RESIDUAL, "stem_features": 4}),
    "fractalnet": ("fractalnet20", {"features": (4, 8), "dropout": (0.0, 0.5)}),
    "densenet": ("densenet121", {"depths": (1, 1), "growth": 4, "features": 4, "dropout": 0.5}),
    "squeezenet": ("squeezenet1_1", {"stem": ConvRow(16, 3, stride=2), "stages": [[(8, 16)], [(8, 16)]]}),
    "mobilenet_v1": ("mobilenet_v1", {"stages": [Stage(8, 1, 1), Stage(8, 2, 2)], "width": 0.25, "dropout": 0.5}),
    "mobilenet_v2": ("mobilenet_v2", {"stages": [Stage(8, 2, 2, 2)], "width": 0.25, "last_features": 8, "dropout": 0.5}),
}


FAST_COMPILE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def values(abstract):
    """Fill shapes with numbers, kernels as He has it, without compiling an initializer for each."""
    random = np.random.default_rng(0)

    def fill(path, leaf):
        name = next(str(key.key) for key in reversed(path) if hasattr(key, "key"))
        if name == "kernel":
            return jnp.asarray(random.normal(size=leaf.shape) * np.sqrt(2 / np.prod(leaf.shape[:-1])), jnp.float32)
        return jnp.asarray(np.full(leaf.shape, name in ("scale", "var")), jnp.float32)

    return jax.tree_util.tree_map_with_path(fill, abstract)


class Case:
    """One tiny network, split once, its two compiled functions, and how often each was traced."""

    def __init__(self, name, options):
        self.model = abstract_model(name, classes=5, in_channels=3, **options)
        self.structure, state = nnx.split(self.model)
        self.parameters, self.rest = nnx.split_state(values(state), nnx.Param, ...)
        self.traces = {"apply": 0, "gradients": 0}
        self.apply = jax.jit(self._apply, compiler_options=FAST_COMPILE)
        self.gradients = jax.jit(jax.grad(self._loss, has_aux=True), compiler_options=FAST_COMPILE)

    def _apply(self, parameters, rest, images):
        self.traces["apply"] += 1
        return nnx.merge(self.structure, parameters, rest)(images)

    def _loss(self, parameters, rest, images, key):
        self.traces["gradients"] += 1
        model = nnx.merge(self.structure, parameters, rest, copy=True)  # variables of this trace, which batch norm may update
        features = model(images, train=True, key=key)
        loss = -jnp.mean(jax.nn.log_softmax(features["logits"])[:, 0])
        return loss, (features["logits"], nnx.state(model, nnx.BatchStat))

    def train(self, seed):
        gradients, (logits, statistics) = self.gradients(self.parameters, self.rest, IMAGES, jax.random.key(seed))
        return gradients, logits, statistics


@pytest.fixture(scope="module", params=TINY, ids=str)
def case(request):
    return Case(*TINY[request.param])


def test_features_are_named_and_typed(case):
    features = case.apply(case.parameters, case.rest, IMAGES)
    assert set(features) == set(case.model.feature_names)
    assert case.model.feature_names[-1] == "logits"
    assert any(name.startswith("stage") for name in features)
    assert features["logits"].shape == (2, 5)
    assert all(feature.dtype == jnp.float32 and jnp.isfinite(feature).all() for feature in features.values())


def test_each_image_is_treated_by_itself(case):
    both = case.apply(case.parameters, case.rest, IMAGES)["logits"]
    swapped = case.apply(case.parameters, case.rest, IMAGES[::-1])["logits"]
    np.testing.assert_allclose(both, swapped[::-1], rtol=1e-4, atol=1e-5)
    assert not np.allclose(both[0], both[1], rtol=1e-6, atol=0)


def test_jit_equals_eager(case):
    with jax.disable_jit():
        eager = nnx.merge(case.structure, case.parameters, case.rest)(IMAGES)
    compiled = case.apply(case.parameters, case.rest, IMAGES)
    for name in eager:
        assert_close(compiled[name], eager[name])


def test_gradients_are_finite_and_reach_the_parameters(case):
    reached = False
    for seed in range(6):  # one key alone may drop whole columns of a fractal
        gradients, _, _ = case.train(seed)
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
            assert jnp.isfinite(leaf).all(), path
        reached = reached | np.array([bool(jnp.any(leaf != 0)) for leaf in jax.tree.leaves(gradients)])
    assert reached.mean() > 0.8


def test_training_moves_the_statistics_and_a_key_makes_noise(case):
    _, first, statistics = case.train(0)
    before = nnx.filter_state(case.rest, nnx.BatchStat)
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(statistics), strict=True):
        assert not np.array_equal(old, new)
    np.testing.assert_array_equal(first, case.train(0)[1])
    noisy = any(getattr(part, "rate", 0) or getattr(part, "drop_path", 0) for _, part in nnx.iter_modules(case.model))
    same = [np.array_equal(first, case.train(seed)[1]) for seed in range(1, 6)]
    assert all(same) if not noisy else not all(same)


def test_training_differs_from_inference_where_there_is_something_to_differ(case):
    _, trained, statistics = case.train(0)
    applied = case.apply(case.parameters, case.rest, IMAGES)["logits"]
    assert bool(jax.tree.leaves(statistics)) <= (not np.allclose(trained, applied, rtol=1e-3))


def test_every_function_was_compiled_once(case):
    case.apply(case.parameters, case.rest, IMAGES + 1)
    case.train(7)
    assert case.traces == {"apply": 1, "gradients": 1}


@pytest.mark.parametrize("family", TINY)
def test_no_classes_give_the_features_that_a_classifier_would_read(family):
    name, options = TINY[family]
    graphdef, state = nnx.split(abstract_model(name, **options, classes=0, in_channels=3))
    features = nnx.merge(graphdef, values(state))(IMAGES)
    head = next((features[name] for name in ("pool", "fc7", "fc6") if name in features and features[name].ndim == 2), None)
    last = [array for name, array in features.items() if array.ndim == 4][-1]
    expected = np.mean(last, (1, 2)) if head is None else head
    assert_close(features["logits"], np.asarray(expected, np.float32))
    assert features["logits"].shape[1] == expected.shape[1] > 1
    with pytest.raises(UserError, match="classes must be at least"):
        abstract_model(name, **options, classes=-1)


@pytest.mark.parametrize("family", TINY)
def test_bfloat16_computes_in_bfloat16_and_keeps_float32(family):
    name, options = TINY[family]
    model = abstract_model(name, dtype=jnp.bfloat16, classes=5, in_channels=3, **options)
    structure, state = nnx.split(model)
    features = jax.eval_shape(lambda state: nnx.merge(structure, state)(IMAGES, train=True, key=jax.random.key(0)), state)
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} == {jnp.dtype("float32")}
    assert features.pop("logits").dtype == jnp.float32
    assert {feature.dtype for feature in features.values()} == {jnp.dtype("bfloat16")}


def test_bfloat16_is_close_to_float32():
    name, options = TINY["resnet_cifar"]
    logits = []
    for dtype in (jnp.float32, jnp.bfloat16):
        structure, state = nnx.split(abstract_model(name, dtype=dtype, classes=5, **options))
        logits.append(jax.jit(lambda state, s=structure: nnx.merge(s, state)(IMAGES)["logits"])(values(state)))
    assert_close(logits[1], logits[0], "bfloat16")


def test_auxiliary_heads_speak_in_training_only():
    stages = {**BRANCHES, "stage2": [NormRow(4, 3)], "stage3": [NormRow(4, 3)]}
    model = abstract_model("googlenet", stages=stages, auxiliary_heads=True, classes=5)
    structure, state = nnx.split(model)

    def names(train):
        return set(jax.eval_shape(lambda state: nnx.merge(structure, state)(IMAGES, train=train), state))

    assert names(True) - names(False) == {"aux1", "aux2"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: create_model("resnet5"), r"no network is called 'resnet5'; did you mean resnet\d+"),
        (lambda: create_model("ResNet-50x"), "did you mean resnet50"),
        (lambda: create_model("vgg16", droput=0.1), "network 'vgg16' has no option 'droput'; did you mean dropout"),
        (lambda: abstract_model("lenet5")(jnp.zeros((1, 28, 28, 3))), r"takes images \[B, H, W, 1\]"),
    ],
)
def test_misuse_is_explained(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_the_family_files_are_imported_only_when_needed():
    import subprocess
    import sys

    code = "import sys, seqnets.models.registry as r; r.model_names(); assert not any('cnn' in m for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

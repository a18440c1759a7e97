"""Frozen parameters, and parameters that move slower than the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets import TrainConfig
from seqnets.errors import UserError
from seqnets.named_arrays import host_arrays, named_arrays
from seqnets.nn import BatchNorm, Chain, Dense
from seqnets.train import fit
from seqnets.train.selection import matching
from seqnets.train.state import initial_state

HARSH = {
    "steps": 6, "batch_size": 8, "clip_norm": 0.1, "weight_decay": 0.1, "averaging": 0.9, "learning_rate": 0.1, "log_every": 1
}  # fmt: skip


class Net(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.stem = Chain([Dense(3, 4, rngs=rngs), BatchNorm(4)])
        self.stage1 = Chain([Dense(4, 4, rngs=rngs), BatchNorm(4)])
        self.logits = Dense(4, 2, rngs=rngs)

    def __call__(self, x, *, train=False):
        return self.logits(self.stage1(self.stem(x, train=train), train=train))


class Rows:
    def batch(self, step):
        rng = np.random.default_rng(step)
        return rng.normal(3, 2, (8, 3)).astype(np.float32), rng.normal(size=(8, 2)).astype(np.float32)


class NetTask:
    name, objective, maximize, units = "net", "error", False, "rows"

    def __init__(self):
        self.model = Net()

    def batches(self, batch_size, seed, rows=slice(None)):
        return Rows()

    def units_per_step(self, batch_size):
        return batch_size

    def initial_carry(self, batch_size):
        return ()

    def loss(self, model, batch, carry, key):
        x, y = batch
        return jnp.mean(jnp.square(model(x, train=True) - y)), (carry, {})

    def evaluate(self, model, split):
        return {}

    def fingerprint(self):
        return {}

    def preview(self, model, seed):
        return ""

    def artifacts(self):
        return {"model": {"kind": "Net"}}


def changed(**settings):
    """The names of the arrays, batch statistics included, that training changed."""
    task = NetTask()
    before = host_arrays(nnx.state(task.model))
    after = host_arrays(nnx.state(fit(task, TrainConfig(**HARSH | settings), progress=None).model))
    assert before.keys() == after.keys()
    return {name for name in before if before[name].tobytes() != after[name].tobytes()}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_frozen_arrays_and_their_statistics_stay_bit_for_bit(optimizer):
    everything = set(named_arrays(nnx.state(Net())))
    moving = {"stage1.1.mean", "stage1.1.var"}
    assert changed(optimizer=optimizer) == everything
    frozen = changed(optimizer=optimizer, freeze=("stem", "stage1.*.bias"))
    # of stage1's norm only the bias is frozen, so its statistics go on
    kept = {name for name in everything if name.startswith("stem.")} | {"stage1.0.bias", "stage1.1.bias"}
    assert frozen == everything - kept
    assert moving <= frozen


def test_frozen_parameters_have_no_moments_and_no_average():
    config = TrainConfig(**HARSH | {"freeze": ("stem", "stage1")})
    state = initial_state(NetTask(), config)[1]
    for part in (state.params, state.average):
        assert set(named_arrays(part)) == {"logits.kernel", "logits.bias"}
    assert not any("stem" in name or "stage1" in name for name in named_arrays(state.optimizer))


def first_figures(**settings):
    return fit(NetTask(), TrainConfig(**HARSH | {"steps": 1} | settings), progress=None).metrics[0]


def test_the_gradient_norm_is_that_of_the_trained_parameters():
    task = NetTask()
    x, y = Rows().batch(0)
    for norm in (task.model.stem[1], task.model.stage1[1]):
        norm.frozen = True
    graphdef, params, rest = nnx.split(task.model, nnx.Param, ...)

    def loss(params):
        return jnp.mean(jnp.square(nnx.merge(graphdef, params, rest)(x, train=True) - y))

    gradients = {name: np.float64(g) for name, g in host_arrays(jax.grad(loss)(params)).items() if name.startswith("logits")}
    expected = np.sqrt(sum(np.square(g).sum() for g in gradients.values()))
    assert first_figures(freeze=("stem", "stage1"))["gradient_norm"] == pytest.approx(expected, rel=1e-5)


def test_multipliers_scale_the_updates():
    plain = {"steps": 1, "optimizer": "sgd", "momentum": 0.0, "clip_norm": 0.0, "averaging": 0.0, "schedule": "constant"}

    def moves(**settings):
        before = host_arrays(nnx.state(Net(), nnx.Param))
        after = fit(NetTask(), TrainConfig(**HARSH | plain | settings), progress=None).model
        return {name: array - before[name] for name, array in host_arrays(nnx.state(after, nnx.Param)).items()}

    full, scaled = moves(), moves(rate_multipliers=("*=0.5", "stem.*=0.1", "logits.bias=2"))
    for name in full:
        factor = 0.1 if name.startswith("stem") else 2 if name == "logits.bias" else 0.5
        np.testing.assert_allclose(scaled[name], factor * full[name], rtol=2e-3, atol=1e-7)


MISTAKES = [
    ({"freeze": ("stege1.*",)}, "train.freeze: 'stege1.*' matches no parameter to train; did you mean stage1"),
    ({"freeze": ("encoder",)}, "the model has logits, stage1, stem"),
    ({"freeze": ("*",)}, "train.freeze * leaves nothing to train"),
    ({"rate_multipliers": ("stam=0.1",)}, "train.rate_multipliers: 'stam' matches no parameter to train; did you mean stem"),
    ({"freeze": ("stem",), "rate_multipliers": ("stem=0.1",)}, "'stem' matches no parameter to train"),
]


@pytest.mark.parametrize(("settings", "message"), MISTAKES)
def test_a_pattern_without_parameters_is_refused_before_anything_is_written(settings, message, tmp_path):
    with pytest.raises(UserError) as error:
        fit(NetTask(), TrainConfig(**HARSH | settings), directory=tmp_path / "run", progress=None)
    assert message in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("setting", ["stem.*", "stem=", "=0.1", "stem=-1", "stem=0", "stem=x", "stem=nan", "stem=inf"])
def test_a_multiplier_of_another_form_is_refused(setting):
    with pytest.raises(UserError, match=r"train\.rate_multipliers: .* is not PATTERN=FACTOR"):
        TrainConfig(rate_multipliers=(setting,))


def test_a_pattern_also_means_what_lies_below():
    names = ["stem.0.kernel", "stem.0.bias", "stem2.kernel"]
    assert matching("stem", names) == names[:2]
    assert matching("st*", names) == names
    assert matching("stem.1", names) == []

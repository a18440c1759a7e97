"""Optimizers against torch's, which were written apart from optax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.named_arrays import named_arrays
from seqnets.nn import HighwayCell
from seqnets.optimizers import OPTIMIZERS, readers
from seqnets.train.config import TrainConfig
from seqnets.train.optimizer import optimizer

torch = pytest.importorskip("torch")

RATE = 0.1
CASES = {
    "sgd": ({"optimizer": "sgd", "momentum": 0.0}, lambda p: torch.optim.SGD(p, RATE)),
    "momentum": ({"optimizer": "sgd", "momentum": 0.8}, lambda p: torch.optim.SGD(p, RATE, momentum=0.8)),
    "nesterov": (
        {"optimizer": "sgd", "momentum": 0.8, "nesterov": True},
        lambda p: torch.optim.SGD(p, RATE, momentum=0.8, nesterov=True),
    ),
    "rmsprop": (
        {"optimizer": "rmsprop", "momentum": 0.7, "beta2": 0.9},
        lambda p: torch.optim.RMSprop(p, RATE, alpha=0.9, momentum=0.7),
    ),
    "adam": ({"optimizer": "adam", "beta2": 0.99}, lambda p: torch.optim.Adam(p, RATE, betas=(0.9, 0.99))),
    "adam with l2": (
        {"optimizer": "adam", "weight_decay": 0.1},
        lambda p: torch.optim.Adam([{"params": p[:1], "weight_decay": 0.1}, {"params": p[1:]}], RATE),
    ),
    "adamw": (
        {"optimizer": "adamw", "weight_decay": 0.1},
        lambda p: torch.optim.AdamW([{"params": p[:1], "weight_decay": 0.1}, {"params": p[1:], "weight_decay": 0.0}], RATE),
    ),
    "nesterov by name": (
        {"optimizer": "nesterov", "momentum": 0.8},
        lambda p: torch.optim.SGD(p, RATE, momentum=0.8, nesterov=True),
    ),
    "adagrad": ({"optimizer": "adagrad"}, lambda p: torch.optim.Adagrad(p, RATE)),
}


def _gradients(count=6):
    rng = np.random.default_rng(0)
    return [{"bias": rng.normal(size=3), "kernel": 5 * rng.normal(size=(2, 3))} for _ in range(count)]


def _ours(settings, params, gradients):
    rule = optimizer(TrainConfig(**{"clip_norm": 0.0, **settings}))
    state = rule.init(params)
    for gradient in gradients:
        directions, state = rule.update({k: g.astype(np.float32) for k, g in gradient.items()}, state, params)
        params = {name: params[name] - RATE * directions[name] for name in params}
    return params


def _torchs(make, params, gradients, clip=lambda leaves: None):
    leaves = [torch.tensor(params[name], requires_grad=True) for name in ("kernel", "bias")]
    theirs = make(leaves)
    for gradient in gradients:
        for leaf, name in zip(leaves, ("kernel", "bias")):
            leaf.grad = torch.tensor(gradient[name].astype(np.float32))
        clip(leaves)
        theirs.step()
    return dict(zip(("kernel", "bias"), (leaf.detach().numpy() for leaf in leaves)))


def _start():
    return {"bias": np.ones(3, np.float32), "kernel": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)}


@pytest.mark.parametrize("case", CASES)
def test_optimizer_equals_torchs(case):
    settings, make = CASES[case]
    ours, theirs = _ours(settings, _start(), _gradients()), _torchs(make, _start(), _gradients())
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=2e-5, atol=2e-6)


def _first_values_then_the_norm(leaves):
    torch.nn.utils.clip_grad_value_(leaves, 0.5)
    torch.nn.utils.clip_grad_norm_(leaves, 0.9)


@pytest.mark.parametrize(
    ("settings", "clip"),
    [
        ({"clip_norm": 1.5}, lambda leaves: torch.nn.utils.clip_grad_norm_(leaves, 1.5)),
        ({"clip_value": 0.5}, lambda leaves: torch.nn.utils.clip_grad_value_(leaves, 0.5)),
        ({"clip_value": 0.5, "clip_norm": 0.9}, _first_values_then_the_norm),
    ],
)
def test_clipping_equals_torchs(settings, clip):
    ours = _ours({"optimizer": "sgd", "momentum": 0.0, **settings}, _start(), _gradients())
    theirs = _torchs(lambda p: torch.optim.SGD(p, RATE), _start(), _gradients(), clip)
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ["adamw", "sgd", "lamb"])
def test_kernels_decay_and_neither_biases_nor_scales(name):
    """The biases and scales of a highway cell are matrices, too: one row for each layer of its depth."""
    cell = HighwayCell(3, 4, depth=3, layer_norm=True, rngs=nnx.Rngs(0))
    params = jax.tree.map(jnp.ones_like, nnx.state(cell, nnx.Param))
    rule = optimizer(TrainConfig(optimizer=name, weight_decay=0.1))
    directions, _ = rule.update(jax.tree.map(jnp.zeros_like, params), rule.init(params), params)
    moved = {path for path, direction in named_arrays(directions).items() if np.any(direction)}
    assert moved == {"kernel", "recurrent_kernel"}
    assert params["depth_bias"][...].ndim == 2


def _lion(param, gradients, decay):
    moment = np.zeros_like(param)
    for gradient in gradients:
        step = np.sign(0.9 * moment + 0.1 * gradient)
        moment = 0.99 * moment + 0.01 * gradient
        param = param - RATE * (step + decay * param)
    return param


def _lamb(param, gradients, decay):
    first, second = np.zeros_like(param), np.zeros_like(param)
    for t, gradient in enumerate(gradients, 1):
        first, second = 0.9 * first + 0.1 * gradient, 0.99 * second + 0.01 * gradient**2
        step = first / (1 - 0.9**t) / (np.sqrt(second / (1 - 0.99**t)) + 1e-8) + decay * param
        param = param - RATE * np.linalg.norm(param) / np.linalg.norm(step) * step
    return param


def _muon(param, gradients, decay):
    """Jordan et al., 2024: five Newton-Schulz steps on Nesterov's momentum (bias-corrected), scaled by the shape."""
    moment = np.zeros_like(param)
    for t, gradient in enumerate(gradients, 1):
        moment = 0.9 * moment + 0.1 * gradient
        x = 0.9 * moment / (1 - 0.9 ** (t + 1)) + 0.1 * gradient / (1 - 0.9**t)
        x = x / np.linalg.norm(x)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
        param = param - RATE * (x * np.sqrt(max(1, param.shape[1] / param.shape[0])) + decay * param)
    return param


@pytest.mark.parametrize(("name", "loop"), [("lion", _lion), ("lamb", _lamb), ("muon", _muon)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_optimizer_equals_a_loop_in_float64(name, loop, decay):
    settings = {"optimizer": name, "beta2": 0.99, "momentum": 0.9, "weight_decay": decay}
    ours = _ours(settings, _start(), _gradients())["kernel"]
    theirs = loop(_start()["kernel"].astype(np.float64), [gradient["kernel"] for gradient in _gradients()], decay)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", [*(name for name in OPTIMIZERS if name != "muon"), pytest.param("muon", marks=pytest.mark.slow)])
def test_every_optimizer_descends(name):
    params, target = {"kernel": np.ones((3, 4), np.float32), "bias": np.ones(4, np.float32)}, 0.5
    rule = optimizer(TrainConfig(optimizer=name))
    state = rule.init(params)
    for _ in range(200):
        directions, state = rule.update({key: param - target for key, param in params.items()}, state, params)
        params = {key: params[key] - 0.02 * directions[key] for key in params}
    assert max(float(np.abs(param - target).max()) for param in params.values()) < 0.25


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_help_names_the_settings_that_an_optimizer_reads(name):
    usual = {"optimizer": name, "momentum": 0.9, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3}
    others = {"momentum": 0.1, "beta1": 0.2, "beta2": 0.3, "epsilon": 1e-1, "nesterov": True}
    wanted = _ours(usual, _start(), _gradients())
    for setting, value in others.items():
        found = _ours(usual | {setting: value}, _start(), _gradients())
        changes = any(np.abs(found[key] - wanted[key]).max() > 1e-6 for key in found)
        assert changes == (name in readers(setting)), setting

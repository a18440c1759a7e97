"""Optimizers against torch's, which were written apart from optax."""

import numpy as np
import pytest

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


@pytest.mark.parametrize(
    ("settings", "clip"),
    [
        ({"clip_norm": 1.5}, lambda leaves: torch.nn.utils.clip_grad_norm_(leaves, 1.5)),
        ({"clip_value": 0.5}, lambda leaves: torch.nn.utils.clip_grad_value_(leaves, 0.5)),
    ],
)
def test_clipping_equals_torchs(settings, clip):
    ours = _ours({"optimizer": "sgd", "momentum": 0.0, **settings}, _start(), _gradients())
    theirs = _torchs(lambda p: torch.optim.SGD(p, RATE), _start(), _gradients(), clip)
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=2e-5, atol=2e-6)

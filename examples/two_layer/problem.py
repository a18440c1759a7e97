"""The two-layer network that every script of this folder trains: the same data, the same steps, so the same losses.

h = max(x W_1, 0), loss = sum((h W_2 - y)^2), plain gradient descent at a rate of 1e-6.
"""

import sys
from collections.abc import Callable, Sequence

import numpy as np

N, D, H, C = 64, 1000, 100, 10
RATE, STEPS = 1e-6, 500
SHOWN = (0, 1, 10, 50, 100, 200, 300, 400, 499)


def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x `(N, D)`, y `(N, C)`, W_1 `(D, H)` and W_2 `(H, C)`, float64."""
    random = np.random.RandomState(0)
    return random.randn(N, D), random.randn(N, C), random.randn(D, H), random.randn(H, C)


def report(losses: Callable[[int], Sequence[float]]) -> None:
    """Print some of the losses; the number of steps is the program's only argument."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    for step, loss in enumerate(losses(steps)):
        if step in SHOWN or step == steps - 1:
            print(f"step {step:3d}  loss {loss:.6g}")

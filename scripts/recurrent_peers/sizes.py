"""The sizes at which recurrences are measured, the arithmetic that each needs, and who can be measured at what."""

from dataclasses import dataclass

VOCABULARY = 65
EMBEDDING = 64
GATES = {"lstm": 4, "gru": 3, "vanilla": 1, "highway": 2}
PASSES = {"forward": 1, "backward": 3, "train_step": 3, "sample": 1}


@dataclass(frozen=True)
class Size:
    """Batch B, steps T, hidden features H, layers."""

    batch: int
    steps: int
    hidden: int
    layers: int

    @property
    def characters(self) -> int:
        """Characters of one call."""
        return self.batch * self.steps


SIZES = {
    "a": Size(50, 50, 128, 2),
    "b": Size(50, 50, 256, 2),
    "c": Size(64, 128, 512, 2),
    "d": Size(1, 25, 100, 1),
    "g": Size(16, 1024, 768, 1),
    "s": Size(1, 256, 512, 2),  # to sample one text
    "t": Size(256, 32, 512, 2),  # to sample many
}

_ALL = frozenset(GATES)
_TORCH = _ALL - {"highway"}
PEERS = {
    "torch": {"train_step": _ALL, "forward": _ALL, "backward": _ALL, "sample": _TORCH},
    "torch_cells": {"sample": _TORCH},
    "flax": dict.fromkeys(("train_step", "forward", "backward"), _TORCH),
    "numpy": {"train_step": frozenset({"vanilla"})},
}


def weights(size: Size, cell: str) -> int:
    """Count the weights that every step multiplies by; the first layer's input product is a lookup."""
    gates = GATES[cell] * size.hidden
    return gates * size.hidden * (2 * size.layers - 1) + size.hidden * VOCABULARY


def products(size: Size, cell: str, work: str) -> float:
    """Count the floating-point operations of the matrix products in one call."""
    inputs = 0 if work == "sample" else EMBEDDING * GATES[cell] * size.hidden
    return 2.0 * size.characters * PASSES[work] * (weights(size, cell) + inputs)

"""The sizes at which recurrences are measured, and the arithmetic that each needs."""

from dataclasses import dataclass

VOCABULARY = 65
EMBEDDING = 64
GATES = {"lstm": 4, "gru": 3, "vanilla": 1, "highway": 2}


@dataclass(frozen=True)
class Size:
    """Batch B, steps T, hidden features H, layers."""

    batch: int
    steps: int
    hidden: int
    layers: int


SIZES = {
    "a": Size(50, 50, 128, 2),
    "b": Size(50, 50, 256, 2),
    "c": Size(64, 128, 512, 2),
    "d": Size(1, 25, 100, 1),
    "g": Size(16, 1024, 768, 1),
}


def products(size: Size, cell: str, work: str) -> float:
    """Count the floating-point operations of the matrix products in one call."""
    gates = GATES[cell]
    inputs = EMBEDDING + (size.layers - 1) * size.hidden
    recurrent = gates * size.hidden * (inputs + size.layers * size.hidden)
    output = size.hidden * VOCABULARY
    passes = {"forward": 1, "train_step": 3}[work]
    return 2.0 * size.batch * size.steps * passes * (recurrent + output)

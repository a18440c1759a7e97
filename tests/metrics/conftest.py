"""The reference figures of the COCO caption evaluation, and random captions."""

import json

import numpy as np
import pytest


@pytest.fixture(scope="session")
def fakecap(shared_data):
    """126 machine captions with their references, and what the reference code makes of them."""
    folder = shared_data / "metrics"
    given = json.loads((folder / "input_fakecap126.json").read_text(encoding="utf-8"))
    expected = json.loads((folder / "expected_fakecap126.json").read_text(encoding="utf-8"))
    return given["results"], given["refs"], expected


@pytest.fixture
def captions():
    """Hypotheses and references of images: repeated words, empty captions, words that no reference has."""
    draw = np.random.default_rng(0)

    def caption(words, longest):
        return [f"w{word}" for word in draw.integers(0, words, draw.integers(0, longest))]

    references = [[caption(7, 12) for _ in range(draw.integers(1, 5))] for _ in range(40)]
    return [caption(9, 14) for _ in references], references

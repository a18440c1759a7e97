from pathlib import Path

import numpy as np
import pytest
from flax import nnx

from seqnets.data import Vocabulary
from seqnets.models.char_lm import CharLM
from seqnets.run import Run

HOSTILE = "</script><!--\u2028<img src=x onerror=alert(1)>&amp;'\"`${1}\ud800é\n"
TEXT = 'It was a "dark" night.\nAnd (so) it went, 12 times; A </script> <b>bold</b> text.\n\n' * 12


@pytest.fixture(scope="session")
def run():
    model = CharLM(Vocabulary.from_text(TEXT), hidden_features=12, layers=2, rngs=nnx.Rngs(0))
    metrics = [{"step": step, "loss": 3 / step, "nats": 3 / step} for step in range(1, 9)] + [{"step": 8, "validation_nats": 0.5}]
    config = {"task": "text", "model": model.describe(), "train": {"clip_norm": 1.0}, "data": {"separator": ""}}
    return Run(model, config, model.vocabulary, None, metrics)


@pytest.fixture(scope="session")
def tokens(run):
    return np.asarray(run.vocabulary.encode(TEXT))


@pytest.fixture(scope="session")
def page(run, tokens):
    from seqnets.web import document

    return document(run, tokens, source="a test text")


def named(run, directory: Path):
    return Run(run.model, run.config, run.vocabulary, directory, run.metrics)

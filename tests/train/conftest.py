"""The tiny task, for every test of training."""

import importlib.util
import sys
from pathlib import Path

import pytest

TINY = Path(__file__).with_name("tiny_task.py")


def _import_tiny():
    spec = importlib.util.spec_from_file_location("tiny_task", TINY)
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny_task"] = module
    spec.loader.exec_module(module)
    return module


_tiny = _import_tiny()


class Recorder:
    """Keeps what the loop reports."""

    wants_preview = True

    def __init__(self):
        self.statuses, self.validations, self.sentences, self.previews, self.closed = [], [], [], [], False

    def update(self, status):
        self.statuses.append(status)

    def validated(self, step, figures, best):
        self.validations.append((step, figures, best))

    def preview(self, text):
        self.previews.append(text)

    def tell(self, sentence):
        self.sentences.append(sentence)

    def close(self):
        self.closed = True


@pytest.fixture
def tiny():
    """The module of the tiny task."""
    return _tiny


@pytest.fixture
def recorder():
    """A progress that keeps what the loop reports."""
    return Recorder


@pytest.fixture
def tiny_program():
    """The command that trains the tiny task."""
    return [sys.executable, str(TINY)]


@pytest.fixture
def trained(tiny):
    """Trains the tiny task in memory or in a folder and returns the run; any setting can be given."""
    from seqnets import TrainConfig
    from seqnets.train import fit

    def train(directory=None, *, task=None, progress=None, resume="auto", **settings):
        settings = {"steps": 30, "batch_size": 4, "learning_rate": 0.05, "log_every": 5, "save_every": 10} | settings
        return fit(task or tiny.TinyTask(), TrainConfig(**settings), directory=directory, progress=progress, resume=resume)

    return train

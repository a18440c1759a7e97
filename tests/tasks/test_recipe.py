"""The last words of training: figures that are not finite, and names with braces."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from seqnets.tasks.captioner import recipe as captioner
from seqnets.tasks.captioner.config import CaptionerRunConfig
from seqnets.tasks.recipe import last_words


def run(*metrics, directory="runs/a"):
    return SimpleNamespace(metrics=metrics, directory=Path(directory))


def test_the_best_line_is_shown():
    lines = ({"step": 1, "validation_nats": 2.0}, {"step": 2, "validation_nats": 1.0}, {"step": 3, "loss": 0.5})
    assert last_words(run(*lines), "nats", [], choose=min).startswith("validation: nats 1.0000 at step 2\n")


@pytest.mark.parametrize(
    ("metrics", "first"),
    [
        (
            [{"step": 1, "validation_accuracy": 0.5, "validation_nats": None}],
            "validation: accuracy 0.5000, nats not finite at step",
        ),
        ([{"step": 1, "validation_accuracy": None, "validation_nats": 1.0}], "the run is in runs/a; now try"),
        (
            [{"step": 1, "validation_accuracy": None}, {"step": 2, "validation_accuracy": 0.0}],
            "validation: accuracy 0.0000, nats",
        ),
        ([], "the run is in runs/a; now try"),
    ],
)
def test_a_figure_that_is_not_finite(metrics, first):
    assert last_words(run(*metrics), "accuracy nats", []).startswith(first)


@pytest.mark.parametrize("folder", ["photos{1}", "{a}", "{", "}{run", "{{}}", "%s"])
def test_folders_with_braces(folder):
    words = captioner.closing(run(directory="runs/{0}"), CaptionerRunConfig(images=folder, captions="c.csv"))
    assert words.splitlines()[-1].split("--out")[0].replace("'", "") == f"  seqnets caption runs/{{0}} {folder} "

"""When training says that a model learns its examples by heart."""

import pytest

from seqnets.train.overfitting import overfitting


def lines(losses, figures, name="nats"):
    """Return metrics with a line of training and one of validation at every step."""
    both = zip(losses, figures)
    return [
        line
        for step, (loss, figure) in enumerate(both, 1)
        for line in ({"step": step, "loss": loss}, {"step": step, f"validation_{name}": figure})
    ]


@pytest.mark.parametrize(
    ("losses", "figures", "says"),
    [
        ((2.0, 1.5, 1.0), (2.0, 1.8, 2.2), True),
        ((2.0, 1.5, 1.0), (2.0, 1.8, 1.7), False),  # still improving
        ((2.0, 1.5, 1.0), (2.0, 1.8, 1.81), False),  # half a percent worse
        ((2.0, 1.5, 1.6), (2.0, 1.8, 2.2), False),  # training became worse too
        ((2.0, 1.5, float("nan")), (2.0, 1.8, 2.2), False),
        ((2.0, 1.0), (2.0, None), False),
        ((2.0,), (2.0,), False),
        ((), (), False),
    ],
)
def test_it_says_so_where_validation_rises_while_training_falls(losses, figures, says):
    assert (overfitting(lines(losses, figures), "nats", maximize=False) is not None) == says


def test_a_figure_to_maximize_falls():
    sentence = overfitting(lines((2.0, 1.5, 0.2), (0.5, 0.9, 0.8), "top1"), "top1", maximize=True)
    assert sentence
    assert "validation top1 was best at step 2 (0.9000) and is now 0.8000" in sentence

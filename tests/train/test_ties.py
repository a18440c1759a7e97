"""Of equally good weights the later are kept; patience counts a tie as no better."""

import pytest


@pytest.fixture
def level(tiny):
    class Level(tiny.TinyTask):
        def evaluate(self, model, split):
            return {"error": 0.0}

    return Level


def test_a_tie_keeps_the_later_weights(trained, level, tmp_path, recorder):
    progress = recorder()
    run = trained(tmp_path / "run", task=level(), evaluate_every=10, progress=progress)
    plain = trained(task=level(), evaluate_every=0)
    assert run.model.kernel[...].tolist() == plain.model.kernel[...].tolist()


def test_patience_ends_at_a_tie(trained, level):
    run = trained(task=level(), evaluate_every=5, patience=2)
    assert [line["step"] for line in run.metrics if "validation_error" in line] == [5, 10, 15]

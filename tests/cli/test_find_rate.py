"""`seqnets find-rate`, for the arguments of any training command."""

import json

import pytest

SMALL = ("--train.batch-size", 4, "--data.window", 16, "--model.hidden-features", 16)


def test_a_table_a_suggestion_a_figure_and_no_run(seqnets, corpus, tmp_path):
    outcome = seqnets("find-rate", corpus, *SMALL, "--trials", 60, "--low", 1e-5, "--figure", "rate.png")
    assert outcome.code == 0
    header, *rows, spark, fastest, advice = outcome.out.splitlines()
    assert header.split() == ["learning", "rate", "loss", "smoothed"]
    assert len(rows) == 20
    assert float(rows[0].split()[0]) == 1e-5
    assert spark.startswith("smoothed loss: ")
    rate = float(fastest.split(";")[0].rpartition(" ")[2])
    assert 1e-4 < rate < 1
    assert advice.endswith(f"--train.learning-rate {rate:.3g}")
    assert (tmp_path / "rate.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "runs").exists()


def test_a_test_that_ends_too_early_says_so(seqnets, corpus):
    outcome = seqnets("find-rate", corpus, *SMALL, "--trials", 12, "--high", 0.01)
    assert "the loss was still falling at the last rate" in outcome.out


def test_json(seqnets, corpus):
    found = json.loads(seqnets("find-rate", corpus, *SMALL, "--trials", 5, "--high", 1e-4, "--json").out)
    assert [trial["rate"] for trial in found["trials"]] == pytest.approx([1e-6, 10**-5.5, 1e-5, 10**-4.5, 1e-4])
    assert set(found) == {"steepest", "tenth_of_lowest", "trials"}


def test_other_tasks_and_their_configurations(seqnets, tmp_path):
    (tmp_path / "texts.csv").write_text("text,label\n" + "good day,yes\nbad night,no\n" * 20)
    outcome = seqnets("find-rate", "text-classifier", "texts.csv", "--trials", 4, "--model.hidden-features", 8)
    assert (outcome.code, len(outcome.out.splitlines()) >= 6) == (0, True)
    (tmp_path / "small.toml").write_text('task = "translator"\n[model]\nhidden_features = 8\n[train]\nlearning_rate = 0.5\n')
    outcome = seqnets("find-rate", "--config", "small.toml", "--trials", 4)
    assert (outcome.code, not (tmp_path / "runs").exists()) == (0, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--low", 1, "--high", 0.1), "low (1) must be less than high (0.1)"),
        (("--figure", "absent/rate.png"), "the folder 'absent' does not exist"),
        (("--figure", "rate.doc"), "cannot draw a 'doc'"),
        (("--out", "runs/a"), "unknown option '--out'"),
        (("--trails", 3), "did you mean '--trials'?"),
    ],
)
def test_what_cannot_be_is_one_sentence(seqnets, corpus, words, message):
    outcome = seqnets("find-rate", corpus, *SMALL, *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err

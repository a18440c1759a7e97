"""`seqnets evaluate`: the same figures as training and as the library, and what bad input gets."""

import json

import pytest

from seqnets.decode import DynamicConfig, dynamic_score, score
from seqnets.run import load

TRAIN = ("--train.steps", 30, "--train.batch-size", 4, "--data.window", 16, "--model.hidden-features", 16)
TEXT = "one two three four five six seven\n" * 60
KEYS = {"nats", "bits_per_char", "perplexity", "characters"}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    from seqnets.cli.main import main

    path = tmp_path_factory.mktemp("runs") / "numbers"
    source = path.with_suffix(".txt")
    source.write_text(TEXT)
    fractions = ("--data.validation-fraction", 0.2, "--data.test-fraction", 0.1)
    assert main([str(word) for word in ("train", source, "--out", path, *TRAIN, *fractions)]) == 0
    return path


def figures(outcome) -> dict:
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


def test_validation_is_the_figure_of_training(seqnets, run_folder):
    result = figures(seqnets("evaluate", run_folder, "--split", "validation", "--json"))
    trained = [line["validation_nats"] for line in load(run_folder).metrics if "validation_nats" in line]
    assert set(result) > KEYS
    assert result["nats"] == pytest.approx(min(trained), abs=1e-6)  # the file has six digits
    assert result["characters"] == round(0.2 * len(TEXT)) - 1
    assert figures(seqnets("evaluate", run_folder, "--json")) == result


@pytest.mark.parametrize(("split", "share"), [("train", 0.7), ("test", 0.1)])
def test_splits_by_name(seqnets, run_folder, split, share):
    assert figures(seqnets("evaluate", run_folder, "--split", split, "--json"))["characters"] == pytest.approx(
        share * len(TEXT) - 1, abs=1
    )


def test_a_file_is_scored_whole(seqnets, run_folder, tmp_path):
    (tmp_path / "other.txt").write_text("seven six five\n" * 9)
    run = load(run_folder)
    expected = score(run.model, run.vocabulary.encode("seven six five\n" * 9))
    for options in [(), ("--streams", 1), ("--streams", 3, "--warmup", 100)]:
        result = figures(seqnets("evaluate", run_folder, "other.txt", "--json", *options))
        assert result["nats"] == pytest.approx(expected.nats, abs=1e-5)
        assert result["characters"] == 9 * 15 - 1
    result = seqnets("evaluate", run_folder, "other.txt")
    assert result.out == f"other.txt: {expected}\n"


def test_dynamic_evaluation_is_marked(seqnets, run_folder):
    run = load(run_folder)
    validation = TEXT[round(0.7 * len(TEXT)) : round(0.9 * len(TEXT))]
    expected = dynamic_score(run.model, run.vocabulary.encode(validation), config=DynamicConfig(segment=20))
    result = figures(seqnets("evaluate", run_folder, "--dynamic.segment", 20, "--json"))
    assert result["dynamic"]["nats"] == pytest.approx(expected.nats, abs=1e-6)
    assert result["nats"] == figures(seqnets("evaluate", run_folder, "--json"))["nats"]
    assert "dynamic evaluation:" in seqnets("evaluate", run_folder, "--dynamic").out


def test_unknown_characters(seqnets, run_folder, tmp_path):
    (tmp_path / "other.txt").write_text("one twoé three")
    outcome = seqnets("evaluate", run_folder, "other.txt")
    assert outcome.code == 2
    assert "'é' (at byte 7 of" in outcome.err
    assert figures(seqnets("evaluate", run_folder, "other.txt", "--unknown", "skip", "--json"))["characters"] == 12


def test_a_text_that_has_changed_is_refused(seqnets, run_folder):
    source = run_folder.with_suffix(".txt")
    source.write_text(TEXT.replace("two", "owt"))
    outcome = seqnets("evaluate", run_folder)
    assert (outcome.code, "has changed since" in outcome.err) == (2, True)
    source.unlink()
    outcome = seqnets("evaluate", run_folder)
    assert (outcome.code, "cannot be read again" in outcome.err) == (2, True)
    source.write_text(TEXT)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("absent.txt",), "absent.txt"),
        (("a.txt", "--split", "test"), "leave one out"),
        (("--split", "all"), "--split must be one of"),
        (("--streams", 0), "streams must be"),
        (("--dynamic.rule", "adam"), "--dynamic.rule must be 'rms' or 'sgd'"),
        (("--dynamc",), "did you mean '--dynamic'?"),
    ],
)
def test_what_cannot_be_gets_one_sentence(seqnets, run_folder, words, sentence):
    outcome = seqnets("evaluate", run_folder, *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("policy", "scored", "words"),
    [
        ("skip", 17, "12 of 30 characters are unknown to the model and left out"),
        ("replace", 29, "12 of 30 characters are unknown to the model and replaced"),
    ],
)
def test_unknown_characters_are_counted_and_reported(seqnets, run_folder, tmp_path, policy, scored, words):
    (tmp_path / "other.txt").write_text("one éΩéΩ  "[:10] * 3)
    result = seqnets("evaluate", run_folder, "other.txt", "--unknown", policy)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[1] == f"other.txt: {words}"
    result = figures(seqnets("evaluate", run_folder, "other.txt", "--unknown", policy, "--json"))
    assert (result["unknown"], result["characters"]) == (12, scored)
    (tmp_path / "known.txt").write_text("one two")
    assert len(seqnets("evaluate", run_folder, "known.txt", "--unknown", policy).out.splitlines()) == 1
    assert figures(seqnets("evaluate", run_folder, "known.txt", "--unknown", policy, "--json"))["unknown"] == 0


def test_too_many_streams_are_refused_at_once(seqnets, run_folder, tmp_path):
    (tmp_path / "known.txt").write_text("one two")
    outcome = seqnets("evaluate", run_folder, "known.txt", "--streams", 1_000_000_000)
    assert (outcome.code, outcome.err) == (2, "seqnets: streams must be at least 1 and at most 65,536, not 1000000000\n")

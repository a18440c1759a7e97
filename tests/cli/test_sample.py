"""`seqnets sample`: what other programs may rely on, and what bad input gets."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from seqnets.decode import beam_search, sample
from seqnets.run import load

TRAIN = ("--train.steps", 30, "--train.batch-size", 4, "--data.window", 16, "--model.hidden-features", 16)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return _trained(tmp_path_factory.mktemp("runs") / "numbers", "one two three four five six seven\n" * 60)


@pytest.fixture(scope="module")
def documents_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("documents") / "documents"
    return _trained(path, "one two|three four|five six seven|" * 60, "--data.separator", "|")


def _trained(path, text, *options):
    from seqnets.cli.main import main

    source = path.with_suffix(".txt")
    source.write_text(text)
    assert main([str(word) for word in ("train", source, "--out", path, *TRAIN, *options)]) == 0
    return path


def test_prompt_and_exactly_the_new_characters_and_nothing_else(seqnets, run_folder):
    words = ("sample", run_folder, "--prompt", "one", "--length", 50, "--temperature", 0.8, "--seed", 1)
    first, again = seqnets(*words), seqnets(*words)
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("one")
    assert len(first.out) == 3 + 50
    assert first.out == again.out
    assert seqnets(*words, "--no-prompt").out == first.out[3:]
    assert seqnets(*words[:-1], 2).out != first.out


def test_text_is_that_of_the_library(seqnets, run_folder):
    import jax

    expected = sample(load(run_folder).model, "one", length=40, top_p=0.9, temperature=0.7, key=jax.random.key(5))
    words = ("--prompt", "one", "--length", 40, "--top-p", 0.9, "--temperature", 0.7, "--seed", 5, "--no-prompt")
    assert seqnets("sample", run_folder, *words).out == expected


def test_beams_are_those_of_the_library(seqnets, run_folder):
    best = beam_search(load(run_folder).model, "one", length=12, width=3)
    outcome = seqnets("sample", run_folder, "--prompt", "one", "--length", 12, "--beam", 3, "--samples", 2, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert [entry["text"] for entry in json.loads(outcome.out)] == [best[0].text, best[1].text]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--beam", 4, "--temperature", 0.5), "--temperature has no effect"),
        (("--beam", 4, "--seed", 1), "--seed has no effect"),
        (("--beam", 2, "--samples", 3), "fewer than --samples 3"),
    ],
)
def test_beams_refuse_what_only_drawing_uses(seqnets, run_folder, words, message):
    outcome = seqnets("sample", run_folder, *words)
    assert (outcome.code, message in outcome.err) == (2, True)


def test_a_seed_that_was_drawn_is_reported(seqnets, run_folder):
    drawn = seqnets("sample", run_folder, "--length", 40)
    seed = drawn.err.removeprefix("seqnets: seed ").strip()
    assert seqnets("sample", run_folder, "--length", 40, "--seed", seed).out == drawn.out


def test_samples_stand_one_after_the_other(seqnets, run_folder):
    words = ("sample", run_folder, "--prompt", "two", "--length", 20, "--seed", 3)
    texts = seqnets(*words, "--samples", 3).out.split("\n" + "-" * 72 + "\n")
    assert [len(text) for text in texts] == [23, 23, 23]
    assert texts[0] == seqnets(*words).out
    listed = json.loads(seqnets(*words, "--samples", 3, "--json").out)
    assert [entry["prompt"] + entry["text"] for entry in listed] == texts


def test_prompt_from_a_file_and_from_standard_input(seqnets, run_folder, tmp_path, monkeypatch):
    words = ("sample", run_folder, "--length", 20, "--seed", 0)
    expected = seqnets(*words, "--prompt", "two\nthree").out
    (tmp_path / "prompt.txt").write_bytes(b"two\nthree")
    assert seqnets(*words, "--prompt-file", "prompt.txt").out == expected
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"two\nthree")))
    assert seqnets(*words, "--prompt-file", "-").out == expected


def test_stop_strings_understand_escapes(seqnets, run_folder):
    words = ("sample", run_folder, "--prompt", "one", "--length", 300, "--seed", 4, "--no-prompt")
    whole = seqnets(*words).out
    assert "\n" in whole
    assert seqnets(*words, "--stop", r"\n", "--stop", "never there").out == whole[: whole.index("\n")]


def test_documents_begin_after_the_separator(seqnets, documents_folder):
    import jax

    model = load(documents_folder).model
    separator = tuple(model.vocabulary.encode("|").tolist())
    expected = sample(model, "", length=60, key=jax.random.key(2), separator=separator)
    assert "|" in expected[:-1]
    assert seqnets("sample", documents_folder, "--length", 60, "--seed", 2).out == expected


@pytest.mark.parametrize("words", [("--length", 0), ("--prompt", ""), ("--prompt", "one two " * 500, "--no-prompt")])
def test_extremes_are_no_faults(seqnets, run_folder, words):
    outcome = seqnets("sample", run_folder, "--length", 5, "--seed", 0, *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert len(outcome.out) == (0 if "--length" in words else 5)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--temperature", -1), "temperature must be"),
        (("--temperature", "hot"), "--temperature must be a number"),
        (("--top-p", 1.5), "top_p must be above 0 and at most 1"),
        (("--top-k", 0), "top_k must be"),
        (("--length", -1), "length must be"),
        (("--samples", 0), "--samples must be at least 1"),
        (("--seed", -1), "--seed must be"),
        (("--stop", ""), "stop string"),
        (("--temprature", 1), "did you mean '--temperature'?"),
        (("--prompt", "one é"), "no character 'é' (at byte 4 of the prompt)"),
        (("--prompt", "a", "--prompt-file", "b"), "leave one out"),
        (("--prompt-file", "absent.txt"), "absent.txt"),
    ],
)
def test_what_cannot_be_gets_one_sentence(seqnets, run_folder, words, sentence):
    outcome = seqnets("sample", run_folder, *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_run_that_is_none(seqnets, tmp_path):
    assert "is not a folder" in seqnets("sample", "absent").err
    outcome = seqnets("sample", tmp_path)
    assert (outcome.code, "is not a run folder" in outcome.err) == (2, True)


def test_a_prompt_file_that_is_not_utf8(seqnets, run_folder, tmp_path):
    (tmp_path / "latin.txt").write_bytes("one é".encode("latin-1"))
    outcome = seqnets("sample", run_folder, "--prompt-file", "latin.txt")
    assert (outcome.code, "not UTF-8 (at byte 4)" in outcome.err) == (2, True)


def test_unknown_characters_can_be_skipped(seqnets, run_folder):
    words = ("sample", run_folder, "--length", 20, "--seed", 0, "--no-prompt")
    assert seqnets(*words, "--prompt", "oné", "--unknown", "skip").out == seqnets(*words, "--prompt", "on").out


def _start(run_folder):
    words = ("sample", run_folder, "--length", 50_000_000, "--seed", 0)
    command = [sys.executable, "-m", "seqnets.cli", *map(str, words)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True)
    assert process.stdout.read(50)
    return process


def test_text_streams_and_a_reader_that_leaves_is_no_fault(run_folder):
    with _start(run_folder) as process:
        process.stdout.close()
        assert process.wait(timeout=20) == 141
        assert process.stderr.read() == b""


def test_an_interrupt_leaves_at_once(run_folder):
    with _start(run_folder) as process:
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == b"seqnets: interrupted\n"
    assert time.monotonic() - begin < 5


def test_stop_texts_understand_the_escapes_of_the_separator(seqnets, run_folder):
    words = ("sample", run_folder, "--length", 60, "--seed", 3, "--no-prompt")
    free = seqnets(*words).out
    stop = next(text for text in ("e ", "o ", "n", "e") if text in free)
    for typed in (stop, "".join(f"\\x{ord(c):02x}" for c in stop), "".join(f"\\u{ord(c):04x}" for c in stop)):
        assert seqnets(*words, "--stop", typed).out == free.partition(stop)[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--stop", r"\0"), r"the stop string '\x00' can never occur: the model has no character '\x00'"),
        (("--stop", r"\q"), r"--stop has an unknown escape '\q'; known are \n \t \r \0 \\ \xNN \uNNNN"),
        (("--stop", "Ω"), "the stop string 'Ω' can never occur: the model has no character 'Ω'"),
        (("--stop", "Ω", "--beam", 2), "the stop string 'Ω' can never occur: the model has no character 'Ω'"),
        (("--prompt", r"one\ntwo"), r"use $'...\n...' of the shell, or a file"),
        (("--prompt", "one\udce9"), "the prompt is not UTF-8"),
        (("--prompt", "one e\u0301"), "no character U+0301 (COMBINING ACUTE ACCENT)"),
        (("--samples", 2_000_000_000), "--samples must be at least 1 and at most 65,536"),
        (("--beam", 2_000_000_000), "--beam must be at least 0 and at most 65,536"),
        (("--seed", 2**32), "--seed must be at least 0 and below 2^32"),
    ],
)
def test_what_cannot_be_sampled_is_refused_in_a_sentence(seqnets, run_folder, options, message):
    outcome = seqnets("sample", run_folder, "--length", 5, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err


def test_top_k_beyond_every_vocabulary_draws_from_all(seqnets, run_folder):
    words = ("sample", run_folder, "--length", 30, "--seed", 3)
    assert seqnets(*words, "--top-k", 10**12) == seqnets(*words)


def test_unknown_characters_of_a_prompt_are_counted(seqnets, run_folder):
    for beam in ((), ("--beam", 2)):
        outcome = seqnets("sample", run_folder, "--length", 5, "--prompt", "one Ω é", "--unknown", "skip", *beam)
        assert outcome.err.startswith("seqnets: of the prompt, 2 of 7 characters are unknown to the model and left out\n")


def test_the_sample_at_the_end_of_training_is_that_of_the_command(seqnets, documents_folder):
    from seqnets import settings
    from seqnets.tasks.text import TextRunConfig, a_sample

    config = settings.replaced(TextRunConfig(), settings.read(documents_folder / "config.toml"))
    words = ("sample", documents_folder, "--length", 500, "--seed", config.train.seed, "--temperature", 0.7)
    assert seqnets(*words).out == a_sample(load(documents_folder), config)[1]


@pytest.mark.parametrize("temperature", ["1e300", "1e-300", "1e38"])
def test_temperatures_at_the_ends_draw_without_a_warning(seqnets, run_folder, temperature):
    outcome = seqnets("sample", run_folder, "--temperature", temperature, "--length", 5, "--seed", 1)
    assert (outcome.code, outcome.err, len(outcome.out)) == (0, "", 5)

"""`seqnets sample --interactive`, as lines in a pipe and on a terminal."""

import io
import os
import select
import signal
import subprocess
import sys
import time

import pytest

SMALL = ("--train.steps", 30, "--train.batch-size", 4, "--data.window", 16, "--model.hidden-features", 16)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    from seqnets.cli.main import main

    path = tmp_path_factory.mktemp("runs") / "numbers"
    source = path.with_suffix(".txt")
    source.write_text("one two three four five six seven\n" * 60)
    assert main([str(word) for word in ("train", source, "--out", path, *SMALL)]) == 0
    return path


@pytest.fixture
def typed(seqnets, run_folder, monkeypatch):
    def run(*lines, options=("--seed", 1, "--length", 12, "--stop", r"\n")):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return seqnets("sample", run_folder, "--interactive", *options)

    return run


def answers(outcome) -> list[str]:
    assert outcome.code == 0
    return outcome.out.split("\n")[:-1]


@pytest.fixture
def drawn(seqnets, run_folder):
    def run(prompt, *words):
        words = ("--seed", 1, "--length", 12, "--stop", r"\n", "--no-prompt", *words)
        return seqnets("sample", run_folder, "--prompt", prompt, *words).out

    return run


def test_answers_are_those_of_sample_and_the_text_grows(typed, drawn):
    first, second = answers(typed("one ", " two"))
    assert first == drawn("one ")
    assert 0 < len(second) <= 12
    from_prompt = answers(typed(" two", options=("--seed", 1, "--length", 12, "--stop", r"\n", "--prompt", "one ")))
    assert from_prompt == [first, second]
    assert answers(typed("one ", " two", "/text"))[2] == f"one {first} two{second}"


def test_commands_change_the_drawing(typed, drawn, seqnets, run_folder):
    lines = ("/temperature 0.5", "/top-p 0.9", "/length 5", "/seed 7", "one ")
    assert answers(typed(*lines)) == [drawn("one ", "--temperature", 0.5, "--top-p", 0.9, "--length", 5, "--seed", 7)]
    words = ("--length", 12, "--stop", r"\n", "--no-prompt", "--beam", 3)
    likeliest = seqnets("sample", run_folder, "--prompt", "one ", *words).out
    assert answers(typed("/beam 3", "one ", "/beam 0", "/reset", "/seed 1", "one ")) == [likeliest, drawn("one ")]
    assert answers(typed("/top_k 2", "/top-k none", "one ")) == [drawn("one ")]


def test_back_and_again(typed, drawn):
    first, second, third = answers(typed("one ", "/again", "/undo", "/seed 1", "one "))
    assert first == third == drawn("one ")
    assert second != first
    outcome = typed("one ", "two ", "/undo", "/text", "/undo", "/text")
    assert outcome.out.split("\n")[2:4] == [f"one {first}", ""]
    assert f"the text now ends in {f'one {first}'!r}\n" in outcome.err
    assert "the text is empty\n" in outcome.err


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("/temprature 1", "there is no command /temprature; did you mean 'temperature'?"),
        ("/", "there is no command /"),
        ("/temperature hot", "/temperature must be a number, not 'hot'"),
        ("/top-p 3", "top_p must be above 0 and at most 1, not 3.0"),
        ("/length -1", "length must be at least 0"),
        ("/seed -1", "/seed must be at least 0"),
        ("/beam 100000", "/beam must be at least 0 and at most 65,536"),
        ("/stop \\q", r"/stop has an unknown escape '\q'"),
        ("/again", "there is no answer yet"),
        ("/undo", "there is no answer yet"),
        ("/quit now", "/quit takes no value, not 'now'"),
        ("é", "no character 'é' (at byte 0 of the prompt); train with --data.vocabulary bytes, or type /unknown skip"),
        ("//x", "no character '/'"),
        ("a\\q", r"the text has an unknown escape '\q'"),
        ("/temperature", "temperature 1.0"),
        ("/stop", r"stop '\n'"),
        ("/help", "/repetition-penalty none"),
    ],
)
def test_a_line_that_cannot_be_used_is_one_sentence_and_the_text_continues(typed, drawn, line, sentence):
    outcome = typed(line, "one ")
    assert sentence in outcome.err
    assert answers(outcome) == [drawn("one ")]
    assert line == "/help" or outcome.err.count("\n") == 1


def test_quit_and_the_end_of_input(typed):
    assert answers(typed("/quit", "one ")) == []
    assert answers(typed()) == []
    assert len(answers(typed("one", "", ""))) == 3


@pytest.mark.parametrize("option", [("--samples", 2), ("--json",), ("--prompt-file", "-"), ("--items", 3)])
def test_options_that_do_not_fit_are_refused(typed, option):
    outcome = typed("one ", options=option)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1


@pytest.mark.slow  # keys that meet a busy machine between two prompts are sometimes lost, as on any terminal
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
def test_on_a_terminal_ctrl_c_stops_the_drawing_and_ctrl_d_ends(run_folder):
    import pty

    ours, theirs = pty.openpty()
    words = ("sample", run_folder, "--interactive", "--seed", 1, "--length", 1_000_000)
    command = [sys.executable, "-m", "seqnets.cli", *map(str, words)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "TERM": "dumb"}
    program = (
        "import fcntl as f, os, sys, termios as t; os.setsid(); f.ioctl(0, t.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *command], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    seen = b""

    def until(wanted: bytes, seconds: float = 120) -> None:
        """Read up to a text, and drop everything before its end."""
        nonlocal seen
        end = time.monotonic() + seconds
        while wanted not in seen:
            assert time.monotonic() < end, seen[-500:]
            if select.select([ours], [], [], 1)[0]:
                try:
                    seen += os.read(ours, 1 << 16)
                except OSError:  # the process has ended
                    break
        seen = seen.partition(wanted)[2]

    try:
        until(b"> ")
        os.write(ours, b"one\r")
        until(b"seven")  # the answer streams, and would go on for a million characters
        os.write(ours, b"\x03")
        until(b"stopped; the text so far is kept")
        until(b"> ")
        os.write(ours, b"half a line")
        until(b"half a line")
        for _ in range(20):  # a signal between the echo and the wait for the next key is noted at that key: press again
            if b"\n> " not in seen:
                os.write(ours, b"\x03")  # nothing to stop: the line is left
                seen += os.read(ours, 1 << 16) if select.select([ours], [], [], 3)[0] else b""
        until(b"\n> ")
        # one line at a time, each after its own prompt: between two prompts the terminal is the shell's, which would keep ctrl-d
        os.write(ours, b"/temperature 0.25\r")
        until(b"/temperature 0.25\r\n")  # the echo; the command itself prints nothing
        until(b"> ")
        os.write(ours, b"/temperature\r")
        until(b"\r\ntemperature 0.25\r\n")
        until(b"> ")
        os.write(ours, b"\x1b[A\r")  # the last line again, from the history
        until(b"\r\ntemperature 0.25\r\n")
        until(b"> ")
        os.write(ours, b"\x04")
        assert process.wait(timeout=60) == 0
    finally:
        process.poll() is None and process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(ours)

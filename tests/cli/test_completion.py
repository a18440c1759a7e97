"""`seqnets completion`, run by the shells themselves."""

import os
import select
import shutil
import subprocess
import time

import pytest

from seqnets.cli.completion import SHELLS, script
from seqnets.cli.verbs import VERBS

CASES = [
    ("seqnets fin", {"find-rate"}),
    ("seqnets help sam", {"sample"}),
    ("seqnets completion ", set(SHELLS)),
    ("seqnets train text-c", {"text-classifier"}),
    ("seqnets train names", {"names.txt"}),
    ("seqnets train tagger names", {"names.txt"}),
    ("seqnets find-rate capt", {"captioner"}),
    ("seqnets train names.txt --model.cell min", {"mingru", "minlstm"}),
    ("seqnets train tagger --model.zone", {"--model.zoneout"}),
    ("seqnets train names.txt --items par", {"paragraphs"}),
    ("seqnets train names.txt --train.nesterov tr", {"true"}),
    ("seqnets sample runs/one --top-", {"--top-k", "--top-p"}),
    ("seqnets sample runs/one --unknown sk", {"skip"}),
    ("seqnets sample runs/one --prompt-file na", {"names.txt"}),
    ("seqnets compare runs/one runs/t", {"runs/two"}),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completion")
    (folder / "names.txt").touch()
    for run in ("one", "two"):
        (folder / "runs" / run).mkdir(parents=True)
    for shell in SHELLS:
        (folder / f"script.{shell}").write_text(script(shell))
    return folder


def run(shell, program, place):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-c", program], cwd=place, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(("line", "expected"), CASES, ids=[line for line, _ in CASES])
def test_bash(place, line, expected):
    """The function that `complete` registered is called as bash calls it."""
    words = line.split(" ")
    program = f"""
        source ./script.bash
        [[ $(complete -p seqnets) =~ -F\\ ([^ ]+) ]] && function=${{BASH_REMATCH[1]}}
        COMP_LINE='{line}' COMP_POINT={len(line)} COMP_CWORD={len(words) - 1}
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
        compopt() {{ :; }}
        $function seqnets '{words[-1]}' '{words[-2]}'
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    assert set(run("bash", program, place).split()) == expected


@pytest.mark.parametrize(("line", "expected"), CASES, ids=[line for line, _ in CASES])
def test_fish(place, line, expected):
    found = run("fish", f"source script.fish; complete -C '{line}'", place)
    assert {entry.split("\t")[0].rstrip("/") for entry in found.splitlines()} >= expected


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh(place):
    """Keys are typed on a pseudo-terminal: only the editor of zsh can call completion functions."""
    import pty

    functions = place / "functions"
    functions.mkdir()
    shutil.copy(place / "script.zsh", functions / "_seqnets")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "PS1": "% "}
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=place, env=environment, start_new_session=True
    )
    os.close(theirs)

    def typed(keys: bytes, wanted: bytes) -> None:
        os.write(ours, keys)
        seen, end = b"", time.monotonic() + 60
        while wanted not in seen:
            assert time.monotonic() < end, (keys, seen)
            seen += os.read(ours, 1 << 16) if select.select([ours], [], [], 1)[0] else b""

    try:
        typed(b"fpath=(./functions $fpath); autoload -U compinit; compinit -D -u; echo rea''dy\n", b"ready")
        for line, expected in CASES:
            if len(expected) == 1 and "--model.cell" not in line:
                *_, word = line.split(" ")
                rest = next(iter(expected)).removeprefix(word).encode()
                typed(line.encode() + b"\t", line.encode() + rest)
                typed(b"\x15", b"")
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_verb_and_its_options_are_in_the_script(shell):
    text = script(shell)
    for verb in VERBS:
        assert verb in text
    for option in ("data.items", "top-p", "encoder-weights"):
        assert option in text


def test_the_command_writes_the_script(seqnets):
    outcome = seqnets("completion", "bash")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == script("bash") + "\n"
    assert "must be one of" in seqnets("completion", "tcsh").err

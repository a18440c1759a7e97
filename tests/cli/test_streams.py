"""Standard streams that are missing, closed, full or narrow: plain work or one sentence, and only data on the output."""

import io
import os
import subprocess
import sys

import pytest

from seqnets.cli import main as frame

PROGRAM = """
import sys, types
from seqnets.cli import main as frame
from seqnets.cli.verbs import VERBS, Verb
def act(words):
    print('asked', file=sys.stderr)
    read = sys.stdin.read()
    sys.stdout.write(f'{read}\\u05d0\\U0001f600\\udce9\\ud800')
    return 0
module = types.ModuleType('act')
module.main = act
sys.modules['act'] = module
VERBS['act'] = Verb('act', 'acts')
sys.exit(frame.main(['act']))
"""
WRITTEN = "\u05d0\U0001f600".encode() + b"\xe9\\ud800"  # a name's byte as it is; what no encoding has as an escape


def act(redirection, stdin=b"given ", **environment):
    """Run a verb that uses all three streams, redirected as a shell does it."""
    command = f'exec "$0" -c "$1" {redirection}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, PROGRAM],
        input=stdin,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=60,
    )


@pytest.mark.parametrize(
    ("redirection", "out", "err"),
    [
        ("", b"given " + WRITTEN, b"asked\n"),
        (">&-", b"", b"asked\n"),
        ("2>&-", b"given " + WRITTEN, b""),
        ("<&-", WRITTEN, b"asked\n"),
        ("<&- >&- 2>&-", b"", b""),
    ],
)
def test_a_closed_stream_is_an_empty_one(redirection, out, err):
    done = act(redirection)
    assert (done.returncode, done.stdout, done.stderr) == (0, out, err)


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C"}])
def test_output_is_utf_8_whatever_the_locale(environment):
    done = act("", b"", **environment)
    assert (done.returncode, done.stdout) == (0, WRITTEN)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        (">/dev/full", "no space left on the disk"),
        ("1</dev/null", "standard input or output cannot be used as it is redirected"),
        ("0>/dev/null", "standard input or output cannot be used as it is redirected"),
    ],
)
def test_a_stream_that_cannot_be_used_is_one_sentence(redirection, said):
    done = act(redirection)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith(f"asked\nseqnets: {said}")
    assert done.stderr.count(b"\n") == 2


def test_errors_that_nobody_reads_do_not_change_the_exit_code():
    with subprocess.Popen([sys.executable, "-m", "seqnets.cli", "nonsense"], stderr=subprocess.PIPE) as process:
        process.stderr.close()
        assert process.wait(timeout=60) == 2


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_process_without_streams_gets_them_for_the_command_alone(monkeypatch, capsys, name, stream):
    missing = None if stream is None else io.StringIO()
    if missing:
        missing.close()
    monkeypatch.setattr(sys, name, missing)
    assert frame.main(["nonsense"]) == 2
    assert getattr(sys, name) is missing
    assert capsys.readouterr().out == ""


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path):
    program = (
        "import os, sys\nfrom seqnets.cli.streams import standard_streams\n"
        f"with standard_streams(), open({str(tmp_path / 'data')!r}, 'w') as file:\n"
        "    os.write(1, b'noise'); os.write(2, b'noise')\n"
    )
    done = subprocess.run(["bash", "-c", 'exec "$0" -c "$1" >&- 2>&- <&-', sys.executable, program], timeout=60)
    assert (done.returncode, (tmp_path / "data").read_text()) == (0, "")

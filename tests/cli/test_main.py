"""The frame around every verb: help, suggestions, exit codes, and what is said when things go wrong."""

import errno
import os
import subprocess
import sys
import types

import pytest

import seqnets
from seqnets.cli.verbs import VERBS, Verb
from seqnets.errors import UserError
from seqnets.train import Diverged, Interrupted

TINY = ("--train.steps", 2, "--train.batch-size", 2, "--data.window", 8, "--model.hidden-features", 4)


@pytest.fixture
def verb(monkeypatch):
    """Make `seqnets act` do what the test wants."""

    def install(action):
        module = types.ModuleType("seqnets_test_verb")
        module.main = action
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(VERBS, "act", Verb(module.__name__, "acts"))

    return install


def raising(error):
    def action(argv):
        raise error

    return action


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_names_every_verb_in_a_line(seqnets, words):
    outcome = seqnets(*words)
    assert (outcome.code, outcome.err) == (0, "")
    for name, verb in VERBS.items():
        assert f"  {name}" in outcome.out
        assert verb.summary in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 100


def test_version(seqnets):
    assert seqnets("--version").out == f"seqnets {__import__('seqnets').__version__}\n"


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_explains_itself(seqnets, name):
    outcome = seqnets(name, "--help")
    assert outcome.code == 0
    assert outcome.out.startswith(f"usage: seqnets {name}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "seqnets: unknown verb 'trian'; did you mean 'seqnets train'?\n"),
        (["evalute", "x"], "seqnets: unknown verb 'evalute'; did you mean 'seqnets evaluate'?\n"),
        (["--verbose"], "seqnets: unknown option '--verbose'; verbs are train, find-rate, compare, "),
        (["qqq"], "seqnets: unknown verb 'qqq'; verbs are train, find-rate, compare, "),
    ],
)
def test_a_misspelled_verb_gets_a_suggestion(seqnets, words, message):
    outcome = seqnets(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(message)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("a is wrong; do b"), 2, "seqnets: a is wrong; do b\n"),
        (Diverged("stopped at step 3"), 3, "seqnets: stopped at step 3\n"),
        (Interrupted(2, "saved"), 130, "seqnets: saved\n"),
        (Interrupted(15, "saved"), 143, "seqnets: saved\n"),
        (KeyboardInterrupt(), 130, "seqnets: interrupted\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "seqnets: cannot use '/x': Permission denied; check"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 2, "seqnets: no space left on the disk of '/x'; free some"),
        (MemoryError(), 2, "seqnets: out of memory; use a smaller batch"),
        (RuntimeError("RESOURCE_EXHAUSTED: out of memory"), 2, "seqnets: out of memory; use a smaller batch"),
        (SystemExit(0), 0, ""),
        (SystemExit(5), 5, ""),
    ],
)
def test_what_goes_wrong_becomes_one_sentence_and_a_code(seqnets, verb, error, code, said):
    verb(raising(error))
    outcome = seqnets("act")
    assert outcome.code == code
    assert outcome.err.startswith(said)
    assert outcome.err.count("\n") == bool(said)


def test_a_fault_tells_where_its_traceback_is(seqnets, verb):
    verb(raising(ZeroDivisionError("by zero\nsecond line")))
    outcome = seqnets("act")
    assert outcome.code == 1
    assert outcome.err.startswith("seqnets: internal error: ZeroDivisionError: by zero (this is a fault in seqnets; please")
    path = outcome.err.rstrip().removesuffix(")").split()[-1]
    with open(path) as kept:
        assert "ZeroDivisionError: by zero\nsecond line" in kept.read()
    os.unlink(path)


@pytest.mark.parametrize(("error", "code"), [(UserError("wrong"), 2), (ZeroDivisionError(), 1), (Diverged("x"), 3)])
def test_debugging_shows_the_traceback_and_keeps_the_code(seqnets, verb, monkeypatch, error, code):
    verb(raising(error))
    monkeypatch.setenv("SEQNETS_DEBUG", "1")
    outcome = seqnets("act")
    assert outcome.code == code
    assert "Traceback (most recent call last)" in outcome.err


def test_a_reader_that_leaves_is_no_mistake():
    program = (
        "import sys, types; from seqnets.cli import main as m; from seqnets.cli.verbs import VERBS, Verb\n"
        "act = types.ModuleType('act'); act.main = lambda argv: print('x\\n' * 1_000_000) or 0\n"
        "sys.modules['act'] = act; VERBS['act'] = Verb('act', ''); sys.exit(m.main(['act']))"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 141
        assert process.stderr.read() == b""


def test_a_folder_that_was_removed_is_named_as_such(seqnets, verb, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    verb(lambda argv: os.getcwd() and 0)
    outcome = seqnets("act")
    monkeypatch.chdir(tmp_path)
    assert (outcome.code, outcome.err) == (2, "seqnets: the current folder no longer exists; change to one that does\n")


def test_the_installed_command_and_the_module_are_the_same():
    for command in (["seqnets"], [sys.executable, "-m", "seqnets.cli"]):
        environment = {**os.environ, "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, env=environment, timeout=60)
        assert done.stdout == f"seqnets {seqnets.__version__}\n", done.stderr


def test_an_interrupt_is_not_swallowed_by_an_import(tmp_path):
    (tmp_path / "swallowing.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT); [i for i in range(10**6)]\n"
        "except BaseException: pass\n"
    )
    program = (
        "import sys; from seqnets.cli import main as m; from seqnets.cli.verbs import VERBS, Verb\n"
        "VERBS['act'] = Verb('swallowing', ''); sys.exit(m.main(['act']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "seqnets: interrupted\n")

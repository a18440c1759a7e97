"""What a command costs before it works: help and refusals load no numerical library."""

import json
import subprocess
import sys

import pytest

from seqnets.cli.verbs import VERBS
from seqnets.tasks import TASKS

LINES = [
    *([verb, "--help"] for verb in VERBS),
    *(["train", task, "--help"] for task in TASKS),
    *([verb, "--no-such-option"] for verb in VERBS),
    ["summary", "--list"],
    ["train", "captoiner"],
]
PROGRAM = """
import contextlib, io, json, sys
from seqnets.cli.main import main
loaded = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main(words)
    heavy = sorted({"jax", "numpy", "flax", "optax", "orbax", "PIL", "rich", "matplotlib", "safetensors"} & sys.modules.keys())
    loaded.append(heavy)
    for name in [name for name in sys.modules if name.partition(".")[0] in heavy]:
        del sys.modules[name]
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded():
    command = [sys.executable, "-c", PROGRAM, json.dumps(LINES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return dict(zip(map(" ".join, LINES), json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("words", [" ".join(line) for line in LINES])
def test_help_and_refusals_need_no_numerical_library(loaded, words):
    assert loaded[words] == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
@pytest.mark.parametrize("words", ["sample RUN", "train TEXT", "verify RUN", "summary lenet5", "predict RUN --text a"])
def test_too_little_memory_for_jax_is_said_before_it_aborts(words):
    script = f"ulimit -v 600000; exec {sys.executable} -m seqnets.cli {words}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("seqnets: this process may reserve 0.61 GB of memory (`ulimit -v`), and JAX reserves 1.")
    assert done.stderr.count("\n") == 1


def test_starting_leaves_the_garbage_collector_on():
    program = "import gc, sys; from seqnets.cli import runtime; runtime.start(); print(gc.isenabled(), 'flax.nnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True True\n"

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

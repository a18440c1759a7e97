"""Type checkers find the types of the installed package."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import seqnets

PROGRAM = """\
import jax
from flax import nnx

import seqnets as sn

layer = sn.nn.RNN(sn.nn.LSTMCell(3, 5, rngs=nnx.Rngs(0)))
reveal_type(layer)
reveal_type(sn.read_text)
reveal_type(sn.ops.affine(jax.numpy.ones((2, 3)), jax.numpy.ones((3, 4)), jax.numpy.ones(4)))
reveal_type(sn.TrainConfig().steps)
sn.nn.LSTMCel
"""


@pytest.mark.slow
def test_pyright_finds_the_types_from_outside(tmp_path):
    pytest.importorskip("pyright")
    package = Path(seqnets.__path__[0])
    assert (package / "py.typed").is_file()
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(package.parent)]}))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "program.py"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=os.environ)
    messages = [message["message"] for message in json.loads(found.stdout)["generalDiagnostics"]]
    assert [message for message in messages if "Type of" in message] == [
        'Type of "layer" is "RNN"',
        messages[1],
        'Type of "sn.ops.affine(jax.numpy.ones((2, 3)), jax.numpy.ones((3, 4)), jax.numpy.ones(4))" is "Array"',
        'Type of "sn.TrainConfig().steps" is "int"',
    ]
    assert "-> Corpus" in messages[1]
    assert any("LSTMCel" in message and "not a known attribute" in message for message in messages)

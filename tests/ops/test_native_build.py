"""The kernels are compiled once and cached; without a compiler the portable backend goes on, and says so once."""

import os
import platform
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from seqnets.ops.native import build


def fresh(monkeypatch, tmp_path: Path, compiler: str):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", compiler)
    monkeypatch.delenv("SEQNETS_NATIVE", raising=False)
    monkeypatch.delenv("SEQNETS_CACHE", raising=False)
    return build.library.__wrapped__


@pytest.fixture
def copying_compiler(tmp_path) -> Path:
    """A compiler that gives out the library made before, and counts how often it is asked to."""
    if build.library() is None:
        pytest.skip("no C++ compiler here")
    shutil.copy(build.library()._name, tmp_path / "made.so")
    script = tmp_path / "c++"
    script.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec echo copying 1.0\necho >> {tmp_path}/calls\n'
        f'for last; do :; done\ncp {tmp_path}/made.so "$last"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def test_it_is_compiled_once_and_announced_once(monkeypatch, tmp_path, copying_compiler, capsys):
    library = fresh(monkeypatch, tmp_path, str(copying_compiler))
    assert library().seqnets_lstm_forward
    assert capsys.readouterr().err.count("compiling the native kernels") == 1
    assert library().seqnets_lstm_forward
    assert capsys.readouterr().err == ""
    assert (tmp_path / "calls").read_text().count("\n") == 1
    assert [path.suffix for path in (tmp_path / "cache/seqnets/native").iterdir()] == [".so"]


def test_another_compiler_or_source_means_another_library(monkeypatch, tmp_path, copying_compiler):
    library = fresh(monkeypatch, tmp_path, str(copying_compiler))
    library()
    copying_compiler.write_text(copying_compiler.read_text().replace("copying 1.0", "copying 2.0"))
    library()
    monkeypatch.setattr(build, "SOURCES", shutil.copytree(build.SOURCES, tmp_path / "sources"))
    (tmp_path / "sources/vector.h").write_text("// changed\n")
    library()
    assert (tmp_path / "calls").read_text().count("\n") == 3


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_a_compiler_there_is_none_and_a_line_says_why(monkeypatch, tmp_path, compiler, capsys):
    assert fresh(monkeypatch, tmp_path, compiler)() is None
    message = capsys.readouterr().err
    assert "portable backend is used" in message
    assert message.count("\n") == 1


def test_a_compiler_that_fails_is_quoted(monkeypatch, tmp_path, copying_compiler, capsys):
    copying_compiler.write_text('#!/bin/sh\n[ "$1" = --version ] && exec echo 1.0\necho "fatal: no such header" >&2\nexit 1\n')
    assert fresh(monkeypatch, tmp_path, str(copying_compiler))() is None
    assert "fatal: no such header" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["-march=native", "-march=x86-64-v3", "-march=x86-64"])
def test_the_sanitizers_find_nothing(tmp_path, processor):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None or platform.machine() != "x86_64":
        pytest.skip("no C++ compiler here, or another processor")
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags = ["-std=c++17", "-O1", "-g", "-pthread", processor, "-I", str(build.SOURCES)]
    program = tmp_path / "sweep"
    source = Path(__file__).with_name("native_sweep.cc")
    subprocess.run([compiler, *flags, *sanitizers, str(source), "-o", str(program)], check=True, timeout=600)
    done = subprocess.run([program], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (0, "clean\n"), done.stderr


def test_auto_goes_on_without_kernels():
    program = """
import jax.numpy as jnp
from seqnets.errors import UserError
from seqnets.ops.recurrent import VANILLA, RecurrentWeights
from seqnets.ops.over_time import sequence
arguments = VANILLA["relu"], RecurrentWeights((jnp.eye(1),), {}), jnp.zeros((1, 1)), jnp.ones((3, 1, 1))
assert sequence(*arguments)[1].item() == sequence(*arguments)[1].item() == 3
try:
    sequence(*arguments, backend="native")
except UserError as error:
    print(error)
"""
    environment = {**os.environ, "CXX": "no-such-compiler"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "could not be compiled" in done.stdout
    assert done.stderr.count("portable backend") == 1

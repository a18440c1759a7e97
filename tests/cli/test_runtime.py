"""What is settled before JAX starts, and what the user's own settings win over."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqnets.cli import runtime


@pytest.fixture
def prepared(tmp_path):
    def prepare(**given):
        environment = {"SEQNETS_CACHE": str(tmp_path), **given}
        runtime.prepare(environment)
        return environment

    return prepare


def test_the_compilation_cache_is_on_in_the_users_cache_folder(prepared, tmp_path):
    environment = prepared()
    assert Path(environment["JAX_COMPILATION_CACHE_DIR"]).is_relative_to(tmp_path)
    assert environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "0"


@pytest.mark.parametrize("word", ["0", "off", "No", "none"])
def test_the_compilation_cache_can_be_turned_off(prepared, word):
    environment = prepared(SEQNETS_COMPILATION_CACHE=word)
    assert environment["JAX_ENABLE_COMPILATION_CACHE"] == "false"
    assert "JAX_COMPILATION_CACHE_DIR" not in environment


def test_what_is_set_stays(prepared):
    given = {"JAX_COMPILATION_CACHE_DIR": "/mine", "NPROC": "3", "TF_CPP_MIN_LOG_LEVEL": "0"}
    environment = prepared(**given)
    assert {name: environment[name] for name in given} == given


def test_a_folder_that_cannot_be_written_means_no_cache(prepared, tmp_path):
    (tmp_path / "file").write_text("")
    assert "JAX_COMPILATION_CACHE_DIR" not in prepared(SEQNETS_CACHE=str(tmp_path / "file"))


def test_the_cpu_quota_of_a_container_bounds_the_threads(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "_CPU_QUOTA", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert prepared()["NPROC"] == "2"
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert "NPROC" not in prepared()


def test_nothing_is_set_once_jax_is_imported(monkeypatch):
    import jax  # noqa: F401

    before = dict(os.environ)
    runtime.prepare()
    assert dict(os.environ) == before


def test_jax_takes_the_flags_fills_the_cache_and_says_nothing(tmp_path):
    program = (
        "from seqnets.cli import runtime; runtime.prepare()\n"
        "import jax, jax.numpy as jnp; print(jax.jit(lambda x: x * 2)(jnp.ones(())))"
    )
    environment = {**os.environ, "SEQNETS_CACHE": str(tmp_path), "JAX_PLATFORMS": "cpu"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # that of all tests
    # an option that no jaxlib knows: one that goes away must not stop anything
    environment["XLA_FLAGS"] = "--xla_backend_extra_options=xla_cpu_no_such_option"
    command = [sys.executable, "-c", program]
    for flags in ("", environment["XLA_FLAGS"]):
        environment["XLA_FLAGS"] = flags
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert (done.stdout, done.stderr) == ("2.0\n", "")
    assert list(tmp_path.glob("compiled/*/*-cache"))

"""A backend whose numbers are wrong on a machine is found out there, once, and left out with one sentence."""

import json
import shutil
import stat

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from numerics import assert_close
from seqnets import nn
from seqnets.errors import UserError
from seqnets.ops import self_check
from seqnets.ops.backends import native, scan
from seqnets.ops.backends.gpu import cudnn
from seqnets.ops.native import build
from seqnets.ops.native import library as compiled
from seqnets.ops.recurrent import GRU, LSTM, VANILLA, highway

RECURRENCES = {r.name + str(r.kernels): r for r in (*VANILLA.values(), LSTM, *GRU.values(), highway(1), highway(3))}
needs_kernels = pytest.mark.skipif(build.library() is None, reason="no C++ compiler here")


@pytest.fixture(autouse=True)
def _new_machine(monkeypatch, tmp_path):
    compiled.library()
    monkeypatch.setenv("SEQNETS_CACHE", str(tmp_path))
    self_check.refusal.cache_clear()
    yield
    self_check.refusal.cache_clear()


@pytest.mark.parametrize("name", RECURRENCES)
@pytest.mark.parametrize("backend", ["reference", "scan", pytest.param("native", marks=needs_kernels)])
def test_right_numbers_pass(backend, name):
    assert self_check.check(backend, RECURRENCES[name]) is None


def test_what_only_gpus_have_is_checked_by_the_same_numbers(monkeypatch):
    monkeypatch.setattr(cudnn, "lstm", cudnn.lstm_definition)
    assert self_check.check("cudnn") is None
    monkeypatch.setattr(cudnn, "lstm", lambda *a: (cudnn.lstm_definition(*a)[0], *cudnn.lstm_definition(*a)[2:0:-1]))
    assert "differ from the reference" in self_check.check("cudnn")
    monkeypatch.setattr(self_check, "CUDA_GRAPHS", {})
    assert self_check.check("cuda_graphs") is None
    assert self_check.refusal("cudnn") is None  # there is none here to be refused


def wrong_outputs(*call):
    outputs, last = scan.run(*call)
    return outputs.at[-1, -1, -1].add(0.01), last


def wrong_gradients(recurrence, reverse, weights, carry, inputs):
    wrong = jax.tree.map(lambda leaf: jax.lax.stop_gradient(leaf[:1]), weights.kernels)
    kernels = jax.tree.map(lambda part, leaf: jnp.concatenate([part, leaf[1:]]), wrong, weights.kernels)
    return scan.run(recurrence, reverse, weights._replace(kernels=kernels), carry, inputs)


def blind_to_masks(recurrence, reverse, weights, carry, inputs):
    return scan.run(recurrence, reverse, weights, carry, inputs._replace(resets=None))


def of_nan(*call):
    return jax.tree.map(lambda leaf: leaf * jnp.nan, scan.run(*call))


def failing(*call):
    raise RuntimeError("no such instruction\nat 0x7f")


WRONG = {
    wrong_outputs: "by 0.0",
    wrong_gradients: "in gradient 1",
    blind_to_masks: "differ from the reference",
    of_nan: "by inf",
    failing: "failed on this machine (no such instruction)",
}


@needs_kernels
@pytest.mark.parametrize("run", WRONG)
def test_wrong_numbers_are_left_out_with_one_sentence(monkeypatch, capsys, run):
    cell, x = nn.LSTMCell(3, 4, rngs=nnx.Rngs(0)), np.ones((2, 5, 3), np.float32)
    wanted = nn.RNN(cell, backend="reference")(x)
    monkeypatch.setattr(native, "run", run)
    assert_close(jax.jit(lambda x: nn.RNN(cell)(x))(x), wanted)
    assert_close(nn.RNN(cell)(x), wanted)
    assert nn.StackedRNN([nn.RNN(cell)]).pack() is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("seqnets: native is left out for lstm: its kernels ")
    assert WRONG[run] in said
    with pytest.raises(UserError, match=r'backend "native" cannot run this: its kernels .*; choose "auto" or "scan"'):
        nn.RNN(cell, backend="native")(x)


@needs_kernels
@pytest.mark.parametrize("around", [jax.jit, jax.vmap, jax.grad, jax.checkpoint, jax.linearize])
def test_the_first_call_may_be_within_a_trace(around):
    cell = nn.GRUCell(3, 4, rngs=nnx.Rngs(0))
    x = jnp.ones((2, 2, 5, 3) if around is jax.vmap else (2, 5, 3))
    function = lambda x: nn.RNN(cell)(x).sum()  # noqa: E731
    jax.tree.leaves(around(function, x) if around is jax.linearize else around(function)(x))[0].block_until_ready()
    assert self_check.refusal.cache_info().currsize == 1


@needs_kernels
def test_what_was_found_is_remembered(monkeypatch, tmp_path):
    assert self_check.refusal("native", LSTM) is None
    (record,) = (tmp_path / "native").glob("check-*.json")
    assert json.loads(record.read_text()) == {"backend": "native", "recurrence": "lstm", "difference": None}
    monkeypatch.setattr(native, "run", of_nan)
    self_check.refusal.cache_clear()  # as another process
    assert self_check.refusal("native", LSTM) is None
    record.write_text('{"half')
    self_check.refusal.cache_clear()
    assert "by inf" in self_check.refusal("native", LSTM)
    self_check.refusal.cache_clear()
    monkeypatch.setattr(self_check, "check", lambda *_: pytest.fail("it was remembered"))
    assert "by inf" in self_check.refusal("native", LSTM)


@needs_kernels
def test_without_a_place_to_write_each_process_checks(monkeypatch):
    def nowhere(name):
        raise OSError("no folder to write to")

    monkeypatch.setattr(self_check, "cache_folder", nowhere)
    assert self_check.refusal("native", LSTM) is None


@needs_kernels
def test_other_kernels_are_checked_again(monkeypatch):
    first = self_check._fingerprint("native", LSTM)
    monkeypatch.setattr(self_check, "_library_name", lambda: "other.so")
    assert self_check._fingerprint("native", LSTM) != first
    assert self_check._fingerprint("native", GRU["after"]) != self_check._fingerprint("native", GRU["before"])


@needs_kernels
@pytest.mark.slow
def test_kernels_of_a_broken_source_are_found_out(monkeypatch, tmp_path):
    sources = shutil.copytree(build.SOURCES, tmp_path / "sources")
    header = sources / "lstm.h"
    header.chmod(header.stat().st_mode | stat.S_IWUSR)
    right = "o * tanh(c)"
    assert right in header.read_text()
    header.write_text(header.read_text().replace(right, "o * tanh(g)"))
    monkeypatch.setattr(build, "SOURCES", sources)
    library = build.library.__wrapped__()
    for symbol in compiled.SYMBOLS:
        if "lstm" in symbol:
            jax.ffi.register_ffi_target(f"broken_{symbol}", jax.ffi.pycapsule(getattr(library, symbol)), platform="cpu")
    call = native._call
    monkeypatch.setattr(native, "_call", lambda target, *a, **k: call(f"broken_{target}", *a, **k))
    native._of.cache_clear()
    assert "differ from the reference" in self_check.check("native", LSTM)
    native._of.cache_clear()

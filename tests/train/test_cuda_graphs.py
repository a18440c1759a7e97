"""What asks XLA for CUDA graphs, where there is no GPU: it reaches the compiler, or is refused before anything is written."""

import pytest

from seqnets.errors import UserError
from seqnets.train import cuda_graphs


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    monkeypatch.setattr(cuda_graphs, "default_platform", lambda: "cuda")


def test_the_options_reach_the_compiler_of_the_step(trained, monkeypatch, tmp_path, as_on_a_gpu):
    monkeypatch.setitem(cuda_graphs.OPTIONS, "xla_dump_to", str(tmp_path))
    trained(steps=2, cuda_graphs=True)
    (found,) = [path.read_text() for path in tmp_path.glob("*jit_train_steps*debug_options")]
    assert "xla_gpu_enable_command_buffer: WHILE" in found
    assert "xla_gpu_graph_min_graph_size: 1" in found
    assert "fusion-dynamic-memcpy-rewriter" in found


def test_without_a_gpu_they_are_refused_before_anything_is_written(trained, tmp_path):
    with pytest.raises(UserError, match=r"train\.cuda_graphs needs an NVIDIA GPU"):
        trained(steps=2, cuda_graphs=True, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_xla_may_not_know_them(trained, monkeypatch, as_on_a_gpu):
    monkeypatch.setitem(cuda_graphs.OPTIONS, "xla_gpu_of_another_time", True)
    with pytest.raises(UserError, match=r"unknown to this jaxlib .*xla_gpu_of_another_time"):
        trained(steps=2, cuda_graphs=True)

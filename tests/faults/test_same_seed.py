"""The same seed gives the same bits: again, and on another number of cores.

XLA divides a matrix product by the number of its threads, and so the order of its sums. That number is NPROC, by default
that of the cores: runs that are to agree to the bit on different machines need the same NPROC.
"""

import os
import shutil
import subprocess
import sys

import pytest

WORDS = [
    *("--model.hidden-features", "48", "--model.layers", "2", "--model.dropout", "0.2", "--data.window", "16"),
    *("--train.steps", "40", "--train.batch-size", "12", "--train.evaluate-every", "20", "--train.save-every", "20"),
]


def trained(folder, *prefix):
    words = [*prefix, sys.executable, "-m", "seqnets.cli", "train", "text", __file__, "--out", str(folder), *WORDS]
    subprocess.run(words, check=True, capture_output=True, env=os.environ | {"JAX_PLATFORMS": "cpu", "NPROC": "2"}, timeout=200)
    return {name: (folder / name).read_bytes() for name in ("model.safetensors", "metrics.jsonl", "vocabulary.json")}


@pytest.mark.slow
def test_two_runs_and_one_core_give_the_same_bits(tmp_path):
    first, again = trained(tmp_path / "a"), trained(tmp_path / "b")
    assert first == again
    if shutil.which("taskset") is None or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("cores cannot be chosen here")
    core = str(min(os.sched_getaffinity(0)))
    assert first == trained(tmp_path / "c", "taskset", "-c", core)

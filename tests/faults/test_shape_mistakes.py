"""Arrays that do not go together end in one sentence, or in the right numbers; never in memory beside an array."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faults.ffi_mistakes import calls, refuses
from faults.shape_mistakes import WAYS, draw, draw_entry
from seqnets.ops.native import build

FIRST_SEED = int(os.environ.get("SEQNETS_SEED", "100"))  # of the slow tests


def mistakes(way: str, seed: int, count: int) -> int:
    """Make calls with a mistake each; return how many gave numbers."""
    if way == "packed" and build.library() is None:
        pytest.skip("no C++ compiler here")
    rng = np.random.default_rng([seed, WAYS.index(way)])
    return sum(draw(rng, draw_entry(rng, way)) for _ in range(count))


QUICK = {"layer": 25, "stack": 8, "text": 12, "operation": 25, "packed": 30, "captioner": 6, "translator": 6, "flat": 10}


@pytest.mark.parametrize("way", WAYS)
def test_a_mistake_is_a_sentence_or_changes_nothing(way):
    assert mistakes(way, 0, QUICK[way]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_so_it_is_with_2000(way):
    assert mistakes(way, FIRST_SEED, 250) > 0


@pytest.mark.skipif(build.library() is None, reason="no C++ compiler here")
def test_the_kernels_refuse_by_themselves():
    rng = np.random.default_rng(0)
    kinds = {call.target for call in calls()}
    assert len(kinds) == 3 * 6 + 1
    for call in rng.permutation(len(calls()))[:40]:
        assert refuses(rng, calls()[call]), calls()[call].target


@pytest.mark.slow
def test_the_address_sanitizer_sees_nothing(tmp_path):
    compiler = shutil.which("g++")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no g++ here")
    libraries = [
        subprocess.run([compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    tests = Path(__file__).parents[1]
    environment = os.environ | {
        "CXX": compiler,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own, at its end
        "XDG_CACHE_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(tests.parent), str(tests)]),
    }
    command = [sys.executable, str(Path(__file__).with_name("sanitized.py")), str(FIRST_SEED), "2000"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3600)
    assert (done.returncode, done.stdout) == (0, "clean: 2000 mistakes\n"), done.stderr[-3000:]

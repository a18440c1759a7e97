import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("sixty_four_bits.py")
QUICK = ["text gru"]
SLOW = ["text lstm", "text mingru", "captions", "captions rewarded", "captions from its own words", "sequences", "questions"]


@pytest.mark.parametrize("steps", [QUICK, pytest.param(SLOW, marks=pytest.mark.slow)])
def test_all_works_where_jax_computes_in_64_bits(steps):
    done = subprocess.run(
        [sys.executable, PROGRAM, *steps], env={**os.environ, "JAX_ENABLE_X64": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "left out" not in done.stderr  # no backend is lost by it

"""Programs that train on several devices of one CPU, each in a process of its own: the number of devices is set once."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
START = textwrap.dedent("""
    import json, sys
    import jax

    jax.config.update("jax_num_cpu_devices", {devices})
    import numpy as np
    import seqnets as sn
    from flax import nnx

    settings = json.loads(sys.argv[1])

    def numbers(run):
        return {{
            "metrics": run.metrics,
            "weights": [float(np.abs(np.asarray(leaf, np.float64)).sum()) for leaf in jax.tree.leaves(nnx.state(run.model))],
        }}
""")


def program(*parts, devices=4, **settings):
    """Run a program made of its parts with so many devices and return what its last line says."""
    code = "\n".join([START.format(devices=devices), *map(textwrap.dedent, parts)])
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(TESTS)}
    words = [sys.executable, "-c", code, json.dumps(settings)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def assert_alike(found, expected, tolerance=2e-5):
    """Compare the metrics, and the sums of all variables, of two runs."""
    assert [line.keys() for line in found["metrics"]] == [line.keys() for line in expected["metrics"]]
    for line, right in zip(found["metrics"], expected["metrics"]):
        assert line == pytest.approx(right, rel=tolerance, abs=tolerance)
    assert found["weights"] == pytest.approx(expected["weights"], rel=tolerance, abs=tolerance)

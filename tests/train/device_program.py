"""Programs that train on several devices of one CPU, or in several processes: the number of devices is set once a process."""

import json
import os
import socket
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
    from seqnets.train.hosts import join_hosts

    join_hosts()
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
    return programs(1, *parts, devices=devices, **settings)[0]


def programs(count, *parts, devices=1, **settings):
    """Run a program in so many processes that have joined, with so many devices each; return what their last lines say."""
    code = "\n".join([START.format(devices=devices), *map(textwrap.dedent, parts)])
    several = {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{free_port()}", "JAX_NUM_PROCESSES": str(count)} if count > 1 else {}
    path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path, **several}
    words = [sys.executable, "-c", code, json.dumps(settings)]
    numbers = [{"JAX_PROCESS_ID": str(number)} if several else {} for number in range(count)]
    started = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment | number)
        for number in numbers
    ]
    try:
        outputs = [process.communicate(timeout=300) for process in started]
    finally:
        for process in started:
            process.kill()
    assert not any(process.returncode for process in started), "\n".join(errors[-3000:] for _, errors in outputs)
    return [json.loads(output.splitlines()[-1]) for output, _ in outputs]


def free_port():
    """Return a port of this machine that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def assert_alike(found, expected, tolerance=2e-5):
    """Compare the metrics, and the sums of all variables, of two runs."""
    assert [line.keys() for line in found["metrics"]] == [line.keys() for line in expected["metrics"]]
    for line, right in zip(found["metrics"], expected["metrics"]):
        assert line == pytest.approx(right, rel=tolerance, abs=tolerance)
    assert found["weights"] == pytest.approx(expected["weights"], rel=tolerance, abs=tolerance)

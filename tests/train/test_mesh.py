"""Several devices train what one device trains. Runs in a process of its own: the number of CPU devices is set once."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from seqnets.errors import UserError
from seqnets.train.mesh import Layout, parse_mesh

PROGRAM = textwrap.dedent("""
    import json, sys
    import jax

    jax.config.update("jax_num_cpu_devices", 4)
    import numpy as np
    import seqnets as sn
    from flax import nnx

    settings = json.loads(sys.argv[1])
    corpus = sn.read_text(settings.pop("text"))

    def train(mesh, directory=None, steps=12, **more):
        model = sn.CharLM(corpus.vocabulary, hidden_features=128, dropout=0.2, layers=2, **settings, rngs=nnx.Rngs(0))
        config = sn.TrainConfig(
            steps=steps, batch_size=8, mesh=mesh, log_every=4, evaluate_every=6, save_every=6, schedule="constant", **more
        )
        return sn.fit(sn.CharLMTask(model, corpus, window=8), config, directory=directory, progress=None)

    def numbers(run):
        return {
            "metrics": run.metrics,
            "weights": [float(np.abs(np.asarray(leaf)).sum()) for leaf in jax.tree.leaves(nnx.state(run.model, nnx.Param))],
        }

    BODY
""")


def program(body, **settings):
    code = PROGRAM.replace("BODY", textwrap.dedent(body))
    words = [sys.executable, "-c", code, json.dumps({"text": __file__, **settings})]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env={**os.environ, "JAX_PLATFORMS": "cpu"})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def equal(found, expected, tolerance=2e-5):
    assert [line.keys() for line in found["metrics"]] == [line.keys() for line in expected["metrics"]]
    for line, right in zip(found["metrics"], expected["metrics"]):
        assert line == pytest.approx(right, rel=tolerance, abs=tolerance)
    assert found["weights"] == pytest.approx(expected["weights"], rel=tolerance)


@pytest.mark.parametrize(
    "settings", [{"cell": "lstm"}, {"cell": "gru", "zoneout": 0.1, "backend": "scan"}], ids=["native", "scan"]
)
def test_a_mesh_trains_what_one_device_trains(settings):
    body = 'print(json.dumps([numbers(train(mesh)) for mesh in ("", "data=2", "data=4", "data=2,model=2")]))'
    one, *several = program(body, **settings)
    for found in several:
        equal(found, one)


def test_a_checkpoint_of_four_devices_continues_on_one_and_on_two(tmp_path):
    body = f"""
        import shutil
        folder = {str(tmp_path)!r} + "/run"
        train("data=4", folder, steps=6)
        shutil.copytree(folder, folder + "-2")
        shutil.copytree(folder, folder + "-8")
        runs = [train("data=2", folder), train("", folder + "-2"), train("data=2,model=2", folder + "-8"), train("data=4")]
        print(json.dumps([numbers(run) for run in runs]))
    """
    *resumed, whole = program(body, cell="lstm")
    for found in resumed:  # which have one more line, of the step at which the first part ended
        equal({**found, "metrics": found["metrics"][-2:]}, {**whole, "metrics": whole["metrics"][-2:]})


@pytest.mark.parametrize("text", ["data", "data=0", "rows=2", "data=2,data=2", "data=-1", "2"])
def test_a_mesh_that_is_none_is_refused(text):
    with pytest.raises(UserError, match="must look like data=4"):
        parse_mesh(text)


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(UserError, match="asks for 64 devices and JAX has"):
        Layout("data=64", batch_size=64)

"""Several devices train what one device trains. Runs in a process of its own: the number of CPU devices is set once."""

import pytest

from seqnets.errors import UserError
from seqnets.train.mesh import Layout, parse_mesh
from train.device_program import assert_alike, program

TRAIN = """
    corpus = sn.read_text(settings.pop("text"))

    def train(mesh, directory=None, steps=12, **more):
        model = sn.CharLM(corpus.vocabulary, hidden_features=128, dropout=0.2, layers=2, **settings, rngs=nnx.Rngs(0))
        config = sn.TrainConfig(
            steps=steps, batch_size=8, mesh=mesh, log_every=4, evaluate_every=6, save_every=6, schedule="constant", **more
        )
        return sn.fit(sn.CharLMTask(model, corpus, window=8), config, directory=directory, progress=None)
"""


SCAN = pytest.param({"cell": "gru", "zoneout": 0.1, "backend": "scan"}, id="scan", marks=pytest.mark.slow)


@pytest.mark.parametrize("settings", [pytest.param({"cell": "lstm"}, id="native"), SCAN])
def test_a_mesh_trains_what_one_device_trains(settings):
    body = 'print(json.dumps([numbers(train(mesh)) for mesh in ("", "data=2", "data=4", "data=2,model=2")]))'
    one, *several = program(TRAIN, body, text=__file__, **settings)
    for found in several:
        assert_alike(found, one)


@pytest.mark.slow
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
    *resumed, whole = program(TRAIN, body, text=__file__, cell="lstm")
    for found in resumed:  # which have one more line, of the step at which the first part ended
        assert_alike({**found, "metrics": found["metrics"][-2:]}, {**whole, "metrics": whole["metrics"][-2:]})


@pytest.mark.parametrize("text", ["data", "data=0", "rows=2", "data=2,data=2", "data=-1", "2"])
def test_a_mesh_that_is_none_is_refused(text):
    with pytest.raises(UserError, match="must look like data=4"):
        parse_mesh(text)


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(UserError, match="asks for 64 devices and JAX has"):
        Layout("data=64", batch_size=64)


@pytest.fixture(scope="module")
def layouts():
    """What the layouts of four devices say, from one process."""
    body = """
        from seqnets.errors import UserError
        from seqnets.train.mesh import Layout

        def said(size):
            try:
                return len(Layout("data=4", batch_size=size).rows)
            except UserError as error:
                return str(error)

        meshes = [Layout("auto", batch_size=size).mesh for size in (8, 6, 1)]
        print(json.dumps([[said(size) for size in (8, 4, 6, 2)], [mesh and mesh.shape["data"] for mesh in meshes]]))
    """
    return program(body)


def test_a_batch_that_the_devices_cannot_share_evenly_is_refused(layouts):
    sentence = "train.batch_size ({}) must be a multiple of the mesh's data axis (4)"
    assert layouts[0] == [8, 4, sentence.format(6), sentence.format(2)]


def test_auto_takes_as_many_devices_as_divide_the_batch(layouts):
    assert layouts[1] == [4, 3, None]


def test_the_threads_of_a_mesh_are_given_back(monkeypatch):
    from seqnets.ops.backends import native

    set_to = []
    monkeypatch.setattr(native, "set_threads", lambda threads: (set_to.append(threads), setattr(native, "_limit", threads)))
    monkeypatch.setattr(native, "_limit", 3)
    layout = Layout("", batch_size=8)
    with layout.threads():
        assert set_to == []  # one device: nothing to share
    layout.mesh = object()
    with layout.threads():
        assert set_to[0] >= 1
    assert set_to[1:] == [3]

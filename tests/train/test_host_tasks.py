"""Several processes train every kind of task as one does, each reading its own part of the data, and pass checkpoints on.

Sums in another order differ in their last bits: figures and weights agree to 1e-4 of themselves, with the SGD of
`test_mesh_tasks`.
"""

from collections import Counter

import pytest

from train import host_tasks, test_mesh_tasks
from train.device_program import assert_alike, program, programs

TOLERANCE = 1e-4
TRAIN = """
    import hashlib
    from pathlib import Path
    from seqnets.named_arrays import host_arrays
    from seqnets.train.loop import Training
    from train import host_tasks, test_mesh_tasks

    data, out, opened, last = Path(settings["data"]), Path(settings["out"]), [], {}

    def watch(event, args):
        if event == "open" and str(args[0]).endswith(".png"):
            opened.append(Path(args[0]).stem)

    sys.addaudithook(watch)
    finish = Training._finish

    def remembering(self):
        arrays = host_arrays(self.layout.gather(self.state))
        last["bits"] = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
        return finish(self)

    Training._finish = remembering

    def train(folder, mesh=""):
        config = sn.TrainConfig(
            steps=4, batch_size=8, mesh=mesh, log_every=2, evaluate_every=4, save_every=4, schedule="constant",
            warmup_steps=0, optimizer="sgd", momentum=0.9, learning_rate=0.05,
        )
        opened.clear()
        task = getattr(host_tasks, settings["task"])(data)
        run = sn.fit(task, config, directory=out / folder if folder else None, progress=None)
        return {**numbers(run), "bits": last["bits"], "opened": opened.copy()}
"""


@pytest.mark.slow
@pytest.mark.parametrize("task", ["text", "classifier", "captioner", "vqa"])
def test_two_processes_train_what_one_trains_and_pass_checkpoints_on(tmp_path, task):
    host_tasks.write(tmp_path / "data")
    settings = {"task": task, "data": str(tmp_path / "data"), "out": str(tmp_path)}
    one, four = program(TRAIN, 'print(json.dumps([train(""), train("four", "data=4")]))', **settings)
    found = programs(2, TRAIN, 'print(json.dumps([train("two"), train("four")]))', **settings)
    for two, restored in found:
        assert_alike(two, one, TOLERANCE)
        assert restored["bits"] == four["bits"]
    assert found[0][0]["bits"] == found[1][0]["bits"]
    again = program(TRAIN, 'print(json.dumps(train("two")))', devices=1, **settings)
    assert again["bits"] == found[0][0]["bits"]
    if task != "text":
        assert_read_once(one["opened"], *(two["opened"] for two, _ in found))


@pytest.mark.slow
def test_two_processes_are_rewarded_as_one_is():
    body = 'print(json.dumps(numbers(train(""))))'
    one = program(test_mesh_tasks.TRAIN, body, devices=1, task="rewarded")
    for found in programs(2, test_mesh_tasks.TRAIN, body, task="rewarded"):
        assert_alike(found, one, TOLERANCE)


def assert_read_once(alone, *shares):
    """In an epoch, each image to train on is read by one process (and where files are looked through before, once more)."""
    expected = Counter(f"train-{number}" for number in range(host_tasks.TRAIN))
    every, *read = (Counter(name for name in names if name.startswith("train")) for names in (alone, *shares))
    assert every.keys() == expected.keys()
    assert read[0] + read[1] == every
    assert read[0].total() == read[1].total()
    assert not any(name.startswith("val") for name in shares[1])  # the first alone validates

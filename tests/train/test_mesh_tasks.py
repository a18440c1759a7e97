"""Several devices train classifiers, captioners and answerers of questions as one device does, and pass checkpoints on.

Sums in another order differ in their last bits: after six steps, figures and weights agree to 1e-4 of themselves. The optimizer
is SGD: Adam divides by the size of the gradient, and where that is nothing but rounding, by the rounding.
"""

import pytest

from train.device_program import assert_alike, program

TOLERANCE = 1e-4
SLOW = pytest.mark.slow
TRAIN = """
    import hashlib
    from seqnets.named_arrays import host_arrays
    from seqnets.train.loop import Training
    from train import mesh_tasks

    finish, last = Training._finish, {}

    def remembering(self):
        arrays = host_arrays(self.layout.gather(self.state))
        last["bits"] = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
        last["divided"] = [leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(self.state.params)].count(False)
        return finish(self)

    Training._finish = remembering

    def train(mesh, directory=None, steps=6):
        config = sn.TrainConfig(
            steps=steps, batch_size=8, mesh=mesh, log_every=2, evaluate_every=3, save_every=3, schedule="constant",
            warmup_steps=0, optimizer="sgd", momentum=0.9, learning_rate=0.05,
        )
        return sn.fit(getattr(mesh_tasks, settings["task"])(), config, directory=directory, progress=None)
"""


@pytest.mark.parametrize("task", ["classifier", *(pytest.param(name, marks=SLOW) for name in ("captioner", "rewarded", "vqa"))])
def test_a_mesh_trains_what_one_device_trains(task):
    body = """
        found = []
        for mesh in ("", "data=2", "data=4", "data=2,model=2"):
            run = train(mesh)
            found.append(numbers(run) | {"divided": last["divided"]})
        print(json.dumps(found))
    """
    one, *several = program(TRAIN, body, task=task)
    for found in several:
        assert_alike(found, one, TOLERANCE)
    if task != "vqa":  # whose arrays are too small to be worth it
        assert [found["divided"] > 0 for found in several] == [False, False, True]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["segmenter", "region_detector"])
def test_a_mesh_trains_the_pictures_with_regions_of_one_device(task):
    body = """
        print(json.dumps([numbers(train(mesh)) for mesh in ("", "data=2", "data=4", "data=2,model=2")]))
    """
    one, *several = program(TRAIN, body, task=task)
    for found in several:  # not the figures: where two classes are almost alike, rounding decides a pixel
        assert found["weights"] == pytest.approx(one["weights"], rel=TOLERANCE, abs=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classifier", "captioner"])
def test_a_checkpoint_of_four_devices_is_the_same_bits_on_any_number(tmp_path, task):
    body = """
        def saved_and_restored(mesh, folder):
            train(mesh, folder)
            found = [last["bits"]]
            for other in ("", "data=2", "data=4", "data=8", "data=2,model=2", "data=4,model=2"):
                train(other, folder)  # which is complete: what is restored is what there is at the end
                found.append(last["bits"])
            return found

        folder = settings["folder"]
        print(json.dumps([saved_and_restored("data=4", folder + "/4"), saved_and_restored("data=2,model=2", folder + "/2-2")]))
    """
    for saved, *restored in program(TRAIN, body, devices=8, task=task, folder=str(tmp_path)):
        assert any(name.startswith("params") for name in saved)
        assert len(restored) == 6
        for bits in restored:
            assert bits == saved

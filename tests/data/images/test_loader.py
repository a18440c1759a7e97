"""Batches of images by number: equal however they are made."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from seqnets.data.images.augment import Augmentation
from seqnets.data.images.loader import EvaluationPlan, TrainingBatches, TrainingPlan, evaluation_batches, pictures_of
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.images.sets import LabeledImages
from seqnets.data.images.workers import Ahead
from seqnets.errors import UserError

RULE = Preprocessing(resize=10, crop=(8, 8))
COUNT = 11


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    paths = tuple(tmp_path / f"{i:02}.png" for i in range(COUNT))
    for i, path in enumerate(paths):
        Image.fromarray(rng.integers(0, 255, (12 + i, 16, 3), np.uint8)).save(path)
    return LabeledImages(paths, np.arange(COUNT, dtype=np.int32), tuple(path.name for path in paths))


def batches(photos, kind="pad-crop-flip", *, megabytes=0, workers=0, tell=lambda sentence: None, size=4):
    pictures = pictures_of(photos, RULE, Augmentation(kind, (8, 8), 2), megabytes)
    return TrainingBatches(TrainingPlan(pictures, size, seed=3), workers, tell)


def assert_equal(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["none", "pad-crop-flip", "resized-crop-flip"])
def test_batches_from_memory_and_from_files_are_equal(photos, kind):
    for step in (0, 1, 7, 2):
        assert_equal(batches(photos, kind).batch(step), batches(photos, kind, megabytes=10).batch(step))


def test_workers_change_nothing_whatever_the_order(photos):
    (photos.images[4]).write_bytes(b"no image")
    alone = batches(photos)
    for workers in (1, 2):
        ahead = batches(photos, workers=workers)
        for step in (0, 1, 2, 9, 8, 3):
            assert_equal(ahead.batch(step), alone.batch(step))


def test_every_epoch_takes_every_image_once_in_another_order(photos):
    source = batches(photos, size=1)
    epochs = [[int(source.batch(epoch * COUNT + i).labels[0]) for i in range(COUNT)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(COUNT)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_an_image_varies_from_epoch_to_epoch_but_not_from_run_to_run(photos):
    source = batches(photos, size=COUNT, megabytes=10)
    first, second = source.batch(0), source.batch(1)
    of_five = [batch.images[list(batch.labels).index(5)] for batch in (first, second)]
    assert (of_five[0] != of_five[1]).any()
    assert_equal(first, batches(photos, size=COUNT, megabytes=10).batch(0))


@pytest.mark.parametrize("megabytes", [0, 10])
def test_an_unreadable_image_is_reported_once_and_its_neighbor_stands_in(photos, megabytes):
    (photos.images[4]).write_bytes(b"no image")
    (photos.images[10]).write_bytes(photos.images[10].read_bytes()[:60])
    reported = []
    source = batches(photos, "none", megabytes=megabytes, tell=reported.append, size=COUNT)
    for step in range(2):
        assert sorted(source.batch(step).labels) == [0, 0, 1, 2, 3, 5, 5, 6, 7, 8, 9]
    assert len(reported) == 1
    assert reported[0].startswith("2 of 11 images cannot be read and are left out: ")
    assert "04.png" in reported[0]
    assert "10.png" in reported[0]


def test_nothing_readable_is_an_error(photos):
    for path in photos.images:
        path.write_bytes(b"no image")
    with pytest.raises(UserError, match="none of the 11 images can be read"):
        batches(photos).batch(0)


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_takes_every_readable_image_once(photos, workers):
    (photos.images[4]).write_bytes(b"no image")
    pictures = pictures_of(photos, RULE, Augmentation(), 0)
    found = [batch for batch, _ in evaluation_batches(EvaluationPlan(pictures, 4), workers)]
    assert [batch.images.shape for batch in found] == [(4, 8, 8, 3)] * 3
    counted = [label for batch in found for label in batch.labels[batch.weights > 0]]
    assert counted == [i for i in range(COUNT) if i != 4]
    np.testing.assert_array_equal(found[0].images[1], RULE.pixels(photos.images[1]))


def test_pad_crop_equals_cutting_from_a_padded_image():
    image = np.random.default_rng(1).integers(1, 255, (6, 7, 3), np.uint8)
    padded, seen = np.pad(image, ((2, 2), (2, 2), (0, 0))), set()
    windows = {padded[i : i + 6, j : j + 7].tobytes(): (i, j) for i in range(5) for j in range(5)}
    for index in range(300):
        shifted = Augmentation("pad-crop", (6, 7), padding=2)(image, seed=0, epoch=0, index=index)
        seen.add(windows[shifted.tobytes()])
    assert len(seen) == 25


def test_half_of_the_flips_mirror():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    found = [Augmentation("flip", (2, 2))(image, seed=5, epoch=2, index=i) for i in range(400)]
    mirrored = sum((one == image[:, ::-1]).all() for one in found)
    assert sum((one == image).all() for one in found) == 400 - mirrored
    assert 160 < mirrored < 240


def test_a_resized_crop_keeps_to_its_area():
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8)[None, :, None] * 4, (64, 64, 1)).copy()
    rule = Augmentation("resized-crop-flip", (16, 16), least_area=0.5)
    spans = [np.ptp(rule(ramp, seed=0, epoch=0, index=i).astype(int)) / 252 for i in range(200)]
    # the widest window of aspect 4:3 or less and the narrowest of half the area
    assert 0.5 < min(spans) < 0.7
    assert max(spans) > 0.9


def a_pid(number):
    return os.getpid()


def test_workers_end_with_their_owner():
    ahead = Ahead(a_pid, workers=1)
    pid = ahead(0)
    assert pid != os.getpid()
    os.kill(pid, signal.SIGINT)  # Ctrl-C reaches the whole group; workers leave it to the one that trains
    assert ahead(1) == pid
    del ahead
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")


def test_a_killed_worker_is_reported():
    ahead = Ahead(a_pid, workers=1)
    os.kill(ahead(0), signal.SIGKILL)
    with pytest.raises(UserError, match=r"was killed.*fewer --data\.workers"):
        [ahead(number) for number in range(1, 20)]


GUARDED, BARE = "if __name__ == '__main__':\n    print(Ahead(abs, workers=1)(-3))", "print(Ahead(abs, workers=1)(-3))"


@pytest.mark.parametrize(("call", "code"), [(GUARDED, 0), (BARE, 1)])
def test_a_script_without_a_main_guard_is_reported_so(tmp_path, call, code):
    script = tmp_path / "script.py"
    script.write_text(f"from seqnets.data.images.workers import Ahead\n{call}\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == code
    last = (done.stdout + done.stderr).strip().splitlines()[-1] if code else done.stdout.strip()
    expected = f"what '{script}' calls must stand below if __name__ == \"__main__\":" if code else "3"
    assert expected in last

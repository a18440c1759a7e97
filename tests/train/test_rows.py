"""A process makes its own rows of a batch, and reads for them what they need and nothing else."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from seqnets.data.text.streams import TokenStream
from train import host_tasks

BATCH, STEPS, ROWS = 8, 4, np.arange(4, 8)
OPENED = Counter()


def watch(event, args):
    if event == "open" and str(args[0]).endswith(".png"):
        OPENED[Path(args[0]).stem] += 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    host_tasks.write(folder)
    sys.addaudithook(watch)  # for the rest of this process: it cannot be taken away
    return folder


def drawn(task, rows=slice(None), steps=range(STEPS)):
    """Return the batches, and how often each image to train on was opened for them."""
    source = task.batches(BATCH, 3, rows)
    OPENED.clear()
    batches = [source.batch(step) for step in steps]
    return batches, {name: count for name, count in OPENED.items() if name.startswith("train")}


def columns(batch):
    return batch if isinstance(batch, dict) else batch._asdict()


def assert_rows(parts, wholes, rows):
    for part, whole in zip(parts, wholes, strict=True):
        for name, array in columns(part).items():
            np.testing.assert_array_equal(array, columns(whole)[name][rows])


@pytest.mark.parametrize("kind", ["classifier", "captioner", "vqa"])
def test_an_image_is_opened_where_its_row_is_made(folder, kind):
    make = getattr(host_tasks, kind)
    wholes, every = drawn(make(folder))
    assert every == {f"train-{number}": 1 for number in range(host_tasks.TRAIN)}  # these steps are one epoch
    shares = []
    for rows in (np.arange(4), ROWS):
        parts, opened = drawn(make(folder), rows)
        assert_rows(parts, wholes, rows)
        shares.append(opened)
    assert len(shares[0]) == len(shares[1]) == host_tasks.TRAIN // 2
    assert shares[0] | shares[1] == every


def test_images_that_are_not_kept_are_opened_in_each_epoch(folder):
    two = range(2 * STEPS)
    _, kept = drawn(host_tasks.classifier(folder), steps=two)
    _, unkept = drawn(host_tasks.classifier(folder, kept_megabytes=0), steps=two)
    assert (set(kept.values()), set(unkept.values())) == ({1}, {2})


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow), 2])
def test_rows_go_on_after_a_cut(folder, workers):
    wholes, _ = drawn(host_tasks.classifier(folder, kept_megabytes=0))
    parts, opened = drawn(host_tasks.classifier(folder, kept_megabytes=0, workers=workers), ROWS, range(2, STEPS))
    assert_rows(parts, wholes[2:], ROWS)
    assert sum(opened.values()) == (0 if workers else len(ROWS) * 2)  # else by the workers


def test_only_the_windows_of_own_streams_are_read(folder, monkeypatch):
    wholes, _ = drawn(host_tasks.text(folder))
    gather, read = TokenStream.gather, []
    monkeypatch.setattr(TokenStream, "gather", lambda self, places: read.append(places.copy()) or gather(self, places))
    parts, _ = drawn(host_tasks.text(folder), ROWS)
    assert_rows(parts, wholes, ROWS)
    assert sum(places.size for places in read) == STEPS * len(ROWS) * 9

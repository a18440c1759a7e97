"""Twenty thousand steps leave memory, threads and open files as they were."""

import os
import threading
from pathlib import Path

import pytest

from seqnets import TrainConfig
from seqnets.train import fit
from train.tiny_task import TinyTask


class Watch:
    """Notes what the process holds at every report."""

    wants_preview = False

    def __init__(self):
        self.notes = []

    def update(self, status):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        files = len(os.listdir("/proc/self/fd"))
        self.notes.append((status.step, pages * os.sysconf("SC_PAGE_SIZE"), threading.active_count(), files))

    def validated(self, step, figures, best): ...

    def preview(self, text): ...

    def tell(self, sentence): ...

    def close(self): ...


@pytest.mark.slow
def test_twenty_thousand_steps(tmp_path):
    watch = Watch()
    config = TrainConfig(steps=20_000, batch_size=4, log_every=50, save_every=1000, evaluate_every=1000)
    fit(TinyTask(), config, directory=tmp_path / "run", progress=watch)
    settled = [note for note in watch.notes if note[0] >= 5000]
    (_, memory, threads, files), last = settled[0], settled[-1]
    assert last[1] < 1.05 * memory
    assert {note[2] for note in settled[-20:]} <= {threads - 1, threads, threads + 1}
    assert last[3] <= files + 2

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
    watch, before = Watch(), (threading.active_count(), len(os.listdir("/proc/self/fd")))
    config = TrainConfig(steps=20_000, batch_size=4, log_every=50, save_every=1000, evaluate_every=1000)
    fit(TinyTask(), config, directory=tmp_path / "run", progress=watch)
    settled = [note for note in watch.notes if note[0] >= 5000]
    memory = settled[0][1], settled[-1][1]
    # while a checkpoint is saved there are a few more; were one left by each save, there would be seven more in the second half
    halves = settled[: len(settled) // 2], settled[len(settled) // 2 :]
    threads, files = ([max(note[kind] for note in half) for half in halves] for kind in (2, 3))
    ended = threading.active_count(), len(os.listdir("/proc/self/fd"))
    print(f"bytes of memory {memory}, threads {threads}, open files {files}; before and after {before}, {ended}")
    assert memory[1] < 1.05 * memory[0]
    assert threads[1] <= threads[0] + 3
    assert files[1] <= files[0] + 3
    assert ended[0] == before[0]
    assert ended[1] <= before[1] + 3

"""Fill feature stores in processes that are killed, as `kill -9` would, in the middle of a write.

python kill_at.py FOLDER: FOLDER/whole is filled at one go; FOLDER/n is killed in its n-th write, every other again in its second
after that, and then filled. Printed is how many writes there are. It is a program of its own to fork without JAX.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np

from seqnets.data.features import writer as feature_writer
from seqnets.data.features.index import Header, ImageRecord, Layer

LAYERS = {"grid": Layer((4, 3), (2, 2)), "pool": Layer((3,))}
HEADER = Header({"model": "tiny", "weights": "f00d"}, LAYERS, "bfloat16", rows_per_shard=5)
IMAGES = [f"{number % 11:02d}" for number in range(16)]  # the last five have the content of the first five
BATCH = 3


def features(digests):
    base = np.array([float(digest) for digest in digests], np.float32)
    return {"grid": base.reshape(-1, 1, 1) + np.arange(12.0).reshape(4, 3), "pool": base.reshape(-1, 1) + np.arange(3.0)}


def batches(writer):
    records = [ImageRecord(f"/images/{number}", 9, 0, digest) for number, digest in enumerate(IMAGES)]
    records[4] = records[4]._replace(failure="the image is damaged")
    records = [record for record in records if not writer.settled(record.path)]
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]


def fill(store):
    with feature_writer.FeatureWriter(store, HEADER) as writer:
        for records in batches(writer):
            fresh = dict.fromkeys(r.digest for r in records if r.failure is None and not writer.has(r.digest))
            writer.add(records, features(fresh))


def _kill_in_write(number):
    count, whole = 0, feature_writer._write_all

    def write(file, content):
        nonlocal count
        count += 1
        if count == number:
            whole(file, content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        whole(file, content)

    feature_writer._write_all = write


def killed(store, write):
    """Fill the store in a process that is killed in a write; 0 kills nothing. Tell whether it was killed."""
    child = os.fork()
    if not child:
        _kill_in_write(write)
        fill(store)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0, status
    return os.WIFSIGNALED(status)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    killed(folder / "whole", 0)
    number = 1
    while killed(folder / str(number), number):
        _ = number % 2 and killed(folder / str(number), 2)
        killed(folder / str(number), 0)
        number += 1
    killed(folder / "half", 6)
    print(number - 1)

"""Fill a feature store and kill this process, as `kill -9` would, in the middle of its n-th write.

python kill_at.py STORE WRITE: WRITE counts from 1; 0 kills nothing.
"""

import os
import signal
import sys

import numpy as np

from seqnets.data import feature_writer
from seqnets.data.feature_index import Header, ImageRecord, Layer

LAYERS = {"grid": Layer((4, 3), (2, 2)), "pool": Layer((3,))}
HEADER = Header({"model": "tiny", "weights": "f00d"}, LAYERS, "bfloat16", rows_per_shard=5)
IMAGES = [f"{number % 11:02d}" for number in range(16)]  # the last five have the content of the first five
BATCH = 5


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


def kill_in_write(number):
    count, whole = 0, feature_writer._write_all

    def write(file, content):
        nonlocal count
        count += 1
        if count == number:
            whole(file, content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        whole(file, content)

    feature_writer._write_all = write


if __name__ == "__main__":
    kill_in_write(int(sys.argv[2]))
    fill(sys.argv[1])

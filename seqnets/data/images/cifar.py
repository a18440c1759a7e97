"""CIFAR-10 and CIFAR-100, the binary version.

References:
    Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqnets.decoders import read_bytes, read_text
from seqnets.errors import UserError

Arrays = tuple[np.ndarray, np.ndarray]

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_PIXELS = 3 * 32 * 32
_PICKLES = ("data_batch_1", "train", "test_batch")


def is_in(folder: Path) -> bool:
    """Return whether a folder has CIFAR's binary files.

    Raises:
        UserError: it has the Python version, which consists of pickles.
    """
    pickles = [name for name in _PICKLES if (folder / name).is_file()]
    if pickles and not _files(folder, "train.bin", "data_batch_*.bin"):
        raise UserError(
            f"'{folder / pickles[0]}' looks like CIFAR's Python version: pickles, which can run any code when read; "
            "get the binary version (cifar-10-binary.tar.gz, cifar-100-binary.tar.gz)"
        )
    return bool(_files(folder, "train.bin", "data_batch_*.bin"))


def read(folder: Path) -> tuple[dict[str, Arrays], tuple[str, ...]]:
    """Read the splits of a folder and the names of the classes (the fine ones of CIFAR-100).

    Returns:
        Split to (images [N, 32, 32, 3] of uint8, labels [N]), and the names.

    Raises:
        UserError: a file does not consist of CIFAR's records.
    """
    hundred = (folder / "train.bin").exists()
    patterns = ("train.bin", "test.bin") if hundred else ("data_batch_*.bin", "test_batch.bin")
    files = {name: _files(folder, pattern) for name, pattern in zip(("train", "test"), patterns)}
    splits = {name: _concatenated(paths, 2 if hundred else 1) for name, paths in files.items() if paths}
    names = _names(folder / "fine_label_names.txt", 100) if hundred else CIFAR10
    largest = max(int(labels.max()) for _, labels in splits.values())
    if largest >= len(names):
        raise UserError(f"'{folder}' has the label {largest}, more than CIFAR's {len(names)} classes; get the files again")
    return splits, names


def read_records(path: Path, label_bytes: int) -> Arrays:
    """Read one file of records: the label (the last of `label_bytes`), then red, green and blue planes of 32 x 32.

    Raises:
        UserError: the file cannot be read or does not consist of such records.
    """
    content = np.frombuffer(read_bytes(path), np.uint8)
    size = label_bytes + _PIXELS
    if not len(content) or len(content) % size:
        raise UserError(f"'{path}' has {len(content):,} bytes, not a multiple of {size:,}, a CIFAR record; get it again")
    records = content.reshape(-1, size)
    planes = records[:, label_bytes:].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, label_bytes - 1]


def _concatenated(paths: Sequence[Path], label_bytes: int) -> Arrays:
    images, labels = zip(*(read_records(path, label_bytes) for path in paths))
    return np.concatenate(images), np.concatenate(labels)


def _files(folder: Path, *patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in sorted(folder.glob(pattern))]


def _names(path: Path, count: int) -> tuple[str, ...]:
    lines = read_text(path).split() if path.exists() else []
    return tuple(lines) if len(lines) == count else tuple(map(str, range(count)))

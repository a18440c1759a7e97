"""MNIST and its relatives: IDX files, plain or compressed.

References:
    LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
    Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017.
"""

import re
from pathlib import Path

import numpy as np

from seqnets.decoders import read_bytes
from seqnets.errors import UserError

Arrays = tuple[np.ndarray, np.ndarray]

FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
_IMAGES = re.compile(r"(?P<split>.*)-images[.-]idx3-ubyte(\.gz)?$")
_TESTS = ("t10k", "test")
_BYTES = 0x08  # the only number type in these sets


def is_in(folder: Path) -> bool:
    """Return whether a folder has IDX files of images."""
    return bool(_image_files(folder))


def read(folder: Path) -> tuple[dict[str, Arrays], tuple[str, ...]]:
    """Read the splits of a folder and the names of the classes; a test set without a training set becomes the training set.

    Returns:
        Split to (images [N, H, W, 1] of uint8, labels [N]), and the names.

    Raises:
        UserError: a file is missing or damaged, or images and labels do not match.
    """
    found = {match["split"]: _pair(folder, path, match["split"]) for match, path in _image_files(folder)}
    tests = [name for name in found if name.endswith(_TESTS)]
    splits = {"test" if name in tests and len(found) > 1 else "train": arrays for name, arrays in found.items()}
    classes = 1 + max(int(labels.max(initial=0)) for _, labels in splits.values())
    fashion = "fashion" in str(folder.resolve()).lower() and classes == len(FASHION)
    return splits, FASHION if fashion else tuple(map(str, range(classes)))


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file of bytes.

    Raises:
        UserError: it cannot be read, is not such a file, or is cut short.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
        >>> path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        10
        >>> read_idx(path)
        array([7, 9], dtype=uint8)
    """
    content = read_bytes(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _BYTES:
        raise UserError(f"'{path}' is not an IDX file of bytes; get it again")
    start = 4 + 4 * content[3]
    shape = tuple(int(size) for size in np.frombuffer(content[4:start][: (len(content[4:start]) // 4) * 4], ">u4"))
    if len(shape) != content[3] or len(content) - start != int(np.prod(shape, dtype=np.int64)):
        raise UserError(f"'{path}' is damaged: it has {len(content):,} bytes, which do not fit its shape {shape}; get it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _image_files(folder: Path) -> list[tuple[re.Match[str], Path]]:
    matches = ((_IMAGES.match(path.name), path) for path in sorted(folder.iterdir()))
    return [(match, path) for match, path in matches if match]


def _pair(folder: Path, path: Path, split: str) -> Arrays:
    names = [f"{split}-labels{mark}idx1-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    partner = next((folder / name for name in names if (folder / name).exists()), None)
    if partner is None:
        raise UserError(f"'{folder}' has {path.name} but no {names[0]} (or .gz); put it there")
    images, labels = read_idx(path), read_idx(partner)
    if images.ndim != 3 or labels.shape != images.shape[:1] or not len(labels):
        raise UserError(f"'{path}' has the shape {images.shape} and '{partner}' {labels.shape}; they do not belong together")
    return images[..., None], labels

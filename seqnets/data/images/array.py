"""Image files as an array whose rows are decoded on request."""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from seqnets.data.images.files import ImageError, open_image
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.read_ahead import read_ahead
from seqnets.errors import UserError
from seqnets.processes import shared_out


class ImageFiles:
    """Image files as an array `(N, H, W, C)` of uint8, decoded on request and cached up to a limit.

    Args:
        paths: N files.
        rule: the preprocessing that gives them one size.
        megabytes: size of the cache of decoded images; the rest is decoded again each time.

    Raises:
        UserError: the rule does not give images of one size.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (4, 4), (9, 8, 7)).save(f"{folder}/a.png")
        ...     files = ImageFiles([f"{folder}/a.png"], Preprocessing(resize=2, crop=(2, 2)))
        ...     files.shape, files[np.array([0, 0])][1, 0, 0].tolist()
        ((1, 2, 2, 3), [9, 8, 7])
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, paths: Sequence[str], rule: Preprocessing, megabytes: int = 2048) -> None:
        if rule.image_size is None:
            raise UserError("the preprocessing gives images of any size; give it a crop")
        self.paths, self.shape = tuple(paths), (len(paths), *rule.image_size, rule.channel_count)
        self._rule, self._decoded = rule, dict[int, np.ndarray]()
        self._most = megabytes * 1_000_000 // math.prod(self.shape[1:])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        wanted = np.arange(len(self))[rows].tolist()
        missing = [row for row in dict.fromkeys(wanted) if row not in self._decoded]
        fresh = dict(zip(missing, read_ahead(self._rule.pixels, [self.paths[row] for row in missing])))
        found = np.stack([fresh[row] if row in fresh else self._decoded[row] for row in wanted])
        self._decoded.update(islice(fresh.items(), max(self._most - len(self._decoded), 0)))
        return found

    @property
    def identity(self) -> np.ndarray:
        """What identifies these images: the names and sizes of the files, and the rule."""
        return np.array(
            [str(self._rule.to_json()), *(f"{os.path.basename(path)} {os.stat(path).st_size}" for path in self.paths)]
        )


def damaged(paths: Sequence[str]) -> dict[str, str]:
    """Return what is wrong with each unreadable file; several processes divide the files among them.

    Example:
        >>> damaged([__file__])[__file__].startswith("'")
        True
    """
    return shared_out(_damaged, paths)


def error_of(path: str) -> str:
    """Return why an image cannot be read; "" if it can be.

    Example:
        >>> error_of("no/such.jpg")
        "'no/such.jpg' cannot be read: No such file or directory; check the path and the file"
    """
    try:
        open_image(path).close()
    except ImageError as error:
        return str(error)
    return ""


def _damaged(paths: Sequence[str]) -> dict[str, str]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return {path: error for path, error in zip(paths, pool.map(error_of, paths)) if error}

"""Stores the features of many images, so that each image goes through the network only once."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from seqnets.data.features.index import Header, ImageRecord, Layer, content_digest, number_type
from seqnets.data.features.store import FeatureStore
from seqnets.data.features.writer import FeatureWriter, rows_per_shard
from seqnets.data.images.files import ImageError, open_image
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.read_ahead import read_ahead
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.models.extractor import Extractor
from seqnets.named_arrays import host_arrays

Progress = Callable[[int, int], None]


class Estimate(NamedTuple):
    """The estimate before the work begins.

    Args:
        images: the number of files.
        settled: how many of them the store has processed before.
        header: the store's: layers, shapes, dtype.
    """

    images: int
    settled: int
    header: Header

    @property
    def bytes(self) -> int:
        """The most bytes by which the store grows: copies of the same content are stored once."""
        return (self.images - self.settled) * self.header.row_bytes


def extract_features(
    model: ConvNet,
    images: Iterable[str | os.PathLike[str]],
    store: str | os.PathLike[str],
    *,
    name: str,
    layers: Sequence[str] = (),
    pooled: bool = False,
    dtype: str = "float32",
    batch_size: int = 32,
    preprocessing: Preprocessing | None = None,
    threads: int | None = None,
    wait: bool = False,
    estimated: Callable[[Estimate], None] | None = None,
    progress: Progress | None = None,
) -> FeatureStore:
    """Compute features of images and keep them in a store; existing features are not computed again.

    The process may be killed at any moment and started again: the finished store is the same, byte for byte. An unreadable
    image is recorded in the store (`FeatureStore.failures`), and the others are processed.

    Args:
        model: the network.
        images: paths.
        store: the store's folder, either new or made with the same network, weights, preprocessing, layers and dtype.
        name: the network's name, such as "resnet50".
        layers: the wanted features; by default the last grid before the pooling.
        pooled: keep the mean over all locations, [D], in place of the grid, [L, D].
        dtype: type of the stored numbers: "float32", "bfloat16" or "float16".
        batch_size: images at once.
        preprocessing: the rule; the model's own when None.
        threads: threads that decode images ahead; one per core when None.
        wait: wait for another process that is adding to the store, instead of raising an error.
        estimated: called with the estimate before the work begins.
        progress: called with the number of finished images and the total.

    Returns:
        The store, open for reading.

    Raises:
        UserError: the store was made differently (the message says how), no image can be read, or the disk is too small.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from seqnets.models import create_model
        >>> digits = Preprocessing(resize=(28, 28), crop=None, channels="gray", mean=(0.0,), std=(1.0,))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (9, 9)).save(f"{folder}/a.png")
        ...     model, photos = create_model("lenet5"), [f"{folder}/a.png"]
        ...     store = extract_features(model, photos, f"{folder}/store", name="lenet5", preprocessing=digits, batch_size=1)
        ...     store.gather(photos).shape
        (1, 100, 16)
    """
    extractor = Extractor(model, layers or [grid_layer(model)], batch_size=batch_size, preprocessing=preprocessing)
    paths = list(dict.fromkeys(os.path.abspath(path) for path in images))
    size = extractor.preprocessing.image_size or _first_size(extractor.preprocessing, paths)
    header = describe(extractor, model, size, name=name, pooled=pooled, dtype=dtype)
    with FeatureWriter(store, header, wait=wait) as writer:
        pending = [path for path in paths if not writer.settled(path)]
        estimate = Estimate(len(paths), len(paths) - len(pending), header)
        if estimated:
            estimated(estimate)
        _check_space(Path(store), estimate)
        read = _Reader(writer, extractor.preprocessing, size)
        _fill(writer, extractor, read_ahead(read, pending, ahead=2 * batch_size, threads=threads), len(pending), progress)
    return FeatureStore(store)


def grid_layer(model: ConvNet) -> str:
    """Return the name of the last stage before the pooling, which attention uses.

    Example:
        >>> from seqnets.models import abstract_model
        >>> grid_layer(abstract_model("resnet50")), grid_layer(abstract_model("vgg16"))
        ('stage4', 'stage5')
    """
    stages = [name for name in model.feature_names if name.startswith("stage")]
    return (stages or list(model.feature_names))[-1]


def describe(extractor: Extractor, model: ConvNet, size: tuple[int, int], *, name: str, pooled: bool, dtype: str) -> Header:
    """Return the header of the store that would hold a network's features.

    Args:
        extractor: computes the features.
        model: its network.
        size: (H, W) of the images.
        name: name of the network.
        pooled: whether the locations are averaged.
        dtype: dtype of the store.
    """
    layers = {layer: _kept(shape, pooled) for layer, shape in extractor.shapes(*size).items()}
    made_by = {
        "model": name,
        "weights": weights_digest(model),
        "preprocessing": extractor.preprocessing.to_json(),
        "image_size": size,
        "compute_dtype": model.dtype.name,
    }
    bytes_of_row = sum(layer.size for layer in layers.values()) * number_type(dtype).itemsize
    return Header(made_by, layers, dtype, rows_per_shard(bytes_of_row))


def weights_digest(model: nnx.Module) -> str:
    """Return the SHA-256 of a network's parameters and statistics, independent of their file.

    Example:
        >>> from seqnets.nn import Dense
        >>> weights_digest(Dense(2, 3, rngs=nnx.Rngs(0))) == weights_digest(Dense(2, 3, rngs=nnx.Rngs(1)))
        False
    """
    digest = hashlib.sha256()
    for name, array in sorted(host_arrays(nnx.state(model)).items()):
        digest.update(f"{name} {array.dtype.name} {array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


class _Reader:
    """Reads an image file in a thread: its record for the index, and its pixels where needed."""

    def __init__(self, writer: FeatureWriter, rule: Preprocessing, size: tuple[int, int]):
        self._known, self._rule, self._shape = writer.has, rule, (*size, rule.channel_count)

    def __call__(self, path: str) -> tuple[ImageRecord, np.ndarray | None]:
        try:
            with open(path, "rb") as file:
                state, digest = os.fstat(file.fileno()), content_digest(file)
                record = ImageRecord(path, state.st_size, state.st_mtime_ns, digest)
                return record, None if self._known(digest) else self._pixels(file)
        except ImageError as error:
            return record._replace(failure=str(error)), None
        except OSError as error:
            return ImageRecord(path, 0, 0, None, f"the image cannot be read: {error.strerror}"), None

    def _pixels(self, file: Any) -> np.ndarray:
        pixels = self._rule.pixels(open_image(file, "L" if self._rule.channels == "gray" else "RGB"))
        if pixels.shape != self._shape:
            found, wanted = (" x ".join(map(str, shape[:2])) for shape in (pixels.shape, self._shape))
            raise ImageError(f"the image has {found}, but the store holds features of images of {wanted}")
        return pixels


def _fill(
    writer: FeatureWriter,
    extractor: Extractor,
    items: Iterable[tuple[ImageRecord, np.ndarray | None]],
    total: int,
    progress: Progress | None,
) -> None:
    done = 0
    for records, pixels in _batches(writer, items, extractor.batch_size):
        writer.add(records, _features(extractor, pixels, writer.header))
        done += len(records)
        if progress:
            progress(done, total)


def _batches(
    writer: FeatureWriter, items: Iterable[tuple[ImageRecord, np.ndarray | None]], size: int
) -> Iterator[tuple[list[ImageRecord], list[np.ndarray]]]:
    records: list[ImageRecord] = []
    fresh: dict[str, np.ndarray] = {}
    for record, pixels in items:
        records.append(record)
        if pixels is not None and record.digest and not writer.has(record.digest):
            fresh.setdefault(record.digest, pixels)
        if len(fresh) == size:
            yield records, list(fresh.values())
            records, fresh = [], {}
    if records:
        yield records, list(fresh.values())


def _features(extractor: Extractor, pixels: list[np.ndarray], header: Header) -> dict[str, np.ndarray]:
    if not pixels:
        return {name: np.empty((0, *layer.shape), np.float32) for name, layer in header.layers.items()}
    found = extractor(np.stack(pixels))
    return {name: _arranged(found[name], layer) for name, layer in header.layers.items()}


def _arranged(features: np.ndarray, layer: Layer) -> np.ndarray:
    if len(layer.shape) == 1 and features.ndim == 4:
        return features.astype(np.float32).mean((1, 2))
    return features.reshape(len(features), *layer.shape)


def _kept(shape: tuple[int, ...], pooled: bool) -> Layer:
    if len(shape) == 1:
        return Layer(shape)
    height, width, features = shape
    return Layer((features,)) if pooled else Layer((height * width, features), (height, width))


def _first_size(rule: Preprocessing, paths: Sequence[str]) -> tuple[int, int]:
    for path in paths:
        try:
            height, width, _ = rule.pixels(path).shape
        except ImageError:
            continue
        return height, width
    raise ImageError(f"none of the {len(paths):,} images can be read")


def _check_space(store: Path, estimate: Estimate) -> None:
    free = shutil.disk_usage(store).free
    if estimate.bytes > free:
        raise UserError(
            f"the features take up to {estimate.bytes / 1e9:,.1f} GB, and the disk of '{store}' has {free / 1e9:,.1f} GB free; "
            "free some, or store less with the options --pooled and --dtype bfloat16 of `seqnets features`"
        )

"""Reads image files of any kind as upright RGB or gray pictures; refuses those that are damaged or would fill the memory."""

import io
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from seqnets.data.images.names import EXTENSIONS
from seqnets.errors import UserError

ImageMode = Literal["RGB", "L"]
Source = str | os.PathLike[str] | bytes | BinaryIO

MAX_PIXELS = 100_000_000
# formats that are pictures, not programs: an interpreter would run PostScript, for example
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "MPO", "PPM", "JPEG2000", "AVIF")
_HEIC = frozenset([b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"])
# files that often lie beside pictures and are skipped without a message
_COMPANIONS = frozenset(
    [".txt", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".html", ".md", ".toml", ".yaml", ".yml", ".ini", ".db", ".gz", ".npz"]
)
_DEPTHS = (8, 10, 12, 14, 16)  # bit depths of cameras and scanners
_NAMED = 5
_WHITE = (255, 255, 255, 255)
_ORIENTATION = 0x0112  # of EXIF
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_quieting = threading.Lock()


class ImageError(UserError):
    """An image that cannot be used. The message names it and says why.

    Example:
        >>> open_image(b"no picture", name="'notes.txt'")
        Traceback (most recent call last):
        ...
        seqnets.data.images.files.ImageError: 'notes.txt' is not an image of a known format (JPEG, PNG, WEBP, GIF, BMP, TIFF, ...)
    """


def open_image(source: Source, mode: ImageMode = "RGB", *, max_pixels: int = MAX_PIXELS, name: str = "") -> Image.Image:
    """Read an image file as people see it: upright, on white where it is transparent, with 8 bits per channel.

    Gray, palette, CMYK, 1-bit and 16-bit images are converted; an animation gives its first picture. White of a gray
    image of 16 bits is the largest number of 8, 10, 12, 14 or 16 bits, the fewest that hold its values: 4095 for the 12 bits
    of an X-ray, 65535 where all 16 are used. HEIC needs the package `pillow-heif`. The size is read from the file's
    header, so a small file that would unpack to gigabytes is refused before it is decoded. Pillow's settings
    stay as they are, and its warnings are suppressed.

    Args:
        source: a path, the bytes of a file, or an open file.
        mode: "RGB", or "L" for gray.
        max_pixels: larger images are refused. Pillow itself refuses 179 million.
        name: what to call the image in an error; the path by default.

    Returns:
        The picture, decoded, in `mode`.

    Raises:
        ImageError: the file cannot be read, is not an image, is cut short or damaged, or has too many pixels.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("LA", (2, 1), (0, 0)).save(file, "PNG")
        >>> open_image(file.getvalue()).getpixel((0, 0))
        (255, 255, 255)
    """
    name = name or (f"'{os.fspath(source)}'" if isinstance(source, str | os.PathLike) else "the image")
    try:
        if isinstance(source, bytes):
            return _decode(io.BytesIO(source), mode, max_pixels, name)
        if isinstance(source, str | os.PathLike):
            with open(source, "rb") as file:
                return _decode(file, mode, max_pixels, name)
        return _decode(source, mode, max_pixels, name)
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror or error}; check the path and the file") from None
    except MemoryError:  # one picture is left out; the others may fit
        raise ImageError(f"{name} needs too much memory; shrink it") from None


def find_images(sources: Iterable[str | os.PathLike[str]], *, tell: Callable[[str], None] = lambda sentence: None) -> list[Path]:
    """List image files.

    Args:
        sources: files (with any name), folders (searched recursively for the extensions of
            images, without hidden files) and glob patterns such as `photos/*.jpg` or `photos/**/*.png`.
        tell: called with a sentence that names the files skipped in a folder: those with other extensions, except
            texts and tables.

    Returns:
        The paths without repetition: the sources in the given order, each sorted.

    Raises:
        ImageError: a source does not exist, or nothing in it is an image.

    Example:
        >>> find_images(["no/such"])
        Traceback (most recent call last):
        ...
        seqnets.data.images.files.ImageError: 'no/such' does not exist; give image files, folders or patterns such as '*.jpg'
    """
    return list(dict.fromkeys(path for source in sources for path in _images_of(os.fspath(source), tell)))


def as_mode(image: Image.Image, mode: ImageMode = "RGB", *, name: str = "the image") -> Image.Image:
    """Convert a picture of any of Pillow's modes to 8-bit RGB or gray, on white where it is transparent.

    Raises:
        ImageError: the range of its values is unknown.

    Example:
        >>> as_mode(Image.new("I;16", (1, 1), 32896), "L").getpixel((0, 0))
        128
    """
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode[0] in "IF":
        image = _eight_bits(image, name)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image)
    return image.convert(mode)


def _decode(file: BinaryIO, mode: ImageMode, max_pixels: int, name: str) -> Image.Image:
    image = _opened(file, name)
    if image.width * image.height > max_pixels:
        size = f"{image.width:,} x {image.height:,} pixels"
        raise ImageError(f"{name} has {size}, more than the {max_pixels:,} allowed; shrink it, or raise max_pixels")
    try:
        image.load()
        return as_mode(_upright(image), mode, name=name)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # decoders fail in many ways on damaged data
        raise ImageError(f"{name} is damaged or cut short: {_first_line(error)}") from None


def _opened(file: BinaryIO, name: str) -> Image.Image:
    try:
        with _unsaid_warnings():
            if _is_heic(file):
                return _heic(file, name)
            Image.init()
            return Image.open(file, formats=[kind for kind in _FORMATS if kind in Image.OPEN])
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is too large: {_first_line(error)}") from None
    except Image.UnidentifiedImageError:
        raise ImageError(f"{name} is {_nothing_known(file)}") from None
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(f"{name} is damaged or cut short: {_first_line(error)}") from None


def _is_heic(file: BinaryIO) -> bool:
    head = file.read(32)
    file.seek(0)
    return head[4:8] == b"ftyp" and head[8:12] in _HEIC and b"avif" not in head


def _heic(file: BinaryIO, name: str) -> Image.Image:
    try:
        from pillow_heif import HeifImageFile  # pyright: ignore[reportMissingImports]
    except ImportError:
        advice = "install it with pip install 'seqnets[heif]', or save the image as JPEG"
        raise ImageError(f"{name} is a HEIC image, which the package pillow-heif reads; {advice}") from None
    return HeifImageFile(file)


def _nothing_known(file: BinaryIO) -> str:
    if file.seek(0, os.SEEK_END) == 0:
        return "empty"
    return "not an image of a known format (JPEG, PNG, WEBP, GIF, BMP, TIFF, ...)"


def _upright(image: Image.Image) -> Image.Image:
    try:
        with _unsaid_warnings():
            turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged metadata does not damage the picture
        return image
    if turn is None:
        return image
    turned = image.transpose(turn)
    turned.info = image.info
    return turned


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    values = np.asarray(image)
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    full = 1.0 if image.mode == "F" else next((2**bits - 1 for bits in _DEPTHS if high < 2**bits), 65535)
    if not (low >= 0 and high <= full):
        raise ImageError(f"{name} has values from {low:g} to {high:g}, not 0 to {full:g}; save it with 8 or 16 bits a channel")
    return Image.fromarray(np.floor(values * (255 / full) + 0.5).astype(np.uint8))


@contextmanager
def _unsaid_warnings() -> Iterator[None]:
    # warning filters belong to the whole process: threads take turns, and only Pillow's warnings are ignored
    with _quieting, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _images_of(source: str, tell: Callable[[str], None]) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        return _of_folder(path, tell)
    if path.exists():
        return [path]
    if not has_magic(source):
        raise ImageError(f"'{source}' does not exist; give image files, folders or patterns such as '*.jpg'")
    found = [Path(match) for match in sorted(glob(source, recursive=True)) if Path(match).is_file()]
    if not found:
        raise ImageError(f"nothing matches '{source}'; give image files, folders or patterns such as '*.jpg'")
    return found


def _of_folder(folder: Path, tell: Callable[[str], None]) -> list[Path]:
    files = list(_shown_files(folder))
    found = [path for path in files if path.suffix.lower() in EXTENSIONS]
    others = [path for path in files if path.suffix.lower() not in EXTENSIONS | _COMPANIONS]
    passed_over = _passed_over(folder, others)
    if not found:
        raise ImageError(
            f"the folder '{folder}' has no images; looked for {', '.join(sorted(EXTENSIONS))}"
            + (passed_over and f"; {passed_over}")
        )
    if others:
        tell(passed_over)
    return sorted(found)


def _shown_files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _passed_over(folder: Path, others: Sequence[Path]) -> str:
    if not others:
        return ""
    names = ", ".join(f"'{path.relative_to(folder).as_posix()}'" for path in others[:_NAMED])
    files, more = "1 file is" if len(others) == 1 else f"{len(others):,} files are", ", ..." if len(others) > _NAMED else ""
    reason = "because their names do not end in an image extension"
    return f"{files} skipped in '{folder}', {reason}: {names}{more}; rename those that are images"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")

"""Image files of every kind become the same upright picture, and what is no picture is one sentence."""

import contextlib
import io
import re
import struct
import sys
import threading
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from seqnets.data.images.files import ImageError, find_images, open_image


def ramp(height=8, width=12):
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 20, columns * 20, 255 - rows * 10], -1).astype(np.uint8)


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def pixels(content, mode="RGB"):
    return np.asarray(open_image(content, mode))


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color_type, rows, *extra):
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), *extra, png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"])
def test_lossless_formats_give_the_pixels_back(kind):
    options = {"WEBP": {"lossless": True}, "JPEG2000": {"irreversible": False}}.get(kind, {})
    np.testing.assert_array_equal(pixels(saved(ramp(), kind, **options)), ramp())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_upright_as_its_exif_says(orientation):
    turns = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2), 8: lambda a: np.rot90(a, 1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "TIFF"):
        np.testing.assert_array_equal(pixels(saved(ramp(), kind, exif=exif)), turns[orientation](ramp()))


def test_damaged_exif_is_no_damage_to_the_picture():
    np.testing.assert_array_equal(pixels(saved(ramp(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")), ramp())


def test_gray_becomes_three_equal_channels_and_colors_become_gray():
    gray = ramp()[:, :, 0]
    np.testing.assert_array_equal(pixels(saved(gray)), np.stack([gray] * 3, -1))
    luma = ramp() @ np.array([0.299, 0.587, 0.114])
    assert np.abs(pixels(saved(ramp()), "L") - luma).max() <= 0.51


def test_one_bit_images_are_black_and_white():
    bits = (np.indices((5, 9)).sum(0) % 2).astype(bool)
    np.testing.assert_array_equal(pixels(saved(Image.fromarray(bits), "PNG"), "L"), bits * 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_to_eight_not_clipped(kind):
    deep = np.array([[0, 128, 129, 256, 257, 32896, 65407, 65535]], np.uint16)
    found = pixels(saved(Image.fromarray(deep), kind), "L")
    np.testing.assert_array_equal(found[0], np.round(deep[0] / 257))


def test_big_endian_and_colored_sixteen_bits_are_read_alike():
    deep = np.array([[[0, 257, 65535], [32896, 12850, 514]]], ">u2")
    rows = b"\0" + deep.tobytes()
    found = pixels(png(2, 1, 16, 2, rows))
    assert np.abs(found[0].astype(int) - np.round(deep[0] / 257)).max() <= 1
    gray = png(3, 1, 16, 0, b"\0" + np.array([0, 32896, 65535], ">u2").tobytes())
    assert pixels(gray, "L").tolist() == [[0, 128, 255]]


def test_floats_from_zero_to_one_are_scaled_and_others_refused():
    assert pixels(saved(np.array([[0.0, 0.5, 1.0]], np.float32), "TIFF"), "L").tolist() == [[0, 128, 255]]
    with pytest.raises(ImageError, match=r"the image has values from 0 to 7, not 0 to 1; save it with 8 or 16 bits"):
        open_image(saved(np.array([[0.0, 7.0]], np.float32), "TIFF"))
    with pytest.raises(ImageError, match="has values from nan to nan"):
        open_image(saved(np.array([[np.nan, 0.0]], np.float32), "TIFF"))


def test_alpha_is_laid_on_white():
    alpha = np.dstack([ramp(), np.tile(np.arange(0, 12, dtype=np.uint8) * 23, (8, 1))])
    share = alpha[:, :, 3:] / 255
    wanted = ramp() * share + 255 * (1 - share)
    assert np.abs(pixels(saved(alpha)) - wanted).max() <= 1
    half = Image.new("LA", (1, 1), (0, 128))
    assert abs(int(pixels(saved(half), "L")[0, 0]) - 127) <= 1


def test_palettes_are_looked_up_and_their_transparent_entry_is_white():
    palette = Image.new("P", (3, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50, 1, 2, 3])
    palette.putdata([0, 1, 2])
    assert pixels(saved(palette)).tolist() == [[[10, 20, 30], [200, 100, 50], [1, 2, 3]]]
    assert pixels(saved(palette, "PNG", transparency=1))[0, 1].tolist() == [255, 255, 255]
    partly = pixels(saved(palette, "PNG", transparency=bytes([255, 255, 0])))
    assert partly[0].tolist() == [[10, 20, 30], [200, 100, 50], [255, 255, 255]]


def test_a_transparent_color_of_rgb_and_gray_is_white():
    assert pixels(saved(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG", transparency=(9, 8, 7))).tolist() == [[[255] * 3]]
    assert pixels(saved(Image.new("L", (1, 1), 9), "PNG", transparency=9), "L").tolist() == [[255]]


def test_cmyk_is_converted_inverted_or_not():
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[:, :4] = [255, 0, 0, 0]  # full cyan beside white paper
    for content in (saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=100), saved(Image.fromarray(inks, "CMYK"), "TIFF")):
        found = pixels(content).astype(int)
        assert np.abs(found[:, :4] - [0, 255, 255]).max() <= 6
        assert np.abs(found[:, 4:] - 255).max() <= 6


def test_the_first_picture_of_an_animation_is_taken():
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "lime")]
    for kind in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        content = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert pixels(content)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_file_cut_short_anywhere_is_refused_in_one_sentence(kind, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    content = saved(noise, kind)
    path = tmp_path / f"cut.{kind.lower()}"
    for share in (0.0, 0.01, 0.3, 0.6, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ImageError) as caught:
            open_image(path)
        assert str(caught.value).startswith(f"'{path}' is ")
        assert "\n" not in str(caught.value)


def test_flipped_bits_never_give_anything_but_a_picture_or_an_image_error():
    random = np.random.default_rng(1)
    noise = random.integers(0, 255, (16, 16, 3), np.uint8)
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM"):
        content = np.frombuffer(saved(noise, kind), np.uint8)
        for _ in range(40):
            broken = content.copy()
            broken[random.integers(0, len(broken), 3)] ^= random.integers(1, 255, 3, np.uint8)
            with contextlib.suppress(ImageError):
                assert open_image(broken.tobytes()).mode == "RGB"


def test_what_is_no_picture_is_reported_apart():
    with pytest.raises(ImageError, match="'notes' is not an image of a known format"):
        open_image(b"hello", name="'notes'")
    with pytest.raises(ImageError, match="the image is empty"):
        open_image(b"")
    with pytest.raises(ImageError, match="not an image of a known format"):
        open_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")  # never handed to an interpreter


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(ImageError, match="cannot be read: No such file"):
        open_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="cannot be read: Is a directory"):
        open_image(tmp_path)


def test_a_bomb_is_refused_before_it_is_decoded():
    bomb = png(20_000, 20_000, 8, 0, b"\0" * 1_000_000)
    limits = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="'b' is too large"):
            open_image(bomb, name="'b'")
        with pytest.raises(ImageError, match="12,000 x 10,000 pixels, more than the 100,000,000 allowed"):
            open_image(png(12_000, 10_000, 8, 0, b"\0" * 1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6
    assert limits == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_the_limit_is_the_callers():
    content = saved(ramp())
    assert open_image(content, max_pixels=96).size == (12, 8)
    with pytest.raises(ImageError, match="12 x 8 pixels, more than the 95 allowed"):
        open_image(content, max_pixels=95)


def test_many_threads_leave_the_warning_filters_alone():
    before, content = list(warnings.filters), saved(ramp())
    threads = [threading.Thread(target=lambda: [open_image(content) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_files_folders_and_patterns_are_found_sorted_and_once(tmp_path):
    names = ["b/2.JPG", "b/1.png", "a.gif", ".hidden/x.png", "b/.x.png", "b/readme.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    relative = [path.relative_to(tmp_path).as_posix() for path in find_images([tmp_path])]
    assert relative == ["a.gif", "b/1.png", "b/2.JPG"]
    found = find_images([f"{tmp_path}/b/*.png", tmp_path / "b/readme.txt", tmp_path])
    assert [path.name for path in found] == ["1.png", "readme.txt", "a.gif", "2.JPG"]
    for source, message in {"none.png": "does not exist", "*.webp": "nothing matches"}.items():
        with pytest.raises(ImageError, match=message):
            find_images([tmp_path / source])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="has no images"):
        find_images([tmp_path / "empty"])


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(tmp_path):
    path = tmp_path / "photo[1].png"
    path.touch()
    assert find_images([path]) == [path]


@pytest.mark.parametrize(("bits", "values"), [(8, (0, 20, 255)), (10, (3, 1023)), (12, (0, 2048, 4095)), (14, (9, 16383))])
def test_data_of_fewer_bits_in_sixteen_spans_black_to_white(bits, values):
    deep = np.array([values], np.uint16)
    np.testing.assert_array_equal(pixels(saved(Image.fromarray(deep)), "L"), np.floor(deep / (2**bits - 1) * 255 + 0.5))


def test_heic_without_its_package_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(
        ImageError, match=r"is a HEIC image, which the package pillow-heif reads; install it with pip install 'seq"
    ):
        open_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


def test_heic_is_read_with_its_package():
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(ramp(32, 64))).save(file, quality=-1, chroma=444)
    before = set(Image.OPEN)
    assert np.abs(pixels(file.getvalue()).astype(int) - ramp(32, 64)).max() <= 6
    assert set(Image.OPEN) <= before | {"AVIF"}
    with pytest.raises(ImageError, match="damaged or cut short"):
        open_image(file.getvalue()[:200])


def test_avif_is_not_taken_for_heic():
    file = io.BytesIO()
    Image.fromarray(ramp(32, 64)).save(file, "AVIF", quality=100, subsampling="4:4:4")
    for brand in (b"avif", b"mif1"):
        found = pixels(file.getvalue().replace(b"ftypavif", b"ftyp" + brand))
        assert np.abs(found.astype(int) - ramp(32, 64)).max() <= 12


def test_files_with_the_ending_of_no_image_are_named(tmp_path):
    for name in ("a.png", "b.jpg_large", "c", "d.heic", "notes.txt", ".x"):
        (tmp_path / name).touch()
    reported = []
    assert [path.name for path in find_images([tmp_path], tell=reported.append)] == ["a.png", "d.heic"]
    assert len(reported) == 1
    assert re.search(r"^2 files are skipped .* 'b.jpg_large', 'c'; rename", reported[0])
    for name in ("a.png", "d.heic"):
        (tmp_path / name).unlink()
    with pytest.raises(ImageError, match=r"has no images; looked for .*; 2 files are skipped"):
        find_images([tmp_path])


def test_memory_that_does_not_suffice_for_one_picture_is_reported_of_this_picture(monkeypatch, tmp_path):
    (tmp_path / "big.png").write_bytes(saved(ramp()))

    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", full)
    with pytest.raises(ImageError, match=r"big\.png' needs too much memory; shrink it"):
        open_image(tmp_path / "big.png")

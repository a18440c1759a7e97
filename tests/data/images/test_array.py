"""Image files as an array: decoded when asked for, and kept as far as the memory that is allowed."""

import numpy as np
import pytest
from PIL import Image

from seqnets.data.images import array as image_files
from seqnets.data.images.array import ImageFiles
from seqnets.data.images.preprocessing import Preprocessing

SIDE, COUNT = 500, 6  # 0.75 MB decoded


@pytest.fixture
def paths(tmp_path):
    paths = [str(tmp_path / f"{i}.png") for i in range(COUNT)]
    for i, path in enumerate(paths):
        Image.new("RGB", (4, 4), (i, i, i)).save(path)
    return paths


@pytest.mark.parametrize(("megabytes", "kept"), [(0, 0), (2, 2), (100, COUNT)])
def test_no_more_is_kept_than_was_allowed(monkeypatch, paths, megabytes, kept):
    opened = []
    files = ImageFiles(paths, Preprocessing(resize=(SIDE, SIDE), crop=None), megabytes)
    pixels = Preprocessing.pixels
    monkeypatch.setattr(Preprocessing, "pixels", lambda rule, path: opened.append(path) or pixels(rule, path))
    for rows in (np.array([5, 1, 1]), np.array([0, 5]), slice(None), np.array([3, 2, 0])):
        assert files[rows][:, 0, 0, 0].tolist() == np.arange(COUNT)[rows].tolist()
    opened.clear()
    files[:]
    assert len(opened) == COUNT - kept


def test_what_is_wrong_with_a_file_is_reported(paths, tmp_path):
    (tmp_path / "0.png").write_bytes(b"no picture")
    assert image_files.damaged(paths) == {paths[0]: image_files.error_of(paths[0])}
    assert "is not an image" in image_files.error_of(paths[0])

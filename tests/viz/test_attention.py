import io

import numpy as np
import pytest
from PIL import Image

from seqnets.decode import Caption
from seqnets.errors import UserError
from seqnets.viz.spotlight import smooth_map, spotlight

pytest.importorskip("matplotlib")


def peak(row, column, size=6):
    maps = np.zeros((size, size), np.float32)
    maps[row, column] = 1
    return maps


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 5), (3, 2), (5, 5)])
def test_the_light_is_where_the_attention_is(row, column):
    light = smooth_map(peak(row, column), 60, 90)
    assert light.shape == (60, 90)
    y, x = np.unravel_index(np.argmax(light), light.shape)
    assert (y // 10, x // 15) == (row, column)
    far = light[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert far.max() < 0.05 or (row, column) != (3, 2)
    assert 0 <= light.min() <= light.max() <= 1


def test_uniform_attention_leaves_the_image_as_it_is():
    image = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    np.testing.assert_array_equal(spotlight(image, np.full((4, 4), 1 / 16)), image)


def test_what_is_not_looked_at_is_dim_and_gray():
    image = np.zeros((60, 60, 3), np.uint8)
    image[..., 0] = 200
    lit = spotlight(image, peak(0, 0))
    assert lit[3, 3].tolist() == pytest.approx([200, 0, 0], abs=45)
    red, green, blue = lit[-1, -1].tolist()
    assert red == green == blue == round(0.35 * 0.299 * 200)


def test_smooth_enlarging_has_no_steps():
    ramp = np.tile(np.arange(1, 9, dtype=np.float32), (8, 1))
    light = smooth_map(ramp, 64, 64)[32]
    assert np.abs(np.diff(light)).max() < 0.03


def caption(**changes):
    maps = np.stack([peak(0, 0), peak(5, 5), np.full((6, 6), 1 / 36, np.float32)]).reshape(3, -1)
    image = np.full((48, 64, 3), 180, np.uint8)
    given = {"attention": maps, "words": ("a", "$5", "dog"), "grid": (6, 6), "image": image} | changes
    return Caption("a $5 dog", np.arange(3), -1.0, **given)


def test_the_figure_has_a_panel_a_word_and_the_caption_on_top():
    figure = caption().attention_figure()
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == ["", "a", r"\$5", "dog"]
    assert figure.get_suptitle() == r"a \$5 dog"
    shown = [panel.images[0].get_array() for panel in panels]
    np.testing.assert_array_equal(shown[0], shown[3])  # looked everywhere
    assert shown[1][0, 0].mean() > 2 * shown[1][-1, -1].mean()
    assert shown[2][0, 0].mean() < shown[2][-1, -1].mean() / 2
    assert [len(panel.collections) for panel in panels] == [0, 1, 1, 0]  # outlines


def test_the_file_is_a_picture_and_equal_each_time():
    contents = []
    for _ in range(2):
        file = io.BytesIO()
        caption().attention_figure(columns=2).savefig(file)
        contents.append(file.getvalue())
    assert contents[0] == contents[1] == caption().attention_figure(columns=2)._repr_png_()  # what a notebook shows
    assert Image.open(io.BytesIO(contents[0])).format == "PNG"


def test_long_captions_fill_several_rows():
    words = tuple(f"word{i}" for i in range(20))
    long = caption(words=words, attention=np.full((20, 36), 1 / 36, np.float32))
    figure = long.attention_figure(title=" ".join(words), columns=6)
    assert len(figure.axes) == 21
    assert "\n" in figure.get_suptitle()


def test_refusals():
    with pytest.raises(UserError, match="made from features, not from an image"):
        caption(image=None).attention_figure()
    with pytest.raises(UserError, match="without attention"):
        caption(attention=None).attention_figure()
    with pytest.raises(UserError, match="for T = 2 words"):
        caption(words=("a", "b")).attention_figure()
    with pytest.raises(UserError, match=r"image must be uint8 of shape \(H, W, 3\), not float64"):
        caption(image=np.zeros((4, 4, 3))).attention_figure()
    with pytest.raises(UserError, match="attention over 35 locations is not a square map"):
        _ = caption(attention=np.zeros((3, 35), np.float32), grid=None).maps

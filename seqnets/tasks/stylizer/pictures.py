"""The paintings and the pictures of a stylizer: read, split, and painted for people to look at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqnets.data.demo.scenes import Scenes
from seqnets.data.demo.textures import draw_texture
from seqnets.data.examples.examples import Examples
from seqnets.data.images.array import ImageFiles, damaged
from seqnets.data.images.files import find_images
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.tasks.stylizer import TEXTURE, PaintedConfig

_SHOWN = 4


def paintings(paths: Sequence[str], size: int) -> list[np.ndarray]:
    """Return the paintings, [H, W, 3] of uint8, their shorter side resized; without any, a texture."""
    return [Preprocessing(resize=size, crop=None).pixels(path) for path in paths] or [draw_texture(TEXTURE, 2 * size)]


def content_splits(sources: Sequence[str], config: PaintedConfig, styles: int, tell: Any) -> dict[str, Examples]:
    """Return the pictures of each split, each of them once for every style."""
    pictures = _pictures(sources, config, tell)
    held_out = min(round(len(pictures) * config.validation_fraction), len(pictures) - 1)
    order = np.random.default_rng(0).permutation(len(pictures))
    tell(f"{len(pictures) - held_out:,} pictures to paint, {held_out:,} for validation, {styles} style{'s' * (styles > 1)}")
    return {"train": _examples(pictures, order[held_out:], styles), "validation": _examples(pictures, order[:held_out], styles)}


def preview(model: Any, sources: Sequence[str], config: PaintedConfig, path: Path) -> None:
    """Write a sheet: a row for each of some held-out pictures, itself first, then painted in every style."""
    from seqnets.dream.sheet import write_picture
    from seqnets.models.stylizer import stylized

    examples = content_splits(sources, config, 1, lambda sentence: None)
    shown = examples["validation" if len(examples["validation"]) else "train"].rows(np.arange(_SHOWN))["content"]
    shares = np.eye(len(model.styles)).tolist()
    rows = [np.concatenate([picture, *(stylized(model, picture, share) for share in shares)], axis=1) for picture in shown]
    write_picture(path, np.concatenate(rows))


def _pictures(sources: Sequence[str], config: PaintedConfig, tell: Any) -> Any:
    rule = Preprocessing(resize=config.size, crop=(config.size, config.size))
    if not sources:
        return np.stack([rule.pixels(image) for image in Scenes("train", config.scenes).images()])
    paths = [str(path) for path in find_images(sources, tell=tell)]
    errors = damaged(paths)
    for error in errors.values():
        tell(f"left out: {error}")
    if len(errors) == len(paths):
        raise UserError(f"none of the {len(paths):,} pictures to paint can be read; give others with --contents")
    return ImageFiles([path for path in paths if path not in errors], rule)


def _examples(pictures: Any, rows: np.ndarray, styles: int) -> Examples:
    content, style = np.repeat(rows, styles), np.tile(np.arange(styles, dtype=np.int32), len(rows))
    return Examples({"content": content, "style": style}, {"content": pictures})

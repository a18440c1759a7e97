"""Measures how often saliency and occlusion point at the drawn shape: `python scripts/check_looking.py [RUN]`.

A picture counts if the place of the greatest value lies in the box around its shape. Chance is the share of the picture that
the box covers. The pictures are drawn with another seed than those of training.
"""

import sys
import time
from typing import Any

import numpy as np

import seqnets as sn
from seqnets.data.demo.shapes import SHAPES, boxed_shapes

COUNT, SEED = 200, 12345


def main() -> None:
    """Print the shares and the chance level."""
    model = sn.load(sys.argv[1] if len(sys.argv) > 1 else "shapes").model
    drawn, labels, boxes = boxed_shapes(COUNT, SEED)
    images: Any = drawn
    height, width = drawn.shape[1:3]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (height * width)
    classified: Any = sn.classify(model, images, top=1, labels=model.labels, batch_size=COUNT)
    guesses = [found[0].label for found in classified]
    right = np.mean([guess == SHAPES[label] for guess, label in zip(guesses, labels)])
    print(f"{COUNT} drawn shapes, {right:.1%} recognized; chance: the box covers {areas.mean():.1%} of a picture")
    looks = {
        "saliency": lambda: sn.inspect.saliency(model, images).map,
        "SmoothGrad, 16 copies": lambda: sn.inspect.saliency(model, images, samples=16).map,
        "guided": lambda: sn.inspect.saliency(model, images, kind="guided").map,
        "Grad-CAM": lambda: sn.inspect.grad_cam(model, images).map,
        "occlusion, probability": lambda: occluded(model, images, "probability"),
        "occlusion, logit": lambda: occluded(model, images, "logit"),
    }
    for name, look in looks.items():
        start = time.process_time()
        maps = look()
        places = np.stack(np.unravel_index(maps.reshape(COUNT, -1).argmax(1), (height, width)), -1)
        inside = ((boxes[:, :2] <= places) & (places < boxes[:, 2:])).all(1)
        print(
            f"{name:24} greatest value in the box in {inside.mean():.1%}; {time.process_time() - start:.1f} s of processor time"
        )


def occluded(model: Any, images: Any, score: Any) -> np.ndarray:
    """Return the fall of the score, at the middle of the window that costs most."""
    found = sn.inspect.occlusion(model, images, window=8, stride=2, score=score)
    maps = np.full(images.shape[:3], -np.inf)
    rows, columns = found.rows + found.window[0] // 2, found.columns + found.window[1] // 2
    maps[:, rows[:, None], columns[None]] = found.without[:, None, None] - found.grid
    return maps


if __name__ == "__main__":
    main()

"""Check the figures of docs/dreaming.md on what comes with seqnets, each with its time on this machine's processor.

    python scripts/check_dreams.py [classes] [fooling] [texture] [stylizer RUN]

classes: the probability of each class in its picture (above 0.9 in less than 10 s). fooling: the change that is needed.
texture: how far the Gram loss falls in 60 s (100 times). stylizer: the loss of a run on held-out scenes
beside that of optimizing each of them (at most 1.5 times it).
"""

import argparse
import time

import numpy as np

import seqnets as sn
from seqnets.data.demo.shapes import SHAPES, draw_shapes
from seqnets.data.demo.textures import TEXTURES, draw_texture
from seqnets.dream.networks import network
from seqnets.dream.recipes import class_visualization, fooling, probabilities, style_transfer, texture


def classes() -> None:
    model = network("shapes")
    found = class_visualization(model, range(len(SHAPES)))
    for name, p in zip(SHAPES, probabilities(model, found.pictures).diagonal()):
        print(f"  {name}: probability {p:.3f}")


def fooled() -> None:
    model, changes = network("shapes"), []
    pictures, labels = draw_shapes(12, seed=3)
    for picture, label in zip(pictures, labels):
        found = fooling(model, picture, (int(label) + 1) % len(SHAPES))
        changes.append(np.abs(found.values).max() if found.stopped else np.inf)
    shown = [round(float(change)) if change < np.inf else "none" for change in sorted(changes)]
    print(f"  largest change of 255 for each of {len(changes)} drawings: {shown}")


def textures() -> None:
    for name in TEXTURES:
        found = texture(network("random"), draw_texture(name, 64), steps=400)
        print(f"  {name}: the loss fell {found.objective[0, 0] / found.objective[-1, 0]:,.0f} times")


def stylizer(path: str) -> None:
    from seqnets import settings
    from seqnets.tasks.stylizer import StylizerRunConfig, make

    run = sn.load(path)
    config = settings.loads((run.directory / "config.toml").read_text("utf-8"), StylizerRunConfig())  # pyright: ignore
    task = make(config, lambda sentence: None)
    batch = task.splits["validation"].rows(np.arange(4))
    content_loss, style_loss, rough = (np.mean(part) for part in task.parts(run.model, batch))
    fast = config.loss.content * content_loss + config.loss.style * style_loss + config.loss.smoothness * rough
    styles = [draw_texture("waves", 2 * config.data.size)]
    slow = []
    for content in batch["content"]:
        best = style_transfer(task.network, content, styles, steps=300, style=config.loss.style, smooth=config.loss.smoothness)
        slow.append(-best.objective[-1, 0])
    print(f"  {fast:.3f} in one pass, {np.mean(slow):.3f} by 300 steps: {fast / np.mean(slow):.2f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT", default=["classes", "fooling", "texture"])
    words = parser.parse_args().what
    run = words[words.index("stylizer") + 1] if "stylizer" in words else ""
    checks = {"classes": classes, "fooling": fooled, "texture": textures, "stylizer": lambda: stylizer(run)}
    for what in [word for word in words if word in checks]:
        print(what, flush=True)
        start, used = time.perf_counter(), time.process_time()
        checks[what]()
        print(f"  {time.perf_counter() - start:.1f} s, {time.process_time() - used:.1f} s of the processor", flush=True)


if __name__ == "__main__":
    main()

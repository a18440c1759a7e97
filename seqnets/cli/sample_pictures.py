"""`seqnets sample RUN` for a run of `seqnets train drawer`: pictures in place of text."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqnets.errors import UserError
from seqnets.viz.figure_file import check_figure, write_sheet

_FILE, _SHOWN = "drawn.png", 8  # pictures whose steps --figure shows


def check_pictures(found: argparse.Namespace, task: str, given: Mapping[str, Any]) -> None:
    """Refuse options of the other kind of runs.

    Raises:
        UserError: one of them was given, or a file cannot be written.
    """
    if task != "drawer":
        others = [f"--{name}" for name in ("out", "figure") if getattr(found, name)]
        if others:
            raise UserError(f"{others[0]} is for pictures, and '{found.run}' writes text; leave it out")
        return
    others = {"--prompt": found.prompt, "--prompt-file": found.prompt_file, "--no-prompt": found.no_prompt,
              "--items": found.items, "--new": found.new, "--interactive": found.interactive, "--json": found.json,
              "--beam": found.beam, "--stop": found.stop}  # fmt: skip
    wrong = [option for option, value in others.items() if value] + [f"--{name.replace('_', '-')}" for name in given]
    if wrong:
        raise UserError(f"{wrong[0]} is for text, and '{found.run}' draws pictures; leave it out")
    check_figure(found.figure)
    if _is_file(found.out or _FILE):
        check_figure(found.out, option="--out")


def write_pictures(run: Any, found: argparse.Namespace, seed: int) -> None:
    """Draw the pictures, write them, and report where they are."""
    import jax
    import numpy as np

    from seqnets.decode.drawings import Drawn, draw
    from seqnets.viz.sheets import tile

    parts, out = list(draw(run.model, found.samples, jax.random.key(seed))), found.out or _FILE
    pictures = [picture for part in parts for picture in part.pictures[:, -1]]
    if _is_file(out):
        write_sheet(tile(pictures, side=84), Path(out))
    else:
        Path(out).mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures, 1):
            write_sheet(np.repeat(picture[..., None], 3, -1), Path(out) / f"{number:0{len(str(len(pictures)))}}.png")
    print(f"{len(pictures):,} picture{'s are' if len(pictures) > 1 else ' is'} in {out}")
    if found.figure:
        write_sheet(Drawn(*(array[:_SHOWN] for array in parts[0])).sheet(), Path(found.figure))
        print(f"the steps are in {found.figure}")


def _is_file(path: str) -> bool:
    return bool(Path(path).suffix) and not Path(path).is_dir()

"""Make the runs that are part of seqnets from trained ones.

    seqnets train sonnets tiny-shakespeare --config shakespeare --out runs/shakespeare
    python scripts/ship_runs.py runs/shakespeare runs/python runs/names runs/scenes

Each becomes seqnets/shipped/NAME: the weights in half precision, the settings without the paths of this machine, the vocabulary,
the figures of training, a card from scripts/shipped/NAME.md and the license beside it. Checkpoints stay behind.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import tomli_w

from seqnets import manifest, settings
from seqnets.files import replace_file
from seqnets.run import (
    CARD,
    ITEMS,
    METRICS,
    SETTINGS,
    VOCABULARY,
    WEIGHTS,
    read_config,
    read_weights,
    write_config,
    write_weights,
)

_ROOT = Path(__file__).parents[1]
_TARGET, _CARDS = _ROOT / "seqnets" / "shipped", Path(__file__).with_name("shipped")
_PATHS = ("corpus", "images", "captions")  # settings that are paths of the machine that trained
_TEXTS = {
    "shakespeare": {"corpus": ["sonnets", "tiny-shakespeare"]},
    "names": {"corpus": ["names"]},
}  # `seqnets download` has them


def main() -> None:
    """Make each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    for run in parser.parse_args().runs:
        target = ship(run, _TARGET / run.name)
        print(f"{target}: {sum(path.stat().st_size for path in target.iterdir()):,} bytes")


def ship(run: Path, target: Path) -> Path:
    """Write the parts of a run into a fresh folder; return it."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    kept = {name: value for name, value in settings.read(run / SETTINGS).items() if name not in _PATHS}
    texts = {SETTINGS: tomli_w.dumps({**kept, **_TEXTS.get(run.name, {})})}
    if (run / VOCABULARY).exists():
        texts[VOCABULARY] = (run / VOCABULARY).read_text("utf-8")
    for name, text in texts.items():
        replace_file(target / name, text)
    listed = {name: [manifest.figures(text)] for name, text in texts.items()}
    if (run / ITEMS).exists():
        shutil.copyfile(run / ITEMS, target / ITEMS)
        listed[ITEMS] = [manifest.figures((run / ITEMS).read_bytes())]
    validation = [line for line in (run / METRICS).read_text().splitlines(keepends=True) if "validation_" in line]
    replace_file(target / METRICS, "".join(validation))
    write_weights(target / WEIGHTS, {name: _halved(array) for name, array in read_weights(run / WEIGHTS).items()})
    # as one saved without training: nothing of it can continue
    write_config(target, {**read_config(run), "train": {}}, listed)
    for suffix, name in ((".md", CARD), (".LICENSE", "LICENSE")):
        shutil.copyfile(_CARDS / f"{run.name}{suffix}", target / name)
    return target


def _halved(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16) if array.dtype == np.float32 else array


if __name__ == "__main__":
    main()

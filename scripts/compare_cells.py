"""What each cell reaches per minute of training, at equal parameter count.

    python scripts/compare_cells.py tinyshakespeare.txt --minutes 3 --parameters 1200000

Every cell is as wide as the number of parameters allows. A short run first measures its speed, so that the cosine
schedule ends when the time is up. Validation is the exact pass over the last tenth of the text and is not counted as training.
"""

import argparse
import json
import tempfile
from bisect import bisect_right
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqnets.cli import runtime

runtime.prepare()  # the settings of the command line, before JAX starts

import jax  # noqa: E402
from flax import nnx  # noqa: E402

import seqnets as sn  # noqa: E402

CELLS = ("lstm", "gru", "highway", "vanilla")


def main() -> None:
    """Print one row a cell."""
    options = arguments()
    corpus = sn.read_text(options.corpus, config=sn.TextConfig(window=options.window))
    minutes = range(1, options.minutes + 1)
    print("| cell | H | parameters | characters/s |" + "".join(f" {m} min |" for m in minutes))
    print("| --- |" + " --- |" * (3 + options.minutes))
    rows = []
    for cell in options.cells.split(","):
        rows.append(compare(corpus, cell, options))
        nats = "".join(f" {value:.4f} |" for value in rows[-1]["nats"])
        print("| {cell} | {hidden_features} | {parameters:,} | {speed:,.0f} |".format(**rows[-1]) + nats, flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--minutes", type=int, default=3)
    parser.add_argument("--parameters", type=int, default=1_200_000)
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--json", metavar="FILE")
    return parser.parse_args()


def compare(corpus: sn.Corpus, cell: str, options: argparse.Namespace) -> dict:
    """Train one cell for the time given; return its row."""
    shape = nearest(cell, corpus, options)
    steps = 60
    speed = train(corpus, shape, options, steps, evaluate_every=0)[0]
    steps = int(speed * 60 * options.minutes / (options.batch_size * options.window))
    each = steps // options.minutes
    speed, nats = train(corpus, shape, options, each * options.minutes, evaluate_every=each)
    return {
        "cell": cell,
        "hidden_features": shape.hidden_features,
        "parameters": parameters(corpus, shape),
        "speed": speed,
        "nats": nats,
    }


def train(corpus: sn.Corpus, shape: sn.CharLMConfig, options: argparse.Namespace, steps: int, evaluate_every: int):
    """Return characters per second over the whole run, and the validation nats at every evaluation."""
    task = sn.CharLMTask(sn.CharLM(corpus.vocabulary, shape, rngs=nnx.Rngs(0)), corpus, window=options.window)
    config = sn.TrainConfig(
        steps=steps,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        warmup_steps=steps // 50,
        beta2=0.99,
        clip_norm=1.0,
        log_every=steps // 6,
        evaluate_every=evaluate_every,
        save_every=0,
    )
    with tempfile.TemporaryDirectory() as folder:
        run = sn.fit(task, config, directory=Path(folder) / "run", progress=None)
        lines = [json.loads(line) for line in (Path(folder) / "run" / "timing.jsonl").read_text().splitlines()]
    nats = [line["validation_nats"] for line in run.metrics if "validation_nats" in line]
    first, last = lines[0], lines[-1]  # compilation comes before the first
    rate = (last["step"] - first["step"]) / (last["seconds"] - first["seconds"])
    return rate * task.units_per_step(options.batch_size), nats


def nearest(cell: Any, corpus: sn.Corpus, options: argparse.Namespace) -> sn.CharLMConfig:
    """Return the widest shape, its width a multiple of 8, that has no more parameters than wanted."""
    shape = sn.CharLMConfig(cell=cell, dropout=options.dropout)
    widths = range(8, 4096, 8)
    place = bisect_right(widths, options.parameters, key=lambda h: parameters(corpus, replace(shape, hidden_features=h)))
    return replace(shape, hidden_features=widths[max(0, place - 1)])


def parameters(corpus: sn.Corpus, shape: sn.CharLMConfig) -> int:
    """Count the parameters of a shape without making them."""
    model = nnx.eval_shape(lambda: sn.CharLM(corpus.vocabulary, shape, rngs=nnx.Rngs(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


if __name__ == "__main__":
    main()

"""What the sizes of `seqnets train --size` reach in the time that the fixed default takes, on one core.

    python scripts/compare_sizes.py shakespeare.txt kernel.c --sizes tiny,small,medium

Each text is first trained with the settings of seqnets/tasks/text/default.toml. Every size then gets the same time, with the
settings that `--size` would choose. Time is that of the processor, so that other work does not count; compilation and
validation are left out. The last 10% of a text are held out, at most 200,000 characters.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ["SEQNETS_THREADS"] = os.environ["NPROC"] = "1"
from seqnets.cli import runtime

runtime.prepare()  # the settings of the command line, before JAX starts

import seqnets as sn  # noqa: E402
from seqnets import settings  # noqa: E402
from seqnets.tasks.text import RECIPE  # noqa: E402
from seqnets.tasks.text.plan import task_of  # noqa: E402
from seqnets.tasks.text.sizes import MOST_PASSES, SIZES, largest_fitting, schedule_of, settings_of  # noqa: E402
from seqnets.train.pace import pace_of  # noqa: E402

_MOST_HELD_OUT = 200_000


def main() -> None:
    """Print one row a text."""
    options = arguments()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sizes = options.sizes.split(",")
    print(f"| text | characters | seconds | default | {' | '.join(sizes)} | auto |")
    print("| --- |" + " --- |" * (4 + len(sizes)))
    for path in options.texts:
        rows = compare(path, sizes, options)
        shown = [Path(path).name, f"{rows[0]['characters']:,}", f"{rows[0]['seconds']:.0f}"]
        print("| " + " | ".join([*shown, *(f"{row['nats']:.4f}" for row in rows), rows[-1]["auto"]]) + " |", flush=True)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--sizes", default=",".join(SIZES), metavar="NAME,...")
    parser.add_argument("--json", metavar="FILE", help="keep each result there, and do not measure it again")
    return parser.parse_args()


def compare(path: str, sizes: list[str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the results of the default and of each size."""
    held_out = min(0.1, _MOST_HELD_OUT / os.path.getsize(path))
    config = settings.replaced(RECIPE.default(), {"data": {"validation_fraction": round(held_out, 5)}})
    corpus = sn.read_text(path, config=config.data)
    rows: list[dict[str, Any]] = []
    for name in ("default", *sizes):
        row = kept(options.json, path, name)
        if row is None:
            result = sized(config, corpus, name, rows[0]["seconds"]) if rows else trained(config, corpus)
            row = keep(options.json, path, name, result)
        rows.append(row)
    read = {SIZES[name]: row["read"] for name, row in zip(sizes, rows[1:])}
    rows[-1]["auto"] = largest_fitting(len(corpus.vocabulary), lambda size: read.get(size, 0.0))
    return rows


def sized(config: Any, corpus: Any, name: str, seconds: float) -> dict[str, Any]:
    """Train a size for a time; return its results."""
    length = len(corpus.train)
    config = settings.replaced(config, settings_of(SIZES[name], 1, length))
    step, units = seconds_per_step(config, corpus), config.train.batch_size * config.data.window
    passes = min(MOST_PASSES, seconds / step * units / length)
    config = settings.replaced(config, settings_of(SIZES[name], passes, length))
    schedule = schedule_of(seconds, step, evaluation=0.0, most=-(-MOST_PASSES * length // units))
    return trained(settings.replaced(config, schedule), corpus)


def trained(config: Any, corpus: Any) -> dict[str, Any]:
    """Train; return the best validation figure and the time of all steps."""
    few = {"evaluate_every": max(config.train.evaluate_every, config.train.steps // 5), "save_every": 0}
    run = sn.fit(task_of(config, corpus), settings.replaced(config, {"train": few}).train, progress=None)
    nats = [line["validation_nats"] for line in run.metrics if "validation_nats" in line]
    steps, read = config.train.steps, config.train.steps * config.train.batch_size * config.data.window
    return {
        "nats": min(nats), "last": nats[-1], "seconds": steps * seconds_per_step(config, corpus), "steps": steps, "read": read,
        "characters": len(corpus), "passes": read / len(corpus.train), "dropout": config.model.dropout, "all": nats,
    }  # fmt: skip


def seconds_per_step(config: Any, corpus: Any) -> float:
    """Return the processor's time for a step."""
    return pace_of(task_of(config, corpus), config.train, clock=time.process_time).step


def kept(file: str | None, path: str, name: str) -> dict[str, Any] | None:
    """Return an earlier result."""
    lines = Path(file).read_text().splitlines() if file and Path(file).exists() else []
    return next((row for row in map(json.loads, lines) if row["text"] == Path(path).name and row["size"] == name), None)


def keep(file: str | None, path: str, name: str, result: dict[str, Any]) -> dict[str, Any]:
    """Write a result."""
    row = {"text": Path(path).name, "size": name, **result}
    if file:
        with open(file, "a") as lines:
            lines.write(json.dumps(row) + "\n")
    return row


if __name__ == "__main__":
    main()

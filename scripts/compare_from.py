"""What a run gains by beginning with another run's weights, or by words and pieces of words as tokens.

    python scripts/compare_from.py shakespeare_sonnets.txt --from runs/tinyshakespeare --seconds 30,60,120
    python scripts/compare_from.py tinyshakespeare.txt --vocabularies chars,words,bpe --seconds 60

Every row is trained alone, with the same shape, and its held-out text is scored exactly after each number of seconds. A second
is one of processor time divided by the cores in use (`taskset -c 0` for one), so that other work on the machine matters less;
validation and compilation are not counted. The nats are per character for every kind of token.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

from seqnets.cli import runtime

runtime.prepare()  # the settings of the command line, before JAX starts

import jax  # noqa: E402
import numpy as np  # noqa: E402
from flax import nnx  # noqa: E402

import seqnets as sn  # noqa: E402
from seqnets.models.growth import grown  # noqa: E402
from seqnets.train.feed import Dispatch, stacked_batches  # noqa: E402
from seqnets.train.state import evaluated_weights, initial_state  # noqa: E402
from seqnets.train.step import compile_steps  # noqa: E402

PER_DISPATCH = 10


def main() -> None:
    """Print one row a beginning or a vocabulary."""
    options = arguments()
    seconds = [float(part) for part in options.seconds.split(",")]
    print("| held out of " + Path(options.corpus).name + " |" + "".join(f" {second:g} s |" for second in seconds))
    print("| --- |" + " --- |" * len(seconds))
    for name, task in rows(options):
        nats = "".join(f" {value:.4f} |" for value in trained(task, options, seconds))
        print(f"| {name} |{nats}", flush=True)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--from", dest="source", metavar="RUN", help="compare a beginning with its weights and a fresh one")
    parser.add_argument(
        "--vocabularies", default="", help="compare fresh models of these kinds of tokens, such as chars,words,bpe"
    )
    parser.add_argument("--seconds", default="30,60,120")
    parser.add_argument("--hidden-features", type=int, default=256)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    return parser.parse_args()


def rows(options: argparse.Namespace) -> Any:
    """Yield the name and the task of every row."""
    for kind in filter(None, options.vocabularies.split(",")):
        config = sn.TextConfig(window=options.window, vocabulary=kind)
        corpus = sn.read_text(options.corpus, config=config)
        shape = {"hidden_features": options.hidden_features}
        yield kind, sn.CharLMTask(sn.CharLM(corpus.vocabulary, rngs=nnx.Rngs(0), **shape), corpus, window=options.window)
    if options.source:
        old = sn.load(options.source)
        corpus = sn.read_text(options.corpus, config=sn.TextConfig(window=options.window), extends=old.vocabulary)
        fresh = sn.CharLM(corpus.vocabulary, old.model.config, rngs=nnx.Rngs(0))
        yield "fresh", sn.CharLMTask(fresh, corpus, window=options.window)
        model = grown(old.model, vocabulary=corpus.vocabulary, rngs=nnx.Rngs(0))
        yield f"from {Path(options.source).name}", sn.CharLMTask(model, corpus, window=options.window)


def trained(task: Any, options: argparse.Namespace, seconds: list[float]) -> list[float]:
    """Return the held-out nats per character after each number of seconds; 0 seconds is before training."""
    config = sn.TrainConfig(
        steps=1_000_000, batch_size=options.batch_size, learning_rate=options.learning_rate, warmup_steps=20, clip_norm=5.0
    )
    graph, state = initial_state(task, config)
    source = task.batches(options.batch_size, config.seed)

    def batches(first: int) -> Any:
        return jax.device_put(stacked_batches(source, Dispatch(first, PER_DISPATCH), PER_DISPATCH))

    steps = compile_steps(task, graph, config, state, batches(0))
    nats, spent, step = [], 0.0, 0
    cores = len(os.sched_getaffinity(0))
    for limit in seconds:
        while spent < limit:
            began = time.process_time()
            state, _ = jax.block_until_ready(steps(state, batches(step), np.int32(PER_DISPATCH)))
            spent, step = spent + (time.process_time() - began) / cores, step + PER_DISPATCH
        nats.append(task.evaluate(nnx.merge(graph, *evaluated_weights(state)), "validation")["nats"])
    return nats


if __name__ == "__main__":
    main()

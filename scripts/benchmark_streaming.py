"""What it costs that text comes while it is drawn: characters in pieces against all of them in one piece.

    python scripts/benchmark_streaming.py [--cell lstm] [--hidden 512] [--length 1024] [--rounds 25]

Pieces of every size are drawn in turn, round after round; "default" is what `stream` takes by itself.
"""

import argparse
import time
from collections import deque
from statistics import median

from seqnets.cli import runtime

runtime.prepare()

from flax import nnx  # noqa: E402  (JAX reads its settings once)

from seqnets.data import Vocabulary  # noqa: E402
from seqnets.decode import stream  # noqa: E402
from seqnets.models import CharLM  # noqa: E402

VOCABULARY = Vocabulary("chars", "".join(chr(32 + i) for i in range(65)))


def seconds(model: CharLM, **options: int) -> float:
    start = time.perf_counter()
    deque(stream(model, "A", **options), maxlen=0)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=25)
    words = parser.parse_args()
    model = CharLM(VOCABULARY, cell=words.cell, hidden_features=words.hidden, layers=2, rngs=nnx.Rngs(0))
    contestants = {"one piece": {"chunk": words.length}, "default": {}, "64 a piece": {"chunk": 64}}
    times = {name: [] for name in contestants}
    for number in range(2 + words.rounds):
        for name, options in contestants.items():
            took = seconds(model, length=words.length, **options)
            if number >= 2:  # the first compile
                times[name].append(took)
    for name, own in times.items():
        ratios = [a / b for a, b in zip(own, times["one piece"])]
        spread = f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) of one piece's time"
        print(f"{name:>10}: {median(own) / words.length * 1e6:.1f} us a character, {spread}")


if __name__ == "__main__":
    main()

"""Seconds from the command to the end of the first training step, with an empty cache and with a filled one.

    python scripts/benchmark_start.py tinyshakespeare.txt --rounds 3

The cache holds XLA's compiled programs and the native kernels; the first run of a round begins with none of them.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    times = [one_round(options.corpus) for _ in range(options.rounds)]
    for name, seconds in zip(("empty cache", "filled cache"), zip(*times)):
        print(f"{name}: median {statistics.median(seconds):.1f} s ({', '.join(f'{s:.1f}' for s in seconds)})")


def one_round(corpus: list[str]) -> tuple[float, float]:
    """Start twice with one cache, empty at first."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "SEQNETS_CACHE": f"{folder}/cache"}
        return first_step(corpus, f"{folder}/a", environment), first_step(corpus, f"{folder}/b", environment)


def first_step(corpus: list[str], out: str, environment: dict[str, str]) -> float:
    """Return the seconds until the first step is reported, and end the run."""
    command = [sys.executable, "-m", "seqnets.cli", "train", *corpus, "--out", out]
    settings = ["--train.steps", "100000", "--train.warmup-steps", "50", "--train.log-every", "1"]
    began = time.perf_counter()
    with subprocess.Popen([*command, *settings], stderr=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stderr or ():
            if line.startswith("step "):
                seconds = time.perf_counter() - began
                process.kill()
                return seconds
    raise SystemExit(f"{' '.join(command)} ended before its first step with code {process.returncode}")


if __name__ == "__main__":
    main()

"""Measure data-parallel training over 1, 2 and 4 processes of this machine.

    python scripts/benchmark_processes.py TEXT --processes 1,2,4 --steps 60

Every figure is of `seqnets train` itself: the characters a second of its timing.jsonl, the first third left out. The processes
share the machine's cores, so the rates tell what dividing and communicating cost, not what more machines would gain. Bytes are
those that a ring moves through each process in a step: 2 (N - 1) / N times the gradient's size.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    options = _options()
    print("processes  characters/s   of one   MB moved/step  parameters")
    alone = None
    for count in map(int, options.processes.split(",")):
        rate, parameters = _measured(options, count)
        alone = alone or rate
        moved = 2 * (count - 1) / count * 4 * parameters / 1e6
        print(f"{count:9}  {rate:12,.0f}  {rate / alone:7.2f}  {moved:14.2f}  {parameters:10,}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--processes", default="1,2,4")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=256)
    return parser.parse_args()


def _measured(options: argparse.Namespace, count: int) -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        processes = [_start(options, run, number, count, port) for port in [_free_port()] for number in range(count)]
        codes = [process.wait() for process in processes]
        if any(codes):
            raise SystemExit(f"a process of {count} ended with code {max(codes)}")
        lines = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
        rates = [line["characters_per_second"] for line in lines][len(lines) // 3 :]
        return statistics.median(rates), _parameters(run)


def _start(options: argparse.Namespace, run: Path, number: int, count: int, port: int) -> subprocess.Popen[bytes]:
    several = {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}", "JAX_NUM_PROCESSES": str(count), "JAX_PROCESS_ID": str(number)}
    # each its share of the cores: more threads than cores only wait for each other
    threads = str(max(1, (os.cpu_count() or 1) // count))
    environment = os.environ | {"NPROC": threads, "SEQNETS_THREADS": threads} | (several if count > 1 else {})
    words = ["train", "text", str(options.text), "--out", str(run), "--train.steps", str(options.steps)]
    words += ["--train.batch-size", str(options.batch), "--model.hidden-features", str(options.hidden)]
    words += ["--train.evaluate-every", "0", "--train.save-every", "0", "--train.log-every", "5"]
    return subprocess.Popen(
        [sys.executable, "-m", "seqnets.cli", *words], env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


def _parameters(run: Path) -> int:
    from safetensors import safe_open

    with safe_open(run / "model.safetensors", framework="numpy") as file:
        return sum(file.get_tensor(name).size for name in file.keys())  # noqa: SIM118


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


if __name__ == "__main__":
    main()

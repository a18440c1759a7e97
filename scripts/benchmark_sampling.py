"""How fast characters are drawn: ours, compiled and streamed, against loops around torch's LSTM.

    python scripts/benchmark_sampling.py --hidden 512 --layers 2 --batch 1 --rounds 5 --json sampling.json

Every contender has a process of its own; they run in turns (the others sleep meanwhile), and a round gives one paired ratio
of characters per second. torch runs with the number of threads that is fastest for it here. What other programs take of the
processor meanwhile is shown too: above a few percent the figures are worth nothing, for a contender that waits for its own
threads at every step (torch with two of them) loses far more by it than the others. The floor is the time to
read the weights once a character, at the speed at which this machine reads memory.
"""

import argparse
import json
import math
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

VOCABULARY, EMBEDDING = 65, 64
REFERENCE = "torch nn.LSTM"

Draw = Callable[[int], Any]


def torch_lstm(hidden: int, layers: int, batch: int) -> Draw:
    import torch

    torch.manual_seed(0)
    embedding = torch.nn.Embedding(VOCABULARY, EMBEDDING)
    rnn = torch.nn.LSTM(EMBEDDING, hidden, layers, batch_first=True)
    output = torch.nn.Linear(hidden, VOCABULARY)

    @torch.inference_mode()
    def draw(characters: int) -> None:
        token, state = torch.zeros(batch, 1, dtype=torch.long), None
        for _ in range(characters):
            hidden_state, state = rnn(embedding(token), state)
            token = torch.multinomial(torch.softmax(output(hidden_state[:, 0]), -1), 1)

    return draw


def torch_cells(hidden: int, layers: int, batch: int) -> Draw:
    import torch

    torch.manual_seed(0)
    embedding = torch.nn.Embedding(VOCABULARY, EMBEDDING)
    cells = [torch.nn.LSTMCell(EMBEDDING if layer == 0 else hidden, hidden) for layer in range(layers)]
    output = torch.nn.Linear(hidden, VOCABULARY)

    @torch.inference_mode()
    def draw(characters: int) -> None:
        token = torch.zeros(batch, dtype=torch.long)
        states = [(torch.zeros(batch, hidden), torch.zeros(batch, hidden)) for _ in cells]
        for _ in range(characters):
            x = embedding(token)
            for layer, cell in enumerate(cells):
                states[layer] = cell(x, states[layer])
                x = states[layer][0]
            token = torch.multinomial(torch.softmax(output(x), -1), 1)[:, 0]

    return draw


def ours_compiled(hidden: int, layers: int, batch: int, chunk: int = 1024) -> Draw:
    from flax import nnx

    from seqnets.data import Vocabulary
    from seqnets.decode import stream_many
    from seqnets.models import CharLM

    vocabulary = Vocabulary("chars", "".join(chr(32 + i) for i in range(VOCABULARY)))
    settings: dict[str, Any] = {"hidden_features": hidden, "layers": layers, "embedding_features": EMBEDDING}
    model = CharLM(vocabulary, **settings, rngs=nnx.Rngs(0))

    def draw(characters: int) -> None:
        for _ in stream_many(model, "A", samples=batch, length=characters, chunk=chunk):
            pass

    return draw


def ours_streamed(hidden: int, layers: int, batch: int) -> Draw:
    return ours_compiled(hidden, layers, batch, chunk=64)


CONTENDERS: dict[str, Callable[[int, int, int], Draw]] = {
    REFERENCE: torch_lstm,
    "torch LSTMCell": torch_cells,
    "seqnets compiled": ours_compiled,
    "seqnets streamed": ours_streamed,
}


def main() -> int:
    options = _options()
    rates, others = _measure(options)
    rows = [{**_row(name, rates, options), "other_programs": others} for name in rates]
    print(f"LSTM {options.layers}x{options.hidden}, batch {options.batch}, characters/s and ratio to {REFERENCE}")
    for row in rows:
        ratio = f"{row['ratio']:6.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"
        print(f"  {row['name']:18} {row['characters_per_second']:>10,.0f}  {ratio}")
    print(f"  {'floor':18} {_floor(options):>10,.0f}  the weights read once a character")
    print(
        f"  other programs took {others:.0%} of the processor meanwhile{'; measure again on an idle machine' * (others > 0.05)}"
    )
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=2)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"hidden": 512, "layers": 2, "batch": 1, "rounds": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each contender in each round")
    parser.add_argument("--json", help="a file for the rows")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> tuple[dict[str, list[float]], float]:
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for name in CONTENDERS:
        here, there = context.Pipe()
        size = (options.hidden, options.layers, options.batch)
        context.Process(target=_serve, args=(name, size, options.seconds, there), daemon=True).start()
        here.recv()  # is warm
        pipes[name] = here
    rates: dict[str, list[float]] = {name: [] for name in pipes}
    begin, (all_before, own_before) = time.perf_counter(), _ticks()
    for _ in range(options.rounds):
        for name, pipe in pipes.items():
            pipe.send("draw")
            rates[name].append(pipe.recv())
    all_after, own_after = _ticks()
    others = (all_after - all_before - own_after + own_before) / (time.perf_counter() - begin)
    for pipe in pipes.values():
        pipe.send("leave")
    return rates, others / (os.cpu_count() or 1)


def _serve(name: str, size: tuple[int, int, int], seconds: float, pipe: Any) -> None:
    draw = CONTENDERS[name](*size)
    if name.startswith("torch"):
        _set_best_threads(draw)
    draw(64)
    characters = _calibrated(draw, seconds)
    pipe.send("warm")
    while pipe.recv() == "draw":
        pipe.send(characters * size[2] / _elapsed(draw, characters))


def _set_best_threads(draw: Draw) -> None:
    import torch

    def seconds_with(threads: int) -> float:
        torch.set_num_threads(threads)
        draw(8)
        return min(_elapsed(draw, 32) for _ in range(3))

    torch.set_num_threads(min(range(1, torch.get_num_threads() + 1), key=seconds_with))


def _calibrated(draw: Draw, seconds: float) -> int:
    characters, elapsed = 16, 0.0
    while elapsed < 0.3:
        characters *= 4
        elapsed = _elapsed(draw, characters)
    wanted = round(characters * seconds / elapsed)
    return wanted if wanted < 1024 else wanted // 1024 * 1024  # whole chunks


def _elapsed(draw: Draw, characters: int) -> float:
    begin = time.perf_counter()
    draw(characters)
    return time.perf_counter() - begin


def _row(name: str, rates: dict[str, list[float]], options: argparse.Namespace) -> dict[str, Any]:
    ratios = [ours / theirs for ours, theirs in zip(rates[name], rates[REFERENCE])]
    return {
        "size": f"{options.layers}x{options.hidden}",
        "cell": "lstm",
        "work": "sample",
        "batch": options.batch,
        "name": name,
        "peer": REFERENCE,
        "characters_per_second": statistics.median(rates[name]),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def _floor(options: argparse.Namespace) -> float:
    inputs = options.hidden * (options.layers - 1)  # the first layer's input product is a lookup
    weights = 4 * options.hidden * (options.hidden * options.layers + inputs) + options.hidden * VOCABULARY
    parts = np.array_split(np.ones(weights, np.float32), os.cpu_count() or 1)

    def read(part: np.ndarray) -> None:
        for _ in range(100):
            np.dot(part, part)

    with ThreadPoolExecutor(len(parts)) as pool:
        best = min(_elapsed(lambda _: list(pool.map(read, parts)), 0) for _ in range(5))
    return options.batch * 100 / best


def _ticks() -> tuple[float, float]:
    """Return the processor time that all programs have taken, and this one with its children, where that can be known."""
    try:
        with open("/proc/stat") as file:
            user, nice, system = map(int, file.readline().split()[1:4])
    except OSError:
        return math.nan, math.nan
    return (user + nice + system) / os.sysconf("SC_CLK_TCK"), sum(_process_seconds(pid) for pid in [os.getpid(), *_children()])


def _children() -> list[int]:
    return [process.pid for process in multiprocessing.active_children() if process.pid]


def _process_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())

"""Measure recurrent layers against torch, Flax and NumPy.

    python scripts/benchmark_recurrent.py --sizes a,b --cells lstm,gru --peers torch,flax --json rows.json
    python scripts/benchmark_recurrent.py --sizes d --cells vanilla --peers torch,numpy --backends native,scan,scan*16
    python scripts/benchmark_recurrent.py --sizes s,t --cells lstm --work sample --peers torch,torch_cells

Every contestant runs in a process of its own; rounds are interleaved, and a ratio is taken within each round, so that a machine
that changes its speed disturbs all alike. Figures are characters a second. `floor` is the share of what the machine's matrix
products alone would allow or, where every step reads more than it computes, its memory. Foreign load is the share of the
processor that other programs took meanwhile: above a few hundredths the figures are worth little.
"""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from racing.contestant import Contestant
from racing.load import ForeignLoad
from recurrent_peers.floor import matrix_rate, reading_seconds
from recurrent_peers.sizes import PEERS, SIZES, Size, products, weights


@dataclass(frozen=True)
class Row:
    """One line of the table; `ratio` is of characters a second, ours to the peer's, the median of the rounds."""

    size: str
    cell: str
    work: str
    backend: str
    peer: str
    ratio: float
    ratio_min: float
    ratio_max: float
    rate: float
    peer_rate: float
    floor: float
    megabytes: float
    peer_megabytes: float
    first_call: float
    foreign_load: float


def main(options: argparse.Namespace) -> None:
    rows = []
    rate = matrix_rate(2048, 2048, 2048)
    print(f"{time.strftime('%Y-%m-%d')}, {len(os.sched_getaffinity(0))} cores, matrix products at {rate:.0f} GF/s")
    for size in options.sizes.split(","):
        for cell in options.cells.split(","):
            for work in options.work.split(","):
                rows += _race(options, size, cell, work)
                if options.json:
                    options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="a,b", help=f"of {', '.join(SIZES)} [a,b]")
    parser.add_argument("--cells", default="lstm,gru,vanilla")
    parser.add_argument("--peers", default="torch,flax")
    parser.add_argument("--work", default="train_step", help="train_step, backward, forward, sample [train_step]")
    parser.add_argument(
        "--backends", default="native,scan", help="native, scan, parallel ...; scan/2: two devices; scan*16: steps a call"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.7, help="how long each contestant works in a round [0.7]")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _race(options: argparse.Namespace, size: str, cell: str, work: str) -> list[Row]:
    backends = options.backends.split(",")[: 1 if work == "sample" else None]  # sampling has one way of its own
    ours = {name: _contestant("seqnets", name, size, cell, work) for name in backends}
    able = [name for name in options.peers.split(",") if cell in PEERS[name].get(work, ())]
    peers = {name: _contestant(name, "", size, cell, work) for name in able}
    everyone = {**ours, **peers}
    for contestant in everyone.values():
        contestant.calibrate(options.seconds)
    load, rounds = ForeignLoad([contestant.process.pid for contestant in everyone.values()]), []
    for _ in range(options.rounds):
        floor = _floor(SIZES[size], cell, work)
        rounds.append({"floor": floor, **{name: contestant.measure().seconds for name, contestant in everyone.items()}})
    share = load.share()
    rows = [_row(size, cell, work, a, b, everyone, rounds, share) for a in ours for b in [*peers, *ours] if a != b]
    for contestant in everyone.values():
        contestant.close()
    for row in rows:
        _print(row)
    return rows


def _contestant(*words: str) -> Contestant:
    return Contestant("recurrent_peers.contestant", *words)


def _floor(size: Size, cell: str, work: str) -> float:
    rows = size.batch if work == "sample" else size.characters
    seconds = products(size, cell, work) / (matrix_rate(rows, size.hidden, size.hidden) * 1e9) if rows > 1 else 0.0
    return max(seconds, size.steps * reading_seconds(weights(size, cell))) if work == "sample" else seconds


def _row(size: str, cell: str, work: str, ours: str, peer: str, everyone, rounds, foreign_load: float) -> Row:
    ratios = sorted(r[peer] / r[ours] for r in rounds)
    return Row(
        size, cell, work, ours, peer,
        ratio=statistics.median(ratios), ratio_min=ratios[0], ratio_max=ratios[-1],
        rate=SIZES[size].characters / statistics.median(r[ours] for r in rounds),
        peer_rate=SIZES[size].characters / statistics.median(r[peer] for r in rounds),
        floor=statistics.median(r["floor"] / r[ours] for r in rounds),
        megabytes=everyone[ours].megabytes, peer_megabytes=everyone[peer].megabytes,
        first_call=everyone[ours].begun["first_call"], foreign_load=foreign_load,
    )  # fmt: skip


def _print(row: Row) -> None:
    print(
        f"{row.size} {row.cell:7} {row.work:10} {row.backend:8} / {row.peer:11} "
        f"{row.ratio:5.2f} ({row.ratio_min:.2f} .. {row.ratio_max:.2f})  {row.rate:9,.0f} / {row.peer_rate:9,.0f} chars/s  "
        f"floor {row.floor:4.0%}  {row.megabytes:5.0f} / {row.peer_megabytes:5.0f} MB  "
        f"first call {row.first_call:.1f} s  foreign load {row.foreign_load:.0%}",
        flush=True,
    )


if __name__ == "__main__":
    main(arguments())

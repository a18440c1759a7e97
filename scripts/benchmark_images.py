"""Measure convolutional networks against torch: images a second.

    python scripts/benchmark_images.py --works resnet50_1,resnet50_16,resnet18_train --json rows.json
    python scripts/benchmark_images.py --ours plain,bfloat16 --peers torch,torch:nhwc,torch:compiled --xla "--xla_..."
    taskset -c 0 python scripts/benchmark_images.py --rounds 2     # one core: figures that hold while other programs run

Both sides have the same weights and images, and what they compute is compared first. Every contestant runs in a process of its
own; rounds are interleaved, and a ratio is taken within each round, so that a machine that changes its speed disturbs all alike.
`cpu` is the ratio of the processor time of all threads. With several threads beside other programs torch's wait for each other at
work, so that neither figure means anything; on one core `cpu` does.

Tried on ResNet without gain on a CPU: batch norms folded into the kernels (XLA fuses them into the convolutions' results), weight
gradients as matrix products of shifted or unfolded images (half and a quarter of the speed of XLA's convolution), the stem by
space to depth (half), wider vectors and fast math. What did gain: the gradient of max pooling by masks (`seqnets.ops.maxima`).
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from image_peers.works import WORKS
from racing.contestant import Contestant


@dataclass(frozen=True)
class Row:
    """One line of the table; `ratio` is of images a second, ours to the peer's, the median of the rounds."""

    work: str
    ours: str
    peer: str
    ratio: float
    ratio_min: float
    ratio_max: float
    cpu_ratio: float
    rate: float
    peer_rate: float
    megabytes: float
    peer_megabytes: float
    difference: float
    first_call: float


def main(options: argparse.Namespace) -> None:
    rows = []
    load = os.getloadavg()[0]
    print(f"{time.strftime('%Y-%m-%d')}, {len(os.sched_getaffinity(0))} cores, load before {load:.1f}")
    for work in options.works.split(","):
        rows += _race(options, work)
        if options.json:
            options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", default="resnet50_1,resnet50_16,resnet18_train", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--ours", default="plain", help="variants of seqnets: plain, bfloat16 [plain]")
    parser.add_argument("--peers", default="torch,torch:nhwc", help="torch, torch:nhwc, torch:compiled [torch,torch:nhwc]")
    parser.add_argument("--xla", default="", help="XLA flags for ours")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each contestant works in a round [2]")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _race(options: argparse.Namespace, work: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        weights = _weights(Path(folder), WORKS[work].network)
        ours = {name: _contestant(f"seqnets:{name}", work, weights, options.xla) for name in options.ours.split(",")}
        peers = {name: _contestant(name, work, weights, "") for name in options.peers.split(",")}
    everyone = {**ours, **peers}
    for contestant in everyone.values():
        contestant.calibrate(options.seconds)
    rounds = [{name: contestant.measure() for name, contestant in everyone.items()} for _ in range(options.rounds)]
    rows = [_row(work, a, b, everyone, rounds) for a in ours for b in [*peers, *ours] if a != b]
    for contestant in everyone.values():
        contestant.close()
    for row in rows:
        _print(row)
    return rows


def _contestant(who: str, work: str, weights: Path, xla: str) -> Contestant:
    peer, _, variant = who.partition(":")
    flags = f"{os.environ.get('XLA_FLAGS', '')} {xla}".strip()
    return Contestant("image_peers.contestant", peer, variant, work, str(weights), environment={"XLA_FLAGS": flags})


def _difference(one: Contestant, other: Contestant) -> float:
    """Return the largest difference of their results relative to the largest result."""
    pairs = [(np.array(a), np.array(b)) for a, b in zip(one.begun["results"], other.begun["results"])]
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def _weights(folder: Path, network: str) -> Path:
    import torch

    from image_peers.torch_resnet import make

    torch.save(make(network).state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


def _row(work: str, ours: str, peer: str, everyone, rounds) -> Row:
    ratios = sorted(r[peer].seconds / r[ours].seconds for r in rounds)
    batch = WORKS[work].batch
    return Row(
        work, ours, peer,
        ratio=statistics.median(ratios), ratio_min=ratios[0], ratio_max=ratios[-1],
        cpu_ratio=statistics.median(r[peer].cpu / r[ours].cpu for r in rounds),
        rate=batch / statistics.median(r[ours].seconds for r in rounds),
        peer_rate=batch / statistics.median(r[peer].seconds for r in rounds),
        megabytes=everyone[ours].megabytes, peer_megabytes=everyone[peer].megabytes,
        difference=_difference(everyone[ours], everyone[peer]),
        first_call=everyone[ours].begun["first_call"],
    )  # fmt: skip


def _print(row: Row) -> None:
    print(
        f"{row.work:15} {row.ours:9} / {row.peer:14} {row.ratio:5.2f} ({row.ratio_min:.2f} .. {row.ratio_max:.2f})  "
        f"cpu {row.cpu_ratio:5.2f}  {row.rate:8,.1f} / {row.peer_rate:8,.1f} images/s  differ {row.difference:.0e}  "
        f"{row.megabytes:5.0f} / {row.peer_megabytes:5.0f} MB  first call {row.first_call:.1f} s",
        flush=True,
    )


if __name__ == "__main__":
    main(arguments())

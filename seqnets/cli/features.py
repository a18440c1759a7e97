"""`seqnets features`: compute a network's features of images and keep them on disk."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from seqnets.cli.image_progress import image_progress
from seqnets.cli.networks import add_network, chosen_network
from seqnets.cli.parser import Parser
from seqnets.cli.verbs import VERBS
from seqnets.data.features.dtypes import DTYPES

_DONE, _NONE_READ = 0, 2
_USAGE = "seqnets features (RUN | --model NAME --weights PATH) IMAGES... --out STORE [--layer NAME ...] [--dtype bfloat16]"
_EPILOG = """\
The command may be stopped or killed at any moment; run it again to continue. Images are identified by their content, so
copies are stored once. A store takes features of only one network, with its weights and preprocessing. An image that
cannot be read is reported at the end and recorded in the store; the exit code is 2 if no image could be read.

In Python:
  store = sn.FeatureStore("STORE")
  store.get("photo.jpg")                    # [L, D], memory-mapped
  store.gather(["a.jpg", "b.jpg"])          # [2, L, D]"""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets features`; see `seqnets features --help`."""
    found = _parser().read(argv)
    from seqnets.cli.image_arguments import named_images
    from seqnets.decode.extraction import extract_features

    options = {"dtype": found.compute_dtype} if found.compute_dtype else {}
    chosen = chosen_network(found, **options)
    paths = named_images(chosen.images)
    with image_progress("features") as progress:
        store = extract_features(
            chosen.model,
            paths,
            found.out,
            name=chosen.name,
            layers=found.layer,
            pooled=found.pooled,
            dtype=found.dtype,
            batch_size=found.batch_size,
            estimated=_tell_estimate,
            progress=progress,
        )
    return _report(store, paths, found)


def _parser() -> Parser:
    parser = Parser("seqnets features", VERBS["features"].summary, epilog=_EPILOG, usage=_USAGE)
    add_network(parser)
    parser.add_argument("--out", required=True, metavar="STORE", help="the folder of the store, new or to be added to")
    parser.add_argument("--layer", action="append", default=[], metavar="NAME", help="a layer, such as stage4, pool or "
                        "stage2.0.conv1; may be given several times [the last stage]")  # fmt: skip
    parser.add_argument("--pooled", action="store_true", help="keep the mean over the locations of a grid: [D], not [L, D]")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="type of the numbers in the store [float32]")
    parser.add_argument("--compute-dtype", choices=["float32", "bfloat16"], help="precision of the network [float32]")
    parser.add_argument("--batch-size", type=parser.value(int), default=32, metavar="N", help="images at once [32]")
    return parser


def _tell_estimate(estimate: Any) -> None:
    todo, header = estimate.images - estimate.settled, estimate.header
    before = f" ({estimate.settled:,} of {estimate.images:,} are done)" if estimate.settled else ""
    shapes = ", ".join(f"{name} {' x '.join(map(str, layer.shape))}" for name, layer in header.layers.items())
    size = f"{header.row_bytes / 1e3:,.1f} kB per image, up to {estimate.bytes / 1e6:,.1f} MB in total"
    print(f"features: {todo:,} images to do{before}: {shapes} of {header.dtype}, {size}", file=sys.stderr, flush=True)


def _report(store: Any, paths: Sequence[Any], found: argparse.Namespace) -> int:
    import os

    given = {os.path.abspath(path) for path in paths}
    failures = {path: reason for path, reason in store.failures.items() if path in given}
    for path, reason in failures.items():
        print(f"seqnets: left out: '{path}': {reason}", file=sys.stderr)
    left_out = f"; {len(failures):,} left out" if failures else ""
    stored = len(given) - len(failures)
    print(f"{found.out}: features of {stored:,} of {len(given):,} images; {len(store):,} distinct in the store{left_out}")
    return _DONE if stored else _NONE_READ

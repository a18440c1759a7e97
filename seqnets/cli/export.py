"""`seqnets export`: write a trained model for other runtimes."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqnets.cli import runtime
from seqnets.cli.parser import Parser
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError

_USAGE = "seqnets export (RUN | --model NAME --weights PATH) [--format stablehlo|onnx|npz] [--out DIR]"
_EPILOG = """\
stablehlo  for JAX: `jax.export.deserialize(file.read_bytes()).call(...)` in a process that needs nothing but JAX
onnx       for onnxruntime and other runtimes; needs the extra `export`
npz        the arrays by name, for NumPy

Text models become step (one token per row, state in, state out) and window, networks become network, captioners encode and step.
export.json in the same folder names their inputs and outputs, and holds the vocabulary and the preprocessing."""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets export`; see `seqnets export --help`."""
    found = _parser().read(argv)
    model, name, facts = _network(found) if found.model else _of_run(found)
    from seqnets.export.folder import export_run

    out = Path(found.out or (Path(found.run) / "export" if found.run else f"{name}-{found.format}"))
    options: dict[str, Any] = {"platforms": found.platforms.split(",")} if found.platforms else {}
    written = export_run(
        model, out, format=found.format, window=found.window, image_size=found.image_size, description=facts, **options
    )
    for path in written:
        print(f"{path}  {path.stat().st_size / 1e6:,.2f} MB")
    return 0


def _parser() -> Parser:
    parser = Parser("seqnets export", VERBS["export"].summary, epilog=_EPILOG, usage=_USAGE)
    parser.add_argument("run", nargs="?", metavar="RUN", help="the folder of a run")
    parser.add_argument("--model", metavar="NAME", help="a network such as resnet50, in place of a run")
    parser.add_argument("--weights", metavar="PATH", help="its weights")
    parser.add_argument("--format", choices=["stablehlo", "onnx", "npz"], default="stablehlo", help="[stablehlo]")
    parser.add_argument("--out", metavar="DIR", help="the folder to write to [RUN/export]")
    parser.add_argument("--window", type=parser.value(int), default=64, metavar="T", help="tokens of a text model's window [64]")
    parser.add_argument(
        "--image-size", type=parser.value(int), metavar="N", help="height and width of a network's images [as it was trained]"
    )
    parser.add_argument("--platforms", metavar="LIST", help="of stablehlo: cpu, cuda, rocm, tpu [cpu,cuda,tpu]")
    return parser


def _of_run(found: argparse.Namespace) -> tuple[Any, str, dict[str, Any]]:
    if found.weights:
        raise UserError("--weights needs --model NAME: name the network that the weights belong to")
    if not found.run:
        raise UserError("give the folder of a run, or --model NAME --weights PATH")
    runtime.start()
    from seqnets.run import load

    run = load(found.run)
    return run.model, Path(found.run).resolve().name, {"task": run.config["task"]}


def _network(found: argparse.Namespace) -> tuple[Any, str, dict[str, Any]]:
    if found.run:
        raise UserError("give either the folder of a run or --model NAME, not both")
    if not found.weights:
        raise UserError(f"--model {found.model} needs --weights PATH: a network is useless without its weights")
    runtime.start()
    from seqnets.models import create_model

    return create_model(found.model, weights=found.weights), found.model, {"network": found.model}

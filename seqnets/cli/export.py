"""`seqnets export`: write a trained model for other runtimes."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqnets.cli import runtime
from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_offline
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError

_USAGE = "seqnets export (RUN | --model NAME [--weights WEIGHTS]) [--format stablehlo|onnx|npz] [--out DIR]"
_EPILOG = """\
stablehlo  for JAX: `jax.export.deserialize(file.read_bytes()).call(...)` in a process that needs nothing but JAX
onnx       for onnxruntime and other runtimes; needs the extra `export`
npz        the arrays by name, for NumPy

Text models become step (one token per row, state in, state out) and window, networks become network, captioners encode and step.
export.json in the same folder names their inputs and outputs, and holds the vocabulary and the preprocessing."""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets export`; see `seqnets export --help`."""
    found = _parser().read(argv)
    model, out, facts = _network(found) if found.model else _of_run(found)
    from seqnets.export.folder import export_run

    options: dict[str, Any] = {"platforms": found.platforms.split(",")} if found.platforms else {}
    written = export_run(
        model,
        found.out or out,
        format=found.format,
        window=found.window,
        image_size=found.image_size,
        description=facts,
        **options,
    )
    for path in written:
        print(f"{path}  {path.stat().st_size / 1e6:,.2f} MB")
    return 0


def _parser() -> Parser:
    parser = Parser("seqnets export", VERBS["export"].summary, epilog=_EPILOG, usage=_USAGE)
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run: its folder, hf:OWNER/NAME, or a part of seqnets")
    parser.add_argument("--model", metavar="NAME", help="in place of a run, a network such as resnet50, or hf:OWNER/NAME")
    parser.add_argument("--weights", metavar="WEIGHTS", help="its weights, as for `seqnets classify`")
    parser.add_argument("--format", choices=["stablehlo", "onnx", "npz"], default="stablehlo", help="[stablehlo]")
    parser.add_argument("--out", metavar="DIR", help="the folder to write to [RUN/export, or NAME-export here]")
    parser.add_argument("--window", type=parser.value(int), default=64, metavar="T", help="tokens of a text model's window [64]")
    parser.add_argument(
        "--image-size", type=parser.value(int), metavar="N", help="height and width of a network's images [as it was trained]"
    )
    parser.add_argument("--platforms", metavar="LIST", help="of stablehlo: cpu, cuda, rocm, tpu [cpu,cuda,tpu]")
    add_offline(parser)
    return parser


def _of_run(found: argparse.Namespace) -> tuple[Any, Path, dict[str, Any]]:
    if found.weights:
        raise UserError("--weights needs --model NAME: name the network that the weights belong to")
    if not found.run:
        raise UserError("give a run, or --model NAME")
    runtime.start()
    from seqnets.run import load

    run, given = load(found.run), Path(found.run)
    out = given / "export" if given.is_dir() else Path(f"{given.name}-export")
    return run.model, out, {"task": run.config["task"]}


def _network(found: argparse.Namespace) -> tuple[Any, Path, dict[str, Any]]:
    if found.run:
        raise UserError("give either a run or --model NAME, not both")
    from seqnets.cli.networks import named_network

    chosen = named_network(found.model, found.weights)
    labels = {"labels": chosen.labels} if chosen.labels else {}
    return chosen.model, Path(f"{chosen.name}-export"), {"network": chosen.name, **labels}

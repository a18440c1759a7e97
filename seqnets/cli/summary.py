"""`seqnets summary NETWORK`: the layer table of a network, with its memory."""

import json
import re
from collections.abc import Sequence

from seqnets.cli import runtime
from seqnets.cli.parser import Parser
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError

EXAMPLES = """examples:
  seqnets summary vgg16 --input 224x224x3
  seqnets summary resnet20 --input 32x32x3 --optimizer adam --batch 128
  seqnets summary mobilenet_v2 --json
  seqnets summary --list"""


def main(argv: Sequence[str]) -> int:
    """Print the table.

    Args:
        argv: the arguments after `seqnets summary`.

    Returns:
        The exit code.

    Raises:
        UserError: the network, the size or the optimizer cannot be used.
    """
    options = _parser().read(argv)
    if options.list:
        print(_names())
        return 0
    if options.network is None:
        raise UserError("name a network, such as vgg16; `seqnets summary --list` lists the names")
    given = _image_shape(options.input) if options.input else None
    runtime.start()
    from seqnets.models.registry import abstract_model, image_shape
    from seqnets.models.summary import summarize

    height, width, channels = given or image_shape(options.network)
    chosen = {"in_channels": channels, "classes": options.classes, "dtype": options.dtype}
    model = abstract_model(options.network, **{name: value for name, value in chosen.items() if value is not None})
    batch, optimizer = options.batch, options.optimizer
    summary = summarize(model, (height, width, channels), name=options.network, batch=batch, optimizer=optimizer)
    if options.json:
        print(json.dumps(summary.to_json(), indent=2))
        return 0
    from rich.console import Console

    from seqnets.models.summary_table import summary_table, width_of

    tables = summary_table(summary)
    Console(width=max(Console().width, width_of(tables))).print(tables)
    return 0


def _parser() -> Parser:
    parser = Parser("seqnets summary", VERBS["summary"].summary, EXAMPLES)
    parser.add_argument("network", nargs="?", metavar="NETWORK", help="its name, such as vgg16, resnet50, squeezenet1_1")
    parser.add_argument("--list", action="store_true", help="print the names of all networks, one family per line")
    parser.add_argument("--input", metavar="HxWxC", help="size of the images (default: that of the network)")
    parser.add_argument("--optimizer", default="sgd", metavar="NAME", help="of the training memory (default: %(default)s)")
    parser.add_argument("--batch", type=parser.value(int), default=1, metavar="N", help="images at once (default: 1)")
    parser.add_argument("--classes", type=parser.value(int), metavar="N", help="size of the output (default: as published)")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], help="precision of the arithmetic")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    return parser


def _names() -> str:
    from seqnets.models.registry import FAMILIES

    return "\n".join(" ".join(names) for names in FAMILIES.values())


def _image_shape(text: str) -> tuple[int, int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)x(\d+)", text.strip())
    if not found or "0" in found.groups():
        raise UserError(f"--input must be HEIGHTxWIDTHxCHANNELS, such as 224x224x3, not {text!r}")
    height, width, channels = map(int, found.groups())
    return height, width, channels

"""`seqnets inspect RUN [FILE]`: what a character model has learned, as text, as JSON, or as figures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqnets.cli.parser import Parser
from seqnets.cli.show import separator_of, to_look_at
from seqnets.cli.trained import add_run, load_trained
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError
from seqnets.viz.figure_file import check_figure, write_figure

WHAT = ("neurons", "surprise", "memory", "flow")
_EPILOG = """\
neurons: the unit that follows each thing best, beside a network with random weights. surprise: the bits of each passage.
memory: how far back a prediction depends on the text. flow: whether gradients explode or vanish.
`seqnets show RUN` shows the same in a browser."""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets inspect`; see `seqnets inspect --help`."""
    found = _parser().read(argv)
    check_figure(found.figure)
    what = WHAT if found.only is None else tuple(found.only.split(","))
    if unknown := [name for name in what if name not in WHAT]:
        raise UserError(f"--only takes {', '.join(WHAT)}, joined by commas; not {unknown[0]!r}")
    run = load_trained(found.run, "text", fits=lambda model: hasattr(model, "stepper"))
    tokens, source = to_look_at(run, found.file)
    separator = separator_of(run)
    if tokens is None or len(tokens) < 2:
        raise UserError("there is no text to look at; give one as FILE")
    findings = {name: _FINDERS[name](run, tokens, separator) for name in what}
    if found.figure is not None:
        from seqnets.viz.findings import findings_figure

        write_figure(findings_figure(findings, title=f"{run.directory.name}: {source}"), Path(found.figure))
    if found.json:
        print(
            json.dumps({"run": found.run, "text": source, **{name: _REPORTS[name][1](value) for name, value in findings.items()}})
        )
        return 0
    for name, value in findings.items():
        print(f"{name} ({source})")
        print("\n".join(f"  {line}" for line in _REPORTS[name][0](value)))
    return 0


def _parser() -> Parser:
    parser = Parser("seqnets inspect", VERBS["inspect"].summary, epilog=_EPILOG)
    add_run(parser, "a run of `seqnets train text`")
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a text that the model did not learn from [the run's held-out text]"
    )
    parser.add_argument("--only", metavar="WHAT", help=f"some of {', '.join(WHAT)}, joined by commas")
    parser.add_argument("--json", action="store_true", help="write one JSON object")
    parser.add_argument("--figure", metavar="FILE", help="also draw the findings into a PNG, PDF or SVG file")
    return parser


def _neurons(run: Any, tokens: Any, separator: tuple[int, ...]) -> Any:
    from seqnets.inspect import detectors

    return detectors(run.model, tokens, separator=separator)


def _surprise(run: Any, tokens: Any, separator: tuple[int, ...]) -> Any:
    from seqnets.inspect import surprise

    return surprise(run.model, tokens, separator=separator)


def _memory(run: Any, tokens: Any, separator: tuple[int, ...]) -> Any:
    from seqnets.inspect import memory

    return memory(run.model, tokens, start=min(100, len(tokens) // 2))


def _flow(run: Any, tokens: Any, separator: tuple[int, ...]) -> Any:
    from seqnets.inspect import gradient_flow

    clip = run.config["train"].get("clip_norm") or None
    return gradient_flow(run.model, tokens, width=min(100, len(tokens) - 2), clip_norm=clip)


def _neuron_lines(found: Any) -> list[str]:
    width = max((len(one.mark) for one in found), default=0)
    return [
        f"{one.mark:{width}}  {one.score:.3f} ({one.measure}; random weights {one.random:.3f}): {one.verdict}" for one in found
    ]


def _surprise_lines(found: Any) -> list[str]:
    bits = found.nats / 0.6931471805599453
    head = f"{found.nats:.4f} nats, {bits:.4f} bits per {found.unit} over {found.count:,} {found.unit}s"
    return [
        f"{head}; the most surprising passages, in bits per token:",
        *(f"{passage.bits:5.2f} bits  {passage.text!r}" for passage in found.worst()),
    ]


def _memory_lines(found: Any) -> list[str]:
    shares = ", ".join(
        f"{found.by_distance[k - 1]:.2g} at {k}" for k in (1, 2, 5, 10, 20, 50, 100) if k <= len(found.by_distance)
    )
    return [f"nine tenths of the gradient lie within {found.reach} characters", f"mean gradient by distance: {shares}"]


def _flow_lines(found: Any) -> list[str]:
    layers = [f"layer {i} {', '.join(f'{value:.3f}' for value in layer)}" for i, layer in enumerate(found.recurrent, 1) if layer]
    lines = [found.diagnosis, f"per step the gradient's norm is multiplied by {found.growth:.4f}"]
    lines.append(f"largest singular values of the step's Jacobian: {found.jacobians.min():.3f} to {found.jacobians.max():.3f}")
    return lines + ([f"largest singular values of the recurrent kernels: {'; '.join(layers)}"] if layers else [])


def _surprise_json(found: Any) -> dict[str, Any]:
    return {"nats": found.nats, f"{found.unit}s": found.count, "worst": [passage._asdict() for passage in found.worst()]}


def _memory_json(found: Any) -> dict[str, Any]:
    return {"reach": found.reach, "by_distance": found.by_distance.tolist()}


_FINDERS = {"neurons": _neurons, "surprise": _surprise, "memory": _memory, "flow": _flow}
_REPORTS = {
    "neurons": (_neuron_lines, lambda found: [one.to_json() for one in found]),
    "surprise": (_surprise_lines, _surprise_json),
    "memory": (_memory_lines, _memory_json),
    "flow": (_flow_lines, lambda found: found.to_json()),
}

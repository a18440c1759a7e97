"""Findings about character models: neurons, surprise, memory, gradient flow."""

from typing import Any, NamedTuple

from seqnets.cli.findings import Finding
from seqnets.errors import UserError


class Text(NamedTuple):
    """A run and a text to look at."""

    run: Any
    tokens: Any
    separator: tuple[int, ...]


def prepared(run: Any, tokens: Any) -> Text:
    """Return the run with the tokens of the text.

    Raises:
        UserError: they are too few.
    """
    from seqnets.cli.show import separator_of

    if len(tokens) < 2:
        raise UserError("there is no text to look at; give one as FILE")
    return Text(run, tokens, separator_of(run))


def _neurons(text: Text) -> Any:
    from seqnets.inspect import detectors

    return detectors(text.run.model, text.tokens, separator=text.separator)


def _surprise(text: Text) -> Any:
    from seqnets.inspect import surprise

    return surprise(text.run.model, text.tokens, separator=text.separator)


def _memory(text: Text) -> Any:
    from seqnets.inspect import memory

    return memory(text.run.model, text.tokens, start=min(100, len(text.tokens) // 2))


def _flow(text: Text) -> Any:
    from seqnets.inspect import gradient_flow

    clip = text.run.config["train"].get("clip_norm") or None
    return gradient_flow(text.run.model, text.tokens, width=min(100, len(text.tokens) - 2), clip_norm=clip)


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


FINDINGS = {
    "neurons": Finding(_neurons, _neuron_lines, lambda found: [one.to_json() for one in found]),
    "surprise": Finding(_surprise, _surprise_lines, _surprise_json),
    "memory": Finding(_memory, _memory_lines, _memory_json),
    "flow": Finding(_flow, _flow_lines, lambda found: found.to_json()),
}

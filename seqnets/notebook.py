"""How a run shows itself in a notebook: its kind, its figures and a small curve, as HTML with an SVG inside."""

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqnets.run import Run

WIDTH, HEIGHT, EDGE = 320, 90, 4
MOST_POINTS = 300  # of a curve
_BLUE, _ORANGE = "#0072b2", "#d55e00"  # safe for color-blind people (Okabe, Ito)

Points = list[tuple[float, float]]


def run_html(run: "Run") -> str:
    """Return a run as HTML for a notebook: nothing in it is loaded from anywhere, and every text is escaped.

    Args:
        run: the run.

    Example:
        >>> from seqnets.run import Run
        >>> print(run_html(Run(None, {"task": "text", "model": {"kind": "CharLM"}}, None, None, [])))
        <div><strong>in memory</strong>: CharLM, a run of <code>seqnets train text</code></div>
    """
    name = run.directory.name if run.directory else "in memory"
    model = run.config.get("model")
    kind = model.get("kind", "a model") if isinstance(model, dict) else "a model"
    task = run.config.get("task", "")
    head = f"<strong>{escape(name)}</strong>: {escape(str(kind))}, a run of <code>seqnets train {escape(str(task))}</code>"
    return f"<div>{head}{_facts(run)}{_curve(run)}</div>"


def _facts(run: "Run") -> str:
    facts = {"parameters": f"{run.config['parameters']:,}"} if isinstance(run.config.get("parameters"), int) else {}
    facts |= {"vocabulary": str(run.vocabulary)} if run.vocabulary is not None else {}
    facts |= {"steps": f"{run.metrics[-1]['step']:,}"} if run.metrics else {}
    facts |= {name.replace("_", " "): f"{value:.4g}" for name, value in _best(run).items()}
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in facts.items()
    )
    return f"<table>{rows}</table>" if rows else ""


def _best(run: "Run") -> dict[str, float]:
    """Return the figures of the best validation pass; of the last one if the run does not state what makes one the best."""
    objective, sign = f"validation_{run.config.get('objective')}", -1 if run.config.get("maximize") else 1
    passes = [line for line in run.metrics if any(name.startswith("validation_") for name in line)]
    scored = [line for line in passes if _is_finite(line.get(objective))]
    best = min(scored, key=lambda line: sign * line[objective]) if scored else (passes or [{}])[-1]
    return {name: value for name, value in best.items() if name != "step" and _is_finite(value)}


def _curve(run: "Run") -> str:
    """Draw the training loss, and the objective of validation where it is of the same kind."""
    objective = str(run.config.get("objective", "nats"))
    same = run.config.get("maximize") is not True and any(
        line.get("loss") == line.get(objective) is not None for line in run.metrics
    )
    drawn = {"loss": ("loss", _BLUE), f"validation_{objective}": ("validation", _ORANGE)}
    curves = {name: _points(run.metrics, name) for name in drawn if name == "loss" or same}
    curves = {name: points for name, points in curves.items() if len(points) > 1}
    if not curves:
        return ""
    ends = [point for points in curves.values() for point in points]
    (left, right), (low, high) = _ends(x for x, _ in ends), _ends(y for _, y in ends)
    lines = "".join(_line(points, drawn[name][1], left, right, low, high) for name, points in curves.items())
    words = ", ".join(
        f'<span style="color:{drawn[name][1]}">{drawn[name][0]}</span> {points[-1][1]:.4g}' for name, points in curves.items()
    )
    title = f"training from step {left:,.0f} to {right:,.0f}"
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" style="display:block"'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img"><title>{title}</title>{lines}</svg>'
    return f"<div>{drawing}<small>{words} at the end, {low:.4g} to {high:.4g} over {right:,.0f} steps</small></div>"


def _line(points: Points, color: str, left: float, right: float, low: float, high: float) -> str:
    across, up = (WIDTH - 2 * EDGE) / (right - left or 1), (HEIGHT - 2 * EDGE) / (high - low or 1)
    places = " ".join(f"{EDGE + (x - left) * across:.1f},{HEIGHT - EDGE - (y - low) * up:.1f}" for x, y in _thinned(points))
    return f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="1.5"/>'


def _points(metrics: Sequence[dict[str, Any]], name: str) -> Points:
    return [(line["step"], line[name]) for line in metrics if _is_finite(line.get(name))]


def _thinned(points: Points) -> Points:
    stride = math.ceil(len(points) / MOST_POINTS)
    return [*points[::stride], points[-1]]


def _ends(values: Any) -> tuple[float, float]:
    found = list(values)
    return min(found), max(found)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)

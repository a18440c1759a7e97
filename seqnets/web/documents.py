"""The page of a run as one file: weights, code and data inside; nothing is loaded from anywhere."""

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.web.network import network
from seqnets.web.packing import Precision
from seqnets.web.panels import ANALYZED, OF_RUNS, OF_TEXTS, Subject

SCRIPTS = [f"{name}.js" for name in ("view", "arrays", "text", "network", "sampling")]  # what the panels use
SCRIPTS += [f"{name}.js" for name in ("write", "neurons", "expectation", "live", "runs", "start")]


def document(
    run: Run | Sequence[Run],
    tokens: Any = (),
    *,
    source: str = "the held-out text",
    separator: tuple[int, ...] = (),
    start: int | None = None,
    precision: Precision = "float16",
    live: str | None = None,
) -> str:
    """Return the page of a run, or of several to compare, as HTML.

    Args:
        run: a run; of several, the panels about one model are about the first.
        tokens: a text that the model did not learn from, with the model's tokens; the first 20,000 are used. Without it, the
            page has no findings.
        source: what to call that text.
        separator: tokens of the document separator.
        start: the token that a text without a beginning starts from; that of `seqnets sample` if None.
        precision: of the weights in the page: "float16", "int8" for half of that, or "float32".
        live: the address from which the page gets new lines of the metrics; None for a page that loads nothing.

    Raises:
        UserError: there is no run, or the page cannot run the model.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> model = CharLM(Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> run = Run(model, {"model": model.describe(), "train": {}}, model.vocabulary, None, [])
        >>> page = document(run)
        >>> page.startswith("<!doctype html>"), "://" in page.split("</style>")[0]
        (True, False)
    """
    runs = [run] if isinstance(run, Run) else list(run)
    if not runs:
        raise UserError("there is no run to show; give at least one")
    first = runs[0]
    is_text = hasattr(first.model, "stepper")
    if start is None and is_text:
        from seqnets.decode.text.prompt import prompt_tokens

        start = int(prompt_tokens(first.vocabulary, "", separator=separator)[-1])
    analyzed = np.asarray(tokens[:ANALYZED], np.int32)
    subject = Subject(runs, analyzed, source, separator, start or 0, precision)
    shown = [(panel, panel.prepare(subject)) for panel in [*(OF_TEXTS if is_text else []), *OF_RUNS]]
    data = {
        "panels": [
            {"name": panel.name, "title": panel.title, "about": panel.about, "data": found}
            for panel, found in shown
            if found is not None
        ],
        "network": network(first.model, precision) if is_text else None,
        "vocabulary": _spelling(first.vocabulary) if is_text else None,
        "live": live,
    }
    names = [one.directory.name if one.directory else "a model" for one in runs]
    return assembled(", ".join(names), f"A page of seqnets: {_about(first)}", data)


def assembled(title: str, subtitle: str, data: Any) -> str:
    """Put a page together: the template, the style, the code, and the data as JSON that cannot end its element."""
    page = files("seqnets.web").joinpath("page")
    style, script = page.joinpath("page.css").read_text("utf-8"), _script()
    allowed = {"default-src": "'none'", "img-src": "data:", "style-src": _hash(style), "script-src": _hash(script)}
    allowed |= {"base-uri": "'none'", "form-action": "'none'"} | ({"connect-src": "'self'"} if data.get("live") else {})
    policy = "; ".join(f"{name} {sources}" for name, sources in allowed.items())
    return Template(page.joinpath("page.html").read_text("utf-8")).substitute(
        title=escape(title), subtitle=escape(subtitle), policy=policy, style=style, script=script, data=as_json(data)
    )


def as_json(data: Any) -> str:
    r"""Return JSON for a script element: only ASCII, and no character that HTML could take for its own.

    Example:
        >>> as_json("</script>")
        '"\\u003c/script\\u003e"'
    """
    text = json.dumps(_finite(data), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: such numbers become null."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _script() -> str:
    page = files("seqnets.web").joinpath("page")
    parts = [page.joinpath(name).read_text("utf-8").replace('"use strict";\n', "", 1) for name in SCRIPTS]
    return '"use strict";\n' + "\n".join(parts)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _spelling(vocabulary: Any) -> dict[str, Any]:
    return {
        "kind": vocabulary.kind,
        "normalize": vocabulary.normalize,
        "spelled": [spelled.decode("latin-1") for spelled in vocabulary.spelled],
    }


def _about(run: Run) -> str:
    model = run.config.get("model", {})
    config = model.get("config", {}) if isinstance(model, dict) else {}
    cell = config.get("cell")
    size = f"{config.get('layers', 1)} x {config.get('hidden_features')} {cell}" if cell else model.get("kind", "")
    return f"{size}, {run.vocabulary}" if run.vocabulary is not None else str(size)

"""The page of a run as one file: weights, code and data inside; nothing is loaded from anywhere."""

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.web.network import network
from seqnets.web.packing import Precision
from seqnets.web.panels import Panel, function, panels_of, task_of
from seqnets.web.panels.subject import Subject
from seqnets.web.uploads import MOST_BYTES


def document(
    run: Run | Sequence[Run],
    material: Any = None,
    *,
    source: str = "the held-out data",
    separator: tuple[int, ...] = (),
    start: int | None = None,
    precision: Precision = "float16",
    live: str | None = None,
) -> str:
    """Return the page of a run, or of several to compare, as HTML.

    Args:
        run: a run; of several, the panels about one model are about the first.
        material: what the model did not learn from, as `seqnets.web.held_out` returns it: of a character model, a text
            with the model's tokens, of which the first 20,000 are used. Without it, the page has no findings.
        source: what to call it.
        separator: tokens of the document separator of a character model.
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
    is_text = task_of(first) == "text" and first.model is not None
    if start is None and is_text:
        from seqnets.decode.text.prompt import prompt_tokens

        start = int(prompt_tokens(first.vocabulary, "", separator=separator)[-1])
    subject = Subject(runs, material, source, separator, start or 0, precision, served=live is not None)
    shared = {"network": network(first.model, precision), "vocabulary": _spelling(first.vocabulary)} if is_text else {}
    prepared = [(panel, function(panel.prepare)(subject)) for panel in panels_of(first)]
    names = [one.directory.name if one.directory else "a model" for one in runs]
    return assembled(
        ", ".join(names), f"A page of seqnets: {_about(first)}", prepared, {**shared, "live": live, "upload": MOST_BYTES}
    )


def assembled(title: str, subtitle: str, prepared: Iterable[tuple[Panel, Any]], shared: Mapping[str, Any] | None = None) -> str:
    """Put a page together: the template, the style, the code, and the data as JSON that cannot end its element.

    Args:
        title: the heading.
        subtitle: a line below it.
        prepared: panels and their data; a panel whose data is None is left out.
        shared: what several panels use.
    """
    shown, data = [(panel, found) for panel, found in prepared if found is not None], dict(shared or {})
    data["panels"] = [
        {"name": panel.name, "title": panel.title, "about": panel.about, "draw": panel.draw or panel.name, "data": found}
        for panel, found in shown
    ]
    page = files("seqnets.web").joinpath("page")
    live = ["live"] if data.get("live") else []
    scripts = dict.fromkeys(["view", "arrays", *(name for panel, _ in shown for name in panel.scripts), *live, "start"])
    style, script = page.joinpath("page.css").read_text("utf-8"), _script(scripts)
    allowed = {"default-src": "'none'", "img-src": "data:", "style-src": _hash(style), "script-src": _hash(script)}
    allowed |= {"base-uri": "'none'", "form-action": "'none'"} | ({"connect-src": "'self'"} if live else {})
    policy = "; ".join(f"{name} {sources}" for name, sources in allowed.items())
    return Template(page.joinpath("page.html").read_text("utf-8")).substitute(
        title=_plain(title), subtitle=_plain(subtitle), policy=policy, style=style, script=script, data=as_json(data)
    )


def _plain(text: str) -> str:
    """Escape a text; a name of a file that is no Unicode gets question marks."""
    return escape(text.encode("utf-8", "replace").decode())


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


def _script(names: Iterable[str]) -> str:
    page = files("seqnets.web").joinpath("page")
    parts = [page.joinpath(f"{name}.js").read_text("utf-8").replace('"use strict";\n', "", 1) for name in names]
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
    kind = " ".join(filter(None, [model.get("kind", ""), config.get("name", "")]))
    size = f"{config.get('layers', 1)} x {config.get('hidden_features')} {cell}" if cell else kind
    return f"{size}, {run.vocabulary}" if run.vocabulary is not None else str(size)

"""The panels of a page: what Python prepares for each of them."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from seqnets import settings
from seqnets.decoders import read_text
from seqnets.inspect import detectors, gradient_flow, guess_language, memory, surprise
from seqnets.inspect.labels import token_texts
from seqnets.run import CARD, SETTINGS, Run
from seqnets.web.packing import packed, shares

ANALYZED = 20_000  # tokens that the findings are computed on
SHOWN = 4_000  # tokens of the texts in the page
STRETCH, REACH = 200, 100  # of the panel about memory
_LEAST = 200  # tokens without which there is nothing to find


@dataclass(frozen=True)
class Subject:
    """What a page is about.

    Attributes:
        runs: the runs; the panels about one model are about the first.
        tokens: a text that the model did not learn from; empty if there is none.
        source: what to call that text.
        separator: tokens of the document separator.
        start: the token that a text without a beginning starts from.
        precision: of the weights in the page.
    """

    runs: Sequence[Run]
    tokens: np.ndarray
    source: str
    separator: tuple[int, ...]
    start: int
    precision: Any

    @property
    def run(self) -> Run:
        """The first run."""
        return self.runs[0]

    @cached_property
    def texts(self) -> list[str]:
        """The text of every token."""
        return token_texts(self.run.vocabulary, self.tokens)


class Panel(NamedTuple):
    """A panel: its name in the page's JavaScript, its title, a sentence about it, and what prepares its data, or None."""

    name: str
    title: str
    about: str
    prepare: Callable[[Subject], dict[str, Any] | None]


def _write(subject: Subject) -> dict[str, Any]:
    return {"prompt": "", "temperature": 0.8, "start": subject.start}


def _neurons(subject: Subject) -> dict[str, Any] | None:
    if len(subject.tokens) < _LEAST:
        return None
    language = guess_language("".join(subject.texts))
    found = detectors(subject.run.model, subject.tokens, language=language, separator=subject.separator)
    return {
        "language": language,
        "characters": len(subject.tokens),
        "detectors": [detector.to_json() for detector in found],
        "tokens": subject.tokens[: _shown(subject)].tolist(),
        "resets": list(subject.separator[-1:]),
    }


def _shown(subject: Subject) -> int:
    """As many tokens as the page reads in about three seconds."""
    config = subject.run.model.config
    return max(500, min(SHOWN, 4_000 * 256**2 // (config.layers * config.hidden_features**2)))


def _search(subject: Subject) -> dict[str, Any] | None:
    return {} if len(subject.tokens) >= _LEAST else None


def _surprise(subject: Subject) -> dict[str, Any] | None:
    if len(subject.tokens) < 2:
        return None
    found = surprise(subject.run.model, subject.tokens, separator=subject.separator)
    shown = slice(0, SHOWN)
    width = max(map(len, found.expected))
    rows = [row + [(0, 0.0)] * (width - len(row)) for row in found.expected[shown]]
    return {
        "nats": found.nats,
        "unit": found.unit,
        "predicted": found.count,
        "source": subject.source,
        "tokens": subject.tokens[shown].tolist(),
        "bits": packed(np.nan_to_num(found.bits[shown]), "float32"),
        "likeliest": width,
        "expected": [token for row in rows for token, _ in row],
        "probabilities": packed([p for row in rows for _, p in row], "float16"),
        "worst": [passage._asdict() for passage in replace(found, bits=found.bits[shown]).worst(8)],
    }


def _memory(subject: Subject) -> dict[str, Any] | None:
    if len(subject.tokens) < _LEAST:
        return None
    begins = [REACH, max(REACH, len(subject.tokens) // 2)][: 1 + (len(subject.tokens) > 2 * (REACH + STRETCH))]
    found = [memory(subject.run.model, subject.tokens, start=begin, length=STRETCH, width=REACH) for begin in begins]
    stretches = [
        {
            "tokens": subject.tokens[max(0, one.start - REACH) : one.start + len(one.gradients)].tolist(),
            "context": one.start - max(0, one.start - REACH),
            "width": one.gradients.shape[1],
            "gradients": shares(one.gradients / np.maximum(one.gradients.max(1, keepdims=True), 1e-30)),
        }
        for one in found
    ]
    by_distance = np.mean([one.by_distance for one in found], axis=0)
    return {"stretches": stretches, "byDistance": by_distance.tolist(), "reach": int(np.median([one.reach for one in found]))}


def _flow(subject: Subject) -> dict[str, Any] | None:
    if len(subject.tokens) < _LEAST:
        return None
    clip = subject.run.config["train"].get("clip_norm")
    width = min(REACH, len(subject.tokens) - 2)
    found = gradient_flow(subject.run.model, subject.tokens, width=width, clip_norm=clip or None)
    norms = found.gradient_norms
    return {
        **{name: value for name, value in found.to_json().items() if name not in ("gradient_norms", "clip_norm", "gone_after")},
        "clipNorm": found.clip_norm,
        "windows": len(norms),
        "leastNorm": float(norms.min()),
        "mostNorm": float(norms.max()),
    }


def _curves(subject: Subject) -> dict[str, Any] | None:
    if not any(run.metrics for run in subject.runs):
        return None
    runs = [{"name": _name(run), "metrics": run.metrics} for run in subject.runs]
    return {"runs": runs, "objective": "nats", "differences": _differences(subject.runs)}


def _differences(runs: Sequence[Run]) -> list[list[str]]:
    """One row for each setting in which the runs differ."""
    tables = [_flat(settings.read(run.directory / SETTINGS)) if run.directory else {} for run in runs]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = {name: [str(table.get(name, "")) for table in tables] for name in names}
    return [[name, *row] for name, row in rows.items() if len(set(row)) > 1]


def _model(subject: Subject) -> dict[str, Any]:
    run = subject.run
    from flax import nnx

    from seqnets.named_arrays import host_arrays

    count = sum(array.size for array in host_arrays(nnx.state(run.model, nnx.Param)).values())
    described = run.config["model"]
    facts = [["parameters", f"{count:,}"], ["vocabulary", str(run.vocabulary)], ["kind", described.get("kind", "")]]
    facts += [[name.replace("_", " "), str(value)] for name, value in described.get("config", {}).items()]
    card = run.directory / CARD if run.directory else None
    return {
        "facts": facts,
        "command": _command(run),
        "card": read_text(card) if card is not None and card.is_file() else "",
    }


def _command(run: Run) -> str:
    if run.directory is None:
        return "(made in Python)"
    return f"seqnets train --config {shlex.quote(str(run.directory / SETTINGS))} --out NEW-FOLDER"


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
    return found


def _name(run: Run) -> str:
    return run.directory.name if run.directory else "in memory"


OF_TEXTS = [
    Panel("write", "Write", "The model runs in this page. Click a character that it wrote to see what else was likely.", _write),
    Panel("neurons", "Neurons", "What single units follow (Karpathy, Johnson, Li, 2015).", _neurons),
    Panel("search", "Search like this", "Other places where the same units are on (Strobelt et al., LSTMVis, 2018).", _search),
    Panel("surprise", "Surprise", "Where the model was surprised, and what it expected instead.", _surprise),
    Panel("memory", "Memory", "Which earlier characters a prediction depends on (Madsen, 2019).", _memory),
    Panel("flow", "Gradient flow", "Whether gradients explode or vanish on their way back (Pascanu et al., 2013).", _flow),
]
OF_RUNS = [
    Panel("curves", "Curves", "The figures of training.", _curves),
    Panel("model", "Model", "", _model),
]

"""The panels of character models."""

from dataclasses import replace
from typing import Any

import numpy as np

from seqnets import inspect
from seqnets.web.packing import packed, shares
from seqnets.web.panels.subject import Subject

SHOWN = 4_000  # tokens of the texts in the page
STRETCH, REACH = 200, 100  # of the panel about memory
_LEAST = 200  # tokens without which there is nothing to find


def write(subject: Subject) -> dict[str, Any]:
    """Return how the page begins to write."""
    return {"prompt": "", "temperature": 0.8, "start": subject.start}


def neurons(subject: Subject) -> dict[str, Any] | None:
    """Return the units that follow something."""
    if len(subject.tokens) < _LEAST:
        return None
    language = inspect.guess_language("".join(subject.texts))
    found = inspect.detectors(subject.run.model, subject.tokens, language=language, separator=subject.separator)
    return {
        "language": language,
        "characters": len(subject.tokens),
        "detectors": [detector.to_json() for detector in found],
        "tokens": subject.tokens[: _shown(subject)].tolist(),
        "resets": list(subject.separator[-1:]),
    }


def _shown(subject: Subject) -> int:
    # as many tokens as the page reads in about three seconds
    config = subject.run.model.config
    return max(500, min(SHOWN, 4_000 * 256**2 // (config.layers * config.hidden_features**2)))


def search(subject: Subject) -> dict[str, Any] | None:
    """Return nothing to prepare; the page searches what the neurons read."""
    return {} if len(subject.tokens) >= _LEAST else None


def surprise(subject: Subject) -> dict[str, Any] | None:
    """Return the bits of every character, and what was expected."""
    if len(subject.tokens) < 2:
        return None
    found = inspect.surprise(subject.run.model, subject.tokens, separator=subject.separator)
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


def memory(subject: Subject) -> dict[str, Any] | None:
    """Return what the predictions of two stretches depend on."""
    if len(subject.tokens) < _LEAST:
        return None
    begins = [REACH, max(REACH, len(subject.tokens) // 2)][: 1 + (len(subject.tokens) > 2 * (REACH + STRETCH))]
    found = [inspect.memory(subject.run.model, subject.tokens, start=begin, length=STRETCH, width=REACH) for begin in begins]
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


def flow(subject: Subject) -> dict[str, Any] | None:
    """Return how gradients travel back through time."""
    if len(subject.tokens) < _LEAST:
        return None
    clip = subject.run.config["train"].get("clip_norm")
    width = min(REACH, len(subject.tokens) - 2)
    found = inspect.gradient_flow(subject.run.model, subject.tokens, width=width, clip_norm=clip or None)
    norms = found.gradient_norms
    return {
        **{name: value for name, value in found.to_json().items() if name not in ("gradient_norms", "clip_norm", "gone_after")},
        "clipNorm": found.clip_norm,
        "windows": len(norms),
        "leastNorm": float(norms.min()),
        "mostNorm": float(norms.max()),
    }

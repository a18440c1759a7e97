"""Findings about translators: which held-out pairs are right, and where the model looked."""

from typing import Any

import numpy as np

from seqnets.cli.findings import Finding

_SHOWN = 10


def prepared(run: Any, material: Any) -> list[Any]:
    """Return the translations of the material, by a beam of 5 and by draws."""
    from seqnets.tasks.translator.held_out import translated
    from seqnets.web.panels.translations import WAYS

    return translated(run.model, material, WAYS)


def _lines(found: list[Any]) -> list[str]:
    right = sum(one.is_right for one in found)
    wrong = sorted((one for one in found if not one.is_right), key=lambda one: -one.best.log_prob)
    head = f"{right:,} of {len(found):,} are right, letter by letter" + ("; the wrong ones, the surest first:" if wrong else "")
    return [
        head,
        *(f"{one.source!r} -> {one.best.text!r} (ln p {one.best.log_prob:.2f}), wanted {one.target!r}" for one in wrong[:_SHOWN]),
    ]


def _entry(one: Any) -> dict[str, Any]:
    return {
        "source": one.source,
        "target": one.target,
        "right": one.is_right,
        **{name: [_caption(one, best) for best in found] for name, found in one.found.items()},
    }


def _caption(one: Any, found: Any) -> dict[str, Any]:
    attention = None if found.attention is None else np.round(found.attention[:, : len(one.pieces)], 4).tolist()
    return {
        "text": found.text,
        "words": list(found.words),
        "log_prob": float(found.log_prob),
        "pieces": one.pieces,
        "attention": attention,
    }


FINDINGS = {"translations": Finding(lambda found: found, _lines, lambda found: [_entry(one) for one in found])}

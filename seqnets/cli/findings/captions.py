"""Findings about captioners: captions of held-out pictures, and their figures where people described the pictures too."""

import math
from typing import Any, NamedTuple

import numpy as np

from seqnets.cli.findings import Finding

_SHOWN, _METRICS = 10, ("BLEU-4", "CIDEr")


class Captions(NamedTuple):
    """Pictures with captions, why others have none, and the figures of the best captions; no figures without references."""

    shown: list[Any]
    left_out: list[str]
    figures: dict[str, float]


def prepared(run: Any, material: Any) -> Captions:
    """Return captions of the material."""
    from seqnets.web.panels.captions import captioned

    shown: list[Any]
    shown, left_out = captioned(run.model, material)
    best = [next(iter(one.captions.values()))[0].text for one in shown]
    figures = {"distinct": len(set(best)) / max(1, len(best))}
    if shown and all(one.references for one in shown):
        from seqnets.metrics.scorer import Scorer
        from seqnets.metrics.tokenizer import words_for

        words = words_for(text for one in shown for text in one.references)
        scorer = Scorer({place: one.references for place, one in enumerate(shown)}, words=words)
        scores = scorer(dict(enumerate(best))).corpus
        figures |= {name: scores[name] for name in _METRICS}
    return Captions(shown, left_out, figures)


def _lines(found: Captions) -> list[str]:
    figures = ", ".join(f"{name} {value:.3f}" for name, value in found.figures.items())
    head = f"{len(found.shown):,} pictures: {figures}"
    pictures = [line for one in found.shown[:_SHOWN] for line in _of_picture(one)]
    return [head, *(f"left out: {reason}" for reason in found.left_out), *pictures]


def _of_picture(one: Any) -> list[str]:
    listed = [
        f"  {name}: {caption.text} ({math.exp(caption.log_prob):.2g})"
        for name, found in one.captions.items()
        for caption in found
    ]
    return [f"{one.name}", *listed]


def _entry(one: Any) -> dict[str, Any]:
    ways = {name: [_caption(caption) for caption in found] for name, found in one.captions.items()}
    return {"file": one.name, "references": list(one.references), **ways}


def _caption(caption: Any) -> dict[str, Any]:
    attention = None if caption.attention is None else np.round(caption.maps, 4).tolist()
    return {"caption": caption.text, "words": list(caption.words), "log_prob": float(caption.log_prob), "attention": attention}


FINDINGS = {
    "captions": Finding(
        lambda found: found, _lines, lambda found: {**found.figures, "pictures": [_entry(one) for one in found.shown]}
    )
}

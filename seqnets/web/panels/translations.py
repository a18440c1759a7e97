"""Translations of held-out pairs: what was written, which parts of the source it looked at, and whether it is right."""

from typing import Any

import jax
import numpy as np

from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.tasks.translator.held_out import Translated, translated
from seqnets.web.packing import shares
from seqnets.web.panels.subject import Subject

WAYS: dict[str, dict[str, Any]] = {
    "beam of 5": {"beam": 5, "n_best": 3},
    "draws": {"method": "sample", "n_best": 3},
}
_WRONG, _RIGHT = 30, 20  # pairs in the page
_LONGEST = 400  # characters of a source that the server takes


def translations(subject: Subject) -> dict[str, Any] | None:
    """Return held-out pairs with translations by search and by draws: the wrong ones first."""
    if subject.material is None:
        return {"pairs": [], "among": 0, "right": 0, "source": ""} if subject.served else None
    found = translated(subject.run.model, subject.material, WAYS)
    wrong = sorted((one for one in found if not one.is_right), key=lambda one: -one.best.log_prob)
    right = [one for one in found if one.is_right]
    shown = [_entry(subject.run, one) for one in [*wrong[:_WRONG], *right[:_RIGHT]]]
    return {"pairs": shown, "among": len(found), "right": len(right), "source": subject.source}


def answer(run: Run, body: bytes, given: Any) -> dict[str, Any]:
    """Translate a source that the page sends, as UTF-8.

    Raises:
        UserError: it is empty or too long, or the seed is no number.
    """
    from seqnets.decode.translation import translate

    seed = given.get("seed", 0) if isinstance(given, dict) else None
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise UserError("seed must be a whole number of at least 0")
    text = body.decode("utf-8", "replace").strip()
    if not text or len(text) > _LONGEST:
        raise UserError(f"give a text of 1 to {_LONGEST} characters")
    key = jax.random.key(seed)
    ways = {name: translate(run.model, [text], **way, key=key)[0] for name, way in WAYS.items()}
    return _entry(run, Translated(text, run.model.source.pieces(run.model.source.encode(text)), "", ways))


def _entry(run: Run, one: Translated) -> dict[str, Any]:
    ways = [{"name": name, "found": [_caption(best, len(one.pieces)) for best in found]} for name, found in one.found.items()]
    return {"source": one.source, "pieces": one.pieces, "target": one.target, "right": one.is_right, "ways": ways,
            "spaced": run.vocabulary.unit == "words"}  # fmt: skip


def _caption(found: Any, length: int) -> dict[str, Any]:
    looks = found.attention is not None and len(found.words)
    return {
        "text": found.text,
        "words": list(found.words),
        "logProb": float(found.log_prob),
        "attention": shares(np.asarray(found.attention)[:, :length]) if looks else None,
    }

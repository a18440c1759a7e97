"""Captions of pictures, word by word."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from seqnets.decode.captions.config import CaptionConfig
from seqnets.decode.captions.images import caption_images
from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.viz.thumbnails import data_url
from seqnets.web.documents import assembled
from seqnets.web.packing import shares
from seqnets.web.panels import PANELS
from seqnets.web.panels.subject import Subject
from seqnets.web.uploads import picture, wanted

WAYS = {"beam of 5": CaptionConfig(n_best=5), "draws": CaptionConfig(method="sample", n_best=4)}
_MOST_CAPTIONS, _MOST_WORDS = 20, 200


class Shown(NamedTuple):
    """A picture and its captions.

    Attributes:
        name: what to call it.
        image: uint8 `(H, W, 3)`, as the model saw it.
        captions: the best first; of `seqnets.decode.Caption`, or anything with `text`, `words`, `log_prob`, and `maps` or
            `attention` None. Under several names, if they were found in several ways.
        references: what people said of it.
    """

    name: str
    image: Any
    captions: Sequence[Any] | Mapping[str, Sequence[Any]]
    references: Sequence[str] = ()


def captions(subject: Subject) -> dict[str, Any] | None:
    """Return captions of held-out pictures, by search and by draws."""
    if subject.material is None:
        return {"pictures": [], "source": "", "among": 0, "leftOut": []} if subject.served else None
    shown, left_out = captioned(subject.run.model, subject.material)
    return {**_gallery(shown), "source": subject.source, "among": subject.material.among, "leftOut": left_out}


def captioned(model: Any, described: Any) -> tuple[list[Shown], list[str]]:
    """Return the captions of pictures, by search and by draws, and why others have none.

    Args:
        model: a captioner.
        described: the pictures, as `seqnets.web.held_out` returns them.
    """
    names, pictures, references, _ = described
    found = [list(caption_images(model, pictures, config, key=jax.random.key(0))) for config in WAYS.values()]
    shown, left_out = [], []
    for place, (name, *ways) in enumerate(zip(names, *found)):
        if isinstance(ways[0], UserError):
            left_out.append(str(ways[0]))
        else:
            shown.append(Shown(name, ways[0][0].image, dict(zip(WAYS, ways)), references[place] if references else ()))
    return shown, left_out


def captions_page(images: Sequence[Shown], *, title: str = "What the model looked at") -> str:
    """Return an HTML page of pictures and their captions, where every word shows where the model looked.

    It is the panel of `seqnets show` alone: one file that loads nothing, with the pictures inside, at most 640 pixels wide and
    high.

    Args:
        images: the pictures and captions to show.
        title: title of the page.

    Raises:
        UserError: there are no images, or an image has another shape or type.

    Example:
        >>> from types import SimpleNamespace
        >>> dog = SimpleNamespace(text="a dog", words=("a", "dog"), log_prob=-1.0, maps=np.full((2, 1, 2), 0.5), attention=1)
        >>> page = captions_page([Shown("dog.jpg", np.zeros((4, 4, 3), np.uint8), [dog])])
        >>> page.count("data:image/png"), "fetch(" in page
        (1, False)
    """
    if not images:
        raise UserError("there are no images to show on a page; give at least one")
    counted = "1 picture" if len(images) == 1 else f"{len(images):,} pictures"
    panel = next(panel for panel in PANELS if panel.name == "captions")
    data = {**_gallery(images), "source": "", "among": len(images), "leftOut": []}
    return assembled(title, counted, [(panel._replace(title="Captions", about=""), data)])


def _gallery(shown: Sequence[Shown]) -> dict[str, Any]:
    return {"pictures": [_entry(one) for one in shown]}


def answer(run: Run, body: bytes, given: Any) -> dict[str, Any]:
    """Caption a picture that the page sends.

    Raises:
        UserError: it cannot be read, or a setting is out of its range.
    """
    seed = given.pop("seed", 0) if isinstance(given, dict) else 0
    config = wanted(CaptionConfig(), given)
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise UserError("seed must be a whole number of at least 0")
    if max(config.beam, config.n_best) > _MOST_CAPTIONS or max(config.max_length, config.min_length) > _MOST_WORDS:
        raise UserError(f"at most {_MOST_CAPTIONS} captions of {_MOST_WORDS} words are searched or drawn at a time")
    (found,) = caption_images(run.model, [picture(body)], config, key=jax.random.key(seed))
    if isinstance(found, UserError):
        raise found
    return _entry(Shown("", found[0].image, {_way(config): found}))


def _way(config: CaptionConfig) -> str:
    return {"beam": f"beam of {config.beam}", "greedy": "greedy", "sample": "draws"}[config.method]


def _entry(shown: Shown) -> dict[str, Any]:
    ways = shown.captions if isinstance(shown.captions, Mapping) else {"": shown.captions}
    return {
        "name": shown.name,
        "image": data_url(shown.image),
        "references": list(shown.references),
        "ways": [{"name": name, "captions": [_caption(caption) for caption in found]} for name, found in ways.items()],
    }


def _caption(caption: Any) -> dict[str, Any]:
    looks = caption.attention is not None and len(caption.words)
    return {
        "text": caption.text,
        "words": list(caption.words),
        "logProb": float(caption.log_prob),
        "maps": peaked(caption.maps) if looks else None,
    }


def peaked(maps: np.ndarray) -> dict[str, Any]:
    """Return attention maps `(N, rows, columns)` as shares of each one's largest value, as JSON."""
    peaks = np.maximum(maps.max((1, 2), keepdims=True), 1e-12)
    return {"rows": maps.shape[1], "columns": maps.shape[2], "weights": shares(maps / peaks)}

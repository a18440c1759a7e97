"""Captioners: soft and hard attention, and the image injected into a plain recurrent network."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.models.captioner.captioner import Captioner as Captioner
    from seqnets.models.captioner.captioner import from_description as from_description
    from seqnets.models.captioner.config import PRESETS as PRESETS
    from seqnets.models.captioner.config import CaptionerConfig as CaptionerConfig
    from seqnets.models.captioner.config import preset as preset
    from seqnets.models.captioner.decoder import Annotations as Annotations
    from seqnets.models.captioner.decoder import Reading as Reading

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "captioner": ["Captioner", "from_description"],
            "config": ["PRESETS", "CaptionerConfig", "preset"],
            "decoder": ["Annotations", "Reading"],
        },
    )

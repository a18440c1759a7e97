"""Captioners: soft and hard attention, and the image injected into a plain recurrent network."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.models.captioner.captioner import Captioner, from_description
    from seqnets.models.captioner.config import PRESETS, CaptionerConfig, preset
    from seqnets.models.captioner.decoder import Annotations, Reading

__all__ = ["PRESETS", "Annotations", "Captioner", "CaptionerConfig", "Reading", "from_description", "preset"]

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "captioner": ["Captioner", "from_description"],
        "config": ["PRESETS", "CaptionerConfig", "preset"],
        "decoder": ["Annotations", "Reading"],
    },
)

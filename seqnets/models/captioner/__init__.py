"""Captioners: soft and hard attention, and the image injected into a plain recurrent network."""

from seqnets.models.captioner.captioner import Captioner, from_description
from seqnets.models.captioner.config import PRESETS, CaptionerConfig, preset
from seqnets.models.captioner.decoder import Annotations, Reading

__all__ = ["PRESETS", "Annotations", "Captioner", "CaptionerConfig", "Reading", "from_description", "preset"]

"""What a training run is made of, one file a task: the settings that `--config` reads and that every run folder keeps."""

from seqnets.config.text import TextRunConfig

__all__ = ["TextRunConfig"]

"""Trained runs that are part of seqnets: a folder for each, with its card, license and half-precision weights.

`seqnets/configs` has the settings of their training, and `scripts/ship_runs.py` makes the folders.
"""

from pathlib import Path


def shipped_runs() -> dict[str, Path]:
    """Return the folders of the runs that are part of seqnets, by name.

    Example:
        >>> shipped_runs()["scenes"].name
        'scenes'
    """
    here = Path(__file__).parent
    return {folder.name: folder for folder in sorted(here.iterdir()) if (folder / "config.json").is_file()}

"""The arguments of a command that name images, and the reports of images that are left out."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from seqnets.data.images.files import find_images
from seqnets.errors import UserError

Result = TypeVar("Result")


def named_images(sources: Sequence[str]) -> list[Path]:
    """List the image files that the arguments name; files skipped in folders are named on standard error."""
    return find_images(sources, tell=_say)


def usable(paths: Sequence[Path], results: Iterable[Result | UserError]) -> Iterator[tuple[Path, Result]]:
    """Yield the images that could be used with their results; the others are named on standard error, and counted."""
    failed = 0
    for path, result in zip(paths, results):
        if isinstance(result, UserError):
            failed += 1
            _say(f"left out: {result}")
        else:
            yield path, result
    if failed and len(paths) > 1:
        _say(f"{failed:,} of {len(paths):,} images {'is' if failed == 1 else 'are'} left out")


def _say(sentence: str) -> None:
    print(f"seqnets: {sentence}", file=sys.stderr)

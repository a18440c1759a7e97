"""Captions files of every usual form, recognized by their content."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from os import PathLike
from pathlib import Path

from seqnets.data.captions import json_forms
from seqnets.data.captions.caption_set import CaptionSet, Entry, gathered, known_split
from seqnets.data.captions.forms import Content, form_names, read_form
from seqnets.data.captions.splitting import SplitLists, split_by_hash, split_by_lists
from seqnets.errors import UserError

Source = str | PathLike[str]
_SPLIT_IN_NAME = re.compile(r"(?<![a-z])(train|val|valid|validation|dev|test)(?![a-z])", re.IGNORECASE)


def read_captions(
    path: Source | Sequence[Source],
    *,
    split: str = "",
    lists: SplitLists | None = None,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
) -> CaptionSet:
    """Read images and captions.

    The form is recognized from the content; `seqnets.data.captions.forms.FORMS` lists all of them. An image may have any
    number of captions, one on each line. A file whose name ends in .gz is unpacked. Up to 1% of the captions may be unusable:
    they are left out, and a remark says so.

    Args:
        path: the file, UTF-8; or several, whose names give the split of each where nothing else does, such as COCO's
            captions_train2014.json and captions_val2014.json.
        split: the split that all images belong to, as in COCO's captions_train2014.json.
        lists: lists of the images of each split: a folder, or a file for each split.
        validation_fraction: share of the images to validate on where neither file nor lists say.
        test_fraction: share of the images to test on where neither file nor lists say.

    Returns:
        The images in the order of the file, each with a split.

    Raises:
        UserError: the file cannot be read; the message names the line.

    Example:
        >>> read_captions("no/such.csv")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.csv': No such file or directory; check the path
    """
    paths = [str(path)] if isinstance(path, str | PathLike) else list(map(str, path))
    found = gathered(chain.from_iterable(map(read_form, paths) if lists or split else _with_splits(paths)))
    if not len(found):
        shown = ", ".join(f"'{path}'" for path in paths)
        raise UserError(f"{shown} has no captions; give lines such as: dog.jpg,a dog runs (after a first line: image,caption)")
    if split:
        return replace(found, splits=(known_split(split, "the setting"),) * len(found))
    if lists is not None:
        return split_by_lists(found, lists)
    if any(found.splits):
        return _assigned(found)
    return split_by_hash(found, validation_fraction=validation_fraction, test_fraction=test_fraction)


def read_references(path: Source) -> CaptionSet:
    """Read images and captions of any form, whatever their splits; the images of COCO's files need no names.

    Args:
        path: the file, UTF-8.

    Raises:
        UserError: the file cannot be read; the message names the line.

    Example:
        >>> read_references("no/such.csv")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.csv': No such file or directory; check the path
    """
    content = Content(str(path))
    is_coco = isinstance(content.json, dict) and isinstance(content.json.get("annotations"), list)
    found = gathered(json_forms.coco(content.json, content.path, listed=False) if is_coco else read_form(content.path))
    if not len(found):
        raise UserError(f"'{path}' has no captions; give {form_names()}")
    return found


def _with_splits(paths: Sequence[str]) -> Iterator[Iterator[Entry | UserError]]:
    """Yield the captions of each file; if all names of several files say a split, the captions get it."""
    named = [_SPLIT_IN_NAME.search(Path(path).name) for path in paths]
    for path, name in zip(paths, named):
        entries = read_form(path)
        yield _in_split(entries, name[1]) if name and len(paths) > 1 and all(named) else entries


def _in_split(entries: Iterator[Entry | UserError], split: str) -> Iterator[Entry | UserError]:
    return (entry._replace(split=entry.split or split) if isinstance(entry, Entry) else entry for entry in entries)


def _assigned(found: CaptionSet) -> CaptionSet:
    kept = found.where(map(bool, found.splits))
    bare = len(found) - len(kept)
    remark = f"{bare:,} of {len(found):,} images {'is' if bare == 1 else 'are'} in no split and left out"
    return replace(kept, remarks=(*kept.remarks, remark)) if bare else kept

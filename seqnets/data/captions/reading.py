"""Captions files of every usual form, told apart by what is in them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from os import PathLike

from seqnets import decoders
from seqnets.data.captions.caption_set import CaptionSet, Entry, gathered, known_split
from seqnets.data.captions.json_forms import json_value
from seqnets.data.captions.splitting import SplitLists, split_by_hash, split_by_lists
from seqnets.data.captions.text_forms import is_token_file, json_lines, table, token_file
from seqnets.data.examples.tables import read_whole
from seqnets.errors import UserError


def read_captions(
    path: str | PathLike[str],
    *,
    split: str = "",
    lists: SplitLists | None = None,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
) -> CaptionSet:
    """Read images and captions.

    The form is told from the content: a table with a first line such as `image,caption`; JSON Lines; the token files of
    Flickr8k and Flickr30k; COCO's captions; Karpathy's splits; a JSON list of images with captions. An image may have any
    number of captions, on as many lines. A name that ends in .gz is unpacked.

    Args:
        path: the file, UTF-8.
        split: the split that all its images belong to, as in COCO's captions_train2014.json.
        lists: lists of the images of each split: a folder, or a file for each split.
        validation_fraction: share of the images to validate on where neither file nor lists say.
        test_fraction: share of the images to test on, likewise.

    Returns:
        The images in the order of the file, each with a split.

    Raises:
        UserError: the file cannot be read; the message says at which line.

    Example:
        >>> read_captions("no/such.csv")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.csv': No such file or directory; check the path
    """
    found = gathered(_entries(read_whole(str(path)), str(path)))
    if not len(found):
        raise UserError(f"'{path}' has no captions; give lines such as: dog.jpg,a dog runs (after a first line: image,caption)")
    if split:
        return replace(found, splits=(known_split(split, "the setting"),) * len(found))
    if lists is not None:
        return split_by_lists(found, lists)
    if any(found.splits):
        return _assigned(found)
    return split_by_hash(found, validation_fraction=validation_fraction, test_fraction=test_fraction)


def _entries(text: str, path: str) -> Iterator[Entry]:
    start = text.lstrip()
    if start[:1] in ("{", "["):
        return _json(text, path)
    first = start.split("\n", 1)[0].rstrip("\r")
    return token_file(text, path) if is_token_file(first) else table(start, path)


def _json(text: str, path: str) -> Iterator[Entry]:
    try:
        found = decoders.json_value(text, path)
    except UserError:
        if _is_json(text.lstrip().split("\n", 1)[0]):
            return json_lines(text, path)
        raise
    return json_value(found, path)


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _assigned(found: CaptionSet) -> CaptionSet:
    kept = found.where(map(bool, found.splits))
    bare = len(found) - len(kept)
    remark = f"{bare:,} of {len(found):,} images {'is' if bare == 1 else 'are'} in no split and left out"
    return replace(kept, remarks=(*kept.remarks, remark)) if bare else kept

"""Names of classes from a file of any of the usual forms."""

import os
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from seqnets.decoders import json_value, read_text, reading
from seqnets.errors import UserError


def read_labels(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of classes in the order of their numbers.

    Args:
        path: a JSON list of names, a JSON object of number to name (or to a list that ends with the name, as in Keras'
            `imagenet_class_index.json`), a Hugging Face `config.json` with `id2label`, or a text file with one name per line.

    Raises:
        UserError: the file cannot be read, or the numbers are not 0, 1, 2, ...

    Example:
        >>> read_labels("no/such.json")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read the file of labels 'no/such.json': No such file or directory; check the path
    """
    text = read_text(path, "the file of labels")
    return _from_json(text, path) if text.lstrip()[:1] in ("[", "{") else _lines(text, path)


def imagenet_classes() -> list[str]:
    """Return the names of ImageNet's 1,000 classes in their order, as torchvision spells them.

    Example:
        >>> imagenet_classes()[:3], len(imagenet_classes())
        (['tench', 'goldfish', 'great white shark'], 1000)

    References:
        Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", 2015.
    """
    return (files("seqnets.data.images") / "imagenet_classes.txt").read_text("utf-8").splitlines()


def _lines(text: str, path: str | os.PathLike[str]) -> list[str]:
    labels = [line.strip() for line in text.rstrip().splitlines()]
    if not labels:
        raise UserError(f"the labels '{path}' are empty; give one name per line")
    return labels


def _from_json(text: str, path: str | os.PathLike[str]) -> list[str]:
    what = f"the labels '{path}'"
    with reading(path, "the file of labels", "give a list of names, or an object of number to name"):
        value = json_value(text, path, "the file of labels")
        if isinstance(value, Mapping):
            value = _in_order(value.get("id2label", value), what)
        names: list[Any] = [name[-1] if isinstance(name, list) and name else name for name in value]
    if not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"{what} must be a list of names, or an object of number to name")
    return names


def _in_order(names: Mapping[str, Any], what: str) -> list[Any]:
    missing = [number for number in range(len(names)) if str(number) not in names]
    if missing:
        raise UserError(f"{what} have {len(names):,} entries but none for {missing[0]}; number them from 0")
    return [names[str(number)] for number in range(len(names))]

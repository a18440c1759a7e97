"""Pictures with one thing each."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seqnets.data.regions.examples import RegionExample, RegionSet
from seqnets.errors import UserError


def one_a_picture(regions: RegionSet) -> RegionSet:
    """Return the pictures with their largest thing alone; those without a thing are left out, and counted.

    Raises:
        UserError: no training picture has one.

    Example:
        >>> from seqnets.data.regions.reading import draw_scenes
        >>> found = one_a_picture(draw_scenes(4))
        >>> {len(example.labels) for example in found.splits["train"]}
        {1}
    """
    return _checked(regions, lambda example: [example.largest()], "boxes")


def one_a_person(regions: RegionSet) -> RegionSet:
    """Return a picture for each thing with known joints; the others are left out, and counted.

    Raises:
        UserError: no training picture has any.
    """
    return _checked(regions, _people, "joints")


def _checked(regions: RegionSet, change, what: str) -> RegionSet:
    def flat(examples: Sequence[RegionExample]) -> list[RegionExample]:
        return [one for example in examples for one in change(example) if len(one.labels)]

    found = regions.mapped(flat)
    lost = sum(not any(len(one.labels) for one in change(example)) for part in regions.splits.values() for example in part)
    if not found.splits["train"]:
        raise UserError(f"no picture to train on has {what}; check the files, or give others")
    remark = f"{lost:,} picture{'s' * (lost != 1)} without {what} {'is' if lost == 1 else 'are'} left out"
    splits = {name: part for name, part in found.splits.items() if part}
    return replace(found, splits=splits, remarks=(*found.remarks, remark) if lost else found.remarks)


def _people(example: RegionExample) -> list[RegionExample]:
    if example.joints is None:
        return []
    known = np.flatnonzero((example.joints[..., 2] > 0).sum(1) * ~example.is_crowd)
    people = [example.taken(np.array([row])) for row in known]
    if len(people) < 2:
        return people
    return [replace(person, name=f"{person.name} {number}") for number, person in enumerate(people, 1)]

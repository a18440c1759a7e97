"""Pascal VOC's XML: a file of boxes for each picture.

References:
    Everingham et al., "The Pascal visual object classes (VOC) challenge", 2010.
"""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from seqnets.data.regions.checking import Faults, checked
from seqnets.data.regions.examples import RegionExample
from seqnets.decoders import read_text, reading
from seqnets.errors import UserError

Found = list[tuple[list[str], RegionExample]]


def is_voc(folder: Path) -> bool:
    """Return whether a folder has VOC's Annotations/."""
    return any((folder / "Annotations").glob("*.xml"))


def read_voc(folder: Path, faults: Faults) -> tuple[dict[str, list[RegionExample]], tuple[str, ...]]:
    """Read VOC's folder: Annotations/, JPEGImages/ and, if it is there, ImageSets/Main/train.txt and val.txt.

    Difficult things become crowds, which are neither right nor wrong.

    Returns:
        The examples of each split, and the names of the classes in the order of the alphabet.

    Raises:
        UserError: a file is damaged, or none of the pictures is there.
    """
    files = {path.stem: path for path in sorted((folder / "Annotations").glob("*.xml"))}
    splits = {name: _listed(folder, word) for name, word in (("train", "train"), ("validation", "val"), ("test", "test"))}
    if not splits["train"]:
        splits = {"train": list(files)}
    found = {name: _of_split(folder, files, stems, faults) for name, stems in splits.items() if stems}
    if not any(found.values()):
        raise UserError(f"none of the pictures of '{folder / 'Annotations'}' is in '{folder / 'JPEGImages'}'; put them there")
    classes = tuple(sorted({name for pairs in found.values() for names, _ in pairs for name in names}))
    return {split: [_numbered(*pair, classes, faults) for pair in pairs] for split, pairs in found.items()}, classes


def _listed(folder: Path, word: str) -> list[str]:
    path = folder / "ImageSets" / "Main" / f"{word}.txt"
    return [line.split()[0] for line in read_text(path).splitlines() if line.split()] if path.is_file() else []


def _of_split(folder: Path, files: dict[str, Path], stems: list[str], faults: Faults) -> Found:
    found: Found = []
    for stem in stems:
        picture = next((path for path in (folder / "JPEGImages").glob(f"{stem}.*")), None) if stem in files else None
        if picture is None:
            faults.add("no picture", stem)
        else:
            found.append(_read(files[stem], picture))
    return found


def _read(path: Path, picture: Path) -> tuple[list[str], RegionExample]:
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UserError(f"'{path}' defines entities, which can fill the memory; VOC's files have none: remove them")
    with reading(path, "the file of boxes", "give a file in VOC's form"):
        root = ElementTree.fromstring(text)
        size = int(root.findtext("size/height", "0")), int(root.findtext("size/width", "0"))
        things = root.findall("object")
        # the first pixel is number 1, and the last one belongs to the box
        sides = [("xmin", -1.0), ("ymin", -1.0), ("xmax", 0.0), ("ymax", 0.0)]
        boxes = [[float(thing.findtext(f"bndbox/{side}", "nan")) + shift for side, shift in sides] for thing in things]
        difficult = np.array([thing.findtext("difficult", "0").strip() == "1" for thing in things], bool)
        names = [thing.findtext("name", "").strip() for thing in things]
    array = np.array(boxes, np.float32).reshape(-1, 4)
    areas = np.abs(np.prod(array[:, 2:] - array[:, :2], axis=1))
    blank = np.zeros(len(array), np.int32)
    return names, RegionExample(picture, picture.name, size, array, blank, difficult, areas)


def _numbered(names: list[str], example: RegionExample, classes: tuple[str, ...], faults: Faults) -> RegionExample:
    example.labels[:] = [classes.index(name) for name in names]
    return checked(example, faults)

"""`seqnets segment RUN IMAGES`: the class of every pixel."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqnets.cli.found_pictures import parser_of, run_verb
from seqnets.errors import UserError

_EPILOG = """\
--out writes NAME.png for each image: as large as the image, its pixels are class numbers (the run's config.json has the names),
and a palette shows them in color. An image that cannot be read is reported on standard error and left out; the exit code is 2 if
none could be read.

example:
  seqnets segment runs/streets photo.jpg --figure segments.png"""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets segment`; see `seqnets segment --help`."""
    usage = "seqnets segment RUN IMAGES... [--figure FILE] [--out DIR] [--json]"
    parser = parser_of("segment", "segmenter", usage, _EPILOG)
    parser.add_argument("--out", metavar="DIR", help="a folder for the class maps, as PNG with a palette")
    found = parser.read(argv)
    if found.out and Path(found.out).exists() and not Path(found.out).is_dir():
        raise UserError(f"--out {found.out} is a file; give a folder")
    return run_verb(found, "segmenter", _compute, _show)


def _compute(model: Any, paths: Sequence[Path], batch: int) -> Any:
    from seqnets.decode.segmentation import segment

    return segment(model, paths, batch=batch)


def _show(path: Path, result: Any, found: Any) -> dict[str, Any]:
    if not found.json:
        print(f"{path}: {', '.join(f'{name} {share:.1%}' for name, share in result.shares.items())}", flush=True)
    entry = {"shares": {name: round(share, 6) for name, share in result.shares.items()}}
    if not found.out:
        return entry
    folder = Path(found.out)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{path.stem}.png"
    _write_map(result, target)
    return {**entry, "map": str(target)}


def _write_map(result: Any, path: Path) -> None:
    import io

    from PIL import Image

    from seqnets.files import replace_file
    from seqnets.viz.regions import class_colors

    picture = Image.fromarray(result.classes)
    picture.putpalette(class_colors(len(result.labels)).tobytes())
    content = io.BytesIO()
    picture.save(content, "PNG")
    replace_file(path, content.getvalue())

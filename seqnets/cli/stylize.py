"""`seqnets stylize`: paint pictures with a trained stylizer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqnets.cli import runtime
from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_offline, load_trained
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError
from seqnets.suggestion import nearest

_DONE, _NONE_READ = 0, 2
_EPILOG = """\
NETWORK is a run of `seqnets train stylizer`, or a file of weights: of fast-style-transfer, or of Magenta's
networks with several styles. Pictures keep their size.

examples:
  seqnets stylize runs/wave-stylizer photo.jpg
  seqnets stylize runs/paintings photos/ --style wave,scream --mix 0.7,0.3 --out painted/"""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets stylize`; see `seqnets stylize --help`."""
    found = _parser().read(argv)
    model = _network(found.run)
    mix = _shares(model.styles, found.style, found.mix)
    from seqnets.cli.image_arguments import named_images, usable

    paths = named_images(found.images)
    target = _targets(paths, found.out)
    done = 0
    for path, _ in usable(paths, (_painted(model, path, mix, target[path]) for path in paths)):
        print(target[path])
        done += 1
    return _DONE if done else _NONE_READ


def _parser() -> Parser:
    parser = Parser("seqnets stylize", VERBS["stylize"].summary, epilog=_EPILOG)
    parser.add_argument("run", metavar="NETWORK", help="a run of `seqnets train stylizer`, or a file of weights")
    parser.add_argument("images", nargs="+", metavar="PICTURES", help="image files, folders, or patterns such as '*.jpg'")
    parser.add_argument("--style", metavar="STYLE", help="a style, or several joined by commas, by name or number [the first]")
    parser.add_argument(
        "--mix", type=parser.value(tuple[float, ...]), metavar="X,Y", help="the share of each of these styles [equal]"
    )
    parser.add_argument(
        "--out", metavar="PATH", help="a PNG for one picture, a folder for several [beside each: NAME-painted.png]"
    )
    add_offline(parser)
    return parser


def _network(name: str) -> Any:
    if Path(name).is_file():
        runtime.start()
        from seqnets.weights.stylizer import published_stylizer

        return published_stylizer(name)
    return load_trained(name, "stylizer").model


def _shares(styles: Sequence[str], chosen: str | None, mix: tuple[float, ...] | None) -> list[float]:
    names = chosen.split(",") if chosen else [styles[0]]
    shares = list(mix or [1 / len(names)] * len(names))
    if len(shares) != len(names):
        raise UserError(f"--mix has {len(shares)} shares for {len(names)} styles; give one for each style of --style")
    found = [0.0] * len(styles)
    for name, share in zip(names, shares):
        found[_number(name.strip(), styles)] += share
    return found


def _number(name: str, styles: Sequence[str]) -> int:
    if name in styles:
        return styles.index(name)
    if name.isdigit() and int(name) < len(styles):
        return int(name)
    raise UserError(f"--style: there is no style {name!r}{nearest(name, styles)}")


def _targets(paths: Sequence[Path], out: str | None) -> dict[Path, Path]:
    from seqnets.viz.figure_file import check_folder

    single = out is not None and Path(out).suffix.lower() == ".png" and not Path(out).is_dir()
    if single and len(paths) > 1:
        raise UserError(f"--out {out} is one picture, but {len(paths)} are given; give a folder")
    if single:
        check_folder("--out", out)
        return {paths[0]: Path(str(out))}
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
    found = {path: (path.parent if out is None else Path(out)) / f"{path.stem}-painted.png" for path in paths}
    if len(set(found.values())) < len(found):
        raise UserError("two pictures have the same name and would give the same file; paint them one by one with --out")
    return found


def _painted(model: Any, path: Path, mix: Sequence[float], target: Path) -> Any:
    import numpy as np

    from seqnets.data.images.files import ImageError, open_image
    from seqnets.dream.sheet import write_picture
    from seqnets.models.stylizer import stylized

    try:
        picture = np.asarray(open_image(path))
    except ImageError as error:
        return error
    write_picture(target, stylized(model, picture, mix))
    return target

"""`seqnets dream WHAT ...`: make pictures with a network: of a class, of a photograph, of a texture, in a style."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqnets.cli import runtime
from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_offline
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError
from seqnets.suggestion import nearest

_BAD_STEP = 3
_EPILOG = """\
WHAT:
  class CLASS ...          a picture of each class (name or number), all that the network knows when none is given
  facets CLASS PICTURE ... several pictures of a class, each begun with a cluster of its photographs
  fool PICTURE CLASS       the picture, hardly changed, taken for another class; beside it the change, tenfold
  deepdream PICTURE        more of what the layer sees in it (--video N: a journey of N frames)
  invert PICTURE           a picture with the same features at --layer
  texture PICTURE          noise with the texture of the picture
  style PICTURE PAINTING ...  the picture in the style of paintings (--mix 0.7,0.3, --keep-color)
PICTURE is an image file, or drawn here: waves, bricks, dots, scene.

Without --model, class, facets, fool, deepdream and invert look into `shapes`, a classifier of drawn shapes in seqnets;
texture and style use random filters, which need no training. The same seed gives the same picture.

examples:
  seqnets dream class star
  seqnets dream deepdream photo.jpg --model resnet50 --layer stage3 --size 400
  seqnets dream style photo.jpg wave.jpg --model vgg16 --frames frames/"""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets dream`; see `seqnets dream --help`."""
    from seqnets.viz.figure_file import check_folder

    found = _parser().read(argv)
    if found.what not in WHAT:
        raise UserError(f"there is no dream {found.what!r}{nearest(found.what, list(WHAT))}")
    out = Path(found.out or f"{found.what}.png")
    if out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: pictures are written as PNG; end it in .png")
    check_folder("--out", str(out))
    kind = WHAT[found.what]
    if len(found.words) < kind.words:
        raise UserError(f"`seqnets dream {found.what}` needs {kind.usage}; see `seqnets dream --help`")
    runtime.start()
    from seqnets.dream.networks import network

    model = network(found.model or kind.model, found.weights)
    return _Dreaming(found, out, model).run(kind.make)


def _parser() -> Parser:
    parser = Parser(
        "seqnets dream",
        VERBS["dream"].summary,
        epilog=_EPILOG,
        usage="seqnets dream WHAT [WORDS ...] [--model NAME|RUN] [--out PNG]",
    )
    parser.add_argument("what", metavar="WHAT", help="what to make, see below")
    parser.add_argument("words", nargs="*", metavar="WORDS", help="pictures and classes")
    parser.add_argument(
        "--model", metavar="NAME", help="a network such as resnet50, a run of a classifier, or random [shapes or random]"
    )
    parser.add_argument(
        "--weights", metavar="WEIGHTS", help="the network's weights: a file, torchvision, ... [the latest of torchvision]"
    )
    parser.add_argument(
        "--layer", metavar="LAYER", help="a layer by name or path, such as stage2 or stage2.0.conv1 [a middle one]"
    )
    parser.add_argument("--channel", type=parser.value(int), metavar="N", help="deepdream: one channel of the layer [all of it]")
    parser.add_argument("--size", type=parser.value(int), metavar="PIXELS", help="longer side of the picture [at most 256]")
    parser.add_argument("--steps", type=parser.value(int), metavar="N", help="steps [by the technique]")
    parser.add_argument("--step", type=parser.value(float), metavar="X", help="the size of a step [by the technique]")
    parser.add_argument("--rule", metavar="RULE", help="plain, l1, l2, signed, adam or lbfgs [by the technique]")
    parser.add_argument("--seed", type=parser.value(int), default=0, metavar="N", help="seed of all random choices [0]")
    parser.add_argument("--count", type=parser.value(int), default=4, metavar="N", help="facets: how many [4]")
    parser.add_argument("--octaves", type=parser.value(int), default=4, metavar="N", help="deepdream: sizes [4]")
    parser.add_argument(
        "--video", type=parser.value(int), default=0, metavar="N", help="deepdream: frames into --frames, each deeper"
    )
    parser.add_argument(
        "--style-weight", type=parser.value(float), default=5.0, metavar="X", help="style: weight beside the content [5]"
    )
    parser.add_argument(
        "--mix", type=parser.value(tuple[float, ...]), metavar="X,Y", help="style: the share of each painting [equal]"
    )
    parser.add_argument("--keep-color", action="store_true", help="style: keep the colors of the picture")
    parser.add_argument("--frames", metavar="FOLDER", help="also write the picture as it grows")
    parser.add_argument("--out", metavar="PNG", help="the picture [WHAT.png]")
    add_offline(parser)
    return parser


class _Dreaming:
    """One dream: its pictures are kept from the first frame on, so that an interrupted one leaves the last."""

    def __init__(self, found: argparse.Namespace, out: Path, model: Any) -> None:
        self.found, self.out, self.model, self.number = found, out, model, 0
        self.last: Any = None

    def run(self, make: Callable[["_Dreaming"], Any]) -> int:
        from seqnets.dream.sheet import side_by_side, write_picture

        try:
            sheet, stopped = make(self)
        except KeyboardInterrupt:
            if self.last is not None:
                write_picture(self.out, side_by_side(self.last))
                raise KeyboardInterrupt(f"interrupted; the last picture is in {self.out}") from None
            raise
        write_picture(self.out, sheet)
        print(f"{self.out}")
        if "not finite" in stopped:
            print(f"seqnets: {stopped}; give a smaller --step", file=sys.stderr)
            return _BAD_STEP
        return 0

    def options(self) -> dict[str, Any]:
        """Return the options of `fit_image` that the command line gives."""
        given = {name: getattr(self.found, name) for name in ("steps", "step", "rule", "seed")}
        return {name: value for name, value in given.items() if value is not None} | {"frame": self.frame}

    def frame(self, step: int, pictures: Any) -> bool:
        """Keep the pictures, and write them if asked for."""
        from seqnets.dream.sheet import side_by_side, write_picture

        self.last = pictures
        if self.found.frames:
            folder = Path(self.found.frames)
            folder.mkdir(parents=True, exist_ok=True)
            write_picture(folder / f"{self.number:05}.png", side_by_side(pictures))
            self.number += 1
        return False

    def picture(self, name: str, *, exact: bool = False) -> Any:
        """Return a picture by its file or the name of a drawn one, in the channels and, for `exact`, the size of the network."""
        import numpy as np
        from PIL import Image

        rule = getattr(self.model, "preprocessing", None)
        gray = rule is not None and rule.channels == "gray"
        image = _image(name).convert("L" if gray else "RGB")
        longer = self.found.size or min(256, max(image.size))
        if exact and rule is not None and rule.image_size and not self.found.size:
            image = image.resize(rule.image_size[::-1], Image.Resampling.LANCZOS)
        elif longer != max(image.size):
            image = image.resize(
                tuple(max(1, round(side * longer / max(image.size))) for side in image.size), Image.Resampling.LANCZOS
            )
        array = np.asarray(image)
        return array[..., None] if gray else array

    def number_of(self, name: str) -> int:
        """Return the number of a class by its name or number."""
        labels = list(self.labels())
        if name in labels:
            return labels.index(name)
        if name.isdigit() and int(name) < len(labels):
            return int(name)
        raise UserError(f"the network has no class {name!r}{nearest(name, labels) if len(labels) < 50 or name else ''}")

    def labels(self) -> Sequence[str]:
        """Return the names of the classes; numbers where they have none."""
        from seqnets.data.images.labels import imagenet_classes
        from seqnets.dream.recipes import class_count

        count = class_count(self.model)
        return self.model.labels or (imagenet_classes() if count == 1000 else [str(n) for n in range(count)])


def _image(name: str) -> Any:
    from PIL import Image

    from seqnets.data.demo.scenes import Scenes
    from seqnets.data.demo.textures import TEXTURES, draw_texture
    from seqnets.data.images.files import open_image

    if not Path(name).exists() and name in TEXTURES:
        return Image.fromarray(draw_texture(name))
    if not Path(name).exists() and name == "scene":
        return Image.fromarray(Scenes("test", 3)[1].image).resize((128, 128), Image.Resampling.LANCZOS)
    return open_image(name)


def _class(dreaming: _Dreaming) -> tuple[Any, str]:
    from seqnets.dream.recipes import class_visualization, probabilities
    from seqnets.dream.sheet import side_by_side

    labels = dreaming.labels()
    numbers = [dreaming.number_of(word) for word in dreaming.found.words] or list(range(min(len(labels), 64)))
    side = dreaming.found.size
    found = class_visualization(dreaming.model, numbers, size=(side, side) if side else None, **dreaming.options())
    for number, row in zip(numbers, probabilities(dreaming.model, found.pictures)):
        print(f"{labels[number]}: probability {row[number]:.3f}")
    return side_by_side(found.pictures), found.stopped


def _facets(dreaming: _Dreaming) -> tuple[Any, str]:
    import numpy as np

    from seqnets.cli.image_arguments import named_images
    from seqnets.dream.recipes import facets
    from seqnets.dream.sheet import side_by_side

    name, *sources = dreaming.found.words
    pictures = np.stack([dreaming.picture(str(path), exact=True) for path in named_images(sources)])
    found = facets(
        dreaming.model,
        pictures,
        dreaming.number_of(name),
        count=dreaming.found.count,
        layer=dreaming.found.layer or "",
        **dreaming.options(),
    )
    return side_by_side(found.pictures), found.stopped


def _fool(dreaming: _Dreaming) -> tuple[Any, str]:
    import numpy as np

    from seqnets.dream.recipes import difference, fooling, probabilities
    from seqnets.dream.sheet import side_by_side

    name, target = dreaming.found.words
    picture, number, labels = dreaming.picture(name, exact=True), dreaming.number_of(target), dreaming.labels()
    options = {key: value for key, value in dreaming.options().items() if key not in ("step", "rule")}
    found = fooling(dreaming.model, picture, number, **options)
    for what, shown in (("before", picture), ("after", found.pictures[0])):
        row = probabilities(dreaming.model, shown[None])[0]
        print(f"{what}: {labels[int(row.argmax())]} {row.max():.1%}, {labels[number]} {row[number]:.1%}")
    change = found.pictures[0].astype(np.float32) - picture
    print(
        f"the largest change is {np.abs(change).max():.0f} of 255, the root of the mean square {np.sqrt((change**2).mean()):.2f}"
    )
    return side_by_side(np.stack([picture, found.pictures[0], difference(found.pictures[0], picture)])), found.stopped


def _deepdream(dreaming: _Dreaming) -> tuple[Any, str]:
    from seqnets.dream.layers import content_layer
    from seqnets.dream.objectives import channel
    from seqnets.dream.recipes import deep_dream, dream_video

    picture, given = dreaming.picture(dreaming.found.words[0]), dreaming.found
    layer = given.layer or content_layer(dreaming.model)
    objective = layer if given.channel is None else channel(layer, given.channel)
    if not given.video:
        found = deep_dream(dreaming.model, picture, objective, octaves=given.octaves, **dreaming.options())
        return found.pictures[0], found.stopped
    options = {name: value for name, value in dreaming.options().items() if name != "frame"}
    for frame in dream_video(dreaming.model, picture, objective, frames=given.video, **options):
        dreaming.frame(0, frame[None])
    return dreaming.last[0], ""


def _invert(dreaming: _Dreaming) -> tuple[Any, str]:
    from seqnets.dream.layers import content_layer
    from seqnets.dream.recipes import inversion

    layer = dreaming.found.layer or content_layer(dreaming.model)
    found = inversion(dreaming.model, dreaming.picture(dreaming.found.words[0]), layer, **dreaming.options())
    return found.pictures[0], found.stopped


def _texture(dreaming: _Dreaming) -> tuple[Any, str]:
    from seqnets.dream.recipes import texture

    found = texture(dreaming.model, dreaming.picture(dreaming.found.words[0]), **dreaming.options())
    print(f"the loss fell {found.objective[0, 0] / found.objective[-1, 0]:,.0f} times")
    return found.pictures[0], found.stopped


def _style(dreaming: _Dreaming) -> tuple[Any, str]:
    from seqnets.dream.recipes import style_transfer

    name, *paintings = dreaming.found.words
    given, styles = dreaming.found, [dreaming.picture(each) for each in paintings]
    options = {"mix": given.mix or (), "style": given.style_weight, "keep_color": given.keep_color, "layer": given.layer or ""}
    found = style_transfer(dreaming.model, dreaming.picture(name), styles, **options, **dreaming.options())
    return found.pictures[0], found.stopped


class _Kind(NamedTuple):
    make: Callable[[_Dreaming], tuple[Any, str]]
    model: str
    words: int
    usage: str


WHAT: Mapping[str, _Kind] = {
    "class": _Kind(_class, "shapes", 0, "classes"),
    "facets": _Kind(_facets, "shapes", 2, "a class and pictures of it"),
    "fool": _Kind(_fool, "shapes", 2, "a picture and a class"),
    "deepdream": _Kind(_deepdream, "shapes", 1, "a picture"),
    "invert": _Kind(_invert, "shapes", 1, "a picture"),
    "texture": _Kind(_texture, "random", 1, "a picture"),
    "style": _Kind(_style, "random", 2, "a picture and a painting"),
}

"""`seqnets caption RUN IMAGES...`: describe images, and show where the model looked."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from seqnets import settings
from seqnets.cli.options import add_fields, given_fields
from seqnets.cli.parser import Parser
from seqnets.cli.seed import Seed, add_seed
from seqnets.cli.trained import add_run, load_trained
from seqnets.cli.verbs import VERBS
from seqnets.decode.filters import FilterConfig
from seqnets.errors import UserError
from seqnets.viz.figure_file import check_figure, check_folder, say, write_figure

_DONE, _NONE_READ = 0, 2
_EPILOG = """\
IMAGES are files, folders (searched recursively) and patterns such as 'photos/*.jpg'. The captions go to standard
output, one per line: for one image only the caption, for several the file, a tab and the caption. An image that cannot be
read is reported on standard error and left out; the exit code is 2 if no image could be read.

--out writes COCO's results form, which `seqnets score` reads: image_id is the number in a name such as
COCO_val2014_000000391895.jpg, else the path as given. --figure and --html show, for every word, where the model looked;
the page also filters and edits captions and saves them as CSV.
An option of drawing (--temperature, --top-k, ...) draws captions instead of searching for the likeliest ones.

examples:
  seqnets caption runs/flickr8k dog.jpg --figure dog.png
  seqnets caption runs/flickr8k photos/ --out captions.json --html page.html
  seqnets caption runs/flickr8k dog.jpg --n-best 5 --temperature 0.8 --seed 1"""


class Captioned(NamedTuple):
    """An image's file and its captions, the best first."""

    path: Path
    captions: Sequence[Any]


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets caption`; see `seqnets caption --help`."""
    from seqnets.decode.captions.config import CaptionConfig

    found = _parser(CaptionConfig()).read(argv)
    config = _config(found, CaptionConfig)
    _check(found)
    from seqnets.cli.image_arguments import named_images
    from seqnets.data.images.names import path_as_given

    seed = Seed.of(found)
    run = load_trained(found.run, "captioner", fits=_captions)
    _check_attention(run.model, found)
    paths = list({path_as_given(str(path)): path for path in reversed(named_images(found.images))}.values())[::-1]
    captioned = list(_shown(_captioned(run.model, paths, config, seed.number, found), paths, found))
    if config.method == "sample":
        seed.report()
    _write(captioned, found)
    return _DONE if captioned else _NONE_READ


def _parser(default: Any) -> Parser:
    parser = Parser("seqnets caption", VERBS["caption"].summary, epilog=_EPILOG, usage="seqnets caption RUN IMAGES... [options]")
    add_run(parser, "a run of `seqnets train captioner`")
    parser.add_argument("images", metavar="IMAGES", nargs="+", help="files, folders, patterns")
    parser.add_argument("--out", metavar="FILE", help="write the best captions in COCO's results form")
    parser.add_argument("--json", action="store_true", help="print a JSON list of {file, image_id, captions} instead")
    parser.add_argument("--figure", metavar="FILE", help="write a picture, word by word; FILE-NAME for each of several images")
    parser.add_argument("--html", metavar="FILE", help="a page of the captions, to look at, filter and edit; one file")
    parser.add_argument("--features", metavar="STORE", help="feature store with the images, for a captioner of stored features")
    parser.add_argument("--batch-size", type=parser.value(int), default=16, metavar="N", help="images at once [16]")
    add_seed(parser, "the captions drawn")
    add_fields(parser, default, title="search and drawing", without=("attention",))
    return parser


def _config(found: argparse.Namespace, kind: Any) -> Any:
    given = given_fields(found, kind, without=("attention",))
    drawing = [field.name for field in fields(FilterConfig) if given.get(field.name) is not None]
    if drawing and given.get("method", "sample") != "sample":
        option = drawing[0].replace("_", "-")
        raise UserError(f"--{option} is for drawing, but --method {given['method']} does not draw; leave one out")
    if drawing and "beam" in given:
        raise UserError(f"--{drawing[0].replace('_', '-')} draws and --beam searches; leave one out")
    method = {"method": "sample"} if drawing else {}
    return kind(**{**method, **given}, attention=bool(found.figure or found.html))


def _check(found: argparse.Namespace) -> None:
    settings.POSITIVE.check("--batch-size", found.batch_size)
    for option in ("out", "html"):
        check_folder(f"--{option}", getattr(found, option))
    check_figure(found.figure)


def _captions(model: Any) -> bool:
    return all(hasattr(model, name) for name in ("encode", "step", "vocabulary", "grid"))


def _check_attention(model: Any, found: argparse.Namespace) -> None:
    if found.figure and model.config.attention == "none":
        raise UserError("this captioner has no attention to show; leave out --figure")


def _captioned(model: Any, paths: Sequence[Path], config: Any, seed: int, found: argparse.Namespace) -> Iterator[Any]:
    import jax

    from seqnets.decode.captions.images import caption_images
    from seqnets.decode.captions.stored import caption_stored

    key = jax.random.key(seed)
    if found.features:
        return caption_stored(model, paths, found.features, config, key=key, batch=found.batch_size)
    return caption_images(model, paths, config, key=key, batch=found.batch_size)


def _shown(results: Iterator[Any], paths: Sequence[Path], found: argparse.Namespace) -> Iterator[Captioned]:
    from seqnets.cli.image_arguments import usable

    for path, captions in usable(paths, results):
        if not found.json:
            before = f"{path}\t" if len(paths) > 1 else ""
            print("\n".join(before + caption.text for caption in captions), flush=True)
        yield Captioned(path, captions)


def _write(captioned: Sequence[Captioned], found: argparse.Namespace) -> None:
    if found.json:
        print(json.dumps(list(_entries(captioned))))
    if not captioned:
        return
    if found.out:
        _write_results(captioned, Path(found.out))
    if found.figure:
        _write_figures(captioned, Path(found.figure))
    if found.html:
        _write_page(captioned, Path(found.html))


def _entries(captioned: Sequence[Captioned]) -> Iterator[dict[str, Any]]:
    for each, number in zip(captioned, _ids(captioned)):
        captions = [
            {"caption": one.text, "log_prob": one.log_prob, "score": one.score, "ended": one.ended} for one in each.captions
        ]
        yield {"file": str(each.path), "image_id": number, "captions": captions}


def _ids(captioned: Sequence[Captioned]) -> list[Any]:
    from seqnets.data.captions import image_ids

    return image_ids([each.path.as_posix() for each in captioned])


def _write_results(captioned: Sequence[Captioned], path: Path) -> None:
    from seqnets.run import replace_file

    entries = [{"image_id": number, "caption": each.captions[0].text} for number, each in zip(_ids(captioned), captioned)]
    replace_file(path, json.dumps(entries, ensure_ascii=False, indent=1) + "\n")


def _write_figures(captioned: Sequence[Captioned], path: Path) -> None:
    taken: dict[str, int] = {}
    for each in captioned:
        stem = f"{path.stem}-{each.path.stem}" if len(captioned) > 1 else path.stem
        taken[stem] = taken.get(stem, 0) + 1
        name = stem if taken[stem] == 1 else f"{stem}-{taken[stem]}"
        write_figure(each.captions[0].attention_figure(tell=say), path.with_name(f"{name}{path.suffix or '.png'}"))


def _write_page(captioned: Sequence[Captioned], path: Path) -> None:
    from seqnets.run import replace_file
    from seqnets.web import Shown, captions_page

    replace_file(path, captions_page([Shown(str(each.path), each.captions[0].image, each.captions) for each in captioned]))

"""`seqnets score RESULTS [REFERENCES]`: score captions or detections as COCO does, or the form of a text of code."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqnets.cli.parser import Parser
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError

_EPILOG = """\
RESULTS is a JSON list [{"image_id": 1, "caption": "a dog"}, ...] in COCO's form, as `seqnets caption --out` writes it.
REFERENCES is a captions file of any form that `seqnets train captioner` reads: COCO's
{"images": [...], "annotations": [{"image_id": 1, "caption": "a brown dog"}, ...]}, Karpathy's JSON, a CSV table, ...
An image_id is the image's id in REFERENCES, or the path of its file; paths are compared by their common last parts.
For detections, RESULTS is a list of {"image_id", "category_id" or "category", "bbox", "score"}, as `seqnets detect --json` prints
it, and REFERENCES is COCO's file of instances: the figures are AP and AR, of boxes, and of masks where both have them. Where
both have a "caption" for each thing, the figures of phrases count what is right in box and words.
For a text of Python, C or LaTeX, such as `seqnets sample` writes, there is no REFERENCES: the figures are the share of statements
that parse (.py), of brackets (.c, .h), or of environments, braces and formulas (.tex) that are closed by the right partner.

The figures of captions are those of the COCO caption evaluation without METEOR and SPICE; Java is not needed. CIDEr weights
words by how many of the scored images have them, so it cannot be compared between different sets of images."""
UNITS = ("auto", "words", "chars")
_LANGUAGES = {".py": "python", ".c": "c", ".h": "c", ".tex": "latex"}


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets score`; see `seqnets score --help`."""
    found = _parser().read(argv)
    language = found.language or _LANGUAGES.get(Path(found.results.lower().removesuffix(".gz")).suffix)
    if language:
        return _score_form(language, found)
    if found.references is None:
        raise UserError(f"give REFERENCES for '{found.results}', or --language {'|'.join(_languages())} for a text")
    if _has_boxes(found.results):
        return _score_boxes(found)
    from seqnets.data.captions import read_references
    from seqnets.metrics import Scorer
    from seqnets.metrics.coco import check_images, read_results, reference_ids

    results, references = read_results(found.results), read_references(found.references)
    captions = dict(zip(references.ids, references.captions))
    image_of = reference_ids(results, references.ids, references.names)
    check_images(list(image_of.values()), captions, partial=found.partial)
    words = _words(found.unit, references.captions)
    scorer = Scorer({result: captions[image] for result, image in image_of.items()}, words=words)
    scores = scorer(results)
    for remark in (*references.remarks, *_remarks(results, scorer, words, found.unit)):
        print(f"seqnets: {remark}", file=sys.stderr)
    if found.json:
        print(json.dumps(scores.to_json(per_image=found.per_image)))
    else:
        _show(scores, found)
    return 0


def _parser() -> Parser:
    parser = Parser("seqnets score", VERBS["score"].summary, epilog=_EPILOG)
    parser.add_argument("results", metavar="RESULTS", help="the captions, detections or text to score")
    right = "captions that people wrote for the same images, or the instances in them"
    parser.add_argument("references", nargs="?", metavar="REFERENCES", help=right)
    parser.add_argument("--json", action="store_true", help="write the figures as one JSON object")
    parser.add_argument("--per-image", action="store_true", help="also the figures of every image")
    parser.add_argument("--partial", action="store_true", help="score only the images that have a caption")
    unit = "the unit that counts as a word [auto: characters in scripts without spaces, such as Chinese, else words]"
    parser.add_argument("--unit", choices=UNITS, default="auto", metavar="|".join(UNITS), help=unit)
    language = "what a text is written in [by its name: " + ", ".join(_LANGUAGES) + "]"
    parser.add_argument("--language", choices=_languages(), metavar="|".join(_languages()), help=language)
    parser.add_setting("data.encoding", str, "encoding of a text [utf-8]", metavar="NAME")
    return parser


def _languages() -> list[str]:
    return list(dict.fromkeys(_LANGUAGES.values()))


def _score_form(language: Any, found: Any) -> int:
    from seqnets.data import TextConfig, read_text
    from seqnets.metrics import well_formed

    if found.references is not None:
        raise UserError(f"a text is scored by itself; leave '{found.references}' out")
    for name in ("partial", "per_image"):
        if getattr(found, name):
            raise UserError(f"--{name.replace('_', '-')} is for captions; leave it out for a text")
    corpus = read_text(
        found.results, config=TextConfig(window=1, validation_fraction=0.0, encoding=getattr(found, "data.encoding", "utf-8"))
    )
    figures = well_formed(corpus.vocabulary.decode(corpus.tokens), language)
    if found.json:
        shares = {kind: {"right": right, "all": total} for kind, (right, total) in figures.counts.items()}
        print(json.dumps({"language": language, "counts": shares, "fault": str(figures.fault) if figures.fault else None}))
        return 0
    for kind, (right, total) in figures.counts.items():
        print(f"{kind}: {right:,} of {total:,} right" + (f" ({figures.share(kind):.2%})" if total else ""))
    if figures.fault:
        print(f"first fault: {figures.fault}")
    return 0


def _has_boxes(path: str) -> bool:
    from seqnets.decoders import read_json
    from seqnets.metrics.coco_detections import is_detections

    if not path.endswith(".json"):
        return False
    try:
        return is_detections(read_json(Path(path)))
    except UserError:  # reading it as captions explains what is wrong
        return False


def _score_boxes(found: Any) -> int:
    from seqnets.metrics.coco_detections import score_detections

    figures = score_detections(found.results, found.references)
    if found.json:
        print(json.dumps(figures))
        return 0
    for kind, values in figures.items():
        shown = ", ".join(f"{name.replace('_', ' ')} {'none' if value < 0 else f'{value:.4f}'}" for name, value in values.items())
        print(f"{kind}: {shown}")
    return 0


def _words(unit: str, captions: Sequence[Sequence[str]]) -> Callable[[str], list[str]]:
    from seqnets.metrics import caption_characters, caption_words, words_for

    if unit == "auto":
        return words_for(text for texts in captions for text in texts)
    return caption_words if unit == "words" else caption_characters


def _remarks(results: Mapping[Any, str], scorer: Any, words: Callable[[str], list[str]], unit: str) -> Iterator[str]:
    from seqnets.metrics import caption_words, words_for

    unspaced = words_for(results.values()) is not caption_words
    if unit == "auto" and words is not caption_words:
        yield "the references are in a script without spaces, so each character counts as a word; --unit words undoes that"
    elif unspaced and words is caption_words:
        yield "the captions are in a script without spaces, so a whole sentence counts as one word; try --unit chars"
    bare = sum(not words(caption) for caption in results.values())
    if bare:
        yield f"{bare:,} of {len(results):,} captions have no word and score 0"
    if scorer.wordless:
        yield f"{len(scorer.wordless):,} of {len(results):,} images have no reference with a word and score 0"
    if len(results) == 1:
        yield "CIDEr of a single image is always 0; score at least two"


def _show(scores: Any, found: Any) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{found.results}: {len(scores.images):,} images" if not found.per_image else None)
    table.add_column("images")
    for name in scores.corpus:
        table.add_column(name, justify="right")
    if found.per_image:
        for image, *values in zip(scores.images, *scores.per_image.values()):
            table.add_row(Text(str(image)), *(f"{value:.4f}" for value in values))
        table.add_section()
    table.add_row(f"all {len(scores.images):,}", *(f"{value:.4f}" for value in scores.corpus.values()))
    Console().print(table)

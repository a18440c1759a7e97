"""`seqnets score RESULTS REFERENCES`: how good captions are, by the figures of the COCO caption evaluation."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from seqnets.cli.parser import Parser
from seqnets.cli.verbs import VERBS

_EPILOG = """\
RESULTS is a JSON list [{"image_id": 1, "caption": "a dog"}, ...]; REFERENCES is a JSON object
{"images": [...], "annotations": [{"image_id": 1, "caption": "a brown dog"}, ...]}: the forms of COCO.
The figures are those of the COCO caption evaluation, without Java. CIDEr weighs words by how many
of the images scored have them, so it does not compare between different sets of images."""


def main(argv: Sequence[str]) -> int:
    """Run the words after `seqnets score`; see `seqnets score --help`."""
    found = _parser().read(argv)
    from seqnets.metrics import Scorer
    from seqnets.metrics.coco import check_images, read_references, read_results

    results, references = read_results(found.results), read_references(found.references)
    check_images(results, references, partial=found.partial)
    scores = Scorer({image: references[image] for image in references if image in results})(results)
    _remark(results)
    if found.json:
        print(json.dumps(scores.to_json(per_image=found.per_image)))
    else:
        _show(scores, found)
    return 0


def _parser() -> Parser:
    parser = Parser("seqnets score", VERBS["score"].summary, epilog=_EPILOG)
    parser.add_argument("results", metavar="RESULTS", help="the captions to be scored")
    parser.add_argument("references", metavar="REFERENCES", help="what people wrote of the same images")
    parser.add_argument("--json", action="store_true", help="write the figures as one JSON object")
    parser.add_argument("--per-image", action="store_true", help="also the figures of every image")
    parser.add_argument("--partial", action="store_true", help="score the images that have a caption; do not ask for all")
    return parser


def _remark(results: Mapping[Any, str]) -> None:
    from seqnets.metrics import caption_words

    bare = sum(not caption_words(caption) for caption in results.values())
    if bare:
        print(f"seqnets: {bare:,} of {len(results):,} captions have no word and score 0", file=sys.stderr)
    if len(results) == 1:
        print("seqnets: CIDEr of a single image is always 0; score at least two", file=sys.stderr)


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

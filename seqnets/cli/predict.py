"""`seqnets predict RUN [FILE ...]`: classify, label or translate texts."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_run, load_trained
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError
from seqnets.viz.figure_file import check_figure, say, write_figure

_EPILOG = """\
Every line of FILE is a text; a blank line has a blank result. A text's class is printed as label, probability and text,
separated by tabs; its labels as lines of token, tab and label with an empty line after each text (for a model
of characters: runs of characters with one label); its translation as a line; a tree with all its labels as (LABEL WORD) and
(LABEL TREE TREE), to a tree with labels or with words alone, such as (a (fine film)). A tagger of numeric frames takes .npz files
with inputs [N, T, F].

examples:
  seqnets predict runs/reviews-classifier --text 'never again' --json
  seqnets predict runs/dates-translator dates.txt --beam 5
  seqnets predict runs/dates-translator --text '3 May 2031' --figure alignment.png
  seqnets predict runs/arithmetic-tree-classifier --text '(3 - (2 + 5))' --figure tree.png"""

Entry = dict[str, Any]


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets predict`; see `seqnets predict --help`."""
    found = _parser().read(argv)
    run = load_trained(found.run, *_KINDS, check=lambda task: _check(found, task))
    predict, show = _KINDS[run.config["task"]]
    for entry in predict(run.model, _inputs(run.model, found), found):
        print(json.dumps(entry) if found.json else show(entry), flush=True)
    return 0


def _parser() -> Parser:
    usage = "seqnets predict RUN (FILE ... | - | --text TEXT ...) [--json]"
    parser = Parser("seqnets predict", VERBS["predict"].summary, epilog=_EPILOG, usage=usage)
    add_run(parser)
    parser.add_argument(
        "file", nargs="*", metavar="FILE", help="files of a text on each line (also .gz), or - for standard input"
    )
    parser.add_argument("--text", action="append", default=[], metavar="TEXT", help="a text; may be given several times")
    parser.add_argument("--json", action="store_true", help="write a JSON object for each text, with all probabilities")
    parser.add_argument("--beam", type=parser.value(int), metavar="N", help="translations kept open in the search [5]")
    parser.add_argument("--n-best", type=parser.value(int), metavar="N", help="translations listed for each text [1]")
    parser.add_argument("--max-length", type=parser.value(int), metavar="N", help="most tokens in a translation [150]")
    parser.add_argument("--figure", metavar="FILE", help="draw the attention to a single text, or the labels of a tree")
    return parser


def _check(found: argparse.Namespace, task: str) -> None:
    if not found.file and not found.text:
        raise UserError("give texts as files, as - for standard input, or one by one as --text TEXT")
    for name in ("beam", "n_best", "max_length", "figure"):
        tasks = ("translator", "tree-classifier") if name == "figure" else ("translator",)
        if getattr(found, name) is not None and task not in tasks:
            raise UserError(f"--{name.replace('_', '-')} is for runs of {' and '.join(tasks)}; '{found.run}' holds a {task}")
    if found.figure and (found.file or len(found.text) != 1 or not found.text[0].strip()):
        raise UserError("--figure shows a single text; give one --text and no FILE")
    check_figure(found.figure)


def _inputs(model: Any, found: argparse.Namespace) -> list[Any]:
    if getattr(model, "scale", None) is None:
        return [text for path in found.file for text in _lines(path)] + found.text
    from seqnets.data.examples.labeled_sequences import read_inputs

    if found.text:
        raise UserError(f"'{found.run}' labels numeric frames, not texts; give an .npz file with inputs [N, T, F]")
    return [sequence for path in found.file for sequence in read_inputs(path, len(model.scale.mean))]


def _lines(path: str) -> list[str]:
    from seqnets.data.examples.tables import read_whole, text_lines
    from seqnets.decoders import reading

    if path != "-":
        return text_lines(read_whole(path))
    with reading(path, "the text of standard input"):
        return text_lines(sys.stdin.buffer.read().decode("utf-8-sig"))


def _beside(items: Sequence[Any], results: Callable[[list[Any]], Sequence[Any]], nothing: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every item with its result; an empty one has no result but keeps its place."""
    found = iter(results([item for item in items if _is_there(item)]))
    for item in items:
        yield item, next(found) if _is_there(item) else nothing


def _is_there(item: Any) -> bool:
    return bool(item.strip()) if isinstance(item, str) else len(item) > 0


def _classes(model: Any, texts: list[str], found: argparse.Namespace) -> Iterator[Entry]:
    from seqnets.decode.text_classes import Classified, classify_texts

    nothing = dict.fromkeys(Classified._fields)
    for text, guess in _beside(texts, lambda there: [each._asdict() for each in classify_texts(model, there)], nothing):
        yield {"text": text, **guess}


def _labels(model: Any, inputs: list[Any], found: argparse.Namespace) -> Iterator[Entry]:
    from seqnets.decode.step_labels import label_sequences

    sequences = inputs if model.vocabulary is None else [model.vocabulary.cut(text) for text in inputs]
    for sequence, labels in _beside(sequences, lambda there: label_sequences(model, there), []):
        tokens = {} if model.vocabulary is None else {"tokens": sequence}
        names, shares = (list(part) for part in zip(*labels)) if labels else ([], [])
        yield {**tokens, "labels": names, "probabilities": [round(share, 6) for share in shares]}


def _trees(model: Any, texts: list[str], found: argparse.Namespace) -> Iterator[Entry]:
    from seqnets.data.examples.trees import phrase, written
    from seqnets.decode.trees import label_trees

    trees = [_tree_of(text, model) if _is_there(text) else "" for text in texts]
    all_found = list(_beside(trees, lambda there: label_trees(model, there), None))
    if found.figure:
        from seqnets.viz.trees import tree_figure

        one = all_found[0][1]
        write_figure(tree_figure(one.tree, model.labels, one.probabilities, tell=say), Path(found.figure))
    for _, one in all_found:
        rows = zip(one.tree, one.probabilities) if one and found.json else ()
        nodes = [
            {"phrase": phrase(one.tree, place), "label": part.label, "probability": round(float(shares.max()), 6)}
            for place, (part, shares) in enumerate(rows)
        ]
        yield {"tree": written(one.tree) if one else "", "label": one.tree[-1].label if one else None, "nodes": nodes}


def _tree_of(text: str, model: Any) -> Any:
    from seqnets.data.examples.trees import FORM, parse_trees

    trees = parse_trees(text, f"the text {text.strip()[:40]!r}", labels=model.labels)
    if len(trees) != 1:
        raise UserError(f"a line must hold a single tree, not {len(trees)} as {text.strip()[:40]!r} does; write {FORM}")
    return trees[0]


def _translations(model: Any, texts: list[str], found: argparse.Namespace) -> Iterator[Entry]:
    from seqnets.decode.translation import translate

    given = {name: getattr(found, name) for name in ("beam", "n_best", "max_length") if getattr(found, name) is not None}
    all_found = list(_beside(texts, lambda there: translate(model, there, **given, attention=bool(found.figure)), []))
    if found.figure:
        from seqnets.viz.alignment import alignment_figure

        source = model.source.pieces(model.source.encode(texts[0]))
        write_figure(alignment_figure(source, all_found[0][1][0], tell=say), Path(found.figure))
    for text, best in all_found:
        yield {"source": text, "translations": [{"text": one.text, "log_prob": one.log_prob} for one in best]}


def _show_class(entry: Entry) -> str:
    return f"{entry['label']}\t{entry['probability']:.4f}\t{entry['text']}" if entry["label"] is not None else ""


def _show_labels(entry: Entry) -> str:
    if "tokens" not in entry:
        return " ".join(entry["labels"])
    pairs = list(zip(entry["tokens"], entry["labels"]))
    if all(len(token) == 1 for token in entry["tokens"]):
        runs = groupby(pairs, key=lambda pair: pair[1])
        pairs = [("".join(token for token, _ in run), label) for label, run in runs]
    return "\n".join([*(f"{token}\t{label}" for token, label in pairs), ""])


def _show_translations(entry: Entry) -> str:
    return "\n".join(one["text"] for one in entry["translations"])


_KINDS: dict[str, tuple[Callable[..., Iterator[Entry]], Callable[[Entry], str]]] = {
    "text-classifier": (_classes, _show_class),
    "tagger": (_labels, _show_labels),
    "tree-classifier": (_trees, lambda entry: entry["tree"]),
    "translator": (_translations, _show_translations),
}

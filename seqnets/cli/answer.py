"""`seqnets answer RUN IMAGE QUESTION ...`: answer questions about a picture."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqnets import settings
from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_run, load_trained
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError
from seqnets.viz.figure_file import check_figure, say, write_figure

_EPILOG = """\
example:
  seqnets answer runs/shapes-vqa picture.png "what color is the shape?" "is there a circle?" --top 3"""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets answer`; see `seqnets answer --help`."""
    found = _parser().read(argv)
    settings.POSITIVE.check("--top", found.top)
    check_figure(found.figure)
    run = load_trained(found.run, "vqa")
    from seqnets.decode.answers import answer_questions

    answers = answer_questions(run.model, found.image, found.question)
    if found.figure and answers[0].attention is None:
        raise UserError("this model has no attention to show; train with --model.attention additive")
    for number, answer in enumerate(answers):
        _show(answer, found)
        if found.figure:
            _draw(answer, _numbered(Path(found.figure), number, len(answers)))
    return 0


def _parser() -> Parser:
    usage = 'seqnets answer RUN IMAGE "QUESTION" ... [--top N] [--json] [--figure FILE]'
    parser = Parser("seqnets answer", VERBS["answer"].summary, epilog=_EPILOG, usage=usage)
    add_run(parser, "a run of `seqnets train vqa`")
    parser.add_argument("image", metavar="IMAGE", help="the picture")
    parser.add_argument("question", nargs="+", metavar="QUESTION", help="questions, each in quotation marks")
    parser.add_argument("--top", type=parser.value(int), default=3, metavar="N", help="answers listed for each question [3]")
    parser.add_argument("--json", action="store_true", help="write a JSON object for each question")
    parser.add_argument("--figure", metavar="FILE", help="picture of the attention; FILE-NUMBER for each of several questions")
    return parser


def _show(answer: Any, found: Any) -> None:
    best = list(answer.answer.probabilities.items())[: found.top]
    if found.json:
        top = [{"answer": text, "probability": share} for text, share in best]
        print(json.dumps({"question": answer.question, "answer": answer.answer.label, "top": top}))
    else:
        print(f"{answer.question}  {', '.join(f'{text} {share:.1%}' for text, share in best)}")


def _draw(answer: Any, path: Path) -> None:
    from seqnets.viz.attention import attention_figure

    title = f"{answer.question} {answer.answer.label}"
    write_figure(attention_figure(answer.image, answer.looks, answer.attention, title=title, tell=say), path)


def _numbered(path: Path, number: int, count: int) -> Path:
    return path if count == 1 else path.with_name(f"{path.stem}-{number + 1}{path.suffix}")

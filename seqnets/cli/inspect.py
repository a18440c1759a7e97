"""`seqnets inspect RUN [FILE]`: what a model has learned, as text, as JSON, or as figures; `inspect WHAT` for pictures."""

import json
from collections.abc import Sequence
from pathlib import Path

from seqnets.cli.findings import MODULES, of_task
from seqnets.cli.looks import LOOKS
from seqnets.cli.looks import main as look
from seqnets.cli.parser import Parser
from seqnets.cli.show import to_look_at
from seqnets.cli.trained import add_run, load_trained, wrong_run
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError
from seqnets.viz.figure_file import check_figure, say, write_figure

_EPILOG = """\
Character models: neurons (the unit that follows each thing best, beside a network with random weights), surprise (the bits of
each passage), memory (how far back a prediction depends on the text), flow (whether gradients explode or vanish).
Whatever gives classes or answers: confusion (which class is taken for which), mistakes (the worst). Translators: translations
(right or wrong, with the attention). Captioners: captions (by search and by draws). `seqnets show RUN` shows the same in a
browser.

Networks of pictures, runs and published ones; `seqnets inspect WHAT --help` has more:
""" + "\n".join(f"  seqnets inspect {name:12} {one.summary}" for name, one in LOOKS.items())


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets inspect`; see `seqnets inspect --help`."""
    if argv and argv[0] in LOOKS:
        return look(argv)
    found = _parser().read(argv)
    check_figure(found.figure)
    from seqnets.web.panels import task_of

    run = load_trained(found.run, *MODULES, fits=lambda model: True)
    if task_of(run) not in MODULES:
        raise wrong_run(found.run, task_of(run), *MODULES)
    module = of_task(task_of(run))
    what = tuple(module.FINDINGS) if found.only is None else tuple(found.only.split(","))
    if unknown := [name for name in what if name not in module.FINDINGS]:
        raise UserError(f"--only takes {', '.join(module.FINDINGS)} for this run, joined by commas; not {unknown[0]!r}")
    material, source = to_look_at(run, found.file)
    if material is None or not len(material):
        raise UserError("there is nothing to look at; give data that the model did not learn from as FILE")
    prepared = module.prepared(run, material)
    findings = {name: module.FINDINGS[name].find(prepared) for name in what}
    if found.figure is not None:
        from seqnets.viz.findings import findings_figure

        write_figure(findings_figure(findings, title=f"{run.directory.name}: {source}", tell=say), Path(found.figure))
    if found.json:
        reports = {name: module.FINDINGS[name].to_json(value) for name, value in findings.items()}
        print(json.dumps({"run": found.run, "text": source, **reports}))
        return 0
    for name, value in findings.items():
        print(f"{name} ({source})")
        print("\n".join(f"  {line}" for line in module.FINDINGS[name].lines(value)))
    return 0


def _parser() -> Parser:
    parser = Parser("seqnets inspect", VERBS["inspect"].summary, epilog=_EPILOG)
    add_run(parser)
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="data that the model did not learn from, as for training [the run's held-out part]",
    )
    parser.add_argument("--only", metavar="WHAT", help="some of the findings, joined by commas")
    parser.add_argument("--json", action="store_true", help="write one JSON object")
    parser.add_argument("--figure", metavar="FILE", help="also draw the findings into a PNG, PDF or SVG file")
    return parser

"""`seqnets completion SHELL`: a script that completes verbs, tasks, options, their choices, and files."""

import argparse
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from seqnets.cli.parser import Parser, parser_of
from seqnets.cli.verbs import VERBS
from seqnets.tasks import TASKS

SHELLS = ("bash", "zsh", "fish")
_EPILOG = """\
The script is static: completion runs no Python. Write it again after an update of seqnets.
  bash: seqnets completion bash > ~/.local/share/bash-completion/completions/seqnets
  zsh:  seqnets completion zsh > DIR/_seqnets, with DIR in $fpath before compinit runs
  fish: seqnets completion fish > ~/.config/fish/completions/seqnets.fish"""
_TEXTS = ("TEXT", "QUESTION")
_PATHS = ("FILE", "RUN", "DIR", "STORE", "FOLDER", "PATH")


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets completion`; see `seqnets completion --help`."""
    parser = Parser("seqnets completion", VERBS["completion"].summary, epilog=_EPILOG)
    parser.add_argument("shell", choices=SHELLS, metavar="|".join(SHELLS), help="the shell")
    print(script(parser.read(argv).shell))
    return 0


def script(shell: str) -> str:
    """Return the script for a shell.

    Args:
        shell: "bash", "zsh" or "fish".

    Example:
        >>> "find-rate" in script("bash")
        True
    """
    import shtab

    verbs = [name for name, verb in VERBS.items() if verb.takes_tasks]
    # shtab expects a task or a file as the first argument, but not both: the preambles and endings add files
    preambles = {"bash": _files_in_bash(verbs), "zsh": _task_or_file_in_zsh()}
    text = shtab.complete(_commands(nested=shell != "zsh"), shell, preamble=preambles.get(shell, ""))
    if shell == "fish":
        return f"{text}\ncomplete -c seqnets -n '__fish_seen_subcommand_from {' '.join(verbs)}' -F\n"
    return re.sub(r'"\(\*\)::?', '"*:', text)  # zsh takes the first form for one argument, and the second for all that follow


def _files_in_bash(verbs: Sequence[str]) -> str:
    names = [verb.replace("-", "_") for verb in verbs]
    return "\n".join(f"_shtab_seqnets_{name}_pos_0_COMPGEN=_shtab_compgen_files" for name in names)


def _task_or_file_in_zsh() -> str:
    return f'{_TASK_OR_FILE}() {{ _alternative "tasks:task:({" ".join(TASKS)})" "files:file:_files" }}'


_TASK_OR_FILE = "_seqnets_task_or_file"


def _commands(*, nested: bool) -> argparse.ArgumentParser:
    """Return one parser with the parsers of all verbs below it; it is only looked at.

    Args:
        nested: whether tasks are commands below their verb, which a file may replace; else the verb has the options of all tasks.
    """
    from seqnets import __version__

    root = argparse.ArgumentParser("seqnets")
    root.add_argument("--version", "-V", action="version", version=__version__, help="show the version")
    verbs = root.add_subparsers()
    for name, verb in VERBS.items():
        run = import_module(verb.module).main
        _attach(verbs, name, verb.summary, _completed(parser_of(run)))
        if verb.takes_tasks:
            (_attach_tasks if nested else _merge_tasks)(verbs.choices[name], run)
    helped = verbs.add_parser("help", help="show the help of a verb")
    helped.add_argument("verb", choices=list(VERBS))
    return root


def _attach(group: Any, name: str, summary: str, parser: argparse.ArgumentParser) -> None:
    group.add_parser(name, help=summary.replace("%", "%%"))
    group.choices[name] = parser


def _attach_tasks(parser: argparse.ArgumentParser, run: Any) -> None:
    tasks = parser.add_subparsers(parser_class=argparse.ArgumentParser)
    for name, entry in TASKS.items():
        _attach(tasks, name, entry.summary, _completed(parser_of(run, (name,))))
    parser._actions.insert(0, parser._actions.pop())  # the task comes before the data


def _merge_tasks(parser: argparse.ArgumentParser, run: Any) -> None:
    known = set(parser._option_string_actions)
    for name in TASKS:
        for action in _completed(parser_of(run, (name,)))._actions:
            if action.option_strings and not known & set(action.option_strings):
                known |= set(action.option_strings)
                parser._add_action(action)
    data = next(action for action in parser._actions if not action.option_strings)
    data.complete = {"zsh": _TASK_OR_FILE}  # pyright: ignore[reportAttributeAccessIssue]


def _completed(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Say for each argument what can follow: the choices that its help lists, or a file."""
    for action in parser._actions:
        metavar = str(action.metavar or "")
        if action.choices or action.nargs == 0:
            continue
        if "|" in metavar:
            action.choices = metavar.split("|")
        elif metavar in _PATHS or not (action.option_strings or metavar in _TEXTS):
            action.complete = "file"  # pyright: ignore[reportAttributeAccessIssue]
    return parser

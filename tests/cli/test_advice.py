"""Advice that can be followed: every option and every command that a sentence of seqnets names exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import seqnets as sn
from seqnets.cli.looks import LOOKS
from seqnets.cli.verbs import VERBS
from seqnets.tasks import TASKS

ROOT = Path(sn.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if path.name != "suggestion.py")
COMMANDS = [*((verb,) for verb in VERBS), *(("train", task) for task in TASKS), *(("inspect", look) for look in LOOKS)]
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z_.-]*[a-z])")
COMMAND = re.compile(r"`seqnets ([a-z]+)(?: ([a-z-]+))?([^`]*)`")
OF_OTHERS = {
    "xla_backend_extra_options",
    "xla_dump_to",
    "sparse",
    "version",
    "help",
}  # of XLA, tar, compilers and `seqnets` alone


@cache
def options(command: tuple[str, ...]) -> frozenset[str]:
    """Return the options that the help of a command lists."""
    from contextlib import redirect_stdout
    from io import StringIO

    from seqnets.cli.main import main

    with redirect_stdout(StringIO()) as help_text:
        assert main([*command, "--help"]) == 0
    return frozenset(re.findall(r"--([a-z][a-z0-9.-]*)", help_text.getvalue().partition("tasks (`")[0]))


def texts(path: Path) -> list[str]:
    """Return the strings of a module that a program may print: all but those that document it."""
    tree = ast.parse(path.read_text("utf-8"))
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {id(part) for node in joined for part in node.values}
    whole = ["".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values) for node in joined]
    plain = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
             and id(node) not in documents | inside]  # fmt: skip
    return whole + plain


def named(path: Path) -> set[str]:
    found = {option for text in texts(path) for option in OPTION.findall(text.replace("data.{}-", "data.validation-"))}
    return found - OF_OTHERS


def test_there_is_something_to_check():
    found = {option for path in FILES for option in named(path)}
    assert {"data.window", "train.batch-size", "data.vocabulary", "unknown"} <= found
    assert "length" in options(("sample",))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_option_that_is_named_exists(path):
    everywhere = frozenset.union(*map(options, COMMANDS))
    assert named(path) <= everywhere


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "train"])
def test_a_verb_names_its_own_options(verb):
    with_commands = [COMMAND.sub("", text) for text in texts(ROOT / "cli" / f"{verb.replace('-', '_')}.py")]
    own = {option for text in with_commands for option in OPTION.findall(text)}
    elsewhere = {option for option in own if re.search(rf"train with --{option}\b", " ".join(with_commands))}
    assert own - elsewhere - OF_OTHERS <= options((verb,))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_that_is_named_exists(path):
    for text in texts(path):
        for verb, second, rest in COMMAND.findall(text):
            assert verb in VERBS, text
            command = (verb, second) if verb == "train" and second in TASKS else (verb,)
            assert set(OPTION.findall(rest)) <= options(command), text

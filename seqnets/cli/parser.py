"""The parser behind every verb: argparse, with errors of one sentence that name the nearest right option."""

import argparse
import itertools
import re
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, NoReturn

from seqnets import settings
from seqnets.errors import UserError
from seqnets.suggestion import likely

_TEXTS = ("TEXT", "QUESTION")
_NAME = "\0"  # marks arguments after `--`, so that argparse does not take them for options; no system passes this character


_OUTSIDE = {
    "device gpu gpu-id gpuid cuda cpu tpu use-gpu use-cuda no-cuda": "JAX takes the fastest device; before the command, "
    "JAX_PLATFORMS=cpu chooses another",
    "threads num-threads n-threads nthreads": "before the command, SEQNETS_THREADS=N sets their number",
    "debug traceback": "before the command, SEQNETS_DEBUG=1 shows tracebacks",
    "cache cache-dir": "before the command, SEQNETS_CACHE=DIR says where",
}


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` that raises instead of exiting, and takes --some_option for --some-option.

    Options and positional arguments may be mixed; options are not abbreviated.

    Example:
        >>> parser = Parser("seqnets paint", "paint a picture")
        >>> _ = parser.add_argument("--hue", type=parser.value(int), default=0)
        >>> parser.read(["--hue", "red"])
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: --hue must be a whole number, not 'red'
        >>> parser.read(["--huge", "3"])
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: unknown option '--huge'; did you mean '--hue'?
    """

    def __init__(self, command: str, summary: str, epilog: str = "", usage: str | None = None) -> None:
        super().__init__(
            prog=command,
            description=f"{summary[:1].upper()}{summary[1:].rstrip('.')}.",
            epilog=epilog,
            usage=usage,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._flags: set[str] = set()
        self._words: list[str] = []

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """Add an option or a positional argument; a name may not be empty; a TEXT may be empty and must be UTF-8."""
        takes_text = options.get("action", "append") == "append" and not {"type", "choices"} & options.keys()
        if takes_text:
            options["type"] = utf8 if options.get("metavar") in _TEXTS else _name
        return super().add_argument(*names, **options)

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the arguments after the verb.

        Raises:
            UserError: an option is unknown, lacks its value, or has a wrong one.
        """
        if _only_built.get():
            raise _Built(self)
        words = list(words)
        end = words.index("--") if "--" in words else len(words)
        self._words = words[:end]
        names = [_NAME + word for word in words[end + 1 :]]
        found, extra = self.parse_known_intermixed_args([*self._regular(words[:end]), *names])
        if extra:
            self._refuse(extra[0])
        return argparse.Namespace(**{name: _bare(value) for name, value in vars(found).items()})

    def add_setting(self, name: str, hint: Any, words: str, *, metavar: str, container: Any = None) -> None:
        """Add the option --name of any type; if it is not given, it does not appear in the result of `read`.

        A bool may be given without a value: --name means --name true.
        """
        option = f"--{name.replace('_', '-')}"
        if hint is bool:
            self._flags.add(option)
        add = (container or self).add_argument
        add(option, dest=name, type=self.value(hint), help=words, metavar=metavar, default=argparse.SUPPRESS)

    def value(self, hint: Any) -> Any:
        """Return a type for argparse, which reads a value as `seqnets.settings.parsed` does."""

        def read(text: str) -> Any:
            try:
                return settings.parsed(text, hint)
            except UserError as error:
                raise argparse.ArgumentTypeError(str(error)) from None

        return read

    def error(self, message: str) -> NoReturn:
        """Raise argparse's complaint as a `UserError`."""
        message = re.sub(r"^argument ([^:]*/)?([^:/]+): ", r"\2 ", message)
        message = re.sub(r"(\S+) expected (one argument|at least one argument)$", self._lacking, message)
        message = re.sub(r"the following arguments are required: (.*)", self._missing, message)
        message = re.sub(r"invalid choice: (\S+) \(choose from (.*)\)", r"must be one of \2, not \1", message)
        raise UserError(message)

    def _missing(self, found: re.Match[str]) -> str:
        unknown = [word for word in map(_dashed, self._words) if word[:2] == "--" and not self._knows(word)]
        if unknown:  # the likelier mistake
            self._refuse(unknown[0])
        may_be_left_out = {str(action.metavar or action.dest) for action in self._actions if action.nargs in ("*", "?")}
        names = [name for name in found[1].split(", ") if name not in may_be_left_out]
        return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing; see `{self.prog} --help`"

    def _knows(self, word: str) -> bool:
        return word.partition("=")[0] in self._option_string_actions

    def _lacking(self, found: re.Match[str]) -> str:
        following = dict(itertools.pairwise(map(_dashed, self._words))).get(found[1], "")
        joined = f"; if the value begins with a dash, write {found[1]}={following}" if following[:1] == "-" else ""
        return f"{found[1]} needs a value{joined}"

    def _regular(self, words: list[str]) -> list[str]:
        words = list(map(_dashed, words))
        following = [*(word.lower() for word in words[1:]), ""]
        lonely = [word in self._flags and after not in settings.WORDS for word, after in zip(words, following)]
        return [f"{word}=true" if alone else word for word, alone in zip(words, lonely)]

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            raise UserError(f"cannot use {_bare(word)!r}; see `{self.prog} --help`")
        name = word.partition("=")[0]
        raise UserError(f"unknown option {name!r}{self._hint(name.lstrip('-'))}")

    def _hint(self, name: str) -> str:
        options = [option for action in self._actions for option in action.option_strings if option.startswith("--")]
        places = {action.dest: action.metavar or action.dest for action in self._actions if not action.option_strings}
        found = likely(name, [*(option[2:] for option in options), *places])
        outside = next((advice for names, advice in _OUTSIDE.items() if name in names.split()), None)
        if found in places:
            return f"; give {places[found]} without an option"
        if outside:
            return f"; {outside}"
        return f"; did you mean '--{found}'?" if found else f"; see `{self.prog} --help`"


class _Built(Exception):
    def __init__(self, parser: Parser) -> None:
        self.parser = parser


_only_built: ContextVar[bool] = ContextVar("only_built", default=False)


def parser_of(main: Callable[[Sequence[str]], int], words: Sequence[str] = ()) -> Parser:
    """Return the parser that the `main` of a verb builds, without running the verb.

    Args:
        main: a function that builds its parser first and calls `Parser.read`.
        words: what chooses among several parsers, such as the task of `seqnets train`.

    Example:
        >>> from seqnets.cli.verify import main
        >>> parser_of(main).prog
        'seqnets verify'
    """
    before = _only_built.set(True)
    try:
        main(words)
    except _Built as built:
        return built.parser
    finally:
        _only_built.reset(before)
    raise LookupError(f"{main.__module__} reads no arguments")


def utf8(text: str) -> str:
    """Refuse a text typed in another encoding: such bytes reach a program as lone surrogates.

    Example:
        >>> utf8("café")
        'café'
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        at = len(text[: error.start].encode("utf-8"))
        advice = "check the encoding of the terminal or of the program that wrote it"
        raise argparse.ArgumentTypeError(f"is not UTF-8 (at byte {at}); {advice}") from None
    return text


def _name(text: str) -> str:
    if not text.strip(_NAME):
        raise argparse.ArgumentTypeError("is empty; give a name or leave it out")
    return text


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(_bare, value))
    return value.removeprefix(_NAME) if isinstance(value, str) else value


def _dashed(word: str) -> str:
    name, equals, value = word.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if word.startswith("--") else word

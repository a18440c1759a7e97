"""`seqnets sample RUN --interactive`: type, see, continue, without loading the model again."""

import contextlib
import dataclasses
import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, get_type_hints

from seqnets import settings
from seqnets.cli.options import documented
from seqnets.data.text.escapes import unescaped
from seqnets.decode.text.config import MANY, SamplingConfig
from seqnets.errors import UserError
from seqnets.suggestion import nearest

_PROMPT = "> "
_SHOWN = 60  # characters of the text, after a step back
_OFF = "none"
_INTRODUCTION = "type a text and press Enter to see how the model continues; an empty line continues; /help lists the commands"
_ACTIONS = {
    "again": "draw the last answer again, differently",
    "undo": "go back before the last answer and what was typed for it",
    "reset": "begin with an empty text",
    "text": "show the whole text",
    "help": "show this list",
    "quit": "end; so does Ctrl-D",
}
_OF_DRAWING = {"seed": int, "beam": int}

Draw = Callable[[str, SamplingConfig, int, Any], Iterator[str]]


class Turn(NamedTuple):
    """What was typed, and what the model answered."""

    typed: str
    answer: str


class Conversation:
    """A text that a user and a model write in turns.

    Args:
        draw: `(text, config, beam, key) -> pieces` of its continuation.
        config: how to draw.
        seed: decides the answers: the first is that of `seqnets sample --seed`.
        beam: search with that many beams; 0 draws.
    """

    def __init__(self, draw: Draw, config: SamplingConfig, seed: int, beam: int) -> None:
        self._draw, self._config, self._beam = draw, config, beam
        self._turns: list[Turn] = []
        self._reseed(seed)
        self.ended = False

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(turn.typed + turn.answer for turn in self._turns)

    def take(self, line: str) -> None:
        """Take a line that was typed: a command, or text to continue.

        Raises:
            UserError: the command does not exist or has a wrong value, or the text has a character that the model lacks.
        """
        if line.startswith("/") and not line.startswith("//"):
            self._command(*line[1:].partition(" ")[::2])
        else:
            self.answer(unescaped(line.removeprefix("/") if line.startswith("//") else line, "the text"))

    def answer(self, typed: str) -> None:
        """Show how the model continues after a text; Ctrl-C ends the answer where it is."""
        pieces, answer = self._draw(self.text + typed, self._config, self._beam, self._next_key()), ""
        self._drawn += 1  # not for a text that was refused
        try:
            with _asked_to_stop() as asked:
                for piece in pieces:
                    answer += piece
                    _put(piece)
                    if asked():
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            _say("stopped; the text so far is kept")
        _put("\n")
        self._turns.append(Turn(typed, answer))

    def _command(self, name: str, value: str) -> None:
        name, value = name.strip().replace("-", "_").lower(), value.strip()
        if name in _ACTIONS:
            if value:
                raise UserError(f"/{name} takes no value, not {value!r}")
            getattr(self, f"_do_{name}")()
        elif name in self._hints:
            self._set(name, value)
        else:
            known = [known.replace("_", "-") for known in [*_ACTIONS, *self._hints]]
            raise UserError(f"there is no command /{name}{nearest(name, known)}; a text that begins with / is typed as //")

    def _do_again(self) -> None:
        typed = self._last().typed
        last = self._turns.pop()
        try:
            self.answer(typed)
        except UserError:
            self._turns.append(last)
            raise

    def _do_undo(self) -> None:
        self._last()
        self._turns.pop()
        end = self.text[-_SHOWN:]
        _say(f"the text now ends in {end!r}" if end else "the text is empty")

    def _do_reset(self) -> None:
        self._turns = []

    def _do_text(self) -> None:
        _put(self.text + "\n")

    def _do_help(self) -> None:
        summaries = {**documented(SamplingConfig), "seed": "The number that decides the answers.",
                     "beam": "Search for the likeliest text with this many beams; 0 draws."}  # fmt: skip
        for name, words in _ACTIONS.items():
            _say(f"/{name:26} {words}")
        for name in self._hints:
            _say(f"/{self._shown(name):26} {' '.join(summaries[name].split())}")
        _say(r"a value of none turns a setting off; \n in a text is a line break, and a text that begins with / is typed as //")

    def _do_quit(self) -> None:
        self.ended = True

    def _last(self) -> Turn:
        if not self._turns:
            raise UserError("there is no answer yet; type a text, or press Enter")
        return self._turns[-1]

    @property
    def _hints(self) -> dict[str, Any]:
        return {**get_type_hints(SamplingConfig), **_OF_DRAWING}

    def _set(self, name: str, text: str) -> None:
        if not text:
            _say(self._shown(name))
            return
        if name == "stop":
            value: Any = () if text == _OFF else (unescaped(text, "/stop"),)
        else:
            try:
                value = settings.parsed(text, self._hints[name])
            except UserError as error:
                raise UserError(f"/{name.replace('_', '-')} {error}") from None
        if name == "seed":
            settings.SEED.check("/seed", value)
            self._reseed(value)
        elif name == "beam":
            MANY._replace(least=0).check("/beam", value)
            self._beam = value
        else:
            self._config = dataclasses.replace(self._config, **{name: value})

    def _shown(self, name: str) -> str:
        value = {"seed": self._seed, "beam": self._beam}.get(name, getattr(self._config, name, None))
        value = repr(value[0]) if isinstance(value, tuple) and value else _OFF if value in (None, ()) else value
        return f"{name.replace('_', '-')} {value}"

    def _reseed(self, seed: int) -> None:
        self._seed, self._drawn = seed, 0

    def _next_key(self) -> Any:
        import jax

        key = jax.random.key(self._seed)
        return jax.random.fold_in(key, self._drawn) if self._drawn else key


def converse(conversation: Conversation, prompt: str) -> None:
    """Read lines until the end of input or /quit; a line that cannot be used costs one sentence.

    Args:
        conversation: where the lines go.
        prompt: the first text; "" for none.
    """
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if on_terminal:
        _complete_commands()
        _say(_INTRODUCTION)
    lines = _typed() if on_terminal else _piped()
    if prompt:
        _attempt(conversation.answer, prompt)
    while not conversation.ended:
        try:
            line = next(lines)
        except StopIteration:
            break
        _attempt(conversation.take, line)


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Note Ctrl-C for the next piece of text, as an exception that comes up inside a callback is lost; a second one is raised."""
    asked: list[int] = []

    def note(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not in the main thread
        yield lambda: False
        return
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _attempt(action: Callable[[str], None], text: str) -> None:
    try:
        action(text)
    except UserError as error:
        _say(re.sub(r"\bpass --", "type /", str(error)))  # options of the command are commands here
    except KeyboardInterrupt:  # outside of a drawing, there is nothing to stop
        _put("\n")


def _typed() -> Iterator[str]:
    while True:
        try:
            yield input(_PROMPT)
        except KeyboardInterrupt:
            _put("\n")
        except EOFError:
            _put("\n")
            return
        except UnicodeDecodeError:
            _say("the line is not UTF-8; check the encoding of the terminal")


def _piped() -> Iterator[str]:
    while line := sys.stdin.readline():
        yield line.removesuffix("\n").removesuffix("\r")


def _complete_commands() -> None:
    """Give the line an editor with a history, where Python has one, and complete commands with the tab key."""
    try:
        import readline
    except ImportError:  # Windows, and small builds
        return
    names = [f"/{name.replace('_', '-')}" for name in (*_ACTIONS, *get_type_hints(SamplingConfig), *_OF_DRAWING)]

    def complete(begun: str, number: int) -> str | None:
        found = [name for name in names if name.startswith(begun)] if begun.startswith("/") else []
        return found[number] if number < len(found) else None

    readline.set_completer_delims(" ")
    readline.set_completer(complete)
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")


def _put(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)

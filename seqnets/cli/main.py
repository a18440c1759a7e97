"""The command `seqnets VERB ...`: finds the verb, runs it, and turns what goes wrong into one sentence and an exit code."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import FrameType
from typing import NamedTuple

from seqnets import __version__
from seqnets.errors import UserError

DONE, FAULT, MISUSE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


class Verb(NamedTuple):
    """One verb: the module whose `main(argv) -> int` does it, and what it does in a line."""

    module: str
    summary: str


VERBS = {
    "train": Verb("seqnets.cli.train", "train a model on your text, images or captions; with no arguments, on Python's source"),
    "sample": Verb("seqnets.cli.sample", "write text with a trained model"),
    "evaluate": Verb("seqnets.cli.evaluate", "score a text: nats, bits per character, perplexity"),
    "classify": Verb("seqnets.cli.classify", "name what is in images, with any of the networks"),
    "features": Verb("seqnets.cli.features", "compute features of images into a store on disk"),
    "summary": Verb("seqnets.cli.summary", "show a convolutional network's layers: shapes, parameters, multiply-adds"),
    "caption": Verb("seqnets.cli.caption", "say what is in images, and show what the model looked at"),
    "predict": Verb("seqnets.cli.predict", "classify, label or translate texts with a trained model"),
    "answer": Verb("seqnets.cli.answer", "answer questions about a picture"),
    "verify": Verb("seqnets.cli.verify", "check that the files of a run are as they were written"),
    "score": Verb("seqnets.cli.score", "score captions: BLEU, ROUGE-L, CIDEr"),
}

_NO_DISK, _NO_ACCESS = "No space left on device", (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the words after `seqnets`; those of this process where left out.

    Returns:
        The exit code: 0 done, 1 a fault in seqnets, 2 bad input or usage, 3 stopped because of non-finite steps,
        130 and 143 stopped by SIGINT and SIGTERM (a training run is saved), 141 nobody reads the output any more.

    Example:
        >>> main(["--version"])
        seqnets 0.1.0
        0
    """
    _accept_any_character()
    try:
        with _interrupts():
            code = _run(list(sys.argv[1:] if argv is None else argv))
        if sys.stdout:
            sys.stdout.flush()  # here, where a reader that has left is still an exception to catch
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else DONE if leaving.code is None else MISUSE
    except BrokenPipeError:
        _discard_output()
        code = BROKEN_PIPE
    except KeyboardInterrupt as stop:
        code = _say(str(stop) or "interrupted", getattr(stop, "exit_code", INTERRUPTED))
    except Exception as error:
        code = _explain(error)
    return code


def overview() -> str:
    """Return the help of `seqnets` alone: every verb in a line.

    Example:
        >>> overview().splitlines()[0]
        'usage: seqnets VERB ...'
    """
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:{width}}  {verb.summary}" for name, verb in VERBS.items())
    return f"usage: seqnets VERB ...\n\n{verbs}\n\n`seqnets VERB --help` tells all about a verb; `seqnets --version` the version."


def _run(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        print(overview())
        return DONE
    if words[0] in ("--version", "-V"):
        print(f"seqnets {__version__}")
        return DONE
    verb = _find(words[0])
    from seqnets.cli import runtime

    runtime.prepare()
    return import_module(verb.module).main(words[1:])


def _find(name: str) -> Verb:
    if name in VERBS:
        return VERBS[name]
    import difflib

    close = difflib.get_close_matches(name, VERBS, n=1)
    hint = f"did you mean 'seqnets {close[0]}'?" if close else f"verbs are {', '.join(VERBS)}"
    kind = "option" if name.startswith("-") else "verb"
    raise UserError(f"unknown {kind} {name!r}; {hint}")


def _explain(error: Exception) -> int:
    if os.environ.get("SEQNETS_DEBUG", "0") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
        return getattr(error, "exit_code", MISUSE if isinstance(error, UserError) else FAULT)
    if isinstance(error, UserError) or hasattr(error, "exit_code"):
        return _say(str(error), getattr(error, "exit_code", MISUSE))
    if isinstance(error, _NO_ACCESS) and error.filename is not None:
        return _say(f"cannot use '{error.filename}': {error.strerror}; check the path and its permissions", MISUSE)
    if isinstance(error, OSError) and error.strerror == _NO_DISK:
        return _say(f"no space left on the disk{_of(error)}; free some and run the same command again", MISUSE)
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return _say("out of memory; use a smaller batch, window or model (for training: --train.batch-size)", MISUSE)
    first = (str(error).splitlines() or [""])[0]
    return _say(f"internal error: {type(error).__name__}: {first} ({_kept(error)})", FAULT)


def _of(error: OSError) -> str:
    return f" of '{error.filename}'" if error.filename else ""


def _kept(error: Exception) -> str:
    import tempfile
    import traceback

    try:
        with tempfile.NamedTemporaryFile("w", prefix="seqnets-", suffix=".traceback", delete=False, encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        return "this is a fault in seqnets; run it again with SEQNETS_DEBUG=1 for the traceback"
    return f"this is a fault in seqnets; please report it with the traceback in {file.name}"


def _say(sentence: str, code: int) -> int:
    print(f"seqnets: {sentence}", file=sys.stderr)
    return code


@contextlib.contextmanager
def _interrupts() -> Iterator[None]:
    """Make Ctrl-C work while modules are imported, too: imports are known to swallow or to wrap what is raised in them."""
    try:
        before = signal.signal(signal.SIGINT, _interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(_say("interrupted", INTERRUPTED))
        frame = frame.f_back
    raise KeyboardInterrupt


def _accept_any_character() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]


def _discard_output() -> None:
    """Point standard output at nothing, or Python complains once more when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

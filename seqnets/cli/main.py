"""The command `seqnets VERB ...`: finds the verb, runs it, and turns errors into one sentence and an exit code."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import FrameType

from seqnets import __version__
from seqnets.cli.streams import drop_output, standard_streams
from seqnets.cli.verbs import find, overview
from seqnets.errors import UserError

DONE, FAULT, MISUSE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


_NO_ACCESS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the arguments after `seqnets`; those of this process by default.

    Returns:
        The exit code: 0 done, 1 a fault in seqnets, 2 bad input or usage, 3 stopped because of non-finite steps,
        130 and 143 stopped by SIGINT and SIGTERM (a training run is saved), 141 the reader of the output is gone.

    Example:
        >>> main(["--version"])
        seqnets 0.1.0
        0
    """
    with standard_streams():
        try:
            with _interrupts():
                code = _run(list(sys.argv[1:] if argv is None else argv))
            sys.stdout.flush()  # here, where a failed write is still an exception that can be caught
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else DONE if leaving.code is None else MISUSE
        except BrokenPipeError:
            code = BROKEN_PIPE
        except KeyboardInterrupt as stop:
            code = _say(str(stop) or "interrupted", getattr(stop, "exit_code", INTERRUPTED))
        except Exception as error:
            code = _explain(error)
        drop_output()
        return code


def _run(words: list[str]) -> int:
    if words[:1] == ["help"] and len(words) > 1:
        words = [words[1], "--help"]
    if not words or words[0] in ("--help", "-h", "help"):
        print(overview())
        return DONE
    if words[0] in ("--version", "-V"):
        print(f"seqnets {__version__}")
        return DONE
    verb = find(words[0])
    from seqnets.cli import runtime

    runtime.prepare()
    return import_module(verb.module).main(words[1:])


def _explain(error: Exception) -> int:
    if os.environ.get("SEQNETS_DEBUG", "0") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
        return getattr(error, "exit_code", MISUSE if isinstance(error, UserError) else FAULT)
    if isinstance(error, UserError) or hasattr(error, "exit_code"):
        return _say(str(error), getattr(error, "exit_code", MISUSE))
    if sentence := _of_the_surroundings(error):
        return _say(sentence, MISUSE)
    first = (str(error).splitlines() or [""])[0]
    return _say(f"internal error: {type(error).__name__}: {first} ({_kept(error)})", FAULT)


def _of_the_surroundings(error: Exception) -> str | None:
    if isinstance(error, _NO_ACCESS) and error.filename is not None:
        return f"cannot use '{error.filename}': {error.strerror}; check the path and its permissions"
    if isinstance(error, FileNotFoundError) and _is_nowhere():
        return "the current folder no longer exists; change to one that does"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"no space left on the disk{_of(error)}; free some and run the same command again"
    if isinstance(error, OSError) and error.errno == errno.EBADF:
        return "standard input or output cannot be used as it is redirected; check what the command reads from and writes to"
    if isinstance(error, OSError) and error.errno == errno.EROFS and error.filename is not None:
        return f"'{error.filename}' is on a disk that can only be read; choose another place"
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return "out of memory; use a smaller batch, window, beam or model (for training: --train.batch-size)"
    return None


def _is_nowhere() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


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
    with contextlib.suppress(OSError):  # there is no reader
        print(f"seqnets: {sentence}", file=sys.stderr)
    return code


@contextlib.contextmanager
def _interrupts() -> Iterator[None]:
    """Make Ctrl-C work during imports too: imports may swallow or wrap exceptions."""
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

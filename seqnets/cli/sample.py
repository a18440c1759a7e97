"""`seqnets sample RUN`: write text with a trained model, or draw pictures."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from seqnets.cli.options import add_fields, given_fields
from seqnets.cli.parser import Parser
from seqnets.cli.sample_items import check_items, write_items
from seqnets.cli.sample_pictures import check_pictures, write_pictures
from seqnets.cli.seed import Seed, add_seed
from seqnets.cli.trained import add_run, compile_nothing, load_trained
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError

BETWEEN = f"\n{'-' * 72}\n"
_SHORT = 20_000  # characters, which the portable backend writes faster than a compiler compiles the kernels
_OF_BEAMS = ("length", "unknown")
_EPILOG = """\
Only the text goes to standard output: the prompt, then exactly the requested new characters, and a final newline only on a
terminal. The same seed gives the same text; without one, a seed is drawn and reported on standard error. With an empty
prompt, the text begins as after a newline (or after the document separator, if the run has one)."""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets sample`; see `seqnets sample --help`."""
    from seqnets.data.text.escapes import unescaped
    from seqnets.decode.text.config import SamplingConfig

    found = _parser(SamplingConfig()).read(argv)
    given = given_fields(found, SamplingConfig, without=("stop",))
    config = SamplingConfig(**given, stop=tuple(unescaped(text, "--stop") for text in found.stop))
    _check(found, given)
    seed = Seed.of(found)
    if config.length * max(found.samples, found.beam) <= _SHORT:
        compile_nothing()
    check = partial(check_pictures, found, given=given)
    run = load_trained(found.run, "text", "drawer", fits=_writes, check=check)
    if run.config["task"] == "drawer":
        write_pictures(run, found, seed.number)
        seed.report()
        return 0
    prompt = _prompt(found, run.vocabulary)
    _say_what_is_unknown(prompt, run.vocabulary, config.unknown)
    if found.items is not None:
        write_items(run, prompt, config, found, given, seed.number)
        seed.report()
        return 0
    if found.interactive:
        _converse(run, prompt, config, found, seed)
        return 0
    pieces = _likeliest(run, prompt, config, found) if found.beam else _pieces(run, prompt, config, found.samples, seed.number)
    _write(pieces, _shown(prompt), found)
    if not found.beam:
        seed.report()
    return 0


def _writes(model: Any) -> bool:
    return hasattr(model, "stepper") or hasattr(model, "draw")


def _parser(default: Any) -> Parser:
    parser = Parser("seqnets sample", VERBS["sample"].summary, epilog=_EPILOG)
    add_run(parser)
    parser.add_argument("--prompt", type=str, metavar="TEXT", help="the beginning of the text, taken literally")
    parser.add_argument("--prompt-file", metavar="FILE", help="a file with the prompt, taken literally; - for standard input")
    parser.add_argument("--no-prompt", action="store_true", help="write only the new text")
    parser.add_argument("--samples", type=parser.value(int), default=1, metavar="N", help="texts to write, or pictures [1]")
    add_seed(parser, "the text, or the pictures")
    parser.add_argument(
        "--items", type=parser.value(int), metavar="N", help="write N different whole items, one per line, by a run of items"
    )
    parser.add_argument("--new", action="store_true", help="with --items: only items that are not in the training text")
    parser.add_argument("--interactive", action="store_true", help="type texts and commands, and see how the model continues")
    parser.add_argument("--json", action="store_true", help='write a JSON list of {"prompt": ..., "text": ...}')
    parser.add_argument(
        "--beam", type=parser.value(int), default=0, metavar="W", help="search for the likeliest text with W beams"
    )
    add_fields(parser, default, title="drawing", without=("stop",))
    parser.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help=r"stop just before this text (\n \t \r \0 \\ \xNN \uNNNN are understood); may be given several times",
    )
    pictures = parser.add_argument_group("pictures of a run of `seqnets train drawer`")
    pictures.add_argument("--out", metavar="PATH", help="a file for all pictures side by side, or a folder [drawn.png]")
    pictures.add_argument("--figure", metavar="FILE", help="draw the steps of the first 8, with the windows that were written")
    return parser


def _check(found: argparse.Namespace, given: Mapping[str, Any]) -> None:
    from seqnets.decode.text.config import MANY

    if found.prompt is not None and found.prompt_file is not None:
        raise UserError("--prompt and --prompt-file both give a prompt; leave one out")
    check_items(found)
    _check_interactive(found)
    MANY.check("--samples", found.samples)
    MANY._replace(least=0).check("--beam", found.beam)
    if found.beam:
        _check_beam(found, [f"--{name.replace('_', '-')}" for name in given if name not in _OF_BEAMS])


def _check_interactive(found: argparse.Namespace) -> None:
    others = {"--samples": found.samples != 1, "--json": found.json, "--prompt-file -": found.prompt_file == "-"}
    for option, given in others.items():
        if found.interactive and given:
            raise UserError(f"--interactive writes one text in turns, so {option} does not fit; leave one out")


def _check_beam(found: argparse.Namespace, drawing: Sequence[str]) -> None:
    if found.beam < found.samples:
        raise UserError(f"--beam {found.beam} finds at most that many texts, fewer than --samples {found.samples}; widen it")
    if drawing or found.seed is not None or len(found.stop) > 1:
        what = drawing[0] if drawing else "--seed" if found.seed is not None else "more than one --stop"
        raise UserError(f"--beam searches instead of drawing, so {what} has no effect; leave one out")


def _prompt(found: argparse.Namespace, vocabulary: Any) -> str:
    if found.prompt_file is None:
        return found.prompt or ""
    from seqnets.decoders import read_bytes, reading

    path = found.prompt_file
    content = sys.stdin.buffer.read() if path == "-" else read_bytes(path, "the prompt file")
    with reading(path, "the prompt file"):
        return content.decode("utf-8-sig", "surrogateescape" if vocabulary.kind == "bytes" else "strict")


def _say_what_is_unknown(prompt: str, vocabulary: Any, policy: str) -> None:
    unknown = vocabulary.count_unknown(prompt) if policy != "error" else 0
    if unknown:
        from seqnets.data.text.differences import unknown_words

        print(f"seqnets: of the prompt, {unknown_words(unknown, len(prompt), policy)}", file=sys.stderr)


def _converse(run: Any, prompt: str, config: Any, found: argparse.Namespace, seed: Seed) -> None:
    import jax

    from seqnets.cli.interactive import Conversation, converse

    def draw(text: str, config: Any, beam: int, key: Any) -> Iterator[str]:
        choices = argparse.Namespace(beam=beam, samples=1)
        pieces = _likeliest(run, text, config, choices) if beam else _pieces(run, text, config, 1, key)
        return (piece for (piece,) in pieces)

    seed.report()
    jax.random.key(0)  # starts JAX, so that Ctrl-C meets no import
    converse(Conversation(draw, config, seed.number, found.beam), prompt)


def _pieces(run: Any, prompt: str, config: Any, samples: int, seed: Any) -> Iterator[list[str]]:
    import jax

    from seqnets.decode.text.sampling import stream_many

    key, separator = jax.random.key(seed) if isinstance(seed, int) else seed, _separator(run)
    return stream_many(run.model, _opening(run, prompt), samples=samples, key=key, config=config, separator=separator)


def _likeliest(run: Any, prompt: str, config: Any, found: argparse.Namespace) -> Iterator[list[str]]:
    from seqnets.decode.text.beam import beam_search

    stop, separator = "".join(config.stop), _separator(run)
    settings = {"length": config.length, "width": found.beam, "unknown": config.unknown}
    best = beam_search(run.model, _opening(run, prompt), stop=stop, separator=separator, **settings)
    return iter([[continuation.text for continuation in best[: found.samples]]])


def _opening(run: Any, prompt: str) -> str:
    """Return what the model reads before it writes: items begin after the last character of a separator, as in training."""
    return run.config["data"]["separator"][-1] + prompt if prompt and "items" in run.config["data"] else prompt


def _separator(run: Any) -> tuple[int, ...]:
    return tuple(run.vocabulary.encode(run.config["data"].get("separator", "")).tolist())


def _write(pieces: Iterator[list[str]], prompt: str, found: argparse.Namespace) -> None:
    if found.json:
        texts = _joined(pieces, found.samples)
        print(json.dumps([{"prompt": prompt, "text": text} for text in texts]))
        return
    opening = "" if found.no_prompt else prompt
    try:
        _put(opening)
        later = _joined(_first_as_it_comes(pieces), found.samples - 1)
        for text in later:
            _put(BETWEEN + opening + text)
    finally:
        if sys.stdout.isatty():
            _put("\n")


def _first_as_it_comes(pieces: Iterator[list[str]]) -> Iterator[list[str]]:
    for first, *others in pieces:
        _put(first)
        yield others


def _joined(pieces: Iterator[list[str]], samples: int) -> list[str]:
    texts = [""] * samples
    for row in pieces:
        texts = [text + piece for text, piece in zip(texts, row)]
    return texts


def _put(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _shown(prompt: str) -> str:
    # bytes that are not UTF-8 became lone surrogates, which cannot be written
    return prompt.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

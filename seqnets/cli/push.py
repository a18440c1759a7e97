"""`seqnets push RUN hf:OWNER/NAME`: publish a run on Hugging Face."""

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_run
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError
from seqnets.hub import Repository, push

_USAGE = "seqnets push RUN hf:OWNER/NAME [--private] [--message TEXT]"
_EPILOG = """\
Published are the description, the settings, the vocabulary, the weights, the figures and the card of the run, which are checked
before; not the checkpoints, so that the published run can be used but not continued. Absolute paths in the settings and in the
card become the names of their files. `hf auth login` or HF_TOKEN says who you are.

The published run is used by its name: `seqnets sample hf:OWNER/NAME`, `sn.load("hf:OWNER/NAME")`. Needs the extra [hub]."""
_MESSAGE = "Upload a run of seqnets"
_IN_TEXT = re.compile(r"(?<![\w.:/\\])(?:~|[A-Za-z]:)?[/\\](?:[^\s`|'\"=]*[/\\])+([^\s`|'\"=]*)")  # an absolute path; no URL


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets push`; see `seqnets push --help`."""
    parser = Parser("seqnets push", VERBS["push"].summary, epilog=_EPILOG, usage=_USAGE)
    add_run(parser)
    parser.add_argument("address", metavar="hf:OWNER/NAME", help="the repository, made if needed")
    parser.add_argument("--private", action="store_true", help="a new repository is visible only to its owner")
    parser.add_argument("--message", type=str, metavar="TEXT", help=f"the title of the commit [{_MESSAGE}]")
    found = parser.read(argv)
    Repository.of(found.address)
    from seqnets.run import run_folder

    files = published_files(run_folder(found.run))
    page = push(found.address, files, private=found.private, message=found.message or _MESSAGE)
    size = sum(map(len, files.values())) / 1e6
    print(f"{found.run} is published at {page}: {len(files)} files, {size:,.1f} MB")
    return 0


def published_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a run that are published, by name, without absolute paths.

    Args:
        folder: the run folder.

    Raises:
        UserError: it is not a run, is unfinished or damaged, or a text in it still holds the path of the home folder.
    """
    from seqnets import manifest  # which loads NumPy
    from seqnets.run import (
        CARD,
        CHECKPOINTS,
        CONFIG,
        LEFT_OUT,
        METRICS,
        PUBLISHED,
        SETTINGS,
        VOCABULARY,
        WEIGHTS,
        check_file,
        read_config,
        read_vocabulary,
        read_weights,
    )

    read_config(folder)
    for name, check in {SETTINGS: check_file, VOCABULARY: read_vocabulary, WEIGHTS: read_weights}.items():
        check(folder / name)
    files = {name: (folder / name).read_bytes() for name in PUBLISHED if (folder / name).is_file()}
    if SETTINGS in files:
        files[SETTINGS] = _settings(files[SETTINGS])
    if CARD in files:
        files[CARD] = _IN_TEXT.sub(r"\1", files[CARD].decode("utf-8")).encode()
    said = {name: value for name, value in json.loads(files[CONFIG]).items() if name not in ("files", "checksum")}
    listed = {name: [manifest.figures(files[name])] for name in (SETTINGS, VOCABULARY, METRICS) if name in files}
    files[CONFIG] = manifest.sealed_json({**_without_paths(said), CHECKPOINTS: LEFT_OUT, "files": listed}).encode()
    _refuse_home(files)
    return files


def _settings(content: bytes) -> bytes:
    import tomli_w

    said = tomllib.loads(content.decode("utf-8"))
    plain = _without_paths(said)
    return content if plain == said else tomli_w.dumps(plain).encode()


def _without_paths(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_paths(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_paths(inner) for inner in value]
    if isinstance(value, str) and (os.path.isabs(value) or value.startswith("~") or re.match(r"[A-Za-z]:[/\\]", value)):
        return re.split(r"[/\\]", value.rstrip("/\\"))[-1]
    return value


def _refuse_home(files: Mapping[str, bytes]) -> None:
    home = os.path.expanduser("~")
    for name, content in files.items():
        if len(home) > 1 and home.encode() in content and not name.endswith((".png", ".safetensors")):
            raise UserError(f"{name} holds the path of your home folder, {home!r}; take it out before you publish the run")

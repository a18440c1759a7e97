"""`seqnets download NAME...`: get published weights, data sets, and runs or weights on Hugging Face."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_offline
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError

_USAGE = "seqnets download (NAME ... | --list) [--out DIR] [--weights SET] [--offline]"
_EPILOG = """\
NAME is a data set, a network that torchvision publishes weights for, or hf:OWNER/NAME on Hugging Face: a run, or weights of
timm or transformers. Everything is kept in the cache ($SEQNETS_CACHE or ~/.cache/seqnets), where the other verbs find it by the
same name; they download it by themselves as well. A download that is cut continues with the same command, and every file is
checked before it is used. HTTPS_PROXY is obeyed.

examples:
  seqnets download tiny-shakespeare && seqnets train tiny-shakespeare
  seqnets download resnet50 && seqnets classify --model resnet50 photos/
  seqnets download hf:ann/plays && seqnets sample hf:ann/plays"""


class _Item(NamedTuple):
    """A line of the list."""

    name: str
    kind: str
    megabytes: float
    here: bool
    terms: str


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets download`; see `seqnets download --help`."""
    found = _parser().read(argv)
    if found.list:
        _show(list(_items(found.out)), as_json=found.json)
        return 0
    if not found.names:
        raise UserError("name what to download; `seqnets download --list` shows what there is")
    for name in found.names:
        kind = _kind(name)
        if found.weights and kind != "weights":
            raise UserError(f"--weights is for networks, and {name!r} is something else; leave it out")
        if found.out and kind != "data":
            raise UserError(f"--out is for data sets; {name!r} is found again only in the cache, so leave it out")
    got = {name: _get(name, found) for name in found.names}
    if found.json:
        print(json.dumps({name: str(path) for name, path in got.items()}))
    else:
        for name, path in got.items():
            print(f"{name}: {path}")
    return 0


def _parser() -> Parser:
    parser = Parser("seqnets download", VERBS["download"].summary, epilog=_EPILOG, usage=_USAGE)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a data set, a network, or hf:OWNER/NAME")
    parser.add_argument("--list", action="store_true", help="show all names with sizes and licenses, and what is here already")
    parser.add_argument("--out", metavar="DIR", help="put data sets into this folder, each in one of its name [the cache]")
    parser.add_argument("--weights", metavar="SET", help="weights of a network: torchvision-v1, torchvision-v2 [the latest]")
    parser.add_argument("--json", action="store_true", help="write JSON: the path for each name, or the list")
    add_offline(parser)
    return parser


def _kind(name: str) -> str:
    from seqnets.data.public_sets import PUBLIC_SETS
    from seqnets.hub import PREFIX
    from seqnets.suggestion import nearest
    from seqnets.weights.torchvision import PUBLISHED

    networks = {entry.network: None for entry in PUBLISHED}
    if name.startswith(PREFIX):
        return "repository"
    if name in PUBLIC_SETS or name in networks:
        return "data" if name in PUBLIC_SETS else "weights"
    hint = nearest(name, [*PUBLIC_SETS, *networks])
    raise UserError(f"nothing public is called {name!r}{hint if 'mean' in hint else '; `seqnets download --list` shows what is'}")


def _get(name: str, found: Any) -> Path:
    kind = _kind(name)
    if kind == "data":
        from seqnets.data.public_sets import download

        return download(name, found.out, tell=_tell).data
    if kind == "weights":
        from seqnets.weights.torchvision import LATEST, fetch_published, published

        return fetch_published(published(name, found.weights or LATEST))
    return _pull(name)


def _pull(address: str) -> Path:
    """Return the folder of a run, or of weights, of a repository."""
    from seqnets import hub
    from seqnets.run import CONFIG, PUBLISHED
    from seqnets.weights.named import repository_source

    folder = hub.pull(address, [CONFIG])
    config = folder / CONFIG
    if config.is_file() and b'"seqnets-run"' in config.read_bytes()[:1024]:
        return hub.pull(address, PUBLISHED)
    return repository_source(address, "any").path


def _items(out: str | None) -> Iterator[_Item]:
    from seqnets.data.public_sets import PUBLIC_SETS, is_here
    from seqnets.places import user_cache
    from seqnets.weights.torchvision import LATEST, PUBLISHED

    folder = Path(out) if out else user_cache() / "data"
    for name, found in PUBLIC_SETS.items():
        yield _Item(name, found.kind, found.megabytes, is_here(name, folder), found.terms)
    for entry in PUBLISHED:
        here = (user_cache() / "weights" / f"{entry.file}.pth").is_file()
        kind = f"{LATEST}-{entry.version}"
        yield _Item(entry.network, kind, entry.mebibytes * 1.048576, here, "BSD 3-Clause; trained on ImageNet")


def _show(items: list[_Item], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([item._asdict() for item in items]))
        return
    width = max(len(item.name) for item in items)
    for item in items:
        here = "here" if item.here else ""
        print(f"{item.name:{width}}  {item.kind:14}  {_size(item.megabytes):>9}  {here:4}  {item.terms}")


def _size(megabytes: float) -> str:
    return f"{megabytes:,.0f} MB" if megabytes >= 10 else f"{megabytes:.1f} MB"


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
